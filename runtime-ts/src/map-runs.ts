/** What a `map` has under way: chunks, or, where options concern each item, calls of their own. */
import { AsyncHandle, type HandleOrigin } from "./handle";
import type { ResolvedOptions } from "./options";
import type { Backend, Encoded, Settlement, TaskSink, Ticket } from "./pool/backend";

export interface MapRun {
  /** Its place among the runs, in the order of the items. */
  readonly number: number;
  /** Place of its first item among all. */
  readonly start: number;
  /** Items in it. */
  readonly size: number;
  /** Blocks until it has settled, at most `ms` milliseconds. False when the time is over. */
  block(ms: number): boolean;
  cancel(): void;
}

/** Many items in one task. */
export class ChunkRun implements MapRun, TaskSink {
  ticket: Ticket = -1;

  constructor(
    readonly number: number,
    readonly start: number,
    readonly size: number,
    private readonly backend: Backend,
    private readonly settled: (run: ChunkRun, settlement: Settlement, payload: Encoded | null, elapsed: number) => void,
  ) {}

  block(ms: number): boolean {
    return this.backend.block(this.ticket, ms);
  }

  cancel(): void {
    if (this.ticket >= 0) this.backend.cancel(this.ticket, -1);
  }

  settle(settlement: Settlement, payload: Encoded | null, elapsed: number): void {
    this.settled(this, settlement, payload, elapsed);
  }

  progressed(): void {}

  /** The error that a handle would have thrown for this settlement. */
  error(origin: HandleOrigin, options: ResolvedOptions | undefined, settlement: Settlement, payload: Encoded | null): unknown {
    const handle = new AsyncHandle<unknown>(origin, undefined);
    handle._quiet();
    handle._extra().timeout = options?.timeout;
    handle.settle(settlement, payload, 0, 0);
    return handle._error();
  }
}

/** One item, called like any task: with its own retries, memoized result, time limit, dependencies. */
export class ItemRun implements MapRun {
  readonly size = 1;

  constructor(
    readonly number: number,
    readonly start: number,
    readonly handle: AsyncHandle<unknown>,
  ) {
    handle._quiet();
  }

  block(ms: number): boolean {
    return this.handle._block(ms);
  }

  cancel(): void {
    this.handle.cancel();
  }
}
