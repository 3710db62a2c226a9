/**
 * One clock for all threads of the process, in ms. `performance.now()` starts at another moment in each thread; the monotonic clock behind it is the same.
 */
import { hrtime, performance } from "./own-clock";

let offset: number | undefined;

/** From `performance.now()` of this thread to the clock of the process, in ms. */
export function processOffset(): number {
  return (offset ??= offsetTo(() => Number(hrtime.bigint()) / 1e6));
}

/** ms on the process's monotonic clock: comparable between threads. */
export function processNow(): number {
  return performance.now() + processOffset();
}

/**
 * How far another clock that runs at the same rate is ahead of this thread's `performance.now()`, in ms.
 *
 * The two can't be read at one moment, and the thread may lose its core between the reads; the tightest of a few brackets is taken.
 */
export function offsetTo(read: () => number): number {
  let best = Infinity;
  let found = 0;
  for (let i = 0; i < 5; i++) {
    const before = performance.now();
    const other = read();
    const after = performance.now();
    if (after - before >= best) continue;
    best = after - before;
    found = other - (before + after) / 2;
  }
  return found;
}
