/**
 * Timers and microtasks as they were when this was loaded. Tests replace the global ones by a clock that stands still (jest's and sinon's fake timers): tasks run in other threads,
 * in real time, and so do their limits and what follows them.
 */
export const { queueMicrotask, setImmediate, setTimeout, clearTimeout, setInterval } = globalThis;

/** `setTimeout` takes what is longer for 1 ms. */
export const LONGEST_TIMER = 0x7fff_ffff;
