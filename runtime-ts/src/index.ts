/// <reference types="node" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
/**
 * makeparallel: `@parallel` for TypeScript. The public interface.
 */
import { chosenKind, runningBackend, threadCount, type PoolStats } from "./configure";
import { watchedWorkers } from "./worker-watch";
import { taskStats, type TaskStats } from "./metrics";

export { parallel } from "./parallel";
export { AsyncHandle, handleOf, type HandleStatus } from "./handle";
export { MapHandle, type MapOptions } from "./map";
export { StreamHandle } from "./stream";
export { gather, asCompleted, waitAny, type CompletedValues, type Settled } from "./batch";
export { scope, Scope } from "./scope";
export { carry } from "./carry";
export { queueRoom } from "./queue-room";
export { configure, shutdown, type PoolOptions, type PoolStats } from "./configure";
export { reportProgress, isCancelled, throwIfCancelled, taskSignal, taskInfo, type TaskInfo } from "./inside";
export { move, share, sharedArray } from "./codec";
export type { ParallelFunction, ParallelStream, Parallel, ParallelDecorator, Liftable, MapItems } from "./types";
export type { ParallelOptions, RetryOptions, MemoizeOptions } from "./options";
export { progressBar, type ProgressBarOptions, type ProgressTarget } from "./progress-bar";
export { trace, type TraceOptions, type SavedTrace } from "./trace";
export type { TaskStats, FunctionStats, Percentiles } from "./metrics";
export type { TaskMessage, WorkerSpawnMessage, WorkerExitMessage, WorkerExitReason } from "./channels";
export type { BackendKind } from "./pool/backend";
export {
  ParallelError,
  TimeoutError,
  CancelledError,
  WorkerCrashedError,
  DependencyError,
  TransferError,
  NotTransformedError,
  QueueFullError,
  ChunkError,
} from "./errors";

/**
 * The state of the pool at this moment (before the first task: what it will be), and what has become of the tasks so far. A task is counted when this thread
 * has learned of its end. In a task, only the tasks that its worker has pushed are counted.
 * @returns a snapshot; docs/observability.md explains each number
 */
export function stats(): PoolStats & TaskStats {
  const backend = runningBackend();
  // Polling the inline backend runs a task.
  if (backend !== undefined && backend.kind !== "inline") backend.poll();
  const tasks = taskStats(Array.from(watchedWorkers(), ({ telemetry }) => telemetry));
  if (backend === undefined) return { backend: chosenKind(), threads: threadCount(), busy: 0, queued: 0, running: 0, ...tasks };
  return { backend: backend.kind, ...backend.stats(), ...tasks };
}
