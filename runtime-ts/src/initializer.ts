/**
 * The pool's initialiser: a parallel function that each worker runs once, before its first task. The program encodes the call when it configures the pool;
 * every worker, replacements included, decodes and runs it as the last step of its start. While it runs, the worker is one that is starting: if it fails, the
 * start has failed, with all that follows from that (a few more attempts, then what is queued fails with the reason).
 */
import { ByteWriter, decodeCallFor, encodeCall, encodeError, NO_RECEIVER, whenLoaded } from "./codec";
import { refuseCalls } from "./configure";
import { ParallelError } from "./errors";
import { enterTask, runContinued, type JobContext } from "./inside";
import { knownManifests } from "./known-manifests";
import type { LoadedTask } from "./loader";
import { FLAG_GENERATOR, FLAG_RECEIVER } from "./stub-meta";
import type { StubTask } from "./task";
import { exitThread } from "./thread-exit";

/** An encoded call, for as many workers as there will be. */
export interface Initializer {
  manifest: string;
  id: string;
  name: string;
  bytes: Uint8Array;
  attachments: unknown[] | null;
}

/**
 * @param task and `captures` of the parallel function
 * @throws TypeError for what can't be run in several workers; TransferError for arguments that can't cross
 */
export function encodeInitializer(task: StubTask, captures: readonly unknown[] | undefined, args: readonly unknown[]): Initializer {
  const { name, meta } = task;
  if ((meta.flags & FLAG_GENERATOR) !== 0) throw new TypeError(`${name} is a generator, which can't be what initializes workers.`);
  if ((meta.flags & FLAG_RECEIVER) !== 0)
    throw new TypeError(`${name} needs an instance that it is called on, so it can't be what initializes workers.`);
  const writer = new ByteWriter(new Uint8Array(256), true);
  const { dependencies } = encodeCall(writer, NO_RECEIVER, captures, meta.captures, args);
  if (dependencies !== null) throw new TypeError(`An argument of the initializer ${name} is a pending handle: await it first.`);
  if (writer.transfers !== null)
    throw new TypeError(`An argument of the initializer ${name} is moved, but every worker needs it: share it, or let it be copied.`);
  const bytes = writer.bytes.slice(0, writer.length);
  return { manifest: task.home.manifest, id: task.id, name, bytes, attachments: writer.attachments };
}

/** Loads what a task key stands for. */
interface Loader {
  loadTask(manifest: string, id: string): LoadedTask | Promise<LoadedTask>;
}

/**
 * Runs the initializer on this thread.
 * @returns a promise when it goes on asynchronously
 * @throws ParallelError whose cause is what it threw
 */
export function runInitializer(initializer: Initializer, loader: Loader, worker: number): void | Promise<void> {
  const { manifest, id, name } = initializer;
  const failed = (cause: unknown): never => {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new ParallelError(`The initializer ${name} failed in a worker: ${message}`, { task: name, cause });
  };
  try {
    knownManifests.add(manifest);
    const loaded = loader.loadTask(manifest, id);
    if (loaded instanceof Promise) return loaded.then((ready) => call(ready, initializer, worker)).then(nothing, failed);
    const result = call(loaded, initializer, worker);
    if (typeof (result as PromiseLike<unknown> | undefined)?.then === "function")
      return (result as PromiseLike<unknown>).then(nothing, failed) as Promise<void>;
  } catch (error) {
    failed(error);
  }
}

function call(loaded: LoadedTask, initializer: Initializer, worker: number): unknown {
  const { manifest, bytes, attachments } = initializer;
  const values = whenLoaded(() => decodeCallFor(manifest, { bytes, start: 0, end: bytes.length, attachments }, null));
  return values instanceof Promise
    ? values.then((later) => callWith(later, loaded, initializer, worker))
    : callWith(values, loaded, initializer, worker);
}

function callWith(values: unknown[], { task, fn }: LoadedTask, { id, name }: Initializer, worker: number): unknown {
  const context: JobContext = {
    info: { id, name, worker },
    isCancelled: () => false,
    progress: nothing,
    signal: undefined,
    ended: false,
  };
  const outer = enterTask(context);
  try {
    return runContinued(context, () => {
      if (!task.factory) return fn(...values) as unknown;
      const made = fn(...values.slice(0, task.captures.length)) as Function;
      return made(...values.slice(task.captures.length)) as unknown;
    });
  } finally {
    enterTask(outer);
  }
}

/**
 * For a worker's entry: runs the initializer, if there is one, then `go`. What ends the worker before that is reported.
 * @param fail tells the root why the worker can't start
 */
export function startInitialized(
  initializer: Initializer | undefined,
  loader: Loader,
  worker: number,
  go: () => void,
  fail: (error: unknown) => void,
): void {
  if (initializer === undefined) return go();
  const { name } = initializer;
  let over = false;
  const end = (error: unknown): void => {
    if (over) return;
    over = true;
    fail(error);
    exitThread(1);
  };
  const onExit = (code: number): void => {
    if (over) return;
    over = true;
    fail(
      new ParallelError(
        `The initializer ${name} ended its worker (exit code ${code}) before it was done: it called process.exit(), or waits for nothing.`,
        {
          task: name,
        },
      ),
    );
  };
  const onUncaught = (cause: unknown): void =>
    end(new ParallelError(`An error that nobody caught while the initializer ${name} ran: ${String(cause)}`, { task: name, cause }));
  process.prependListener("exit", onExit);
  process.on("uncaughtException", onUncaught);
  refuseCalls(`The initializer ${name} can't call parallel functions: the pool's workers are still starting.`);
  const done = (): void => {
    over = true;
    process.off("exit", onExit);
    process.off("uncaughtException", onUncaught);
    refuseCalls(undefined);
    go();
  };
  try {
    const pending = runInitializer(initializer, loader, worker);
    if (pending === undefined) done();
    else pending.then(done, end);
  } catch (error) {
    end(error);
  }
}

/** An error as bytes: sent as it is, it would lose its class and its cause. */
export function encodedError(error: unknown): Uint8Array {
  const writer = new ByteWriter(new Uint8Array(1024));
  encodeError(writer, error);
  return writer.bytes.slice(0, writer.length);
}

function nothing(): void {}
