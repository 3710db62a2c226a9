/**
 * Which files esbuild asks the plugin about.
 *
 * Takes: the settings of a build, and whether it is the only one of its setup. Gives: patterns for `onLoad`. In a single build the folder of the project is
 * searched for marks beforehand, and the patterns name the files that have some and, if there are any, those with classes, which may have to
 * change for a task elsewhere; what lies outside of that folder, or in its outputs, is asked about always. In a context, whose files change between its builds,
 * all sources of the project are asked about. Files of packages never are.
 */
import * as path from "node:path";
import type * as esbuild from "esbuild";
import type { EsbuildSettings } from "./esbuild-settings";
import { packageSegments, sourcesBut, sourcesIn, sourcesOutside, textOf } from "./path-patterns";
import { SourceScan, workspaceFolder } from "./source-scan";

/** So many files are named one by one; matching more of them takes longer than the messages that it saves. */
const NAMED = 400;

export class Questions {
  /** Patterns of the paths that are asked about. */
  readonly filters: readonly RegExp[];
  /** Of a single build, before it. */
  readonly #scan: SourceScan | undefined;
  readonly #folder: string;
  #hasMarks: boolean | undefined;
  #builds = 0;

  constructor(
    private readonly settings: EsbuildSettings,
    single: boolean,
  ) {
    this.#folder = workspaceFolder(settings.root);
    // A link is a name of its own with this option, so that the search could miss files.
    const canScan = single && settings.options.preserveSymlinks !== true;
    this.#scan = canScan ? SourceScan.of(this.#folder, this.settings.outFolder) : undefined;
    this.filters = this.#filters();
  }

  /** No file of the project has a mark; there may be some outside of its folder. */
  get isQuiet(): boolean {
    return this.#scan?.marked.length === 0;
  }

  /** Whether a file of the project's folder may have marks in this build. */
  get hasMarks(): boolean {
    return (this.#hasMarks ??= (this.#scan ?? SourceScan.of(this.#folder, this.settings.outFolder))?.marked.length !== 0);
  }

  /** Whether a file is asked about. */
  asks(file: string): boolean {
    return this.filters.some((filter) => filter.test(file));
  }

  #filters(): RegExp[] {
    const scan = this.#scan;
    const everything = [sourcesBut(packageSegments)];
    if (!scan) return everything;
    const named = scan.marked.length === 0 ? [] : [...new Set([...scan.marked, ...scan.withClasses])];
    if (named.length > NAMED) return everything;
    const filters = [sourcesOutside(scan.folder, packageSegments)];
    if (scan.skipped.length > 0) filters.push(sourcesIn(scan.skipped, packageSegments));
    // File systems that take no notice of case may give a name in another one.
    if (named.length > 0) filters.push(new RegExp(`^(?:${named.map(textOf).join("|")})$`, "i"));
    return filters;
  }

  /** A build begins. */
  start(): esbuild.OnStartResult | undefined {
    this.#builds++;
    if (!this.#scan) this.#hasMarks = undefined;
    return this.#builds > 1 && this.#scan
      ? this.#missed(SourceScan.of(this.#scan.folder, this.settings.outFolder)?.marked ?? [])
      : undefined;
  }

  /** A build is over: files may have been made while it ran, by other plugins. */
  end(): esbuild.OnEndResult | undefined {
    const hasOthers = (this.settings.options.plugins?.length ?? 0) > 1;
    return this.#scan && hasOthers ? this.#missed(this.#scan.newlyMarked()) : undefined;
  }

  #missed(marked: readonly string[]): { errors: esbuild.PartialMessage[] } | undefined {
    const missed = marked.filter((file) => !this.asks(file));
    if (missed.length === 0) return undefined;
    return {
      errors: missed.map((file) => ({
        text: `${path.relative(this.settings.cwd, file)} may have marks, and was not there when the build looked for them; build again.`,
      })),
    };
  }
}
