/**
 * The inline backend: tasks run on the calling thread, for debugging and unit tests.
 *
 * Arguments and results are encoded and decoded as with the others, so that a task that changes its argument, or captures what can't travel, shows
 * here as well. A call never runs its task itself: the task runs in a later turn of the event loop, or when somebody blocks or polls for it. As in a
 * worker, one task runs at a time; while an async one is pending, only tasks that it has pushed may run.
 *
 * What one thread can't do: stop a task (a time limit or a cancellation settles a queued or async task, but not a loop that runs), and block until an
 * async task has ended, see `block`. What ends a worker (process.exit, an uncaught error) ends the program here.
 */
import { encodeError } from "../codec";
import { ByteWriter } from "../codec/byte-writer";
import type { Writer } from "../codec/writer";
import { environmentLoader } from "../environment";
import { ParallelError } from "../errors";
import { type Initializer, runInitializer } from "../initializer";
import { insideTask } from "../inside";
import { type ChunkLoader, FsChunkStore } from "../loader";
import { Executor } from "../worker/executor";
import type { WorkerHost } from "../worker/host";
import {
  type Backend,
  type BackendOptions,
  type BackendStats,
  Phase,
  type PushOptions,
  Settlement,
  type TaskKey,
  type TaskSink,
  type Ticket,
  type ShutdownOptions,
} from "./backend";
import { PriorityQueue } from "./heap";
import { Ledger, type Parcel, takeParcel, type Task } from "./ledger";
import { startFailure } from "./start-failure";
import { mayGoOn, mindStack, stackIsLow, stackRoom } from "../stack-room";
import { clearTimeout, setImmediate, setTimeout } from "../own-clock";

const WRITER_HOME = 4096;

/** Frames that `push` and what it calls need, with a margin. */
const PUSH_FRAMES = 40;
/** What surrounds a task, and telling its sink, may take so much stack: what is begun must come to its end. The task's own code may use it up: that is its RangeError. */
const RUN_FRAMES = 150;
const ROOM_TO_RUN = stackRoom(8192);

/** A task that has begun. */
interface Job {
  task: Task;
  started: number;
  cancelled: boolean;
  /** It takes one of the places for tasks from outside. */
  counts: boolean;
}

/**
 * Starts an inline backend. Of the options only those that concern queued tasks mean anything here.
 */
export function createInlineBackend(options: BackendOptions): Backend {
  return new InlineBackend(options.threads, options.initializer);
}

class InlineBackend extends Ledger implements Backend {
  readonly kind = "inline";
  private readonly outside = new PriorityQueue<Task>();
  /** Pushed by tasks. */
  private readonly nested = new PriorityQueue<Task>();
  private queued = 0;
  private readonly jobs = new Map<number, Job>();
  private readonly jobOf = new Map<Task, number>();
  private lastJob = 0;
  private readonly keys: TaskKey[] = [];
  private readonly indexes = new Map<string, number>();
  private readonly out = new ByteWriter(new Uint8Array(WRITER_HOME), true);
  private readonly results = new ByteWriter(new Uint8Array(WRITER_HOME), true);
  private readonly executor: Executor;
  private readonly sleeper = new Int32Array(new SharedArrayBuffer(4));
  private turning = false;
  /** Tasks from outside that have begun: as many as a pool would have workers may be pending at a time. */
  private outsiders = 0;
  private drained: (() => void) | undefined;

  private readonly loader: ChunkLoader;
  private initializing = false;

  /**
   * @param threads of the pool that this stands for
   * @param initializer until it has run
   */
  constructor(
    private readonly threads: number,
    private initializer: Initializer | undefined,
  ) {
    super();
    const store = new FsChunkStore();
    const host: WorkerHost = {
      taskKey: (index) => this.keys[index]!,
      writer: () => this.results,
      complete: (job, settlement, writer) => this.complete(job, settlement, writer),
      isCancelled: (job) => this.jobs.get(job)?.cancelled === true,
      // Only streams of worker threads wait for their consumer.
      suspend: () => {},
      setAside: () => {},
      resume: () => {},
      progress: (job, fraction) => {
        const task = this.jobs.get(job)?.task;
        if (task !== undefined && task.settlement === 0) task.sink.progressed(fraction);
      },
      workerIndex: -1,
      chunks: store,
    };
    this.loader = environmentLoader(store);
    this.executor = new Executor(host, this.loader);
  }

  // ---- push

  writer(): Writer {
    const { out } = this;
    // Encoding can run a getter that calls a parallel function itself.
    return out.length === 0 && out.attachments === null ? out : new ByteWriter(new Uint8Array(256), out.hostObjects);
  }

  register(key: TaskKey): number {
    const text = `${key.manifest}\0${key.id}`;
    let index = this.indexes.get(text);
    if (index === undefined) {
      index = this.keys.push({ ...key }) - 1;
      this.indexes.set(text, index);
    }
    return index;
  }

  push(index: number, writer: Writer, sink: TaskSink, options: PushOptions | undefined): Ticket {
    mindStack(PUSH_FRAMES, ROOM_TO_RUN);
    // No job runs meanwhile, so it is the initializer itself that calls.
    if (this.initializing && insideTask()) {
      writer.reset();
      throw new ParallelError(`The initializer ${this.initializer!.name} can't call parallel functions: no task runs before it has ended.`);
    }
    const task = this.add(index, sink);
    task.parcel = takeParcel(writer, writer === this.out);
    if (insideTask()) this.nestedTasks.add(task);
    this.admit(task, options ?? {});
    return task.ticket;
  }

  private readonly nestedTasks = new WeakSet<Task>();

  protected ready(task: Task): void {
    this.queued++;
    (this.nestedTasks.has(task) ? this.nested : this.outside).push(task, task.priority);
    this.turn();
  }

  // ---- running

  /** Has the event loop run the next task. Only a task that somebody waits for keeps the process alive: an immediate would, so others use a timer. */
  private turn(): void {
    if (this.turning) return;
    if (this.observedCount > 0 || this.drained !== undefined) {
      setImmediate(this.takeTurn);
      this.turning = true;
    } else {
      this.idleTimer ??= setTimeout(this.takeTurn, 0).unref();
    }
  }

  private idleTimer: NodeJS.Timeout | undefined;

  private readonly takeTurn = (): void => {
    stackIsLow();
    this.turning = false;
    clearTimeout(this.idleTimer);
    this.idleTimer = undefined;
    this.runAlarms();
    if (this.runNext()) this.turn();
  };

  protected observing(): void {
    this.turn();
  }

  /** Runs the initializer before the first task. False while that is under way, and when it has failed: then so have the tasks. */
  private prepare(): boolean {
    const { initializer } = this;
    if (initializer === undefined) return true;
    if (this.initializing) return false;
    this.initializing = true;
    const done = (): void => {
      this.initializing = false;
      this.initializer = undefined;
    };
    const failed = (error: unknown): void => {
      this.initializing = false;
      const writer = new ByteWriter(new Uint8Array(1024));
      encodeError(writer, startFailure(error));
      const payload = { bytes: writer.bytes, start: 0, end: writer.length, attachments: null };
      for (const task of [...this.unsettled()]) {
        if (!task.queued || task.settlement !== 0 || this.jobOf.has(task)) continue;
        this.queued--;
        this.finish(task, Settlement.Crashed, payload, null);
      }
    };
    try {
      const pending = runInitializer(initializer, this.loader, -1);
      if (pending === undefined) {
        done();
        return true;
      }
      pending.then(() => {
        done();
        this.turn();
      }, failed);
    } catch (error) {
      failed(error);
    }
    return false;
  }

  /** Runs the task that is due; false when there is none that may run now. */
  private runNext(): boolean {
    if (this.queued === 0 || !this.prepare()) return false;
    const queue = this.next(this.nested) ?? (this.outsiders < this.threads ? this.next(this.outside) : undefined);
    const task = queue?.pop();
    if (task === undefined) return false;
    this.run(task);
    return true;
  }

  /** The queue, if it holds a task that has not been given up. */
  private next(queue: PriorityQueue<Task>): PriorityQueue<Task> | undefined {
    for (let task = queue.peek(); task !== undefined; task = queue.peek()) {
      if (task.settlement === 0 && !this.jobOf.has(task)) return queue;
      queue.pop();
    }
    return undefined;
  }

  private run(task: Task): void {
    this.queued--;
    const job = ++this.lastJob;
    const counts = !this.nestedTasks.has(task);
    if (counts) this.outsiders++;
    this.jobs.set(job, { task, started: this.now(), cancelled: false, counts });
    this.jobOf.set(task, job);
    const { bytes, length, attachments } = arrive(task.parcel!);
    const inputs =
      this.inputsOf(task)?.map((input) => ({
        ...input,
        attachments: input.attachments === null ? null : structuredClone(input.attachments),
      })) ?? null;
    task.parcel = null;
    this.dropInputs(task);
    const settlement = this.executor.run(job, task.index, { bytes, start: 0, end: length, attachments }, inputs);
    if (settlement !== 0) this.complete(job, settlement, this.results);
  }

  private complete(number: number, settlement: Settlement, writer: Writer): void {
    const job = this.jobs.get(number)!;
    const { task } = job;
    this.jobs.delete(number);
    this.jobOf.delete(task);
    this.leave(job);
    const { bytes, length, attachments } = arrive(takeParcel(writer, writer === this.results));
    if (task.settlement === 0)
      this.finish(
        task,
        settlement,
        { bytes, start: 0, end: length, attachments },
        this.runOf(task, job.started, this.now() - job.started, -1),
      );
  }

  private leave(job: Job): void {
    if (job.counts) this.outsiders--;
    job.counts = false;
    if (this.queued > 0) this.turn();
  }

  protected override finish(...args: Parameters<Ledger["finish"]>): void {
    super.finish(...args);
    if (this.pending === 0) this.drained?.();
  }

  // ---- check, block, give up

  private jobFor(task: Task | undefined): Job | undefined {
    const job = task === undefined ? undefined : this.jobOf.get(task);
    return job === undefined ? undefined : this.jobs.get(job);
  }

  phase(ticket: Ticket): Phase {
    const task = this.find(ticket);
    if (task === undefined || task.settlement !== 0) return Phase.Settled;
    if (this.jobOf.has(task)) return Phase.Running;
    return task.queued ? Phase.Queued : Phase.Waiting;
  }

  elapsed(ticket: Ticket): number {
    const job = this.jobFor(this.find(ticket));
    return job === undefined ? 0 : this.now() - job.started;
  }

  /** Runs one task as well: a loop that polls until a handle is ready must come to an end. */
  poll(): void {
    // Nothing begins where there is no room for it: it is looked for again.
    if (!mayGoOn(RUN_FRAMES, ROOM_TO_RUN)) return;
    if (this.refused.length > 0) this.settleRefused();
    this.runAlarms();
    this.runNext();
  }

  /**
   * Runs tasks until the asked one has settled, that one first.
   * @throws ParallelError when nothing that this thread could do meanwhile would settle it: an async task that has begun
   */
  block(ticket: Ticket, ms: number): boolean {
    mindStack(RUN_FRAMES, ROOM_TO_RUN);
    if (this.refused.length > 0) this.settleRefused();
    const task = this.find(ticket);
    if (task === undefined) return true;
    const deadline = this.now() + ms;
    const path = [task];
    while (task.settlement === 0) {
      this.runAlarms();
      if ((task.settlement as number) !== 0) return true;
      const ready = this.prepare();
      if ((task.settlement as number) !== 0) return true;
      if (ready && task.queued && !this.jobOf.has(task)) {
        this.run(task);
      } else if (!ready || !this.runBlocked(path)) {
        const until = Math.min(deadline, this.nextAlarm);
        if (until === Infinity) {
          throw new ParallelError(
            ready
              ? "get() would wait forever: on the inline backend tasks run on the calling thread, and an async task can't go on while that thread is blocked. Use `await`."
              : "get() would wait forever: on the inline backend the pool's asynchronous initializer can't go on while the calling thread is blocked. Use `await`.",
          );
        }
        Atomics.wait(this.sleeper, 0, 0, Math.max(0, until - this.now()));
      }
      if ((task.settlement as number) === 0 && this.now() >= deadline) return false;
    }
    return true;
  }

  /**
   * Runs a task that a blocked one depends on.
   * @param path from the asked task to what it waits for; kept between calls, so that a long chain is walked once
   */
  private runBlocked(path: Task[]): boolean {
    for (let task = path.at(-1); task !== undefined; task = path.at(-1)) {
      if (task.settlement !== 0) {
        path.pop();
        continue;
      }
      if (this.jobOf.has(task)) return false;
      if (task.queued) {
        this.run(task);
        return true;
      }
      const missing = task.after?.find((dependency) => dependency.settlement === 0);
      if (missing === undefined) return false;
      path.push(missing);
    }
    return false;
  }

  cancel(ticket: Ticket, _grace: number): boolean {
    mindStack(RUN_FRAMES, ROOM_TO_RUN);
    const task = this.find(ticket);
    if (task === undefined || task.settlement !== 0) return false;
    this.giveUp(task, Settlement.Cancelled);
    return true;
  }

  protected expire(task: Task): void {
    this.giveUp(task, Settlement.TimedOut);
  }

  private giveUp(task: Task, settlement: Settlement.Cancelled | Settlement.TimedOut): void {
    const job = this.jobFor(task);
    if (job !== undefined) {
      job.cancelled = true;
      // A pool would replace its worker.
      this.leave(job);
    } else if (task.queued) this.queued--;
    this.finish(task, settlement, null, job === undefined ? null : this.runOf(task, job.started, this.now() - job.started, -1));
  }

  // ---- the rest of the Backend

  warm(index: number): Promise<void> {
    return this.executor.warm(index);
  }

  stats(): BackendStats {
    return { threads: 1, busy: Math.min(1, this.jobs.size), queued: this.queued, running: this.jobs.size };
  }

  async shutdown({ cancelPending, enough, closed }: ShutdownOptions): Promise<void> {
    if (!cancelPending && this.pending > 0) {
      this.hold();
      await new Promise<void>((resolve) => {
        this.drained = resolve;
        void enough.then(resolve);
        this.turn();
      });
      this.drained = undefined;
      this.unhold();
    }
    closed();
    this.refusePushes();
    for (const task of [...this.unsettled()]) if (task.settlement === 0) this.giveUp(task, Settlement.Cancelled);
    this.stopTimers();
  }
}

/** What would arrive if the parcel were sent. */
function arrive(parcel: Parcel): Parcel {
  if (parcel.attachments === null) return parcel;
  return {
    ...parcel,
    attachments: structuredClone(parcel.attachments, { transfer: (parcel.transfers ?? []) as ArrayBuffer[] }),
    transfers: null,
  };
}
