/**
 * `fn.map`: the function over many items, in chunks.
 *
 * A chunk is one task that calls the function for each of its items. Its size follows the measured cost of an item, so that a chunk takes a few
 * milliseconds: long enough that queueing does not matter, short enough that the cores end together and progress moves. Near the end the size
 * falls with what is left ("guided self-scheduling", Polychronopoulos and Kuck, 1987). Back-pressure: no more than `concurrency` chunks are under way,
 * and while results are iterated, none is started whose results nobody has room for.
 */
import { AsyncResource } from "node:async_hooks";
import { decodeItems, decodeValue, encodeCall, encodeItemsCall, NO_RECEIVER, type Writer } from "./codec";
import { currentBackend, threadCount } from "./configure";
import { CancelledError, ParallelError } from "./errors";
import { AsyncHandle, keep } from "./handle";
import type { Backend, Encoded, TaskSink, Ticket } from "./pool/backend";
import { Settlement } from "./pool/backend";
import type { StubTask } from "./task";
import { pushOptionsOf } from "./task-options";
import type { MapItems } from "./types";

export interface MapOptions {
  /** Items a chunk. Default: chosen from the measured cost of an item. */
  chunkSize?: number;
  /** Iteration yields results in the order of the items (default), or as they come. The awaited array is always in order. */
  ordered?: boolean;
  /** Chunks under way at once. Default: twice the number of threads. */
  concurrency?: number;
  /** Called on the event loop as chunks end. `fraction` is NaN while the number of items is not known. */
  onProgress?: (fraction: number, done: number, total: number | undefined) => void;
}

/** Run time that a chunk aims at, in ms. */
const TARGET_MS = 4;
/** Items of the first chunks, whose cost is not known yet. */
const FIRST_SIZE = 16;
/** How many times larger a chunk may be than the one whose cost it is derived from. */
const GROWTH = 16;

/** Longer result arrays are not preallocated: the engine would make them dictionaries. */
const MAX_PREALLOCATED = 1 << 24;

/** Results of a chunk: a part of an array. */
interface Results {
  values: ArrayLike<unknown>;
  from: number;
  to: number;
}

type ArrayLikeItems = ArrayLike<unknown> & { slice(start: number, end: number): ArrayLike<unknown> };

/** The results of a `map`: await it for all of them, or iterate it as they come. */
export class MapHandle<R> implements Promise<R[]>, AsyncIterable<R> {
  private readonly backend: Backend;
  private readonly index: number;
  private readonly chunkSize: number | undefined;
  private readonly concurrency: number;
  private readonly ordered: boolean;
  private readonly onProgress: MapOptions["onProgress"];
  /** Number of items, where it is known from the start. */
  private readonly total: number | undefined;

  private readonly array: ArrayLikeItems | undefined;
  private iterator: Iterator<unknown> | undefined;
  private asyncIterator: AsyncIterator<unknown> | undefined;
  private reading = false;
  private exhausted = false;

  private nextItem = 0;
  private nextChunk = 0;
  private doneItems = 0;
  private perItem = 0;
  private measuredSize = 0;

  private readonly running = new Set<ChunkSink<R>>();
  /** Results by number of the chunk, until they are taken. */
  private readonly finished = new Map<number, Results>();
  /** All results in their places, while nobody iterates and their number is known: they are decoded only once. */
  private all: unknown[] | undefined;
  private nextToYield = 0;
  /** Chunks whose results nobody has taken; only bounded while iterating. */
  private iterating = false;
  private outcome: AsyncHandle<R[]>;
  private failed = false;
  private wakeIterators: (() => void)[] = [];
  private pumpPlanned = false;

  /** @internal */
  static start<R>(
    task: StubTask,
    captures: readonly unknown[] | undefined,
    items: MapItems<unknown>,
    options: MapOptions = {},
  ): MapHandle<R> {
    return new MapHandle<R>(task, captures, items, options);
  }

  private constructor(
    private readonly task: StubTask,
    private readonly captures: readonly unknown[] | undefined,
    items: MapItems<unknown>,
    options: MapOptions,
  ) {
    const { chunkSize, concurrency, ordered = true, onProgress } = options;
    if (chunkSize !== undefined && (!Number.isInteger(chunkSize) || chunkSize < 1))
      throw new RangeError(`"chunkSize" is a whole number >= 1, not ${chunkSize}.`);
    if (concurrency !== undefined && (!Number.isInteger(concurrency) || concurrency < 1)) {
      throw new RangeError(`"concurrency" is a whole number >= 1, not ${concurrency}.`);
    }
    this.backend = currentBackend();
    this.index = task.indexIn(this.backend, "map:");
    this.chunkSize = chunkSize;
    this.concurrency = concurrency ?? 2 * threadCount();
    this.ordered = ordered;
    this.onProgress = onProgress === undefined ? undefined : AsyncResource.bind(onProgress);
    if (Array.isArray(items) || (ArrayBuffer.isView(items) && !(items instanceof DataView))) {
      this.array = items as unknown as ArrayLikeItems;
      this.total = this.array.length;
    } else if (typeof (items as Iterable<unknown>)?.[Symbol.iterator] === "function") {
      this.iterator = (items as Iterable<unknown>)[Symbol.iterator]();
    } else if (typeof (items as AsyncIterable<unknown>)?.[Symbol.asyncIterator] === "function") {
      this.asyncIterator = (items as AsyncIterable<unknown>)[Symbol.asyncIterator]();
    } else {
      throw new TypeError(`${task.name}.map() takes an array, a typed array or something iterable.`);
    }
    this.outcome = new AsyncHandle<R[]>({ id: task.id, name: `${task.name}.map` }, undefined);
    const { signal } = task.options ?? {};
    if (signal !== undefined) {
      const onAbort = (): void => void this.cancel(signal.reason);
      if (signal.aborted) onAbort();
      else {
        signal.addEventListener("abort", onAbort, { once: true });
        this.outcome._whenSettled(() => signal.removeEventListener("abort", onAbort));
      }
    }
    this.pump();
  }

  get [Symbol.toStringTag](): string {
    return "MapHandle";
  }

  /** Share of the items that are done, 0..1; NaN while their number is not known. */
  get progress(): number {
    if (this.outcome._settlement === Settlement.Fulfilled) return 1;
    return this.total === undefined ? NaN : this.total === 0 ? 1 : this.doneItems / this.total;
  }

  /** True once all results, or an error, are there. Never blocks. */
  isReady(): boolean {
    if (this.outcome._settlement === 0) {
      this.backend.poll();
      this.pump();
    }
    return this.outcome._settlement !== 0;
  }

  /**
   * Blocks this thread until all results are there.
   * @param timeoutMs longest wait in ms
   * @throws the first error of the function; TimeoutError; ParallelError for items that come asynchronously, which can't come while this thread blocks
   */
  get(timeoutMs: number = Infinity): R[] {
    const deadline = performance.now() + timeoutMs;
    while (this.outcome._settlement === 0) {
      this.pump();
      if (this.outcome._settlement !== 0) break;
      const [first] = this.running;
      if (first === undefined)
        throw new ParallelError(`${this.task.name}.map() reads items asynchronously, so get() would wait for ever; await it.`);
      if (!this.backend.block(first.ticket, timeoutMs === Infinity ? Infinity : Math.max(0, deadline - performance.now())))
        return this.outcome.get(0);
    }
    return this.outcome.get();
  }

  /** Cancels what has not ended; the promise is rejected with a CancelledError. */
  cancel(reason?: unknown): boolean {
    if (this.outcome._settlement !== 0) return this.outcome._settlement === Settlement.Cancelled;
    this.fail(Settlement.Cancelled, new CancelledError(`${this.task.name}.map was cancelled.`, { task: this.task.name, cause: reason }));
    return true;
  }

  then<A = R[], B = never>(
    onFulfilled?: ((value: R[]) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: any) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.outcome.then(onFulfilled, onRejected);
  }

  catch<B = never>(onRejected?: ((reason: any) => B | PromiseLike<B>) | null): Promise<R[] | B> {
    return this.outcome.catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<R[]> {
    return this.outcome.finally(onFinally);
  }

  /** Results one by one. Leaving the loop early cancels the rest. */
  async *[Symbol.asyncIterator](): AsyncGenerator<R, void, undefined> {
    if (this.iterating) throw new ParallelError(`${this.task.name}.map() is being iterated already.`);
    this.iterating = true;
    this.outcome._quiet();
    let complete = false;
    try {
      for (;;) {
        const chunk = this.takeChunk();
        if (chunk !== undefined) {
          this.planPump();
          const { values, to } = chunk;
          for (let i = chunk.from; i < to; i++) yield values[i] as R;
        } else if (this.outcome._settlement !== 0 && this.outcome._settlement !== Settlement.Fulfilled) {
          complete = true;
          throw this.outcome._error();
        } else if (this.exhausted && this.running.size === 0) {
          complete = true;
          return;
        } else {
          await new Promise<void>((resolve) => this.wakeIterators.push(resolve));
        }
      }
    } finally {
      if (!complete) {
        this.cancel();
        // The source is told that no more items are wanted.
        this.iterator?.return?.();
        void this.asyncIterator?.return?.();
      }
    }
  }

  private takeChunk(): Results | undefined {
    if (!this.ordered) {
      for (const [number, results] of this.finished) {
        this.finished.delete(number);
        return results;
      }
      return undefined;
    }
    const results = this.finished.get(this.nextToYield);
    if (results !== undefined) this.finished.delete(this.nextToYield++);
    return results;
  }

  /** Starts chunks while there are items and room. */
  private pump(): void {
    if (this.failed) return;
    try {
      while (!this.exhausted && this.running.size < this.concurrency && !(this.iterating && this.finished.size >= this.concurrency)) {
        if (this.asyncIterator !== undefined) {
          if (!this.reading) void this.readAsync();
          break;
        }
        if (this.array !== undefined) {
          const start = this.nextItem;
          const end = this.advance(this.array.length);
          if (end === start) break;
          this.pushRange(this.array, start, end);
        } else {
          const items = this.readIterator();
          if (items.length === 0) break;
          this.push(items, this.nextItem - items.length);
        }
      }
    } catch (error) {
      this.fail(Settlement.Rejected, error);
      return;
    }
    if (this.exhausted && this.running.size === 0 && this.outcome._settlement === 0) {
      // While iterating, the results are taken one by one, and nobody wants the array.
      this.outcome._settleWith(Settlement.Fulfilled, this.iterating ? [] : this.collect());
      this.wake();
    }
  }

  private planPump(): void {
    if (this.pumpPlanned) return;
    this.pumpPlanned = true;
    queueMicrotask(() => {
      this.pumpPlanned = false;
      this.pump();
    });
  }

  private size(): number {
    if (this.chunkSize !== undefined) return this.chunkSize;
    const wanted = this.perItem === 0 ? (this.measuredSize === 0 ? FIRST_SIZE : this.measuredSize * GROWTH) : TARGET_MS / this.perItem;
    const grown = this.measuredSize === 0 ? FIRST_SIZE : Math.min(wanted, this.measuredSize * GROWTH);
    const fair = this.total === undefined ? Infinity : Math.ceil((this.total - this.nextItem) / (2 * threadCount()));
    return Math.max(1, Math.min(Math.floor(grown), fair));
  }

  /** Takes the items of the next chunk of an array. @returns the place after the last */
  private advance(total: number): number {
    const end = Math.min(total, this.nextItem + this.size());
    this.nextItem = end;
    if (end === total) this.exhausted = true;
    return end;
  }

  private readIterator(): unknown[] {
    const items: unknown[] = [];
    for (let size = this.size(); size > 0; size--) {
      const next = this.iterator!.next();
      if (next.done === true) {
        this.exhausted = true;
        break;
      }
      items.push(next.value);
    }
    this.nextItem += items.length;
    return items;
  }

  /** Items that come slowly are sent in small chunks: a chunk is closed when the next item is not there within one turn. */
  private async readAsync(): Promise<void> {
    this.reading = true;
    try {
      const items: unknown[] = [];
      for (let size = this.size(); size > 0; size--) {
        const next = await this.asyncIterator!.next();
        if (this.failed) return;
        if (next.done === true) {
          this.exhausted = true;
          break;
        }
        items.push(next.value);
      }
      this.nextItem += items.length;
      if (items.length > 0) this.push(items, this.nextItem - items.length);
    } catch (error) {
      this.fail(Settlement.Rejected, error);
    } finally {
      this.reading = false;
    }
    this.pump();
  }

  private pushRange(array: ArrayLikeItems, start: number, end: number): void {
    // A view would take its whole buffer along.
    if (!Array.isArray(array)) return this.push(array.slice(start, end), start);
    const { task } = this;
    this.send(start, end - start, (writer) => encodeItemsCall(writer, this.captures, task.meta.captures, array, start, end));
  }

  private push(items: ArrayLike<unknown>, start: number): void {
    const { task } = this;
    this.send(start, items.length, (writer) => encodeCall(writer, NO_RECEIVER, this.captures, task.meta.captures, [items]));
  }

  private send(start: number, size: number, encode: (writer: Writer) => void): void {
    const { backend, task } = this;
    const writer = backend.writer();
    try {
      encode(writer);
    } catch (error) {
      writer.reset();
      throw error;
    }
    const sink = new ChunkSink<R>(this, this.nextChunk++, start, size);
    this.running.add(sink);
    sink.ticket = backend.push(this.index, writer, sink, pushOptionsOf(task.options));
    backend.observe(sink.ticket, true);
  }

  /** @internal */
  _chunkSettled(sink: ChunkSink<R>, settlement: Settlement, payload: Encoded | null, elapsed: number): void {
    this.running.delete(sink);
    if (this.failed) return;
    if (settlement !== Settlement.Fulfilled) {
      this.fail(settlement, sink.error(settlement, payload));
      return;
    }
    this.finished.set(sink.number, this.decode(sink, payload!));
    this.doneItems += sink.size;
    this.measuredSize = Math.max(this.measuredSize, sink.size);
    if (elapsed > 0) this.perItem = elapsed / sink.size;
    if (this.onProgress !== undefined) {
      const { onProgress, doneItems, total } = this;
      queueMicrotask(() => onProgress(total === undefined ? NaN : doneItems / total, doneItems, total));
    }
    this.wake();
    this.planPump();
  }

  /** While the results are iterated, chunk by chunk, so that those that have been taken can be collected; else right into their places. */
  private decode({ start, size }: ChunkSink<R>, payload: Encoded): Results {
    if (this.iterating || this.total === undefined || this.total > MAX_PREALLOCATED) {
      const values = decodeValue(keep(payload)) as ArrayLike<unknown>;
      return { values, from: 0, to: values.length };
    }
    const all = (this.all ??= new Array<unknown>(this.total));
    decodeItems(payload, all, start, size);
    return { values: all, from: start, to: start + size };
  }

  private collect(): R[] {
    if (this.all !== undefined && this.finished.size === this.nextChunk) {
      const { all } = this;
      let direct = true;
      for (const { values } of this.finished.values()) direct &&= values === all;
      if (direct) {
        this.finished.clear();
        this.all = undefined;
        return all as R[];
      }
    }
    const results: R[] = new Array(this.doneItems);
    let at = 0;
    for (let number = 0; number < this.nextChunk; number++) {
      const { values, from, to } = this.finished.get(number)!;
      for (let i = from; i < to; i++) results[at++] = values[i] as R;
    }
    this.finished.clear();
    this.all = undefined;
    return results;
  }

  /** The first error ends the whole: what is queued is cancelled. */
  private fail(settlement: Settlement, error: unknown): void {
    if (this.failed || this.outcome._settlement !== 0) return;
    this.failed = true;
    this.exhausted = true;
    this.all = undefined;
    for (const sink of [...this.running]) if (sink.ticket >= 0) this.backend.cancel(sink.ticket, -1);
    this.outcome._settleWith(settlement, error);
    this.wake();
  }

  private wake(): void {
    const waiting = this.wakeIterators;
    this.wakeIterators = [];
    for (const resolve of waiting) resolve();
  }
}

/** What the backend tells one chunk of a map. */
class ChunkSink<R> implements TaskSink {
  ticket: Ticket = -1;

  constructor(
    private readonly map: MapHandle<R>,
    readonly number: number,
    /** Place of its first item. */
    readonly start: number,
    readonly size: number,
  ) {}

  settle(settlement: Settlement, payload: Encoded | null, elapsed: number): void {
    this.map._chunkSettled(this, settlement, payload, elapsed);
  }

  progressed(): void {}

  /** The error that a handle would have thrown for this settlement. */
  error(settlement: Settlement, payload: Encoded | null): unknown {
    const handle = new AsyncHandle<unknown>(this.map["outcome"]._origin, undefined);
    const more = handle._extra();
    handle._quiet();
    more.timeout = this.map["task"].options?.timeout;
    handle.settle(settlement, payload, 0, 0);
    return handle._error();
  }
}
