/**
 * What the root notes of its workers' starts and ends, for the channels, stats and traces. The same for all backends that have workers.
 */
import { workerExited, workerSpawned, type WorkerExitReason } from "./channels";
import { keepRecords } from "./metrics";
import { C, type Telemetry } from "./telemetry";

export interface WatchedWorker {
  /** Its number in the pool. */
  worker: number;
  /** Of `node:worker_threads`. */
  threadId: number;
  /** The memory that it was given. */
  telemetry: Telemetry;
  /** The number of a worker that it did not know itself: see `Run.worker`. */
  seatOf: (worker: number) => number;
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
  alive.add(worker);
  workerSpawned(worker.worker, worker.threadId);
  watcher?.spawned(worker);
  return (exitCode, cause) => {
    const reason = cause ?? (worker.telemetry.control[C.Leaving] === 1 ? "idle" : "crashed");
    alive.delete(worker);
    keepRecords(worker.telemetry);
    workerExited(worker.worker, worker.threadId, exitCode, reason);
    watcher?.exited(worker, exitCode, reason);
  };
}
