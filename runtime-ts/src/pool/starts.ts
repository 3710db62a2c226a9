/** How both backends with threads start workers, and what they do when that fails. */
import { type MessagePort, Worker } from "node:worker_threads";
import { requireDescriptors } from "../descriptors";
import { ParallelError } from "../errors";
import { whenRemoved } from "../worker/entry-file";
import type { BackendOptions } from "./backend";
import { performance, setTimeout } from "../own-clock";

/**
 * @param file the worker's entry
 * @param start its `workerData`
 * @param port in `start`, handed over
 * @param number of the worker, as tasks see it
 * @throws what `new Worker` throws, Error without file descriptors for it, and ParallelError without the package's files
 */
export function startThread(file: string, start: object, port: MessagePort, number: number, options: BackendOptions): Worker {
  requireDescriptors(file);
  const removed = whenRemoved();
  if (removed !== undefined) throw new ParallelError(removed);
  return new Worker(file, {
    workerData: start,
    transferList: [port],
    resourceLimits: options.resourceLimits,
    env: options.env,
    name: `makeparallel ${number}`,
  } as ConstructorParameters<typeof Worker>[1]);
}

/** Workers that fail one after the other before they have run anything: after so many, what is queued fails instead of waiting for ever. */
const START_ATTEMPTS = 3;

/** ms between attempts while other workers run: from, and up to. */
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 30_000;

/** How the starts of a pool's workers have gone lately. */
export class Starts {
  /** In a row. */
  private failures = 0;
  private pausedUntil = 0;
  private warned = false;
  private reason: { error: unknown } | undefined;

  /**
   * @param working counts the workers that work
   * @param retry called when a pause is over
   */
  constructor(
    private readonly working: () => number,
    private readonly retry: () => void,
  ) {}

  /** So many have failed that what is queued waits for none of them any more: it fails, if no other worker lives. */
  get haveFailed(): boolean {
    return this.failures >= START_ATTEMPTS;
  }

  /** New workers fail while others work: the pool goes on with those, and tries again now and then. */
  get paused(): boolean {
    return this.haveFailed && performance.now() < this.pausedUntil;
  }

  /** Why the last one failed, as far as that is known. */
  get error(): unknown {
    return this.reason?.error;
  }

  /** Something has said why one fails. */
  blame(error: unknown): void {
    this.reason = { error };
  }

  /**
   * One has failed.
   * @param live workers that there are
   * @param refused Node has not even started it, and would not start the next one either
   */
  failed(live: number, refused = false): void {
    this.failures = Math.max(this.failures + 1, refused ? START_ATTEMPTS : 0);
    if (this.haveFailed && live > 0) this.pause();
  }

  private pause(): void {
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (this.failures - START_ATTEMPTS));
    const until = performance.now() + pause;
    this.pausedUntil = until;
    setTimeout(() => {
      // Timers count whole milliseconds, and may come before the clock says so; there is no other attempt then.
      if (this.pausedUntil === until) this.pausedUntil = 0;
      this.retry();
    }, pause).unref();
    const working = this.working();
    // Nobody's task fails, but the pool is smaller than it should be. Without any worker there is nothing to go on with.
    if (this.warned || working === 0) return;
    this.warned = true;
    const { error } = this;
    const why = error instanceof Error ? error.message : String(error ?? "they end before they have started");
    process.emitWarning(`makeparallel: new workers can't be started, so the pool goes on with ${working} and tries again later. ${why}`);
  }

  /** One has begun to work: the next trouble is another one. */
  succeeded(): void {
    this.failures = 0;
    this.warned = false;
  }

  /** What waited for a worker has been told of the failures. */
  told(): void {
    this.failures = 0;
    this.reason = undefined;
  }
}
