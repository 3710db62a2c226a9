/**
 * The project's modules as the esbuild adapter sees them: texts, where imports lead, and which files have marks.
 *
 * esbuild answers questions about imports only asynchronously, while the core asks synchronously. So an unknown import is noted as missed, answered by
 * `settle`, and the core is asked again. What needs no answer of esbuild's is known at once.
 */
import * as fs from "node:fs";
import { isBuiltin } from "node:module";
import * as path from "node:path";
import type * as esbuild from "esbuild";
import { entryAt } from "./file-entry";
import { mayContainMark } from "../analyze/marks";
import { remembered } from "../analyze/remembered";
import type { Resolution } from "../core";
import { resolutionKey } from "../emit/options";
import { EXTENSIONS, RELATIVE } from "../emit/plain-files";
import { PlainImports } from "./plain-imports";
import { isOwnCode, specifiersIn } from "./project-files";
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
  return SOURCE.test(file) && !IN_PACKAGE.test(file) && !isOwnCode(file);
}

export class EsbuildModules {
  readonly resolutions = new Map<string, Resolution>();
  readonly #texts = new Map<string, Text>();
  readonly #facts = new Map<string, Facts>();
  readonly #missed = new Map<string, Question>();
  /** See {@link isLeftOutside}. */
  readonly #outside = new Set<string>();
  /** Answers of this build by what they hang on, of which many imports have the same. */
  readonly #answers = new Map<string, Promise<Resolution>>();
  /** Those in which relative imports have been looked for. */
  readonly #folders = new Folders();
  #generation = 0;
  /** Lists folders as they are in this build. */
  #probe = new SourceProbe();
  #plain: PlainImports | undefined;
  /** See {@link missingOf}. */
  #loose: { size: number; byImporter: ReadonlyMap<string, readonly string[]> } | undefined;

  constructor(
    private readonly build: esbuild.PluginBuild,
    private readonly changed: (file: string) => void,
  ) {
    this.#plain = this.#plainImports();
  }

  #plainImports(): PlainImports | undefined {
    // A build of other bundlers has no options of esbuild's.
    return PlainImports.of((this.build as Partial<esbuild.PluginBuild>).initialOptions, this.#probe);
  }

  /** A new build begins: files may have changed. */
  nextBuild(): void {
    this.#generation++;
    this.#loose = undefined;
    this.#answers.clear();
    this.#probe = new SourceProbe();
    this.#plain = this.#plainImports();
    for (const file of this.#texts.keys()) this.read(file);
    const gone = new Map<string, boolean>();
    const changed = this.#folders.changed(this.#probe);
    for (const [key, resolution] of this.resolutions) {
      // A file that has come may be meant where another one was before.
      let isDoubtful = changed.size > 0 && leadsInto(changed, key);
      if (!isDoubtful && resolution.kind !== "external") {
        const { file } = resolution;
        if (!gone.has(file)) gone.set(file, !fs.existsSync(file));
        // What was outside may have come into the project, or gone from it.
        isDoubtful = gone.get(file) === true;
      }
      if (isDoubtful) this.resolutions.delete(key);
    }
    for (const folder of changed) this.changed(path.join(folder, "\0"));
  }

  read(file: string): string | undefined {
    const known = this.#texts.get(file);
    if (known?.checked === this.#generation) return known.text;
    const stat = entryAt(file);
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
    if (known !== undefined) return known;
    if (RELATIVE.test(specifier)) this.#folders.note(folderOf(specifier, fromFile), this.#probe);
    const file = this.#plain?.find(specifier, fromFile);
    if (file === undefined) {
      this.#missed.set(key, { specifier, fromFile, kind });
      return undefined;
    }
    const resolution = resolutionOf(file);
    this.resolutions.set(key, resolution);
    return resolution;
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
   * Files that are not there, and that imports of the given files would mean if they came: beside a folder whose index one leads to now, or where one leads
   * nowhere. The host watches no folder for the sake of imports that only chunks hold.
   */
  missingOf(files: readonly string[]): string[] {
    if (this.#loose?.size !== this.resolutions.size)
      this.#loose = { size: this.resolutions.size, byImporter: looseImports(this.resolutions) };
    const { byImporter } = this.#loose;
    return [...new Set(files.flatMap((file) => byImporter.get(file) ?? []))];
  }

  /**
   * Answers what the core asked in vain, and what it is going to ask about the files that the answers lead to: else it would have to begin again for each
   * step on the way.
   *
   * @returns whether the core would say something else now: to it an import that leads outside is the same as one that it knows nothing of
   */
  async settle(): Promise<boolean> {
    let leadInside = false;
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
          leadInside = true;
          for (const specifier of this.#specifiersOf(answer.file)) this.resolve(specifier, answer.file, "import");
        }),
      );
    }
    return leadInside;
  }

  #ask(question: Question): Promise<Resolution> {
    const { specifier, fromFile, kind } = question;
    const folder = path.dirname(fromFile);
    const key = `${kind}\0${RELATIVE.test(specifier) ? path.resolve(folder, specifier) : `${folder}\0${specifier}`}`;
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
    if (found.external && !RELATIVE.test(specifier)) this.#outside.add(specifier);
    if (found.errors.length > 0 || found.external || found.namespace !== "file") return { kind: "external" };
    return resolutionOf(found.path);
  }

  /**
   * Whether the host's build leaves an import outside of the bundle, be it by another plugin: then chunks do. Known of what files of the project import; once
   * the build is over, nobody can be asked any more.
   */
  isLeftOutside(specifier: string): boolean {
    return this.#outside.has(specifier);
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

/** By importer, the files that its imports would mean if they came. */
function looseImports(resolutions: ReadonlyMap<string, Resolution>): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [key, resolution] of resolutions) {
    const leadsNowhere = resolution.kind === "external";
    if (!leadsNowhere && !/[\\/]index\.\w+$/.test(resolution.file)) continue;
    const [, fromFile, specifier] = key.split("\0") as [string, string, string];
    if (!RELATIVE.test(specifier)) continue;
    const named = path.resolve(path.dirname(fromFile), specifier);
    if (!leadsNowhere && path.dirname(resolution.file) !== named) continue;
    const files = EXTENSIONS.map((extension) => named + extension);
    if (leadsNowhere) {
      files.push(named, ...EXTENSIONS.map((extension) => path.join(named, `index${extension}`)));
      if (/\.[cm]?jsx?$/.test(named)) files.push(named.replace(/js(x?)$/, "ts$1"), named.replace(/jsx?$/, "tsx"));
    }
    remembered(found, fromFile, (): string[] => []).push(...files);
  }
  return found;
}

/** The folder in which the file of a relative import, or the folder that it names, stands. */
function folderOf(specifier: string, fromFile: string): string {
  return path.dirname(path.resolve(path.dirname(fromFile), specifier));
}

/** @param key of a resolution */
function leadsInto(folders: ReadonlySet<string>, key: string): boolean {
  const [, fromFile, specifier] = key.split("\0") as [string, string, string];
  return RELATIVE.test(specifier) && folders.has(folderOf(specifier, fromFile));
}

/** Whether files have come to folders, or gone from them. A file that is saved under another name and renamed makes no difference. */
class Folders {
  readonly #known = new Map<string, { modified: number; names: string }>();

  /** @param probe lists what the folder holds in this build, for those who ask for its files as well */
  note(folder: string, probe: SourceProbe): void {
    if (!this.#known.has(folder)) this.#known.set(folder, Folders.#look(folder, probe));
  }

  /** Those that have changed since they were noted or asked for last. */
  changed(probe: SourceProbe): Set<string> {
    const changed = new Set<string>();
    for (const [folder, { modified, names }] of this.#known) {
      if (modifiedAt(folder) === modified) continue;
      const now = Folders.#look(folder, probe);
      this.#known.set(folder, now);
      if (now.names !== names) changed.add(folder);
    }
    return changed;
  }

  static #look(folder: string, probe: SourceProbe): { modified: number; names: string } {
    // The time first: a file that comes in between is seen at the next look.
    const modified = modifiedAt(folder);
    return { modified, names: modified < 0 ? "" : [...probe.list(folder).keys()].sort().join("\0") };
  }
}

/** ms; -1 where there is no such file or folder. */
function modifiedAt(file: string): number {
  return entryAt(file)?.mtimeMs ?? -1;
}

function resolutionOf(file: string): Resolution {
  if (IN_PACKAGE.test(file)) return { kind: "external" };
  if (isProjectSource(file)) return { kind: "project", file };
  return file.endsWith(".node") ? { kind: "external" } : { kind: "data", file };
}
