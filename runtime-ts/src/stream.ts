/**
 * StreamHandle: the caller's end of a parallel generator. The generator runs ahead of the consumer by a few values, never more.
 */
import type { InspectOptionsStylized } from "node:util";
import { appearsAs, INSPECT, type Inspect, show } from "./appearance";
import { carriedValues, carriesValues, runCarrying, type Carried } from "./carry";
import { ByteWriter, decodeCallFor, decodeValue, encodeCall, encodeValue, NO_RECEIVER, STAYS_BRAND, whenLoaded } from "./codec";
import { currentBackend } from "./configure";
import { processNow } from "./clock";
import { concerning, DependencyError } from "./errors";
import { follow } from "./follow";
import { type AsyncHandle, FailedInput, type HandleStatus, PendingHandle } from "./handle";
import { loadLocally, runLocally } from "./local";
import type { ResolvedOptions } from "./options";
import { cancelledError, timeoutError } from "./outcome-error";
import { clearTimeout, LONGEST_TIMER, setTimeout, performance } from "./own-clock";
import { type Encoded, Settlement } from "./pool/backend";
import { StreamConsumer } from "./stream-channel";
import { FLAG_RECEIVER } from "./stub-meta";
import type { StubTask } from "./task";

/** What a parallel generator returns, an `AsyncIterableIterator` (which takes three parameters only from TypeScript 5.6 on): iterate it with `for await`. Leaving the loop early ends the generator. */
export class StreamHandle<T, R = unknown> implements AsyncIterator<T, R | undefined, undefined> {
  private finished = false;
  /** Values are taken one at a time, in the order of the calls of `next`. */
  private last: Promise<unknown> = Promise.resolve();

  private constructor(private readonly source: Source<T, R>) {}

  /** @internal */
  static start(
    task: StubTask,
    options: ResolvedOptions | undefined,
    receiver: unknown,
    captures: readonly unknown[] | undefined,
    args: ArrayLike<unknown>,
  ): StreamHandle<unknown> {
    if (currentBackend().kind === "inline") return new StreamHandle(new LocalSource(task, options, receiver, captures, args));
    const channel = new StreamConsumer();
    // Behind the arguments, so that a message counts those as the caller does.
    const handle = task.pushVariant("stream:", options, receiver, captures, [...Array.from(args), channel.memory]);
    const source = new RemoteSource(handle, channel);
    const stream = new StreamHandle(source);
    dropped.register(stream, source, source);
    // What the registry holds may know of the stream, by its error for one, which then would never be dropped.
    handle._whenSettled(() => dropped.unregister(source));
    return stream;
  }

  /** @internal What settles when the generator has ended. */
  get _outcome(): AsyncHandle<unknown> {
    return this.source.outcome;
  }

  /** @internal */
  get [STAYS_BRAND](): string {
    return "it is a stream, which one thread reads; iterate it, and pass what it yields";
  }

  /** Where the generator stands. */
  get status(): HandleStatus {
    return this.source.status;
  }

  get [Symbol.toStringTag](): string {
    return "StreamHandle";
  }

  /** What `JSON.stringify` writes in its place: which generator it is and where it stands. */
  toJSON(): { id: string; name: string; status: HandleStatus } {
    return { ...this.source.outcome.toJSON(), status: this.status };
  }

  /** @internal For `console.log`. */
  [INSPECT](depth: number, options: InspectOptionsStylized, inspect: Inspect): string {
    const { name, status } = this.toJSON();
    return show("StreamHandle", { name, status }, depth, options, inspect);
  }

  /** The next value, or `{ done: true }` with what the generator returned. Rejects with the error that ended it. */
  next(): Promise<IteratorResult<T, R | undefined>> {
    const result = this.last.then(() => this.pull());
    this.last = result.catch(() => {});
    return result;
  }

  /** Ends the generator; its `finally` blocks run. */
  async return(value?: R): Promise<IteratorResult<T, R | undefined>> {
    this.cancel();
    return { done: true, value };
  }

  /** Ends the generator as `return` does, and rejects with `error`: the generator does not see it. */
  async throw(error?: unknown): Promise<IteratorResult<T, R | undefined>> {
    this.cancel(error);
    throw error;
  }

  /**
   * Ends the generator; its `finally` blocks run. Values that have not been taken are dropped.
   * @returns false when it had ended already
   */
  cancel(reason?: unknown): boolean {
    if (this.finished) return false;
    this.finished = true;
    this.source.cancel(reason);
    return true;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cancel();
  }

  private async pull(): Promise<IteratorResult<T, R | undefined>> {
    if (this.finished) return { done: true, value: undefined };
    try {
      const next = await this.source.next();
      if (next.done === true) this.finished = true;
      return next;
    } catch (error) {
      this.finished = true;
      throw error;
    }
  }
}

appearsAs(StreamHandle, "StreamHandle", false);

/** Of a stream that nobody holds any more, no value will ever be read: its generator would wait for room in the worker for ever. */
const dropped = new FinalizationRegistry<RemoteSource<unknown, unknown>>((source) => source.cancel("the stream was dropped"));

interface Source<T, R> {
  readonly status: HandleStatus;
  readonly outcome: AsyncHandle<unknown>;
  next(): Promise<IteratorResult<T, R | undefined>>;
  cancel(reason: unknown): void;
}

/** @internal */
export class RemoteSource<T, R> implements Source<T, R> {
  private cancelled = false;

  constructor(
    private readonly handle: AsyncHandle<unknown>,
    private readonly channel: StreamConsumer,
  ) {
    // Whatever ends the task wakes a waiting consumer: the generator's own end, a crash, a time-out.
    handle._quiet();
    handle._whenSettled(() => channel.cancel());
  }

  get outcome(): AsyncHandle<unknown> {
    return this.handle;
  }

  get status(): HandleStatus {
    return this.handle.status;
  }

  async next(): Promise<IteratorResult<T, R | undefined>> {
    for (;;) {
      const mark = this.channel.mark;
      // Before the look at the values: the last ones may come between the two.
      const ended = this.channel.ended || this.handle._settlement !== 0;
      const bytes = this.channel.take();
      if (bytes !== undefined) {
        this.handle._tracePull(processNow());
        return { done: false, value: decodeValue({ bytes, start: 0, end: bytes.length, attachments: null }) as T };
      }
      if (this.cancelled) return { done: true, value: undefined };
      if (ended) return { done: true, value: (await this.handle) as R };
      this.handle._observe();
      await this.channel.news(mark);
    }
  }

  cancel(reason: unknown): void {
    this.cancelled = true;
    this.channel.cancel();
    this.handle.cancel(reason);
  }
}

/**
 * The inline backend has no thread to run ahead on: the generator is stepped by its consumer. Values are copied, as elsewhere. A time limit and a signal
 * end it between two steps.
 */
class LocalSource<T, R> implements Source<T, R> {
  status: HandleStatus = "queued";
  /** Settled like a task's handle, for those who watch and count. */
  readonly outcome: AsyncHandle<unknown>;
  private readonly called = processNow();
  private started = 0;
  private generator: Generator<T, R> | AsyncGenerator<T, R> | undefined;
  private readonly carried: Carried | undefined = carriesValues() ? carriedValues() : undefined;

  /** What it was called with, as on the other backends a copy, in which instances are those of the chunk's own classes. */
  private readonly call: Encoded;
  private readonly handles: readonly AsyncHandle<unknown>[];

  constructor(
    private readonly task: StubTask,
    private readonly options: ResolvedOptions | undefined,
    receiver: unknown,
    private readonly captures: readonly unknown[] | undefined,
    args: ArrayLike<unknown>,
  ) {
    this.outcome = new PendingHandle(task, undefined);
    this.outcome._quiet();
    const writer = new ByteWriter(new Uint8Array(256), true);
    const { meta } = task;
    this.hasReceiver = (meta.flags & FLAG_RECEIVER) !== 0;
    try {
      const { dependencies } = encodeCall(writer, this.hasReceiver ? receiver : NO_RECEIVER, captures, meta.captures, args, meta);
      this.handles = (dependencies ?? []) as readonly AsyncHandle<unknown>[];
    } catch (error) {
      if (!(error instanceof FailedInput)) throw concerning(error, task.name);
      this.handles = [error.handle];
    }
    this.call = copied(writer);
    const { signal, timeout = Infinity, after } = options ?? {};
    for (const handle of [...this.handles, ...(after ?? [])]) handle._willBeLookedAt();
    if (signal?.aborted === true) this.stop(Settlement.Cancelled, cancelledError(task.name, signal.reason));
    if (this.failure !== undefined) return;
    if (signal !== undefined) {
      const cancel = (reason: unknown): void => this.stop(Settlement.Cancelled, cancelledError(task.name, reason));
      follow(signal, { cancel }, this.outcome);
    }
    if (timeout === Infinity) return;
    this.deadline = performance.now() + timeout;
    const expire = (): void => this.expire();
    const timer = setTimeout(expire, Math.min(timeout, LONGEST_TIMER)).unref();
    this.outcome._whenSettled(() => clearTimeout(timer));
  }

  private readonly hasReceiver: boolean;
  private deadline = Infinity;
  /** Why it was stopped from outside, for the step that is under way or the next one. */
  private failure: { error: unknown } | undefined;
  private stopped: (() => void) | undefined;

  private expire(): void {
    this.stop(Settlement.TimedOut, timeoutError(this.task.name, this.options?.timeout));
  }

  private stop(settlement: Settlement.Cancelled | Settlement.TimedOut, error: unknown): void {
    if (this.outcome._settlement !== 0) return;
    this.failure = { error };
    this.settle(settlement, error);
    this.stopped?.();
    this.close();
  }

  /** Has the generator run its `finally` blocks. What they throw is nobody's any more, as on the other backends; nor can one in the middle of a synchronous step be closed. */
  private close(): void {
    const { generator } = this;
    if (generator !== undefined)
      Promise.resolve()
        .then(() => generator.return(undefined as never))
        .catch(() => {});
  }

  private async start(): Promise<Generator<T, R> | AsyncGenerator<T, R>> {
    const inputs: Encoded[] = [];
    const { task } = this;
    const valueOf = (handle: AsyncHandle<unknown>): Promise<unknown> =>
      handle.then(undefined, (cause: unknown) => {
        throw new DependencyError(`${task.name} did not run, because ${handle.name} that it waits for failed.`, { task: task.name, cause });
      });
    for (const handle of this.handles) inputs.push(encoded(await valueOf(handle)));
    for (const handle of this.options?.after ?? []) await valueOf(handle);
    await loadLocally(task);
    const values = await whenLoaded(() => decodeCallFor(task.home.manifest, this.call, inputs));
    const receiver = this.hasReceiver ? values.shift() : undefined;
    const captures = this.captures && values.splice(0, this.captures.length);
    return (await runLocally(task, captures, values, receiver)) as Generator<T, R>;
  }

  private settle(settlement: keyof typeof STATUS, value: unknown): void {
    if (this.status !== "queued" && this.status !== "running") return;
    this.status = STATUS[settlement];
    const { started, called } = this;
    if (started === 0) this.outcome._settleWith(settlement, value);
    else this.outcome._settleWith(settlement, value, processNow() - started, { waited: started - called, started, worker: -1 });
  }

  async next(): Promise<IteratorResult<T, R | undefined>> {
    if (performance.now() >= this.deadline) this.expire();
    if (this.failure !== undefined) throw this.failure.error;
    this.status = "running";
    if (this.started === 0) this.started = processNow();
    try {
      const stopped = new Promise<void>((resolve) => (this.stopped = resolve));
      const step = this.step();
      step.catch(() => {});
      const next = await Promise.race([step, stopped]);
      if (next === undefined) throw this.failure!.error;
      const value = copy(next.value);
      if (next.done === true) this.settle(Settlement.Fulfilled, value);
      this.outcome._tracePull(processNow());
      return { done: next.done === true, value } as IteratorResult<T, R | undefined>;
    } catch (thrown) {
      const error = concerning(thrown, this.task.name);
      this.settle(Settlement.Rejected, error);
      throw error;
    }
  }

  private async step(): Promise<IteratorResult<T, R>> {
    if (this.generator === undefined) {
      this.generator = await this.start();
      // What has been stopped while it was waiting does not begin.
      if (this.failure !== undefined) this.close();
    }
    const { generator } = this;
    return await (carriesValues() ? runCarrying(this.carried, () => generator.next()) : generator.next());
  }

  cancel(reason: unknown): void {
    this.settle(Settlement.Cancelled, cancelledError(this.task.name, reason));
    this.close();
  }
}

const STATUS = {
  [Settlement.Fulfilled]: "fulfilled",
  [Settlement.Rejected]: "rejected",
  [Settlement.Cancelled]: "cancelled",
  [Settlement.TimedOut]: "rejected",
} as const;

function copy(value: unknown): unknown {
  return decodeValue(encoded(value));
}

function encoded(value: unknown): Encoded {
  const writer = new ByteWriter(new Uint8Array(256));
  encodeValue(writer, value);
  return copied(writer);
}

function copied({ bytes, length, attachments }: ByteWriter): Encoded {
  return { bytes, start: 0, end: length, attachments };
}
