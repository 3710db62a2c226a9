/**
 * Stacks of errors that are thrown in chunk code, in terms of the source.
 *
 * Takes: call sites or stack text with positions in chunks. Gives: the same with positions in the TypeScript files, through the maps beside the
 * chunks. Maps are read when the first stack that needs them is looked at. Positions in other files are left alone.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { CHUNK_FOLDER } from "../manifest";
import { traceMapping, type TraceMap } from "./trace-mapping";

const maps = new Map<string, TraceMap | undefined>();

export interface SourcePosition {
  file: string;
  /** From 1. */
  line: number;
  column: number;
}

/** Position in the source of a position (both from 1) in a chunk; undefined if it is no chunk, or the source has no such place. */
export function mapPosition(file: string, line: number, column: number): SourcePosition | undefined {
  const map = mapOf(file);
  if (!map) return undefined;
  const found = traceMapping().originalPositionFor(map, { line, column: column - 1 });
  if (found.source === null) return undefined;
  return { file: path.resolve(path.dirname(file), found.source), line: found.line, column: found.column + 1 };
}

function mapOf(file: string): TraceMap | undefined {
  if (path.basename(path.dirname(file)) !== CHUNK_FOLDER || !file.endsWith(".cjs")) return undefined;
  if (maps.has(file)) return maps.get(file);
  let map: TraceMap | undefined;
  try {
    map = new (traceMapping().TraceMap)(fs.readFileSync(`${file}.map`, "utf8"));
  } catch {
    // A build may be shipped without its maps; positions are then the chunk's.
  }
  maps.set(file, map);
  return map;
}

const FRAME_POSITION = /(?:file:\/\/)?((?:\/|[A-Za-z]:[\\/])[^()\n]*?\.cjs):(\d+):(\d+)/g;

/** Rewrites the positions in a stack that is already text. */
export function mapStack(stack: string): string {
  return stack.replace(FRAME_POSITION, (text, file: string, line: string, column: string) => {
    const position = mapPosition(file, Number(line), Number(column));
    return position ? `${position.file}:${position.line}:${position.column}` : text;
  });
}

type PrepareStackTrace = NonNullable<typeof Error.prepareStackTrace>;

/**
 * Makes `error.stack` show source positions, in this thread. A function that was in `Error.prepareStackTrace` before stays in charge of the text; one that is
 * installed later replaces this one, as it replaces Node's own.
 */
export function installStackMapping(): void {
  const previous = Error.prepareStackTrace as (PrepareStackTrace & { [INSTALLED]?: true }) | undefined;
  if (previous?.[INSTALLED]) return;
  const prepare: PrepareStackTrace & { [INSTALLED]?: true } = (error, callSites) => {
    if (previous) return throughPrevious(previous, error, callSites);
    const mapped = callSites.map(mapCallSite);
    const header = headerOf(error);
    return mapped.length === 0 ? header : `${header}\n    at ${mapped.join("\n    at ")}`;
  };
  prepare[INSTALLED] = true;
  try {
    Error.prepareStackTrace = prepare;
  } catch {
    // `Error` is frozen: stacks show emitted positions.
  }
}

/**
 * What was there before may map positions by itself, as that of vitest does: a TypeScript position that it is given is one in the compiled file to it, and is
 * mapped a second time. So it gets the positions in the chunks, which it does not know, and they are mapped in its text. Where that is not to be done (it gave no
 * text, or names of files alone), it gets mapped call sites.
 */
function throughPrevious(previous: PrepareStackTrace, error: Error, callSites: NodeJS.CallSite[]): unknown {
  const mapped = callSites.map(mapCallSite);
  const inChunks = callSites.filter((site, index) => site !== mapped[index]).map((site) => path.basename(site.getFileName() ?? ""));
  if (inChunks.length === 0) return previous(error, callSites) as unknown;
  const text: unknown = previous(error, callSites);
  const mappedText = typeof text === "string" ? mapStack(text) : undefined;
  if (mappedText === undefined || inChunks.some((name) => mappedText.includes(name))) return previous(error, mapped) as unknown;
  return mappedText;
}

const INSTALLED = Symbol("makeparallel stack mapping");

/** As V8 begins a stack; `toString` is the program's code and may throw. */
function headerOf(error: unknown): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return "<error>";
  }
}

function mapCallSite(site: NodeJS.CallSite): NodeJS.CallSite {
  const file = site.getFileName();
  const line = site.getLineNumber();
  const column = site.getColumnNumber();
  if (!file || line === null || column === null) return site;
  const position = mapPosition(file, line, column);
  if (!position) return site;
  return new Proxy(site, {
    get(target, key) {
      switch (key) {
        case "getFileName":
        case "getScriptNameOrSourceURL":
          return () => position.file;
        case "getLineNumber":
          return () => position.line;
        case "getColumnNumber":
          return () => position.column;
        case "toString":
          return () => target.toString().replace(`${file}:${line}:${column}`, () => `${position.file}:${position.line}:${position.column}`);
        default: {
          const value: unknown = Reflect.get(target, key, target);
          return typeof value === "function" ? (value.bind(target) as unknown) : value;
        }
      }
    },
  });
}
