/**
 * What the root notes of its workers' starts and ends, for the channels, stats and traces, and how it ends them. The same for all backends that have workers.
 */
import type { MessagePort, Worker } from "node:worker_threads";
import { workerExited, workerSpawned, type WorkerExitReason } from "./channels";
import { keepRecords } from "./metrics";
import { hasHungUp } from "./pool/thread-end";
import { C, giveTelemetryBack, type Telemetry } from "./telemetry";
import { EXIT_LIMIT_MS, isExiting, mayTerminate } from "./thread-exit";
import { clearTimeout, setTimeout } from "./own-clock";

export interface WatchedWorker {
  /** Its number in the pool. */
  worker: number;
  /** Of `node:worker_threads`. */
  threadId: number;
  /** The memory that it was given. */
  telemetry: Telemetry;
  /** The number of a worker that it did not know itself: see `Run.worker`. */
  seatOf: (worker: number) => number;
  thread: Worker;
  /** This thread's end of a channel to it, which closes with it. */
  line: MessagePort;
}

/** A trace that is being recorded. */
interface Watcher {
  spawned(worker: WatchedWorker): void;
  exited(worker: WatchedWorker, exitCode: number, reason: WorkerExitReason): void;
}

const alive = new Set<WatchedWorker>();
let watcher: Watcher | undefined;

export function watchedWorkers(): ReadonlySet<WatchedWorker> {
  return alive;
}

export function onWorkers(callbacks: Watcher | undefined): void {
  watcher = callbacks;
}

/**
 * A worker's thread has been started.
 * @returns to be called when the thread has ended, with what ended it if the pool did
 */
export function workerStarted(worker: WatchedWorker): (exitCode: number, cause: "terminated" | "shutdown" | undefined) => void {
  // Before listeners of the program, which may use the pool: what they wait for, they get.
  if (alive.size === 0) process.prependListener("exit", endWithProgram);
  alive.add(worker);
  workerSpawned(worker.worker, worker.threadId);
  watcher?.spawned(worker);
  return (exitCode, cause) => {
    const reason = cause ?? (worker.telemetry.control[C.Leaving] === 1 ? "idle" : "crashed");
    alive.delete(worker);
    clearTimeout(limits.get(worker));
    limits.delete(worker);
    if (alive.size === 0) process.off("exit", endWithProgram);
    keepRecords(worker.telemetry);
    workerExited(worker.worker, worker.threadId, exitCode, reason);
    watcher?.exited(worker, exitCode, reason);
    giveTelemetryBack(worker.telemetry);
  };
}

const terminated = new WeakSet<WatchedWorker>();
/** Until those that end by themselves are terminated nevertheless. */
const limits = new Map<WatchedWorker, NodeJS.Timeout>();

/** Ends a worker's thread: at once, or, where it is in its `process.exit` already, when that takes too long. */
export function endThread(worker: WatchedWorker): void {
  // Of one that has ended, the memory may be another's by now.
  if (!alive.has(worker) || terminated.has(worker) || limits.has(worker)) return;
  const terminate = (): void => {
    limits.delete(worker);
    terminated.add(worker);
    void worker.thread.terminate();
  };
  if (mayTerminate(worker.telemetry.control)) terminate();
  else limits.set(worker, setTimeout(terminate, EXIT_LIMIT_MS).unref());
}

const pause = new Int32Array(new SharedArrayBuffer(4));

/** The program ends, and Node is about to terminate all threads: no worker begins to exit any more, and those that have begun are waited for. */
function endWithProgram(): void {
  for (const { telemetry } of alive) mayTerminate(telemetry.control);
  // Counted, not timed: a test may have stopped the clock.
  let left = EXIT_LIMIT_MS;
  for (const { telemetry, line } of alive) {
    while (isExiting(telemetry.control) && !hasHungUp(line) && left-- > 0) Atomics.wait(pause, 0, 0, 1);
  }
}
