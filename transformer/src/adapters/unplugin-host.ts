/** What the host-independent half of the bundler plugins (unplugin-build.ts) asks of a bundler, and in what terms it answers. */
import type { Diagnostic, Position } from "../core";
import type { HostBuildOptions } from "../emit/options";

/** Where the host's own resolution leads: outside the build, to a file, or nowhere that a file system knows (undefined). */
export type HostResolution = { external: true; specifier?: string } | { external?: false; file: string } | undefined;

export interface HostFacts {
  /** Name of the host, part of the manifest key. */
  name: string;
  /** Folder that the host works in: relative names start there, and the package around it is the root of all ids. */
  cwd: string;
  /** Absolute paths of the entry files, as far as they are known before anything is loaded. */
  entries: readonly string[];
  /**
   * Whether there are entries that are the host's own modules (Nitro's, Astro's): nobody can say beforehand what they lead to. Then files are handed out as if
   * all of the project were in the program; chunks are made of what is.
   */
  hasHiddenEntries?: boolean;
  /** What else tells this build from others of the package, without absolute paths. */
  identity: readonly string[];
  /** JavaScript expression for the emitted file's own place; undefined while developing, where stubs name the manifest itself. */
  location: string | undefined;
  /**
   * True where builds follow each other: what has tasks then changes whenever their chunks do, or a server that loads anew what has been emitted anew would
   * not load it.
   */
  isWatching?(): boolean;
  /** esbuild settings that change what code means. */
  settings: HostBuildOptions;
  resolve(specifier: string, fromFile: string, kind: "import" | "require"): Promise<HostResolution>;
}

/** Where a build's output goes, and how. */
export interface HostOutput {
  /** Absolute path of the folder that holds the emitted files. */
  folder: string;
  /** Module format of the emitted files. */
  module: "esm" | "cjs";
  /** Whether the emitted files see CommonJS packages as Node's ES modules do. */
  nodeInterop: boolean;
  /** Key of its manifest, as long as the build's, where one build has several outputs. Default: the build's. */
  key?: string;
}

/** A diagnostic as bundlers take it. */
export interface HostMessage {
  severity: Diagnostic["severity"];
  code: string;
  /** With code frame, related places and way out. */
  text: string;
  file: string;
  /** 1-based. */
  line: number;
  /** 0-based. */
  column: number;
}

/** Line and column of a position in a text. */
export function placeIn(text: string, at: Position): { line: number; column: number } {
  const before = text.slice(0, at.start);
  return { line: before.split("\n").length, column: at.start - (before.lastIndexOf("\n") + 1) };
}
