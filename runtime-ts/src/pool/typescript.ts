/**
 * The TypeScript backend: worker threads and shared memory, without native code.
 *
 * Workers take tasks out of queues in shared memory themselves (typescript-queue.ts), so the root is needed for few things: it starts, stops and
 * replaces workers, passes on what only a message can carry, and enforces time limits. It does all of these from its event loop and from inside
 * `block`. What it can't do is any of them while the program computes; tasks that have been queued run on meanwhile.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, type Worker } from "node:worker_threads";
import { ByteWriter } from "../codec/byte-writer";
import { decodeValue, encodeError } from "../codec";
import { giveTelemetryBack, takeTelemetry } from "../telemetry";
import { endThread, type WatchedWorker, workerStarted } from "../worker-watch";
import { workerFile } from "../worker/entry-file";
import type { Initializer } from "../initializer";
import { type Backend, type BackendOptions, Settlement, type ShutdownOptions } from "./backend";
import { ParallelError } from "../errors";
import type { Parcel, Task } from "./ledger";
import { hasHungUp } from "./thread-end";
import { startFailure } from "./start-failure";
import { arenaBytes, arenaRegion } from "./typescript-arena";
import { Environment, inlineStart, TAKEN_CHECK_MS } from "./typescript-environment";
import {
  E,
  Flag,
  generationOf,
  isStarting,
  INLINE_BYTES,
  MAX_ENVIRONMENTS,
  Mode,
  P,
  type PoolBuffers,
  PoolMemory,
  queuedWord,
  Request,
  runnerOf,
  runningWord,
  S,
  Sleep,
  SLOT_WORDS,
  State,
  SUSPENDED,
  stateOf,
  T,
  withState,
} from "./typescript-memory";
import { Starts, startThread } from "./starts";
import type { Message } from "./typescript-messages";
import { entryKey, QUEUE_BYTES, type SharedQueue } from "./typescript-queue";
import { performance, setImmediate } from "../own-clock";
import { hasStack, ROOM_TO_START } from "../stack-room";

/** While the root is blocked, it looks this often (ms) whether workers have died without a word (out of memory). */
const LIFE_CHECK_MS = 250;
/** The same while it waits for a worker that it has stopped. */
const STOP_CHECK_MS = 1;

/** A cancelled job that is suspended is looked at again after so many ms at least. */
const SUSPENDED_GRACE_MS = 20;

/** What a worker of the pool is started with. */
export interface WorkerStart {
  /** Memory for what it notes: see telemetry.ts. */
  telemetry: SharedArrayBuffer;
  buffers: PoolBuffers;
  environment: number;
  workerIndex: number;
  port: MessagePort;
  grace: number;
  idleTimeout: number;
  minThreads: number;
  threads: number;
  /** It is there because others are blocked, and runs only tasks that workers have pushed. */
  extra: boolean;
  initializer: Initializer | undefined;
  warm: number[];
}

interface PoolWorker {
  environment: number;
  watched: WatchedWorker;
  port: MessagePort;
  extra: boolean;
  /** It has been told to end, or has said that it does. */
  stopped: boolean;
  /** It has begun to take tasks. */
  arrived: boolean;
  /** It has been terminated, because a task that was given up went on. */
  terminated: boolean;
  dead: boolean;
  exited: Promise<void>;
  /** What Node said when it ended. */
  error: unknown;
}

/**
 * Starts a pool that belongs to this thread. Workers are started as tasks come.
 */
export function createTypeScriptBackend(options: BackendOptions): Backend {
  return new TypeScriptPool(options);
}

/** Outside of the pool, which a trace would keep otherwise. */
const sameNumber = (seat: number): number => seat;

class TypeScriptPool extends Environment {
  private readonly workers: (PoolWorker | undefined)[] = [];
  /** Workers that count: neither dead nor stopped nor extra. */
  private live = 0;
  private stopping = 0;
  private readonly starts = new Starts(
    () => this.countWorking(),
    () => this.spawnForWorkers(),
  );
  /** The worker that was last started because all others were blocked, see `insist`. */
  private lastResort: PoolWorker | undefined;
  private closed = false;
  private draining: (() => void) | undefined;
  private readonly warmed = new Set<number>();
  private readonly warming = new Map<number, { waitFor: Set<number>; done: (error: Parcel | undefined) => void }>();
  private warmings = 0;

  constructor(private readonly options: BackendOptions) {
    // Beside the workers that are wanted there may be some that are about to die, and extra ones for blocked workers.
    super(createMemory(Math.min(MAX_ENVIRONMENTS, 2 * options.threads + 30)), 0, options.grace);
    this.queues.lock.suspect = (holder) => this.suspectLock(holder);
  }

  protected queueFor(): SharedQueue {
    return this.queues.outside;
  }

  // ---- workers

  protected wantWorker(): void {
    if (this.live < this.options.threads && this.isShort()) this.spawn();
  }

  /** Are there more tasks than workers that are free for them? One that has just ended a task, or is starting, takes the next by itself. */
  private isShort(): boolean {
    return Atomics.load(this.control, P.Queued) > this.live - this.memory.running().jobs;
  }

  /** A worker was wanted where the stack had no room for starting one. */
  private startDue = false;

  /** Starts it, if there is something to do for it by now. */
  private startDueOne(): void {
    if (!this.startDue) return;
    this.startDue = false;
    this.spawnForWorkers();
  }

  private giveUpWait(): void {
    Atomics.store(this.control, this.sleepAt, Sleep.Awake);
    this.turn();
    throw new RangeError("Maximum call stack size exceeded: there is too little left for starting a worker.");
  }

  protected override onTurn(): void {
    this.startDueOne();
    // Not in the push: a timer needs more room on the stack than that has made sure of.
    if (this.toBeTaken !== undefined && !this.checkIsSet) {
      this.checkIsSet = true;
      this.alarm(this.checkTakenAt, () => {
        this.checkIsSet = false;
        this.checkTaken();
      });
    }
    super.onTurn();
  }

  private spawn(): void {
    if (this.closed || this.startsFail() || this.starts.paused) return;
    if (!hasStack(ROOM_TO_START)) this.startLater();
    else this.start(false);
  }

  private startLater(): void {
    this.startDue = true;
    this.turn();
  }

  /**
   * @param extra for tasks that others are blocked for, see `relieve`
   * @returns undefined when it has failed at once
   */
  private start(extra: boolean): PoolWorker | undefined {
    const environment = this.freeEnvironment();
    if (environment < 0) {
      this.starts.blame(new ParallelError(`The pool has ${this.memory.environments - 1} workers, as many as it can have.`));
      return undefined;
    }
    const { options, memory } = this;
    const { port1, port2 } = new MessageChannel();
    const telemetry = takeTelemetry();
    const start: WorkerStart = {
      telemetry: telemetry.memory,
      buffers: memory.buffers,
      environment,
      workerIndex: this.freeIndex(),
      port: port2,
      grace: options.grace,
      idleTimeout: options.idleTimeout,
      minThreads: options.minThreads,
      threads: options.threads,
      extra,
      initializer: options.initializer,
      warm: [...this.warmed],
    };
    memory.setMode(environment, extra ? Mode.StartingSpare : Mode.Starting);
    let thread: Worker;
    try {
      thread = startThread(WORKER_FILE, start, port2, start.workerIndex, options);
    } catch (error) {
      port1.close();
      giveTelemetryBack(telemetry);
      memory.setMode(environment, Mode.None);
      this.starts.blame(error);
      this.starts.failed(this.live, true);
      // Sinks are never called from inside a push.
      setImmediate(() => this.startsFail() && this.failPending());
      return undefined;
    }
    const watched: WatchedWorker = {
      worker: start.workerIndex,
      threadId: thread.threadId,
      telemetry,
      seatOf: sameNumber,
      thread,
      line: port1,
    };
    const report = workerStarted(watched);
    thread.unref();
    port1.unref();
    let exit!: () => void;
    const exited = new Promise<void>((resolve) => (exit = resolve));
    const worker: PoolWorker = {
      environment,
      watched,
      port: port1,
      extra,
      stopped: false,
      arrived: false,
      terminated: false,
      dead: false,
      exited,
      error: undefined,
    };
    thread.on("error", (error) => (worker.error = error));
    thread.on("exit", (exitCode) => {
      report(exitCode, worker.terminated ? "terminated" : this.closed ? "shutdown" : undefined);
      this.buried(worker);
      exit();
    });
    this.workers[environment] = worker;
    this.indexes[environment] = start.workerIndex;
    this.count(worker, 1);
    return worker;
  }

  /** Worker numbers by environment: what tasks see as `taskInfo().worker`. */
  private readonly indexes: (number | undefined)[] = [];

  private freeIndex(): number {
    const used = new Set(
      this.workers.map((worker) => (worker === undefined || worker.stopped ? undefined : this.indexes[worker.environment])),
    );
    let index = 0;
    while (used.has(index)) index++;
    return index;
  }

  private count(worker: PoolWorker, change: number): void {
    if (worker.extra) {
      Atomics.add(this.control, P.Extras, change);
    } else {
      this.live += change;
      const isCounted = change < 0 && Atomics.compareExchange(this.control, this.memory.word(worker.environment, E.Left), 0, 2) === 1;
      if (!isCounted) Atomics.add(this.control, P.Live, change);
    }
  }

  /** An environment that nobody uses, cleared. */
  private freeEnvironment(): number {
    const { memory } = this;
    for (let environment = 1; environment < memory.environments; environment++) {
      if (this.workers[environment] === undefined && this.clear(environment)) return environment;
    }
    return -1;
  }

  /** False while other workers still run tasks that a dead worker has pushed. */
  private clear(environment: number): boolean {
    const { memory, slots, control } = this;
    const first = memory.firstSlot(environment);
    const end = first + memory.slotCount(environment);
    for (let slot = first; slot < end; slot++) {
      const state = stateOf(Atomics.load(slots, slot * SLOT_WORDS + S.State));
      if (state === State.Running || state === State.Dropped) return false;
    }
    if (this.holdsResults(environment)) return false;
    // What has never been written stays so: it has no memory yet.
    for (let slot = first; slot < end; slot++) {
      const at = slot * SLOT_WORDS + S.State;
      if (stateOf(slots[at]!) !== State.Free) slots[at] = withState(slots[at]!, State.Free);
    }
    const inbox = memory.inboxStart(environment);
    for (let at = inbox; at <= inbox + memory.inboxMask(environment); at++) if (control[at] !== 0) control[at] = 0;
    const words = [E.Sleep, E.InboxTail, E.Want, E.Service, E.ExitCode, E.Running, E.Awaited, E.Doomed, E.Left];
    for (const word of words) Atomics.store(control, memory.word(environment, word), 0);
    return true;
  }

  /** Are there results in the region of a dead worker that have not been taken yet? */
  private holdsResults(environment: number): boolean {
    const { memory, slots } = this;
    const { start, bytes } = arenaRegion(environment);
    for (let owner = 0; owner < memory.environments; owner++) {
      if (owner > 0 && this.workers[owner] === undefined) continue;
      const first = memory.firstSlot(owner);
      const end = owner === 0 ? this.freshSlot : first + memory.slotCount(owner);
      for (let base = first * SLOT_WORDS; base < end * SLOT_WORDS; base += SLOT_WORDS) {
        const at = slots[base + S.ResultAt]!;
        if (
          stateOf(Atomics.load(slots, base + S.State)) === State.Done &&
          (slots[base + S.Flags]! & Flag.ResultArena) !== 0 &&
          at >= start &&
          at < start + bytes
        )
          return true;
      }
    }
    return false;
  }

  /** Has a worker's thread ended? Can be told without the event loop: its end of the channel is closed by then. */
  private hasEnded(worker: PoolWorker): boolean {
    this.read(worker);
    return hasHungUp(worker.port);
  }

  /** Stops a worker that does not stop by itself. */
  private stop(worker: PoolWorker): void {
    if (worker.stopped || worker.dead) return;
    endThread(worker.watched);
    worker.terminated = true;
    this.leave(worker);
  }

  /** From here on a worker does not count, although its thread may need some time to end. */
  private leave(worker: PoolWorker): void {
    if (worker.stopped || worker.dead) return;
    worker.stopped = true;
    this.stopping++;
    this.count(worker, -1);
    this.replace();
  }

  /** A worker's thread has ended: whatever it ran has crashed. */
  private buried(worker: PoolWorker): void {
    if (worker.dead) return;
    worker.dead = true;
    const { environment } = worker;
    const mode = this.memory.mode(environment);
    if (worker.stopped) this.stopping--;
    else this.count(worker, -1);
    if (isStarting(mode) && !worker.stopped && !this.closed) this.startFailed(worker);
    else if (!worker.arrived && !isStarting(mode)) this.starts.succeeded();
    this.memory.setMode(environment, Mode.None);
    this.read(worker);
    this.sweep(environment, worker.error);
    worker.port.close();
    this.workers[environment] = undefined;
    for (const { waitFor, done } of [...this.warming.values()]) if (waitFor.delete(environment) && waitFor.size === 0) done(undefined);
    if (this.startsFail()) this.failPending();
    if (worker === this.lastResort) {
      this.lastResort = undefined;
      if (isStarting(mode)) this.failNested();
    }
    this.replace();
    this.relieve();
    // What it ran has been put into this environment's own inbox.
    this.turn();
  }

  private startsFail(): boolean {
    return this.starts.haveFailed && this.live === 0;
  }

  private startFailed(worker: PoolWorker): void {
    this.read(worker);
    // Node's error arrives on the event loop, which stands still while the caller is blocked.
    if (worker.error !== undefined && this.starts.error === undefined) this.starts.blame(worker.error);
    this.starts.failed(this.live);
  }

  private countWorking(): number {
    return this.workers.filter((worker) => worker !== undefined && !worker.extra && !isStarting(this.memory.mode(worker.environment)))
      .length;
  }

  /**
   * Has a worker do what is queued: one that sleeps, or one more. The first also when there are as many as there may be. What a stopped worker had taken is queued
   * again when its thread has ended, and the one in its place may have gone to sleep by then; and whoever chose the stopped one for a task woke nobody else.
   */
  private replace(): void {
    if (this.closed || Atomics.load(this.control, P.Queued) <= 0 || this.memory.wakeWorker()) return;
    if (this.live < this.options.threads && this.isShort()) this.spawn();
  }

  /**
   * Settles what a dead worker ran, withdraws what it had pushed, and makes up for what it was stopped in the middle of: a task that it had claimed and not
   * begun is queued again, an outcome is noted that it may not have noted, and what it had taken out of a queue and not claimed goes back there.
   */
  private sweep(dead: number, error: unknown): void {
    const { memory, slots, control } = this;
    if (Atomics.load(control, P.Lock) === dead + 1) this.freeLock();
    Atomics.store(control, memory.word(dead, E.Running), 0);
    Atomics.store(control, memory.word(dead, E.Awaited), 0);
    // Those of workers that have ended before, too: this one may have run a task that one of them had pushed.
    for (const [slot, environment] of this.usedSlots()) {
      const at = slot * SLOT_WORDS + S.State;
      const word = Atomics.load(slots, at);
      const state = stateOf(word);
      const ran = runnerOf(word) === dead;
      if (ran && (state === State.Running || state === State.Dropped)) {
        if (state === State.Dropped || environment === dead || !this.queueAgain(slot, word))
          this.crash(slot, Atomics.load(slots, at), error);
      } else if (environment === dead) {
        this.orphan(slot, word);
      } else if (ran && (state === State.Done || state === State.Returned)) {
        memory.note(environment, slot);
        memory.wake(environment);
      }
    }
    this.restoreQueues();
  }

  /** Slots that are not free, with their environments. */
  private *usedSlots(): Generator<[slot: number, environment: number]> {
    const { memory, slots } = this;
    for (let environment = 0; environment < memory.environments; environment++) {
      const first = memory.firstSlot(environment);
      const end = environment === 0 ? this.freshSlot : first + memory.slotCount(environment);
      for (let slot = first; slot < end; slot++)
        if (stateOf(Atomics.load(slots, slot * SLOT_WORDS + S.State)) !== State.Free) yield [slot, environment];
    }
  }

  /** False when the dead worker had begun the task. */
  private queueAgain(slot: number, word: number): boolean {
    const { memory, slots, control } = this;
    const base = slot * SLOT_WORDS;
    if (memory.times[base / 2 + T.Started] !== 0) return false;
    const queued = queuedWord(word);
    if (Atomics.compareExchange(slots, base + S.State, word, queued) !== word) return false;
    Atomics.add(control, P.Queued, 1);
    if ((slots[base + S.Flags]! & Flag.Async) !== 0) Atomics.add(control, P.QueuedAsync, 1);
    return true;
  }

  /** Puts queued tasks back that no queue holds. One that another thread is about to put there, or to claim, may get there twice, which does no harm. */
  private restoreQueues(): void {
    const { slots, queues } = this;
    const entries = queues.entries();
    for (const [slot, environment] of this.usedSlots()) {
      const base = slot * SLOT_WORDS;
      const word = Atomics.load(slots, base + S.State);
      if (stateOf(word) !== State.Queued || entries.has(entryKey(slot, word))) continue;
      const nested = (slots[base + S.Flags]! & Flag.Async) !== 0 ? queues.nestedAsync : queues.nested;
      (environment === 0 ? queues.outside : nested).push(slot, word, this.priorityIn(slot));
    }
  }

  private crash(slot: number, word: number, error: unknown): void {
    const { memory, slots } = this;
    const base = slot * SLOT_WORDS;
    // A result that it was about to publish is in its own region, which starts anew.
    slots[base + S.Flags] = slots[base + S.Flags]! & ~Flag.ResultArena;
    if (stateOf(word) === State.Running) {
      slots[base + S.Settlement] = Settlement.Crashed;
      const started = memory.times[base / 2 + T.Started]!;
      memory.times[base / 2 + T.Elapsed] = started === 0 ? 0 : Math.max(0, this.now() - started);
      slots[base + S.Flags] = slots[base + S.Flags]! & ~Flag.ResultParcel;
      slots[base + S.ResultLength] = error === undefined ? 0 : this.writeError(base, error);
      if (Atomics.compareExchange(slots, base + S.State, word, withState(word, State.Done)) !== word) {
        Atomics.store(slots, base + S.State, withState(word, State.Returned));
      }
    } else {
      Atomics.store(slots, base + S.State, withState(word, State.Returned));
    }
    const owner = memory.ownerOf(slot);
    memory.note(owner, slot);
    if (owner !== 0) memory.wake(owner);
  }

  /** The encoded error in the slot if it fits, else nothing: the message of what V8 says is short. */
  private writeError(base: number, error: unknown): number {
    const writer = new ByteWriter(new Uint8Array(1024));
    encodeError(
      writer,
      error instanceof Error ? Object.assign(new Error(error.message), { code: (error as NodeJS.ErrnoException).code, stack: "" }) : error,
    );
    if (writer.length > INLINE_BYTES || writer.attachments !== null) return 0;
    this.memory.slotBytes.set(writer.bytes.subarray(0, writer.length), inlineStart(base));
    return writer.length;
  }

  /** A task whose pusher is dead: nobody wants its result. */
  private orphan(slot: number, word: number): void {
    const { slots, control } = this;
    const at = slot * SLOT_WORDS + S.State;
    if (stateOf(word) === State.Queued && Atomics.compareExchange(slots, at, word, withState(word, State.Free)) === word) {
      Atomics.sub(control, P.Queued, 1);
      if ((slots[slot * SLOT_WORDS + S.Flags]! & Flag.Async) !== 0) Atomics.sub(control, P.QueuedAsync, 1);
      return;
    }
    const running = Atomics.load(slots, at);
    const dropped = withState(running, State.Dropped);
    if (stateOf(running) !== State.Running || Atomics.compareExchange(slots, at, running, dropped) !== running) {
      // It has ended: the worker that ran it wants its memory back.
      if (stateOf(Atomics.load(slots, at)) === State.Done) this.memory.freeResult(slot * SLOT_WORDS);
      return;
    }
    Atomics.store(slots, slot * SLOT_WORDS + S.Cancel, 1);
    this.memory.callForService(runnerOf(running));
    this.stopLater(slot, dropped, this.options.grace);
  }

  private suspectLock(holder: number): void {
    const worker = this.workers[holder];
    if (worker === undefined) {
      if (holder !== 0 && Atomics.load(this.control, P.Lock) === holder + 1) this.freeLock();
    } else if (hasHungUp(worker.port)) {
      this.freeLock();
    }
  }

  private freeLock(): void {
    this.queues.recover();
    this.queues.lock.release();
  }

  private failPending(): void {
    const { bytes, length: end } = encodeStartFailure(this.starts.error, false);
    const payload = { bytes, start: 0, end, attachments: null };
    for (const task of [...this.unsettled()])
      if (task.settlement === 0 && task.queued) this.giveUp(task, Settlement.Crashed, Infinity, payload);
    this.starts.told();
  }

  /** Do all workers wait in `get`? Then only one more can run what is asynchronous. One that has been woken still counts for a moment. */
  private allBlocked(): boolean {
    let blocked = false;
    for (const worker of this.workers) {
      if (worker === undefined || worker.stopped || worker.dead) continue;
      if (this.memory.mode(worker.environment) !== Mode.Blocked) return false;
      blocked = true;
    }
    return blocked;
  }

  /**
   * Starts one more worker for what the blocked ones wait for. When all are, also while starts are paused: nothing else would ever bring them on. When that one comes to
   * nothing as well, the asynchronous tasks that workers have queued fail.
   */
  private insist(): void {
    if (!hasStack(ROOM_TO_START)) return this.startLater();
    const { paused } = this.starts;
    if (paused && !this.allBlocked()) return;
    const worker = this.start(true);
    if (paused) this.lastResort = worker;
    // One that is about to end makes room.
    if (worker === undefined && this.stopping === 0) this.failNested();
  }

  private failNested(): void {
    const { slots, control, memory } = this;
    if (!this.allBlocked()) return;
    const { bytes, length } = encodeStartFailure(this.starts.error, true);
    for (const [slot, environment] of this.usedSlots()) {
      const base = slot * SLOT_WORDS;
      const queued = Atomics.load(slots, base + S.State);
      if (environment === 0 || stateOf(queued) !== State.Queued || (slots[base + S.Flags]! & Flag.Async) === 0) continue;
      // As if it ran here.
      const running = runningWord(queued, 0);
      if (Atomics.compareExchange(slots, base + S.State, queued, running) !== queued) continue;
      Atomics.sub(control, P.Queued, 1);
      Atomics.sub(control, P.QueuedAsync, 1);
      slots[base + S.Settlement] = Settlement.Crashed;
      slots[base + S.Flags] = slots[base + S.Flags]! | Flag.ResultParcel;
      memory.times[base / 2 + T.Elapsed] = 0;
      const generation = generationOf(running);
      this.post(
        environment,
        { kind: "result", to: environment, slot, generation, bytes, length, attachments: null, transfers: null, inputs: null },
        [],
      );
      const ended = Atomics.compareExchange(slots, base + S.State, running, withState(running, State.Done)) === running;
      if (!ended) Atomics.store(slots, base + S.State, withState(running, State.Returned));
      memory.note(environment, slot);
      memory.wake(environment);
    }
  }

  // ---- what workers ask of the root

  protected post(to: number, message: Message, transfers: readonly unknown[]): void {
    const worker = this.workers[to];
    if (worker === undefined) return;
    worker.port.postMessage(message, transfers as MessagePort[]);
    this.memory.callForService(to);
  }

  protected receive(): void {
    for (const worker of this.workers) if (worker !== undefined) this.read(worker);
  }

  private read(worker: PoolWorker): void {
    for (let received = receiveMessageOnPort(worker.port); received !== undefined; received = receiveMessageOnPort(worker.port)) {
      this.take(worker, received.message as Message);
    }
  }

  private take(worker: PoolWorker, message: Message): void {
    switch (message.kind) {
      case "parcel":
      case "result":
        if (message.to === 0) {
          this.resultArrived(message);
        } else {
          const transfers = (message.attachments ?? []).filter((item) => item instanceof ArrayBuffer || isPort(item));
          this.post(message.to, message, [message.bytes.buffer, ...transfers]);
        }
        break;
      case "stop":
        this.stopLater(message.slot, message.word, message.grace);
        break;
      case "watch":
        this.alarm(this.now() + message.ms, () => this.enforce(message.slot, message.generation, message.grace));
        break;
      case "warmed":
        this.warming.get(message.id)?.waitFor.delete(worker.environment);
        if (message.error !== undefined || this.warming.get(message.id)?.waitFor.size === 0)
          this.warming.get(message.id)?.done(message.error);
        break;
      case "failed":
        this.starts.blame(decodeParcel(message.error));
        break;
      case "warm":
        break;
    }
  }

  protected override service(): void {
    if (Atomics.load(this.control, this.serviceAt) === 0) return;
    super.service();
    for (const worker of this.workers) {
      if (worker === undefined || worker.dead) continue;
      const mode = this.memory.mode(worker.environment);
      // It has said so with its last breath, and has settled what it ran; its thread is about to end.
      if (mode === Mode.Dead) this.leave(worker);
      else if (!isStarting(mode) && !worker.arrived) {
        worker.arrived = true;
        this.starts.succeeded();
      }
    }
    const requests = Atomics.exchange(this.control, P.Requests, 0);
    if ((requests & Request.OtherWorker) !== 0) this.chooseOthers();
    else if (requests !== 0) this.spawnForWorkers();
  }

  /** The task that was queued last, when the root is going to look whether it has been taken. */
  private toBeTaken: Task | undefined;
  /** When it looks. */
  private checkTakenAt = 0;
  private checkIsSet = false;

  /**
   * Looks later whether it has been taken: the worker that was chosen for it may be kept by what a task has left behind, which nobody but time can tell. One look is under
   * way at a time, about the last task: those before it are usually taken before it.
   */
  protected override enqueued(task: Task): void {
    if (this.toBeTaken === undefined) {
      this.checkTakenAt = this.now() + TAKEN_CHECK_MS;
      this.turn();
    }
    this.toBeTaken = task;
  }

  private checkTaken(): void {
    const task = this.toBeTaken;
    if (task === undefined || this.now() < this.checkTakenAt) return;
    this.toBeTaken = undefined;
    if (task.settlement !== 0 || Atomics.load(this.slots, task.slot * SLOT_WORDS + S.State) !== task.word) return;
    if (this.now() - task.queuedAt >= TAKEN_CHECK_MS) this.chooseOthers();
    this.enqueued(task);
  }

  /** Workers that were chosen for tasks have not come: others do it, and more are started, if there may be more. */
  private chooseOthers(): void {
    if (this.closed) return;
    this.memory.doubtSearching();
    if (Atomics.load(this.control, P.Queued) > 0 && !this.memory.wakeWorker() && this.live < this.options.threads) this.spawn();
    this.relieve(true);
  }

  /** A worker has queued tasks that no parked worker can take. */
  private spawnForWorkers(): void {
    this.replace();
    this.relieve();
  }

  /**
   * An async task can't run on a worker that is blocked in `get`. When workers are blocked and none is free to run what they may wait for, one more is
   * needed, until it is idle. Asked whenever a worker blocks while such tasks are queued, and whenever one has ended, which may have been the one to run them.
   * @param another an extra worker has been woken already and has not come
   */
  private relieve(another = false): void {
    const { memory, control } = this;
    if (this.closed || Atomics.load(control, P.QueuedAsync) <= 0) return;
    let blocked = 0;
    for (let environment = 1; environment < memory.environments; environment++) {
      const mode = memory.mode(environment);
      if (mode === Mode.Searching || isStarting(mode)) return;
      if (mode === Mode.Parked) return memory.wakeParked(environment);
      if (mode === Mode.Spare && !another) {
        memory.wakeSpare();
        return;
      }
      if (mode === Mode.Blocked) blocked++;
    }
    if (blocked > 0 && !(another && Atomics.load(control, P.Extras) >= 2 * blocked)) this.insist();
  }

  /** The time of a task that a worker has pushed is over. The worker settles it, unless it is the one that runs it. */
  private enforce(slot: number, generation: number, grace: number): void {
    const { slots, memory } = this;
    const at = slot * SLOT_WORDS + S.State;
    const owner = memory.ownerOf(slot);
    for (;;) {
      const word = Atomics.load(slots, at);
      if (generationOf(word) !== generation) return;
      if (stateOf(word) === State.Running) {
        const dropped = withState(word, State.Dropped);
        if (Atomics.compareExchange(slots, at, word, dropped) !== word) continue;
        Atomics.store(slots, slot * SLOT_WORDS + S.Cancel, 1);
        // It may still wait for its arguments.
        if ((slots[slot * SLOT_WORDS + S.Flags]! & Flag.Parcel) !== 0) memory.callForService(runnerOf(word));
        this.stopLater(slot, dropped, grace);
      } else if (stateOf(word) === State.Queued) {
        // Not left to the worker that pushed it, which may be about to run it before it looks at the time.
        if (Atomics.compareExchange(slots, at, word, withState(word, State.Returned)) !== word) continue;
        Atomics.sub(this.control, P.Queued, 1);
        if ((slots[slot * SLOT_WORDS + S.Flags]! & Flag.Async) !== 0) Atomics.sub(this.control, P.QueuedAsync, 1);
      } else {
        return;
      }
      memory.note(owner, slot);
      memory.wake(owner);
      return;
    }
  }

  protected stopLater(slot: number, dropped: number, grace: number): void {
    if (grace === Infinity) return;
    this.alarm(this.now() + grace, () => {
      const worker = this.workers[runnerOf(dropped)];
      if (worker === undefined || worker.stopped || worker.dead) return;
      const base = slot * SLOT_WORDS;
      // None of its code runs, and what has been cancelled is told to go on: that may be later, when its thread is free.
      if (Atomics.load(this.slots, base + S.State) === dropped && Atomics.load(this.slots, base + SUSPENDED) === 1)
        return this.stopLater(slot, dropped, Math.max(grace, SUSPENDED_GRACE_MS));
      // Whatever it begins from here on would end with it, so it begins nothing; and if the task has just ended, it goes on.
      const doomedAt = this.memory.word(worker.environment, E.Doomed);
      Atomics.store(this.control, doomedAt, 1);
      if (Atomics.load(this.slots, base + S.State) === dropped) return this.stop(worker);
      Atomics.store(this.control, doomedAt, 0);
      Atomics.notify(this.control, doomedAt);
    });
  }

  // ---- block

  protected help(): boolean {
    return false;
  }

  protected beforeSleep(): boolean {
    this.startDueOne();
    // Nobody would ever run what is waited for.
    if (this.startDue && this.live === 0) this.giveUpWait();
    if (!this.startsFail()) return true;
    this.failPending();
    return false;
  }

  protected afterSleep(): void {
    this.checkTaken();
    const now = performance.now();
    if (this.stopping === 0 && now - this.checkedAt < LIFE_CHECK_MS) return;
    this.checkedAt = now;
    for (const worker of this.workers) {
      if (worker === undefined || worker.dead || (this.stopping > 0 && !worker.stopped && now - this.lifeAt < LIFE_CHECK_MS)) continue;
      if (this.hasEnded(worker)) this.buried(worker);
    }
    if (now - this.lifeAt >= LIFE_CHECK_MS) this.lifeAt = now;
  }

  private checkedAt = 0;
  private lifeAt = 0;

  protected patience(_asked: Task): number {
    if (this.stopping > 0) return STOP_CHECK_MS;
    return this.toBeTaken === undefined ? LIFE_CHECK_MS : Math.min(LIFE_CHECK_MS, Math.max(0, this.checkTakenAt - this.now()));
  }

  // ---- the rest of the Backend

  async warm(index: number): Promise<void> {
    this.warmed.add(index);
    while (this.live < this.options.threads && !this.starts.haveFailed) {
      const before = this.live;
      this.spawn();
      if (this.live === before) break;
    }
    const id = this.warmings++;
    const waitFor = new Set<number>();
    for (const worker of this.workers) if (worker !== undefined && !worker.stopped && !worker.dead) waitFor.add(worker.environment);
    if (waitFor.size === 0) return;
    this.hold();
    this.turn();
    try {
      const error = await new Promise<Parcel | undefined>((resolve) => {
        this.warming.set(id, { waitFor, done: resolve });
        for (const environment of waitFor) this.post(environment, { kind: "warm", id, index }, []);
      });
      if (error !== undefined) throw decodeParcel(error);
    } finally {
      this.warming.delete(id);
      this.unhold();
    }
  }

  protected override get attentive(): boolean {
    return super.attentive || this.warming.size > 0 || this.draining !== undefined;
  }

  protected override finish(...args: Parameters<Environment["finish"]>): void {
    super.finish(...args);
    if (this.pending === 0) this.draining?.();
  }

  async shutdown({ cancelPending, enough, closed }: ShutdownOptions): Promise<void> {
    if (!cancelPending && this.pending > 0) {
      this.hold();
      await new Promise<void>((resolve) => {
        this.draining = resolve;
        void enough.then(resolve);
        this.turn();
      });
      this.draining = undefined;
      this.unhold();
    }
    this.closed = true;
    closed();
    this.refusePushes();
    for (const task of [...this.unsettled()]) if (task.settlement === 0) this.giveUp(task, Settlement.Cancelled, Infinity);
    const ending = this.workers.filter((worker) => worker !== undefined);
    this.hold();
    await Promise.all(
      ending.map(async (worker) => {
        endThread(worker.watched);
        await worker.exited;
      }),
    );
    this.unhold();
    this.stopTimers();
    this.endTurns();
  }
}

function createMemory(environments: number): PoolMemory {
  return PoolMemory.create(environments, QUEUE_BYTES, arenaBytes(environments));
}

function encodeStartFailure(cause: unknown, further: boolean): ByteWriter {
  const writer = new ByteWriter(new Uint8Array(1024));
  encodeError(writer, startFailure(cause, further));
  return writer;
}

function decodeParcel(parcel: Parcel): unknown {
  return decodeValue({ bytes: parcel.bytes, start: 0, end: parcel.length, attachments: parcel.attachments });
}

function isPort(item: unknown): boolean {
  return typeof item === "object" && item !== null && item.constructor.name === "MessagePort";
}

const WORKER_FILE = workerFile("typescript-worker");
