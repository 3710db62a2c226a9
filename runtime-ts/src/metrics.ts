/**
 * Counts and times of tasks, by function. Recording costs some array increments a task, so it is always on.
 *
 * Each environment records the tasks that it has pushed, in its telemetry.ts memory; the root adds up its own, its workers' (tasks pushed by tasks), and
 * those of workers that have ended.
 */
import { Settlement } from "./pool/backend";
import type { Telemetry } from "./telemetry";
import { RECORD, telemetry } from "./telemetry";

/** Percentiles of a duration, in ms. Each is exact to one part in eight; `max` is exact. All are 0 without a measurement. */
export interface Percentiles {
  /** Half of the measurements are at most this. */
  p50: number;
  /** Nine in ten are. */
  p90: number;
  /** Ninety-nine in a hundred are. */
  p99: number;
  /** The longest. */
  max: number;
}

/** What has become of one function's tasks, since the program started. An item of a `map` counts as a task. */
export interface FunctionStats {
  /** Readable name of the function. */
  name: string;
  /** Tasks that gave a value. */
  fulfilled: number;
  /** Failed in any way but by being cancelled: an error, a time-out, a crash, a failed dependency. */
  rejected: number;
  /** Cancelled before they ran, or while they did. */
  cancelled: number;
  /** Runs whose failure was followed by another run, by the option `retry`. */
  retried: number;
  /** Calls that were answered by another call's run, by the option `memoize`. They are in none of the other numbers. */
  memoized: number;
  /** From the call (or the end of the last dependency) to the start on a worker. */
  queueWait: Percentiles;
  /** From the start to the end, or to the cancellation. Of a `map`: an item's share of its chunk's time. */
  runTime: Percentiles;
}

/** Sub-buckets of each power of two. */
const STEPS = 8;
/** Microseconds up to here have a bucket each. */
const EXACT = 2 * STEPS;
const BUCKETS = EXACT + (31 - 4) * STEPS + STEPS;

/** Words of a record. The buckets of both durations follow. */
const enum R {
  Fulfilled = 0,
  Rejected = 1,
  Cancelled = 2,
  Retried = 3,
  Memoized = 4,
  LongestWait = 5,
  LongestRun = 6,
  Waits = 8,
}

const RUNS = R.Waits + BUCKETS;

/**
 * The record of one function. Durations are in buckets that grow with the value, as HdrHistogram has them: the position of the highest bit, and the three
 * bits below it. Float64, because a Uint32 is full after an hour of a million tasks a second.
 */
export class FunctionRecord {
  constructor(
    /** In the table of {@link Telemetry}. */
    readonly number: number,
    private readonly words: Float64Array,
  ) {}

  /** How a task has ended for its caller. @param count more than one: items of a map */
  settled(settlement: Settlement, count = 1): void {
    this.words[settlement === Settlement.Fulfilled ? R.Fulfilled : settlement === Settlement.Cancelled ? R.Cancelled : R.Rejected]! +=
      count;
  }

  /**
   * A task has run.
   * @param waited and `elapsed` in ms; what is negative (clocks of two threads) counts as 0
   * @param count runs of this duration
   */
  ran(waited: number, elapsed: number, count = 1): void {
    const { words } = this;
    words[R.Waits + bucketOf(waited)]! += count;
    words[RUNS + bucketOf(elapsed)]! += count;
    if (waited > words[R.LongestWait]!) words[R.LongestWait] = waited;
    if (elapsed > words[R.LongestRun]!) words[R.LongestRun] = elapsed;
  }

  retried(): void {
    this.words[R.Retried]!++;
  }

  memoized(): void {
    this.words[R.Memoized]!++;
  }
}

function bucketOf(ms: number): number {
  const micros = ms <= 0 ? 0 : ms >= 2_000_000 ? 2_000_000_000 : (ms * 1000) | 0;
  if (micros < EXACT) return micros;
  const exponent = 31 - Math.clz32(micros);
  return EXACT + (exponent - 4) * STEPS + ((micros >>> (exponent - 3)) & (STEPS - 1));
}

/** The first value, in microseconds, that is above the bucket. */
function edgeOf(bucket: number): number {
  if (bucket < EXACT) return bucket + 1;
  const exponent = Math.floor((bucket - EXACT) / STEPS) + 4;
  const step = (bucket - EXACT) % STEPS;
  return 2 ** exponent + (step + 1) * 2 ** (exponent - 3);
}

function percentiles(words: Float64Array, start: number, max: number): Percentiles {
  let total = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) total += words[start + bucket]!;
  /** The upper edge of the bucket that holds the quantile. */
  const quantile = (share: number): number => {
    let left = Math.ceil(share * total);
    for (let bucket = 0; left > 0 && bucket < BUCKETS; bucket++) {
      left -= words[start + bucket]!;
      if (left <= 0) return Math.min(max, edgeOf(bucket) / 1000);
    }
    return max;
  };
  return { p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99), max };
}

function timesOf(words: Float64Array): { queueWait: Percentiles; runTime: Percentiles } {
  return { queueWait: percentiles(words, R.Waits, words[R.LongestWait]!), runTime: percentiles(words, RUNS, words[R.LongestRun]!) };
}

function add(sum: Float64Array, words: Float64Array): void {
  for (let i = 0; i < RECORD; i++) {
    if (i === R.LongestWait || i === R.LongestRun) sum[i] = Math.max(sum[i]!, words[i]!);
    else sum[i]! += words[i]!;
  }
}

/** This environment's, by task id: stubs of one function share a record. */
const records = new Map<string, FunctionRecord>();

export function recordOf(id: string, name: string): FunctionRecord {
  let record = records.get(id);
  if (record === undefined) {
    const number = telemetry().addFunction(id, name);
    record = new FunctionRecord(number, telemetry().record(number));
    records.set(id, record);
  }
  return record;
}

interface Sum {
  name: string;
  words: Float64Array;
}

/** What workers have recorded that have ended. */
const past = new Map<string, Sum>();

/** A worker has ended: what it has recorded stays. */
export function keepRecords(memory: Telemetry): void {
  addUp(past, memory);
}

function addUp(sums: Map<string, Sum>, memory: Telemetry): void {
  for (let number = 0; number < memory.functionCount; number++) {
    const { id, name } = memory.function(number);
    let sum = sums.get(id);
    if (sum === undefined) sums.set(id, (sum = { name, words: new Float64Array(RECORD) }));
    add(sum.words, memory.record(number));
  }
}

/** The part of `stats()` that is about tasks. */
export interface TaskStats {
  /** From the call (or the end of the last dependency) to the start, over all functions. */
  queueWait: Percentiles;
  /** From the start to the end, over all functions. */
  runTime: Percentiles;
  /** By task id, `path/from/root.ts#name`. */
  functions: Record<string, FunctionStats>;
}

/**
 * Of the tasks that this thread has pushed and, in the program, of those that tasks have pushed.
 * @param workers memory of the workers that live
 */
export function taskStats(workers: Iterable<Telemetry>): TaskStats {
  const sums = new Map<string, Sum>();
  for (const [id, { name, words }] of past) sums.set(id, { name, words: words.slice() });
  for (const memory of [telemetry(), ...workers]) addUp(sums, memory);
  const all = new Float64Array(RECORD);
  const functions: Record<string, FunctionStats> = {};
  for (const [id, { name, words }] of sums) {
    add(all, words);
    functions[id] = {
      name,
      fulfilled: words[R.Fulfilled]!,
      rejected: words[R.Rejected]!,
      cancelled: words[R.Cancelled]!,
      retried: words[R.Retried]!,
      memoized: words[R.Memoized]!,
      ...timesOf(words),
    };
  }
  return { ...timesOf(all), functions };
}
