/**
 * What others can listen to through `node:diagnostics_channel`. Without a listener, a call costs one check.
 *
 * `tracing:makeparallel.task:start|end` surround the call that queues a task, as `TracingChannel.tracePromise` of Node has it: the stores that are bound to `start`
 * hold for the call. When the task has settled, `error` comes with its error, if any, then `asyncStart` and `asyncEnd`. The message is one object for the whole life
 * of a task: a {@link TaskMessage}.
 */
import { channel, tracingChannel } from "node:diagnostics_channel";
import type { AsyncHandle } from "./handle";
import type { MapHandle } from "./map";
import type { StreamHandle } from "./stream";
import { Settlement } from "./pool/backend";

/** What the channels `tracing:makeparallel.task:*` say: one object for a task's whole life. */
export interface TaskMessage {
  /** Task id, `path/from/root.ts#name`. */
  id: string;
  /** Readable name of the function: the option `name`, if there is one. */
  name: string;
  /** A call, a whole `map`, or a generator. */
  kind: "call" | "map" | "stream";
  /** What the call has returned. From `end` on. */
  handle?: AsyncHandle<unknown> | MapHandle<unknown> | StreamHandle<unknown>;
  /** The value, decoded when it is asked for. From `asyncStart` on, for a task that has been fulfilled. */
  result?: unknown;
  /** From `error` on, for a task that has not been fulfilled. */
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

/** Starts a task by `push`, with the messages around it. @param outcomeOf what settles when the task behind a handle does */
export function traceTask<H extends NonNullable<TaskMessage["handle"]>>(
  kind: TaskMessage["kind"],
  id: string,
  name: string,
  push: () => H,
  outcomeOf: (handle: H) => AsyncHandle<unknown> | undefined,
): H {
  const message: TaskMessage = { id, name, kind };
  const handle = tasks.start.runStores(message, () => {
    try {
      const pushed = push();
      message.handle = pushed;
      return pushed;
    } catch (error) {
      message.error = error;
      tasks.error.publish(message);
      throw error;
    } finally {
      tasks.end.publish(message);
    }
  });
  const outcome = outcomeOf(handle);
  outcome?._whenSettled(() => {
    if (outcome._settlement === Settlement.Fulfilled) {
      Object.defineProperty(message, "result", { get: () => outcome._peek(), enumerable: true, configurable: true });
    } else {
      message.error = outcome._error();
      tasks.error.publish(message);
    }
    tasks.asyncStart.publish(message);
    tasks.asyncEnd.publish(message);
  });
  outcome?._watch();
  return handle;
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
  /** Of its thread: what `process.exit` was called with in it, 1 for an error or a termination. */
  exitCode: number;
  /** Why it has ended. */
  reason: WorkerExitReason;
}

/** A worker thread has ended. */
export function workerExited(worker: number, threadId: number, exitCode: number, reason: WorkerExitReason): void {
  if (exits.hasSubscribers) exits.publish({ worker, threadId, exitCode, reason } satisfies WorkerExitMessage);
}
