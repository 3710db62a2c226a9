/**
 * Loads chunks and links them.
 *
 * Takes: a manifest and the id of a task or class. Gives: the function (or class) out of its chunk, after the chunks and packages that it imports
 * have been loaded, in their order. Synchronous unless some chunk or package awaits at its top level. One loader a thread.
 */
import { isAscii } from "node:buffer";
import * as path from "node:path";
import { pathToFileURL } from "node:url";
import * as vm from "node:vm";
import { ChunkError } from "../errors";
import type { Manifest, ManifestChunk, ManifestTask } from "../manifest";
import type { ChunkStore } from "../worker/chunks";
import { ExternalModules, importStar, nodeNamespace } from "./external-modules";
import { loadHint } from "./load-hints";
import { manifestFile, readManifest, refreshManifest } from "./manifest";
import { resolveImport } from "./resolve-import";

export interface LoadedTask {
  task: ManifestTask;
  /** The function or its factory; see {@link ManifestTask.factory}. */
  fn: Function;
}

/** This copy's own modules, which chunks import as `makeparallel` and `makeparallel/internal`. */
export interface LoaderRuntime {
  api: object;
  internal: object;
}

/** What chunk code sees as `__mp_chunk`. */
interface ChunkScope {
  /** What bundled packages take for their `import.meta`: as if the chunk were among the program's output. */
  url: string;
  filename: string;
  dirname: string;
  /** `import.meta` of the emitted counterpart of a source file. */
  meta(source: string): Place;
  /** `import()`: of a request key, of another chunk, or of whatever the program computed, as seen from `source`. */
  import(specifier: unknown, source?: string): Promise<unknown>;
  /** `import()` of a chunk that is a CommonJS module, by what imports it. */
  readonly node: Importer;
  /** `import()` of a chunk whose source is an ES module in its syntax and CommonJS to Node. */
  readonly compiled: Importer;
  readonly interop: Importer;
  /** `require` with a computed argument, as seen from `source`. */
  require(specifier: string, source: string): unknown;
  /** `require.resolve` with a computed argument, as seen from `source`. */
  resolve(specifier: string, source: string): string;
}

interface Importer {
  import(chunk: string): Promise<unknown>;
}

interface Place {
  url: string;
  filename: string;
  dirname: string;
  resolve(specifier: string): string;
}

interface LoadedChunk {
  module: { exports: Record<string, unknown> };
  /** Set until it has been evaluated, when that goes on asynchronously. */
  pending: Promise<LoadedChunk> | undefined;
}

/** All that belongs to one manifest as it was when it was read. */
interface Build {
  file: string;
  folder: string;
  manifest: Manifest;
  chunks: Map<string, LoadedChunk>;
  externals: ExternalModules;
  /** Path of the manifest, with a stamp if it has changed since this thread first asked for it. */
  name: string;
  /** `makeparallel/internal` for its chunks, once one has asked. */
  internal: object | undefined;
}

export class ChunkLoader {
  readonly #builds = new Map<string, Build>();
  /** Chunks whose code cache is to be made once some of their functions have run, and with that been compiled. */
  #uncached: { script: vm.Script; path: string; sha256: string }[] = [];

  constructor(
    private readonly store: ChunkStore,
    private readonly runtime: LoaderRuntime,
  ) {}

  /**
   * @param manifestName as `findManifest` gives it
   * @throws ChunkError (or the promise rejects with one) when the task, its chunk or a package is missing, or code throws while it is loaded
   */
  loadTask(manifestName: string, id: string): LoadedTask | Promise<LoadedTask> {
    return this.#withBuild(manifestName, (build) => {
      const task = build.manifest.tasks[id];
      if (task === undefined) throw missing(build, "task", id);
      return then(this.#load(build, task.chunk, `the task ${task.name}`), (chunk) => {
        const fn = chunk.module.exports[task.export];
        if (typeof fn !== "function")
          throw new ChunkError(`The chunk ${task.chunk} does not export the task ${id}. Build again.`, { task: task.name });
        return { task, fn };
      });
    });
  }

  /** @throws as {@link loadTask} */
  loadClass(manifestName: string, id: string): Function | Promise<Function> {
    return this.#withBuild(manifestName, (build) => {
      const entry = build.manifest.classes[id];
      if (entry === undefined) throw missing(build, "class", id);
      return then(this.#load(build, entry.chunk, `the class ${id}`), (chunk) => {
        const found = chunk.module.exports[entry.export];
        if (typeof found !== "function") throw new ChunkError(`The chunk ${entry.chunk} does not export the class ${id}. Build again.`);
        return found;
      });
    });
  }

  /**
   * Makes the code caches of chunks that were compiled without one and offers them to the store. To be called when a task has run, after its result
   * is on its way: it takes some ms for a large chunk.
   *
   * @returns false when there was nothing to do
   */
  offerCodeCaches(): boolean {
    if (this.#uncached.length === 0) return false;
    const ready = this.#uncached;
    this.#uncached = [];
    for (const { script, path: file, sha256 } of ready) this.store.offerCodeCache(file, sha256, script.createCachedData());
    return true;
  }

  /** Runs `use`; if that fails and the manifest has changed on disk meanwhile (a rebuild), once more with the new one. */
  #withBuild<T>(manifestName: string, use: (build: Build) => T | Promise<T>): T | Promise<T> {
    const build = this.#build(manifestName);
    const retry = (error: unknown): T | Promise<T> => {
      if (!(error instanceof ChunkError) || !refreshManifest(manifestName)) throw error;
      return use(this.#build(manifestName));
    };
    try {
      const result = use(build);
      return result instanceof Promise ? result.catch(retry) : result;
    } catch (error) {
      return retry(error);
    }
  }

  #build(name: string): Build {
    const manifest = readManifest(name);
    let build = this.#builds.get(name);
    if (build?.manifest !== manifest) {
      const externals = new Map(
        Object.values(manifest.chunks).flatMap((chunk) => chunk.externals.map((external) => [external.request, external])),
      );
      const file = manifestFile(name);
      const folder = path.dirname(file);
      build = { name, file, folder, manifest, chunks: new Map(), externals: new ExternalModules(folder, externals), internal: undefined };
      this.#builds.set(name, build);
    }
    return build;
  }

  #load(build: Build, name: string, user: string): LoadedChunk | Promise<LoadedChunk> {
    const known = build.chunks.get(name);
    if (known) return known.pending ?? known;
    const description = build.manifest.chunks[name];
    if (description === undefined) throw missing(build, "chunk", name);

    const chunk: LoadedChunk = { module: { exports: {} }, pending: undefined };
    build.chunks.set(name, chunk);
    const forget = (error: unknown): never => {
      if (build.chunks.get(name) === chunk) build.chunks.delete(name);
      throw error;
    };
    try {
      const imports = inOrder(description.imports, (imported): unknown => {
        const external = build.externals.get(imported);
        return external ? build.externals.load(external, user) : this.#load(build, imported, user);
      });
      const eager = description.externals.filter((external) => !external.lazy);
      const packages = then(imports, () => inOrder(eager, (external) => build.externals.load(external, user)));
      const done = then(packages, () => this.#evaluate(build, name, description, chunk, user));
      if (!(done instanceof Promise)) return chunk;
      chunk.pending = done.then(() => {
        chunk.pending = undefined;
        return chunk;
      }, forget);
      return chunk.pending;
    } catch (error) {
      return forget(error);
    }
  }

  #evaluate(build: Build, name: string, description: ManifestChunk, chunk: LoadedChunk, user: string): void | Promise<void> {
    const file = path.join(build.folder, name);
    const { source, codeCache } = this.store.read(file, description.sha256);
    const failed = (error: unknown): never => {
      if (error instanceof ChunkError) throw error;
      const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      throw new ChunkError(`The chunk ${name} failed while it was loaded for ${user}: ${message}${loadHint(error)}`, {
        cause: error,
      });
    };
    try {
      const script = new vm.Script(isAscii(source) ? source.toString("latin1") : source.toString("utf8"), {
        filename: file,
        cachedData: codeCache,
        importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
      });
      if (codeCache === undefined || script.cachedDataRejected === true)
        this.#uncached.push({ script, path: file, sha256: description.sha256 });
      const wrapper = script.runInThisContext() as Function;
      const { exports } = chunk.module;
      const require = this.#require(build, user);
      // What lies beside the program's output is beside bundled code, here as there.
      const output = path.dirname(build.folder);
      const place = path.join(output, name);
      const scope = this.#scope(build, place, user);
      const result: unknown = wrapper.call(exports, exports, require, chunk.module, place, output, scope);
      return result instanceof Promise ? result.then(() => undefined, failed) : undefined;
    } catch (error) {
      failed(error);
    }
  }

  #require(build: Build, user: string): (request: string) => unknown {
    const require = (request: string): unknown => {
      if (request === "makeparallel") return this.runtime.api;
      if (request === "makeparallel/internal") return (build.internal ??= internalFor(this.runtime.internal, build.name));
      if (request.startsWith("./") && request.slice(2) in build.manifest.chunks) {
        const chunk = this.#load(build, request.slice(2), user);
        if (chunk instanceof Promise)
          throw new ChunkError(`The chunk ${request.slice(2)} awaits at its top level and cannot be loaded with require.`);
        return chunk.module.exports;
      }
      if (build.externals.get(request)) return build.externals.require(request, user);
      return build.externals.requireFrom(path.dirname(build.folder))(request);
    };
    require.resolve = (request: string): string => (build.externals.get(request) ? build.externals.resolve(request) : request);
    return require;
  }

  #scope(build: Build, self: string, user: string): ChunkScope {
    const place = (source: string): Place => {
      const emitted = build.manifest.sources?.[source];
      if (emitted === undefined) throw new ChunkError(`The manifest ${build.file} does not say where ${source} was emitted. Build again.`);
      const filename = path.join(build.folder, emitted);
      const dirname = path.dirname(filename);
      return { url: pathToFileURL(filename).href, filename, dirname, resolve: (specifier) => resolveImport(specifier, dirname) };
    };
    const load = async (request: string): Promise<LoadedChunk["module"]["exports"]> =>
      (await this.#load(build, request.slice(2), user)).module.exports;
    const whole = (seen: (exports: unknown) => unknown): Importer => ({ import: async (chunk) => seen((await load(chunk))["default"]) });
    return {
      url: pathToFileURL(self).href,
      filename: self,
      dirname: path.dirname(self),
      meta: place,
      import: async (specifier, source) => {
        const request = String(specifier);
        const external = build.externals.get(request);
        if (external) return build.externals.import(external);
        if (request === "makeparallel") return this.runtime.api;
        if (request.startsWith("./") && request.slice(2) in build.manifest.chunks) return load(request);
        return import(resolveImport(request, source === undefined ? build.folder : place(source).dirname));
      },
      node: whole(nodeNamespace),
      compiled: { import: async (chunk) => nodeNamespace(await load(chunk)) },
      interop: whole(importStar),
      require: (specifier, source) => build.externals.requireFrom(place(source).dirname)(specifier),
      resolve: (specifier, source) => build.externals.requireFrom(place(source).dirname).resolve(specifier),
    };
  }
}

/** Stubs in chunks do not look for their manifest: their file is not where `__filename` is in a chunk, and it is known whose they are. */
function internalFor(internal: object, manifest: string): object {
  const { module } = internal as { module?: (location: string, key: string) => unknown };
  if (module === undefined) return internal;
  return Object.defineProperties(
    {},
    { ...Object.getOwnPropertyDescriptors(internal), module: { value: () => module(manifest, ""), enumerable: true } },
  );
}

function missing(build: Build, what: string, name: string): ChunkError {
  return new ChunkError(`The manifest ${build.file} knows no ${what} ${name}: it belongs to another build than the program. Build again.`);
}

/** Goes on at once after a plain value, later after a promise. */
function then<A, B>(value: A | Promise<A>, next: (value: A) => B | Promise<B>): B | Promise<B> {
  return value instanceof Promise ? value.then(next) : next(value);
}

function inOrder<T>(items: readonly T[], each: (item: T) => unknown): void | Promise<void> {
  for (let i = 0; i < items.length; i++) {
    const result = each(items[i]);
    if (result instanceof Promise) return result.then(() => inOrder(items.slice(i + 1), each));
  }
}
