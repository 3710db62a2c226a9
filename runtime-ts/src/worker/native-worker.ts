/**
 * Entry of a worker of the native backend: connects the executor to the loop in Rust.
 *
 * `port.work()` runs jobs, calling `run` for each, until there is a reason to return to JavaScript: asynchronous jobs are pending, the event loop should
 * turn, there is nothing to do, or the worker ends. While it waits in its event loop it is woken through `onWake`.
 */
import { workerData } from "node:worker_threads";
import { ByteWriter, encodeError, encodeValue } from "../codec";
import type { Writer } from "../codec/writer";
import { provideBackend } from "../configure";
import { WorkerCrashedError } from "../errors";
import { environmentLoader } from "../environment";
import { encodedError, startInitialized } from "../initializer";
import { enterTask, type JobContext } from "../inside";
import { type ChunkLoader, readManifest } from "../loader";
import type { BindingWorker } from "../../../runtime-native";
import type { Encoded, Settlement, TaskKey } from "../pool/backend";
import { loadBinding, type NativeBinding } from "../pool/native-binding";
import { encodedOf, NativeEnvironment } from "../pool/native-environment";
import { clearTimeout, LONGEST_TIMER, setTimeout } from "../own-clock";
import { control, sayLeaving, Telemetry, useTelemetry } from "../telemetry";
import { announceExit, exitThread } from "../thread-exit";
import { variantOf } from "../task-variants";
import type { ChunkStore } from "./chunks";
import { Executor } from "./executor";
import type { WorkerHost } from "./host";
import { afterTurn, beforeTurn, installImmediates, tick, turnsInside } from "./immediates";
import { NativeChunkStore } from "./native-chunks";
import type { NativeWorkerStart } from "./native-start";
import { provideOwnCopy } from "./own-copy";
import { installSyncStdio } from "./stdio";
import { onUncaught } from "./uncaught";

/** Words of the header, as in runtime-native/src/binding/worker_side.rs. */
const JOB = 0;
const INDEX = 1;
const END = 2;
const FLAGS = 3;
const LENGTH = 4;
const FETCH_PAYLOAD = 1;
const FETCH_INPUTS = 2;
/** Jobs from this number on have no flag in shared memory, as in runtime-native/src/job_flags.rs. */
const WITHOUT_SLOT = 2 ** 30;

/** The loop's own immediates are Node's: it takes them back itself before a turn inside of a wait. */
const { setImmediate, clearImmediate } = globalThis;

/** Why `work` returns, as in runtime-native/src/binding/jobs.rs. */
const PENDING = 1;
const TURN = 2;
const IDLE = 3;
const DELIVER = 5;
const LEAVE = 6;

/** From `crash`: there was no job to tell of it, and the pool is being closed. */
const CLOSING = -1;

/** What nested tasks are pushed through: the pool is the one that this worker belongs to. */
class NestedEnvironment extends NativeEnvironment<BindingWorker> {
  constructor(
    binding: NativeBinding,
    port: BindingWorker,
    private readonly start: NativeWorkerStart,
    /** Loads a task in this worker. */
    readonly warm: (index: number) => Promise<void>,
  ) {
    super(binding, port, start.grace);
  }

  override register(key: TaskKey): number {
    const index = super.register(key);
    if (isAsync(key)) this.binding.markAsynchronous(this.port.pool, index);
    return index;
  }

  /** A worker lives as long as its pool wants. */
  protected keepAlive(): void {}

  /** The addon asks the root itself. */
  protected wantWorker(): void {}

  /** Only its own is known here. */
  protected seatOf(id: number): number {
    return id === this.start.id ? this.start.seat : -2 - id;
  }

  protected serve(): void {}

  protected ending(): Error {
    return new WorkerCrashedError("The worker is being stopped, because another task that began on it did not end in its time.");
  }

  shutdown(): Promise<void> {
    return Promise.reject(new Error("makeparallel: a task can't shut down the pool that it runs in."));
  }

  onWake(): void {
    this.woken();
  }
}

class NativeWorker implements WorkerHost {
  readonly workerIndex: number;
  private readonly port: BindingWorker;
  private readonly header: Int32Array;
  private readonly payload: Encoded;
  private readonly result: ByteWriter;
  private readonly cancelled: Int32Array | undefined;
  private readonly loader: ChunkLoader;
  private readonly executor: Executor;
  private readonly nested: NestedEnvironment;
  private working = 0;
  /** The immediate that comes back to the loop. */
  private scheduled: NodeJS.Immediate | undefined;
  /** It could not be made inside of a turn inside of a wait. */
  private postponed = false;
  private trimmed = false;
  private retirement: NodeJS.Timeout | undefined;
  private ending = false;

  constructor(
    private readonly binding: NativeBinding,
    private readonly start: NativeWorkerStart,
    readonly chunks: ChunkStore,
  ) {
    this.workerIndex = start.seat;
    const port = binding.attachWorker(
      start.pool,
      start.id,
      () => this.runSafely(),
      (turned) => this.onTurn(turned),
      () => this.onWake(),
      () => {},
    );
    // The pool has been closed while this thread was starting.
    if (port === null) exitThread(0);
    this.port = port;
    this.header = new Int32Array(port.header);
    this.payload = { bytes: new Uint8Array(port.jobArea), start: 0, end: 0, attachments: null };
    this.result = new ByteWriter(new Uint8Array(port.result));
    this.cancelled = port.cancelled === undefined ? undefined : new Int32Array(port.cancelled);
    this.nested = new NestedEnvironment(binding, port, start, (index) => this.executor.warm(index));
    provideBackend(this.nested);
    this.loader = environmentLoader(this.chunks);
    this.executor = new Executor(this, this.loader);
    onUncaught((error) => this.onUncaught(error));
    process.prependListener("exit", (code) => this.onExit(code));
    this.work();
  }

  // ---- the loop

  private work(): void {
    this.scheduled = undefined;
    // A turn of the event loop inside of a blocking wait: the loop is on the stack already, or what waits came from there.
    if (this.working > 0) return;
    if (turnsInside()) {
      this.postponed = true;
      return;
    }
    if (this.retirement !== undefined) clearTimeout(this.retirement);
    this.working++;
    let left: number;
    try {
      while ((left = this.port.work()) === DELIVER) {
        this.nested.onWake();
        tick();
      }
    } catch (error) {
      // Thrown by a continuation, and nobody's but Node's to handle. If that goes on, so do the other jobs.
      setImmediate(() => this.work());
      throw error;
    } finally {
      this.working--;
    }
    if (left === PENDING) return;
    if (left === TURN) this.schedule();
    else if (left === IDLE) this.idle();
    else {
      if (left === LEAVE) sayLeaving();
      this.ending = true;
      exitThread(0);
    }
  }

  /** Comes back to the loop in the next turn of the event loop. */
  private schedule(): void {
    if (this.scheduled !== undefined || this.working > 0) return;
    if (turnsInside()) this.postponed = true;
    else this.scheduled = setImmediate(() => this.work());
  }

  /** The tasks whose waits the event loop turns in, the innermost last. */
  private readonly blocked: (JobContext | undefined)[] = [];

  /** Before and after a turn of the event loop inside of a wait. */
  private onTurn(turned: boolean): void {
    if (turned) {
      afterTurn();
      enterTask(this.blocked.pop());
      if (!this.postponed || turnsInside()) return;
      this.postponed = false;
      this.schedule();
      return;
    }
    if (this.scheduled !== undefined) {
      clearImmediate(this.scheduled);
      this.scheduled = undefined;
      this.postponed = true;
    }
    // What goes on in the turn is not part of the task that is blocked.
    this.blocked.push(enterTask(undefined));
    beforeTurn();
  }

  private idle(): void {
    // There is nothing else to do now: what V8 has compiled becomes the code cache that spares the other workers the work.
    if (this.loader.offerCodeCaches() || !this.trimmed) {
      // What was needed to compile is not needed again.
      this.trimmed = true;
      this.binding.trimMemory();
    }
    const { idleTimeout, minThreads } = this.start;
    if (idleTimeout >= LONGEST_TIMER) return;
    this.retirement = setTimeout(() => {
      if (this.port.retire(minThreads) !== 1) return;
      sayLeaving();
      this.work();
    }, idleTimeout);
    this.retirement.unref();
  }

  private onWake(): void {
    this.nested.onWake();
    if (this.working === 0 && this.scheduled === undefined) this.work();
  }

  /** The executor throws only where something that it needs has been broken, by a task that has replaced it: then no other task would fare better here. */
  private runSafely(): number {
    try {
      return this.run();
    } catch (error) {
      // The end of the stack is no such thing. The job is lost, those around it go on.
      if (error instanceof RangeError && /call stack/.test(error.message)) throw error;
      return this.onUncaught(error);
    }
  }

  /** Runs the job in the header. */
  private run(): number {
    const { header, payload } = this;
    const job = header[JOB]!;
    const index = header[INDEX]!;
    if (index < 0) return this.load(job, ~index);
    const flags = header[FLAGS]!;
    let settlement: number;
    if (flags === 0) {
      payload.end = header[END]!;
      settlement = this.executor.run(job, index, payload, null);
    } else {
      payload.end = header[END]!;
      const fetched = (flags & FETCH_PAYLOAD) !== 0 ? encodedOf(this.port.payload()) : payload;
      const inputs = (flags & FETCH_INPUTS) !== 0 ? this.port.inputs().map(encodedOf) : null;
      settlement = this.executor.run(job, index, fetched, inputs);
    }
    if (settlement !== 0) this.hand(this.result);
    return settlement;
  }

  private load(job: number, index: number): number {
    this.executor.warm(index).then(
      () => {
        this.result.reset();
        this.complete(job, 1, this.result);
      },
      (error: unknown) => {
        this.result.reset();
        encodeError(this.result, error);
        this.complete(job, 2, this.result);
      },
    );
    return 0;
  }

  /** Leaves a result where Rust takes it from. */
  private hand(writer: Writer): void {
    if (writer.bytes === writer.home && writer.attachments === null) this.header[LENGTH] = writer.length;
    else this.port.stash(writer.bytes, writer.length, writer.attachments, writer.transfers);
    writer.reset();
  }

  // ---- WorkerHost

  taskKey(index: number): TaskKey {
    const key = this.binding.taskKey(this.start.pool, index);
    if (key === null) throw new Error(`makeparallel: no task has the index ${index}.`);
    return key;
  }

  writer(): Writer {
    return this.result;
  }

  complete(job: number, settlement: Settlement.Fulfilled | Settlement.Rejected, writer: Writer): void {
    this.hand(writer);
    this.port.complete(job, settlement);
    this.schedule();
  }

  isCancelled(job: number): boolean {
    const { cancelled } = this;
    return cancelled === undefined || job >= WITHOUT_SLOT
      ? this.port.isCancelled(job) === 1
      : Atomics.load(cancelled, job & (cancelled.length - 1)) === job;
  }

  progress(job: number, fraction: number): void {
    this.port.progress(job, fraction);
  }

  suspend(job: number): void {
    this.port.suspend(job);
  }

  setAside(job: number): void {
    this.port.setAside(job);
    this.schedule();
  }

  resume(job: number): void {
    if (this.port.resume(job) === 1) this.schedule();
  }

  // ---- the end

  /** An error that nobody has caught ends the worker, as it would end a program; the tasks that it ran learn of it. */
  private onUncaught(error: unknown): never {
    try {
      const writer = new ByteWriter(new Uint8Array(1024));
      encodeError(writer, error);
      const told = this.port.crash(writer.bytes, writer.length);
      // That others have ended with the program, or the pool, is no news. Node ends one worker after the other, and those that it comes to last may see it.
      const expected = told === CLOSING && error instanceof WorkerCrashedError;
      if (told <= 0 && !expected) console.error("makeparallel: an error in a worker, left behind by a task that had ended:", error);
    } catch {
      // What a task has broken was needed to tell of it.
      this.port.crash(null, 0);
    }
    exitThread(1);
  }

  private onExit(code: number): void {
    if (this.ending) {
      // Not a task has called for it: the worker was to be stopped.
      this.port.crash(null, 0);
      return;
    }
    const writer = new ByteWriter(new Uint8Array(64));
    encodeValue(writer, code);
    this.port.crash(writer.bytes, writer.length);
  }
}

/** Whether its tasks go on asynchronously, as far as the manifest tells. */
function isAsync({ manifest, id }: TaskKey): boolean {
  try {
    const task = readManifest(manifest).tasks[variantOf(id).id];
    return task !== undefined && (task.async || task.generator);
  } catch {
    // The task will say what is wrong with the manifest.
    return false;
  }
}

const start = workerData as NativeWorkerStart;
useTelemetry(new Telemetry(start.telemetry));
announceExit(control);
try {
  installSyncStdio();
  installImmediates();
  provideOwnCopy();
  const binding = loadBinding();
  const chunks = new NativeChunkStore(binding);
  startInitialized(
    start.initializer,
    environmentLoader(chunks),
    start.seat,
    () => new NativeWorker(binding, start, chunks),
    (error) => start.line.postMessage(encodedError(error)),
  );
} catch (error) {
  start.line.postMessage(error instanceof Error ? error : new Error(String(error)));
  throw error;
}
