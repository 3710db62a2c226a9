/** Many handles at once. */
import { inspect } from "node:util";
import { ParallelError } from "./errors";
import { AsyncHandle } from "./handle";
import { checkKeys, checkMs } from "./options";
import { clearTimeout, LONGEST_TIMER, setTimeout } from "./own-clock";

/** What `gather` gives for each handle with `onError: "settle"`; the shape of `Promise.allSettled`. */
export type Settled<R> = PromiseSettledResult<R>;

type Results<H extends readonly unknown[]> = { -readonly [K in keyof H]: Awaited<H[K]> };
type SettledResults<H extends readonly unknown[]> = { -readonly [K in keyof H]: Settled<Awaited<H[K]>> };

/**
 * Waits for all handles. In order of the handles, whatever the order in which they settle.
 * @param handles an array or another iterable; promises are taken as well
 * @param options `onError`: `"throw"` (default) rejects with the first error, as soon as it comes; `"skip"` leaves failed ones out; `"settle"`
 *   gives `{ status, value | reason }` for each
 * @returns their values, or what became of each
 * @throws (as a rejection) with `"throw"` the first error; TypeError for a bad option
 */
export function gather<const H extends readonly PromiseLike<unknown>[]>(handles: H, options?: { onError?: "throw" }): Promise<Results<H>>;
export function gather<H extends PromiseLike<unknown>>(
  handles: Iterable<H>,
  options?: { onError?: "throw" | "skip" },
): Promise<Awaited<H>[]>;
export function gather<const H extends readonly PromiseLike<unknown>[]>(
  handles: H,
  options: { onError: "settle" },
): Promise<SettledResults<H>>;
export function gather<H extends PromiseLike<unknown>>(
  handles: Iterable<H>,
  options: { onError: "settle" },
): Promise<Settled<Awaited<H>>[]>;
export async function gather(
  handles: Iterable<PromiseLike<unknown>>,
  options: { onError?: "throw" | "skip" | "settle" } = {},
): Promise<unknown> {
  checkKeys(options, ["onError"], "gather()");
  const { onError = "throw" } = options;
  if (onError === "throw") return Promise.all(handles);
  if (onError !== "skip" && onError !== "settle") throw new TypeError(`"onError" is "throw", "skip" or "settle", not ${inspect(onError)}.`);
  const settled = await Promise.allSettled(handles);
  if (onError === "settle") return settled;
  return settled.filter((result) => result.status === "fulfilled").map((result) => result.value);
}

/** Values in the order in which they are there. (An `AsyncIterableIterator`, which takes these three parameters only from TypeScript 5.6 on.) */
export interface CompletedValues<T> extends AsyncIterator<T, undefined, undefined> {
  /** Ends the iteration. The tasks go on. */
  return(): Promise<IteratorResult<T, undefined>>;
  [Symbol.asyncIterator](): this;
}

/**
 * The handles' values, each as soon as it is there. A handle that failed makes its turn's `next()` reject with its error, which ends a `for await` loop; who
 * calls `next()` by hand can go on with the others.
 * @param handles an array or another iterable, which is read at once; promises are taken as well
 * @returns the values, to be iterated once
 * @throws TypeError for something that is no handle
 */
export function asCompleted<H extends PromiseLike<unknown>>(handles: Iterable<H>): CompletedValues<Awaited<H>> {
  const all = checked("asCompleted", handles);
  /** Those that have settled, and the calls of `next` (each gets the handle that is meant for it: another call may come before it goes on), matched by their numbers. */
  const ready: H[] = [];
  const waiting = new Map<number, (handle: H) => void>();
  let asked = 0;
  for (const handle of all) {
    const done = (): void => {
      const number = ready.push(handle) - 1;
      waiting.get(number)?.(handle);
      waiting.delete(number);
    };
    handle.then(done, done);
  }
  return {
    async next(): Promise<IteratorResult<Awaited<H>, undefined>> {
      if (asked >= all.length) return { done: true, value: undefined };
      const number = asked++;
      const handle = ready[number];
      if (handle !== undefined) return { done: false, value: await handle };
      const value = await new Promise<Awaited<H>>((resolve) => waiting.set(number, resolve as (handle: H) => void));
      return { done: false, value };
    },
    async return(): Promise<IteratorResult<Awaited<H>, undefined>> {
      asked = all.length;
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/**
 * Waits until some of the handles have settled (with a value or an error; no task's error is thrown).
 * @param handles an array or another iterable
 * @param options `count`: how many to wait for (default 1); `timeout`: longest wait in ms (default: none)
 * @returns the handles that have settled, in order of settling, and those that have not
 * @throws (as a rejection) ParallelError when fewer handles than `count` were given, TypeError or RangeError for a bad option or something that is no handle
 */
export async function waitAny<H extends AsyncHandle<any>>(
  handles: Iterable<H>,
  options: { count?: number; timeout?: number } = {},
): Promise<{ ready: H[]; pending: H[] }> {
  checkKeys(options, ["count", "timeout"], "waitAny()");
  const { count = 1, timeout = Infinity } = options;
  const all = checked("waitAny", handles);
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`"count" is a whole number >= 1, not ${inspect(count)}.`);
  if (count > all.length) throw new ParallelError(`waitAny() was asked for ${count} of ${all.length} handles.`);
  checkMs("timeout", timeout);
  const ready: H[] = [];
  let finish: () => void = () => {};
  const enough = new Promise<void>((resolve) => (finish = resolve));
  const done = (handle: AsyncHandle<any>): void => {
    ready.push(handle as H);
    if (ready.length >= count) finish();
  };
  for (const handle of all) {
    if (handle instanceof AsyncHandle) {
      // Not by a promise: who asks again for what is left would leave one behind on each handle at each call.
      handle._quiet();
      handle._whenSettled(done);
      handle._observe();
    } else {
      const doneSo = (): void => done(handle);
      // Another copy's, or a promise.
      (handle as PromiseLike<unknown>).then(doneSo, doneSo);
    }
  }
  let timer: NodeJS.Timeout | undefined;
  const late =
    timeout === Infinity ? undefined : new Promise<void>((resolve) => (timer = setTimeout(resolve, Math.min(timeout, LONGEST_TIMER))));
  await (late === undefined ? enough : Promise.race([enough, late]));
  clearTimeout(timer);
  const result = [...ready];
  const settled = new Set(result);
  const pending = all.filter((handle) => !settled.has(handle));
  for (const handle of pending) if (handle instanceof AsyncHandle) handle._notWhenSettled(done);
  return { ready: result, pending };
}

function checked<H extends PromiseLike<unknown>>(name: string, handles: Iterable<H>): H[] {
  const all = [...handles];
  all.forEach((handle: unknown, i) => {
    if (typeof (handle as PromiseLike<unknown> | null | undefined)?.then !== "function")
      throw new TypeError(`${name}() takes handles; number ${i} is ${inspect(handle)}.`);
  });
  return all;
}
