/**
 * Options of a parallel function: their types, their checks, and the form in which the rest of the runtime uses them.
 */
import { inspect } from "node:util";
import type { AsyncHandle } from "./handle";

/** How failed runs of a task are repeated. */
export interface RetryOptions {
  /** Runs in all, the first one included. A whole number >= 1. */
  attempts: number;
  /** How the delay grows from run to run. Default `"exponential"`. */
  backoff?: "fixed" | "linear" | "exponential";
  /** Delay before the second run, in ms. Default 0. */
  delay?: number;
  /** Upper bound of any delay, in ms. Default: none. */
  maxDelay?: number;
  /** Share of the delay, 0..1, that is drawn at random, so that tasks that failed together don't come back together; `true` means 1. Default 0. */
  jitter?: number | boolean;
  /** Says whether an error is worth another run. Default: every error of the task itself is. */
  when?: (error: unknown) => boolean;
}

/** How results are kept for calls with equal arguments. */
export interface MemoizeOptions {
  /** Most results kept; the least recently used one goes first. Default 1,000. */
  max?: number;
  /** ms for which a result is kept. Default: no limit. */
  ttl?: number;
}

/** Options for `parallel`, `.with` and the decorator. */
export interface ParallelOptions {
  /** Time limit in ms, from the call on (time in the queue included). The task is then rejected with a `TimeoutError` and, if it still runs after `grace`, its worker is replaced. */
  timeout?: number;
  /** Higher runs first; first in, first out within one priority. Default 0. */
  priority?: number;
  /** Cancels the task when it aborts. */
  signal?: AbortSignal;
  /** Handles that must be fulfilled first. If one fails, the task is rejected with a `DependencyError` whose `cause` is that failure. */
  after?: readonly AsyncHandle<unknown>[];
  /** Repeats failed runs: a number of runs in all, or the details. */
  retry?: number | RetryOptions;
  /** Keeps results, keyed by the encoded arguments; calls that come while the first still runs share it. */
  memoize?: true | MemoizeOptions;
  /** What happens to the buffers among the arguments: `"copy"` (default), or `"move"` (handed over, detached here). */
  transfer?: "copy" | "move";
  /** Name for messages, stats and traces. Default: the function's own. */
  name?: string;
  /** ms that a cancelled or timed-out task has to end by itself before its worker is stopped. Default: the pool's. */
  grace?: number;
  /**
   * Keeps the imports for side effects only (`import "./polyfill"`) of the task's module in the worker. The transformer reads it where the function is marked, as
   * a literal; at run time, and so in `.with`, it does nothing.
   */
  sideEffects?: boolean;
}

/** Retry options with every default filled in. */
export type ResolvedRetry = Required<Omit<RetryOptions, "jitter">> & { jitter: number };

/** Checked options, with defaults filled in where the runtime needs a value. */
export interface ResolvedOptions {
  readonly timeout: number | undefined;
  readonly priority: number | undefined;
  readonly grace: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly after: readonly AsyncHandle<unknown>[] | undefined;
  readonly retry: ResolvedRetry | undefined;
  readonly memoize: Required<MemoizeOptions> | undefined;
  readonly move: boolean;
  readonly name: string | undefined;
}

const KNOWN = ["timeout", "priority", "signal", "after", "retry", "memoize", "transfer", "name", "grace", "sideEffects"];

/**
 * Checks options and fills in defaults.
 * @param options what the user wrote
 * @param base options that it extends (`.with` on top of `parallel`'s)
 * @throws TypeError or RangeError that names the option
 */
export function resolveOptions(options: ParallelOptions, base?: ResolvedOptions): ResolvedOptions {
  checkKeys(options, KNOWN, "a parallel function");
  const { timeout, priority, signal, after, retry, memoize, transfer, name, grace, sideEffects } = options;
  if (timeout !== undefined) checkMs("timeout", timeout);
  if (grace !== undefined) checkMs("grace", grace);
  if (priority !== undefined && (typeof priority !== "number" || !Number.isFinite(priority))) {
    throw new TypeError(`The option "priority" is a finite number, not ${inspect(priority)}.`);
  }
  if (signal !== undefined && !isSignal(signal)) {
    throw new TypeError(`The option "signal" is an AbortSignal, not ${inspect(signal)}.`);
  }
  if (after !== undefined && !Array.isArray(after))
    throw new TypeError(`The option "after" is an array of handles, not ${inspect(after)}.`);
  if (transfer !== undefined && transfer !== "copy" && transfer !== "move") {
    throw new TypeError(`The option "transfer" is "copy" or "move", not ${inspect(transfer)}.`);
  }
  if (sideEffects !== undefined && typeof sideEffects !== "boolean")
    throw new TypeError(`The option "sideEffects" is true or false, not ${inspect(sideEffects)}.`);
  if (name !== undefined && (typeof name !== "string" || name === ""))
    throw new TypeError(`The option "name" is a string that is not empty, not ${inspect(name)}.`);
  return {
    timeout: timeout ?? base?.timeout,
    priority: priority ?? base?.priority,
    grace: grace ?? base?.grace,
    signal: signal ?? base?.signal,
    after: after ?? base?.after,
    retry: retry === undefined ? base?.retry : resolveRetry(retry),
    memoize: memoize === undefined ? base?.memoize : resolveMemoize(memoize),
    move: transfer === undefined ? (base?.move ?? false) : transfer === "move",
    name: name ?? base?.name,
  };
}

function isSignal(value: unknown): value is AbortSignal {
  return typeof value === "object" && value !== null && "aborted" in value && typeof (value as AbortSignal).addEventListener === "function";
}

/** What `retry.when` is unless it is set. */
export const everyError = (): boolean => true;

function resolveRetry(retry: number | RetryOptions): ResolvedRetry {
  const given: RetryOptions = typeof retry === "number" ? { attempts: retry } : retry;
  if (typeof given !== "object" || given === null || !Number.isInteger(given.attempts) || given.attempts < 1) {
    throw new TypeError(`The option "retry" is a number of runs >= 1, or an object with "attempts"; not ${inspect(retry)}.`);
  }
  checkKeys(given, ["attempts", "backoff", "delay", "maxDelay", "jitter", "when"], 'the option "retry"', "part");
  const { attempts, backoff = "exponential", delay = 0, maxDelay = Infinity, jitter = 0, when = everyError } = given;
  if (backoff !== "fixed" && backoff !== "linear" && backoff !== "exponential") {
    throw new TypeError(`"retry.backoff" is "fixed", "linear" or "exponential", not ${inspect(backoff)}.`);
  }
  checkMs("retry.delay", delay);
  checkMs("retry.maxDelay", maxDelay);
  const share = jitter === true ? 1 : jitter === false ? 0 : jitter;
  if (typeof share !== "number" || !(share >= 0 && share <= 1))
    throw new RangeError(`"retry.jitter" is between 0 and 1, not ${inspect(jitter)}.`);
  if (typeof when !== "function") throw new TypeError(`"retry.when" is a function, not ${inspect(when)}.`);
  return { attempts, backoff, delay, maxDelay, jitter: share, when };
}

function resolveMemoize(memoize: true | MemoizeOptions): Required<MemoizeOptions> {
  if (memoize === true) return { max: 1_000, ttl: Infinity };
  if (typeof memoize !== "object" || memoize === null)
    throw new TypeError(`The option "memoize" is true or an object, not ${inspect(memoize)}.`);
  checkKeys(memoize, ["max", "ttl"], 'the option "memoize"', "part");
  const { max = 1_000, ttl = Infinity } = memoize;
  if (!Number.isInteger(max) || max < 1) throw new RangeError(`"memoize.max" is a whole number >= 1, not ${inspect(max)}.`);
  checkMs("memoize.ttl", ttl);
  return { max, ttl };
}

/**
 * A misspelt option would be one that is silently not set.
 * @param of what takes the options
 * @param option what they are called
 * @throws TypeError for what is no object, or naming a key that is not among the known ones
 */
export function checkKeys(options: unknown, known: readonly string[], of: string, option = "option"): asserts options is object {
  if (typeof options !== "object" || options === null)
    throw new TypeError(`The ${option}s of ${of} are an object, not ${inspect(options)}.`);
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) throw new TypeError(`"${key}" is no ${option} of ${of}; there are ${known.join(", ")}.`);
  }
}

/**
 * @param name how the value is called in the message
 * @throws TypeError naming it
 */
export function checkCallback(name: string, value: unknown): void {
  if (typeof value !== "function") throw new TypeError(`${name} is a function, not ${inspect(value)}.`);
}

/**
 * @param name how the value is called in the message
 * @param value must be a number >= 0, Infinity included
 * @throws TypeError naming it
 */
export function checkMs(name: string, value: unknown): asserts value is number {
  if (typeof value !== "number" || !(value >= 0)) throw new TypeError(`"${name}" is a number of milliseconds >= 0, not ${inspect(value)}.`);
}
