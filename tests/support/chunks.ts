/**
 * Programs for tests, with chunks written by hand: what the transformer would make of a small program, without the transformer.
 *
 * Tasks are given as function expressions or arrows; their text goes into the chunk. They may use nothing from around them but `mp` (the public API),
 * `T` (the parallel functions of the program) and `require`.
 */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";

export const ROOT = path.resolve(__dirname, "..", "..");
/** The compiled runtime under test; another build of it can be named in the environment. */
export const RUNTIME = process.env["TEST_RUNTIME"] ?? path.join(ROOT, "dist", "runtime-ts", "src");

/** Key of the manifests written here. */
export const KEY = "test";

export interface Program {
  folder: string;
  /** The emitted file that holds the stubs. */
  main: string;
  manifest: string;
  chunk: string;
}

export interface ProgramSource {
  tasks: Record<string, Function>;
  /** Statements before the tasks in the chunk. */
  chunkPrologue?: string;
  /** Body of an async function; sees `mp`, `T`, `assert`, `sleep`, `require`. */
  main: string;
  /** Folder of the compiled runtime. */
  runtime?: string;
}

/** Writes manifest, chunk and program into `folder`. */
export function writeProgram(folder: string, source: ProgramSource): Program {
  const chunks = path.join(folder, "parallel-chunks");
  mkdirSync(chunks, { recursive: true });
  const names = Object.keys(source.tasks);
  const stubs = (module: string): string =>
    `const T = { ${names.map((name) => `${JSON.stringify(name)}: ${module}.wrapper(${JSON.stringify(idOf(name))}, ${JSON.stringify(metaOf(name, source.tasks[name]!))})(undefined)`).join(",\n  ")} };`;

  const chunk = `(function (exports, require, module, __filename, __dirname, __mp_chunk) {
const mp = require("makeparallel");
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const $module = require("makeparallel/internal").module(__filename, ${JSON.stringify(KEY)});
${stubs("$module")}
${source.chunkPrologue ?? ""}
${names.map((name) => `exports[${JSON.stringify(name)}] = ${String(source.tasks[name])};`).join("\n")}
})
`;
  const file = `tasks-${sha256(chunk).slice(0, 8)}.js`;
  writeFileSync(path.join(chunks, file), chunk);
  const manifest = {
    format: 1,
    version: "0.0.0-test",
    key: KEY,
    tasks: Object.fromEntries(
      names.map((name) => [
        idOf(name),
        {
          name,
          source: { file: "test.ts", line: 1, column: 1 },
          chunk: file,
          export: name,
          parameters: [],
          captures: [],
          factory: false,
          receiver: false,
          async: isAsync(source.tasks[name]!),
          generator: isGenerator(source.tasks[name]!),
        },
      ]),
    ),
    chunks: { [file]: { sha256: sha256(chunk), imports: [], externals: [], async: false } },
    classes: {},
  };
  writeFileSync(path.join(chunks, `${KEY}.json`), JSON.stringify(manifest));

  const runtime = source.runtime ?? RUNTIME;
  const main = path.join(folder, "main.cjs");
  writeFileSync(
    main,
    `const assert = require("node:assert/strict");
const mp = require(${JSON.stringify(path.join(runtime, "index.js"))});
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const $module = require(${JSON.stringify(path.join(runtime, "stub.js"))}).module(__filename, ${JSON.stringify(KEY)});
${stubs("$module")}
(async () => {
${source.main}
})().catch((error) => { console.error(error); process.exitCode = 70; });
`,
  );
  return { folder, main, manifest: path.join(chunks, `${KEY}.json`), chunk: path.join(chunks, file) };
}

export function idOf(name: string): string {
  return `test.ts#${name}`;
}

function metaOf(name: string, fn: Function): { name: string; length: number; flags: number } {
  return { name, length: fn.length, flags: (isAsync(fn) ? 1 : 0) | (isGenerator(fn) ? 2 : 0) };
}

function isAsync(fn: Function): boolean {
  return /^Async/.test(fn.constructor.name);
}

function isGenerator(fn: Function): boolean {
  return /Generator/.test(fn.constructor.name);
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
