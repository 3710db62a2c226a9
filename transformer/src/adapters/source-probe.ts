/**
 * Which sources the paths in imports mean, for many paths in few folders.
 *
 * Each path is looked up once, in lists of the folders. On file systems that take no notice of case, names are told apart all the same.
 */
import type * as fs from "node:fs";
import * as path from "node:path";
import { FolderLists } from "../emit/folder-lists";
import { entryAt } from "./file-entry";

const EXTENSIONS = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"];
const SOURCE = /\.[cm]?[jt]sx?$/;

export class SourceProbe {
  readonly #folders = new FolderLists();
  readonly #found = new Map<string, string | undefined>();

  /**
   * @param file absolute and normalized
   * @returns the file that it means, in esbuild's order
   */
  find(file: string): string | undefined {
    const known = this.#found.get(file);
    if (known !== undefined || this.#found.has(file)) return known;
    const found = this.#look(file);
    this.#found.set(file, found);
    return found;
  }

  #look(file: string): string | undefined {
    for (const candidate of candidatesOf(file)) {
      if (SOURCE.test(candidate) && this.#hasFile(candidate)) return candidate;
    }
    return undefined;
  }

  #hasFile(file: string): boolean {
    const entry = this.list(path.dirname(file)).get(path.basename(file));
    if (!entry) return false;
    return entry.isSymbolicLink() ? entryAt(file)?.isFile() === true : entry.isFile();
  }

  /** What is in a folder, by name. Nothing where there is no such folder. */
  list(folder: string): ReadonlyMap<string, fs.Dirent> {
    return this.#folders.list(folder);
  }
}

function* candidatesOf(file: string): Generator<string> {
  yield file;
  const js = /\.([cm]?)js(x?)$/.exec(file);
  if (js) {
    const base = file.slice(0, js.index);
    yield `${base}.${js[1]}ts${js[2]}`;
    yield `${base}.tsx`;
  }
  for (const extension of EXTENSIONS) yield file + extension;
  for (const extension of EXTENSIONS) yield path.join(file, `index${extension}`);
}
