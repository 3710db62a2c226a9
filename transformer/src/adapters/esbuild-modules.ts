/**
 * The project's modules as the esbuild adapter sees them: texts, where imports lead, and which files have marks.
 *
 * esbuild answers questions about imports only asynchronously, while the core asks synchronously. So an unknown import is noted as missed, answered by
 * `settle`, and the core is asked again.
 */
import * as fs from "node:fs";
import { isBuiltin } from "node:module";
import * as path from "node:path";
import type * as esbuild from "esbuild";
import { mayContainMark } from "../analyze/marks";
import type { Resolution } from "../core";
import { resolutionKey } from "../emit/options";
import { specifiersIn } from "./project-files";
import { SourceProbe } from "./source-probe";

type ImportKind = "import" | "require";

interface Question {
  specifier: string;
  fromFile: string;
  kind: ImportKind;
}

interface Text {
  text: string | undefined;
  modified: number;
  size: number;
  /** The build in which it was compared with the file last. */
  checked: number;
}

/** What a text says, once asked for. */
interface Facts {
  text: string;
  isMarked?: boolean;
  specifiers?: ReadonlySet<string>;
}

const SOURCE = /\.[cm]?[jt]sx?$/;
const IN_PACKAGE = /[\\/]node_modules[\\/]/;

export function isProjectSource(file: string): boolean {
  return SOURCE.test(file) && !IN_PACKAGE.test(file);
}

export class EsbuildModules {
  readonly resolutions = new Map<string, Resolution>();
  readonly #texts = new Map<string, Text>();
  readonly #facts = new Map<string, Facts>();
  readonly #missed = new Map<string, Question>();
  /** Answers of this build by what they hang on, of which many imports have the same. */
  readonly #answers = new Map<string, Promise<Resolution>>();
  #generation = 0;

  constructor(
    private readonly build: esbuild.PluginBuild,
    private readonly changed: (file: string) => void,
  ) {}

  /** A new build begins: files may have changed. */
  nextBuild(): void {
    this.#generation++;
    this.#answers.clear();
    for (const file of this.#texts.keys()) this.read(file);
    const gone = new Map<string, boolean>();
    for (const [key, resolution] of this.resolutions) {
      if (resolution.kind === "external") continue;
      const { file } = resolution;
      if (!gone.has(file)) gone.set(file, !fs.existsSync(file));
      // What was outside may have come into the project, or gone from it.
      if (gone.get(file)) this.resolutions.delete(key);
    }
  }

  read(file: string): string | undefined {
    const known = this.#texts.get(file);
    if (known?.checked === this.#generation) return known.text;
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    const modified = stat?.mtimeMs ?? -1;
    const size = stat?.size ?? -1;
    if (known && known.modified === modified && known.size === size) {
      known.checked = this.#generation;
      return known.text;
    }
    const text = stat?.isFile() ? fs.readFileSync(file, "utf8") : undefined;
    this.#texts.set(file, { text, modified, size, checked: this.#generation });
    if (known && known.text !== text) this.changed(file);
    return text;
  }

  /** Whether the file's text has been asked for. */
  protected isKnown(file: string): boolean {
    return this.#texts.has(file);
  }

  /** Whether a file could have a mark. */
  isMarked(file: string): boolean {
    const facts = this.#factsOf(file);
    return (facts.isMarked ??= mayContainMark(facts.text));
  }

  #specifiersOf(file: string): ReadonlySet<string> {
    const facts = this.#factsOf(file);
    return (facts.specifiers ??= specifiersIn(facts.text));
  }

  #factsOf(file: string): Facts {
    const text = this.read(file) ?? "";
    let facts = this.#facts.get(file);
    if (facts?.text !== text) {
      facts = { text };
      this.#facts.set(file, facts);
    }
    return facts;
  }

  resolve(specifier: string, fromFile: string, kind: ImportKind): Resolution | undefined {
    if (isBuiltin(specifier) || specifier === "makeparallel" || specifier.startsWith("makeparallel/")) return { kind: "external" };
    const key = resolutionKey(specifier, fromFile, kind);
    const known = this.resolutions.get(key);
    if (known === undefined) this.#missed.set(key, { specifier, fromFile, kind });
    return known;
  }

  /** The data files (JSON and the like) that the given files import. */
  dataOf(files: readonly string[]): string[] {
    const found = new Set<string>();
    const wanted = new Set(files);
    for (const [key, resolution] of this.resolutions) {
      if (resolution.kind === "data" && wanted.has(key.split("\0")[1])) found.add(resolution.file);
    }
    return [...found];
  }

  /**
   * Answers what the core asked in vain, and what it is going to ask about the files that the answers lead to: else it would have to begin again for each
   * step on the way.
   *
   * @returns false when there was nothing to answer
   */
  async settle(): Promise<boolean> {
    const answered = this.#missed.size > 0;
    while (this.#missed.size > 0) {
      const questions = [...this.#missed.values()];
      this.#missed.clear();
      await Promise.all(
        questions.map(async (question) => {
          const key = resolutionKey(question.specifier, question.fromFile, question.kind);
          if (this.resolutions.has(key)) return;
          const answer = await this.#ask(question);
          this.resolutions.set(key, answer);
          if (answer.kind !== "project") return;
          for (const specifier of this.#specifiersOf(answer.file)) this.resolve(specifier, answer.file, "import");
        }),
      );
    }
    return answered;
  }

  #ask(question: Question): Promise<Resolution> {
    const { specifier, fromFile, kind } = question;
    const folder = path.dirname(fromFile);
    const isRelative = /^\.\.?\//.test(specifier);
    const key = `${kind}\0${isRelative ? path.resolve(folder, specifier) : `${folder}\0${specifier}`}`;
    let answer = this.#answers.get(key);
    if (!answer) {
      answer = this.#resolve(question);
      this.#answers.set(key, answer);
    }
    return answer;
  }

  async #resolve({ specifier, fromFile, kind }: Question): Promise<Resolution> {
    const found = await this.build.resolve(specifier, {
      importer: fromFile,
      kind: kind === "import" ? "import-statement" : "require-call",
      namespace: "file",
      resolveDir: path.dirname(fromFile),
    });
    if (found.errors.length > 0 || found.external || found.namespace !== "file" || IN_PACKAGE.test(found.path)) return { kind: "external" };
    if (isProjectSource(found.path)) return { kind: "project", file: found.path };
    return found.path.endsWith(".node") ? { kind: "external" } : { kind: "data", file: found.path };
  }

  /**
   * The project files that the entry points reach. Names are looked up here rather than by esbuild, which would take a message each; what only another
   * plugin can resolve is not found.
   *
   * @param follow false when files are not bundled: then the entries are all
   */
  async reachable(entries: readonly string[], follow: boolean): Promise<Set<string>> {
    const found = new Set<string>();
    const probe = new SourceProbe();
    const packages = new Map<string, Promise<string | undefined>>();
    const visit = async (file: string): Promise<void> => {
      if (found.has(file)) return;
      found.add(file);
      if (!follow) return;
      const next: Promise<void>[] = [];
      for (const specifier of this.#specifiersOf(file)) {
        if (specifier.startsWith(".") || path.isAbsolute(specifier)) {
          const target = probe.find(path.resolve(path.dirname(file), specifier));
          if (target !== undefined && isProjectSource(target)) next.push(visit(target));
        } else if (!isBuiltin(specifier) && !specifier.startsWith("makeparallel")) {
          let target = packages.get(specifier);
          if (!target) {
            target = this.#ask({ specifier, fromFile: file, kind: "import" }).then((resolution) =>
              resolution.kind === "project" ? resolution.file : undefined,
            );
            packages.set(specifier, target);
          }
          next.push(target.then((project) => (project === undefined ? undefined : visit(project))));
        }
      }
      await Promise.all(next);
    };
    await Promise.all(entries.filter(isProjectSource).map(visit));
    return found;
  }
}
