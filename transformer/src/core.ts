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
  /**
   * First names of what JSX calls by the host's settings (`jsxFactory: "preact.h"`: `preact`), beside what files say themselves (`@jsx h`). Default `React`
   * and `h`.
   */
  readonly jsxFactories?: readonly string[];
  /** Where an import leads: a project module (sliced and bundled), a data file (JSON, wasm: bundled whole), or outside (external). */
  resolve(specifier: string, fromFile: string, kind: "import" | "require"): Resolution | undefined;
  /**
   * What Node takes a compiled project file for. Given where each is a module of its own when the program runs: an ES module then gets all of a CommonJS module
   * (`module.exports`) as its default import. Without, as in bundlers: an import means the export of that name.
   */
  moduleFormat?(file: string): FileFormat["module"];
  /** Whether `import()` in a compiled project file is Node's own, rather than made of `require`. */
  hasOwnImport?(file: string): boolean;
  /** Text of a project module, or undefined when it can't be read. */
  read(file: string): string | undefined;
  /** Given where the program is compiled with `emitDecoratorMetadata`: slices then have it as well. */
  readonly decoratorMetadata?: DecoratorMetadataSettings;
  /** `typescript`: it compiles TC39 decorators, of the program and of classes in slices, by the standard's order. Default: another, or none. */
  readonly standardDecorators?: "typescript";
  /**
   * What the host's compiler writes in the place of a member of a `const enum` that only declarations tell of (`Flags.A` of a package's typings): there is no such object
   * when the program runs. `[start, end)` is the name that the access begins with. Without: there are none, as where each file is compiled by itself.
   */
  constantAt?(file: string, start: number, end: number): Constant | undefined;
  /**
   * Files of the program that may import the given one: a class there may extend one that tasks get, code there may change what they read. Absolute paths;
   * too many do no harm. Without: only what tasks reach is looked through.
   */
  importersOf?(file: string): Iterable<string>;
  /** `classes`: no warnings about changes, because the files are not one program (a test runner's are many). */
  readonly importersFor?: "classes";
}

/** A constant, as it is written, and the range of the access that it stands for. */
export interface Constant {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** What a type is at run time, for `emitDecoratorMetadata`: the class itself, one of the language's own, or nothing. */
export type RuntimeType = "class" | "Object" | "Function" | "Array" | "String" | "Number" | "Boolean" | "BigInt" | "Symbol" | "undefined";

export interface DecoratorMetadataSettings {
  readonly strictNullChecks: boolean;
  /** What the host's type checker says of the type whose name stands at `[start, end)` of a project file. Asked only where syntax can't tell. */
  typeAt?(file: string, start: number, end: number): RuntimeType | undefined;
}

export type Resolution = { kind: "project"; file: string } | { kind: "data"; file: string } | { kind: "external" };

/** How the emitted program refers to itself. */
export interface FileFormat {
  /** `esm`: stubs use `import.meta.url`; `cjs`: `__filename`. */
  module: "esm" | "cjs";
  /** Key of the manifest of this build, passed to `__mp.module`. */
  manifestKey: string;
  /** JavaScript expression for the place from which the manifest is looked for. Default: by `module`. The manifest itself when `manifestKey` is empty. */
  location?: string;
}

/** A part of a replacement: literal source text, or an original node (by its full range in the source) that moves there untouched. */
export type EditPart = string | { start: number; end: number };

/**
 * One replacement in the original file. `[start, end)` is exactly the range (`getStart()`..`end`) of one AST node of the kind given, or
 * `start === end` for an insertion, so that the ts-patch adapter can apply it to the tree and the esbuild adapter to the text.
 *
 * Edits never overlap, except that an edit may lie wholly inside a moved range of another edit's `parts`: it then applies to what moves.
 * Sorted by `start`, an outer edit before those inside it (of two with the same range, the outer is the one with that range among its parts). Insertions, `start === end`:
 * - `statements` goes into the innermost statement list (source file, block or namespace) that contains the position: before the first of its statements
 *   that starts at or after it. The file's first insertion is at 0 or right after the shebang or the prologue directives, its last at the end of the text.
 * - `members` goes to the end of the class whose closing brace is at `start`.
 * - `name` is the name of the function declaration around the position, which has none.
 */
export interface Edit {
  start: number;
  end: number;
  /**
   * What the replacement parses as. `remove`: the node goes (a decorator, a modifier, the `*` of a generator, an import specifier, a default import's
   * name, or a whole import declaration). `parameters`: the node is one parameter declaration and becomes another. `block`: a function's body.
   */
  kind: "expression" | "statements" | "block" | "parameters" | "members" | "name" | "remove";
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
  /** Project files whose text this result depends on, this file itself not among them. Absolute paths. */
  dependencies: string[];
  /** Files outside of all its slices that warnings come from. Absolute paths. */
  consulted: string[];
  /**
   * Other project files (unmarked ones too) that hold classes which must register themselves: their `analyze` gives edits once this file has been
   * analyzed. An adapter must therefore analyze every marked file before it emits one of these.
   */
  instrument: string[];
}

/**
 * A module of the chunk build. Its positions are those of `file`, unless `contents` ends with an inline source map (a last resort, when replaced text
 * was too long for its place), whose one source is `file`; text added after the original's end has no position.
 *
 * Free variables that the chunk's wrapper provides: `__filename` (the chunk's own file) and `__mp_chunk`, of which
 * `__mp_chunk.meta("<source file relative to the root, with />")` gives `{ url, filename, dirname }` of what that source file was emitted as.
 */
export interface SliceModule {
  /** Unique, stable: imported as `makeparallel-slice:<id>`. */
  id: string;
  /** The real file: where its relative and package imports resolve from, and what source maps name. */
  file: string;
  contents: string;
  loader: "ts" | "tsx" | "js" | "jsx";
  /** Statements among its imports that take all of a module from outside, `import * as x from "y";`, as they stand in `contents`. */
  wholeImports?: readonly string[];
  /** Some class in it has decorators of its own. */
  decoratesClasses?: true;
}

/** What a slice module exports for the run time, and the slice modules that are imported before it. */
export interface SliceExport {
  module: string;
  export: string;
  before?: readonly string[];
}

export interface SlicePlan {
  modules: Map<string, SliceModule>;
  /** One entry a task: the slice module that exports the task under `export`. */
  entries: ({ task: TaskRecord } & SliceExport)[];
  /**
   * Classes that can be revived, by class id: the slice module that exports them. `optional`: no task names it, so what can't be bundled of it is left out
   * and does not fail the build.
   */
  classes: Map<string, SliceExport & { optional?: true }>;
  /** Slice modules that hold one import without names (`import "./polyfill";`): ids, sorted. Each has a chunk of its own, which runs where the import stands. */
  effects: string[];
  diagnostics: Diagnostic[];
}
