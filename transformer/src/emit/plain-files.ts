/**
 * Relative imports of packages that lead to a file beyond doubt.
 *
 * Takes: a specifier and the folder that it is resolved from. Tells whether esbuild finds a source there; which one it takes is its own to say. A
 * plugin that asks it (`build.resolve`) has it make a resolver for each question, which reads the folders and their package.json again
 * (https://github.com/evanw/esbuild/issues/3795): ten milliseconds in a package of a thousand files, for each of its imports.
 */
import * as path from "node:path";
import { FolderLists } from "./folder-lists";

/** What esbuild looks for where an import leaves the extension out. */
export const EXTENSIONS = [".tsx", ".ts", ".jsx", ".js", ".css", ".json"];

/** A specifier that names a file or folder from where it stands. */
export const RELATIVE = /^\.\.?\//;

/** Whether a specifier may name a file as it is: a relative one, without a query and not a folder's. */
export function mayNameFile(specifier: string): boolean {
  return RELATIVE.test(specifier) && !/[?#\\]|\/\.{0,2}$/.test(specifier);
}

export class PlainFiles {
  readonly #folders = new FolderLists();

  /** @param extensions the host's `resolveExtensions` */
  constructor(private readonly extensions: readonly string[] = EXTENSIONS) {}

  /** @returns false also where it takes more than a look at one folder to know */
  has(specifier: string, folder: string): boolean {
    if (!mayNameFile(specifier)) return false;
    const file = path.resolve(folder, specifier);
    const entries = this.#folders.list(path.dirname(file));
    const name = path.basename(file);
    // Links are esbuild's to follow.
    const isFile = (each: string): boolean => entries.get(each)?.isFile() === true;
    return isFile(name) || this.extensions.some((extension) => extension !== ".node" && isFile(name + extension));
  }
}
