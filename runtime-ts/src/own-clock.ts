/**
 * Timers, microtasks and the clock as Node made them. Tests replace the global ones by a clock that stands still (sinon's fake timers, which jest and vitest use), some before this is
 * loaded: tasks run in other threads, in real time, and so do their limits and what follows them.
 */
import timers from "node:timers";

/** Fake functions name their clock, which keeps what it has replaced. */
type Faked = { clock?: Record<string, unknown> } | undefined;

/** @param host what holds it; @param name of a function, or of the clock `performance` */
function genuine<T extends object, N extends keyof T & string>(host: T, name: N): T[N] {
  let found = host[name];
  for (let clock; (clock = (found as Faked)?.clock) !== undefined;) {
    const replaced = clock[`_${name}`] as T[N] | undefined;
    if (replaced === undefined) break;
    found = replaced;
  }
  return found;
}

// Node's module: jest's sandboxes have other global ones, and jest's legacy fakes don't say what they have replaced.
export const setTimeout = genuine(timers, "setTimeout");
export const clearTimeout = genuine(timers, "clearTimeout");
export const setInterval = genuine(timers, "setInterval");
export const clearInterval = genuine(timers, "clearInterval");
export let setImmediate = genuine(timers, "setImmediate");
export let clearImmediate = genuine(timers, "clearImmediate");
/** Those of node:test were there first. They keep what they have replaced to themselves, and nothing would ever go on. */
export const timersAreMocked = [setTimeout, setImmediate].some(({ name }) => name.startsWith("bound #"));
export const queueMicrotask = genuine(globalThis, "queueMicrotask");
export const nextTick = genuine(process, "nextTick");
export const hrtime = genuine(process, "hrtime");

type Clock = typeof globalThis.performance;
let clock: Clock | undefined;
let now: Clock["now"];

/** Looked for at the first use: a new worker has not loaded it, which takes a millisecond and a quarter of a megabyte, and most workers never ask. */
function genuineClock(): Clock {
  if (clock === undefined) {
    const { performance } = require("node:perf_hooks") as typeof import("node:perf_hooks");
    clock = genuine({ performance }, "performance");
    // Fakes of `node:perf_hooks` are put on the object, beside its prototype's own.
    now = (Object.getPrototypeOf(clock) as Partial<Clock>).now ?? clock.now;
  }
  return clock;
}

/** What is used of the global one. */
export const performance = {
  get timeOrigin(): number {
    return genuineClock().timeOrigin;
  },
  now(): number {
    const own = genuineClock();
    return Reflect.apply(now, own, []);
  },
};

/** For a worker whose own ones are to be used: see worker/immediates.ts. */
export function replaceImmediates(set: typeof setImmediate, clear: typeof clearImmediate): void {
  setImmediate = set;
  clearImmediate = clear;
}

/** `setTimeout` takes what is longer for 1 ms. */
export const LONGEST_TIMER = 0x7fff_ffff;
