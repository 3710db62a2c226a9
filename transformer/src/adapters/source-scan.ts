/** What a search of a project's sources found before a build, and what has come since. */
import * as fs from "node:fs";
import * as path from "node:path";
import { findBinding } from "../../../runtime-ts/src/pool/native-binding";
import { type FoundSources, searchNewSources, searchSources } from "./source-search";

/** As seen from dist/transformer/src/adapters, where the plugin's bundle is, too. */
const ADDON_FOLDER = path.join(__dirname, "../../../native");
/** Reading more files than this takes longer than answering for those that a build has. */
const LIMIT = { native: 20_000, javascript: 5_000 };

export class SourceScan {
  readonly marked: readonly string[];
  readonly withClasses: readonly string[];
  /** Folders that were not searched, those of packages not among them. */
  readonly skipped: readonly string[];

  private constructor(
    readonly folder: string,
    private readonly output: string,
    found: Pick<FoundSources, "marked" | "withClasses" | "skipped">,
    private readonly searched: () => Pick<FoundSources, "files" | "folders">,
  ) {
    this.marked = found.marked;
    this.withClasses = found.withClasses;
    this.skipped = found.skipped;
  }

  /**
   * @param output folder that the build writes to
   * @returns undefined when the folder holds too many files
   */
  static of(folder: string, output: string): SourceScan | undefined {
    // The runtime's addon: it is a library that is loaded, nothing is started.
    const native = findBinding(ADDON_FOLDER);
    if (!("binding" in native)) {
      const found = searchSources(folder, output, LIMIT.javascript);
      return found && new SourceScan(folder, output, found, () => found);
    }
    const found = native.binding.searchSources(folder, output, LIMIT.native);
    if (!found) return undefined;
    return new SourceScan(folder, output, found, () => ({
      files: found.files.split("\0"),
      folders: new Map(found.folders.split("\0").map((each, index) => [each, found.times[index]])),
    }));
  }

  /** Looks through files that have come since. */
  newlyMarked(): readonly string[] {
    return searchNewSources(this.searched(), this.output).marked;
  }
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
