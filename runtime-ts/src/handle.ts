/**
 * AsyncHandle: the caller's end of a task. Push has happened; check, pull, cancel or await it.
 *
 * A handle is the `TaskSink` of its task: the backend calls `settle` on it exactly once for each run. Scalars are decoded there and then;
 * anything larger is copied out of the backend's memory and decoded on first look, so that a result that nobody looks at costs no decoding.
 * The promise behind `then` is made on first use, because making one for each of a million polled handles would cost more than the tasks.
 */
import { AsyncResource } from "node:async_hooks";
import type { InspectOptionsStylized } from "node:util";
import { appearsAs, INSPECT, type Inspect, show } from "./appearance";
import { decodeValue, HANDLE_BRAND, lackedStack } from "./codec";
import { ParallelError, TimeoutError } from "./errors";
import { type Launch, More } from "./handle-extra";
import { processNow } from "./clock";
import { type HandleOrigin, NamedOrigin } from "./origin";
import { checkCallback, checkMs } from "./options";
import { type Backend, type Encoded, Phase, type Run, Settlement, type Ticket } from "./pool/backend";
import { outcomeError } from "./outcome-error";
import { Continuation, continueSoon } from "./continuation";
import { tracePull, traceRun } from "./trace-events";
import { addPushSite } from "./push-site";
import { afterRejection, enterWait, leaveWait, lookedAt } from "./unhandled";
import { clearTimeout, LONGEST_TIMER, nextTick, queueMicrotask, setTimeout, performance } from "./own-clock";

/**
 * Where a task stands: `waiting` for other tasks (or its next run), `queued`, `running`; then `fulfilled`, `rejected` (an error, a time-out, a crash, a failed
 * dependency) or `cancelled`.
 */
export type HandleStatus = "waiting" | "queued" | "running" | "fulfilled" | "rejected" | "cancelled";

/** Payloads up to this many bytes are decoded when they arrive: copying them would cost as much. */
const EAGER_BYTES = 16;

/** Thrown through the encoder when a handle among the arguments has failed already. */
export class FailedInput {
  constructor(readonly handle: AsyncHandle<unknown>) {}
}

type Callback = ((value: any) => unknown) | undefined;

/** Bits of `_flags`. */
/** Its settlement is to arrive although nobody polls: what settles it has been told so. */
const OBSERVED = 1;
/** `unref` was called. */
const UNREFERENCED = 2;
/** Somebody polls this handle, so that its rejection will be seen without a promise. */
const POLLED = 4;
/** Others take its outcome, so that its own rejection is not to be reported. */
const QUIET = 8;
/** `_value` is an `Encoded` that nobody has looked at yet. */
const RAW = 16;
/** It was pushed while a trace is recorded: `_more.flow` names it there. */
const TRACED = 64;
/** The trace knows of the first look at the outcome. */
const PULLED = 128;
/** `_resolve` and `_reject` are the callbacks of the first `then`, and `_promise` is its {@link Continuation}. */
const DIRECT = 32;

/** ms between looks at several handles that a blocked wait depends on. */
const LAUNCH_CHECK = 5;

/** A promise or a callback on this thread waits for it. */
const AWAITED = 256;
/** It keeps the process alive: what settles it has been told so. */
const KEEPS = 512;

/** Settlement of a handle; 0 while it has none. */
const PENDING = 0;

const DETACHED = new NamedOrigin("", "AsyncHandle.of");

const sleeper = new Int32Array(new SharedArrayBuffer(4));

// It is a `TaskSink`, but does not say so: the published declarations leave `settle` and `progressed` out, and would not hold.
/**
 * The result of a call to a parallel function, which may not be there yet.
 *
 * Implements `Promise<R>`; beyond it, `isReady`/`tryGet` check without blocking and `get`/`wait` block this thread.
 */
export class AsyncHandle<R> implements Promise<R> {
  /** @internal The first of all properties: see origin.ts. */ _origin: HandleOrigin;
  /** @internal */ _settlement: Settlement | typeof PENDING = PENDING;
  /** @internal */ _flags = 0;
  /** @internal The value, the error to throw, or (with the flag RAW) the payload that has not been decoded yet. */ _value: unknown =
    undefined;
  /** @internal */ _ticket: Ticket = -1;
  /** @internal In microseconds, as a small integer: a fraction would be an object of its own. */ _elapsed = 0;
  /** @internal Made on first use, with its two functions while it is pending. */ _promise: Promise<unknown> | undefined = undefined;
  /** @internal */ _resolve: Callback = undefined;
  /** @internal */ _reject: Callback = undefined;
  /** @internal */ _more: More | undefined = undefined;
  /** @internal */ _backend: Backend | undefined;

  /** Handles are made by calls to parallel functions and by {@link AsyncHandle.of}. */
  private constructor(origin: HandleOrigin, backend: Backend | undefined) {
    // `new AsyncHandle((resolve) => …)`, as of a promise: nothing would ever settle it.
    if (typeof origin !== "object")
      throw new TypeError("An AsyncHandle can't be constructed: a call to a parallel function returns one, and AsyncHandle.of(value).");
    this._origin = origin;
    this._backend = backend;
  }

  /**
   * A handle that is fulfilled already.
   * @param value a promise or handle is not unwrapped; pass plain values
   */
  static of<T>(value: T): AsyncHandle<T> {
    const handle = new AsyncHandle<T>(DETACHED, undefined);
    handle._settlement = Settlement.Fulfilled;
    handle._value = value;
    return handle;
  }

  /** @internal A handle that failed before it could be queued. */
  static _failed(
    origin: HandleOrigin,
    settlement: Settlement.Rejected | Settlement.Cancelled | Settlement.TimedOut | Settlement.DependencyFailed,
    error: unknown,
  ): AsyncHandle<never> {
    const handle = new AsyncHandle<never>(origin, undefined);
    handle._settlement = settlement;
    handle._value = error;
    origin.record?.settled(settlement);
    if (settlement !== Settlement.Cancelled) afterRejection(handle, false);
    return handle;
  }

  /** @internal */
  get [HANDLE_BRAND](): true {
    return true;
  }

  get [Symbol.toStringTag](): string {
    return "AsyncHandle";
  }

  /** What `JSON.stringify` writes in its place: which task it is and where it stands. Never the value: await the handle for that. */
  toJSON(): { id: string; name: string; status: HandleStatus } {
    return { id: this.id, name: this.name, status: this._printedStatus() };
  }

  /** @internal For `console.log`. Nobody has looked at an outcome because it was printed. */
  [INSPECT](depth: number, options: InspectOptionsStylized, inspect: Inspect): string {
    const { name } = this;
    const status = this._printedStatus();
    const outcome = status === "fulfilled" ? { value: this._peek() } : this._settlement === PENDING ? {} : { error: this._error() };
    const { progress } = this._more ?? {};
    return show(
      "AsyncHandle",
      { name, status, ...(this._settlement === PENDING && progress ? { progress } : outcome) },
      depth,
      options,
      inspect,
    );
  }

  /** Id of the function's task, `path/from/root.ts#name`. */
  get id(): string {
    return this._origin.id;
  }

  /** Name of the function. */
  get name(): string {
    return this._origin.name;
  }

  // ---- check

  /** True once there is a value, an error or a cancellation. Never blocks. */
  isReady(): boolean {
    if (this._settlement !== PENDING) return true;
    this._poll();
    return (this._settlement as number) !== PENDING;
  }

  /**
   * The value if it is there, else undefined. Never blocks.
   * @throws the task's error if it failed
   */
  tryGet(): R | undefined {
    if (!this.isReady()) return undefined;
    if ((this._flags & TRACED) !== 0) this._tracePull(processNow());
    return this._take();
  }

  /** Where the task stands. Never blocks. */
  get status(): HandleStatus {
    this.isReady();
    switch (this._settlement) {
      case PENDING:
        return this._pendingStatus();
      case Settlement.Fulfilled:
        return "fulfilled";
      case Settlement.Cancelled:
        return "cancelled";
      default:
        return "rejected";
    }
  }

  /** @internal The status, for one who only prints it: no look at the outcome, so that a rejection is reported all the same. */
  _printedStatus(): HandleStatus {
    if (this._settlement === PENDING) this._backend?.poll();
    if (this._settlement !== PENDING) return this.status;
    return this._more?.source?._printedStatus() ?? this._pendingStatus();
  }

  /** True if the task was cancelled. */
  isCancelled(): boolean {
    return this.isReady() && this._settlement === Settlement.Cancelled;
  }

  /** Time for which the task has run so far, or ran in all, in ms; 0 while it has not started. */
  get elapsed(): number {
    if (this.isReady() || this._backend === undefined) return this._elapsed / 1000;
    if (this._more?.source !== undefined) return this._more.source.elapsed;
    if (this._ticket < 0) return this._elapsed / 1000;
    return this._backend.elapsed(this._ticket);
  }

  /** Last progress that the task reported, 0..1; 1 once it is fulfilled. */
  get progress(): number {
    this.isReady();
    if (this._settlement === Settlement.Fulfilled) return 1;
    return this._more?.source?.progress ?? this._more?.progress ?? 0;
  }

  /** The caller's own notes on this task; it never leaves this thread. */
  get metadata(): Map<unknown, unknown> {
    return (this._extra().metadata ??= new Map());
  }

  // ---- pull

  /**
   * Blocks this thread until the task has settled. In a task, the worker runs other tasks meanwhile.
   * @param timeoutMs longest wait in ms; none by default
   * @returns the value, the same object each time
   * @throws the task's error; TimeoutError when the time is over (the task goes on)
   */
  get(timeoutMs: number = Infinity): R {
    const from = (this._flags & TRACED) !== 0 ? processNow() : 0;
    if (this._settlement === PENDING && !this._block(timeoutMs)) {
      throw new TimeoutError(`${this.name} has not settled within the ${timeoutMs} ms that get() was given; it goes on.`, {
        task: this.name,
      });
    }
    if (from !== 0) this._tracePull(from);
    return this._take();
  }

  /**
   * Blocks this thread until the task has settled or the time is over. Throws nothing, the task's error included.
   * @param timeoutMs longest wait in ms; none by default
   * @returns true if it has settled
   */
  wait(timeoutMs: number = Infinity): boolean {
    const from = (this._flags & TRACED) !== 0 ? processNow() : 0;
    if (this._settlement === PENDING && !this._block(timeoutMs)) return false;
    if (from !== 0) this._tracePull(from);
    lookedAt(this);
    return true;
  }

  // ---- push

  /**
   * Cancels the task. A queued one is removed. A running one is told (`isCancelled()` in the task) and, if it goes on after the grace
   * period, its worker is stopped and replaced.
   * @param reason becomes the `cause` of the CancelledError
   * @returns true if the task will not yield a value
   */
  cancel(reason?: unknown): boolean {
    if (this._settlement !== PENDING) return this._settlement === Settlement.Cancelled;
    const more = this._extra();
    more.cancelReason = reason;
    if (
      more.source !== undefined ||
      more.retryAt !== undefined ||
      more.launch !== undefined ||
      this._backend === undefined ||
      this._ticket < 0
    ) {
      this.settle(Settlement.Cancelled, null, 0, 0, null);
      return true;
    }
    this._backend.cancel(this._ticket, more.grace ?? -1);
    return (this._settlement as number) === Settlement.Cancelled;
  }

  [Symbol.dispose](): void {
    this.cancel();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this._settlement !== PENDING) return;
    this.cancel();
    await this.then(noop, noop);
  }

  // ---- await

  then<A = R, B = never>(
    onFulfilled?: ((value: R) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: any) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    if (this._settlement === PENDING && this._promise === undefined && typeof onFulfilled === "function" && !inZones()) {
      const continuation = new Continuation<A | B>(this);
      this._flags |= DIRECT;
      this._resolve = onFulfilled;
      this._reject = onRejected as Callback;
      this._promise = continuation;
      this._observe();
      return continuation;
    }
    return this._lookAt().then(onFulfilled, onRejected);
  }

  catch<B = never>(onRejected?: ((reason: any) => B | PromiseLike<B>) | null): Promise<R | B> {
    return this._lookAt().catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<R> {
    return this._lookAt().finally(onFinally);
  }

  /** Calls `callback` with the last progress, on the event loop. */
  onProgress(callback: (fraction: number) => void): this {
    checkCallback("The callback of onProgress()", callback);
    const more = this._extra();
    if (this._settlement !== PENDING) {
      const last = this.progress;
      if (last > 0) queueMicrotask(() => callback(last));
      return this;
    }
    // It runs in the asynchronous context of the one who gave it, not of whatever delivers the progress.
    (more.progressCallbacks ??= []).push(AsyncResource.bind(callback));
    const { progress } = this;
    if (progress > 0) queueMicrotask(() => callback(progress));
    this._observe();
    return this;
  }

  /** Calls `callback` with the value on the event loop; also if it is there already. */
  onComplete(callback: (value: R) => void): this {
    checkCallback("The callback of onComplete()", callback);
    this._lookAt().then((value) => escape(() => callback(value)), noop);
    return this;
  }

  /** Calls `callback` with the error on the event loop (a CancelledError after `cancel`); also if it is there already. */
  onError(callback: (error: unknown) => void): this {
    checkCallback("The callback of onError()", callback);
    this._lookAt().then(noop, (error: unknown) => escape(() => callback(error)));
    return this;
  }

  /** Makes the pending task keep the process alive. */
  ref(): this {
    this._flags &= ~UNREFERENCED;
    this._flags |= AWAITED;
    this._attend();
    return this;
  }

  /** Lets the process end although the task is pending. */
  unref(): this {
    this._flags |= UNREFERENCED;
    if ((this._flags & OBSERVED) !== 0) this._attend();
    return this;
  }

  // ---- TaskSink, called by the backend

  /** @internal */
  settle(settlement: Settlement, payload: Encoded | null, elapsed: number, detail: number, run: Run | null): void {
    if (this._settlement !== PENDING) return;
    const { record } = this._origin;
    if (run !== null && record !== undefined) record.ran(run.waited, elapsed);
    if ((this._flags & TRACED) !== 0) traceRun(this._more!.flow, record!.number, settlement, elapsed, run);
    this._elapsed = elapsed < 1_000_000 ? (elapsed * 1000) | 0 : Math.round(elapsed * 1000);
    const more = this._more;
    if (settlement === Settlement.DependencyFailed && this._causeIsLate(more?.after?.[detail], detail)) return;
    if (settlement === Settlement.Fulfilled) {
      // Others decode their own copies of a quiet handle's result.
      if ((this._flags & QUIET) === 0 && (payload!.end - payload!.start <= EAGER_BYTES || this._resolve !== undefined)) {
        if (!this._decode(payload!, false)) settlement = Settlement.Rejected;
      } else {
        this._value = keep(payload!);
        this._flags |= RAW;
      }
    } else {
      let error = outcomeError(this.name, more, settlement, payload, detail);
      addPushSite(error, more?.site, this.name, settlement !== Settlement.Rejected);
      if (more?.retrier !== undefined && (settlement === Settlement.Rejected || settlement === Settlement.Crashed)) {
        try {
          if (this._planRetry(more, error)) {
            record?.retried();
            return;
          }
        } catch (thrown) {
          // The caller's `when`.
          error = thrown;
        }
      }
      this._value = error;
    }
    record?.settled(settlement);
    this._finish(settlement);
  }

  /** @internal */
  progressed(fraction: number): void {
    if (this._settlement !== PENDING) return;
    const more = this._extra();
    more.progress = fraction;
    if (more.progressCallbacks === undefined) return;
    for (const callback of more.progressCallbacks) queueMicrotask(() => callback(fraction));
  }

  // ---- inside

  /** @internal Settles with a value or error that is at hand on this thread. */
  _settleWith(settlement: Settlement, value: unknown, elapsed = 0, run: Run | null = null): void {
    if (this._settlement !== PENDING) return;
    this._value = value;
    const { record } = this._origin;
    record?.settled(settlement);
    if (run !== null) record?.ran(run.waited, elapsed);
    if ((this._flags & TRACED) !== 0) traceRun(this._more!.flow, record!.number, settlement, elapsed, run);
    this._finish(settlement);
  }

  /** @internal Settles as `source` did, with a copy of its result where that is possible. */
  _settleAs(source: AsyncHandle<unknown>): void {
    if (this._settlement !== PENDING) return;
    this._elapsed = source._elapsed;
    // A result with attachments can be decoded once only: then all share one value.
    if ((source._flags & RAW) !== 0 && (source._value as Encoded).attachments !== null) source._decodeRaw();
    this._value = source._value;
    this._flags |= source._flags & RAW;
    this._finish(source._settlement as Settlement);
  }

  /** @internal For the codec, when the handle is an argument: see {@link HandleLike}. */
  _settledValue(): { value: unknown } | undefined {
    if (this._settlement === PENDING) return undefined;
    if (this._settlement !== Settlement.Fulfilled) throw new FailedInput(this as AsyncHandle<unknown>);
    return { value: this._take() };
  }

  /** @internal */
  _extra(): More {
    return (this._more ??= new More());
  }

  /** @internal Runs `callback` right after settling (at once if that has happened), outside of any promise. */
  _whenSettled(callback: (handle: AsyncHandle<unknown>) => void): void {
    if (this._settlement !== PENDING) callback(this as AsyncHandle<unknown>);
    else (this._extra().settled ??= []).push(callback);
  }

  /** @internal Takes {@link _whenSettled} back. */
  _notWhenSettled(callback: (handle: AsyncHandle<unknown>) => void): void {
    const callbacks = this._more?.settled;
    const at = callbacks?.lastIndexOf(callback) ?? -1;
    if (at >= 0) callbacks!.splice(at, 1);
  }

  /** @internal The error of a handle that has not been fulfilled. */
  _error(): unknown {
    return this._value;
  }

  /** @internal Makes its settlement arrive although nobody polls, and keeps the process alive unless `unref` was called. */
  _observe(): void {
    if ((this._flags & AWAITED) !== 0) return;
    this._flags |= AWAITED;
    this._attend();
  }

  /** Tells what settles this handle what has changed: that its settlement is to arrive, and whether it keeps the process alive. */
  private _attend(): void {
    // A list instead of recursion: a chain may be long.
    for (let open: AsyncHandle<unknown>[] = [this as AsyncHandle<unknown>]; open.length > 0;) open.pop()!._attendOne(open);
  }

  /** @param open gets the handles that this one waits for */
  private _attendOne(open: AsyncHandle<unknown>[]): void {
    if (this._settlement !== PENDING) return;
    const more = this._more;
    const before = this._flags & (OBSERVED | KEEPS);
    const keeps = (this._flags & (AWAITED | UNREFERENCED)) === AWAITED || (more !== undefined && more.keepers > 0);
    if (before === (keeps ? OBSERVED | KEEPS : OBSERVED)) return;
    this._flags = keeps ? this._flags | OBSERVED | KEEPS : (this._flags | OBSERVED) & ~KEEPS;
    const waitsFor = more?.launch?.handles ?? more?.source;
    if (waitsFor !== undefined) {
      const change = Number(keeps) - Number((before & KEEPS) !== 0);
      for (const handle of isHandle(waitsFor) ? [waitsFor] : waitsFor) handle._keepFor(change, open);
    } else if (more?.retryTimer !== undefined) {
      if (keeps) more.retryTimer.ref();
      else more.retryTimer.unref();
    } else if (this._ticket >= 0) {
      if (before === 0) this._backend?.observe(this._ticket, keeps);
      else this._backend?.setRef(this._ticket, keeps);
    }
  }

  /** @param change in the number of handles that wait for this one and keep the process alive */
  private _keepFor(change: number, open: AsyncHandle<unknown>[]): void {
    if (this._settlement !== PENDING) return;
    if (change !== 0) this._extra().keepers += change;
    open.push(this as AsyncHandle<unknown>);
  }

  /** It waits for these no more: they need not keep the process alive for it. */
  private _leave(handles: readonly AsyncHandle<unknown>[]): void {
    if ((this._flags & KEEPS) === 0) return;
    const open: AsyncHandle<unknown>[] = [];
    for (const handle of handles) handle._keepFor(-1, open);
    while (open.length > 0) open.pop()!._attendOne(open);
  }

  /** @internal The value of a fulfilled handle, for somebody who only watches. */
  _peek(): R {
    if ((this._flags & RAW) !== 0) this._decodeRaw();
    return this._value as R;
  }

  /** @internal Makes its settlement arrive although nobody waits for it, without keeping the process alive for that. */
  _watch(): void {
    for (let open: AsyncHandle<unknown>[] = [this as AsyncHandle<unknown>]; open.length > 0;) {
      const handle = open.pop()!;
      if (handle._settlement !== PENDING || (handle._flags & OBSERVED) !== 0) continue;
      const more = handle._more;
      if (more?.launch !== undefined) open.push(...more.launch.handles);
      else if (more?.source !== undefined) open.push(more.source);
      else if (handle._ticket >= 0) handle._backend?.observe(handle._ticket, false);
    }
  }

  /** @internal It is in the trace under this number. */
  _traced(flow: number): void {
    if (this._origin.record === undefined) return;
    this._extra().flow = flow;
    this._flags |= TRACED;
    if (this._settlement !== PENDING) traceRun(flow, this._origin.record.number, this._settlement, 0, null);
  }

  /** @internal The first look at the outcome, for the trace. @param from when it began, on the process's clock */
  _tracePull(from: number): void {
    if ((this._flags & (TRACED | PULLED)) !== TRACED) return;
    this._flags |= PULLED;
    tracePull(this._more!.flow, this._origin.record!.number, from);
  }

  /** @internal Its rejection is not to be reported before the handle is dropped. */
  _willBeLookedAt(): void {
    this._flags |= POLLED;
  }

  /** @internal Its outcome is for other handles: nobody is to be told of its rejection. */
  _quiet(): void {
    this._flags |= QUIET;
    // It may have failed at the call.
    lookedAt(this);
  }

  private _poll(): void {
    this._flags |= POLLED;
    const more = this._more;
    if (more?.launch !== undefined || more?.source !== undefined) this._pollAll();
    else if (this._pollBackend()) this._pollAll();
  }

  /** Whether it waits for others since then: what it follows from had not been told. */
  private _pollBackend(): boolean {
    this._retryIfDue();
    this._backend?.poll();
    return this._more?.launch !== undefined;
  }

  private _retryIfDue(): void {
    const more = this._more;
    if (more?.retryAt !== undefined && performance.now() >= more.retryAt) this._retryNow(more);
  }

  /** @internal A look that settles it if its time has come. What it waits for on this thread's side is not looked at: who follows a long chain would do so at each of its calls. */
  _glance(): void {
    if (this._settlement !== PENDING) return;
    this._flags |= POLLED;
    this._pollBackend();
  }

  /** Looks at everything that this handle waits for on this thread's side, the innermost first. With a list instead of recursion: a chain may be long. */
  private _pollAll(): void {
    while (this._settlement === PENDING && this._pollOnce());
  }

  /** Whether one of them waits for others since then: what it follows from had not been told. */
  private _pollOnce(): boolean {
    const found = new Set<AsyncHandle<unknown>>([this as AsyncHandle<unknown>]);
    const last = new Set<AsyncHandle<unknown>>();
    // A set is iterated with what is added meanwhile.
    for (const handle of found) {
      const more = handle._more;
      if (more?.launch !== undefined) for (const next of more.launch.handles) addPending(found, next);
      else if (more?.source !== undefined) addPending(found, more.source);
      else last.add(handle);
    }
    // Once for all of a backend.
    const backends = new Set<Backend>();
    for (const { _backend } of last) if (_backend !== undefined) backends.add(_backend);
    for (const handle of last) handle._retryIfDue();
    for (const backend of backends) backend.poll();
    for (const handle of [...found].reverse()) {
      const launch = handle._more?.launch;
      if (launch === undefined || handle._settlement !== PENDING) continue;
      if (performance.now() >= launch.deadline) handle._expire();
      else if (mayLaunch(launch)) handle._launch();
    }
    for (const handle of last) if (handle._settlement === PENDING && handle._more?.launch !== undefined) return true;
    return false;
  }

  private _pendingStatus(): HandleStatus {
    if (this._more?.retryAt !== undefined || this._more?.launch !== undefined) return "waiting";
    if (this._more?.source !== undefined) return this._more.source.status;
    switch (this._backend?.phase(this._ticket)) {
      case Phase.Waiting:
        return "waiting";
      case Phase.Running:
        return "running";
      case Phase.Settled:
        // It settled after the poll: look again.
        return this.isReady() ? this.status : "running";
      default:
        return "queued";
    }
  }

  /** @internal */
  _block(ms: number): boolean {
    checkMs("timeoutMs", ms);
    enterWait();
    try {
      return this._waitUntil(ms);
    } finally {
      leaveWait();
    }
  }

  private _waitUntil(ms: number): boolean {
    const deadline = ms === Infinity ? Infinity : performance.now() + ms;
    if (this._more === undefined && this._backend !== undefined) {
      // The usual wait: for the task alone.
      this._backend.block(this._ticket, ms);
      if (this._settlement !== (PENDING as number)) return true;
    } else if (this._more?.launch !== undefined || this._more?.source !== undefined) {
      this._pollAll();
    }
    // From this handle to the one that is to be waited for first, with a list instead of recursion: a chain may be long.
    const path: Step[] = [{ handle: this as AsyncHandle<unknown>, until: deadline, severally: false }];
    for (;;) {
      const { handle, until, severally } = path[path.length - 1]!;
      if (handle._settlement !== PENDING) {
        if (path.length === 1) return true;
        path.pop();
        continue;
      }
      const now = performance.now();
      const { launch, source, retryAt } = handle._more ?? NOTHING;
      if (launch !== undefined) {
        const next = launch.handles.find((dependency) => dependency._settlement === PENDING);
        if (now >= launch.deadline) handle._expire();
        else if (next === undefined || mayLaunch(launch)) handle._launch();
        // One of the others may fail meanwhile, and with it this one.
        else path.push({ handle: next, until: Math.min(until, launch.deadline), severally: severally || launch.handles.length > 1 });
        continue;
      }
      if (source !== undefined) {
        path.push({ handle: source, until, severally });
        continue;
      }
      const left = until === Infinity ? Infinity : Math.max(0, until - now);
      const limit = severally ? Math.min(left, LAUNCH_CHECK) : left;
      if (retryAt !== undefined) {
        const pause = Math.min(retryAt - now, limit);
        if (pause > 0) Atomics.wait(sleeper, 0, 0, pause);
        if (performance.now() >= retryAt) handle._retryNow(handle._more!);
      } else if (handle._backend === undefined) {
        throw new ParallelError(`${handle.name} can't be waited for: nothing on this thread settles it while it blocks.`);
      } else {
        handle._backend.block(handle._ticket, limit);
      }
      if (handle._settlement !== PENDING) continue;
      if (path.length > 1 && performance.now() >= Math.min(until, now + limit)) {
        this._pollAll();
        path.length = 1;
      }
      if (performance.now() >= deadline) return this._settlement !== PENDING;
    }
  }

  /** The value of a settled handle, or its error thrown. */
  private _take(): R {
    if ((this._flags & RAW) !== 0) this._decodeRaw(false);
    if ((this._flags & RAW) !== 0)
      throw new RangeError(`Maximum call stack size exceeded: there is too little left for the result of ${this.name}.`);
    if (this._settlement === Settlement.Fulfilled) return this._value as R;
    lookedAt(this);
    throw this._value;
  }

  /** @param last false: where the stack is too short for it, the value stays encoded, since a look from further down will have enough */
  private _decode(payload: Encoded, last: boolean): boolean {
    try {
      this._value = decodeValue(payload);
      return true;
    } catch (error) {
      if (!last && lackedStack(error)) {
        this._value = payload === this._value ? payload : keep(payload);
        this._flags |= RAW;
        return true;
      }
      this._value = error;
      return false;
    }
  }

  private _decodeRaw(last = true): void {
    this._flags &= ~RAW;
    if (!this._decode(this._value as Encoded, last)) this._settlement = Settlement.Rejected;
  }

  private _settledLater(): R {
    if ((this._flags & RAW) !== 0) this._decodeRaw();
    return this._take();
  }

  /** Settles the promise. In a microtask, which has all of the stack, where there is too little left for the result. */
  private _tellPromise(last: boolean): void {
    const from = (this._flags & TRACED) !== 0 ? processNow() : 0;
    if ((this._flags & RAW) !== 0) this._decodeRaw(last);
    if ((this._flags & RAW) !== 0) {
      queueMicrotask(() => this._tellPromise(true));
      return;
    }
    if (this._settlement === Settlement.Fulfilled) this._resolve!(this._value);
    else this._reject!(this._value);
    if (from !== 0) this._tracePull(from);
    this._resolve = this._reject = undefined;
  }

  /** The promise behind `then`; whoever asks for it looks at the outcome. */
  private _lookAt(): Promise<R> {
    if ((this._flags & DIRECT) !== 0) this._materialise();
    if (this._promise === undefined || (this._flags & DIRECT) !== 0) {
      if (this._settlement === PENDING) {
        this._promise = new Promise<unknown>((resolve, reject) => {
          this._resolve = resolve;
          this._reject = reject;
        });
        this._observe();
      } else {
        const from = (this._flags & TRACED) !== 0 ? processNow() : 0;
        if ((this._flags & RAW) !== 0) this._decodeRaw(false);
        // A microtask has all of the stack.
        if ((this._flags & RAW) !== 0) return Promise.resolve().then(() => this._settledLater());
        if (from !== 0) this._tracePull(from);
        // Before there is a promise: that is rejected for the one who asks, and if that one does not handle it, it is unhandled.
        if (this._settlement > Settlement.Fulfilled) lookedAt(this);
        const promise = this._settlement === Settlement.Fulfilled ? Promise.resolve(this._value) : Promise.reject(this._value);
        // With a callback that is about to run, the continuation keeps its place.
        if ((this._flags & DIRECT) === 0) this._promise = promise;
        else if (this._settlement !== Settlement.Fulfilled) promise.catch(noop);
        return promise as Promise<R>;
      }
    }
    if (this._settlement > Settlement.Fulfilled) lookedAt(this);
    return this._promise as Promise<R>;
  }

  /** @internal Makes real promises of this pending handle and of what its first `then` returned. */
  _materialise(): void {
    if (this._settlement !== PENDING || (this._flags & DIRECT) === 0) return;
    this._flags &= ~DIRECT;
    const continuation = this._promise as Continuation<unknown>;
    const onFulfilled = this._resolve;
    const onRejected = this._reject;
    const promise = new Promise<unknown>((resolve, reject) => {
      this._resolve = resolve;
      this._reject = reject;
    });
    this._promise = promise;
    continuation._adopt(promise.then(continuation._bound(onFulfilled), continuation._bound(onRejected)));
  }

  /** @internal Runs the callback of the first `then`. */
  _continue(): void {
    const continuation = this._promise as Continuation<unknown>;
    const { _resolve: onFulfilled, _reject: onRejected } = this;
    this._flags &= ~DIRECT;
    this._promise = this._resolve = this._reject = undefined;
    if ((this._flags & RAW) !== 0) this._decodeRaw();
    const fulfilled = this._settlement === Settlement.Fulfilled;
    const from = (this._flags & TRACED) !== 0 ? processNow() : 0;
    continuation._run(fulfilled ? onFulfilled : onRejected, this._value, fulfilled);
    if (from !== 0) this._tracePull(from);
  }

  private _finish(settlement: Settlement): void {
    this._settlement = settlement;
    if ((this._flags & DIRECT) !== 0) {
      continueSoon(this);
    } else if (this._resolve !== undefined) {
      this._tellPromise(false);
    } else if (settlement !== Settlement.Fulfilled && settlement !== Settlement.Cancelled && (this._flags & QUIET) === 0) {
      afterRejection(this as AsyncHandle<unknown>, (this._flags & POLLED) !== 0);
    }
    const more = this._more;
    if (more === undefined) return;
    more.progressCallbacks = undefined;
    more.retrier = undefined;
    more.retryAt = undefined;
    const { source, launch } = more;
    more.source = undefined;
    more.launch = undefined;
    if (source !== undefined) this._leave([source]);
    if (launch !== undefined) {
      clearTimeout(launch.timer);
      this._leave(launch.handles);
    }
    // A chain of a hundred thousand tasks must not stay in memory because of its last, nor what the functions know that made the call.
    more.after = undefined;
    more.site = undefined;
    if (more.retryTimer !== undefined) clearTimeout(more.retryTimer);
    const settled = more.settled;
    more.settled = undefined;
    if (settled !== undefined) for (const callback of settled) callback(this as AsyncHandle<unknown>);
  }

  /**
   * The failure that this one follows from may not have been told yet: it may come later in the same telling, a wait for that task, further up on the stack, may
   * take it, or its worker is about to report it. Then this one is told right after it. (It is not looked for: each of a long chain would look from within the look
   * of the one before.)
   */
  private _causeIsLate(failed: AsyncHandle<unknown> | undefined, detail: number): boolean {
    if (failed === undefined || failed._settlement !== PENDING) return false;
    const start = (): void => this.settle(Settlement.DependencyFailed, null, 0, detail, null);
    this._extra().launch = { handles: [failed], deadline: Infinity, timer: undefined, start };
    failed._whenSettled(() => queueMicrotask(() => this._launch()));
    // The backend does not know any more that somebody waits for this one.
    if ((this._flags & OBSERVED) !== 0) {
      if ((this._flags & KEEPS) !== 0) failed._extra().keepers++;
      failed._attend();
    }
    return true;
  }

  /** @internal */
  _launch(): void {
    const more = this._more;
    const launch = more?.launch;
    if (launch === undefined || this._settlement !== PENDING) return;
    more!.launch = undefined;
    clearTimeout(launch.timer);
    this._leave(launch.handles);
    launch.start();
    if (this._settlement === (PENDING as number)) this._observeAgain();
  }

  /** @internal Its time is over before it was pushed (again). */
  _expire(): void {
    this.settle(Settlement.TimedOut, null, 0, 0, null);
  }

  /** After the task got a ticket late. */
  private _observeAgain(): void {
    if ((this._flags & OBSERVED) !== 0) this._backend!.observe(this._ticket, (this._flags & KEEPS) !== 0);
  }

  private _planRetry(more: More, error: unknown): boolean {
    const delay = more.retrier!.next(error);
    if (delay === undefined) return false;
    more.retryAt = performance.now() + delay;
    this._awaitRetry(more);
    return true;
  }

  private _awaitRetry(more: More): void {
    const left = Math.max(0, more.retryAt! - performance.now());
    more.retryTimer = setTimeout(
      () => {
        if (performance.now() < more.retryAt! - 1) this._awaitRetry(more);
        else this._retryNow(more);
      },
      Math.min(left, LONGEST_TIMER),
    );
    if ((this._flags & KEEPS) === 0) more.retryTimer.unref();
  }

  private _retryNow(more: More): void {
    if (more.retryAt === undefined || this._settlement !== PENDING) return;
    more.retryAt = undefined;
    clearTimeout(more.retryTimer);
    more.retryTimer = undefined;
    const ticket = more.retrier!.push(this);
    if (ticket === undefined) {
      this._expire();
      return;
    }
    this._ticket = ticket;
    this._observeAgain();
  }
}

appearsAs(AsyncHandle, "AsyncHandle", true);

/**
 * The handle behind what an `async` parallel function returned: that same object, with its type.
 * @param promise what the call returned
 * @returns it, as the handle that it is
 * @throws TypeError when the promise does not come from a parallel function
 */
export function handleOf<R>(promise: Promise<R>): AsyncHandle<R> {
  if (isHandle(promise)) return promise as AsyncHandle<R>;
  throw new TypeError(
    "handleOf() takes what a parallel function returned. This is another promise: either its function is not marked, or this program was built without the makeparallel transformer.",
  );
}

/** Makes the pending handle of a task; users can't make one. */
export const PendingHandle = AsyncHandle as unknown as new <R>(origin: HandleOrigin, backend: Backend | undefined) => AsyncHandle<R>;

/** True for AsyncHandles, those of another copy of the package included. */
export function isHandle(value: unknown): value is AsyncHandle<unknown> {
  return typeof value === "object" && value !== null && (value as Record<symbol, unknown>)[HANDLE_BRAND] === true;
}

/** Copies a payload out of the backend's memory. */
export function keep(payload: Encoded): Encoded {
  return {
    bytes: payload.bytes.slice(payload.start, payload.end),
    start: 0,
    end: payload.end - payload.start,
    attachments: payload.attachments,
  };
}

/** With zone.js (Angular) code has a context that only promises carry: it replaces the global ones. */
function inZones(): boolean {
  return (globalThis as { Zone?: unknown }).Zone !== undefined;
}

/** What a callback throws is the program's own uncaught exception, not a rejection of the task's promise. */
export function escape(call: () => void): void {
  try {
    call();
  } catch (error) {
    nextTick(() => {
      throw error;
    });
  }
}

/** Whether nothing is missing, or one has failed, so that the others need not be waited for. */
function mayLaunch({ handles }: Launch): boolean {
  return handles.every((handle) => handle._settlement !== PENDING) || handles.some((handle) => handle._settlement > Settlement.Fulfilled);
}

/** A handle that a blocked thread waits for on behalf of another one. */
interface Step {
  handle: AsyncHandle<unknown>;
  /** When the time of the wait is over, or that of one of those that wait for it (performance.now()). */
  until: number;
  /** One of them waits for others as well. */
  severally: boolean;
}

const NOTHING: Partial<More> = {};

function addPending(to: Set<AsyncHandle<unknown>>, handle: AsyncHandle<unknown>): void {
  if (handle._settlement === PENDING) to.add(handle);
}

function noop(): void {}
