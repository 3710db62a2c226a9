/**
 * What the first `then` of a pending handle returns.
 *
 * `await handle` and `Promise.all(handles)` call `then` once with the engine's own functions and drop what it returns. So the handle keeps the two
 * functions as they are and makes no promise, neither its own nor the derived one: a third of a kilobyte less for each task in flight, which is what the
 * time of a hundred thousand awaited tasks goes into (the garbage collector copies everything that is alive). Whoever does use what `then`
 * returned gets a real promise at that moment.
 */
import { AsyncResource } from "node:async_hooks";
import { appearsAs } from "./appearance";
import type { AsyncHandle } from "./handle";
import { queueMicrotask } from "./own-clock";

type Callback = ((value: any) => unknown) | null | undefined;

/** Not started; its callback has run and `value` is the result; there is a promise in `value`. */
const enum State {
  Pending,
  Done,
  Promised,
}

/** Nothing listens for the end of a continuation, and waiting for its collection to say so would be slow. */
const UNTRACKED = { requireManualDestroy: true };

/**
 * It is an AsyncResource, so that the callback runs in the asynchronous context of its `then`, as a promise's does: a third of the price of telling the engine's functions, to
 * which that means nothing, from the others, and a hundredth of `AsyncResource.bind`.
 */
export class Continuation<T> extends AsyncResource implements Promise<T> {
  private state = State.Pending;
  private value: unknown = undefined;
  private resolve: ((value: unknown) => void) | undefined = undefined;

  constructor(private readonly handle: AsyncHandle<any>) {
    super("AsyncHandle", UNTRACKED);
  }

  get [Symbol.toStringTag](): string {
    return "Promise";
  }

  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: any) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.promise().then(onFulfilled, onRejected);
  }

  catch<B = never>(onRejected?: ((reason: any) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.promise().catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<T> {
    return this.promise().finally(onFinally);
  }

  /** @internal The handle has got a promise of its own; this one derives from it as usual. */
  _adopt(promise: Promise<unknown>): void {
    this.state = State.Promised;
    this.value = promise;
  }

  /** @internal The callback as one that can be called from anywhere. */
  _bound(callback: Callback): Callback {
    return typeof callback === "function" ? (value: unknown) => this.runInAsyncScope(callback, undefined, value) : callback;
  }

  /** @internal Runs the callback for the handle's outcome. In a microtask of its own, as a promise would. */
  _run(callback: Callback, outcome: unknown, fulfilled: boolean): void {
    try {
      if (typeof callback === "function") this.settle(this.runInAsyncScope(callback, undefined, outcome));
      else if (fulfilled) this.settle(outcome);
      else this.fail(outcome);
    } catch (error) {
      this.fail(error);
    }
  }

  private settle(result: unknown): void {
    if (this.resolve !== undefined) {
      this.resolve(result);
    } else if (typeof result === "object" && result !== null && typeof (result as { then?: unknown }).then === "function") {
      this._adopt(Promise.resolve(result));
    } else {
      this.state = State.Done;
      this.value = result;
    }
  }

  private fail(error: unknown): void {
    // Made now rather than on use, so that Node sees a rejection that nobody handles.
    const promise = Promise.reject(error);
    if (this.resolve !== undefined) this.resolve(promise);
    else this._adopt(promise);
  }

  private promise(): Promise<T> {
    if (this.state === State.Promised) return this.value as Promise<T>;
    if (this.state === State.Done) {
      this._adopt(Promise.resolve(this.value));
      return this.value as Promise<T>;
    }
    // While the handle is pending it makes real promises of itself and of this one.
    this.handle._materialise();
    if ((this.state as State) === State.Promised) return this.value as Promise<T>;
    // Settled, and the callback is about to run.
    const promise = new Promise<T>((resolve) => (this.resolve = resolve as (value: unknown) => void));
    this.state = State.Promised;
    this.value = promise;
    return promise;
  }
}

// Its type is `Promise`, so `instanceof` is to say so, and what it needs of its own class comes along.
Continuation.prototype.runInAsyncScope = AsyncResource.prototype.runInAsyncScope;
appearsAs(Continuation, "Continuation", true);

let ready: AsyncHandle<any>[] = [];

/** Runs the handle's callback in the next microtask, after those of the handles before it: one microtask for all that settle in one turn. */
export function continueSoon(handle: AsyncHandle<any>): void {
  if (ready.push(handle) === 1) queueMicrotask(continueAll);
}

function continueAll(): void {
  const batch = ready;
  ready = [];
  for (let i = 0; i < batch.length; i++) batch[i]!._continue();
}
