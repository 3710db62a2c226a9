/**
 * Makes the typed catalogue of diagnostics from the authored one.
 *
 * node scripts/generate-diagnostics.mjs           writes catalogue.generated.ts
 * node scripts/generate-diagnostics.mjs --check   fails if it would change
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = new URL("../transformer/src/diagnostics/", import.meta.url);
const source = new URL("catalogue.md", folder);
const target = new URL("catalogue.generated.ts", folder);

const entries = parse(readFileSync(source, "utf8"));
const output = render(entries);
if (process.argv.includes("--check")) {
  let current = "";
  try {
    current = readFileSync(target, "utf8");
  } catch {
    // missing counts as changed
  }
  if (current !== output) {
    console.error(`${fileURLToPath(target)} is out of date: run node scripts/generate-diagnostics.mjs`);
    process.exit(1);
  }
} else {
  writeFileSync(target, output);
}
// The documentation page is made of the same texts.
await import("./generate-diagnostics-page.mjs");

function parse(text) {
  const found = [];
  for (const section of text.split(/^## /m).slice(1)) {
    const heading = /^(MP[123]\d{3}) (.+)$/m.exec(section);
    if (!heading) throw new Error(`catalogue.md: a heading must be a code and a title: ${section.split("\n")[0]}`);
    const [, code, title] = heading;
    const line = (name) => {
      const match = new RegExp(`^${name}: (.+)$`, "m").exec(section);
      if (!match) throw new Error(`catalogue.md: ${code} has no "${name}:"`);
      return match[1];
    };
    const message = line("message");
    const fix = line("fix");
    const rest = section.slice(section.indexOf(`fix: ${fix}`) + `fix: ${fix}`.length);
    const example = /```ts\n([\s\S]*?)```/.exec(rest);
    if (!example) throw new Error(`catalogue.md: ${code} has no example`);
    const why = rest
      .slice(0, example.index)
      .trim()
      .replace(/\s*\n\s*/g, " ");
    if (found.some((entry) => entry.code === code)) throw new Error(`catalogue.md: ${code} is there twice`);
    found.push({ code, title, message, fix, why, example: example[1] });
  }
  return found.sort((a, b) => (a.code < b.code ? -1 : 1));
}

function render(entries) {
  const severity = { 1: "error", 2: "warning", 3: "note" };
  const lines = [
    "// Generated from catalogue.md by scripts/generate-diagnostics.mjs. Do not edit.",
    "",
    "export interface CatalogueEntry {",
    '  readonly severity: "error" | "warning" | "note";',
    "  readonly title: string;",
    "  readonly message: string;",
    "  readonly fix: string;",
    "  readonly why: string;",
    "  readonly example: string;",
    "}",
    "",
    "/** Values that a code's texts need. */",
    "export interface DiagnosticParameters {",
  ];
  for (const entry of entries) {
    const names = [...new Set([...(entry.message + entry.fix).matchAll(/\{(\w+)\}/g)].map((match) => match[1]))];
    lines.push(`  ${entry.code}: { ${names.map((name) => `${name}: string`).join("; ")} };`);
  }
  lines.push(
    "}",
    "",
    "export type DiagnosticCode = keyof DiagnosticParameters;",
    "",
    "export const CATALOGUE: Record<DiagnosticCode, CatalogueEntry> = {",
  );
  for (const entry of entries) {
    lines.push(`  ${entry.code}: {`, `    severity: "${severity[entry.code[2]]}",`);
    for (const key of ["title", "message", "fix", "why", "example"]) lines.push(`    ${key}: ${JSON.stringify(entry[key])},`);
    lines.push("  },");
  }
  lines.push("};", "");
  return lines.join("\n");
}
