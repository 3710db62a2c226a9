/** How both backends with threads start workers, and what they do when that fails. */
import { type MessagePort, Worker } from "node:worker_threads";
import { requireDescriptors } from "../descriptors";
import type { BackendOptions } from "./backend";

/**
 * @param file the worker's entry
 * @param start its `workerData`
 * @param port in `start`, handed over
 * @param number of the worker, as tasks see it
 * @throws what `new Worker` throws, and Error without file descriptors for it
 */
export function startThread(file: string, start: object, port: MessagePort, number: number, options: BackendOptions): Worker {
  requireDescriptors(file);
  return new Worker(file, {
    workerData: start,
    transferList: [port],
    resourceLimits: options.resourceLimits,
    env: options.env,
    name: `makeparallel ${number}`,
  } as ConstructorParameters<typeof Worker>[1]);
}

/** Workers that fail one after the other before they have run anything: after so many, what is queued fails instead of waiting for ever. */
export const START_ATTEMPTS = 3;

/** ms between attempts while other workers run: from, and up to. */
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 30_000;

/** @param failures attempts that have failed since the first pause */
export function startPause(failures: number): number {
  return Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** failures);
}

/** Nobody's task fails, but the pool is smaller than it should be. */
export class StartWarning {
  private given = false;

  /** @param threads workers that work; without any there is nothing to go on with */
  giveOnce(threads: number, error: unknown): void {
    if (this.given || threads === 0) return;
    this.given = true;
    const why = error instanceof Error ? error.message : String(error ?? "they end before they have started");
    process.emitWarning(`makeparallel: new workers can't be started, so the pool goes on with ${threads} and tries again later. ${why}`);
  }

  /** A worker has been started: the next trouble is another one. */
  rearm(): void {
    this.given = false;
  }
}
