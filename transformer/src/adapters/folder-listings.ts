/**
 * Which files are there, for questions about many paths in few folders: a folder is listed once, which takes less time than asking for two of its files. On file
 * systems that take no notice of case, names are told apart all the same.
 */
import * as fs from "node:fs";
import * as path from "node:path";

export class FolderListings {
  readonly #folders = new Map<string, ReadonlyMap<string, fs.Dirent>>();

  /** @param file absolute and normalized */
  hasFile(file: string): boolean {
    const entry = this.#list(path.dirname(file)).get(path.basename(file));
    if (!entry) return false;
    return entry.isSymbolicLink() ? fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true : entry.isFile();
  }

  #list(folder: string): ReadonlyMap<string, fs.Dirent> {
    let entries = this.#folders.get(folder);
    if (!entries) {
      entries = new Map(entriesOf(folder).map((entry) => [entry.name, entry]));
      this.#folders.set(folder, entries);
    }
    return entries;
  }
}

function entriesOf(folder: string): fs.Dirent[] {
  try {
    return fs.readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}
