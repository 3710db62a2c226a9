/**
 * How long an event loop looks for results itself before it asks to be woken.
 *
 * A wake-up costs some 50 to 100 µs on both sides. Where calls follow one another, a loop that looks for a shorter time than that falls asleep before the
 * worker, which was asleep as well, has been woken and has answered, and so on with each call: both sides sleep for ever between calls of a microsecond. A
 * long look ends that, because the next call then finds the worker awake. Where looks don't pay, because tasks take longer, they become rare: on a machine
 * whose cores are busy they would only take the workers' time.
 */

/** ms: when few tasks are under way, so that their workers may be asleep, and when there are more. */
const LONG = 0.2;
const SHORT = 0.05;
const FEW = 2;

/** So many looks in vain more than those that found something (which count for so many) end the looking, but for one of so many. */
const TRIES = 8;
const GAIN = 4;
const RARELY = 16;

export class LoopPatience {
  /** ms of the look that has begun. */
  span = 0;
  private vain = 0;
  private skipped = 0;

  /** @param pending tasks under way */
  begin(pending: number): void {
    if (this.vain >= TRIES && ++this.skipped < RARELY) {
      this.span = 0;
      return;
    }
    this.skipped = 0;
    this.span = pending <= FEW ? LONG : SHORT;
  }

  /** A look has found something. */
  found(): void {
    this.vain = Math.max(0, this.vain - GAIN);
  }

  /** A look has found nothing. */
  gaveUp(): void {
    if (this.span > 0 && this.vain < TRIES) this.vain++;
  }
}
