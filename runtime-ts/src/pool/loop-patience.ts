/**
 * How long an event loop looks for results itself before it asks to be woken.
 *
 * A wake-up costs some 50 to 100 µs on both sides. Where calls follow one another, a loop that looks for a shorter time than that falls asleep before the
 * worker, which was asleep as well, has been woken and has answered, and so on with each call: both sides sleep for ever between calls of a microsecond. One
 * long look ends that, because the next call then finds the worker awake. Where long looks don't pay, because tasks take longer, they become rare.
 */

/** ms. */
const SHORT = 0.05;
const LONG = 0.2;

/** Long looks in a row that may be in vain, and short ones before the next long one. */
const TRIES = 8;
const PAUSE = 16;

export class LoopPatience {
  private vain = 0;

  /** For how many ms to look from now on. */
  get span(): number {
    return this.vain < TRIES ? LONG : SHORT;
  }

  /** A look has found something. */
  found(): void {
    this.vain = 0;
  }

  /** A look has found nothing. */
  gaveUp(): void {
    if (++this.vain >= TRIES + PAUSE) this.vain = TRIES - 1;
  }
}
