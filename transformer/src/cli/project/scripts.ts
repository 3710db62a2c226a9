/**
 * What the scripts of package.json run.
 *
 * Takes: scripts. Gives: the calls of programs that this tool knows, with the places of their words. Looks through runners (`npx`, `pnpm exec`, `cross-env A=b`)
 * and paths (`./node_modules/.bin/tsc`); follows `cd`.
 */
import * as path from "node:path";
import { parseCommands, type Word } from "./shell";

export interface ScriptCall {
  /** Name of the script. */
  script: string;
  /** The script's whole text. */
  text: string;
  /** `tsc`, `tspc`, `nest`, `esbuild`, …; of a file in a package that `node` runs: its name without the extension; empty for one of the project's. */
  program: string;
  /** The word that names the program, to be replaced. */
  word: Word;
  args: string[];
  /** Folder that it runs in. */
  folder: string;
  /** The program is a file that `node` (or a loader such as tsx) runs: its absolute path. */
  file?: string;
}

const RUNNERS = new Set(["npx", "bunx", "pnpx", "cross-env", "cross-env-shell", "env", "time", "dotenv", "dotenvx", "nice", "exec"]);
const MANAGERS = new Set(["npm", "pnpm", "yarn", "bun", "corepack"]);
const MANAGER_VERBS = new Set(["exec", "x", "dlx", "run"]);
/** Programs that run a script file given as their first argument. */
const NODES = new Set(["node", "tsx", "ts-node", "ts-node-esm", "ts-node-dev", "tsnd", "bun", "deno", "swc-node", "nodemon"]);

/** @param folder of the package.json */
export function scriptCalls(scripts: Record<string, string>, folder: string): ScriptCall[] {
  return Object.entries(scripts).flatMap(([script, text]) => callsOf(script, text, folder, scripts));
}

function callsOf(script: string, text: string, root: string, scripts: Record<string, string>): ScriptCall[] {
  const calls: ScriptCall[] = [];
  let folder = root;
  for (const { words } of parseCommands(text)) {
    if (words[0]?.text === "cd" && words[1]) {
      folder = path.resolve(folder, words[1].text);
      continue;
    }
    const at = programAt(words, scripts);
    const word = words[at];
    if (!word) continue;
    const args = words.slice(at + 1).map((other) => other.text);
    const call: ScriptCall = {
      script,
      text,
      program: programName(word.text),
      word,
      args,
      folder,
    };
    calls.push(call);
    if (!NODES.has(call.program)) continue;
    // `node --max-old-space-size=8192 ./node_modules/typescript/bin/tsc -p .`
    const fileAt = words.findIndex((other, index) => index > at && isFileName(other.text));
    const fileWord = words[fileAt];
    if (!fileWord) continue;
    calls.push({
      ...call,
      // A file of the project's is not the tool that it may be named after.
      program: /(?:^|\/)node_modules\//.test(fileWord.text) ? programName(fileWord.text) : "",
      word: fileWord,
      args: words.slice(fileAt + 1).map((other) => other.text),
      file: path.resolve(folder, fileWord.text),
    });
  }
  return calls;
}

function programName(text: string): string {
  return path.basename(text).replace(/\.(?:cmd|exe|[cm]?[jt]s)$/, "");
}

function isFileName(text: string): boolean {
  return !text.startsWith("-") && (/\.[cm]?[jt]sx?$/.test(text) || /(?:^|\/)node_modules\//.test(text) || text.startsWith("./"));
}

/** Index of the word that names the program. */
function programAt(words: readonly Word[], scripts: Record<string, string>): number {
  let at = 0;
  while (at < words.length) {
    const text = (words[at] as Word).text;
    if (/^[A-Za-z_]\w*=/.test(text) || text === "--") at++;
    else if (RUNNERS.has(text)) {
      at++;
      // Their own flags; a flag with a value (`npx -p typescript tsc`) ends the search at that value, which is nothing that is looked for.
      while (words[at]?.text.startsWith("-") === true) at++;
    } else if (MANAGERS.has(text)) {
      const verb = words[at + 1]?.text;
      if (verb !== undefined && MANAGER_VERBS.has(verb)) {
        at += 2;
        if (verb === "run" && isScript(words[at], scripts)) return words.length;
        while (words[at]?.text.startsWith("-") === true) at++;
      } else if (text !== "npm" && text !== "corepack" && verb !== undefined && !verb.startsWith("-") && !isScript(words[at + 1], scripts))
        at++;
      else return text === "bun" ? at : words.length;
    } else return at;
  }
  return at;
}

function isScript(word: Word | undefined, scripts: Record<string, string>): boolean {
  return word !== undefined && Object.hasOwn(scripts, word.text);
}
