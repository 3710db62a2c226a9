/**
 * The core's contract with its adapters. The core is pure and host-free: it takes source text and a host that resolves and reads, and gives
 * edits, slices and diagnostics. It needs syntax and binding, never types, so that every host gives the same result.
 */
import type * as ts from "typescript";

export type TypeScript = typeof ts;

/** What the core asks of whoever runs it. */
export interface Host {
  /** The compiler API to use: the host's own under ts-patch, else the one that makeparallel found. */
  readonly ts: TypeScript;
  /** Absolute path of the package (project) root; ids are relative to it. */
  readonly root: string;
  /** Where an import leads: a project module (sliced and bundled), a data file (JSON, wasm: bundled whole), or outside (external). */
  resolve(specifier: string, fromFile: string, kind: "import" | "require"): Resolution | undefined;
  /** Text of a project module, or undefined when it can't be read. */
  read(file: string): string | undefined;
}

export type Resolution =
  | { kind: "project"; file: string }
  | { kind: "data"; file: string }
  | { kind: "external" };

/** How the emitted program refers to itself. */
export interface FileFormat {
  /** `esm`: stubs use `import.meta.url`; `cjs`: `__filename`. */
  module: "esm" | "cjs";
  /** Key of the manifest of this build, passed to `__mp.module`. */
  manifestKey: string;
}

/** A part of a replacement: literal source text, or an original node (by its full range in the source) that moves there untouched. */
export type EditPart = string | { start: number; end: number };

/**
 * One replacement in the original file. `[start, end)` is exactly the range (`getStart()`..`end`) of one AST node of the kind given, or
 * `start === end` for an insertion (`kind: "statements"`), so that the ts-patch adapter can apply it to the tree and the esbuild adapter to the text.
 */
export interface Edit {
  start: number;
  end: number;
  /** What the replacement parses as. `remove`: the node goes (a decorator, a modifier, an import specifier or a whole import declaration). */
  kind: "expression" | "statements" | "block" | "parameters" | "member" | "members" | "remove";
  parts: EditPart[];
}

export interface Position {
  file: string;
  start: number;
  length: number;
}

export interface Diagnostic {
  code: string;
  severity: "error" | "warning" | "note";
  message: string;
  at: Position;
  related: { at: Position; message: string }[];
  /** A way out, one sentence. */
  fix: string;
}

/** A hoisted function, as found. `meta` fields as in the manifest and in the stub. */
export interface TaskRecord {
  id: string;
  name: string;
  file: string;
  /** 1-based. */
  line: number;
  column: number;
  parameters: string[];
  captures: string[];
  factory: boolean;
  receiver: boolean;
  async: boolean;
  generator: boolean;
}

export interface FileResult {
  tasks: TaskRecord[];
  edits: Edit[];
  diagnostics: Diagnostic[];
  /** Project files whose text this result depends on. */
  dependencies: string[];
}

/** A module of the chunk build. Its positions are those of `file`; text added after the original's end has no position. */
export interface SliceModule {
  /** Unique, stable: imported as `makeparallel-slice:<id>`. */
  id: string;
  /** The real file: where its relative and package imports resolve from, and what source maps name. */
  file: string;
  contents: string;
  loader: "ts" | "tsx" | "js" | "jsx";
}

export interface SlicePlan {
  modules: Map<string, SliceModule>;
  /** One entry a task: the slice module that exports the task under `export`. */
  entries: { task: TaskRecord; module: string; export: string }[];
  /** Classes that can be revived, by class id: the slice module that exports them. */
  classes: Map<string, { module: string; export: string }>;
  diagnostics: Diagnostic[];
}
