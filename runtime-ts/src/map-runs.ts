/** What a `map` has under way: chunks, or, where options concern each item, calls of their own. */
import { processNow } from "./clock";
import { type AsyncHandle, PendingHandle } from "./handle";
import type { HandleOrigin } from "./origin";
import type { ResolvedOptions } from "./options";
import type { FunctionRecord } from "./metrics";
import type { Backend, Encoded, Run, TaskSink, Ticket } from "./pool/backend";
import { Settlement } from "./pool/backend";
import { tracePull, traceRun } from "./trace-events";
import { enterWait, leaveWait } from "./unhandled";

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
  /** In the trace; 0: there is none. */
  flow = 0;

  constructor(
    readonly number: number,
    readonly start: number,
    readonly size: number,
    private readonly backend: Backend,
    private readonly record: FunctionRecord,
    private readonly settled: (run: ChunkRun, settlement: Settlement, payload: Encoded | null, elapsed: number) => void,
  ) {}

  block(ms: number): boolean {
    enterWait();
    try {
      return this.backend.block(this.ticket, ms);
    } finally {
      leaveWait();
    }
  }

  cancel(): void {
    if (this.ticket >= 0) this.backend.cancel(this.ticket, -1);
  }

  settle(settlement: Settlement, payload: Encoded | null, elapsed: number, _detail: number, run: Run | null): void {
    this.count(settlement, elapsed, run);
    const { flow, record } = this;
    if (flow === 0) {
      this.settled(this, settlement, payload, elapsed);
      return;
    }
    traceRun(flow, record.number, settlement, elapsed, run);
    const from = processNow();
    this.settled(this, settlement, payload, elapsed);
    tracePull(flow, record.number, from);
  }

  /** An item counts as a task: it has waited as long as its chunk, and ran for its share of the chunk's time. */
  private count(settlement: Settlement, elapsed: number, run: Run | null): void {
    const { record, size } = this;
    const whole = settlement === Settlement.Fulfilled || settlement === Settlement.Cancelled;
    // Of a chunk that has failed it is not known how many items had been done; one has failed.
    record.settled(settlement, whole ? size : 1);
    if (run === null) return;
    if (settlement === Settlement.Fulfilled) record.ran(run.waited, elapsed / size, size);
    else record.ran(run.waited, elapsed);
  }

  progressed(): void {}

  /** The error that a handle would have thrown for this settlement. */
  error(origin: HandleOrigin, options: ResolvedOptions | undefined, settlement: Settlement, payload: Encoded | null): unknown {
    const handle = new PendingHandle<unknown>(origin, undefined);
    handle._quiet();
    handle._extra().timeout = options?.timeout;
    handle.settle(settlement, payload, 0, 0, null);
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
