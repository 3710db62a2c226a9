/** `npx makeparallel explain MP1003`: what a code means and what to do. */
import { type Explanation, explanations } from "./documentation";
import type { CommandContext } from "./main";

const STYLE = { error: "red", warning: "yellow", note: "cyan" } as const;
/** Codes further away than this many edits are nothing that was meant. */
const FAR = 2;

/** @returns the exit code: 1 when a code is not known */
export function explain(context: CommandContext, codes: readonly string[]): number {
  const all = explanations();
  if (codes.length === 0) {
    for (const { code, severity, title } of all)
      context.out.line(`${context.out.paint(STYLE[severity], code)}  ${severity.padEnd(7)}  ${title}`);
    return 0;
  }
  let exitCode = 0;
  for (const [index, asked] of codes.entries()) {
    const code = normalize(asked);
    const entry = all.find((one) => one.code === code);
    if (index > 0) context.out.line();
    if (entry) print(context, entry);
    else {
      exitCode = 1;
      unknown(context, asked, code, all);
    }
  }
  return exitCode;
}

/** `mp1003`, `1003` and TypeScript's number for it, `TS991003`, all name MP1003. */
function normalize(text: string): string {
  const digits = /^(?:(?:TS|MP)?(?:99)?)(\d{4})$/i.exec(text.trim())?.[1];
  return digits === undefined ? text.trim().toUpperCase() : `MP${digits}`;
}

function print({ out }: CommandContext, { code, severity, title, message, fix, why, example }: Explanation): void {
  out.line(`${out.paint(STYLE[severity], `${severity} ${code}`)}: ${out.paint("bold", title)}`);
  if (message !== undefined) {
    out.line();
    out.prose(message, "  ");
  }
  if (why !== "") {
    out.line();
    out.prose(why);
  }
  out.line();
  out.prose(`Fix: ${fix}`);
  if (example !== undefined) {
    out.line();
    out.line("Example:");
    for (const line of example.trimEnd().split("\n")) out.line(line === "" ? "" : `    ${line}`);
  }
}

function unknown({ err }: CommandContext, asked: string, code: string, all: readonly Explanation[]): void {
  const near = all
    .map((entry) => ({ entry, distance: distanceOf(code, entry.code) }))
    .filter(({ distance }) => distance <= FAR)
    .sort((a, b) => a.distance - b.distance || (a.entry.code < b.entry.code ? -1 : 1))
    .slice(0, 5);
  err.line(`${err.paint("red", "✗")} There is no code ${asked}.`);
  err.line(near.length > 0 ? "Close ones:" : "`npx makeparallel explain` lists all.");
  for (const { entry } of near) err.line(`  ${entry.code}  ${entry.title}`);
}

/** Edits of one character that turn one text into the other (Levenshtein, 1965). */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length] as number;
}
