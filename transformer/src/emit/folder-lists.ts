/**
 * What is in folders. Each is listed once, which takes less time than asking for two of its files; what comes later is not seen: this is for one build, or one walk through
 * a project.
 */
import * as fs from "node:fs";

export class FolderLists {
  readonly #folders = new Map<string, ReadonlyMap<string, fs.Dirent>>();

  /** By name. Nothing where there is no such folder. */
  list(folder: string): ReadonlyMap<string, fs.Dirent> {
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
