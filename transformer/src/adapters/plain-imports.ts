/**
 * Imports of which one look at a folder tells what esbuild makes of them.
 *
 * Takes: a build's options. Gives the files that relative imports lead to where no setting and no plugin has a say and only one file can be meant. All others are
 * for esbuild to answer, which takes a message each: most of a project's imports are plain, and there are thousands.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import type * as esbuild from "esbuild";
import { EXTENSIONS, mayNameFile } from "../emit/plain-files";
import { SourceProbe } from "./source-probe";

export class PlainImports {
  readonly #real = new Map<string, boolean>();

  private constructor(private readonly probe: SourceProbe) {}

  /**
   * None for a build in which others may answer otherwise.
   * @param probe lists the folders
   */
  static of(options: esbuild.BuildOptions | undefined, probe = new SourceProbe()): PlainImports | undefined {
    if (options?.platform !== "node" || options.mainFields !== undefined || options.resolveExtensions !== undefined) return undefined;
    if (options.preserveSymlinks === true || (options.plugins?.length ?? 0) > 1) return undefined;
    const paths = options.external?.some((entry) => entry.includes("*") || entry.startsWith(".") || path.isAbsolute(entry));
    return paths === true ? undefined : new PlainImports(probe);
  }

  /** @returns the file's absolute path; undefined when esbuild has to be asked */
  find(specifier: string, fromFile: string): string | undefined {
    if (!mayNameFile(specifier)) return undefined;
    const file = path.resolve(path.dirname(fromFile), specifier);
    const folder = path.dirname(file);
    const names = this.probe.list(folder);
    const meant = meantBy(path.basename(file), names);
    return meant !== undefined && this.#isReal(folder) ? path.join(folder, meant) : undefined;
  }

  #isReal(folder: string): boolean {
    let known = this.#real.get(folder);
    if (known === undefined) {
      known = fs.realpathSync(folder) === folder;
      this.#real.set(folder, known);
    }
    return known;
  }
}

function meantBy(name: string, names: ReadonlyMap<string, fs.Dirent>): string | undefined {
  const isFile = (each: string): boolean => names.get(each)?.isFile() === true;
  const extension = path.extname(name);
  if (names.has(name)) return extension !== "" && isFile(name) ? name : undefined;
  const others = EXTENSIONS.filter((each) => names.has(name + each));
  if (/^\.[cm]?js$/.test(extension)) {
    const source = `${name.slice(0, -2)}ts`;
    return others.length === 0 && isFile(source) ? source : undefined;
  }
  return others.length === 1 && isFile(name + others[0]) ? name + others[0] : undefined;
}
