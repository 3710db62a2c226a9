/**
 * Packages and Node built-ins for chunks.
 *
 * Takes: an external of the manifest. Gives: what the chunk's `require` returns for it: `module.exports` for `require` imports, and for `import`
 * ones a namespace that is marked `__esModule`, so that the interop code that esbuild put into the chunk yields what a native `import` would.
 */
import { createRequire } from "node:module";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { types } from "node:util";
import { ChunkError } from "../errors";
import type { ManifestExternal } from "../manifest";
import { OWN_FOLDER } from "../own-folder";
import { isEsModule, resolveImport } from "./resolve-import";
import { effectHint } from "./load-hints";

/**
 * `require` of absolute paths. It claims to stand in a `node_modules` folder because Node warns of `require` of ES modules, as an experimental
 * feature in Node 20, unless a package does it.
 */
const requireFile = createRequire(path.join(OWN_FOLDER, "node_modules", "makeparallel", "external-modules.js"));

export class ExternalModules {
  readonly #loaded = new Map<string, unknown>();
  readonly #requires = new Map<string, NodeJS.Require>();

  constructor(
    private readonly folder: string,
    private readonly externals: ReadonlyMap<string, ManifestExternal>,
  ) {}

  get(request: string): ManifestExternal | undefined {
    return this.externals.get(request);
  }

  /** Loads it unless it has been; a promise when the module, or one that it imports, awaits at its top level. */
  load(external: ManifestExternal, user: string): unknown {
    if (this.#loaded.has(external.request)) return this.#loaded.get(external.request);
    try {
      const value = external.kind === "import" ? this.#import(external) : this.#require(external);
      if (value instanceof Promise) {
        return value.then(
          (namespace) => this.#keep(external, namespace),
          (error: unknown) => {
            throw failure(error, external, user);
          },
        );
      }
      return this.#keep(external, value);
    } catch (error) {
      throw failure(error, external, user);
    }
  }

  /** The value, which has been loaded or can be at once. */
  require(request: string, user: string): unknown {
    const external = this.externals.get(request) as ManifestExternal;
    // A `require` that fails inside a `try` is how code asks for optional packages: the error must look as Node's.
    if (external.kind === "require" && external.lazy) {
      if (!this.#loaded.has(request)) this.#keep(external, this.#require(external));
      return this.#loaded.get(request);
    }
    const value = this.load(external, user);
    if (value instanceof Promise) throw new ChunkError(`${external.specifier} cannot be loaded synchronously, as ${user} needs it.`);
    return value;
  }

  resolve(request: string): string {
    const external = this.externals.get(request) as ManifestExternal;
    return this.requireFrom(path.join(this.folder, external.from)).resolve(external.specifier);
  }

  /** The `require` of a folder (absolute), for what the manifest does not list. */
  requireFrom(folder: string): NodeJS.Require {
    let made = this.#requires.get(folder);
    if (!made) {
      made = createRequire(path.join(folder, "chunk.js"));
      this.#requires.set(folder, made);
    }
    return made;
  }

  /** As `import()` in the source would, with the same errors: the program may be prepared for them. */
  async import(external: ManifestExternal): Promise<unknown> {
    if (external.kind === "require") return external.interop === "none" ? this.#require(external) : importStar(this.#require(external));
    return import(resolveImport(external.specifier, path.join(this.folder, external.from)));
  }

  #keep(external: ManifestExternal, value: unknown): unknown {
    this.#loaded.set(external.request, value);
    return value;
  }

  #require(external: ManifestExternal): unknown {
    const value: unknown = this.requireFrom(path.join(this.folder, external.from))(external.specifier);
    return external.interop === "node" ? nodeNamespace(value) : value;
  }

  #import(external: ManifestExternal): unknown {
    const url = resolveImport(external.specifier, path.join(this.folder, external.from));
    if (url.startsWith("data:") || /[?#]/.test(url)) return import(url).then(markedNamespace);
    try {
      const isBuiltin = url.startsWith("node:");
      const file = isBuiltin ? url : fileURLToPath(url);
      const value: unknown = requireFile(file);
      if (types.isModuleNamespaceObject(value)) return markedNamespace(value as object);
      // An ES module may say what `require` gives in the place of its namespace, by an export called `module.exports`.
      return !isBuiltin && isEsModule(file) ? import(url).then(markedNamespace) : nodeNamespace(value);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Plug'n'Play serves ES modules out of its archives to `import` only.
      const archived = code === "ERR_MODULE_NOT_FOUND" && process.versions["pnp"] !== undefined;
      if (code !== "ERR_REQUIRE_ASYNC_MODULE" && code !== "ERR_REQUIRE_ESM" && !archived) throw error;
      return import(url).then(markedNamespace);
    }
  }
}

function failure(error: unknown, external: ManifestExternal, user: string): unknown {
  if (error instanceof ChunkError) return error;
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  const missing = code === "MODULE_NOT_FOUND" || code === "ERR_MODULE_NOT_FOUND" || code === "ERR_PACKAGE_PATH_NOT_EXPORTED";
  const message = error instanceof Error ? error.message.split("\n", 1)[0] : String(error);
  return new ChunkError(
    missing
      ? `${user} needs ${external.specifier}, which is not to be found: ${message}. Install it where the program runs, or bundle it into the chunks.`
      : `${external.specifier}, which ${user} needs, failed while it was loaded: ${message}${effectHint(error)}`,
    { cause: error },
  );
}

/** A module's namespace as interop code wants it: `__esModule` set, but not listed. */
function markedNamespace(namespace: object): object {
  const marked = Object.create(null) as object;
  for (const key of Object.keys(namespace)) {
    if (key === "__esModule") continue;
    Object.defineProperty(marked, key, { enumerable: true, get: () => (namespace as Record<string, unknown>)[key] });
  }
  return Object.defineProperty(marked, "__esModule", { value: true });
}

/** What an ES module that imports this CommonJS module sees: `default` is `module.exports`. */
export function nodeNamespace(exports: unknown): object {
  const namespace = Object.create(null) as object;
  if ((typeof exports === "object" && exports !== null) || typeof exports === "function") {
    for (const key of Object.keys(exports)) {
      if (key === "default" || key === "__esModule") continue;
      Object.defineProperty(namespace, key, { enumerable: true, get: () => (exports as Record<string, unknown>)[key] });
    }
  }
  Object.defineProperty(namespace, "default", { enumerable: true, value: exports });
  return Object.defineProperty(namespace, "__esModule", { value: true });
}

/** TypeScript's `__importStar`, which is what its CommonJS output makes of `import()`, and bundlers of that of a CommonJS module. */
export function importStar(exports: unknown): unknown {
  if (
    exports !== null &&
    (typeof exports === "object" || typeof exports === "function") &&
    (exports as { __esModule?: boolean }).__esModule
  )
    return exports;
  return nodeNamespace(exports);
}
