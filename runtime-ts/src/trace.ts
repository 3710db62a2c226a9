/**
 * `trace`: records what tasks do, and writes it as a file that Perfetto (https://ui.perfetto.dev) and chrome://tracing open.
 *
 * The root turns the recording on in all environments of its pool, takes their events out of their memory (trace-events.ts) now and then and when it saves, and
 * keeps them in blocks of numbers until then.
 */
import { realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { inspect } from "node:util";
import { processNow } from "./clock";
import { ParallelError } from "./errors";
import { checkKeys } from "./options";
import { onFullRing } from "./trace-events";
import { traceFile } from "./trace-file";
import { BLOCK, type Recording, ROW, type TraceSource } from "./trace-recording";
import { C, EVENT, EVENTS, insideWorker, telemetry, type Telemetry } from "./telemetry";
import { onWorkers, type WatchedWorker, watchedWorkers } from "./worker-watch";
import { clearInterval, setInterval } from "./own-clock";

/** Options of `trace.start()`. */
export interface TraceOptions {
  /** Events to keep; a task makes about three. What comes after is counted, but dropped. Default 300,000, which take 24 MB. */
  maxEvents?: number;
}

/** What a saved trace holds. */
export interface SavedTrace {
  /** Absolute path. */
  file: string;
  /** Pushes, runs and pulls in it. */
  events: number;
  /** Those that found no room: see {@link TraceOptions.maxEvents}. */
  dropped: number;
}

/** ms between looks at the workers' events while the event loop turns. */
const COLLECT_MS = 20;
let recording: Recording | undefined;
let running = false;
let limit = 0;
let timer: NodeJS.Timeout | undefined;

function refuseInTasks(): void {
  if (insideWorker())
    throw new ParallelError("A trace is started and saved by the program, not in a task: it covers the tasks of all workers.");
}

/**
 * Starts to record the tasks that are pushed from now on, by the program and by tasks. What an earlier recording holds is given up.
 * @throws ParallelError when it records already, or in a task; RangeError for a bad `maxEvents`
 */
function start(options: TraceOptions = {}): void {
  refuseInTasks();
  checkKeys(options, ["maxEvents"], "trace.start()");
  const { maxEvents = 300_000 } = options;
  if (!Number.isInteger(maxEvents) || maxEvents < 1) throw new RangeError(`"maxEvents" is a whole number >= 1, not ${inspect(maxEvents)}.`);
  if (running) throw new ParallelError("A trace is being recorded already: call trace.stop() first.");
  limit = maxEvents;
  const now = processNow();
  recording = { started: now, ended: now, date: Date.now(), sources: [], blocks: [], rows: 0, dropped: 0, workers: [] };
  running = true;
  onFullRing(collect);
  add({ telemetry: telemetry(), seat: -1, seatOf: (worker) => worker });
  for (const worker of watchedWorkers()) addWorker(worker, false);
  onWorkers({ spawned: (worker) => addWorker(worker, true), exited: workerExited });
  timer = setInterval(collect, COLLECT_MS);
  timer.unref();
}

function add(source: TraceSource): void {
  const { control } = source.telemetry;
  // Left behind by an earlier recording.
  Atomics.store(control, C.Taken, Atomics.load(control, C.Written));
  Atomics.store(control, C.Dropped, 0);
  source.telemetry.recorded = true;
  recording!.sources.push(source);
  Atomics.store(control, C.Tracing, 1);
}

function addWorker(worker: WatchedWorker, isNew: boolean): void {
  add({ telemetry: worker.telemetry, seat: worker.worker, seatOf: worker.seatOf });
  if (isNew) recording!.workers.push({ name: "spawn", time: processNow(), seat: worker.worker, args: { threadId: worker.threadId } });
}

function workerExited(worker: WatchedWorker, exitCode: number, reason: string): void {
  collect();
  const { threadId, worker: seat } = worker;
  recording!.workers.push({ name: "exit", time: processNow(), seat, args: { threadId, exitCode, reason } });
}

/** Takes what the environments have written since the last time. */
function collect(): void {
  recording?.sources.forEach(({ telemetry }, index) => take(telemetry, index));
}

function take(from: Telemetry, source: number): void {
  const kept = recording!;
  const { control, events } = from;
  const written = Atomics.load(control, C.Written);
  let taken = Atomics.load(control, C.Taken);
  for (; taken !== written; taken = (taken + 1) | 0) {
    if (kept.rows >= limit) {
      kept.dropped++;
      continue;
    }
    const row = kept.rows++;
    if (row % BLOCK === 0) kept.blocks.push(new Float64Array(BLOCK * ROW));
    const block = kept.blocks[kept.blocks.length - 1]!;
    const at = (row % BLOCK) * ROW;
    const event = (taken & (EVENTS - 1)) * EVENT;
    for (let i = 0; i < EVENT; i++) block[at + i] = events[event + i]!;
    block[at + EVENT] = source;
  }
  Atomics.store(control, C.Taken, taken);
  kept.dropped += Atomics.exchange(control, C.Dropped, 0);
}

/** Ends the recording. What has been recorded stays until the next {@link start}. Does nothing when none is under way. */
function stop(): void {
  refuseInTasks();
  if (!running) return;
  clearInterval(timer);
  deliver();
  collect();
  for (const { telemetry } of recording!.sources) Atomics.store(telemetry.control, C.Tracing, 0);
  onWorkers(undefined);
  recording!.ended = processNow();
  running = false;
}

/** Lets the handles learn what has settled. */
function deliver(): void {
  const { runningBackend } = require("./configure") as typeof import("./configure");
  const backend = runningBackend();
  // Polling the inline backend runs a task.
  if (backend !== undefined && backend.kind !== "inline") backend.poll();
}

/**
 * Writes what has been recorded so far, as Chrome trace-event JSON. The recording goes on. The file is complete when this returns, and it appears at once or not
 * at all: it is written beside its place and renamed. (A pipe or a device is written to as it is.)
 * @param file path; a file of that name is replaced
 * @throws (the promise is rejected) ParallelError when nothing has been recorded; the file system's errors
 */
// Not asynchronous inside: a program that ends right after the call has its trace nevertheless.

async function save(file: string): Promise<SavedTrace> {
  refuseInTasks();
  if (recording === undefined) throw new ParallelError("There is no trace to save: call trace.start() before the tasks.");
  if (running) {
    deliver();
    collect();
    recording.ended = processNow();
  }
  const path = resolve(file);
  write(path, traceFile(recording));
  return { file: path, events: recording.rows, dropped: recording.dropped };
}

function write(path: string, text: string): void {
  const there = statSync(path, { throwIfNoEntry: false });
  // A pipe or a device (/dev/stdout) can only be written to.
  if (there !== undefined && !there.isFile()) return writeFileSync(path, text);
  // A link stays one.
  const target = there === undefined ? path : realpathSync(path);
  const beside = `${target}.${process.pid}.tmp`;
  try {
    writeFileSync(beside, text);
    renameSync(beside, target);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

/** Records tasks for Perfetto: `trace.start()`, run something, `trace.save("tasks.json")`. See docs/observability.md. */
export const trace = { start, stop, save };
