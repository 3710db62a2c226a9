/**
 * One environment's side of the native backend: hands out slots and tickets, pushes, and calls sinks with what is reported. The root and the workers
 * both have one; runtime-native/ports.d.ts says what the functions behind it do.
 */
import { ByteWriter } from "../codec/byte-writer";
import type { Writer } from "../codec/writer";
import { ParallelError } from "../errors";
import type { BindingPayload, BindingPort } from "../../../runtime-native";
import { offsetTo, processOffset } from "../clock";
import type { Backend, BackendStats, Encoded, PushOptions, Run, ShutdownOptions, TaskKey, TaskSink, Ticket } from "./backend";
import { Phase, Settlement } from "./backend";
import type { NativeBinding } from "./native-binding";
import { queueMicrotask, performance } from "../own-clock";
import { ensureStack, hasStack, ROOM_TO_WAIT, stackRoom } from "../stack-room";
import { terminateAgain } from "../thread-exit";

/** A ticket is a slot, and in the bits above it how often the slot has been used. `&` takes a number modulo 2^32, so this works for all of them. */
const SLOT_BITS = 26;
const SLOTS = 2 ** SLOT_BITS;
const SLOT_MASK = SLOTS - 1;

/** Bits of a record's kind, as in runtime-native/src/binding/report.rs. */
const SETTLEMENT = 15;
const KEPT = 16;
const FETCH = 32;
const PROGRESS = 64;
const RECORD_HEADER = 48;

/** Results of `block`, as in runtime-native/src/binding/block.rs; above these bits stands the number of records. */
const WAITED = 7;
const MORE = 8;
const WAITED_BITS = 4;
const SETTLED = 0;
const TIME_OUT = 1;
const SERVICE = 2;
const TOO_DEEP = 4;
const NEVER = 5;
const TERMINATED = 6;

/** What is known of a slot. */
const OBSERVED = 1;
const REFERENCED = 2;
const REPORTED = 4;

/** Every so many pushes it is checked whether results pile up that nobody asks for, and from how many on they are reported. */
const BACKLOG_CHECK = 1024;
const BACKLOG_LIMIT = 4096;

const NO_OPTIONS: PushOptions = {};

/** What a call answers that would take records, on a stack that may be near its end; and what is added to its depth once that has been looked at. As in runtime-native/src/binding/port.rs. */
const NO_ROOM = -1;
const WITH_ROOM = 1 << 20;
/** Telling a sink may take so much stack, and more. */
const ROOM_TO_TELL = stackRoom(8192);

/** Memory of one depth of nested deliveries. */
class Reports {
  readonly words: Int32Array;
  readonly numbers: Float64Array;
  /** Passed to sinks; valid during the call. */
  payload: Encoded;
  /** Records that have been written and not told yet, and where the next one begins. */
  left = 0;
  at = 0;

  constructor(buffer: ArrayBuffer) {
    this.words = new Int32Array(buffer);
    this.numbers = new Float64Array(buffer);
    this.payload = { bytes: new Uint8Array(buffer), start: 0, end: 0, attachments: null };
  }
}

/** What pushes, as the addon wants it: an unusual push names all of it. */
interface Unusual {
  after: number[] | null;
  pinned: number;
}

const USUAL: Unusual = { after: null, pinned: -1 };

export function encodedOf([buffer, length, attachments]: BindingPayload): Encoded {
  return { bytes: new Uint8Array(buffer), start: 0, end: length, attachments };
}

export abstract class NativeEnvironment<Port extends BindingPort> implements Backend {
  readonly kind = "native";
  protected readonly sinks: (TaskSink | undefined)[] = [];
  /** By slot: the ticket that it stands for now. */
  private readonly tickets: Ticket[] = [];
  private readonly marks: number[] = [];
  private readonly free: number[] = [];
  private readonly retained = new Map<number, number>();
  private readonly home: ByteWriter;
  private readonly reports: Reports[] = [];
  private depth = 0;
  /** Records that have been written and not told yet, of all depths. */
  private untold = 0;
  private pushes = 0;
  protected observed = 0;
  private references = 0;
  protected listening = false;
  /** Tasks whose sink has not been settled. */
  protected pending = 0;

  constructor(
    protected readonly binding: NativeBinding,
    protected readonly port: Port,
    private readonly grace: number,
  ) {
    this.home = new ByteWriter(new Uint8Array(port.out));
  }

  private readonly run: Run = { waited: 0, started: 0, worker: -1 };
  /** From the addon's clock to the process's, once somebody has asked. */
  private clockOffset: number | undefined;

  // ---- what the root and a worker do differently

  /** Number of the worker with this id, as tasks see it, or -2 - id where that is not known. */
  protected abstract seatOf(id: number): number;
  /** Whether an observed, pending task keeps the process alive. */
  protected abstract keepAlive(on: boolean): void;
  /** Everything that is pending is waited for, observed or not. */
  protected drains(): boolean {
    return false;
  }
  /** The last pending task is being settled. */
  protected nonePending(): void {}
  /** One more worker would help. */
  protected abstract wantWorker(): void;
  /** Does what only this environment can do; called when a blocking wait is interrupted for it. */
  protected abstract serve(): void;
  /** The pool is ending under a blocking wait. */
  protected abstract ending(): Error;
  abstract warm(index: number): Promise<void>;
  abstract shutdown(options: ShutdownOptions): Promise<void>;

  // ---- push

  writer(): Writer {
    const { home } = this;
    // Encoding can run a getter that calls a parallel function itself.
    return home.length === 0 && home.attachments === null ? home : new ByteWriter(new Uint8Array(256));
  }

  register(key: TaskKey): number {
    return this.binding.registerTask(this.port.pool, key.manifest, key.id);
  }

  push(index: number, writer: Writer, sink: TaskSink, options: PushOptions | undefined): Ticket {
    if ((++this.pushes & (BACKLOG_CHECK - 1)) === 0 && options === undefined && this.port.backlog() > BACKLOG_LIMIT) this.deliver();
    if (options !== undefined || writer.bytes !== this.home.home || writer.attachments !== null) {
      return this.pushUnusual(
        index,
        writer,
        sink,
        options ?? NO_OPTIONS,
        options?.after === undefined ? USUAL : { after: this.slotsOf(options.after), pinned: -1 },
      );
    }
    const slot = this.occupy(sink);
    const ticket = this.tickets[slot]!;
    let wants;
    try {
      wants = this.port.push(slot, index, writer.length);
    } catch (error) {
      // Not a call from here on, as in `occupy`.
      this.sinks[slot] = undefined;
      this.tickets[slot] = ticket + SLOTS;
      this.free[this.free.length] = slot;
      this.pending--;
      throw error;
    }
    writer.reset();
    if (wants !== 0) this.wantWorker();
    return ticket;
  }

  /** Slots of tasks that were pushed after the pool had closed, by somebody who still holds this backend: a map, a call that waits to be repeated. */
  private refused: number[] = [];

  /** From now on tasks are settled as cancelled: nobody would ever take them. An own property, so that the usual push asks nothing. */
  protected refusePushes(): void {
    this.push = (_index, writer, sink) => {
      writer.reset();
      const slot = this.occupy(sink);
      // Not at once: the caller does not know the ticket yet.
      if (this.refused.push(slot) === 1) queueMicrotask(() => this.settleRefused());
      return this.tickets[slot]!;
    };
    this.observe = () => {};
  }

  private settleRefused(): void {
    const { refused } = this;
    this.refused = [];
    for (const slot of refused) {
      const sink = this.sinks[slot]!;
      this.settled(slot, false);
      sink.settle(Settlement.Cancelled, null, 0, 0, null);
    }
  }

  /** @param writer null: no payload */
  protected pushUnusual(index: number, writer: Writer | null, sink: TaskSink, options: PushOptions, unusual: Unusual): Ticket {
    const slot = this.occupy(sink);
    const ticket = this.tickets[slot]!;
    const { priority = 0, timeout = Infinity, grace = this.grace, inputs = null } = options;
    let wants;
    try {
      wants = this.port.pushWith(
        slot,
        index,
        writer === null ? null : writer.bytes,
        writer === null ? 0 : writer.length,
        writer === null ? null : writer.attachments,
        writer === null ? null : writer.transfers,
        priority,
        timeout,
        grace,
        unusual.after,
        inputs,
        unusual.pinned,
      );
    } catch (error) {
      this.sinks[slot] = undefined;
      this.tickets[slot] = ticket + SLOTS;
      this.free[this.free.length] = slot;
      this.pending--;
      throw error;
    }
    writer?.reset();
    if (wants !== 0) this.wantWorker();
    return ticket;
  }

  /** A ticket that is no longer known is that of a fulfilled task: callers don't push after one that has failed. */
  private slotsOf(tickets: readonly Ticket[]): number[] {
    return tickets.map((ticket) => (this.knows(ticket) ? ticket & SLOT_MASK : -1));
  }

  private occupy(sink: TaskSink): number {
    // What can fail where the stack is about to end comes before anything is written: of what follows nothing is a call.
    const slot = this.free.length === 0 ? this.sinks.length : this.free.pop()!;
    if (slot === this.sinks.length) {
      if (slot >= SLOTS) throw new RangeError(`More than ${SLOTS} tasks are pending.`);
      this.tickets[slot] = slot;
      this.marks[slot] = 0;
    }
    this.sinks[slot] = sink;
    this.pending++;
    return slot;
  }

  private vacate(slot: number): void {
    this.tickets[slot]! += SLOTS;
    this.marks[slot] = 0;
    this.free.push(slot);
  }

  private knows(ticket: Ticket): boolean {
    return this.tickets[ticket & SLOT_MASK] === ticket;
  }

  /** Whether it is known and its sink has not been settled. */
  private isPending(ticket: Ticket): boolean {
    return this.knows(ticket) && (this.marks[ticket & SLOT_MASK]! & REPORTED) === 0;
  }

  // ---- check

  phase(ticket: Ticket): Phase {
    return this.knows(ticket) ? this.port.phase(ticket & SLOT_MASK) : Phase.Settled;
  }

  elapsed(ticket: Ticket): number {
    return this.isPending(ticket) ? this.port.elapsed(ticket & SLOT_MASK) : 0;
  }

  poll(): void {
    if (this.refused.length > 0) this.settleRefused();
    this.deliver();
  }

  stats(): BackendStats {
    const [threads, busy, queued, running] = this.port.stats();
    return { threads, busy, queued, running };
  }

  // ---- deliver

  private reportsOf(depth: number): Reports {
    return (this.reports[depth] ??= new Reports(this.port.addReports()));
  }

  protected deliver(): void {
    // Nothing is taken where there is no room to tell it: it is looked for again. A long chain of failures looks from within its own telling.
    if (this.untold > 0) {
      if (!hasStack(ROOM_TO_TELL)) return;
      this.tellRest();
    }
    const { depth } = this;
    const reports = this.reportsOf(depth);
    this.depth = depth + 1;
    try {
      for (;;) {
        let count = this.port.drain(depth);
        if (count === NO_ROOM) {
          if (!hasStack(ROOM_TO_TELL)) return;
          count = this.port.drain(depth + WITH_ROOM);
        }
        if (count === 0) return;
        this.report(reports, count);
      }
    } finally {
      this.depth = depth;
    }
  }

  /** Calls the sinks of the records in an area. */
  private report(reports: Reports, count: number): void {
    reports.left = count;
    reports.at = 0;
    this.untold += count;
    this.tell(reports);
  }

  /**
   * A sink has called what looks for news (a caller's `retry.when` may, or the source of a map): first those that came before, which the addon does not know any more.
   */
  private tellRest(): void {
    for (let i = 0; i < this.depth; i++) {
      const reports = this.reports[i]!;
      if (reports.left === 0) continue;
      // The sink that is being called may still read its own.
      reports.payload = { ...reports.payload };
      this.tell(reports);
    }
  }

  /** A sink that throws must not keep the others from theirs. */
  private tell(reports: Reports): void {
    const { words, numbers } = reports;
    while (reports.left > 0) {
      reports.left--;
      this.untold--;
      const { at, payload } = reports;
      const word = at >> 2;
      const slot = words[word]!;
      const kind = words[word + 1]!;
      const detail = words[word + 2]!;
      const length = words[word + 3]!;
      const number = numbers[(at >> 3) + 2]!;
      const { run } = this;
      const worker = words[word + 10]!;
      if (worker >= 0) {
        run.waited = numbers[(at >> 3) + 3]!;
        run.started = numbers[(at >> 3) + 4]! + (this.clockOffset ??= processOffset() - offsetTo(() => this.binding.clock()));
        run.worker = this.seatOf(worker);
      }
      payload.start = at + RECORD_HEADER;
      payload.end = payload.start + length;
      reports.at = payload.start + ((length + 7) & ~7);
      const sink = this.sinks[slot]!;
      try {
        if ((kind & PROGRESS) !== 0) {
          sink.progressed(number);
        } else {
          let encoded: Encoded | null = payload;
          if ((kind & FETCH) !== 0) encoded = encodedOf(this.port.take(slot)!);
          this.settled(slot, (kind & KEPT) !== 0);
          const settlement = (kind & SETTLEMENT) as Settlement;
          if (settlement !== Settlement.Fulfilled && settlement !== Settlement.Rejected && settlement !== Settlement.Crashed)
            encoded = null;
          sink.settle(settlement, encoded, number, detail, worker >= 0 ? run : null);
        }
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  private settled(slot: number, kept: boolean): void {
    if (--this.pending === 0) this.nonePending();
    this.sinks[slot] = undefined;
    const marks = this.marks[slot]!;
    if (marks !== 0) {
      if ((marks & OBSERVED) !== 0) this.observed--;
      if ((marks & REFERENCED) !== 0 && --this.references === 0) this.keepAlive(false);
    }
    if (kept) this.marks[slot] = REPORTED;
    else this.vacate(slot);
  }

  /** The event loop was woken. */
  protected woken(): void {
    this.deliver();
    if (this.observed === 0 && this.listening && !this.drains()) {
      // Not at once when the last observed task settles, since the next one often follows.
      this.listening = false;
      this.port.listen(false);
    }
  }

  // ---- pull

  block(ticket: Ticket, ms: number): boolean {
    if (this.refused.length > 0) this.settleRefused();
    if (this.untold > 0) {
      ensureStack(ROOM_TO_TELL);
      this.tellRest();
    }
    const deadline = ms === Infinity ? Infinity : performance.now() + ms;
    const slot = ticket & SLOT_MASK;
    for (let left = ms; this.isPending(ticket); left = deadline === Infinity ? Infinity : Math.max(0, deadline - performance.now())) {
      const { depth } = this;
      const reports = this.reportsOf(depth);
      this.depth = depth + 1;
      let result: number;
      try {
        result = this.port.block(slot, left, depth);
        if (result === NO_ROOM) {
          ensureStack(ROOM_TO_WAIT);
          result = this.port.block(slot, left, depth + WITH_ROOM);
        }
        // Its last progress, if that has not been told, and its settlement.
        this.report(reports, result >> WAITED_BITS);
      } finally {
        this.depth = depth;
      }
      const waited = result & WAITED;
      if (waited === TIME_OUT) return !this.isPending(ticket);
      if (waited === SERVICE) this.serve();
      else if (waited === SETTLED) {
        if ((result & MORE) !== 0) this.deliver();
      } else if (waited === TOO_DEEP)
        throw new RangeError("Maximum call stack size exceeded: this worker waits in thousands of nested parallel calls.");
      else if (waited === NEVER)
        throw new ParallelError(
          "get() would wait forever: the task is asynchronous and runs on this very thread, whose event loop stands still meanwhile. Use `await` instead.",
        );
      else {
        if (waited === TERMINATED) terminateAgain();
        throw this.ending();
      }
    }
    return true;
  }

  // ---- cancel

  cancel(ticket: Ticket, grace: number): boolean {
    if (this.refused.length > 0) this.settleRefused();
    if (this.untold > 0) {
      ensureStack(ROOM_TO_TELL);
      this.tellRest();
    }
    if (!this.isPending(ticket)) return false;
    const { depth } = this;
    const reports = this.reportsOf(depth);
    this.depth = depth + 1;
    try {
      const ms = grace < 0 ? this.grace : grace;
      let count = this.port.cancel(ticket & SLOT_MASK, ms, depth);
      if (count === NO_ROOM) {
        ensureStack(ROOM_TO_TELL);
        count = this.port.cancel(ticket & SLOT_MASK, ms, depth + WITH_ROOM);
      }
      if (count > 0) this.report(reports, count);
      return count > 0;
    } finally {
      this.depth = depth;
    }
  }

  protected cancelAll(grace: number): void {
    for (let slot = 0; slot < this.sinks.length; slot++) {
      if (this.sinks[slot] !== undefined) this.cancel(this.tickets[slot]!, grace);
    }
  }

  // ---- observe

  observe(ticket: Ticket, ref: boolean): void {
    if (!this.isPending(ticket)) return;
    const slot = ticket & SLOT_MASK;
    if ((this.marks[slot]! & OBSERVED) === 0) {
      this.marks[slot]! |= OBSERVED;
      this.observed++;
      if (!this.listening) this.attend();
    }
    this.setRef(ticket, ref);
  }

  /** Somebody waits on the event loop, and it is not woken for settlements yet. */
  protected attend(): void {
    this.listening = true;
    this.port.listen(true);
  }

  setRef(ticket: Ticket, ref: boolean): void {
    if (!this.isPending(ticket)) return;
    const slot = ticket & SLOT_MASK;
    const marks = this.marks[slot]!;
    if ((marks & OBSERVED) === 0 || ((marks & REFERENCED) !== 0) === ref) return;
    this.marks[slot] = marks ^ REFERENCED;
    if (ref ? this.references++ === 0 : --this.references === 0) this.keepAlive(ref);
  }

  // ---- retained results

  retain(ticket: Ticket): void {
    if (!this.knows(ticket)) return;
    const slot = ticket & SLOT_MASK;
    const count = this.retained.get(slot) ?? 0;
    this.retained.set(slot, count + 1);
    if (count === 0) this.port.retain(slot, true);
  }

  release(ticket: Ticket): void {
    if (!this.knows(ticket)) return;
    const slot = ticket & SLOT_MASK;
    const count = this.retained.get(slot);
    if (count === undefined) return;
    if (count > 1) {
      this.retained.set(slot, count - 1);
      return;
    }
    this.retained.delete(slot);
    this.port.retain(slot, false);
    if ((this.marks[slot]! & REPORTED) === 0) return;
    this.port.forget(slot);
    this.vacate(slot);
  }
}
