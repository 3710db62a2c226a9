/**
 * The error classes, each with a stable `code`.
 */

import { types } from "node:util";

export interface ParallelErrorOptions extends ErrorOptions {
  /** Readable name of the task's function, when one is concerned. */
  task?: string;
}

/** Base class of every error that makeparallel itself raises. A task's own errors keep their own classes. */
export class ParallelError extends Error {
  /** Stable, machine-readable: `MP_TIMEOUT`, `MP_CANCELLED`, … */
  readonly code: string = "MP_ERROR";
  /** Readable name of the function whose task failed, if one is concerned. */
  readonly task: string | undefined;

  constructor(message: string, options?: ParallelErrorOptions) {
    super(message, options);
    this.task = options?.task;
  }
}

/** A task's `timeout`, or the limit of a `get(timeoutMs)`, has passed. */
export class TimeoutError extends ParallelError {
  override readonly code = "MP_TIMEOUT";
}

/** The task was cancelled through its handle, its signal, its scope or a shutdown. `cause` is the reason that was given. */
export class CancelledError extends ParallelError {
  override readonly code = "MP_CANCELLED";
}

/** The worker ended while the task ran on it. `cause` holds what ended it, `exitCode` its exit code, where known. */
export class WorkerCrashedError extends ParallelError {
  override readonly code = "MP_WORKER_CRASHED";
  /** What the worker ended with (the argument of `process.exit`), where known. */
  readonly exitCode: number | undefined;

  constructor(message: string, options?: ParallelErrorOptions & { exitCode?: number }) {
    super(message, options);
    this.exitCode = options?.exitCode;
  }
}

/** A task that this one waits for failed or was cancelled. `cause` is that task's error. */
export class DependencyError extends ParallelError {
  override readonly code = "MP_DEPENDENCY";
}

/** A value cannot cross between threads. `path` names it: `args[0].user.onClick`. Nothing has been detached. */
export class TransferError extends ParallelError {
  override readonly code = "MP_TRANSFER";
  /** Where the value is, from the arguments on: `args[0].user.onClick`. */
  readonly path: string;

  constructor(message: string, options: ParallelErrorOptions & { path: string }) {
    super(message, options);
    this.path = options.path;
  }
}

/** A parallel function was called in a program that the transformer has not seen. */
export class NotTransformedError extends ParallelError {
  override readonly code = "MP_NOT_TRANSFORMED";
}

/** The queue is at its `maxQueue` limit. */
export class QueueFullError extends ParallelError {
  override readonly code = "MP_QUEUE_FULL";
}

/** A chunk or manifest is missing, changed since it was built, of another version, or fails while it loads. */
export class ChunkError extends ParallelError {
  override readonly code = "MP_CHUNK";
}

// On the prototype rather than the instance, as the built-in errors have it: `name` is then no own property that travels or prints. The names stand here as
// keys because workers run minified code, in which the classes have others.
for (const [name, constructor] of Object.entries({
  ParallelError,
  TimeoutError,
  CancelledError,
  WorkerCrashedError,
  DependencyError,
  TransferError,
  NotTransformedError,
  QueueFullError,
  ChunkError,
})) {
  Object.defineProperty(constructor.prototype, "name", { value: name, configurable: true, writable: true });
  Object.defineProperty(constructor, "name", { value: name, configurable: true });
}

/** `instanceof`, for a value that may be anything: a revoked proxy throws at that. */
export function isParallelError(value: unknown): value is ParallelError {
  return types.isNativeError(value) && value instanceof ParallelError;
}

/** Gives an error another message, in its stack as well, whose header V8 has written already. */
export function reword(error: Error, text: string): void {
  const { message, stack } = error;
  error.message = text;
  if (typeof stack === "string") error.stack = stack.replace(message, () => text);
}

/**
 * Makes an error of this package's, raised where the function was not known, name it: in `task` and at the beginning of its message.
 * @returns the error; anything else as it is
 */
export function concerning(error: unknown, task: string): unknown {
  if (!isParallelError(error) || error.task !== undefined) return error;
  const { message } = error;
  reword(error, message.startsWith(task) || message.includes(`task ${task}`) ? message : `${task}: ${message}`);
  (error as { task: string | undefined }).task = task;
  return error;
}
