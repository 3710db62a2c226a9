/**
 * `fn.map`: the function over many items, in chunks.
 *
 * A chunk is one task that calls the function for each of its items. Its size follows the measured cost of an item, so that a chunk takes a few
 * milliseconds: long enough that queueing does not matter, short enough that the cores end together and progress moves. Near the end the size
 * falls with what is left ("guided self-scheduling", Polychronopoulos and Kuck, 1987). Back-pressure: no more than `concurrency` chunks are under way,
 * and while results are iterated, none is started whose results nobody has room for.
 */
import { AsyncResource } from "node:async_hooks";
import { inspect, type InspectOptionsStylized } from "node:util";
import { appearsAs, INSPECT, type Inspect, show } from "./appearance";
import { processNow } from "./clock";
import { isTracing, tracePush } from "./trace-events";
import { arrayFor, hasRoom } from "./array-room";
import { carriedValues, carriesValues, type Carried } from "./carry";
import { decodeItems, decodeValue, encodeCall, encodeItemsCall, NO_RECEIVER, STAYS_BRAND } from "./codec";
import { currentBackend, threadCount, whenPoolCloses } from "./configure";
import { ParallelError, TimeoutError, TransferError } from "./errors";
import { follow } from "./follow";
import { AsyncHandle, FailedInput, type HandleStatus, keep, PendingHandle } from "./handle";
import { ChunkRun, ItemRun, type MapRun } from "./map-runs";
import { type MapPart, MapSource } from "./map-source";
import { checkCallback, checkKeys, checkMs } from "./options";
import { NamedOrigin } from "./origin";
import type { Backend, Encoded } from "./pool/backend";
import { Settlement } from "./pool/backend";
import type { StubTask } from "./task";
import { roomInQueue } from "./queue-room";
import { pushOptionsOf } from "./task-options";
import { carrying } from "./task-variants";
import type { MapItems } from "./types";
import { queueMicrotask, performance } from "./own-clock";
import { cancelledError } from "./outcome-error";
import { lookedAt } from "./unhandled";

/** Options of `fn.map(items, options)`. */
export interface MapOptions {
  /**
   * Items a chunk. Default: chosen from the measured cost of an item. With the options `retry`, `memoize`, `timeout` or `after` of the function each item is a
   * task of its own.
   */
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

/**
 * Most items of a chunk whose size was not given. V8 gives arrays beyond 128 KB pages of their own, and fetching those from the operating system for every chunk costs
 * a fifth of the time of a map over cheap items.
 */
const MAX_SIZE = 16_000;

/** Results of a run: a part of an array. */
interface Results {
  values: ArrayLike<unknown>;
  from: number;
  to: number;
}

/** Options that concern one call: with them, each item is a task of its own. */
const PER_ITEM = ["retry", "memoize", "timeout", "after"] as const;

/** The results of a `map`: await it for all of them, or iterate it as they come. */
export class MapHandle<R> implements Promise<R[]>, AsyncIterable<R> {
  private readonly backend: Backend;
  private readonly index: number;
  private readonly chunkSize: number | undefined;
  private readonly concurrency: number;
  private readonly ordered: boolean;
  private readonly onProgress: MapOptions["onProgress"];
  private readonly perItem: boolean;
  private readonly source: MapSource;
  private readonly carried: Carried | undefined = carriesValues() ? carriedValues() : undefined;
  /** The asynchronous context of the call: the source of the items is read in it, and `onProgress` called, whatever it is that makes room for more. */
  private readonly context = new AsyncResource("makeparallel.map");

  private nextRun = 0;
  private startedItems = 0;
  private doneItems = 0;
  /** Measured run time of an item in ms, and the largest chunk that it comes from. */
  private cost = 0;
  private measuredSize = 0;

  private readonly running = new Set<MapRun>();
  /** Results by number of the run, until they are taken. */
  private readonly finished = new Map<number, Results>();
  /** All results in their places, while nobody iterates and their number is known: they are decoded only once. */
  private all: unknown[] | undefined;
  private nextToYield = 0;
  /** Runs whose results nobody has taken; only bounded while iterating. */
  private iterating = false;
  /** An iteration has taken results. */
  private taken = false;
  /** Somebody has asked for all results while there still were all of them. */
  private keepsAll = false;
  /** What an iteration has taken since then. */
  private readonly kept = new Map<number, Results>();
  private readonly outcome: AsyncHandle<R[]>;
  private readonly leavePool: (() => void) | undefined;
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
    checkKeys(options, ["chunkSize", "ordered", "concurrency", "onProgress"], "map()");
    const { chunkSize, concurrency, ordered = true, onProgress } = options;
    if (chunkSize !== undefined && (!Number.isInteger(chunkSize) || chunkSize < 1))
      throw new RangeError(`"chunkSize" is a whole number >= 1, not ${inspect(chunkSize)}.`);
    if (concurrency !== undefined && concurrency !== Infinity && (!Number.isInteger(concurrency) || concurrency < 1)) {
      throw new RangeError(`"concurrency" is a whole number >= 1, not ${inspect(concurrency)}.`);
    }
    if (typeof ordered !== "boolean") throw new TypeError(`"ordered" is true or false, not ${inspect(ordered)}.`);
    if (onProgress !== undefined) checkCallback('"onProgress"', onProgress);
    const single = PER_ITEM.find((name) => task.options?.[name] !== undefined);
    if (single !== undefined && chunkSize !== undefined && chunkSize > 1) {
      throw new TypeError(`With the option "${single}" each item of ${task.name}.map() is a task of its own: leave "chunkSize" out.`);
    }
    this.perItem = single !== undefined;
    this.backend = currentBackend();
    this.index = task.indexIn(this.backend, this.carried === undefined ? "map:" : carrying("map:"));
    this.chunkSize = chunkSize;
    this.concurrency = concurrency ?? 2 * threadCount();
    this.ordered = ordered;
    this.onProgress = onProgress;
    this.source = new MapSource(
      items,
      task.name,
      () => this.pump(),
      (error) => this.fail(Settlement.Rejected, error),
    );
    this.outcome = new PendingHandle<R[]>(new NamedOrigin(task.id, `${task.name}.map`), undefined);
    // Its source may be silent when the pool closes, and for ever.
    this.leavePool = this.source.waits ? whenPoolCloses(this) : undefined;
    const { signal } = task.options ?? {};
    if (signal !== undefined) {
      if (signal.aborted) this.cancel(signal.reason);
      else follow(signal, this, this.outcome);
    }
    this.pump();
  }

  /** @internal */
  get [STAYS_BRAND](): string {
    return "it is what map() returned; await it, and pass the results";
  }

  get [Symbol.toStringTag](): string {
    return "MapHandle";
  }

  /** What `JSON.stringify` writes in its place: which map it is and where it stands. Never the results: await it for those. */
  toJSON(): { id: string; name: string; status: HandleStatus } {
    const { outcome } = this;
    const started = outcome._settlement === 0 && this.startedItems > 0;
    return { ...outcome.toJSON(), ...(started ? { status: "running" } : {}) };
  }

  /** @internal For `console.log`. */
  [INSPECT](depth: number, options: InspectOptionsStylized, print: Inspect): string {
    const { name, status } = this.toJSON();
    const facts = { name, status, done: this.doneItems, ...(this.source.total === undefined ? {} : { total: this.source.total }) };
    return show("MapHandle", facts, depth, options, print);
  }

  /** @internal Number of the items, if it is known. */
  get _total(): number | undefined {
    return this.source.total;
  }

  /** @internal Calls `callback` as items get done. */
  _onItems(callback: (done: number, total: number | undefined) => void): void {
    this.itemCallbacks.push(callback);
    if (this.doneItems > 0) callback(this.doneItems, this.source.total);
  }

  private readonly itemCallbacks: ((done: number, total: number | undefined) => void)[] = [];

  /** @internal What settles when all results, or an error, are there. */
  get _outcome(): AsyncHandle<unknown> {
    return this.outcome as AsyncHandle<unknown>;
  }

  /** Share of the items that are done, 0..1; NaN while their number is not known. */
  get progress(): number {
    if (this.outcome._settlement === Settlement.Fulfilled) return 1;
    const { total } = this.source;
    return total === undefined ? NaN : total === 0 ? 1 : this.doneItems / total;
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
    checkMs("timeoutMs", timeoutMs);
    const deadline = performance.now() + timeoutMs;
    while (this.outcome._settlement === 0) {
      this.source.flush();
      this.pump();
      if (this.outcome._settlement !== 0) break;
      const [first] = this.running;
      if (first === undefined)
        throw new ParallelError(`${this.task.name}.map() reads items asynchronously, so get() would wait for ever; await it.`);
      if (!first.block(timeoutMs === Infinity ? Infinity : Math.max(0, deadline - performance.now()))) {
        throw new TimeoutError(`${this.outcome.name} has not ended within the ${timeoutMs} ms that get() was given; it goes on.`, {
          task: this.outcome.name,
        });
      }
    }
    return this.wanted().get();
  }

  /** Cancels what has not ended; the promise is rejected with a CancelledError. */
  cancel(reason?: unknown): boolean {
    if (this.outcome._settlement !== 0) return this.outcome._settlement === Settlement.Cancelled;
    this.fail(Settlement.Cancelled, cancelledError(`${this.task.name}.map`, reason, this.task.name));
    return true;
  }

  /** @internal */
  poolCloses(): void {
    this.cancel();
  }

  then<A = R[], B = never>(
    onFulfilled?: ((value: R[]) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: any) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.wanted().then(onFulfilled, onRejected);
  }

  catch<B = never>(onRejected?: ((reason: any) => B | PromiseLike<B>) | null): Promise<R[] | B> {
    return this.wanted().catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<R[]> {
    return this.wanted().finally(onFinally);
  }

  /** Somebody asks for all results: from now on, they are kept when an iteration takes them. What it has taken before is gone. */
  private wanted(): AsyncHandle<R[]> {
    if (this.taken && !this.keepsAll && this.outcome._settlement <= Settlement.Fulfilled) {
      const text =
        `${this.task.name}.map() has been iterated, and its results are not kept beside that: collect them in the loop, or ask for all of them ` +
        "(then, catch, await) before it.";
      return AsyncHandle._failed(this.outcome._origin, Settlement.Rejected, new ParallelError(text, { task: this.task.name }));
    }
    this.keepsAll = true;
    return this.outcome;
  }

  /** Results one by one. Leaving the loop early cancels the rest. */
  async *[Symbol.asyncIterator](): AsyncGenerator<R, void, undefined> {
    if (this.outcome._settlement === Settlement.Fulfilled && this.keepsAll) {
      yield* this.outcome._peek();
      return;
    }
    if (this.iterating) {
      if (this.outcome._settlement > Settlement.Fulfilled) throw this.outcome._error();
      throw new ParallelError(`${this.task.name}.map() is iterated already, and each result is taken once.`, { task: this.task.name });
    }
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
        } else if (this.source.exhausted && this.running.size === 0) {
          complete = true;
          return;
        } else {
          await new Promise<void>((resolve) => this.wakeIterators.push(resolve));
        }
      }
    } finally {
      if (!complete) this.cancel();
    }
  }

  private takeChunk(): Results | undefined {
    if (!this.ordered) {
      for (const [number, results] of this.finished) {
        return this.take(number, results);
      }
      return undefined;
    }
    const results = this.finished.get(this.nextToYield);
    return results === undefined ? undefined : this.take(this.nextToYield++, results);
  }

  private take(number: number, results: Results): Results {
    this.finished.delete(number);
    if (this.keepsAll) this.kept.set(number, results);
    this.taken = true;
    return results;
  }

  /** Starts runs while there are items and room. */
  private pump(): void {
    if (this.failed) return;
    try {
      this.context.runInAsyncScope(() => this.startRuns());
    } catch (error) {
      this.fail(Settlement.Rejected, error);
      return;
    }
    if (this.source.exhausted && this.running.size === 0 && this.outcome._settlement === 0) {
      // While iterating, the results are taken one by one, and often nobody wants the array.
      const lost = this.iterating && !this.keepsAll && this.taken;
      this.keepsAll ||= !lost;
      this.leavePool?.();
      this.outcome._settleWith(Settlement.Fulfilled, lost ? [] : this.collect());
      this.wake();
    }
  }

  private startRuns(): void {
    const { source } = this;
    while (!source.exhausted && this.hasRoom()) {
      const size = this.size();
      const part = source.take(size);
      if (part.to === part.from) {
        source.request(size);
        return;
      }
      if (this.perItem) this.pushItem(part.items[part.from]);
      else this.push(part);
      // A source that settles or cancels the map.
      if (this.failed) return;
    }
  }

  /** A map may always have one run in the queue, so that it gets on, but does not fill a bounded one. */
  private hasRoom(): boolean {
    if (this.running.size >= this.concurrency) return false;
    if (this.iterating && this.finished.size >= this.concurrency) return false;
    return this.running.size === 0 || roomInQueue(this.backend) > 0;
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
    if (this.perItem) return 1;
    if (this.chunkSize !== undefined) return this.chunkSize;
    const { left } = this.source;
    const wanted = this.cost === 0 ? (this.measuredSize === 0 ? FIRST_SIZE : this.measuredSize * GROWTH) : TARGET_MS / this.cost;
    const grown = this.measuredSize === 0 ? FIRST_SIZE : Math.min(wanted, this.measuredSize * GROWTH);
    const fair = left === undefined ? Infinity : Math.ceil(left / (2 * threadCount()));
    return Math.max(1, Math.min(Math.floor(grown), fair, MAX_SIZE));
  }

  private push(part: MapPart): void {
    const { backend, task } = this;
    const { items, from, to } = part;
    const pushedAt = isTracing() ? processNow() : 0;
    const options = { carried: this.carried, move: task.options?.move === true, fields: task.meta.fields };
    const writer = backend.writer();
    let waits: boolean;
    try {
      const { dependencies } = Array.isArray(items)
        ? encodeItemsCall(writer, this.captures, task.meta.captures, items as unknown[], from, to, options)
        : encodeCall(writer, NO_RECEIVER, this.captures, task.meta.captures, [items], options);
      waits = dependencies !== null;
    } catch (error) {
      writer.reset();
      // A failed handle among the items fails as an item of its own.
      if (!(error instanceof FailedInput)) throw error instanceof TransferError ? this.named(error, this.startedItems - from) : error;
      waits = true;
    }
    if (waits) {
      // Handles among the items: what waits for one need not wait for the others.
      writer.reset();
      for (let i = from; i < to && !this.failed; i++) this.pushItem(items[i]);
      return;
    }
    const run = new ChunkRun(this.nextRun++, this.startedItems, to - from, backend, task.record, (...news) => this.chunkSettled(...news));
    this.startedItems += run.size;
    this.running.add(run);
    run.ticket = backend.push(this.index, writer, run, pushOptionsOf(task.options));
    if (pushedAt !== 0) run.flow = tracePush(task.record.number, pushedAt, run.size);
    backend.observe(run.ticket, true);
  }

  /** The error for an item of a part, with the item's own number. */
  private named({ message, path, task, cause }: TransferError, offset: number): TransferError {
    const own = path.replace(/^(?:items|args\[0\])\[(\d+)\]/, (_, at: string) => `items[${offset + Number(at)}]`);
    return new TransferError(message.replace(path, own), { path: own, task, cause });
  }

  private pushItem(item: unknown): void {
    const { task } = this;
    const from = isTracing() ? processNow() : 0;
    const handle = task.pushWith(task.options, undefined, this.captures, [item], false);
    if (from !== 0) handle._traced(tracePush(task.record.number, from));
    const run = new ItemRun(this.nextRun++, this.startedItems++, handle);
    this.running.add(run);
    handle._whenSettled(() => {
      if (handle._settlement !== Settlement.Fulfilled) {
        // One that failed before it could be queued: its error is the map's now.
        lookedAt(handle);
        this.runFailed(run, handle._settlement as Settlement, handle._error());
        return;
      }
      try {
        this.runSettled(run, this.place(run, handle.get()), handle.elapsed);
      } catch (error) {
        this.runFailed(run, Settlement.Rejected, error);
      }
    });
    handle._observe();
  }

  private chunkSettled(run: ChunkRun, settlement: Settlement, payload: Encoded | null, elapsed: number): void {
    if (settlement !== Settlement.Fulfilled) {
      if (!this.failed) this.runFailed(run, settlement, run.error(this.outcome._origin, this.task.options, settlement, payload));
      else this.running.delete(run);
      return;
    }
    let results: Results;
    try {
      results = this.decode(run, payload!);
    } catch (error) {
      this.runFailed(run, Settlement.Rejected, error);
      return;
    }
    this.runSettled(run, results, elapsed);
  }

  /** While the results are iterated, chunk by chunk, so that those that have been taken can be collected; else right into their places. */
  private decode({ start, size }: MapRun, payload: Encoded): Results {
    const all = this.places();
    if (all === undefined) {
      const values = decodeValue(keep(payload)) as ArrayLike<unknown>;
      return { values, from: 0, to: values.length };
    }
    decodeItems(payload, all, start, size);
    return { values: all, from: start, to: start + size };
  }

  private place({ start }: MapRun, value: unknown): Results {
    const all = this.places();
    if (all === undefined) return { values: [value], from: 0, to: 1 };
    all[start] = value;
    return { values: all, from: start, to: start + 1 };
  }

  private places(): unknown[] | undefined {
    const { total } = this.source;
    if ((this.iterating && !this.keepsAll) || total === undefined || !hasRoom(total)) return undefined;
    return (this.all ??= new Array<unknown>(total));
  }

  private runFailed(run: MapRun, settlement: Settlement, error: unknown): void {
    this.running.delete(run);
    this.fail(settlement, error);
  }

  private runSettled(run: MapRun, results: Results, elapsed: number): void {
    this.running.delete(run);
    if (this.failed) return;
    this.finished.set(run.number, results);
    this.doneItems += run.size;
    for (const callback of this.itemCallbacks) callback(this.doneItems, this.source.total);
    this.measuredSize = Math.max(this.measuredSize, run.size);
    if (elapsed > 0) this.cost = elapsed / run.size;
    if (this.onProgress !== undefined) {
      const { onProgress, doneItems } = this;
      const { total } = this.source;
      const fraction = total === undefined ? NaN : doneItems / total;
      queueMicrotask(() => this.context.runInAsyncScope(onProgress, undefined, fraction, doneItems, total));
    }
    this.wake();
    this.planPump();
  }

  private collect(): R[] {
    const { all, finished, kept } = this;
    this.all = undefined;
    const runs = Array.from({ length: this.nextRun }, (_, number) => finished.get(number) ?? kept.get(number)!);
    kept.clear();
    // An iteration that goes on takes what is left.
    if (!this.iterating) finished.clear();
    if (all !== undefined && runs.every(({ values }) => values === all)) {
      // A source may have become shorter.
      all.length = this.doneItems;
      return all as R[];
    }
    const results = arrayFor<R>(this.doneItems);
    let at = 0;
    for (const { values, from, to } of runs) for (let i = from; i < to; i++) results[at++] = values[i] as R;
    return results;
  }

  /** The first error ends the whole: what is queued is cancelled. */
  private fail(settlement: Settlement, error: unknown): void {
    if (this.failed || this.outcome._settlement !== 0) return;
    this.failed = true;
    this.leavePool?.();
    this.source.close();
    this.all = undefined;
    for (const run of [...this.running]) run.cancel();
    this.outcome._settleWith(settlement, error);
    this.wake();
  }

  private wake(): void {
    const waiting = this.wakeIterators;
    this.wakeIterators = [];
    for (const resolve of waiting) resolve();
  }
}

appearsAs(MapHandle, "MapHandle", true);
