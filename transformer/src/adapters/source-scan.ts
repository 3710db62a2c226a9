/**
 * The search for marks in the files of a project, before a build.
 *
 * Takes: a folder. Gives: the sources in it that may have marks, and those with classes. Files are looked through as bytes: decoding them, or following
 * their imports, takes several times as long as reading them. Folders of packages are left out; so are links, since what they lead to has a path of its own, and
 * folders that hold no sources as a rule: hidden ones and outputs. These are told apart, since a build may have files of them all the same.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { mayContainMarkBytes } from "../analyze/marks";

const SOURCE = /\.[cm]?[jt]sx?$/;

/** Reading more files than this takes longer than answering for those that a build has. */
const LIMIT = 5000;

/** Most files are smaller; they are read into one buffer, which takes a third less time. */
const BUFFER_SIZE = 256 * 1024;

/** Beside a package.json they are what a build made. */
const OUTPUTS = new Set(["dist", "build", "out", "coverage"]);

export class SourceScan {
  readonly marked: string[] = [];
  readonly withClasses: string[] = [];
  /** Folders that were not searched, those of packages not among them. */
  readonly skipped: string[] = [];
  readonly #files = new Set<string>();
  /** Folders, with the time at which something was added to them or taken away last. */
  readonly #folders = new Map<string, number>();
  #buffer: Buffer | undefined = Buffer.allocUnsafe(BUFFER_SIZE);

  private constructor(
    readonly folder: string,
    private readonly output: string,
  ) {}

  /**
   * @param output folder that the build writes to
   * @returns undefined when the folder holds too many files
   */
  static of(folder: string, output: string): SourceScan | undefined {
    const scan = new SourceScan(folder, output);
    if (!scan.#list(folder)) return undefined;
    for (const file of scan.#files) scan.#look(file);
    scan.#buffer = undefined;
    return scan;
  }

  /** Looks through files that have come since. */
  newFiles(): SourceScan {
    const later = new SourceScan(this.folder, this.output);
    for (const [folder, time] of this.#folders) {
      // Where a build writes beside its sources, what it wrote is new, too.
      if (folder === this.output || timeOf(folder) === time) continue;
      const entries = entriesOf(folder);
      for (const entry of entries) {
        const file = path.join(folder, entry.name);
        if (this.#folders.has(file) || this.#files.has(file)) continue;
        if (entry.isDirectory() && later.#isSearched(file, entry.name, entries)) later.#list(file);
        else if (entry.isFile() && SOURCE.test(entry.name)) later.#files.add(file);
      }
    }
    for (const file of later.#files) later.#look(file);
    return later;
  }

  #list(folder: string): boolean {
    this.#folders.set(folder, timeOf(folder));
    const entries = entriesOf(folder);
    for (const entry of entries) {
      const file = folder + path.sep + entry.name;
      if (entry.isDirectory()) {
        if (this.#isSearched(file, entry.name, entries) && !this.#list(file)) return false;
      } else if (entry.isFile() && SOURCE.test(entry.name)) {
        this.#files.add(file);
      }
    }
    return this.#files.size <= LIMIT;
  }

  #isSearched(file: string, name: string, siblings: readonly fs.Dirent[]): boolean {
    if (name === "node_modules") return false;
    const isOutput = OUTPUTS.has(name) && siblings.some((sibling) => sibling.name === "package.json");
    if (!isOutput && !name.startsWith(".") && file !== this.output) return true;
    this.skipped.push(file);
    return false;
  }

  #look(file: string): void {
    const bytes = this.#read(file);
    if (!bytes) return;
    if (mayContainMarkBytes(bytes)) this.marked.push(file);
    if (bytes.includes("class")) this.withClasses.push(file);
  }

  #read(file: string): Buffer | undefined {
    let opened: number | undefined;
    try {
      if (!this.#buffer) return fs.readFileSync(file);
      opened = fs.openSync(file, "r");
      const length = fs.readSync(opened, this.#buffer, 0, BUFFER_SIZE, 0);
      return length < BUFFER_SIZE ? this.#buffer.subarray(0, length) : fs.readFileSync(file);
    } catch {
      return undefined; // gone, or not to be read: esbuild says so if it is part of the build
    } finally {
      if (opened !== undefined) fs.closeSync(opened);
    }
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
  return fs.statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** The folder of the workspace that a package is part of: its packages import each other's sources. The package itself when there is none. */
export function workspaceFolder(root: string): string {
  for (let folder = root; ; folder = path.dirname(folder)) {
    if (isWorkspace(folder)) return folder;
    if (folder === path.dirname(folder)) return root;
  }
}

function isWorkspace(folder: string): boolean {
  if (fs.existsSync(path.join(folder, "pnpm-workspace.yaml"))) return true;
  try {
    return (JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8")) as { workspaces?: unknown }).workspaces !== undefined;
  } catch {
    return false;
  }
}
