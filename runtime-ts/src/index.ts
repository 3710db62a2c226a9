/// <reference lib="esnext.disposable" preserve="true" />
/**
 * makeparallel: `@parallel` for TypeScript. The public interface.
 */
import { runningBackend, threadCount, type PoolStats } from "./configure";

export { parallel } from "./parallel";
export { AsyncHandle, handleOf, type HandleStatus } from "./handle";
export { MapHandle, type MapOptions } from "./map";
export { StreamHandle } from "./stream";
export { gather, asCompleted, waitAny, type Settled } from "./batch";
export { scope, Scope } from "./scope";
export { carry } from "./carry";
export { queueRoom } from "./queue-room";
export { configure, shutdown, type PoolOptions, type PoolStats } from "./configure";
export { reportProgress, isCancelled, throwIfCancelled, taskSignal, taskInfo, type TaskInfo } from "./inside";
export { move, share, sharedArray } from "./codec";
export type { ParallelFunction, ParallelStream, Parallel, ParallelDecorator, Liftable, MapItems } from "./types";
export type { ParallelOptions, RetryOptions, MemoizeOptions } from "./options";
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

/** The state of the pool at this moment. Before the first task: what it will be. */
export function stats(): PoolStats {
  const backend = runningBackend();
  if (backend === undefined) return { backend: "native", threads: threadCount(), busy: 0, queued: 0, running: 0 };
  return { backend: backend.kind, ...backend.stats() };
}
