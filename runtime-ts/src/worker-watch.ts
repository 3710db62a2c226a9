/**
 * What the root notes of its workers' starts and ends, for the channels, stats and traces. The same for all backends that have workers.
 */
import { workerExited, workerSpawned, type WorkerExitReason } from "./channels";
import { forgetWorker, watchWorker } from "./metrics";
import { C, type Telemetry } from "./telemetry";

/**
 * A worker's thread has been started.
 * @param worker its number in the pool
 * @param threadId of `node:worker_threads`
 * @param telemetry the memory that it was given
 * @returns to be called when the thread has ended, with what ended it if the pool did
 */
export function workerStarted(
  worker: number,
  threadId: number,
  telemetry: Telemetry,
): (exitCode: number, cause: "terminated" | "shutdown" | undefined) => void {
  watchWorker(telemetry);
  workerSpawned(worker, threadId);
  return (exitCode, cause) => {
    const reason: WorkerExitReason = cause ?? (telemetry.control[C.Leaving] === 1 ? "idle" : "crashed");
    forgetWorker(telemetry);
    workerExited(worker, threadId, exitCode, reason);
  };
}
