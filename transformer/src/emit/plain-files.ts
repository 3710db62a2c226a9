/**
 * Relative imports of packages that lead to a file beyond doubt.
 *
 * Takes: a specifier and the folder that it is resolved from. Tells whether esbuild finds a source there; which one it takes is its own to say. A
 * plugin that asks it (`build.resolve`) has it make a resolver for each question, which reads the folders and their package.json again
 * (https://github.com/evanw/esbuild/issues/3795): ten milliseconds in a package of a thousand files, for each of its imports.
 */
import * as fs from "node:fs";
import * as path from "node:path";

/** What esbuild looks for where an import leaves the extension out. */
const EXTENSIONS = [".tsx", ".ts", ".jsx", ".js", ".css", ".json"];

export class PlainFiles {
  readonly #folders = new Map<string, ReadonlySet<string>>();

  /** @param extensions the host's `resolveExtensions` */
  constructor(private readonly extensions: readonly string[] = EXTENSIONS) {}

  /** @returns false also where it takes more than a look at one folder to know */
  has(specifier: string, folder: string): boolean {
    if (!/^\.\.?\//.test(specifier) || /[?#\\]|\/\.{0,2}$/.test(specifier)) return false;
    const file = path.resolve(folder, specifier);
    const names = this.#list(path.dirname(file));
    const name = path.basename(file);
    return names.has(name) || this.extensions.some((extension) => extension !== ".node" && names.has(name + extension));
  }

  /** Names of the files, without links. */
  #list(folder: string): ReadonlySet<string> {
    let names = this.#folders.get(folder);
    if (!names) {
      let entries: fs.Dirent[] = [];
      try {
        entries = fs.readdirSync(folder, { withFileTypes: true });
      } catch {
        // Nothing is found there, which is esbuild's to say.
      }
      names = new Set(entries.flatMap((entry) => (entry.isFile() ? entry.name : [])));
      this.#folders.set(folder, names);
    }
    return names;
  }
}
