/**
 * The functions for use inside a task. Outside of one they do nothing or say so: code that is shared by tasks and the program may call them
 * anywhere.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { CancelledError, ParallelError } from "./errors";
import { clearInterval, setInterval } from "./own-clock";

/** What a task can know of itself. */
export interface TaskInfo {
  /** Task id, `path/from/root.ts#name`. */
  id: string;
  /** The function's own name: the option `name` is for the caller's side. */
  name: string;
  /** Number of the worker in its pool, from 0; -1 on the program's own thread. */
  worker: number;
}

/** The running job, as its executor sees it. */
export interface JobContext {
  readonly info: TaskInfo;
  isCancelled(): boolean;
  progress(fraction: number): void;
  /** Made on first use of `taskSignal`. */
  signal: AbortController | undefined;
  ended: boolean;
}

/** The job whose synchronous part runs right now. */
let running: JobContext | undefined;

/** The job that an async task's continuations belong to. */
const continued = new AsyncLocalStorage<JobContext>();

/**
 * Makes a job the one whose synchronous part runs. No callback: this stands on the way of every task.
 * @returns what to restore afterwards
 */
export function enterTask(context: JobContext | undefined): JobContext | undefined {
  const outer = running;
  running = context;
  return outer;
}

/** Runs `body` so that what it goes on with asynchronously belongs to the job too. */
export function runContinued<T>(context: JobContext, body: () => T): T {
  return continued.run(context, body);
}

function current(): JobContext | undefined {
  return running ?? continued.getStore();
}

/** True while a task runs on this thread. */
export function insideTask(): boolean {
  return current() !== undefined;
}

/** True while a task that is about to wait for something would not end before it has that. */
export function insidePendingTask(): boolean {
  return current()?.ended === false;
}

/**
 * Reports how far the task is; the caller sees it as `handle.progress` and through `onProgress`.
 * @param fraction 0..1; outside of a task it does nothing
 * @throws TypeError when it is no number
 */
export function reportProgress(fraction: number): void {
  if (typeof fraction !== "number" || Number.isNaN(fraction))
    throw new TypeError(`reportProgress() takes a number between 0 and 1, not ${String(fraction)}.`);
  current()?.progress(Math.min(1, Math.max(0, fraction)));
}

/**
 * Asks whether the task is to end. Cheap enough for inner loops.
 * @returns true once it has been cancelled or has timed out; false outside of a task
 */
export function isCancelled(): boolean {
  return current()?.isCancelled() ?? false;
}

/**
 * Ends the task if it has been cancelled or has timed out.
 * @throws CancelledError
 */
export function throwIfCancelled(): void {
  const context = current();
  if (context?.isCancelled() === true) throw new CancelledError(`${context.info.name} was cancelled.`, { task: context.info.name });
}

/** How often a signal that somebody asked for looks at the flag, in ms: cancellation reaches a worker as a flag in shared memory. */
const SIGNAL_POLL_MS = 5;

/**
 * A signal that aborts when the task is cancelled or times out: for `fetch`, `setTimeout` and other APIs that take one.
 * @returns the same one each time; its `reason` is a CancelledError
 * @throws ParallelError outside of a task
 */
export function taskSignal(): AbortSignal {
  const context = current();
  if (context === undefined) throw new ParallelError("taskSignal() is for use inside a task; no task runs here.");
  if (context.signal !== undefined) return context.signal.signal;
  const controller = new AbortController();
  context.signal = controller;
  const abort = (): boolean => {
    if (context.ended) return true;
    if (!context.isCancelled()) return false;
    controller.abort(new CancelledError(`${context.info.name} was cancelled.`, { task: context.info.name }));
    return true;
  };
  if (!abort()) {
    const timer = setInterval(() => {
      if (abort()) clearInterval(timer);
    }, SIGNAL_POLL_MS);
    timer.unref();
  }
  return controller.signal;
}

/**
 * Facts about the running task.
 * @returns a new object
 * @throws ParallelError outside of a task
 */
export function taskInfo(): TaskInfo {
  const context = current();
  if (context === undefined) throw new ParallelError("taskInfo() is for use inside a task; no task runs here.");
  return { ...context.info };
}
