/**
 * Counts and times of tasks, by function. Recording costs two array increments a task, so it is always on.
 */
import { Settlement } from "./pool/backend";

/** Percentiles of a duration, in ms. Each is exact to one part in eight. */
export interface Percentiles {
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

/** What has become of one function's tasks. */
export interface FunctionStats {
  name: string;
  fulfilled: number;
  /** Failed in any way but by being cancelled. */
  rejected: number;
  cancelled: number;
  /** From the call (or the end of the last dependency) to the start on a worker. */
  queueWait: Percentiles;
  runTime: Percentiles;
}

/** Sub-buckets of each power of two. */
const STEPS = 8;
/** Microseconds up to here have a bucket each. */
const EXACT = 2 * STEPS;
const BUCKETS = EXACT + (31 - 4) * STEPS + STEPS;

/**
 * Durations in buckets that grow with the value, as HdrHistogram has them: the position of the highest bit, and the three bits below it.
 */
export class Histogram {
  private readonly counts = new Uint32Array(BUCKETS);
  private total = 0;
  private max = 0;

  /** @param ms a duration; negative ones (clocks of two threads) count as 0 */
  record(ms: number): void {
    const micros = ms <= 0 ? 0 : ms >= 2_000_000 ? 2_000_000_000 : (ms * 1000) | 0;
    this.counts[bucketOf(micros)]!++;
    this.total++;
    if (ms > this.max) this.max = ms;
  }

  percentiles(): Percentiles {
    return { p50: this.quantile(0.5), p90: this.quantile(0.9), p99: this.quantile(0.99), max: this.max };
  }

  /** The upper edge of the bucket that holds the quantile, in ms; 0 without records. */
  private quantile(share: number): number {
    if (this.total === 0) return 0;
    let left = Math.ceil(share * this.total);
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.counts[bucket]!;
      if (left <= 0) return Math.min(this.max, edgeOf(bucket) / 1000);
    }
    return this.max;
  }
}

function bucketOf(micros: number): number {
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

/** The record of one function. */
export class FunctionRecord {
  private fulfilled = 0;
  private rejected = 0;
  private cancelled = 0;
  private readonly waited = new Histogram();
  private readonly ran = new Histogram();

  constructor(private readonly name: string) {}

  /** @param waited and `elapsed` in ms */
  settled(settlement: Settlement, waited: number, elapsed: number): void {
    if (settlement === Settlement.Fulfilled) this.fulfilled++;
    else if (settlement === Settlement.Cancelled) this.cancelled++;
    else this.rejected++;
    if (elapsed === 0) return;
    this.waited.record(waited);
    this.ran.record(elapsed);
  }

  stats(): FunctionStats {
    const { name, fulfilled, rejected, cancelled } = this;
    return { name, fulfilled, rejected, cancelled, queueWait: this.waited.percentiles(), runTime: this.ran.percentiles() };
  }
}

const records = new Map<string, FunctionRecord>();

/** The record of a function, by its task id: stubs of one function share it. */
export function recordOf(id: string, name: string): FunctionRecord {
  let record = records.get(id);
  if (record === undefined) records.set(id, (record = new FunctionRecord(name)));
  return record;
}

/** By task id. */
export function functionStats(): Record<string, FunctionStats> {
  return Object.fromEntries([...records].map(([id, record]) => [id, record.stats()]));
}
