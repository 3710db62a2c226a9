/**
 * What others can listen to through `node:diagnostics_channel`. Without a listener, a call costs one check.
 *
 * `tracing:makeparallel.task:start|end` surround the call that queues a task, `asyncStart|asyncEnd` its settling on the caller's event loop, `error`
 * comes with its error. The message is one object for the whole life of a task: a {@link TaskMessage}.
 */
import { channel, tracingChannel } from "node:diagnostics_channel";
import type { AsyncHandle } from "./handle";
import { Settlement } from "./pool/backend";

export interface TaskMessage {
  /** Task id, `path/from/root.ts#name`. */
  id: string;
  name: string;
  /** From `end` on. */
  handle?: AsyncHandle<unknown>;
  /** From `asyncStart` on, for a task that has not been fulfilled. */
  error?: unknown;
}

const tasks = tracingChannel<object, TaskMessage>("makeparallel.task");
const spawns = channel("makeparallel.worker.spawn");
const exits = channel("makeparallel.worker.exit");

/** True while somebody listens to tasks. */
export function tasksAreTraced(): boolean {
  const { start, end, asyncStart, asyncEnd, error } = tasks;
  return start.hasSubscribers || end.hasSubscribers || asyncStart.hasSubscribers || asyncEnd.hasSubscribers || error.hasSubscribers;
}

/** Queues a task by `push`, with the messages around it. */
export function traceTask(id: string, name: string, push: () => AsyncHandle<unknown>): AsyncHandle<unknown> {
  const message: TaskMessage = { id, name };
  tasks.start.publish(message);
  try {
    message.handle = push();
  } catch (error) {
    message.error = error;
    tasks.error.publish(message);
    throw error;
  } finally {
    tasks.end.publish(message);
  }
  message.handle._whenSettled((handle) => {
    if (handle._settlement !== Settlement.Fulfilled) {
      message.error = handle._error();
      tasks.error.publish(message);
    }
    tasks.asyncStart.publish(message);
    tasks.asyncEnd.publish(message);
  });
  return message.handle;
}

/** A worker thread has been started. @param worker its number in the pool @param threadId of `node:worker_threads` */
export function workerSpawned(worker: number, threadId: number): void {
  if (spawns.hasSubscribers) spawns.publish({ worker, threadId } satisfies WorkerSpawnMessage);
}

/**
 * Why a worker has ended: it had been idle for long; it was stopped because a task that had been cancelled or had timed out went on; the program shut the
 * pool down; anything else, such as an error that nobody caught, `process.exit()` in a task, or no memory.
 */
export type WorkerExitReason = "idle" | "terminated" | "shutdown" | "crashed";

/** What `makeparallel.worker.spawn` says. */
export interface WorkerSpawnMessage {
  /** Number of the worker in its pool, as in `taskInfo()`. A replacement may take the number of one that has ended. */
  worker: number;
  /** Of `node:worker_threads`. */
  threadId: number;
}

/** What `makeparallel.worker.exit` says. */
export interface WorkerExitMessage extends WorkerSpawnMessage {
  exitCode: number;
  reason: WorkerExitReason;
}

/** A worker thread has ended. */
export function workerExited(worker: number, threadId: number, exitCode: number, reason: WorkerExitReason): void {
  if (exits.hasSubscribers) exits.publish({ worker, threadId, exitCode, reason } satisfies WorkerExitMessage);
}
