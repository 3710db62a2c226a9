/**
 * The marked files of one program, and what the core says of them.
 *
 * Takes: marked files, as they become known. Gives: the result of each, and of the files that must change for them. Files are analyzed together, because one
 * may ask for a change of another.
 */
import * as path from "node:path";
import type { FileFormat, FileResult, SlicePlan } from "../core";
import type { Project } from "../project";

export interface AnalyzedProgram {
  /** Asked for at the first analysis: a program without marks does without it. */
  project(): Project;
  /** Absolute path of the package root. */
  root: string;
  manifestKey: string;
  read(file: string): string | undefined;
  /** How a file is emitted; the key is added. */
  format(file: string, text: string): Omit<FileFormat, "manifestKey">;
}

export class AnalyzedFiles {
  readonly marked = new Set<string>();
  readonly results = new Map<string, FileResult>();

  constructor(private readonly program: AnalyzedProgram) {}

  /** Analyzes marked files, and what they ask for. */
  analyze(files: readonly string[]): void {
    for (const file of files) this.marked.add(file);
    const instrument = new Set<string>();
    // What one file needs of another is known only now; most answers are the same as before, and cached.
    for (let before = -1; before !== instrument.size;) {
      before = instrument.size;
      for (const file of [...this.marked, ...instrument]) for (const other of this.#run(file).instrument) instrument.add(other);
    }
    // Nothing is left of what an answer asked for that was given before the imports were known.
    for (const file of this.results.keys()) if (!this.marked.has(file) && !instrument.has(file)) this.results.delete(file);
    sayOnce(this.results);
  }

  /**
   * The same where imports are resolved only asynchronously.
   *
   * @param settle answers what the core has asked in vain; false when no answer makes a difference to it
   */
  async analyzeAsking(files: readonly string[], settle: () => Promise<boolean>): Promise<void> {
    for (;;) {
      this.analyze(files);
      // The slices ask for more than the analysis.
      this.slice();
      if (!(await settle())) return;
      // The core looks its conclusions through again when a file that was not there may have come: names that led outside may lead into the project.
      this.program.project().invalidate(path.join(this.program.root, "\0"));
    }
  }

  slice(files: Iterable<string> = this.marked): SlicePlan {
    return this.program.project().slice({ manifestKey: this.program.manifestKey }, files);
  }

  #run(file: string): FileResult {
    const { manifestKey } = this.program;
    const text = this.program.read(file) ?? "";
    const result = this.program.project().analyze(file, text, { ...this.program.format(file, text), manifestKey });
    this.results.set(file, result);
    return result;
  }
}

/** Leaves a warning about a place to the first by name of the marked files whose tasks reach it: one module may be in the slices of hundreds. */
function sayOnce(results: Map<string, FileResult>): void {
  const said = new Set<string>();
  for (const [file, result] of [...results].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const diagnostics = result.diagnostics.filter(({ code, severity, at }) => {
      const place = `${code}\0${at.file}\0${at.start}`;
      return severity === "error" || (!said.has(place) && said.add(place));
    });
    if (diagnostics.length < result.diagnostics.length) results.set(file, { ...result, diagnostics });
  }
}
