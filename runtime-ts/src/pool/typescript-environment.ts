/**
 * One environment's side of a TypeScript pool: what the root and its workers have in common. It pushes tasks into slots, takes settlements out of its
 * inbox, gives up on tasks, and sleeps until there is news, on the event loop or blocked.
 */
import { ByteWriter } from "../codec/byte-writer";
import type { Writer } from "../codec/writer";
import type { Backend, BackendStats, Encoded, PushOptions, ShutdownOptions, TaskKey, TaskSink, Ticket } from "./backend";
import { Phase, Settlement } from "./backend";
import { PriorityQueue } from "./heap";
import { type EndedRun, Ledger, type Parcel, takeParcel, type Task } from "./ledger";
import {
  E,
  Flag,
  generationOf,
  INLINE_BYTES,
  INPUTS_SHIFT,
  nextQueuedWord,
  P,
  type PoolMemory,
  runnerOf,
  S,
  Sleep,
  SLOT_WORDS,
  State,
  stateOf,
  T,
  withState,
} from "./typescript-memory";
import { LoopPatience } from "./loop-patience";
import { Arena } from "./typescript-arena";
import { type Message, type ParcelMessage, parcelTransfers } from "./typescript-messages";
import { Queues, type SharedQueue } from "./typescript-queue";
import { setImmediate, performance } from "../own-clock";
import { mayGoOn, mindStack, stackIsLow, stackRoom } from "../stack-room";

/** Looks at the inbox so many times before sleeping: some µs, which catches the answer to a short task. */
const SPINS = 3_000;

/** When a task has not been taken for so many ms, nobody counts on the worker any more that was chosen for it. */
export const TAKEN_CHECK_MS = 50;

const WRITER_HOME = 4096;

export abstract class Environment extends Ledger implements Backend {
  readonly kind = "typescript";
  protected readonly control: Int32Array<SharedArrayBuffer>;
  protected readonly slots: Int32Array<SharedArrayBuffer>;
  protected readonly queues: Queues;
  private readonly firstSlot: number;
  private readonly slotTasks: (Task | undefined)[] = [];
  private readonly freeSlots: number[] = [];
  /** Slots from here on have never been used. */
  protected freshSlot: number;
  private readonly endSlot: number;
  /** Tasks that wait for a slot. */
  private readonly backlog = new PriorityQueue<Task>();
  private backlogged = 0;

  private inboxHead = 0;
  private readonly inboxStart: number;
  private readonly inboxMask: number;
  protected readonly sleepAt: number;
  protected readonly serviceAt: number;
  /** A waitAsync on the sleep word is outstanding. */
  private armed = false;
  private turning = false;
  /** The pool has ended: see `endTurns`. */
  private turnsEnded = false;
  private lastNews = 0;
  private readonly looks = new LoopPatience();
  /** The turn that comes is one of looking, not one that something has asked for. */
  private looking = false;

  private readonly keys = new Map<string, number>();
  private readonly out = new ByteWriter(new Uint8Array(WRITER_HOME), true);
  private readonly outWords = new Int32Array(this.out.home.buffer);
  protected readonly arena: Arena;
  private large = new Uint8Array(0);
  private readonly scratch = new Uint8Array(INLINE_BYTES);
  private readonly scratchWords = new Int32Array(this.scratch.buffer);
  /** Results that came as messages, by slot. */
  private readonly arrived = new Map<number, ParcelMessage>();

  /**
   * @param self number of this environment; 0 is the root
   * @param defaultGrace in ms
   */
  constructor(
    protected readonly memory: PoolMemory,
    protected readonly self: number,
    protected readonly defaultGrace: number,
  ) {
    super();
    this.control = memory.control;
    this.slots = memory.slots;
    this.queues = new Queues(memory, self);
    this.arena = new Arena(memory, self);
    this.firstSlot = this.freshSlot = memory.firstSlot(self);
    this.endSlot = this.firstSlot + memory.slotCount(self);
    this.inboxStart = memory.inboxStart(self);
    this.inboxMask = memory.inboxMask(self);
    this.sleepAt = memory.word(self, E.Sleep);
    this.serviceAt = memory.word(self, E.Service);
  }

  // ---- what root and worker do differently

  /** Queue that this environment's tasks go into. */
  protected abstract queueFor(task: Task): SharedQueue;
  /** No parked worker could be woken for a queued task. */
  protected abstract wantWorker(): void;
  /** Sends to another environment and calls it for service. */
  protected abstract post(to: number, message: Message, transfers: readonly unknown[]): void;
  /** Reads what has been sent to this environment. */
  protected abstract receive(): void;
  /** Sees that the worker that runs a dropped task is stopped if it still does so after `grace` ms. */
  protected abstract stopLater(slot: number, dropped: number, grace: number): void;
  /** A task has been queued, and somebody woken for it. */
  protected enqueued(_task: Task): void {}
  /** A task with a time limit has been queued. */
  protected limited(_task: Task): void {}
  /** Runs something while this thread blocks; false when there was nothing. `asked`: the task that is waited for. */
  protected abstract help(asked: Task): boolean;
  /** About to sleep in `block`; false when there is something to do instead. */
  protected abstract beforeSleep(asked: Task): boolean;
  protected abstract afterSleep(asked: Task, woken: boolean): void;
  /** Longest sleep in ms after which this environment must look around. */
  protected abstract patience(asked: Task): number;
  abstract warm(index: number): Promise<void>;
  abstract shutdown(options: ShutdownOptions): Promise<void>;

  // ---- push

  writer(): Writer {
    const { out } = this;
    // Encoding can run a getter that calls a parallel function itself.
    return out.length === 0 && out.attachments === null ? out : new ByteWriter(new Uint8Array(256), out.hostObjects);
  }

  register(key: TaskKey): number {
    const text = `${key.manifest}\0${key.id}`;
    let index = this.keys.get(text);
    if (index === undefined) this.keys.set(text, (index = this.memory.addKey(text)));
    return index;
  }

  push(index: number, writer: Writer, sink: TaskSink, options: PushOptions | undefined): Ticket {
    mindStack(PUSH_FRAMES, ROOM_TO_TELL);
    const task = this.add(index, sink);
    if (options === undefined && writer.attachments === null && writer.length <= this.arena.limit && this.backlogged === 0) {
      const slot = this.takeSlot();
      if (slot >= 0) {
        task.queued = true;
        task.queuedAt = this.now();
        if (this.copyIn(slot * SLOT_WORDS, writer)) {
          writer.reset();
        } else {
          task.parcel = takeParcel(writer, writer === this.out);
          this.slots[slot * SLOT_WORDS + S.Flags] = Flag.Parcel;
        }
        this.enqueue(task, slot);
        if (!this.armed || this.self !== 0) this.turn();
        return task.ticket;
      }
    }
    task.parcel = takeParcel(writer, writer === this.out);
    if (options === undefined) {
      this.makeReady(task);
    } else {
      this.admit(task, options);
    }
    if (!this.armed || this.self !== 0) this.turn();
    return task.ticket;
  }

  /** Copies a payload into a slot, or into the arena; false when there is no room. */
  private copyIn(base: number, writer: Writer): boolean {
    const { length } = writer;
    if (length > INLINE_BYTES) return this.putInArena(base, writer.bytes, length);
    this.slots[base + S.Length] = length;
    this.slots[base + S.Flags] = 0;
    if (writer.bytes === this.out.home) {
      const words = (length + 3) >> 2;
      const start = base + SLOT_WORDS - INLINE_BYTES / 4;
      for (let i = 0; i < words; i++) this.slots[start + i] = this.outWords[i]!;
    } else {
      this.memory.slotBytes.set(writer.bytes.subarray(0, length), inlineStart(base));
    }
    return true;
  }

  private putInArena(base: number, bytes: Uint8Array, length: number): boolean {
    if (length > this.arena.limit) return false;
    const at = this.arena.put(bytes, length);
    if (at < 0) return false;
    this.slots[base + S.Length] = length;
    this.slots[base + S.PayloadAt] = at;
    this.slots[base + S.Flags] = Flag.Arena;
    return true;
  }

  protected ready(task: Task): void {
    const slot = this.backlogged > 0 ? -1 : this.takeSlot();
    if (slot < 0) {
      this.backlogged++;
      this.backlog.push(task, task.priority);
      return;
    }
    this.fill(task, slot);
    this.enqueue(task, slot);
  }

  /** Puts a task's payload, and those of its inputs, into the slot, or notes that they come as a message. */
  private fill(task: Task, slot: number): void {
    const base = slot * SLOT_WORDS;
    const parcel = task.parcel!;
    const inputs = this.inputsOf(task);
    const { slotBytes } = this.memory;
    let total = parcel.length;
    let small = parcel.attachments === null;
    if (inputs !== null) {
      for (const input of inputs) {
        total += 1 + input.end - input.start;
        if (input.attachments !== null) small = false;
      }
    }
    if (inputs === null && small && total > INLINE_BYTES && this.putInArena(base, parcel.bytes, parcel.length)) {
      task.parcel = null;
      return;
    }
    this.slots[base + S.Length] = parcel.length;
    if (!small || total > INLINE_BYTES || (inputs !== null && inputs.length > MAX_INLINE_INPUTS)) {
      this.slots[base + S.Flags] = Flag.Parcel;
      return;
    }
    let at = inlineStart(base);
    slotBytes.set(parcel.length === parcel.bytes.length ? parcel.bytes : parcel.bytes.subarray(0, parcel.length), at);
    at += parcel.length;
    if (inputs !== null) {
      for (const input of inputs) {
        const length = input.end - input.start;
        slotBytes[at] = length;
        slotBytes.set(input.bytes.subarray(input.start, input.end), at + 1);
        at += 1 + length;
      }
    }
    this.slots[base + S.Flags] = (inputs?.length ?? 0) << INPUTS_SHIFT;
    task.parcel = null;
    this.dropInputs(task);
  }

  /** Priority of a task of this environment; 0 for one that it does not know. */
  protected priorityIn(slot: number): number {
    return this.slotTasks[slot - this.firstSlot]?.priority ?? 0;
  }

  private enqueue(task: Task, slot: number): void {
    const { control, slots } = this;
    const base = slot * SLOT_WORDS;
    slots[base + S.Index] = task.index;
    slots[base + S.Cancel] = 0;
    slots[base + S.Progress] = 0;
    slots[base + S.ProgressNoted] = 0;
    this.memory.times[base / 2 + T.Started] = 0;
    const word = nextQueuedWord(slots[base + S.State]!);
    task.slot = slot;
    task.word = word;
    this.slotTasks[slot - this.firstSlot] = task;
    const queue = this.queueFor(task);
    const isAsync = queue === this.queues.nestedAsync;
    if (isAsync) {
      slots[base + S.Flags] = slots[base + S.Flags]! | Flag.Async;
      Atomics.add(control, P.QueuedAsync, 1);
    }
    Atomics.add(control, P.Queued, 1);
    Atomics.store(slots, base + S.State, word);
    if (!queue.push(slot, word, task.priority)) {
      // Full of stale entries: its own environment can still claim it, and tries again when something has settled.
      this.requeue.push(task);
    }
    if (task.deadline !== Infinity) this.limited(task);
    if (!this.memory.wakeWorker()) this.wantWorker();
    this.enqueued(task);
  }

  /** Tasks in slots that no queue had room for. */
  private readonly requeue: Task[] = [];

  private takeSlot(): number {
    const free = this.freeSlots.pop();
    if (free !== undefined) return free;
    return this.freshSlot < this.endSlot ? this.freshSlot++ : -1;
  }

  /** The slot's task is over for this environment and for whoever ran it. */
  private giveSlotBack(slot: number): void {
    const base = slot * SLOT_WORDS;
    this.memory.freePayload(base);
    this.memory.freeResult(base);
    Atomics.store(this.slots, base + S.State, withState(this.slots[base + S.State]!, State.Free));
    this.slotTasks[slot - this.firstSlot] = undefined;
    this.freeSlots.push(slot);
  }

  private pump(): void {
    while (this.requeue.length > 0) {
      const task = this.requeue[this.requeue.length - 1]!;
      const queued = task.settlement === 0 && Atomics.load(this.slots, task.slot * SLOT_WORDS + S.State) === task.word;
      if (queued && !this.queueFor(task).push(task.slot, task.word, task.priority)) break;
      this.requeue.pop();
    }
    while (this.backlogged > 0) {
      const task = this.backlog.peek();
      if (task === undefined) return;
      if (task.settlement === 0 && !task.local) {
        const slot = this.takeSlot();
        if (slot < 0) return;
        this.backlog.pop();
        this.backlogged--;
        this.fill(task, slot);
        this.enqueue(task, slot);
      } else {
        this.backlog.pop();
      }
    }
  }

  // ---- news

  /** Takes everything out of the inbox and calls the sinks. */
  protected drain(): boolean {
    const { control } = this;
    let any = false;
    for (;;) {
      const cell = this.inboxStart + (this.inboxHead & this.inboxMask);
      const entry = Atomics.load(control, cell);
      if (entry === 0) break;
      Atomics.store(control, cell, 0);
      this.inboxHead = (this.inboxHead + 1) | 0;
      any = true;
      this.news(entry - 1);
    }
    if (any && (this.backlogged > 0 || this.requeue.length > 0)) this.pump();
    return any;
  }

  protected hasNews(): boolean {
    return Atomics.load(this.control, this.inboxStart + (this.inboxHead & this.inboxMask)) !== 0;
  }

  private news(slot: number): void {
    const { slots } = this;
    const base = slot * SLOT_WORDS;
    const task = this.slotTasks[slot - this.firstSlot];
    if (task === undefined) return;
    if (slots[base + S.ProgressNoted] !== 0 && Atomics.exchange(slots, base + S.ProgressNoted, 0) !== 0 && task.settlement === 0) {
      task.sink.progressed(Atomics.load(slots, base + S.Progress) / 1e6);
    }
    const word = Atomics.load(slots, base + S.State);
    if (generationOf(word) !== generationOf(task.word)) return;
    switch (stateOf(word)) {
      case State.Done:
        this.done(task, slot, base);
        break;
      case State.Dropped:
        // The root has enforced the time limit of a task of this worker.
        if (task.settlement === 0) this.finish(task, Settlement.TimedOut, null, this.runIn(task, base));
        break;
      case State.Returned:
        if (task.settlement === 0) this.finish(task, Settlement.TimedOut, null, this.runIn(task, base));
        this.arrived.delete(slot);
        this.giveSlotBack(slot);
        break;
      case State.Free:
      case State.Queued:
      case State.Running:
        break;
    }
  }

  private done(task: Task, slot: number, base: number): void {
    const { slots } = this;
    const settlement: Settlement = slots[base + S.Settlement]!;
    let payload: Encoded | null;
    if ((slots[base + S.Flags]! & Flag.ResultParcel) !== 0) {
      let message = this.arrived.get(slot);
      if (message === undefined) {
        this.receive();
        message = this.arrived.get(slot);
        // Not here yet (it comes from another worker by way of the root): its arrival is news as well.
        if (message === undefined) return;
      }
      this.arrived.delete(slot);
      payload = { bytes: message.bytes, start: 0, end: message.length, attachments: message.attachments };
    } else if ((slots[base + S.Flags]! & Flag.ResultArena) !== 0) {
      payload = this.copyFromArena(slots[base + S.ResultAt]!, slots[base + S.ResultLength]!);
    } else {
      payload = this.copyOut(base, slots[base + S.ResultLength]!);
    }
    const { times } = this.memory;
    const started = times[base / 2 + T.Started]!;
    // One that nobody could run has failed without having begun.
    const run = started === 0 ? null : this.runOf(task, started, times[base / 2 + T.Elapsed]!, slots[base + S.Runner]!);
    this.giveSlotBack(slot);
    this.finish(task, settlement, payload, run);
  }

  /** Copies a slot's inline bytes into memory of this thread, reused by the next call. */
  protected copyOut(base: number, length: number): Encoded {
    const words = (length + 3) >> 2;
    const start = base + SLOT_WORDS - INLINE_BYTES / 4;
    for (let i = 0; i < words; i++) this.scratchWords[i] = this.slots[start + i]!;
    return { bytes: this.scratch, start: 0, end: length, attachments: null };
  }

  /** Copies a block of the arena into memory of this thread, reused by the next call. */
  protected copyFromArena(at: number, length: number): Encoded {
    if (this.large.length < length) this.large = new Uint8Array(Math.max(length, 8192));
    this.large.set(this.memory.arenaBytes.subarray(at, at + length));
    return { bytes: this.large, start: 0, end: length, attachments: null };
  }

  private elapsedIn(base: number): number {
    const started = this.memory.times[base / 2 + T.Started]!;
    return started === 0 ? 0 : Math.max(0, this.now() - started);
  }

  /** The run of a task that is given up. Null: it has been claimed, but not begun. */
  private runIn(task: Task, base: number): EndedRun | null {
    const started = this.memory.times[base / 2 + T.Started]!;
    if (started === 0) return null;
    return this.runOf(task, started, Math.max(0, this.now() - started), this.slots[base + S.Runner]!);
  }

  /** A message with a result for this environment. */
  protected resultArrived(message: ParcelMessage): void {
    const { slot } = message;
    const task = this.slotTasks[slot - this.firstSlot];
    if (task === undefined || generationOf(task.word) !== message.generation) return;
    this.arrived.set(slot, message);
    if (stateOf(Atomics.load(this.slots, slot * SLOT_WORDS + S.State)) === State.Done) this.news(slot);
  }

  /** Does what others have asked of this environment. */
  protected service(): void {
    if (Atomics.load(this.control, this.serviceAt) === 0) return;
    Atomics.store(this.control, this.serviceAt, 0);
    this.receive();
    for (let worker = 1; worker < this.memory.environments; worker++) {
      const wanted = Atomics.load(this.control, this.memory.word(worker, E.Want)) - 1;
      if (wanted >= this.firstSlot && wanted < this.endSlot) this.sendParcel(worker, wanted);
    }
  }

  /** Sends a task's payload to the worker that has claimed it. */
  private sendParcel(worker: number, slot: number): void {
    const task = this.slotTasks[slot - this.firstSlot];
    const wantAt = this.memory.word(worker, E.Want);
    if (Atomics.compareExchange(this.control, wantAt, slot + 1, 0) !== slot + 1) return;
    const word = Atomics.load(this.slots, slot * SLOT_WORDS + S.State);
    if (task === undefined || task.parcel === null || stateOf(word) !== State.Running || runnerOf(word) !== worker) {
      // Given up meanwhile: the worker sees that when it looks.
      this.memory.callForService(worker);
      return;
    }
    const message: ParcelMessage = {
      kind: "parcel",
      to: worker,
      slot,
      generation: generationOf(word),
      ...task.parcel,
      inputs: this.inputsOf(task),
    };
    const transfers = parcelTransfers(message);
    task.parcel = null;
    this.post(worker, message, transfers);
    this.dropInputs(task);
  }

  /** The payload of a task of its own that this environment has claimed, as if it had been sent. */
  protected ownParcel(slot: number): Parcel & { inputs: Encoded[] | null } {
    return this.openParcel(this.slotTasks[slot - this.firstSlot]!);
  }

  private openParcel(task: Task): Parcel & { inputs: Encoded[] | null } {
    const parcel = task.parcel!;
    const inputs = this.inputsOf(task);
    task.parcel = null;
    if (parcel.attachments !== null)
      parcel.attachments = structuredClone(parcel.attachments, { transfer: (parcel.transfers ?? []) as ArrayBuffer[] });
    const copied =
      inputs?.map((input) => ({ ...input, attachments: input.attachments === null ? null : structuredClone(input.attachments) })) ?? null;
    this.dropInputs(task);
    return { ...parcel, inputs: copied };
  }

  /** Takes a task that still waits for a slot, to be run on this thread. */
  protected takeBacklogged(task: Task): (Parcel & { inputs: Encoded[] | null }) | undefined {
    if (!task.queued || task.slot >= 0 || task.local || task.settlement !== 0) return undefined;
    task.local = true;
    this.backlogged--;
    return this.openParcel(task);
  }

  protected owns(slot: number): boolean {
    return slot >= this.firstSlot && slot < this.endSlot;
  }

  // ---- check, block, give up

  phase(ticket: Ticket): Phase {
    const task = this.find(ticket);
    if (task === undefined || task.settlement !== 0) return Phase.Settled;
    if (!task.queued) return Phase.Waiting;
    if (task.slot < 0) return task.local ? Phase.Running : Phase.Queued;
    const state = stateOf(Atomics.load(this.slots, task.slot * SLOT_WORDS + S.State));
    return state === State.Queued ? Phase.Queued : state === State.Running ? Phase.Running : Phase.Settled;
  }

  elapsed(ticket: Ticket): number {
    const task = this.find(ticket);
    if (task === undefined || task.slot < 0 || task.settlement !== 0) return 0;
    return this.elapsedIn(task.slot * SLOT_WORDS);
  }

  poll(): void {
    // Nothing is taken where there is no room to tell it: it is looked for again.
    if (this.hasSomething() && mayGoOn(TELL_FRAMES, ROOM_TO_TELL)) this.look();
  }

  private hasSomething(): boolean {
    return (
      this.hasNews() ||
      this.refused.length > 0 ||
      (this.nextAlarm !== Infinity && this.nextAlarm <= this.now()) ||
      Atomics.load(this.control, this.serviceAt) !== 0
    );
  }

  /** Takes what has come, on a stack that has room for telling it. */
  private look(): void {
    if (this.refused.length > 0) this.settleRefused();
    this.runAlarms();
    this.service();
    this.drain();
  }

  block(ticket: Ticket, ms: number): boolean {
    mindStack(TELL_FRAMES, ROOM_TO_TELL);
    if (this.refused.length > 0) this.settleRefused();
    const task = this.find(ticket);
    if (task === undefined || task.settlement !== 0) return true;
    let deadline = Infinity;
    if (ms !== Infinity) {
      deadline = this.now() + ms;
      this.look();
      if (this.isSettled(task) || ms === 0) return this.isSettled(task);
    }
    const { control, sleepAt } = this;
    for (;;) {
      if (this.help(task)) {
        this.look();
        if (this.isSettled(task)) break;
        if (this.now() >= deadline) break;
        continue;
      }
      if (this.spin(task)) break;
      Atomics.store(control, sleepAt, Sleep.Blocked);
      this.look();
      if (this.isSettled(task)) break;
      const now = this.now();
      if (now >= deadline) break;
      if (!this.beforeSleep(task)) continue;
      const limit = Math.min(deadline - now, this.nextAlarm - now, this.patience(task));
      const woken = Atomics.wait(control, sleepAt, Sleep.Blocked, Math.max(0, limit));
      this.afterSleep(task, woken !== "timed-out");
    }
    // A wait of the event loop that was there before still is, but nobody wakes one who is awake: the next turn sets that right.
    Atomics.store(control, sleepAt, Sleep.Awake);
    this.turn();
    return this.isSettled(task);
  }

  /** Watches the inbox for some µs; true if the task has settled. */
  private spin(task: Task): boolean {
    for (let spins = 0; spins < SPINS; spins++) if (this.drain() && this.isSettled(task)) return true;
    return false;
  }

  // A method, because the compiler does not know that other calls settle tasks.
  private isSettled(task: Task): boolean {
    return task.settlement !== 0;
  }

  cancel(ticket: Ticket, grace: number): boolean {
    mindStack(TELL_FRAMES, ROOM_TO_TELL);
    this.drain();
    const task = this.find(ticket);
    if (task === undefined || task.settlement !== 0) return false;
    return this.giveUp(task, Settlement.Cancelled, grace >= 0 ? grace : (task.grace ?? this.defaultGrace));
  }

  protected expire(task: Task): void {
    this.giveUp(task, Settlement.TimedOut, task.grace ?? this.defaultGrace);
  }

  /** Settles a task without its result. False when it has ended by itself meanwhile (and is settled by that). */
  protected giveUp(
    task: Task,
    settlement: Settlement.Cancelled | Settlement.TimedOut | Settlement.Crashed,
    grace: number,
    payload: Encoded | null = null,
  ): boolean {
    const { slots, control } = this;
    const { slot } = task;
    if (slot < 0) {
      if (task.queued && !task.local) this.backlogged--;
      this.finish(task, settlement, payload, null);
      return true;
    }
    const at = slot * SLOT_WORDS + S.State;
    for (;;) {
      const word = Atomics.load(slots, at);
      switch (stateOf(word)) {
        case State.Queued:
          if (Atomics.compareExchange(slots, at, word, withState(word, State.Free)) !== word) continue;
          Atomics.sub(control, P.Queued, 1);
          if ((slots[slot * SLOT_WORDS + S.Flags]! & Flag.Async) !== 0) Atomics.sub(control, P.QueuedAsync, 1);
          this.giveSlotBack(slot);
          this.finish(task, settlement, payload, null);
          this.pump();
          return true;
        case State.Running: {
          const dropped = withState(word, State.Dropped);
          if (Atomics.compareExchange(slots, at, word, dropped) !== word) continue;
          Atomics.store(slots, slot * SLOT_WORDS + S.Cancel, 1);
          if ((slots[slot * SLOT_WORDS + S.Flags]! & Flag.Parcel) !== 0) this.memory.callForService(runnerOf(word));
          this.stopLater(slot, dropped, grace);
          this.finish(task, settlement, payload, this.runIn(task, slot * SLOT_WORDS));
          return true;
        }
        default:
          this.drain();
          if (this.isSettled(task)) return false;
          if (stateOf(word) !== State.Done) return false;
          // Its result is still under way as a message; nobody needs it any more.
          this.finish(task, settlement, payload, this.runIn(task, slot * SLOT_WORDS));
          this.giveSlotBack(slot);
          return true;
      }
    }
  }

  // ---- the event loop

  protected observing(): void {
    this.startLooking(performance.now());
    this.turn();
  }

  private startLooking(now: number): void {
    this.lastNews = now;
    this.looks.begin(this.pending);
  }

  /** True while somebody on the event loop must hear of settlements. */
  protected get attentive(): boolean {
    return this.observedCount > 0 || this.waitingCount > 0 || this.backlogged > 0 || this.requeue.length > 0;
  }

  /** Has the event loop look after the pool: in its next turn, and until there is no more news for a while; then it sleeps on the sleep word. */
  protected turn(): void {
    if (this.turning) return;
    setImmediate(this.takeTurn);
    this.turning = true;
  }

  private readonly takeTurn = (): void => {
    this.turning = false;
    this.onTurn();
  };

  protected onTurn(): void {
    stackIsLow();
    this.service();
    this.runAlarms();
    const now = performance.now();
    if (this.drain()) {
      if (this.looking) this.looks.found();
      this.startLooking(now);
    }
    this.looking = this.attentive && now - this.lastNews < this.looks.span;
    if (this.looking) return this.turn();
    if (this.attentive) this.looks.gaveUp();
    this.arm();
  }

  /** Sleeps on the event loop. */
  protected arm(): void {
    const { control, sleepAt } = this;
    const sleep = this.attentive ? Sleep.Loop : Sleep.Service;
    Atomics.store(control, sleepAt, sleep);
    // Whoever makes news after the store sees the sleep, and what was there before is seen here.
    if (Atomics.load(control, this.serviceAt) !== 0 || (sleep === Sleep.Loop && this.hasNews()) || this.hasWork()) {
      Atomics.store(control, sleepAt, Sleep.Awake);
      this.turn();
      return;
    }
    if (this.armed || this.turnsEnded) return;
    const waiting = waitAsync(control, sleepAt, sleep);
    if (!waiting.async) {
      this.turn();
      return;
    }
    this.armed = true;
    void waiting.value.then(this.onWake);
  }

  private readonly onWake = (): void => {
    this.armed = false;
    this.startLooking(performance.now());
    this.woken();
    this.onTurn();
  };

  /** The event loop sleeps on this pool no more. A `waitAsync` that nobody wakes would hold it, with all its memory, for the life of the thread. */
  protected endTurns(): void {
    this.turnsEnded = true;
    Atomics.notify(this.control, this.sleepAt);
  }

  /** Something to do that is no news of its own tasks. */
  protected hasWork(): boolean {
    return false;
  }

  /** The event loop has been woken. */
  protected woken(): void {}

  stats(): BackendStats {
    // Read first: a worker counts a task as running before it takes it off the queue's count. One that is claimed meanwhile is seen twice, and never as neither, so
    // that a bounded queue is not found to have room that it has not.
    const queued = Math.max(0, Atomics.load(this.control, P.Queued)) + this.backlogged;
    const { jobs, workers } = this.memory.running();
    return { threads: Atomics.load(this.control, P.Live) + Atomics.load(this.control, P.Extras), busy: workers, queued, running: jobs };
  }
}

/** Byte in `PoolMemory.slotBytes` at which a slot's inline payload starts. */
export function inlineStart(base: number): number {
  return (base + SLOT_WORDS) * 4 - INLINE_BYTES;
}

/** Frames that `push` and what it calls need, with a margin: an operation on the shared memory must not be left in the middle. */
const PUSH_FRAMES = 40;
/** The same for taking news and telling them. */
const TELL_FRAMES = 64;
/** Telling a sink may take so much stack, and more: it may be what is compiled first. */
const ROOM_TO_TELL = stackRoom(8192);

/** As many inputs as the flags can count. */
const MAX_INLINE_INPUTS = 15;

interface AsyncWait {
  async: boolean;
  value: Promise<string>;
}

/** Not in the ES2022 library, but in every supported Node. */
const waitAsync = (Atomics as unknown as { waitAsync(array: Int32Array, index: number, value: number): AsyncWait }).waitAsync;
