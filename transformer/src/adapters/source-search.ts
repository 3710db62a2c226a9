/**
 * The search for marks in a folder's sources.
 *
 * Takes: a folder. Gives: the sources in it, those among them that may have marks, and those with classes. Files are looked through as bytes: decoding them, or
 * following their imports, takes several times as long as reading them. Folders of packages are left out; so are links, since what they lead to has a path of its
 * own, and folders that hold no sources as a rule: hidden ones and outputs. These are told apart, since a build may have files of them all the same.
 *
 * The native addon has the same rules (`runtime-native/src/source_search.rs`) and takes a third of the time. This is for where it can't be loaded.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { entryAt } from "./file-entry";
import { mayContainMarkBytes } from "../analyze/marks";

/** Paths begin with that of the folder, as it was given. */
export interface FoundSources {
  files: string[];
  /** Those that may have marks. */
  marked: string[];
  withClasses: string[];
  /** Folders that were searched, with the time in ms at which something was added to them or taken away last. */
  folders: Map<string, number>;
  /** Folders that were not, those of packages not among them. */
  skipped: string[];
}

const SOURCE = /\.[cm]?[jt]sx?$/;

/** Most files are smaller; they are read into one buffer, which takes a third less time. */
const BUFFER_SIZE = 256 * 1024;

/** Beside a package.json they are what a build made. */
const OUTPUTS = new Set(["dist", "build", "out", "coverage"]);

/**
 * @param output absolute path of a folder that is left out
 * @param limit of sources
 * @returns undefined when there are more
 */
export function searchSources(folder: string, output: string, limit: number): FoundSources | undefined {
  const found: FoundSources = { files: [], marked: [], withClasses: [], folders: new Map(), skipped: [] };
  if (!list(folder, output, limit, found)) return undefined;
  look(found);
  return found;
}

/**
 * Searches what has come since into the folders of an earlier search.
 *
 * @param earlier its files and folders
 */
export function searchNewSources({ files, folders }: Pick<FoundSources, "files" | "folders">, output: string): FoundSources {
  const known = new Set(files);
  const found: FoundSources = { files: [], marked: [], withClasses: [], folders: new Map(), skipped: [] };
  for (const [folder, time] of folders) {
    // Where a build writes beside its sources, what it wrote is new, too.
    if (folder === output || timeOf(folder) === time) continue;
    const entries = entriesOf(folder);
    for (const entry of entries) {
      const file = folder + path.sep + entry.name;
      if (folders.has(file) || known.has(file)) continue;
      if (entry.isDirectory() && isSearched(file, entry.name, output, entries)) list(file, output, Infinity, found);
      else if (entry.isFile() && SOURCE.test(entry.name)) found.files.push(file);
    }
  }
  look(found);
  return found;
}

function list(folder: string, output: string, limit: number, found: FoundSources): boolean {
  found.folders.set(folder, timeOf(folder));
  const entries = entriesOf(folder);
  for (const entry of entries) {
    const { name } = entry;
    const file = folder + path.sep + name;
    if (entry.isDirectory()) {
      if (isSearched(file, name, output, entries)) {
        if (!list(file, output, limit, found)) return false;
      } else if (name !== "node_modules") {
        found.skipped.push(file);
      }
    } else if (entry.isFile() && SOURCE.test(name)) {
      found.files.push(file);
    }
  }
  return found.files.length <= limit;
}

function isSearched(file: string, name: string, output: string, siblings: readonly fs.Dirent[]): boolean {
  if (name === "node_modules" || name.startsWith(".") || file === output) return false;
  return !OUTPUTS.has(name) || !siblings.some((sibling) => sibling.name === "package.json");
}

function look(found: FoundSources): void {
  const buffer = Buffer.allocUnsafe(BUFFER_SIZE);
  for (const file of found.files) {
    const bytes = read(file, buffer);
    if (!bytes) continue;
    if (mayContainMarkBytes(bytes)) found.marked.push(file);
    if (bytes.includes("class")) found.withClasses.push(file);
  }
}

function read(file: string, buffer: Buffer): Buffer | undefined {
  let opened: number | undefined;
  try {
    opened = fs.openSync(file, "r");
    const length = fs.readSync(opened, buffer, 0, BUFFER_SIZE, 0);
    return length < BUFFER_SIZE ? buffer.subarray(0, length) : fs.readFileSync(file);
  } catch {
    return undefined; // gone, or not to be read: esbuild says so if it is part of the build
  } finally {
    if (opened !== undefined) fs.closeSync(opened);
  }
}

function entriesOf(folder: string): fs.Dirent[] {
  try {
    return fs.readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function timeOf(folder: string): number {
  return entryAt(folder)?.mtimeMs ?? 0;
}
