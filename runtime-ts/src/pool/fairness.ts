/**
 * When something of lower rank goes first, so that a stream of higher ones does not keep it waiting for ever; as runtime-native/src/fairness.rs.
 *
 * Takings are counted, and time is cut into epochs: one ends when it has lasted `PATIENCE` and `TAKINGS` entries have been taken in it. At that
 * moment, and only then, one entry may be let through that has been passed over all through the epoch. Ordinary use stays strictly ordered.
 */
import { performance } from "../own-clock";

/** ms. */
export const PATIENCE = 1_000;
/** A power of two. */
export const TAKINGS = 64;

/** ms as an int32 that wraps, about the same in all threads. */
export function clock(): number {
  return (performance.timeOrigin + performance.now()) | 0;
}

/** What one taker remembers of several queues, so that none is forgotten over the others. */
export class Turns {
  private epoch = 2;
  private began = clock();
  private taken = 0;
  /** By queue: epoch in which it was last empty or taken from. */
  private readonly since: number[];

  constructor(queues: number) {
    this.since = Array.from({ length: queues }, () => this.epoch);
  }

  /** A queue is empty, or has been taken from. */
  touch(queue: number): void {
    this.since[queue] = this.epoch;
  }

  /** Counts a taking. @returns the queue that is next whatever its priority, or -1 */
  overdue(): number {
    if ((++this.taken & (TAKINGS - 1)) !== 0) return -1;
    const now = clock();
    if (((now - this.began) | 0) < PATIENCE) return -1;
    this.epoch++;
    this.began = now;
    this.taken = 0;
    let oldest = this.epoch - 1;
    let found = -1;
    this.since.forEach((epoch, queue) => {
      if (epoch >= oldest) return;
      oldest = epoch;
      found = queue;
    });
    return found;
  }
}
