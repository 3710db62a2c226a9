/** The core over time: files change, come and go, as in a watch build. */
import * as path from "node:path";
import type { FileResult } from "../../transformer/src/core";
import { applyEdits, hostOf, Project } from "./support";

const ROOT = path.resolve("/virtual");
const FORMAT = { module: "esm", manifestKey: "k" } as const;

function setUp(files: Record<string, string>) {
  const texts = new Map(Object.entries(files).map(([name, text]) => [path.join(ROOT, name), text]));
  const project = new Project(hostOf(ROOT, texts));
  const at = (name: string): string => path.join(ROOT, name);
  const analyze = (name: string): FileResult => project.analyze(at(name), texts.get(at(name)) as string, FORMAT);
  return {
    project,
    analyze,
    output: (name: string) => applyEdits(texts.get(at(name)) as string, analyze(name).edits),
    write(name: string, text: string | undefined) {
      if (text === undefined) texts.delete(at(name));
      else texts.set(at(name), text);
      project.invalidate(at(name));
    },
    slices: () => [...project.slice(FORMAT).modules.values()].map((module) => module.contents).join("\n"),
    entries: () => project.slice(FORMAT).entries.map((entry) => entry.task.id),
    at,
  };
}

const TASK = `import { parallel } from "makeparallel";\nimport { help } from "./help";\nexport const run = parallel(() => help());\n`;

test.each(["#!/usr/bin/env node\n", "\ufeff#!/usr/bin/env node\r\n", "\ufeff"])("the program begins with %j as before", (start) => {
  const { output } = setUp({ "a.ts": `${start}${TASK}`, "help.ts": "export const help = () => 1;" });
  const written = output("a.ts");
  expect(written.startsWith(start.includes("#!") ? `${start}import * as __mp` : "import * as __mp")).toBe(true);
  expect(written.match(/#!/g)?.length ?? 0).toBe(start.includes("#!") ? 1 : 0);
});

test("an unchanged file gives the same result object", () => {
  const { analyze } = setUp({ "a.ts": TASK, "help.ts": "export const help = () => 1;" });
  expect(analyze("a.ts")).toBe(analyze("a.ts"));
});

test("invalidating a file that did not change keeps results", () => {
  const { analyze, project, at } = setUp({ "a.ts": TASK, "help.ts": "export const help = () => 1;" });
  const before = analyze("a.ts");
  project.invalidate(at("help.ts"));
  project.invalidate(at("a.ts"));
  expect(analyze("a.ts")).toBe(before);
});

test("a change in a dependency reaches the slices, even if only slice() is called", () => {
  const { analyze, write, slices } = setUp({ "a.ts": TASK, "help.ts": "export const help = () => 1;" });
  expect(analyze("a.ts").dependencies.map((file) => path.basename(file))).toEqual(["help.ts"]);
  expect(slices()).toContain("() => 1");
  write("help.ts", "export const help = () => 2;");
  expect(slices()).toContain("() => 2");
});

test("an error that a dependency causes goes when the dependency is mended", () => {
  const text = `import { parallel } from "makeparallel";\nimport { state } from "./state";\nexport const run = parallel(() => { state.n = 1; });\n`;
  const { analyze, write, entries } = setUp({ "a.ts": text, "state.ts": "export const state = { n: 0 };" });
  expect(analyze("a.ts").diagnostics.map((diagnostic) => diagnostic.code)).toEqual(["MP1011"]);
  expect(entries()).toEqual([]);
  write("state.ts", `export { state } from "elsewhere";`);
  expect(analyze("a.ts").diagnostics).toEqual([]);
  expect(entries()).toEqual(["a.ts#run"]);
});

test("a removed task, and a removed file, leave the plan", () => {
  const { analyze, write, entries } = setUp({ "a.ts": TASK, "b.ts": TASK, "help.ts": "export const help = () => 1;" });
  analyze("a.ts");
  analyze("b.ts");
  expect(entries()).toEqual(["a.ts#run", "b.ts#run"]);
  write("b.ts", undefined);
  expect(entries()).toEqual(["a.ts#run"]);
  write("a.ts", "export const run = () => 1; // no longer parallel");
  analyze("a.ts");
  expect(entries()).toEqual([]);
});

test("a file that appears is found", () => {
  const { analyze, write, slices } = setUp({ "a.ts": TASK });
  analyze("a.ts");
  expect(slices()).not.toContain("() => 3");
  write("help.ts", "export const help = () => 3;");
  analyze("a.ts");
  expect(slices()).toContain("() => 3");
});

test("an unmarked file registers its classes while a marked one needs them", () => {
  const task = `import { parallel } from "makeparallel";\nimport type { Secret } from "./secret";\nexport const run = parallel((s: Secret) => s.get());\n`;
  const secret = "export class Secret { #x = 1; get() { return this.#x; } }";
  const { analyze, write, output } = setUp({ "a.ts": task, "secret.ts": secret });
  expect(analyze("secret.ts").edits).toEqual([]);
  expect(analyze("a.ts").instrument.map((file) => path.basename(file))).toEqual(["secret.ts"]);
  expect(output("secret.ts")).toContain(`__mp_m().class(this, "secret.ts#Secret"`);
  expect(output("a.ts")).toContain(`import "./secret";`);
  write("a.ts", task.replace("Secret) => s.get()", "unknown) => s"));
  analyze("a.ts");
  expect(analyze("secret.ts").edits).toEqual([]);
});

test("a plan of some files has only their tasks", () => {
  const { analyze, project, at } = setUp({ "a.ts": TASK, "b.ts": TASK, "help.ts": "export const help = () => 1;" });
  analyze("a.ts");
  analyze("b.ts");
  expect(project.slice(FORMAT, [at("b.ts")]).entries.map((entry) => entry.task.id)).toEqual(["b.ts#run"]);
});

test("the same program gives the same ids, whatever the order of its files", () => {
  const files = { "a.ts": TASK, "b.ts": TASK, "help.ts": "export const help = () => 1;" };
  const first = setUp(files);
  first.analyze("a.ts");
  first.analyze("b.ts");
  const second = setUp(files);
  second.analyze("b.ts");
  second.analyze("a.ts");
  expect(second.slices()).toBe(first.slices());
});

test("a change by a file outside of all slices is noticed when it comes, and when it goes", () => {
  const { analyze, write } = setUp({
    "a.ts": `import { parallel } from "makeparallel";\nimport { config } from "./config";\nexport const run = parallel(() => config.level);\n`,
    "config.ts": "export const config = { level: 1 };",
    // Looked into, because it looks as if it could.
    "other.ts": `import { config as settings } from "./config";\nconsole.log(settings);`,
  });
  const codes = (): string[] => analyze("a.ts").diagnostics.map(({ code }) => code);
  expect(codes()).toEqual([]);
  write("other.ts", `import { config as settings } from "./config";\nexport const louder = () => { settings.level = 2; };`);
  expect(codes()).toEqual(["MP2005"]);
  write("other.ts", `import { config as settings } from "./config";\nexport const level = () => settings.level;`);
  expect(codes()).toEqual([]);
});
