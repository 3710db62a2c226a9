/**
 * The manifest: all that the transformer and the runtime share.
 *
 * One build (one `tspc` project, one esbuild build) writes one manifest, `parallel-chunks/<key>.json`, into its output folder, and its
 * chunks beside it. Stubs know the key only; the runtime looks for `parallel-chunks/<key>.json` beside the emitted file that holds the stub
 * and then in each parent folder, so that the output folder can be moved as a whole and the working directory never matters.
 */

/** Raised whenever a reader of the old shape would misread the new one. */
export const MANIFEST_FORMAT = 1;

/** Folder, beside or above the emitted file, that holds the manifest and the chunks. */
export const CHUNK_FOLDER = "parallel-chunks";

/** One hoisted function. */
export interface ManifestTask {
  /** Readable name: `sumOfSquares`, `DataProcessor.process`, `(anonymous)`. */
  name: string;
  /** Place in the source. `file` is relative to the package root, with `/`; `line` and `column` count from 1. */
  source: { file: string; line: number; column: number };
  /** File of the chunk, relative to the manifest's folder; a key of {@link Manifest.chunks}. */
  chunk: string;
  /** Name under which the chunk exports the function (or, with captures or an arrow's `this`, its factory: see `factory`). */
  export: string;
  /** Names of the parameters as written (destructured ones as `{…}`), for messages. */
  parameters: string[];
  /** Names of the captured locals, in the order in which their values travel. */
  captures: string[];
  /**
   * True: the export is a factory. `factory.call(receiver, ...captures)` returns the function to call. False: the export is the function
   * itself, called with `receiver` as `this`.
   */
  factory: boolean;
  /** True: a receiver (`this`) travels before the captures' values. */
  receiver: boolean;
  /** Declared `async` (or a method whose body returns promises may still be `false`: the executor checks the result as well). */
  async: boolean;
  /** Declared with `*`: the task is a stream. */
  generator: boolean;
}

/** One chunk file: a script (see ARCHITECTURE.md, "The chunk format"), not an ES module. */
export interface ManifestChunk {
  /** SHA-256 of the file's bytes, lower-case hex. */
  sha256: string;
  /**
   * Other chunk files of this manifest that it requires; they are loaded before it, in this order. Among them, the requests of those externals that come before one
   * of the chunks.
   */
  imports: string[];
  /** Specifiers that it imports from outside (packages, Node built-ins), as they must be resolved, with the file they are resolved from. */
  externals: ManifestExternal[];
  /** True: the chunk's body awaits at its top level, so that its wrapper is an async function. */
  async: boolean;
  /** Source map's file, relative to the manifest's folder. */
  map?: string;
}

export interface ManifestExternal {
  /** What the chunk passes to `require`, unique within the manifest. */
  request: string;
  /** The specifier as the source has it: `node:fs`, `lodash/fp`, `./addon.node`. */
  specifier: string;
  /** Folder from which it is resolved, relative to the manifest's folder, with `/` (the emitted or source file's folder). */
  from: string;
  /** `import` follows the `import` condition of `exports` and gives a module namespace; `require` follows `require` and gives `module.exports`. */
  kind: "import" | "require";
  /** True: only a call (`import()`, `require()`) asks for it, so it is not loaded before the chunk runs. */
  lazy?: true;
  /**
   * `node`: what `require` gives is seen as Node's ES modules see CommonJS (`default` is `module.exports`, whatever `__esModule` says). `none`, of `import()`: it is what
   * `require` gives.
   */
  interop?: "node" | "none";
}

/** A class whose instances can be revived, and the chunk that exports it. Key: class id, `path/from/root.ts#Name`. */
export interface ManifestClass {
  chunk: string;
  export: string;
}

export interface Manifest {
  format: typeof MANIFEST_FORMAT;
  /** Version of makeparallel that wrote it. */
  version: string;
  /** The name that stubs know it by. */
  key: string;
  /** Key: task id, `path/from/root.ts#name`. */
  tasks: Record<string, ManifestTask>;
  /** Key: file name, relative to the manifest's folder. */
  chunks: Record<string, ManifestChunk>;
  /** Key: class id. */
  classes: Record<string, ManifestClass>;
  /**
   * Where the emitted counterpart of a source file is, for code that asks for its own place (`import.meta.url`, `__dirname`). Key: source file
   * relative to the package root, with `/`; value: emitted file relative to the manifest's folder. Only files that ask.
   */
  sources?: Record<string, string>;
  /**
   * For the next incremental build: a hash of what was changed in each source file (relative to the root), to see which emitted files are out of date
   * though their sources are not.
   */
  edits?: Record<string, string>;
}
