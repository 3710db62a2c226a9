/** A project that calls the functions of packages inline and as tasks. Generated: one TypeScript file a package, one mark a function. */
import * as fs from "node:fs";
import * as path from "node:path";
import type ts from "typescript";
import { makeWorkspace, type Workspace } from "../../adapters/support/workspace";
import { ROOT } from "../../support/chunks";
import type { FunctionInfo } from "../program/generate";
import { signaturesOf } from "./signatures";

export interface Library {
  name: string;
  /** Functions whose result depends on more than their arguments, or that take too long on arguments that nobody meant. */
  skip?: RegExp;
  /** Its TypeScript sources, by folder of the package; the functions come from these files of it. Without: the published modules. */
  sources?: { folder: string; files: string[]; leaveOut?: RegExp };
  /** Objects of functions that the package exports: `vec3` of gl-matrix. */
  namespaces?: string[];
}

const PROGRAM = path.join(__dirname, "../program");

/** What modules export, by specifier. */
const known = new Map<string, FunctionInfo[]>();

/** Writes the project; returns the number of its functions. */
export function makeProject(
  name: string,
  libraries: readonly Library[],
  files: Record<string, string | object>,
  options: ts.CompilerOptions,
): { workspace: Workspace; functions: number } {
  const workspace = makeWorkspace(name, files);
  for (const file of fs.readdirSync(PROGRAM))
    workspace.write(`src/${file}`, fs.readFileSync(path.join(PROGRAM, file), "utf8").replace(/from "\.\/(\w+)"/g, 'from "./$1.js"'));
  const imports: { library: Library; specifier: string; file: string }[] = [];
  for (const library of libraries) {
    const { sources } = library;
    const installed = path.join(ROOT, "node_modules", library.name);
    if (!sources) {
      const at = workspace.file(`node_modules/${library.name}`);
      fs.mkdirSync(path.dirname(at), { recursive: true });
      fs.symlinkSync(installed, at, "junction");
      const probe = `probe/${library.name.replace(/\W/g, "_")}.ts`;
      const exported = library.namespaces ?? ["*"];
      for (const each of exported) {
        const file = workspace.file(probe.replace(".ts", `.${each === "*" ? "all" : each}.mts`));
        const text = each === "*" ? `export * from "${library.name}";` : `import { ${each} } from "${library.name}"; export = ${each};`;
        workspace.write(path.relative(workspace.root, file), text);
        imports.push({ library, specifier: each === "*" ? library.name : `${library.name}#${each}`, file });
      }
      continue;
    }
    const folder = path.join(installed, sources.folder);
    const copied = `src/${library.name.replace(/\W/g, "_")}`;
    fs.cpSync(folder, workspace.file(copied), { recursive: true, filter: (file) => !sources.leaveOut?.test(path.relative(folder, file)) });
    for (const file of sources.files)
      imports.push({ library, specifier: `./${path.basename(copied)}/${file}`, file: workspace.file(`${copied}/${file}`) });
  }
  // The same libraries are in several projects.
  const unknown = imports.filter(({ specifier }) => !known.has(specifier));
  if (unknown.length > 0) {
    const found = signaturesOf(
      unknown.map(({ file }) => file),
      options,
    );
    for (const { specifier, file } of unknown) known.set(specifier, found.get(file) ?? []);
  }
  const modules: string[] = [];
  let functions = 0;
  for (const { library, specifier } of imports) {
    const infos = known.get(specifier)!.filter(({ name: fn }) => fn !== "default" && !library.skip?.test(fn));
    functions += infos.length;
    const module = `tasks${modules.length}`;
    const [from, namespace] = specifier.split("#") as [string, string | undefined];
    const lines = [
      `// @ts-nocheck`,
      `import { parallel } from "makeparallel";`,
      `import type { Subject } from "./differential.js";`,
      `import { revive } from "./generate.js";`,
      namespace === undefined
        ? `import { ${infos.map(({ name: fn }, index) => `${fn} as f${index}`).join(", ")} } from ${JSON.stringify(from)};`
        : `import { ${namespace} } from ${JSON.stringify(from)};`,
      `export const subjects: Subject[] = [`,
      ...infos.map((info, index) => {
        const fn = namespace === undefined ? `f${index}` : `${namespace}.${info.name}`;
        const shown = { ...info, name: `${specifier} ${info.name}` };
        // Only callbacks need a list, which the task makes arguments of.
        const listed = JSON.stringify(info).includes('"function"')
          ? `, listed: parallel((values: unknown[]) => (${fn})(...revive(values)))`
          : "";
        return `  { info: ${JSON.stringify(shown)}, inline: ${fn}, direct: parallel(${fn})${listed} },`;
      }),
      `];`,
    ];
    workspace.write(`src/${module}.ts`, lines.join("\n"));
    modules.push(module);
  }
  workspace.write(
    "src/main.ts",
    [
      `import { runDifferential } from "./differential.js";`,
      ...modules.map((module) => `import { subjects as ${module} } from "./${module}.js";`),
      `const [seed, rounds, classesTravel] = process.argv.slice(2).map(Number);`,
      `const report = await runDifferential([${modules.map((module) => `...${module}`).join(", ")}], seed!, rounds!, classesTravel === 1);`,
      `console.log(JSON.stringify(report));`,
    ].join("\n"),
  );
  return { workspace, functions };
}
