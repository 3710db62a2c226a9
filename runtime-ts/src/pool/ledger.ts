/**
 * The pushing side's record of its tasks: tickets, dependencies, retained results, time limits. Shared by the backends that are written in TypeScript.
 *
 * A task is here from `push` until its sink has been settled and nobody retains its result. What runs it is the subclass's business: the ledger says
 * `ready` when its dependencies are fulfilled, and the subclass says `finish` when it knows how it ended.
 */
import type { Writer } from "../codec/writer";
import { processNow } from "../clock";
import { lackedStack } from "../codec";
import { type Encoded, type PushOptions, type Run, Settlement, type TaskSink, type Ticket } from "./backend";
import { Heap } from "./heap";
import { clearInterval, clearTimeout, LONGEST_TIMER, queueMicrotask, setInterval, setTimeout } from "../own-clock";

/** A payload that is kept on the pushing side until whatever runs the task takes it. */
export interface Parcel {
  bytes: Uint8Array;
  /** Bytes used. */
  length: number;
  attachments: unknown[] | null;
  /** Those of `attachments` that move instead of being copied. */
  transfers: (ArrayBuffer | import("node:worker_threads").MessagePort)[] | null;
}

export class Task {
  settlement: Settlement | 0 = 0;
  /** The payload, while it is not in shared memory. */
  parcel: Parcel | null = null;
  priority = 0;
  /** ms between giving up on it while it runs and the stop of its worker; undefined: the pool's. */
  grace: number | undefined = undefined;
  /** On the ledger's clock. */
  deadline = Infinity;
  after: readonly Task[] | null = null;
  inputs: readonly number[] | null = null;
  waitingFor = 0;
  dependents: Task[] | null = null;
  retained = 0;
  result: Encoded | null = null;
  observed = false;
  ref = false;
  /** Shared-memory slot, or -1: waits for dependencies, for a slot, or runs nowhere. */
  slot = -1;
  /** State word when it was queued. */
  word = 0;
  /** It runs (or has run) on the thread that pushed it, without a slot. */
  local = false;
  /** When it began there, on the ledger's clock. */
  startedHere = 0;
  /** True from the time when its dependencies are fulfilled. */
  queued = false;
  /** When that was, on the ledger's clock. */
  queuedAt = 0;

  constructor(
    readonly ticket: Ticket,
    readonly index: number,
    readonly sink: TaskSink,
  ) {}
}

/** The run of a task that has ended. */
export interface EndedRun extends Run {
  elapsed: number;
}

/** Something to be done at a time. */
interface Alarm {
  time: number;
  run: () => void;
  /** The task whose time limit this is: once it has settled, nothing is to be done. */
  task: Task | undefined;
}

/** Records are found by the low bits of a ticket; the high bits tell its incarnations apart. */
const RECORD_BITS = 24;
const RECORDS = 1 << RECORD_BITS;
const RECORD_MASK = RECORDS - 1;

export abstract class Ledger {
  private readonly records: (Task | undefined)[] = [];
  private readonly generations: number[] = [];
  private readonly freeRecords: number[] = [];
  /** Tasks whose sink has not been settled. */
  pending = 0;
  /** Pending tasks for whose settlement something waits on the event loop, and those of them that keep the process alive. */
  observedCount = 0;
  /** Tasks that wait for others. */
  protected waitingCount = 0;
  private refCount = 0;
  private keepAlive: NodeJS.Timeout | undefined;

  private readonly alarms = new Heap<Alarm>((a, b) => a.time - b.time);
  /** Alarms in the heap whose task has settled. */
  private idleAlarms = 0;
  private timer: NodeJS.Timeout | undefined;
  private timerAt = Infinity;

  // ---- what the subclass does

  /** The task may run. Its payload is in `task.parcel`. */
  protected abstract ready(task: Task): void;
  abstract push(index: number, writer: Writer, sink: TaskSink, options: PushOptions | undefined): Ticket;
  /** Something on the event loop waits for a settlement. */
  protected abstract observing(): void;
  /** The time limit of a task has passed; it has not been settled. */
  protected abstract expire(task: Task): void;

  /** The clock of the environments of a pool. */
  now(): number {
    return processNow();
  }

  /** @param started on the ledger's clock */
  protected runOf(task: Task, started: number, elapsed: number, worker: number): EndedRun {
    const run = this.lastRun;
    run.waited = Math.max(0, started - task.queuedAt);
    run.started = started;
    run.elapsed = elapsed;
    run.worker = worker;
    return run;
  }

  private readonly lastRun: EndedRun = { waited: 0, started: 0, elapsed: 0, worker: -1 };

  // ---- records

  protected find(ticket: Ticket): Task | undefined {
    const task = this.records[ticket & RECORD_MASK];
    return task !== undefined && task.ticket === ticket ? task : undefined;
  }

  /**
   * Settled by their push: because the pool had closed (and somebody still held this backend: a map, a call that waits to be repeated), or because a
   * dependency had failed. Their sinks hear of it a little later, since the caller does not know the ticket yet: in a microtask, or when it looks.
   */
  protected refused: { task: Task; settlement: Settlement; detail: number }[] = [];

  /** From now on tasks are settled as cancelled: nobody would ever take them. An own property, so that the usual push asks nothing. */
  protected refusePushes(): void {
    this.push = (index, writer, sink) => {
      writer.reset();
      const task = this.add(index, sink);
      this.refuse(task, Settlement.Cancelled);
      return task.ticket;
    };
  }

  private refuse(task: Task, settlement: Settlement, detail = 0): void {
    if (this.refused.push({ task, settlement, detail }) === 1) queueMicrotask(() => this.settleRefused());
  }

  protected settleRefused(): void {
    const { refused } = this;
    this.refused = [];
    for (const { task, settlement, detail } of refused) if (task.settlement === 0) this.finish(task, settlement, null, null, detail);
  }

  /** A record for a task without options. */

  protected add(index: number, sink: TaskSink): Task {
    const free = this.freeRecords.pop();
    let at: number;
    let generation = 0;
    if (free === undefined) {
      at = this.records.length;
      if (at >= RECORDS) throw new RangeError(`More than ${RECORDS} tasks are pending.`);
      this.generations.push(0);
    } else {
      at = free;
      generation = this.generations[at] = this.generations[at]! + 1;
    }
    const task = new Task(generation * RECORDS + at, index, sink);
    this.records[at] = task;
    this.pending++;
    return task;
  }

  private forget(task: Task): void {
    const at = task.ticket & RECORD_MASK;
    this.records[at] = undefined;
    this.freeRecords.push(at);
  }

  protected *unsettled(): Generator<Task> {
    for (const task of this.records) if (task !== undefined && task.settlement === 0) yield task;
  }

  /** Takes over options and dependencies; `ready` follows now or later. The payload has been put into `task.parcel`. */
  protected admit(task: Task, options: PushOptions): void {
    if (options.priority !== undefined) task.priority = options.priority;
    task.grace = options.grace;
    if (options.timeout !== undefined && options.timeout !== Infinity) {
      task.deadline = this.now() + options.timeout;
      this.alarm(task.deadline, () => this.expire(task), task);
    }
    if (options.after !== undefined && options.after.length > 0) this.depend(task, options.after, options.inputs);
    if (task.waitingFor === 0 && task.settlement === 0) this.makeReady(task);
  }

  private depend(task: Task, after: readonly Ticket[], inputs: readonly number[] | undefined): void {
    // A ticket that is no longer known is that of a fulfilled task: callers don't push after one that has failed.
    const tasks = after.map((ticket) => this.find(ticket) ?? FULFILLED);
    task.after = tasks;
    task.inputs = inputs ?? null;
    if (inputs !== undefined) for (const at of inputs) tasks[at]!.retained++;
    const failed = tasks.findIndex((other) => other.settlement !== 0 && other.settlement !== Settlement.Fulfilled);
    if (failed >= 0) {
      task.waitingFor = 1;
      this.waitingCount++;
      this.refuse(task, Settlement.DependencyFailed, failed);
      return;
    }
    for (const other of tasks) {
      if (other.settlement !== 0) continue;
      task.waitingFor++;
      (other.dependents ??= []).push(task);
    }
    if (task.waitingFor > 0) this.waitingCount++;
  }

  protected makeReady(task: Task): void {
    task.queued = true;
    task.queuedAt = this.now();
    this.ready(task);
  }

  /** Encoded results of the tasks whose values are arguments, or null. */
  protected inputsOf(task: Task): Encoded[] | null {
    return task.inputs === null ? null : task.inputs.map((at) => task.after![at]!.result!);
  }

  /** The inputs are where they are needed, or never will be. */
  protected dropInputs(task: Task): void {
    if (task.inputs === null) return;
    for (const at of task.inputs) this.releaseTask(task.after![at]!);
    task.inputs = null;
  }

  /** Settles a task's sink, then whatever depends on it. */
  protected finish(task: Task, settlement: Settlement, payload: Encoded | null, run: EndedRun | null, detail = 0): void {
    task.settlement = settlement;
    this.pending--;
    if (task.waitingFor > 0) this.waitingCount--;
    if (task.observed) this.unobserve(task);
    if (task.deadline !== Infinity) this.idleAlarm();
    if (task.retained > 0) {
      if (settlement === Settlement.Fulfilled) task.result = copyOf(payload!);
    } else {
      this.forget(task);
    }
    task.parcel = null;
    this.dropInputs(task);
    try {
      task.sink.settle(settlement, payload, run?.elapsed ?? 0, detail, run);
    } catch (error) {
      // Of a stack that ends it is the one who looks that has to hear: the sink has not.
      if (lackedStack(error)) throw error;
      // Anything else must not keep others from theirs, nor come out of a call that has nothing to do with it.
      queueMicrotask(() => {
        throw error;
      });
    }
    // The last of a chain must not keep all of it in memory.
    task.after = null;
    const { dependents } = task;
    if (dependents === null) return;
    task.dependents = null;
    for (const dependent of dependents) {
      if (dependent.settlement !== 0) continue;
      if (settlement !== Settlement.Fulfilled) {
        this.doomed.push({ dependent, at: dependent.after!.indexOf(task) });
      } else if (--dependent.waitingFor === 0) {
        this.waitingCount--;
        this.makeReady(dependent);
      }
    }
    if (!this.dooming) this.failDoomed();
  }

  /** Tasks that wait in vain. A list instead of recursion: a chain of dependents may be long. */
  private readonly doomed: { dependent: Task; at: number }[] = [];
  private dooming = false;

  private failDoomed(): void {
    this.dooming = true;
    try {
      for (let next = this.doomed.pop(); next !== undefined; next = this.doomed.pop()) {
        if (next.dependent.settlement === 0) this.finish(next.dependent, Settlement.DependencyFailed, null, null, next.at);
      }
    } finally {
      this.dooming = false;
    }
  }

  // ---- retained results

  retain(ticket: Ticket): void {
    const task = this.find(ticket);
    if (task !== undefined) task.retained++;
  }

  release(ticket: Ticket): void {
    const task = this.find(ticket);
    if (task !== undefined) this.releaseTask(task);
  }

  private releaseTask(task: Task): void {
    if (task === FULFILLED || --task.retained > 0) return;
    if (task.settlement === 0) return;
    task.result = null;
    this.forget(task);
  }

  // ---- the event loop

  observe(ticket: Ticket, ref: boolean): void {
    const task = this.find(ticket);
    if (task === undefined || task.settlement !== 0) return;
    if (task.observed) {
      // Somebody had only watched.
      if (ref && !task.ref) this.refTask(task);
      return;
    }
    task.observed = true;
    this.observedCount++;
    if (ref) this.refTask(task);
    this.observing();
  }

  setRef(ticket: Ticket, ref: boolean): void {
    const task = this.find(ticket);
    if (task === undefined || task.settlement !== 0 || !task.observed || task.ref === ref) return;
    if (ref) this.refTask(task);
    else this.unrefTask(task);
  }

  private unobserve(task: Task): void {
    task.observed = false;
    this.observedCount--;
    if (task.ref) this.unrefTask(task);
  }

  private refTask(task: Task): void {
    task.ref = true;
    this.hold();
  }

  private unrefTask(task: Task): void {
    task.ref = false;
    this.unhold();
  }

  /** Keeps the process alive until as many `unhold`. */
  protected hold(): void {
    if (this.refCount++ > 0) return;
    // Switching one timer between ref and unref costs less than making one each time.
    if (this.keepAlive === undefined) this.keepAlive = setInterval(noop, LONGEST_TIMER);
    else this.keepAlive.ref();
  }

  protected unhold(): void {
    if (--this.refCount === 0) this.keepAlive!.unref();
  }

  protected stopTimers(): void {
    clearInterval(this.keepAlive);
    clearTimeout(this.timer);
    this.keepAlive = undefined;
    this.timer = undefined;
    this.timerAt = Infinity;
  }

  // ---- time

  /** Runs something at a time, on the event loop or while this thread blocks in `block`. */
  protected alarm(time: number, run: () => void, task?: Task): void {
    this.alarms.push({ time, run, task });
    if (time < this.timerAt) this.setTimer(time);
  }

  /** A long time limit must not keep the records of tasks that ended long before it. */
  private idleAlarm(): void {
    if (++this.idleAlarms < 64 || this.idleAlarms * 2 < this.alarms.size) return;
    this.alarms.filter(({ task }) => task === undefined || task.settlement === 0);
    this.idleAlarms = 0;
  }

  /** When the next alarm is due; Infinity without one. */
  protected get nextAlarm(): number {
    return this.alarms.first?.time ?? Infinity;
  }

  /** Runs what is due. */
  protected runAlarms(): void {
    if (this.alarms.first === undefined) return;
    const now = this.now();
    for (let first = this.alarms.first; first !== undefined && first.time <= now; first = this.alarms.first) {
      this.alarms.pop();
      if (first.task === undefined || first.task.settlement === 0) first.run();
      else if (this.idleAlarms > 0) this.idleAlarms--;
    }
  }

  private setTimer(time: number): void {
    clearTimeout(this.timer);
    this.timerAt = time;
    const delay = Math.min(LONGEST_TIMER, Math.max(1, Math.ceil(time - this.now())));
    this.timer = setTimeout(() => {
      this.timerAt = Infinity;
      this.runAlarms();
      if (this.nextAlarm < this.timerAt) this.setTimer(this.nextAlarm);
    }, delay);
    // What keeps the process alive is that somebody waits for the task.
    this.timer.unref();
  }
}

/** Stands for a task that is done and forgotten. */
const FULFILLED = new Task(-1, -1, { settle: noop, progressed: noop });
FULFILLED.settlement = Settlement.Fulfilled;
FULFILLED.retained = 1;

/**
 * Takes an encoded payload out of a writer, which is free afterwards. What must move is detached from the caller now.
 * @param own the writer is the backend's, so that a buffer that it grew into is nobody else's and need not be copied
 */
export function takeParcel(writer: Writer, own: boolean): Parcel {
  const { length, attachments, transfers } = writer;
  const bytes = own && writer.bytes !== writer.home ? writer.bytes : Uint8Array.prototype.slice.call(writer.bytes, 0, length);
  writer.reset();
  if (attachments === null || transfers === null || transfers.length === 0) return { bytes, length, attachments, transfers: null };
  const movedAt = transfers.map((item) => attachments.indexOf(item)).filter((at) => at >= 0);
  const moved = structuredClone(attachments, { transfer: transfers as ArrayBuffer[] });
  return { bytes, length, attachments: moved, transfers: movedAt.map((at) => moved[at] as ArrayBuffer) };
}

function copyOf(payload: Encoded): Encoded {
  const { start, end } = payload;
  return { bytes: payload.bytes.slice(start, end), start: 0, end: end - start, attachments: payload.attachments };
}

function noop(): void {}
