/**
 * Where a task was pushed, for the stacks of its errors.
 *
 * Takes: nothing at the call but a bare stack capture; gives: an error's stack that goes on with the place of the call. A capture costs 1.5 µs, more than
 * the push itself, so there is a budget: the first {@link BUDGET} calls of every {@link WINDOW_MS} are recorded, which covers every program but those
 * that push tens of thousands a second, and costs those less than half a percent. `MAKEPARALLEL_STACKS=all` records every call, `none` records none.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { mapStack } from "./loader/stack-mapping";
import { OWN_FOLDER } from "./own-folder";
import { traceMapping, type TraceMap } from "./loader/trace-mapping";
import { limitStackTraces } from "./stack-trace-limit";
import { setTimeout } from "./own-clock";

const BUDGET = 256;
const WINDOW_MS = 100;
/** Frames recorded: a few of ours, which are left out later, and the caller's. */
const FRAMES = 10;

const setting = process.env["MAKEPARALLEL_STACKS"];

/** Calls that may still be recorded in this window. */
export let sitesLeft = setting === "none" ? 0 : setting === "all" ? Infinity : BUDGET;

/** An object whose `stack` tells the place; formatted only when somebody needs it. */
export type PushSite = { stack?: string };

/** Bun captures stacks for errors only; making one costs more. */
const TAKES_OBJECTS = process.versions["bun"] === undefined;

/** Records the place of the call that is being made. */
export function pushSite(): PushSite {
  if (--sitesLeft === 0) setTimeout(() => (sitesLeft = BUDGET), WINDOW_MS).unref();
  const limit = Error.stackTraceLimit;
  limitStackTraces(FRAMES);
  const site: PushSite = TAKES_OBJECTS ? {} : new Error("");
  Error.captureStackTrace(site, pushSite);
  limitStackTraces(limit);
  return site;
}

/** Frames of this package, which tell the user nothing. */
const OWN_FRAMES = OWN_FOLDER + path.sep;

const FRAME = /^\s+at /;
/** The line above a place of call. */
const CALLED = /^\s+--- .* was called here ---$/;
/** Places of calls in one stack: an error that passes through deep recursion of nested tasks would grow with each level. */
const MOST_CALLS = 8;

/** `StubTask.call`, whose caller is the stub of a tagged function or a method: the transformer's code, where the user has written no call. */
const STUB_CALL = /^\s+at (?:\S+\.)?call \(/;

function framesOf(stack: string): string[] {
  const frames = stack.split("\n").filter((line) => FRAME.test(line));
  const first = frames.findIndex((line) => !line.includes(OWN_FRAMES));
  if (first > 0 && first + 1 < frames.length && STUB_CALL.test(frames[first - 1]!)) frames.splice(first, 1);
  return frames.filter((line) => !line.includes(OWN_FRAMES));
}

/**
 * The frames that are the task's: what follows this package's own (the executor that called it) is the worker's loop, or another task whose `get`
 * made the worker help.
 */
function withoutCallers(lines: readonly string[]): string[] {
  const kept: string[] = [];
  let section: "before" | "task" | "callers" = "before";
  for (const line of lines) {
    if (!FRAME.test(line)) {
      // The message, or the line above a nested task's place of call: frames count again from here.
      section = "before";
      kept.push(line);
    } else if (line.includes(OWN_FRAMES)) {
      if (section === "task") section = "callers";
    } else if (section !== "callers") {
      section = "task";
      kept.push(line);
    }
  }
  return kept;
}

/**
 * Makes an error's stack readable to the one who pushed the task: no frames of this package, and the place of the call at the end.
 * @param own true for an error made on this side (a time-out, a crash), whose own frames lie in this package or wherever the loop was
 */
export function addPushSite(error: unknown, site: PushSite | undefined, name: string, own: boolean): void {
  if (!(error instanceof Error)) return;
  try {
    const { stack } = error;
    if (typeof stack !== "string") return;
    const all = mapStack(stack).split("\n");
    const lines = own ? all.filter((line) => !FRAME.test(line)) : withoutCallers(all);
    const frames = site === undefined ? [] : framesOf(site.stack ?? "").map(mapFrame);
    const calls = all.reduce((count, line) => (CALLED.test(line) ? count + 1 : count), 0);
    if (frames.length > 0 && calls < MOST_CALLS) lines.push(`    --- ${name} was called here ---`, ...frames);
    Object.defineProperty(error, "stack", { value: lines.join("\n"), configurable: true, writable: true, enumerable: false });
  } catch {
    // A frozen error, or one whose `stack` is the program's own business, stays as it is.
  }
}

/** Takes this package's frames out of the stack of an error that it throws at a call. */
export function withoutOwnFrames(error: Error): void {
  const { stack } = error;
  if (typeof stack !== "string") return;
  const lines = stack.split("\n").filter((line) => !FRAME.test(line) || !line.includes(OWN_FRAMES));
  Object.defineProperty(error, "stack", { value: lines.join("\n"), configurable: true, writable: true, enumerable: false });
}

const maps = new Map<string, TraceMap | undefined>();

/** Emitted positions become source positions, as `node --enable-source-maps` would show them (in which case there is nothing left to do). */
function mapFrame(line: string): string {
  return line.replace(
    /((?:file:\/\/)?(?:\/|[A-Za-z]:[\\/])[^()]*?):(\d+):(\d+)(?=\)?$)/,
    (text, file: string, row: string, column: string) => {
      const emitted = file.startsWith("file://") ? fileURLToPath(file) : file;
      const map = mapOf(emitted);
      if (map === undefined) return text;
      const found = traceMapping().originalPositionFor(map, { line: Number(row), column: Number(column) - 1 });
      if (found.source === null) return text;
      return `${path.resolve(path.dirname(emitted), found.source)}:${found.line}:${found.column + 1}`;
    },
  );
}

function mapOf(file: string): TraceMap | undefined {
  if (maps.has(file)) return maps.get(file);
  let map: TraceMap | undefined;
  try {
    const named = /\/\/# sourceMappingURL=(\S+)\s*$/.exec(fs.readFileSync(file, "utf8"))?.[1];
    if (named !== undefined) map = new (traceMapping().TraceMap)(readMap(file, named));
  } catch {
    // Without its map, an emitted file's own positions are the best there is.
  }
  maps.set(file, map);
  return map;
}

function readMap(file: string, named: string): string {
  const inline = /^data:application\/json;(?:charset=utf-8;)?base64,(.*)$/.exec(named)?.[1];
  return inline === undefined
    ? fs.readFileSync(path.resolve(path.dirname(file), decodeURI(named)), "utf8")
    : Buffer.from(inline, "base64").toString("utf8");
}
