/**
 * One copy of the package in a worker.
 *
 * The worker's entry is one file with the whole runtime in it (scripts/lib/runtime-bundles.mjs). A package that a task uses may require `makeparallel` itself; it has
 * to get that same runtime, whose backend is the pool that the worker belongs to, and not load a second one that would start a pool of its own.
 */
import { Module } from "node:module";
import { join } from "node:path";
import { OWN_FOLDER } from "../own-folder";

/** The one that `require.cache` is, which this file's own `require` lacks where a loader hook gives the source of CommonJS files. */
const { _cache: cache } = Module as unknown as { _cache: NodeJS.Dict<NodeModule> };

/** Makes `require` and `import` of the package's entry points find what this file holds; loaded when they do. */
export function provideOwnCopy(): void {
  if (!__filename.endsWith(".bundle.js")) return;
  provide("index.js", () => require("../index") as object);
  provide("stub.js", () => require("../stub") as object);
}

function provide(name: string, load: () => object): void {
  const filename = join(OWN_FOLDER, name);
  const module = {
    id: filename,
    filename,
    path: OWN_FOLDER,
    loaded: true,
    children: [],
    paths: [],
    get exports() {
      return load();
    },
  };
  cache[filename] = module as unknown as NodeModule;
}
