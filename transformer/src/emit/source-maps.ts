/**
 * The last step of a chunk's map: sources become real files, relative to the map, and positions that no source has go.
 *
 * Takes: a map whose sources are esbuild's names, what stands behind them, and their texts. Gives: a map that can be moved together with the sources. Text of
 * project files is included, so that a debugger shows it wherever the output goes; that of packages is not.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { remembered } from "../analyze/remembered";
import { decoded, encoded, GENERATED, type RawSourceMap } from "./chunk-format";
import { lineStarts, type Segment } from "./mapped-text";
import { portableRelative, toSlashes } from "./paths";

export interface SourceOrigin {
  /** Absolute path of the folder that the map goes to. */
  folder: string;
  /** Absolute path of the folder that esbuild's relative source names start from. */
  base: string;
  fileOfSource(source: string): string | undefined;
  isProjectFile(file: string): boolean;
}

/** Texts of files, as they were when each was first asked for. */
export class SourceTexts {
  private readonly known = new Map<string, string | undefined>();

  /** @returns undefined when it can't be read */
  of(file: string): string | undefined {
    return remembered(this.known, file, () => readText(file));
  }

  /** Looks again. @returns the files that have another text by now */
  refresh(): Set<string> {
    const changed = new Set<string>();
    for (const [file, text] of this.known) {
      const now = readText(file);
      if (now === text) continue;
      this.known.set(file, now);
      changed.add(file);
    }
    return changed;
  }
}

export interface FinishedMap {
  json: string;
  /** Absolute paths of its sources, in their order. */
  files: string[];
}

export function finishMap(map: RawSourceMap, origin: SourceOrigin, texts: SourceTexts): FinishedMap {
  const sources: string[] = [];
  const contents: (string | null)[] = [];
  const lineCounts: number[] = [];
  const indexOf = new Map<string, number>();
  const newIndex = map.sources.map((source) => {
    if (source === GENERATED) return undefined;
    const file = origin.fileOfSource(source) ?? path.resolve(origin.base, source);
    let index = indexOf.get(file);
    if (index === undefined) {
      index = sources.length;
      indexOf.set(file, index);
      sources.push(toSlashes(portableRelative(origin.folder, file)));
      const text = texts.of(file);
      contents.push(text !== undefined && origin.isProjectFile(file) ? text : null);
      lineCounts.push(text === undefined ? Infinity : lineStarts(text).length);
    }
    return index;
  });
  const mappings = decoded(map).map((line) =>
    line.map((segment): Segment => {
      if (segment.length === 1) return segment;
      const source = newIndex[segment[1]];
      // Text that the slicer added stands after the original's end.
      if (source === undefined || segment[2] >= lineCounts[source]) return [segment[0]];
      return segment.length === 5 ? [segment[0], source, segment[2], segment[3], segment[4]] : [segment[0], source, segment[2], segment[3]];
    }),
  );
  const json = JSON.stringify({ version: 3, sources, sourcesContent: contents, names: map.names, mappings: encoded(mappings) });
  return { json, files: [...indexOf.keys()] };
}

function readText(file: string): string | undefined {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
