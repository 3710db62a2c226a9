/**
 * What the executor (worker/executor.ts) needs of the worker it runs in, and what a worker's loop needs of the executor. Each backend has its own
 * loop; the executor is the same for all.
 */
import type { Encoded, Settlement, TaskKey } from "../pool/backend";
import type { Writer } from "../codec/writer";
import type { ChunkStore } from "./chunks";

export interface WorkerHost {
  /** What the index that a job carries stands for. */
  taskKey(index: number): TaskKey;
  /** The writer that results are encoded into. One at a time: it is read right after `run` returns or `complete` is called. */
  writer(): Writer;
  /** Settles a job whose `run` returned 0. */
  complete(job: number, settlement: Settlement.Fulfilled | Settlement.Rejected, writer: Writer): void;
  /** True once the job has been cancelled or timed out. Cheap: tasks poll it in inner loops. */
  isCancelled(job: number): boolean;
  /** Reports progress, 0..1. */
  progress(job: number, fraction: number): void;
  /**
   * A job that goes on asynchronously waits for its consumer, and none of its code runs until {@link resume}: the worker is not stopped for it, because that would
   * end others and nothing that runs.
   */
  suspend(job: number): void;
  /** The worker is free for all tasks while this one is suspended. */
  setAside(job: number): void;
  resume(job: number): void;
  /** Number of this worker in its pool, from 0; -1 on the calling thread. */
  readonly workerIndex: number;
  /** Chunk bytes and code caches. */
  readonly chunks: ChunkStore;
}

export interface JobExecutor {
  /**
   * Runs one job. Never throws.
   * @param job the worker's name for it, passed back to the host
   * @param inputs encoded results of the tasks that are arguments of this one, in the order of `PushOptions.inputs`
   * @returns the settlement, with the encoded result or error in `host.writer()`; or 0 when it goes on asynchronously (an async task, or a chunk that
   *   is loaded asynchronously): `host.complete` follows
   */
  run(job: number, index: number, payload: Encoded, inputs: readonly Encoded[] | null): Settlement.Fulfilled | Settlement.Rejected | 0;
  /** Job that runs now, or -1. For the handlers of uncaught exceptions and exits. */
  readonly current: number;
  /** Loads a task's chunk without running it. */
  warm(index: number): Promise<void>;
}
