/**
 * Timers, microtasks and the clock as they were when this was loaded. Tests replace the global ones by a clock that stands still (jest's and sinon's fake timers): tasks run in other threads,
 * in real time, and so do their limits and what follows them.
 */
export const { queueMicrotask, setImmediate, setTimeout, clearTimeout, setInterval } = globalThis;

const clock = globalThis.performance;
const { now } = clock;
/** What is used of the global one. */
export const performance = { timeOrigin: clock.timeOrigin, now: (): number => Reflect.apply(now, clock, []) };

/** `setTimeout` takes what is longer for 1 ms. */
export const LONGEST_TIMER = 0x7fff_ffff;
