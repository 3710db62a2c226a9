/**
 * How errors reach whoever runs the compiler.
 *
 * Under ts-patch: as diagnostics of an emit, so that they are counted and decide the exit code. TypeScript's builders (`--incremental`, `-b`, `-w`) emit one
 * file at a time and keep each file's diagnostics until it is emitted again, in memory and in the .tsbuildinfo file. So
 * - in a watch, a file's errors go with that file's own emit: with another's they would still be shown when they have been mended. Errors of files that
 *   are not emitted (what they depend on has changed) are printed when the emits are over;
 * - a build with errors leaves the .tsbuildinfo file as it was: the next one does its work again and sees whether they are still there.
 */
import * as path from "node:path";
import type * as ts from "typescript";
import type { TypeScript } from "../core";

/** What ts-patch passes as the third argument. `diagnostics` are those that its program has been given so far. */
export interface PluginExtras {
  /** The compiler that runs. */
  ts: TypeScript;
  /** Has the build fail with an error. */
  addDiagnostic?(diagnostic: ts.Diagnostic): void;
  /** Those that the program has been given so far. */
  diagnostics?: ts.Diagnostic[];
}

export class Reports {
  readonly #errors: ts.Diagnostic[] = [];
  /** What TypeScript keeps, by file. */
  readonly #kept: Map<string, ReadonlySet<string>>;
  readonly #reportsByFile: boolean;
  #extras: PluginExtras | undefined;
  /** Emits of files that TypeScript itself would not emit now: nobody reads what they say. */
  isOwnEmit = false;

  constructor(
    private readonly ts: TypeScript,
    private readonly program: ts.Program,
  ) {
    const { noEmit, watch, configFilePath } = program.getCompilerOptions();
    const isWatch = watch === true || isBuildWatch(ts.sys.args);
    this.#reportsByFile = isWatch && noEmit !== true;
    const config = String(configFilePath);
    this.#kept = keptByConfig.get(config) ?? new Map();
    keptByConfig.set(config, this.#kept);
  }

  get errors(): readonly ts.Diagnostic[] {
    return this.#errors;
  }

  /** Takes an error, or prints a warning: `tsc` fails for whatever a plugin adds. */
  add(diagnostic: ts.Diagnostic): void {
    const { ts } = this;
    if (diagnostic.category === ts.DiagnosticCategory.Error) this.#errors.push(diagnostic);
    else ts.sys.write(format(ts, this.program, [diagnostic], ts.sys.writeOutputIsTTY?.() === true));
  }

  /**
   * All errors are known.
   * @throws Error with all of them when the host takes no diagnostics
   */
  complete(extras: PluginExtras | undefined): void {
    const { ts } = this;
    keepBuildInfo(ts, this.program, this.#errors.length > 0);
    if (this.#errors.length === 0) return;
    if (extras?.addDiagnostic === undefined) throw new Error(format(ts, this.program, this.#errors, false));
    if (!this.#reportsByFile) for (const error of this.#errors) extras.addDiagnostic(error);
    else setImmediate(() => this.#printOthers());
  }

  /** An emit begins, of the whole program or of one file. */
  emitBegins(extras: PluginExtras | undefined): void {
    if (!this.#reportsByFile || extras?.diagnostics === undefined) return;
    this.#extras = extras;
    const { diagnostics } = extras;
    for (let i = diagnostics.length - 1; i >= 0; i--) if (this.#errors.includes(diagnostics[i])) diagnostics.splice(i, 1);
  }

  fileIsEmitted(file: ts.SourceFile): void {
    if (!this.#reportsByFile || this.isOwnEmit) return;
    const errors = this.#errors.filter((error) => error.file?.fileName === file.fileName);
    for (const error of errors) this.#extras?.addDiagnostic?.(error);
    this.#kept.set(file.fileName, new Set(errors.map(keyOf)));
  }

  #printOthers(): void {
    const { ts } = this;
    const others = this.#errors.filter((error) => !this.#kept.get(error.file?.fileName ?? "")?.has(keyOf(error)));
    if (others.length > 0) ts.sys.write(format(ts, this.program, others, ts.sys.writeOutputIsTTY?.() === true));
  }
}

/** `-b -w` tells the program nothing. `tsc` takes `-b` as its first argument only; `-w` alone may be another tool's. */
function isBuildWatch([first = "", ...others]: readonly string[]): boolean {
  return /^--?b(?:uild)?$/i.test(first) && others.some((argument) => /^--?w(?:atch)?$/i.test(argument));
}

/** In a watch: the errors that went with each file's last emit. */
const keptByConfig = new Map<string, Map<string, ReadonlySet<string>>>();

function keyOf({ start, messageText }: ts.Diagnostic): string {
  return JSON.stringify([start, messageText]);
}

function format(ts: TypeScript, program: ts.Program, diagnostics: readonly ts.Diagnostic[], pretty: boolean): string {
  const host: ts.FormatDiagnosticsHost = {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => program.getCurrentDirectory(),
    getNewLine: () => ts.sys.newLine,
  };
  return pretty ? ts.formatDiagnosticsWithColorAndContext(diagnostics, host) : ts.formatDiagnostics(diagnostics, host);
}

const kept = new Set<string>();
const guarded = new WeakSet<ts.System>();

/** From now on the program's .tsbuildinfo file is not written, or is written again. */
function keepBuildInfo(ts: TypeScript, program: ts.Program, keep: boolean): void {
  // Not public; where it is missing, errors may outlive what they were about until the next edit of their file.
  const { getTsBuildInfoEmitOutputFilePath: locate } = ts as { getTsBuildInfoEmitOutputFilePath?(options: ts.CompilerOptions): string };
  const file = locate?.(program.getCompilerOptions());
  if (file === undefined) return;
  const key = path.resolve(program.getCurrentDirectory(), file);
  if (!keep) return void kept.delete(key);
  kept.add(key);
  const { sys } = ts;
  if (guarded.has(sys)) return;
  guarded.add(sys);
  const write = sys.writeFile.bind(sys);
  sys.writeFile = (name, ...rest) => {
    if (!kept.has(path.resolve(name))) write(name, ...rest);
  };
}
