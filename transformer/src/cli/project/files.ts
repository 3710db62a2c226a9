/** Reading a project's files, and showing their paths. */
import * as fs from "node:fs";
import * as path from "node:path";
import { entryAt } from "../../adapters/file-entry";

/** Text of a file, without a byte order mark; undefined when it can't be read. */
export function readText(file: string): string | undefined {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}

export function isFile(file: string): boolean {
  return entryAt(file)?.isFile() === true;
}

export function isFolder(folder: string): boolean {
  return entryAt(folder)?.isDirectory() === true;
}

/** The folder and those above it, from the inside out. */
export function* foldersUp(folder: string): Generator<string> {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    yield at;
    if (at === path.dirname(at)) return;
  }
}

/** Whether `file` lies in `folder` or below it. */
export function isInside(file: string, folder: string): boolean {
  const relative = path.relative(folder, file);
  return relative !== ".." && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}

/** A path as messages show it: relative to the folder, with `/`. */
export function shown(file: string, folder: string): string {
  return path.relative(folder, file).split(path.sep).join("/") || ".";
}

const LEFT_OUT = new Set(["node_modules", ".git", ".hg", ".cache", ".yarn", "coverage"]);

/** Files below a folder that are named so, without those of packages; stops at a depth that no sane layout reaches. */
export function* filesBelow(folder: string, named: RegExp, depth = 8): Generator<string> {
  let entries: fs.Dirent[];
  try {
    entries = fs.readdirSync(folder, { withFileTypes: true });
  } catch {
    return;
  }
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      if (depth > 0 && !LEFT_OUT.has(entry.name)) yield* filesBelow(file, named, depth - 1);
    } else if (entry.isFile() && named.test(entry.name)) yield file;
  }
}
