/** What both backends with threads do when workers can't be started. */
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
export function warnOfStarts(threads: number, error: unknown): void {
  const why = error instanceof Error ? error.message : String(error ?? "they end before they have started");
  process.emitWarning(`makeparallel: new workers can't be started, so the pool goes on with ${threads} and tries again later. ${why}`);
}
