/** Structured concurrency: no task outlives the scope that it was added to. */
import { inspect } from "node:util";
import { CancelledError, ParallelError } from "./errors";
import type { AsyncHandle } from "./handle";
import { StreamHandle } from "./stream";

/** Tasks that end together. Leaving it waits for all; the first error cancels the rest. */
export class Scope implements AsyncDisposable {
  private readonly handles = new Set<AsyncHandle<any>>();
  private failed = false;
  private error: unknown;
  private closed = false;
  private readonly controller = new AbortController();

  /** Aborts when the scope fails or is cancelled; pass it on to other work. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /**
   * Adds a task.
   * @param handle of a parallel call, or the promise that an `async` parallel function returned
   * @returns the same handle
   */
  add<H extends PromiseLike<any>>(handle: H): H {
    const task = handle as unknown as AsyncHandle<any>;
    const { cancel, then } = (task ?? {}) as Partial<AsyncHandle<any>>;
    if (typeof cancel !== "function" || typeof then !== "function") {
      // It would outlive the scope: that can only wait for what has a `then`.
      if (task instanceof StreamHandle) task.cancel();
      throw new TypeError(
        `A scope takes the handles of parallel calls, not ${task instanceof StreamHandle ? "streams, which end with the loop that reads them" : inspect(handle)}.`,
      );
    }
    if (this.closed) {
      task.cancel();
      throw new ParallelError("This scope has been left already; the task was cancelled.");
    }
    this.handles.add(task);
    task.then(
      () => this.handles.delete(task),
      (error: unknown) => {
        this.handles.delete(task);
        this.fail(error);
      },
    );
    if (this.failed) task.cancel(this.error);
    return handle;
  }

  /** Calls `fn` with `args` and adds the task. */
  run<A extends unknown[], H extends PromiseLike<any>>(fn: (...args: A) => H, ...args: A): H {
    return this.add(fn(...args));
  }

  /** Cancels what has not ended. */
  cancel(reason?: unknown): void {
    this.fail(new CancelledError("The scope was cancelled.", { cause: reason }));
  }

  /** Waits for all tasks, those that are added meanwhile included; throws the first error. */
  async [Symbol.asyncDispose](): Promise<void> {
    while (this.handles.size > 0) {
      const waited = [...this.handles];
      await Promise.allSettled(waited);
      // A thenable that is none of ours may end without a word to the callbacks that it was given.
      for (const handle of waited) this.handles.delete(handle);
    }
    this.closed = true;
    if (this.failed) throw this.error;
  }

  /** @internal */
  fail(error: unknown): void {
    if (this.failed) return;
    this.failed = true;
    this.error = error;
    for (const handle of this.handles) handle.cancel(error);
    this.controller.abort(error);
  }
}

/**
 * With a function: calls it with a scope, waits for its tasks, and gives what it returned; an error of the function or of a task cancels the rest and
 * is thrown. Without: a scope for `await using s = scope()`.
 * @param body gets the scope; what it starts by `s.run(fn, ...args)` or `s.add(handle)` ends with it
 * @returns what `body` gives, when all tasks have ended; without `body`, the scope
 * @throws (as a rejection) the first error of a task or of `body`; CancelledError when the scope was cancelled
 */
export function scope(): Scope;
export function scope<R>(body: (s: Scope) => Promise<R> | R): Promise<R>;
export function scope<R>(body?: (s: Scope) => Promise<R> | R): Scope | Promise<R> {
  const made = new Scope();
  return body === undefined ? made : runScope(made, body);
}

async function runScope<R>(made: Scope, body: (s: Scope) => Promise<R> | R): Promise<R> {
  let result: R | undefined;
  try {
    result = await body(made);
  } catch (error) {
    made.fail(error);
  }
  await made[Symbol.asyncDispose]();
  return result as R;
}
