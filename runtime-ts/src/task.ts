/**
 * From a call to a queued task: encode the arguments, push, hand out the handle.
 *
 * The plain call (no options, no handles among the arguments) is the hot path: one encode into the backend's memory, one push, one handle.
 */
import {
  ByteWriter,
  decodeCall,
  encodeCall,
  encodeValue,
  NO_RECEIVER,
  PARALLEL_BRAND,
  type HandleLike,
  type ParallelFunctionReference,
} from "./codec";
import { carriedValues, carriesValues } from "./carry";
import { currentBackend, queueLimit } from "./configure";
import { CancelledError, concerning, DependencyError, isParallelError } from "./errors";
import { follow } from "./follow";
import { AsyncHandle, FailedInput, isHandle, keep, PendingHandle } from "./handle";
import { encodeInitializer, type Initializer } from "./initializer";
import { lazyClasses, registerLazyClasses } from "./lazy-classes";
import { runLocally } from "./local";
import { MapHandle, type MapOptions } from "./map";
import { memoized } from "./memoize";
import { recordOf, type FunctionRecord } from "./metrics";
import type { ParallelOptions, ResolvedOptions } from "./options";
import { HandleOrigin, NamedOrigin } from "./origin";
import { everyError, resolveOptions } from "./options";
import { timeoutError } from "./outcome-error";
import type { Backend, Encoded } from "./pool/backend";
import { Settlement } from "./pool/backend";
import { pushSite, sitesLeft, withoutOwnFrames } from "./push-site";
import { planRetries, refuseMoved } from "./retry";
import { StreamHandle } from "./stream";
import { FLAG_GENERATOR, FLAG_RECEIVER, type StubMeta } from "./stub-meta";
import { pushOptionsOf } from "./task-options";
import { refuseWhenFull } from "./queue-room";
import { carrying } from "./task-variants";
import type { MapItems, ParallelFunction } from "./types";
import { callsAreWatched, watchCall } from "./watch";
import { LONGEST_TIMER, queueMicrotask, setTimeout, performance } from "./own-clock";

/** Where a task's manifest is; the emitted module (or chunk) that holds the stub. */
export interface TaskHome {
  readonly manifest: string;
}

const NO_HANDLES: readonly AsyncHandle<unknown>[] = [];

/** Set while a stub is asked which task it stands for, instead of being called: see {@link markStub}. */
let question: { answer: { task: StubTask; captures: readonly unknown[] | undefined } | undefined } | undefined;

/** The caller's side of one hoisted function. */
export class StubTask extends HandleOrigin {
  /** The backend that `index` belongs to: after a shutdown there is a new one. */
  private backend: Backend | undefined = undefined;
  private index = -1;
  /** Of variants other than this one's own. */
  private readonly indexes = new Map<string, number>();

  constructor(
    readonly home: TaskHome,
    readonly id: string,
    readonly meta: StubMeta,
    readonly options: ResolvedOptions | undefined,
    private readonly variant = "",
    /** Whose memoized results its calls share. */
    private readonly results: object = {},
  ) {
    super();
  }

  private found: FunctionRecord | undefined = undefined;

  /** Where the outcomes of this function's tasks are counted. */
  get record(): FunctionRecord {
    return (this.found ??= recordOf(this.id, this.name));
  }

  /** Name for messages, stats and traces. */
  get name(): string {
    return this.options?.name ?? this.meta.name;
  }

  /** The body of a stub: queues the call. */
  call(
    receiver: unknown,
    captures: readonly unknown[] | undefined,
    args: ArrayLike<unknown>,
  ): AsyncHandle<unknown> | StreamHandle<unknown> {
    if (question !== undefined) {
      question.answer = { task: this, captures };
      return undefined as never;
    }
    if ((this.meta.flags & FLAG_GENERATOR) !== 0) {
      if (!callsAreWatched()) return StreamHandle.start(this, this.options, receiver, captures, args);
      const start = (): StreamHandle<unknown> => StreamHandle.start(this, this.options, receiver, captures, args);
      return watchCall("stream", this, start, (stream) => stream._outcome);
    }
    if (callsAreWatched()) return watchCall("call", this, () => this.queue(receiver, captures, args), itself);
    return this.queue(receiver, captures, args);
  }

  /** The index under which `backend` knows the task, or a variant of it. */
  indexIn(backend: Backend, variant = this.variant): number {
    if (this.backend !== backend) {
      this.index = backend.register({ manifest: this.home.manifest, id: this.variant + this.id });
      this.indexes.clear();
      this.backend = backend;
    }
    if (variant === this.variant) return this.index;
    let index = this.indexes.get(variant);
    if (index === undefined) this.indexes.set(variant, (index = backend.register({ manifest: this.home.manifest, id: variant + this.id })));
    return index;
  }

  private queue(receiver: unknown, captures: readonly unknown[] | undefined, args: ArrayLike<unknown>): AsyncHandle<unknown> {
    try {
      return this.options === undefined && !carriesValues()
        ? this.push(receiver, captures, args)
        : this.pushWith(this.options, receiver, captures, args);
    } catch (error) {
      throw refused(error, this.name);
    }
  }

  private push(receiver: unknown, captures: readonly unknown[] | undefined, args: ArrayLike<unknown>): AsyncHandle<unknown> {
    const backend = currentBackend();
    const index = this.backend === backend ? this.index : this.indexIn(backend);
    if (queueLimit !== Infinity) refuseWhenFull(backend, this.name);
    if (lazyClasses.length > 0) registerLazyClasses();
    const writer = backend.writer();
    let dependencies: readonly HandleLike[] | null;
    try {
      dependencies = encodeCall(
        writer,
        (this.meta.flags & FLAG_RECEIVER) !== 0 ? receiver : NO_RECEIVER,
        captures,
        this.meta.captures,
        args,
        this.meta.fields === undefined ? undefined : this.meta,
      ).dependencies;
    } catch (error) {
      writer.reset();
      if (error instanceof FailedInput) return failedDependency(this, error.handle);
      throw error;
    }
    if (dependencies !== null) return this.pushEncoded(backend, index, undefined, this, writer, dependencies);
    const handle = new PendingHandle<unknown>(this, backend);
    if (sitesLeft > 0) handle._extra().site = pushSite();
    handle._ticket = backend.push(index, writer, handle, undefined);
    return handle;
  }

  /**
   * The general way: options, handles among the arguments.
   * @param limited whether a full queue refuses
   */
  pushWith(
    options: ResolvedOptions | undefined,
    receiver: unknown,
    captures: readonly unknown[] | undefined,
    args: ArrayLike<unknown>,
    limited = true,
  ): AsyncHandle<unknown> {
    const backend = currentBackend();
    const name = options?.name ?? this.name;
    // A handle may be kept long, and must not keep the options' signal and handles.
    const light = name === this.name && options?.signal === undefined && options?.after === undefined;
    const origin = light ? this : new NamedOrigin(this.id, name, this.record);
    if (options?.signal?.aborted === true) return aborted(origin, options.signal.reason);
    if (limited && queueLimit !== Infinity) refuseWhenFull(backend, name);
    if (lazyClasses.length > 0) registerLazyClasses();
    // Before anything is encoded: a look may settle other handles, and one of a task that is repeated pushes it with the writer that there is.
    if (options?.after !== undefined) lookAtAll(options.after, name);

    const carried = carriesValues() ? carriedValues() : undefined;
    const index = this.indexIn(backend, carried === undefined ? this.variant : carrying(this.variant));
    const writer = backend.writer();
    let dependencies: readonly HandleLike[] | null;
    try {
      dependencies = encodeCall(
        writer,
        (this.meta.flags & FLAG_RECEIVER) !== 0 ? receiver : NO_RECEIVER,
        captures,
        this.meta.captures,
        args,
        {
          move: options?.move === true,
          carried,
          fields: this.meta.fields,
        },
      ).dependencies;
    } catch (error) {
      writer.reset();
      if (error instanceof FailedInput) return failedDependency(origin, error.handle);
      throw error;
    }
    if (options?.memoize !== undefined) {
      // The run is everybody's: each call follows its own signal.
      const shared = memoized(this.results, options, origin, writer, dependencies, backend, () =>
        this.pushEncoded(backend, index, { ...options, signal: undefined }, origin, writer, dependencies),
      );
      if (shared !== undefined) return shared;
    }
    return this.pushEncoded(backend, index, options, origin, writer, dependencies);
  }

  /** The same function with other options. Memoized results are shared, unless what is set anew is how they are kept or what a run is. */
  with(options: ParallelOptions): StubTask {
    const before = this.options;
    const now = resolveOptions(options, before);
    const alike = (["memoize", "timeout", "retry", "after", "move"] as const).every((name) => now[name] === before?.[name]);
    return new StubTask(this.home, this.id, this.meta, now, this.variant, alike ? this.results : undefined);
  }

  /** Queues a variant of the task (see task-variants.ts), without memoizing or repeating it. */
  pushVariant(
    variant: string,
    options: ResolvedOptions | undefined,
    receiver: unknown,
    captures: readonly unknown[] | undefined,
    args: ArrayLike<unknown>,
  ): AsyncHandle<unknown> {
    const plain = options === undefined ? undefined : { ...options, memoize: undefined, retry: undefined };
    try {
      return new StubTask(this.home, this.id, this.meta, plain, variant).pushWith(plain, receiver, captures, args);
    } catch (error) {
      throw refused(error, this.name);
    }
  }

  private pushEncoded(
    backend: Backend,
    index: number,
    options: ResolvedOptions | undefined,
    origin: HandleOrigin,
    writer: ReturnType<Backend["writer"]>,
    dependencies: readonly HandleLike[] | null,
  ): AsyncHandle<unknown> {
    if (dependencies === null) return this.pushAfter(backend, index, options, origin, writer, []);
    const handles = dependencies as readonly AsyncHandle<unknown>[];
    // Looking at other handles may settle one of these: its result must stay until the push.
    const held = handles.filter((dependency) => dependency._backend === backend && dependency._ticket >= 0);
    for (const dependency of held) backend.retain(dependency._ticket);
    const release = (): void => {
      for (const dependency of held) backend.release(dependency._ticket);
    };
    let handle: AsyncHandle<unknown> | undefined;
    try {
      handle = this.pushAfter(backend, index, options, origin, writer, handles);
      return handle;
    } finally {
      // Each run of a task that is repeated needs the values.
      if (options?.retry !== undefined && handle !== undefined) handle._whenSettled(release);
      else release();
    }
  }

  /** @param dependencies handles that are arguments, in the order of their placeholders */
  private pushAfter(
    backend: Backend,
    index: number,
    options: ResolvedOptions | undefined,
    origin: HandleOrigin,
    writer: ReturnType<Backend["writer"]>,
    dependencies: readonly AsyncHandle<unknown>[],
  ): AsyncHandle<unknown> {
    if (options?.timeout === 0) {
      writer.reset();
      return expired(origin);
    }
    const after: AsyncHandle<unknown>[] = [...dependencies];
    const inputs = after.map((_, i) => i);
    for (const dependency of options?.after ?? NO_HANDLES) {
      if (dependency._settlement === Settlement.Fulfilled) continue;
      if (dependency._settlement > Settlement.Fulfilled) {
        writer.reset();
        return failedDependency(origin, dependency);
      }
      after.push(dependency);
    }
    // The failure of one shows as the cause of this task's: this is a look at it that is still to come.
    for (const dependency of after) dependency._willBeLookedAt();
    for (const dependency of after) {
      if (
        dependency._backend === backend &&
        dependency._ticket >= 0 &&
        dependency._more?.source === undefined &&
        dependency._more?.retrier === undefined
      )
        continue;
      // A handle that no ticket of this backend stands for: it shares a memoized run, may be repeated, or is another pool's.
      return this.pushLater(backend, index, options, origin, writer, after, inputs);
    }
    const handle = new PendingHandle<unknown>(origin, backend);
    if (sitesLeft > 0) handle._extra().site = pushSite();
    const push = pushOptionsOf(
      options,
      after.map((dependency) => dependency._ticket),
      inputs,
    );
    if (options !== undefined || after.length > 0) {
      const more = handle._extra();
      more.grace = options?.grace;
      more.timeout = options?.timeout;
      more.after = after;
      if (options?.retry !== undefined) more.retrier = planRetries(options.retry, backend, index, writer, push, origin.name);
    }
    handle._ticket = backend.push(index, writer, handle, push);
    if (options?.retry !== undefined && dependencies.length > 0) keepInputs(backend, dependencies, handle);
    if (options?.signal !== undefined) follow(options.signal, handle, handle);
    return handle;
  }

  /**
   * Waits on this thread's side for handles that the backend can't wait for, then pushes. The arguments are those of the time of the call: their
   * encoding is kept, and decoded when the missing values are there.
   */
  private pushLater(
    backend: Backend,
    index: number,
    options: ResolvedOptions | undefined,
    origin: HandleOrigin,
    writer: ReturnType<Backend["writer"]>,
    after: readonly AsyncHandle<unknown>[],
    inputs: readonly number[],
  ): AsyncHandle<unknown> {
    if (options?.retry !== undefined) refuseMoved(writer, origin.name);
    const call = keep({ bytes: writer.bytes, start: 0, end: writer.length, attachments: writer.attachments });
    // What is moved leaves the caller now.
    if (writer.transfers !== null) call.attachments = structuredClone(writer.attachments!, { transfer: writer.transfers as ArrayBuffer[] });
    writer.reset();
    const handle = new PendingHandle<unknown>(origin, backend);
    if (sitesLeft > 0) handle._extra().site = pushSite();
    const more = handle._extra();
    more.grace = options?.grace;
    more.timeout = options?.timeout;
    const { timeout = Infinity, retry } = options ?? {};
    const deadline = performance.now() + timeout;
    const start = (): void => {
      const failed = after.find((dependency) => dependency._settlement > Settlement.Fulfilled);
      if (failed !== undefined) {
        handle._settleWith(Settlement.DependencyFailed, dependencyError(origin, failed));
        return;
      }
      const next = backend.writer();
      try {
        encodeCall(
          next,
          NO_RECEIVER,
          undefined,
          undefined,
          decodeCall(
            call,
            inputs.map((input) => encoded(after[input]!.get())),
          ),
          // All of these are copies; only if the task is repeated they are needed again.
          { move: retry === undefined },
        );
      } catch (error) {
        next.reset();
        handle._settleWith(Settlement.Rejected, refused(error, origin.name));
        return;
      }
      const left = deadline - performance.now();
      // Pushed without any time, it would race with its own end.
      if (left <= 0) {
        next.reset();
        handle._expire();
        return;
      }
      const push = pushOptionsOf(timeout === Infinity ? options : { ...options!, timeout: left });
      if (retry !== undefined) more.retrier = planRetries(retry, backend, index, next, push, origin.name);
      handle._ticket = backend.push(index, next, handle, push);
    };
    more.launch = { handles: after, deadline, timer: undefined, start };
    if (timeout !== Infinity) {
      more.launch.timer = setTimeout(() => handle._expire(), Math.min(timeout, LONGEST_TIMER));
      // What keeps the process alive is that somebody waits for the task.
      more.launch.timer.unref();
    }
    let missing = after.length;
    for (const dependency of after) {
      dependency._whenSettled(() => {
        if (--missing === 0 || dependency._settlement > Settlement.Fulfilled) queueMicrotask(() => handle._launch());
      });
    }
    if (options?.signal !== undefined) follow(options.signal, handle, handle);
    return handle;
  }
}

/** @throws TypeError when there is something else among them */
function lookAtAll(handles: Iterable<AsyncHandle<unknown>>, name: string): void {
  for (const handle of handles) {
    if (!isHandle(handle)) throw new TypeError(`The option "after" of ${name} holds something that is no AsyncHandle.`);
    handle._glance();
  }
}

/** A call that throws: the error names the function, and its stack begins at the call. */
function refused(error: unknown, name: string): unknown {
  const named = concerning(error, name);
  if (isParallelError(named)) withoutOwnFrames(named);
  return named;
}

/** Each run of a task that may be repeated needs the values that it waited for. */
function keepInputs(backend: Backend, inputs: readonly AsyncHandle<unknown>[], handle: AsyncHandle<unknown>): void {
  const tickets = inputs.map((input) => input._ticket);
  for (const ticket of tickets) backend.retain(ticket);
  handle._whenSettled(() => {
    for (const ticket of tickets) backend.release(ticket);
  });
}

function itself(handle: AsyncHandle<unknown>): AsyncHandle<unknown> {
  return handle;
}

function failedDependency(origin: HandleOrigin, dependency: AsyncHandle<unknown>): AsyncHandle<never> {
  return AsyncHandle._failed(origin, Settlement.DependencyFailed, dependencyError(origin, dependency));
}

function dependencyError(origin: { name: string }, dependency: AsyncHandle<unknown>): DependencyError {
  dependency.wait(0);
  const error = new DependencyError(`${origin.name} did not run, because ${dependency.name} that it waits for failed.`, {
    task: origin.name,
    cause: dependency._error(),
  });
  withoutOwnFrames(error);
  return error;
}

function encoded(value: unknown): Encoded {
  const writer = new ByteWriter(new Uint8Array(256));
  encodeValue(writer, value);
  return { bytes: writer.bytes, start: 0, end: writer.length, attachments: writer.attachments };
}

function aborted(origin: HandleOrigin, reason: unknown): AsyncHandle<never> {
  const error = new CancelledError(`${origin.name} was not queued: its signal has been aborted already.`, {
    task: origin.name,
    cause: reason,
  });
  withoutOwnFrames(error);
  return AsyncHandle._failed(origin, Settlement.Cancelled, error);
}

/** Of a call without any time: it is not queued, since it would race with its own end. */
function expired(origin: HandleOrigin): AsyncHandle<never> {
  const error = timeoutError(origin.name, 0);
  withoutOwnFrames(error);
  return AsyncHandle._failed(origin, Settlement.TimedOut, error);
}

/** The members of every parallel function, on one shared prototype. */
interface Internals {
  task: StubTask;
  captures: (() => readonly unknown[]) | undefined;
}

const internals = new WeakMap<Function, Internals>();

/** Stubs that are functions of the program's own: a tagged declaration's, a method's. */
const marked = new WeakSet<Function>();

/**
 * Makes the stub of a tagged declaration or of a method known as the parallel function that it is: it can be an argument, and has the members of one. What
 * the program itself has set on it, or sets later, wins.
 * @returns the stub
 */
export function markStub<F extends Function>(stub: F): F {
  if (Object.isExtensible(stub)) Object.setPrototypeOf(stub, prototype);
  marked.add(stub);
  return stub;
}

/** The stub's body is the one place that has the task, its options and the captured locals: it is called, but queues nothing. */
function ask(stub: Function): Internals | undefined {
  const before = question;
  const asked: NonNullable<typeof question> = (question = { answer: undefined });
  try {
    Reflect.apply(stub, undefined, []);
  } finally {
    question = before;
  }
  const { answer } = asked;
  return answer && { task: answer.task, captures: answer.captures && (() => answer.captures as readonly unknown[]) };
}

/** An inherited member that is read-only could not be assigned on a stub either. */
const OVERRIDABLE = { writable: true, configurable: true };

const prototype: object = Object.create(Function.prototype, {
  with: {
    ...OVERRIDABLE,
    value: function (this: Function, options: ParallelOptions) {
      const { task, captures } = internalsOf(this);
      return makeParallelFunction(task.with(options), captures);
    },
  },
  map: {
    ...OVERRIDABLE,
    value: function (this: Function, items: MapItems<unknown>, options?: MapOptions) {
      const { task, captures } = internalsOf(this);
      const start = (): MapHandle<unknown> => MapHandle.start(task, captures?.(), items, options);
      return callsAreWatched() ? watchCall("map", task, start, (map) => map._outcome) : start();
    },
  },
  local: {
    ...OVERRIDABLE,
    value: function (this: Function, ...args: unknown[]) {
      const { task, captures } = internalsOf(this);
      return runLocally(task, captures?.(), args);
    },
  },
  warm: {
    ...OVERRIDABLE,
    value: async function (this: Function) {
      const backend = currentBackend();
      await backend.warm(internalsOf(this).task.indexIn(backend));
    },
  },
  id: {
    get: function (this: Function) {
      return internalsOf(this).task.id;
    },
    set: function (this: Function, value: unknown) {
      Object.defineProperty(this, "id", { value, writable: true, enumerable: true, configurable: true });
    },
  },
  [PARALLEL_BRAND]: {
    get: function (this: Function) {
      const { task, captures } = internalsOf(this);
      return {
        manifest: task.home.manifest,
        id: task.id,
        meta: task.meta,
        captures: captures?.(),
        options: travellingOptions(task.options),
      };
    },
  },
});

/** Options that make sense on another thread: no signal, no handles, no callback. A `retry` that asks one which errors are worth it stays as a whole. */
function travellingOptions(options: ResolvedOptions | undefined): Record<string, unknown> | undefined {
  if (options === undefined) return undefined;
  const { timeout, priority, grace, name, move, memoize } = options;
  let retry: Record<string, unknown> | undefined;
  if (options.retry !== undefined && options.retry.when === everyError) {
    const { attempts, backoff, delay, maxDelay, jitter } = options.retry;
    retry = { attempts, backoff, delay, maxDelay, jitter };
  }
  return { timeout, priority, grace, name, retry, memoize, transfer: move ? "move" : undefined };
}

/** Makes a parallel function of what the codec decoded. */
export function reviveFunction({ manifest, id, meta, captures, options }: ParallelFunctionReference): ParallelFunction<any[], any> {
  const task = new StubTask({ manifest }, id, meta, options === undefined ? undefined : resolveOptions(options));
  return makeParallelFunction(task, captures === undefined ? undefined : () => captures);
}

/**
 * The encoded call of a pool's initializer.
 * @throws TypeError when `fn` is none that workers can be initialized with
 */
export function initializerOf(fn: unknown, args: readonly unknown[]): Initializer {
  const found = typeof fn === "function" ? (internals.get(fn) ?? (marked.has(fn) ? ask(fn) : undefined)) : undefined;
  if (found === undefined)
    throw new TypeError(
      '"initialize" is a parallel function; this is none, or this program was built without the makeparallel transformer.',
    );
  return encodeInitializer(found.task, found.captures?.(), args);
}

function internalsOf(fn: Function): Internals {
  const found = internals.get(fn) ?? (marked.has(fn) ? ask(fn) : undefined);
  if (found === undefined) throw new TypeError("This is no parallel function: its members can only be used on the function itself.");
  return found;
}

/**
 * @param task what a call queues
 * @param captures reads the captured locals at the time of the call
 */
export function makeParallelFunction(task: StubTask, captures: (() => readonly unknown[]) | undefined): ParallelFunction<any[], any> {
  const stub =
    captures === undefined
      ? function (this: unknown, ...args: unknown[]): unknown {
          return task.call(this, undefined, args);
        }
      : function (this: unknown, ...args: unknown[]): unknown {
          return task.call(this, captures(), args);
        };
  Object.setPrototypeOf(stub, prototype);
  Object.defineProperties(stub, {
    name: { value: task.name, configurable: true },
    length: { value: task.meta.length, configurable: true },
  });
  internals.set(stub, { task, captures });
  return stub as unknown as ParallelFunction<any[], any>;
}
