/**
 * Large TypeScript sources that nobody wrote for this (rxjs, zod). Unmarked, what is emitted is what plain `tsc` emits, to the byte. With its functions marked, each
 * is hoisted or refused with a diagnostic; the program and every chunk then load.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import ts from "typescript";
import { makeWorkspace, type Workspace } from "../adapters/support/workspace";
import { ROOT } from "../support/chunks";
import { runNode } from "../support/children";
import { compile, type Compiled } from "./support/compile";
import { markable, markFile, probeFile } from "./support/mark";
import { readTree, type Tree, treesIn } from "./support/trees";

/** One function in so many is marked. zod takes minutes when all are: `SOURCE_TREES=all`. */
const shareOf = (tree: Tree): number => (tree.name === "rxjs" || process.env["SOURCE_TREES"] === "all" ? 1 : 4);

const trees = treesIn(path.join(ROOT, "node_modules")).filter(({ name }) => name === "rxjs" || name === "zod");

function optionsOf(tree: Tree, workspace: Workspace): ts.CompilerOptions {
  return {
    ...tree.options,
    configFilePath: workspace.file("tsconfig.json"),
    rootDir: workspace.file("src"),
    outDir: workspace.file("dist"),
    typeRoots: [path.join(ROOT, "node_modules/@types")],
  };
}

function write(tree: Tree, workspace: Workspace, change: (file: string, text: string) => string): string[] {
  return [...readTree(tree)].map(([file, text]) => {
    workspace.write(`src/${file}`, change(file, text));
    return workspace.file(`src/${file}`);
  });
}

/** Loads every module that was emitted; what each throws, and what `__ran` was called with. */
const LOAD_ALL = `
const { readdirSync } = require("node:fs");
const { pathToFileURL } = require("node:url");
const path = require("node:path");
const ran = new Set();
globalThis.__ran = (file, index) => void ran.add(file + " " + index);
(async () => {
  const failures = {};
  const files = readdirSync(process.argv[2], { recursive: true }).map(String).filter((file) => /\\.js$/.test(file) && !file.includes("parallel-chunks")).sort();
  for (const file of files) await import(pathToFileURL(path.join(process.argv[2], file)).href).catch((error) => (failures[file] = String(error.stack)));
  console.log(JSON.stringify({ failures, files: files.length, ran: [...ran] }));
  process.exit(0);
})();
`;

/** Makes every task's function: that evaluates its chunk and all that this imports. What fails, by task. */
const LOAD_CHUNKS = `
const path = require("node:path");
const api = require("makeparallel");
const internal = require("makeparallel/internal");
const { ChunkLoader, FsChunkStore } = require(process.argv[3]);
(async () => {
  const manifest = process.argv[2];
  const { tasks } = JSON.parse(require("node:fs").readFileSync(manifest, "utf8"));
  const loader = new ChunkLoader(new FsChunkStore(), { api, internal });
  const failures = {};
  for (const id of Object.keys(tasks)) {
    try {
      const { fn } = await loader.loadTask(manifest, id);
      if (typeof fn !== "function") failures[id] = typeof fn;
    } catch (error) {
      failures[id] = String((error.cause ?? error).stack);
    }
  }
  console.log(JSON.stringify({ failures, loaded: Object.keys(tasks).length }));
  process.exit(0);
})();
`;

interface Loaded {
  failures: Record<string, string>;
  files: number;
  ran: string[];
}

async function runScript(workspace: Workspace, name: string, text: string, args: string[]): Promise<unknown> {
  workspace.write(name, text);
  const run = await runNode(workspace.file(name), args, { cwd: workspace.root, limit: 120_000 });
  const last = run.stdout.trim().split("\n").at(-1) ?? "";
  if (run.code !== 0 || !last.startsWith("{"))
    throw new Error(`${name}: exit code ${run.code}\n${run.stdout.slice(-2000)}${run.stderr.slice(-4000)}`);
  return JSON.parse(last);
}

const loadAll = (workspace: Workspace): Promise<Loaded> =>
  runScript(workspace, "load-all.cjs", LOAD_ALL, [workspace.file("dist")]) as Promise<Loaded>;

/** Places of the functions that became tasks. */
function tasksIn(workspace: Workspace): Set<string> {
  const folder = workspace.file("dist/parallel-chunks");
  const name = fs.readdirSync(folder).find((file) => file.endsWith(".json")) as string;
  const { tasks } = JSON.parse(fs.readFileSync(path.join(folder, name), "utf8")) as {
    tasks: Record<string, { source: { file: string; line: number; column: number } }>;
  };
  return new Set(Object.values(tasks).map(({ source: { file, line, column } }) => `${file}:${line}:${column}`));
}

describe.each(trees)("$name", (tree) => {
  const make = (what: string): Workspace =>
    makeWorkspace(`tree-${tree.name}-${what}`, { "package.json": { name: tree.name, version: "1.0.0", type: tree.type } });
  const written: string[] = [];
  let write_: typeof ts.sys.write;
  beforeAll(() => {
    // Warnings, by the thousand.
    write_ = ts.sys.write;
    ts.sys.write = (text) => void written.push(text);
  });
  afterAll(() => void (ts.sys.write = write_));

  test("unmarked: byte for byte what tsc emits", () => {
    // The word alone makes the transformer look into the file.
    const workspace = make("plain");
    const files = write(tree, workspace, (file, text) => `${text}\n// not parallel\n`);
    const options = { ...optionsOf(tree, workspace), sourceMap: true, declaration: tree.name === "rxjs" };
    const plain = compile(files, options, undefined);
    const transformed = compile(files, options, {});
    expect(transformed.errors).toEqual([]);
    expect(transformed.outputs.size).toBeGreaterThan(files.length);
    expect([...transformed.outputs.keys()]).toEqual([...plain.outputs.keys()]);
    for (const [file, text] of plain.outputs) expect({ file, text: transformed.outputs.get(file) }).toEqual({ file, text });
    expect(fs.existsSync(workspace.file("dist/parallel-chunks"))).toBe(false);
  }, 240_000);

  test("marked: hoisted or refused; the program and all chunks load", async () => {
    // A function that runs while the modules load has to stay what it is: callers need its value, not a handle.
    const probed = make("probed");
    const probedFiles = write(tree, probed, probeFile);
    compile(probedFiles, optionsOf(tree, probed), undefined, true);
    const before = await loadAll(probed);
    const early = new Set(before.ran);

    const workspace = make("marked");
    const refused = new Set(early);
    const share = shareOf(tree);
    // First everything, to see what is refused; then, without what was, until nothing is.
    let marked = 0;
    let build: Compiled;
    for (let round = 0; ; round++) {
      marked = 0;
      const files = write(tree, workspace, (file, text) => {
        const result = markFile(file, text, (index) => index % share === 0 && !refused.has(`${file} ${index}`));
        marked += result.marked;
        return result.text;
      });
      fs.rmSync(workspace.file("dist"), { recursive: true, force: true });
      build = compile(files, optionsOf(tree, workspace), {}, true);
      const messages = build.errors.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
      expect(messages.filter((message) => !/^MP1\d\d\d: /.test(message))).toEqual([]);
      if (build.errors.length === 0) break;
      expect(round).toBeLessThan(4);
      const hoisted = tasksIn(workspace);
      for (const file of files) {
        const source = ts.createSourceFile(file, fs.readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true);
        const name = path.relative(workspace.file("src"), file).split(path.sep).join("/");
        markable(source).forEach((node, index) => {
          const place = ts.isArrowFunction(node) || ts.isFunctionExpression(node) ? node : (node.name ?? node);
          const { line, character } = source.getLineAndCharacterOfPosition(place.getStart());
          if (!hoisted.has(`src/${name}:${line + 1}:${character + 1}`)) refused.add(`${name} ${index}`);
        });
      }
    }
    const { outputs } = build;
    for (const [file, text] of outputs) {
      const { diagnostics } = ts.transpileModule(text, {
        fileName: file,
        reportDiagnostics: true,
        compilerOptions: { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext, allowJs: true },
      });
      expect({ file, problems: diagnostics?.map(({ messageText }) => messageText) }).toEqual({ file, problems: [] });
    }

    const folder = workspace.file("dist/parallel-chunks");
    const manifest = fs.readdirSync(folder).find((name) => name.endsWith(".json")) as string;
    const chunks = (await runScript(workspace, "load-chunks.cjs", LOAD_CHUNKS, [
      path.join(folder, manifest),
      path.join(ROOT, "dist/runtime-ts/src/loader/index.js"),
    ])) as {
      failures: Record<string, string>;
      loaded: number;
    };
    expect(chunks.failures).toEqual({});
    expect(chunks.loaded).toBe(marked);
    expect(marked).toBeGreaterThan(150);

    const after = await loadAll(workspace);
    expect(after.files).toBe(before.files);
    expect(after.failures).toEqual(before.failures);
  }, 400_000);
});
