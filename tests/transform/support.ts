/** What the fixture runners share: a host over a folder, and checks that hold for every result. */
import * as fs from "node:fs";
import * as path from "node:path";
import * as esbuild from "esbuild";
import ts from "typescript";
import type { Edit, FileResult, Host, SlicePlan } from "../../transformer/src/core";
import { Importers } from "../../dist/transformer/src/adapters/importers";
import { applyEdits } from "../../dist/transformer/src/hoist/slice-text";
import { buildScopes } from "../../dist/transformer/src/analyze/scopes";
import { Project } from "../../dist/transformer/src/project";

export { applyEdits, Project };

/** Names that are globals in slices even where a module declares one of its own elsewhere. */
const GLOBALS = new Set(Object.getOwnPropertyNames(globalThis).concat("arguments", "React"));

export const FIXTURES = path.resolve(__dirname, "../../fixtures");
export const UPDATE = process.env.UPDATE_FIXTURES === "1";

const EXTENSIONS = ["", ".ts", ".tsx", ".mts", ".js", ".cjs", ".json", "/index.ts"];

/** Resolves relative imports within a folder; everything else is a package. */
export function hostOf(root: string, texts?: Map<string, string>): Host {
  const importers = new Importers(() =>
    [...(texts?.keys() ?? sourcesOf(root))].map((file) => ({ file, text: texts?.get(file) ?? fs.readFileSync(file, "utf8") })),
  );
  const exists = (file: string): boolean => texts?.has(file) || (fs.existsSync(file) && fs.statSync(file).isFile());
  return {
    ts,
    root,
    resolve(specifier, fromFile) {
      if (!specifier.startsWith(".")) return { kind: "external" };
      const base = path.resolve(path.dirname(fromFile), specifier);
      const candidates = [...EXTENSIONS.map((extension) => base + extension), base.replace(/\.([cm]?)js$/, ".$1ts")];
      const file = candidates.find(exists);
      if (!file) return undefined;
      return /\.(json|wasm)$/.test(file) ? { kind: "data", file } : { kind: "project", file };
    },
    read(file) {
      return texts?.get(file) ?? (exists(file) ? fs.readFileSync(file, "utf8") : undefined);
    },
    importersOf: (file) => importers.of(file),
  };
}

/** Source files of a fixture, its expectations not among them. */
export function sourcesOf(folder: string): string[] {
  return fs
    .readdirSync(folder, { recursive: true })
    .map((name) => path.join(folder, String(name)))
    .filter(
      (file) => /\.[cm]?[jt]sx?$/.test(file) && !/(^|[/\\])(output(\.[\w-]+)?\.[cm]?tsx?$|slices[/\\])/.test(path.relative(folder, file)),
    )
    .sort();
}

export interface Outcome {
  project: Project;
  results: Map<string, FileResult>;
  plan: SlicePlan;
}

/** Analyses every file as an adapter does: once all of them, then again those that others asked to be instrumented. */
export function transform(folder: string, module: "esm" | "cjs" = "esm", host = hostOf(folder)): Outcome {
  const project = new Project(host);
  const format = { module, manifestKey: "fixture" };
  const files = sourcesOf(folder);
  const analyze = (file: string): FileResult => project.analyze(file, host.read(file) as string, format);
  for (const file of files) analyze(file);
  const results = new Map(files.map((file) => [file, analyze(file)]));
  return { project, results, plan: project.slice(format) };
}

/** Every edit is one node of the file, or an insertion; applied, they give a program without syntax errors. */
export function checkEdits(file: string, text: string, edits: readonly Edit[]): string {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const ranges = new Set<string>();
  const visit = (node: ts.Node): void => {
    ranges.add(`${node.getStart(source)}..${node.end}`);
    if (node.kind === ts.SyntaxKind.SyntaxList) return;
    ts.forEachChild(node, visit);
    if (ts.canHaveModifiers(node)) ts.getModifiers(node)?.forEach(visit);
  };
  visit(source);
  let last = -1;
  for (const edit of edits) {
    if (edit.start !== edit.end && !ranges.has(`${edit.start}..${edit.end}`)) {
      throw new Error(`edit at ${edit.start}..${edit.end} is no node: ${text.slice(edit.start, edit.end)}`);
    }
    if (edit.start < last) throw new Error("edits are not sorted");
    last = edit.start;
  }
  const output = applyEdits(text, edits);
  const errors = syntaxErrors(file, output);
  if (errors.length > 0) throw new Error(`${errors.join("\n")}\n${output}`);
  return output;
}

export function syntaxErrors(file: string, text: string): string[] {
  const parsed = ts.createSourceFile(file, text, ts.ScriptTarget.Latest) as ts.SourceFile & { parseDiagnostics: ts.Diagnostic[] };
  return parsed.parseDiagnostics.map((diagnostic) => ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n"));
}

/** Names that a slice uses but does not have, although the original module has them. Type annotations do not count. */
export function lostNames(plan: SlicePlan, read: (file: string) => string): string[] {
  const scopesOf = (file: string, text: string): ReturnType<typeof buildScopes> =>
    buildScopes(ts, ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  const originals = new Map<string, Set<string>>();
  const namesIn = (file: string): Set<string> => {
    const declared = scopesOf(file, read(file)).declared.values();
    return new Set([...declared].filter((binding) => binding.value && !binding.ambient).map((binding) => binding.name));
  };
  return [...plan.modules.values()].flatMap((module) => {
    const free = scopesOf(module.file, module.contents)
      .references.filter((reference) => !reference.binding && !reference.erased && reference.space === "value")
      .map((reference) => reference.name);
    let all = originals.get(module.file);
    if (!all) originals.set(module.file, (all = namesIn(module.file)));
    return [...new Set(free)].filter((name) => all.has(name) && !GLOBALS.has(name)).map((name) => `${module.id}: ${name}`);
  });
}

/** Bundles every task and class of a plan: esbuild finds imports that no slice exports, and names that are declared twice. */
export async function bundle(plan: SlicePlan, options: esbuild.BuildOptions = {}): Promise<Map<string, string>> {
  const entries = [
    ...plan.entries.map((entry) => ({ module: entry.module, name: entry.export })),
    ...[...plan.classes.values()].map((entry) => ({ module: entry.module, name: entry.export })),
  ];
  const result = await esbuild.build({
    entryPoints: entries.map((entry, index) => ({ in: `entry:${index}`, out: `${index}` })),
    bundle: true,
    write: false,
    format: "esm",
    platform: "node",
    target: "node20",
    outdir: "/out",
    logLevel: "silent",
    splitting: true,
    tsconfigRaw: {},
    plugins: [
      {
        name: "slices",
        setup(build) {
          build.onResolve({ filter: /^entry:/ }, (args) => ({ path: args.path, namespace: "entry" }));
          build.onLoad({ filter: /.*/, namespace: "entry" }, (args) => {
            const entry = entries[Number(args.path.slice(6))];
            return { contents: `export { ${entry.name} } from "makeparallel-slice:${entry.module}";`, loader: "js" };
          });
          build.onResolve({ filter: /^makeparallel-slice:/ }, (args) => {
            const id = args.path.slice("makeparallel-slice:".length);
            return plan.modules.has(id) ? { path: id, namespace: "slice" } : { errors: [{ text: `no slice ${id}` }] };
          });
          build.onLoad({ filter: /.*/, namespace: "slice" }, (args) => {
            const module = plan.modules.get(args.path);
            return (
              module && {
                contents: module.contents,
                loader: module.loader === "js" ? "jsx" : module.loader,
                resolveDir: path.dirname(module.file),
              }
            );
          });
          build.onResolve({ filter: /.*/ }, (args) =>
            args.kind === "entry-point" || /^\..*\.json$/.test(args.path) ? undefined : { path: args.path, external: true },
          );
        },
      },
    ],
    ...options,
  });
  if (result.warnings.length > 0)
    throw new Error(result.warnings.map((warning) => `${warning.text} ${JSON.stringify(warning.location)}`).join("\n"));
  return new Map((result.outputFiles ?? []).map((file) => [file.path, file.text]));
}

/** Compares with a file of the fixture, or writes it when `UPDATE_FIXTURES=1`. */
export function expectFile(file: string, actual: string): void {
  if (UPDATE) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, actual);
    return;
  }
  expect(fs.existsSync(file) ? fs.readFileSync(file, "utf8") : `(${path.basename(file)} is missing: run with UPDATE_FIXTURES=1)`).toBe(
    actual,
  );
}

/** A slice as it is stored in a fixture: runs of empty lines and blanks are shortened, so that a reader sees what is there. */
export function readable(contents: string): string {
  return contents
    .replace(/(\n[ \t]*){3,}(?=\n)/g, (blank) => `\n/* ${blank.split("\n").length - 1} lines */`)
    .replace(/^[ \t]{12,}/gm, (blank) => `/* ${blank.length} */ `)
    .replace(/base64,[\w+/=]+/, "base64,…");
}
