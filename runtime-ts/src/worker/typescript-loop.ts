/**
 * A worker of the TypeScript backend: takes tasks out of the pool's queues, runs them, and pushes nested tasks into the same queues.
 *
 * Its loop is a chain of immediates: each runs one job, then Node does what it does between callbacks (microtasks, rejections that nobody handles), so
 * that what a job leaves behind is met before the next job starts. Without a job it spins for some µs and then sleeps on the event loop, so that
 * timers and sockets that tasks have opened go on.
 *
 * While a job is asynchronous and pending, only nested tasks are taken. While a job blocks in `get`, this thread helps: it runs the task that is waited
 * for, then its own, then other nested ones.
 */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads";
import { encodeError } from "../codec";
import { ByteWriter } from "../codec/byte-writer";
import type { Writer } from "../codec/writer";
import { ParallelError } from "../errors";
import { readManifest } from "../loader";
import { type Encoded, Settlement, type TaskKey } from "../pool/backend";
import { type Parcel, takeParcel, type Task } from "../pool/ledger";
import { Turns } from "../pool/fairness";
import type { WorkerStart } from "../pool/typescript";
import { Environment, inlineStart, TAKEN_CHECK_MS } from "../pool/typescript-environment";
import { reserveStack, stackIsLow } from "../stack-room";
import { variantOf } from "../task-variants";
import {
  E,
  Flag,
  generationOf,
  INLINE_BYTES,
  INPUTS_SHIFT,
  isStarting,
  Mode,
  P,
  PoolMemory,
  Request,
  runningWord,
  S,
  Sleep,
  SLOT_WORDS,
  State,
  SUSPENDED,
  stateOf,
  T,
  withState,
} from "../pool/typescript-memory";
import { type Message, type ParcelMessage, parcelTransfers } from "../pool/typescript-messages";
import type { SharedQueue } from "../pool/typescript-queue";
import { LONGEST_TIMER, setImmediate, setTimeout } from "../own-clock";
import { sayLeaving } from "../telemetry";
import { exitThread } from "../thread-exit";
import type { ChunkStore } from "./chunks";
import type { JobExecutor, WorkerHost } from "./host";

/** Looks for a task so many times before sleeping: about 30 µs. */
const SEARCHES = 5_000;
/** Immediates at once while there is much to do; a turn of the event loop for each job would cost about a µs. */
const MOST_TURNS = 16;
/** Beyond this depth of nested helping only what is waited for is run, so that the stack stays bounded. */
const HELP_DEPTH = 32;
/** From this depth on there must be room for so many small frames (about 100 kB) before another nested task is begun. */
const DEEP = 16;
const RESERVED_FRAMES = 1_200;
/** Numbers of jobs without a slot start here. */
const LOCAL_JOBS = 2 ** 30;
const WRITER_HOME = 4096;
/** ms that a worker stays idle that was started because others were blocked: the next such moment is often near. */
const EXTRA_IDLE_MS = 250;

export class WorkerEnvironment extends Environment {
  /** Runs the jobs; set before the first turn. */
  executor!: JobExecutor;
  /** Called when there is nothing to do, before sleeping; true when it did something. */
  idle: () => boolean = () => false;
  private readonly port: MessagePort;
  /** Jobs that have begun and not ended, by slot, with the slot's state word. */
  private readonly running = new Map<number, number>();
  /** Those of them that leave the thread to others for the time being: see `setAside`. */
  private readonly aside = new Set<number>();
  /** It has been chosen for a task that it can't take any more. */
  private chosen = false;
  private readonly results = new ByteWriter(new Uint8Array(WRITER_HOME), true);
  private readonly resultWords = new Int32Array(this.results.home.buffer);
  private readonly found = new Int32Array(1);
  private readonly taskKeys: (TaskKey | undefined)[] = [];
  private readonly asyncTasks: (boolean | undefined)[] = [];
  /** Own tasks that may still be queued, for helping. */
  private readonly pushed: Task[] = [];
  /** Payloads that have come as messages, by slot. */
  private readonly parcels = new Map<number, ParcelMessage>();
  /** Own tasks that run here without a slot. */
  private readonly localJobs = new Map<number, Task>();
  private nextLocalJob = LOCAL_JOBS;
  private depth = 0;
  private turns = 0;
  /** Over the queues in the order in which `claim` looks at them. */
  private readonly fairness = new Turns(3);
  private batch = 1;
  private leaving: NodeJS.Timeout | undefined;
  /** It has worked since `leaving` was set. */
  private leavingAfresh = false;
  private readonly idleMode: Mode;
  private readonly runningAt: number;
  private readonly awaitedAt: number;
  private readonly doomedAt: number;
  private ended = false;

  constructor(private readonly settings: WorkerStart) {
    super(new PoolMemory(settings.buffers), settings.environment, settings.grace);
    this.port = settings.port;
    this.idleMode = settings.extra ? Mode.Spare : Mode.Parked;
    this.runningAt = this.memory.word(this.self, E.Running);
    this.awaitedAt = this.memory.word(this.self, E.Awaited);
    this.doomedAt = this.memory.word(this.self, E.Doomed);
  }

  /** What the executor is given. Results have a writer of their own, because a nested call may be encoded while a result waits in it. */
  host(chunks: ChunkStore): WorkerHost {
    return {
      taskKey: (index) => this.taskKey(index),
      writer: () => this.results,
      complete: (job, settlement, writer) => {
        this.settle(job, settlement, writer);
        this.turn();
      },
      suspend: (job) => this.suspend(job),
      setAside: (job) => this.setAside(job),
      resume: (job) => this.resume(job),
      isCancelled: (job) => job < LOCAL_JOBS && Atomics.load(this.slots, job * SLOT_WORDS + S.Cancel) !== 0,
      progress: (job, fraction) => this.progress(job, fraction),
      workerIndex: this.settings.workerIndex,
      chunks,
    };
  }

  private taskKey(index: number): TaskKey {
    const known = this.taskKeys[index];
    if (known !== undefined) return known;
    const [manifest, id] = this.memory.key(index).split("\0") as [string, string];
    return (this.taskKeys[index] = { manifest, id });
  }

  /** A job is under way that keeps this worker from the program's tasks. */
  private get held(): boolean {
    return this.running.size > this.aside.size;
  }

  private suspend(job: number): void {
    if (job < LOCAL_JOBS) Atomics.store(this.slots, job * SLOT_WORDS + SUSPENDED, 1);
  }

  private setAside(job: number): void {
    if (!this.running.has(job)) return;
    this.aside.add(job);
    this.turn();
  }

  private resume(job: number): void {
    if (!this.running.has(job)) return;
    Atomics.store(this.slots, job * SLOT_WORDS + SUSPENDED, 0);
    if (!this.aside.delete(job)) return;
    // From here on it takes none of the program's tasks, and somebody may have chosen it for one.
    const at = this.memory.modeIndex(this.self);
    this.chosen = Atomics.compareExchange(this.control, at, this.idleMode, Mode.Busy) === Mode.Searching;
  }

  private progress(job: number, fraction: number): void {
    if (job >= LOCAL_JOBS) {
      this.localJobs.get(job)?.sink.progressed(fraction);
      return;
    }
    const base = job * SLOT_WORDS;
    Atomics.store(this.slots, base + S.Progress, Math.round(fraction * 1e6));
    if (Atomics.exchange(this.slots, base + S.ProgressNoted, 1) !== 0) return;
    const owner = this.memory.ownerOf(job);
    this.memory.note(owner, job);
    this.memory.wake(owner);
  }

  // ---- the loop

  /** Takes turns until there is nothing to do. */
  override turn(): void {
    if (this.turns > 0) return;
    this.schedule(1);
  }

  private schedule(count: number): void {
    this.turns += count;
    for (let i = 0; i < count; i++) setImmediate(this.oneTurn);
  }

  private readonly oneTurn = (): void => {
    stackIsLow();
    this.turns--;
    if (this.ended) return;
    this.poll();
    let slot = this.claim();
    // The last turn of a batch looks on for a while: nothing is left of the job before it.
    while (slot < 0 && this.turns === 0) {
      this.batch = 1;
      if (this.idle()) return this.schedule(1);
      if (!this.search()) return this.sleep();
      this.poll();
      slot = this.claim();
    }
    if (slot < 0) return;
    this.run(slot);
    if (this.turns > 0) return;
    this.batch = Math.min(MOST_TURNS, this.batch * 2);
    this.schedule(this.batch);
  };

  /** Spins until a task turns up; false when none has. */
  private search(): boolean {
    if (this.held) return false;
    this.memory.setMode(this.self, this.settings.extra ? Mode.Spare : Mode.Searching);
    for (let i = 0; i < SEARCHES; i++) {
      if (this.mayFind() || Atomics.load(this.control, this.serviceAt) !== 0) return true;
    }
    return false;
  }

  /** Is there something queued that this worker may run? */
  private mayFind(): boolean {
    return this.settings.extra ? !this.queues.nested.empty || !this.queues.nestedAsync.empty : Atomics.load(this.control, P.Queued) > 0;
  }

  private sleep(): void {
    const idle = !this.held;
    this.memory.setMode(this.self, idle ? this.idleMode : Mode.Busy);
    if (this.chosen) {
      this.chosen = false;
      if (!idle && Atomics.load(this.control, P.Queued) > 0 && !this.memory.wakeWorker()) this.wantWorker();
    }
    if (idle) this.maybeLeave();
    this.arm();
  }

  /**
   * Asked between the announcement of a sleep and the sleep. It may have been chosen to wake (its mode is Searching then) before it was asleep, for a task that
   * another worker has taken meanwhile: asleep in that mode it would count as one that looks for tasks, and nobody would ever be woken for the next.
   */
  protected override hasWork(): boolean {
    if (this.held) return false;
    return this.mayFind() || this.memory.mode(this.self) === Mode.Searching;
  }

  protected override get attentive(): boolean {
    return true;
  }

  protected override woken(): void {
    this.turn();
  }

  protected override onTurn(): void {
    this.turn();
  }

  /** An idle worker beyond the number that is kept ends after its idle time; one that was only needed for the moment, soon. */
  private maybeLeave(): void {
    const { extra, minThreads, idleTimeout } = this.settings;
    const after = extra ? Math.min(idleTimeout, EXTRA_IDLE_MS) : idleTimeout;
    // What is longer than a timer can be is for ever.
    if (after > LONGEST_TIMER || this.leaving !== undefined || !this.mayLeave()) return;
    this.leavingAfresh = false;
    this.leaving = setTimeout(() => {
      this.leaving = undefined;
      if (this.leavingAfresh) this.maybeLeave();
      else this.leave(extra ? -1 : minThreads);
    }, after);
    this.leaving.unref();
  }

  /** Tasks that it has pushed would be withdrawn with it. */
  private mayLeave(): boolean {
    const { extra, minThreads } = this.settings;
    return this.pending === 0 && this.running.size === 0 && (extra || Atomics.load(this.control, P.Live) > minThreads);
  }

  /** @param keep workers that stay; -1: this one is not among those that count */
  private leave(keep: number): void {
    const { control, memory, self } = this;
    while (this.mayLeave()) {
      const live = Atomics.load(control, P.Live);
      // A worker that has been chosen for a task meanwhile stays.
      if (Atomics.compareExchange(control, memory.modeIndex(self), this.idleMode, Mode.Leaving) !== this.idleMode) return;
      if (keep < 0 ? !this.mayFind() : this.countOut(live)) {
        sayLeaving();
        exitThread(0);
      }
      memory.setMode(self, this.idleMode);
      if (this.mayFind()) return this.turn();
    }
  }

  /** @returns false when another worker has come or gone */
  private countOut(live: number): boolean {
    const { control, memory, self } = this;
    if (Atomics.compareExchange(control, P.Live, live, live - 1) !== live) return false;
    // The root, which is about to stop it, may have done so.
    if (Atomics.compareExchange(control, memory.word(self, E.Left), 0, 1) !== 0) Atomics.add(control, P.Live, 1);
    return true;
  }

  // ---- claiming

  /** Takes a task that this worker may run now, from its event loop. */
  private claim(): number {
    const { extra } = this.settings;
    // An extra worker goes by whether its queues are empty, so it has to take out of them what is stale, too.
    if (!extra && Atomics.load(this.control, P.Queued) <= 0) return -1;
    const { outside, nested, nestedAsync } = this.queues;
    if (extra) {
      const slot = this.claimAwaited();
      if (slot >= 0) return slot;
    }
    // Nested tasks first among equals: somebody is in the middle of something. Others wait until this worker is free.
    const queues = this.held || extra ? [nested, nestedAsync] : [nested, nestedAsync, outside];
    for (;;) {
      let best = -1;
      let priority = -Infinity;
      for (let i = 0; i < queues.length; i++) {
        const first = queues[i]!.peekPriority();
        if (first === -Infinity && queues[i]!.empty) this.fairness.touch(i);
        else if (best < 0 || first > priority) {
          priority = first;
          best = i;
        }
      }
      if (best < 0) return -1;
      const overdue = this.fairness.overdue();
      if (overdue >= 0 && overdue < queues.length) best = overdue;
      this.fairness.touch(best);
      const slot = this.claimFrom(queues[best]!);
      if (slot >= 0) return slot;
    }
  }

  private claimFrom(queue: SharedQueue): number {
    for (let slot = queue.pop(this.found); slot >= 0; slot = queue.pop(this.found)) if (this.claimSlot(slot, this.found[0]!)) return slot;
    return -1;
  }

  private claimSlot(slot: number, queued: number): boolean {
    const { control, slots, runningAt } = this;
    const at = slot * SLOT_WORDS + S.State;
    const word = runningWord(queued, this.self);
    // No call of a function until all is counted: the thread may be stopped there. Counted as running first: see `stats`.
    Atomics.add(control, runningAt, 1);
    if (Atomics.compareExchange(slots, at, queued, word) !== queued) {
      Atomics.sub(control, runningAt, 1);
      return false;
    }
    Atomics.sub(control, P.Queued, 1);
    if ((slots[slot * SLOT_WORDS + S.Flags]! & Flag.Async) !== 0) Atomics.sub(control, P.QueuedAsync, 1);
    this.running.set(slot, word);
    return true;
  }

  /** Takes a task for which a blocked worker waits. */
  private claimAwaited(): number {
    const { control, memory, slots } = this;
    for (let environment = 1; environment < memory.environments; environment++) {
      const slot = Atomics.load(control, memory.word(environment, E.Awaited)) - 1;
      if (slot < 0) continue;
      const word = Atomics.load(slots, slot * SLOT_WORDS + S.State);
      if (stateOf(word) === State.Queued && this.claimSlot(slot, word)) return slot;
    }
    return -1;
  }

  // ---- running

  private run(slot: number): void {
    const { slots, memory } = this;
    const base = slot * SLOT_WORDS;
    memory.setMode(this.self, Mode.Busy);
    this.leavingAfresh = true;
    // What it began now would end with it: the root takes what has been claimed and not begun back.
    while (Atomics.load(this.control, this.doomedAt) !== 0) Atomics.wait(this.control, this.doomedAt, 1);
    // More is queued than this worker takes: another one may sleep. And until it was busy it looked for tasks, so whoever has pushed one since it took this one has
    // neither woken nor started another.
    if (Atomics.load(this.control, P.Queued) > 0 && !memory.wakeWorker()) this.wantWorker();
    slots[base + S.Runner] = this.settings.workerIndex;
    memory.times[base / 2 + T.Started] = this.now();
    const index = slots[base + S.Index]!;
    const flags = slots[base + S.Flags]!;
    let payload: Encoded;
    let inputs: Encoded[] | null = null;
    if ((flags & Flag.Parcel) !== 0) {
      const parcel = this.owns(slot) ? this.ownParcel(slot) : this.awaitParcel(slot);
      if (parcel === undefined) {
        this.giveBack(slot);
        return;
      }
      payload = { bytes: parcel.bytes, start: 0, end: parcel.length, attachments: parcel.attachments };
      inputs = parcel.inputs;
    } else if ((flags & Flag.Arena) !== 0) {
      payload = this.copyFromArena(slots[base + S.PayloadAt]!, slots[base + S.Length]!);
      memory.freePayload(base);
    } else {
      payload = this.copyOut(base, slots[base + S.Length]!);
      if (flags >> INPUTS_SHIFT !== 0) inputs = this.inlineInputs(base, flags >> INPUTS_SHIFT);
    }
    slots[base + SUSPENDED] = 0;
    this.depth++;
    let settlement: Settlement | 0;
    try {
      settlement = this.executor.run(slot, index, payload, inputs);
    } finally {
      this.depth--;
    }
    if (settlement !== 0) this.settle(slot, settlement, this.results);
    else if (!this.isAsync(index)) this.asyncTasks[index] = true;
  }

  private inlineInputs(base: number, count: number): Encoded[] {
    const { slotBytes } = this.memory;
    const inputs: Encoded[] = [];
    let at = inlineStart(base) + this.slots[base + S.Length]!;
    for (let i = 0; i < count; i++) {
      const length = slotBytes[at++]!;
      const bytes = new Uint8Array(length);
      bytes.set(slotBytes.subarray(at, at + length));
      inputs.push({ bytes, start: 0, end: length, attachments: null });
      at += length;
    }
    return inputs;
  }

  /** Waits for the payload of a claimed task of another environment; undefined when it has been given up meanwhile. */
  private awaitParcel(slot: number): (Parcel & { inputs: Encoded[] | null }) | undefined {
    const { control, memory } = this;
    const sleepAt = memory.word(this.self, E.Sleep);
    const word = this.running.get(slot)!;
    Atomics.store(control, memory.word(this.self, E.Want), slot + 1);
    memory.callForService(memory.ownerOf(slot));
    for (;;) {
      Atomics.store(control, sleepAt, Sleep.Blocked);
      this.service();
      const message = this.parcels.get(slot);
      this.parcels.delete(slot);
      if (message !== undefined && message.generation === generationOf(word)) return message;
      if (Atomics.load(this.slots, slot * SLOT_WORDS + S.State) !== word) {
        Atomics.store(control, memory.word(this.self, E.Want), 0);
        return undefined;
      }
      Atomics.wait(control, sleepAt, Sleep.Blocked);
    }
  }

  /** A job that was given up before it began. */
  private giveBack(slot: number): void {
    const word = this.running.get(slot)!;
    this.running.delete(slot);
    Atomics.sub(this.control, this.runningAt, 1);
    Atomics.store(this.slots, slot * SLOT_WORDS + S.State, withState(word, State.Returned));
    const owner = this.memory.ownerOf(slot);
    this.memory.note(owner, slot);
    // It may wait for a free slot.
    this.memory.wake(owner);
  }

  /** Stores how a job ended, and tells its owner. */
  settle(slot: number, settlement: Settlement, writer: Writer): void {
    if (slot >= LOCAL_JOBS) return this.settleLocal(slot, settlement, writer);
    const word = this.running.get(slot);
    if (word === undefined) return;
    const { slots, memory, control } = this;
    const base = slot * SLOT_WORDS;
    this.running.delete(slot);
    this.aside.delete(slot);
    const owner = memory.ownerOf(slot);
    let flags = slots[base + S.Flags]!;
    const { length } = writer;
    if (writer.attachments === null && length <= INLINE_BYTES) {
      this.copyResult(base, writer, length);
      writer.reset();
    } else if (writer.attachments === null && this.putResult(base, writer)) {
      flags |= Flag.ResultArena;
      writer.reset();
    } else if (this.sendResult(owner, slot, generationOf(word), writer)) {
      flags |= Flag.ResultParcel;
    } else {
      settlement = Settlement.Rejected;
    }
    slots[base + S.Flags] = flags;
    slots[base + S.Settlement] = settlement;
    memory.times[base / 2 + T.Elapsed] = this.now() - memory.times[base / 2 + T.Started]!;
    Atomics.sub(control, this.runningAt, 1);
    if (Atomics.compareExchange(slots, base + S.State, word, withState(word, State.Done)) === word) {
      memory.note(owner, slot);
      if (owner === this.self) return;
      // The root sleeps more deeply while nobody in it waits for a task; a failure that nobody looks at must be reported all the same.
      if (owner === 0 && settlement !== Settlement.Fulfilled) memory.callForService(owner);
      else memory.wake(owner);
    } else {
      memory.freeResult(base);
      Atomics.store(slots, base + S.State, withState(word, State.Returned));
      memory.note(owner, slot);
    }
  }

  private putResult(base: number, writer: Writer): boolean {
    if (writer.length > this.arena.limit) return false;
    const at = this.arena.put(writer.bytes, writer.length);
    if (at < 0) return false;
    this.slots[base + S.ResultAt] = at;
    this.slots[base + S.ResultLength] = writer.length;
    return true;
  }

  private copyResult(base: number, writer: Writer, length: number): void {
    this.slots[base + S.ResultLength] = length;
    if (writer.bytes === this.results.home) {
      const words = (length + 3) >> 2;
      const start = base + SLOT_WORDS - INLINE_BYTES / 4;
      for (let i = 0; i < words; i++) this.slots[start + i] = this.resultWords[i]!;
    } else {
      this.memory.slotBytes.set(writer.bytes.subarray(0, length), inlineStart(base));
    }
  }

  /** False when something in it can't be sent after all; then the slot holds the error. */
  private sendResult(owner: number, slot: number, generation: number, writer: Writer): boolean {
    try {
      const parcel = takeParcel(writer, writer === this.results);
      const message: ParcelMessage = { kind: "result", to: owner, slot, generation, ...parcel, inputs: null };
      if (owner === this.self) this.resultArrived(message);
      else this.post(owner, message, parcelTransfers(message));
      return true;
    } catch (error) {
      const failure = new ByteWriter(new Uint8Array(WRITER_HOME));
      encodeError(failure, error);
      if (failure.length > INLINE_BYTES) {
        failure.reset();
        encodeError(
          failure,
          Object.assign(new ParallelError("The task's result can't be sent to the thread that called it."), { stack: "" }),
        );
      }
      this.copyResult(slot * SLOT_WORDS, failure, failure.length);
      return false;
    }
  }

  /**
   * Runs a task that is waited for and has no slot yet: when recursion has filled all slots, nothing else would go on.
   */
  private runLocal(task: Task): boolean {
    if (this.isAsync(task.index)) return false;
    const parcel = this.takeBacklogged(task);
    if (parcel === undefined) return false;
    const job = this.nextLocalJob++;
    this.localJobs.set(job, task);
    task.startedHere = this.now();
    const payload = { bytes: parcel.bytes, start: 0, end: parcel.length, attachments: parcel.attachments };
    this.depth++;
    try {
      const settlement = this.executor.run(job, task.index, payload, parcel.inputs);
      if (settlement !== 0) this.settleLocal(job, settlement, this.results);
    } finally {
      this.depth--;
    }
    return true;
  }

  private settleLocal(job: number, settlement: Settlement, writer: Writer): void {
    const task = this.localJobs.get(job);
    this.localJobs.delete(job);
    const { bytes, length, attachments } = takeParcel(writer, writer === this.results);
    if (task === undefined || task.settlement !== 0) return;
    const run = this.runOf(task, task.startedHere, this.now() - task.startedHere, this.settings.workerIndex);
    this.finish(task, settlement, { bytes, start: 0, end: length, attachments }, run);
  }

  // ---- pushing

  /** Does the task need an event loop? Read from its manifest; a function that is not declared async, but has returned a promise, is remembered. */
  private isAsync(index: number): boolean {
    let known = this.asyncTasks[index];
    if (known === undefined) {
      const { manifest, id } = this.taskKey(index);
      try {
        const task = readManifest(manifest).tasks[variantOf(id).id];
        known = task !== undefined && (task.async || task.generator);
      } catch {
        // The job will say what is wrong with the manifest.
        known = false;
      }
      this.asyncTasks[index] = known;
    }
    return known;
  }

  protected queueFor(task: Task): SharedQueue {
    if (this.isAsync(task.index)) return this.queues.nestedAsync;
    if (this.pushed.length > 64 && this.pushed[0]!.settlement !== 0) this.forgetPushed();
    this.pushed.push(task);
    return this.queues.nested;
  }

  private forgetPushed(): void {
    const kept = this.pushed.filter((task) => task.settlement === 0);
    this.pushed.length = 0;
    this.pushed.push(...kept);
  }

  protected wantWorker(): void {
    if (Atomics.load(this.control, P.Live) >= this.settings.threads) return;
    this.request(Request.Worker);
  }

  private request(what: Request): void {
    Atomics.or(this.control, P.Requests, what);
    this.memory.callForService(0);
  }

  protected override limited(task: Task): void {
    const ms = Math.max(0, task.deadline - this.now());
    this.post(0, { kind: "watch", slot: task.slot, generation: generationOf(task.word), ms, grace: task.grace ?? this.defaultGrace }, []);
  }

  protected stopLater(slot: number, dropped: number, grace: number): void {
    this.post(0, { kind: "stop", slot, word: dropped, grace }, []);
  }

  protected post(_to: number, message: Message, transfers: readonly unknown[]): void {
    this.port.postMessage(message, transfers as MessagePort[]);
    this.memory.callForService(0);
  }

  protected receive(): void {
    for (let received = receiveMessageOnPort(this.port); received !== undefined; received = receiveMessageOnPort(this.port)) {
      const message = received.message as Message | null;
      if (message === null) continue;
      if (message.kind === "parcel") this.parcels.set(message.slot, message);
      else if (message.kind === "result") this.resultArrived(message);
      else if (message.kind === "warm") void this.warmUp(message.id, message.index);
    }
  }

  private async warmUp(id: number, index: number): Promise<void> {
    let failure: Parcel | undefined;
    try {
      await this.executor.warm(index);
    } catch (error) {
      const writer = new ByteWriter(new Uint8Array(WRITER_HOME));
      encodeError(writer, error);
      failure = takeParcel(writer, false);
    }
    this.post(0, { kind: "warmed", id, error: failure }, []);
  }

  // ---- blocking

  override block(ticket: number, ms: number): boolean {
    // Endless recursion through nested calls ends here rather than in the middle of settling a task.
    if (this.depth > DEEP) reserveStack(RESERVED_FRAMES);
    return super.block(ticket, ms);
  }

  protected help(asked: Task): boolean {
    if (asked.slot >= 0 && this.isQueued(asked) && !this.isAsync(asked.index) && this.claimSlot(asked.slot, asked.word)) {
      this.runInside(asked.slot, asked);
      return true;
    }
    if (asked.slot < 0 && this.runLocal(asked)) return true;
    if (this.depth > HELP_DEPTH) return false;
    while (this.pushed.length > 0) {
      const task = this.pushed.pop()!;
      if (task.settlement !== 0 || !this.isQueued(task) || this.isAsync(task.index)) continue;
      if (!this.claimSlot(task.slot, task.word)) continue;
      this.runInside(task.slot, asked);
      return true;
    }
    const slot = this.queues.nested.empty ? -1 : this.claimFrom(this.queues.nested);
    if (slot < 0) return false;
    this.runInside(slot, asked);
    return true;
  }

  private runInside(slot: number, asked: Task): void {
    this.run(slot);
    this.refuseOwnAsync(asked);
  }

  private isQueued(task: Task): boolean {
    return task.slot >= 0 && Atomics.load(this.slots, task.slot * SLOT_WORDS + S.State) === task.word;
  }

  /** A task that has begun on this thread and needs its event loop can't be waited for by blocking it. */
  private refuseOwnAsync(asked: Task): void {
    if (asked.settlement !== 0 || asked.slot < 0) return;
    const word = this.running.get(asked.slot);
    if (
      word === undefined ||
      generationOf(word) !== generationOf(asked.word) ||
      stateOf(Atomics.load(this.slots, asked.slot * SLOT_WORDS + S.State)) !== State.Running
    )
      return;
    throw new ParallelError(
      "get() would wait forever: the task is asynchronous and runs on this very thread, whose event loop stands still meanwhile. Use `await` instead.",
    );
  }

  protected beforeSleep(asked: Task): boolean {
    this.refuseOwnAsync(asked);
    Atomics.store(this.control, this.awaitedAt, asked.slot + 1);
    this.memory.setMode(this.self, Mode.Blocked);
    if (Atomics.load(this.control, P.QueuedAsync) > 0 && !this.memory.wakeWorker() && !this.memory.wakeSpare())
      this.request(Request.Worker);
    return true;
  }

  protected afterSleep(asked: Task, woken: boolean): void {
    Atomics.store(this.control, this.awaitedAt, 0);
    this.memory.setMode(this.self, Mode.Busy);
    if (!woken && this.isQueued(asked)) this.request(Request.OtherWorker);
  }

  protected patience(asked: Task): number {
    return this.isQueued(asked) ? TAKEN_CHECK_MS : Infinity;
  }

  // ---- the end

  /** Settles what runs as crashed. Called when the thread is about to end. */
  crash(exitCode: number, why: (writer: Writer) => void): void {
    if (this.ended) return;
    this.ended = true;
    for (const slot of [...this.running.keys()]) {
      const { results } = this;
      results.reset();
      why(results);
      this.settle(slot, Settlement.Crashed, results);
    }
    Atomics.store(this.control, this.memory.word(this.self, E.ExitCode), exitCode + 1);
    if (!isStarting(this.memory.mode(this.self))) this.memory.setMode(this.self, Mode.Dead);
    this.memory.callForService(0);
  }

  /** Something runs here. */
  get busy(): boolean {
    return this.running.size > 0;
  }

  /** Tells the root why this worker can't work. */
  failed(error: unknown): void {
    const writer = new ByteWriter(new Uint8Array(WRITER_HOME));
    encodeError(writer, error);
    this.post(0, { kind: "failed", error: takeParcel(writer, false) }, []);
  }

  warm(index: number): Promise<void> {
    return this.executor.warm(index);
  }

  async shutdown(): Promise<void> {
    throw new ParallelError("A task can't shut down the pool that it runs in.");
  }
}
