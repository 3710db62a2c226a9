/**
 * The memory that all environments of one TypeScript pool see: its layout, and the few operations that more than one file needs.
 *
 * Environment 0 is the root (the thread that owns the pool); 1..n are worker threads. Every environment owns a range of slots and an inbox. One slot
 * is one queued or running task; its state word decides what happens to it, and whoever changes that word by compare-and-exchange has the say:
 *
 *     Free ─push→ Queued ─claim→ Running ─complete→ Done ─(owner)→ Free
 *                   │                └─(owner gives up: cancel, time-out)→ Dropped ─(worker ends the job)→ Returned ─(owner)→ Free
 *                   └─(owner withdraws it)→ Free
 *
 * The word also carries a generation, so that a stale queue entry is recognised, and the environment that runs the task, so that a dead
 * worker's tasks can be found.
 *
 * A worker may be terminated between any two loop iterations or function calls, but not between two straight-line operations: V8 stops a thread only
 * at function entries and backward jumps. What must not be torn is therefore written without either.
 */

/** Bytes of a payload or result that fit into a slot. Larger ones travel as a message. */
export const INLINE_BYTES = 192;
const SLOT_HEADER = 16; // int32
export const SLOT_WORDS = SLOT_HEADER + INLINE_BYTES / 4;

export const ROOT_SLOTS = 1 << 16;
export const WORKER_SLOTS = 1 << 12;
/** An inbox has room for a settlement and a progress notice of each slot, twice. */
const INBOX_FACTOR = 4;

/** Words of a slot's header. */
export const enum S {
  State = 0,
  Index = 1,
  Length = 2,
  /** See {@link Flag}. */
  Flags = 3,
  Settlement = 4,
  /** Set once the task has been cancelled or timed out. */
  Cancel = 5,
  /** Progress in millionths. */
  Progress = 6,
  /** 1 while a progress notice is in the owner's inbox. */
  ProgressNoted = 7,
  /** Bytes of the result that were written inline. */
  ResultLength = 8,
  /** Bytes in the arena, see {@link Flag.Arena} and {@link Flag.ResultArena}. */
  PayloadAt = 9,
  ResultAt = 10,
  /** Number of the worker that runs it, as tasks see it. */
  Runner = 11,
}

/** Word of a slot whose payload has been taken: 1 while the job waits for its consumer, so that none of its code runs. */
export const SUSPENDED: number = S.PayloadAt;

/** Float64s of a slot's header, in {@link PoolMemory.times}; they overlay its last words. */
export const enum T {
  /** When it started to run, in ms on the pool's clock; 0: not yet. */
  Started = 6,
  /** Run time in ms. */
  Elapsed = 7,
}

export const enum Flag {
  /** The payload (or result) does not fit, or has attachments: it comes as a message. */
  Parcel = 1,
  /** The same for the result. */
  ResultParcel = 2,
  /** In the queue of async nested tasks. */
  Async = 4,
  /** The payload is in the arena, in its owner's region. */
  Arena = 8,
  /** The result is in the arena, in the region of the worker that ran the task. */
  ResultArena = 16,
}

/** From this bit on the flags hold the number of inputs that follow the payload inline, each with its length in a byte before it. */
export const INPUTS_SHIFT = 8;

export const enum State {
  Free = 0,
  Queued = 1,
  Running = 2,
  Done = 3,
  Dropped = 4,
  Returned = 5,
}

const STATE_MASK = 7;
const ENVIRONMENT_SHIFT = 3;
const ENVIRONMENT_MASK = 0x3ff;
const GENERATION_SHIFT = 13;

/** Environments at most, root included. */
export const MAX_ENVIRONMENTS = ENVIRONMENT_MASK;

export function stateOf(word: number): State {
  return word & STATE_MASK;
}

export function runnerOf(word: number): number {
  return (word >> ENVIRONMENT_SHIFT) & ENVIRONMENT_MASK;
}

/** The same generation and runner in another state. */
export function withState(word: number, state: State): number {
  return (word & ~STATE_MASK) | state;
}

export function generationOf(word: number): number {
  return word >>> GENERATION_SHIFT;
}

/** The word of a running task. */
export function runningWord(queued: number, environment: number): number {
  return (queued & ~(STATE_MASK | (ENVIRONMENT_MASK << ENVIRONMENT_SHIFT))) | (environment << ENVIRONMENT_SHIFT) | State.Running;
}

/** The word that a running task had while it was queued. */
export function queuedWord(running: number): number {
  return (running & ~(STATE_MASK | (ENVIRONMENT_MASK << ENVIRONMENT_SHIFT))) | State.Queued;
}

/** The word of the next task in the slot, queued. */
export function nextQueuedWord(word: number): number {
  return (((word >>> GENERATION_SHIFT) + 1) << GENERATION_SHIFT) | State.Queued;
}

/** What an environment's thread does, as far as others must know. */
export const enum Mode {
  /** No thread. */
  None = 0,
  Starting = 1,
  Busy = 2,
  /** Looks for a task, or has been woken to. */
  Searching = 3,
  /** Waits on its event loop for a task. */
  Parked = 4,
  /** Blocked in a task's `get`, with nothing that it could run meanwhile. */
  Blocked = 5,
  /** Ends by itself. */
  Leaving = 6,
  Dead = 7,
  /** An extra worker that looks for a task or waits for one. Nobody counts on it, because it runs only those that workers have pushed. */
  Spare = 8,
  /** Such a one before it has started. */
  StartingSpare = 9,
}

export function isStarting(mode: Mode): boolean {
  return mode === Mode.Starting || mode === Mode.StartingSpare;
}

/** How an environment sleeps, in {@link E.Sleep}. Whoever has news exchanges it for 0 and notifies. */
export const enum Sleep {
  Awake = 0,
  /** In Atomics.wait. */
  Blocked = 1,
  /** On its event loop; wants to hear of everything. */
  Loop = 2,
  /** On its event loop; nobody there waits for a task, so only calls for service wake it. */
  Service = 3,
}

/** Words of an environment, 16 apart. */
export const enum E {
  Sleep = 0,
  InboxTail = 1,
  /** Slot + 1 whose parcel this worker waits for. */
  Want = 2,
  /** 1: somebody has a message or a request for this environment. */
  Service = 3,
  /** Exit code + 1 of a worker that ended by itself; see its Mode. */
  ExitCode = 4,
  /** Jobs that run on this worker, each in a slot. Only the worker changes it, and the root when the worker has ended. */
  Running = 5,
  /** Slot + 1 of the task that this worker is blocked for. */
  Awaited = 6,
  /** 1: the worker is about to be stopped, so it must not begin a task: see `stopLater`. */
  Doomed = 7,
  /** Who has counted the worker out of {@link P.Live}: 1 itself, when it left because it was idle; 2 the root. */
  Left = 8,
}
const ENVIRONMENT_WORDS = 16;

/** Words of the pool. */
export const enum P {
  Lock = 0,
  LockWaiters = 1,
  /** Workers that live, without the extra ones; and those. Only added to and subtracted from: each worker that leaves counts itself out, at any time. */
  Live = 16,
  Extras = 19,
  /** Queued tasks in slots, and those among them that workers pushed and that are async. */
  Queued = 17,
  QueuedAsync = 18,
  /** What workers ask of the root: see {@link Request}. */
  Requests = 20,
  KeyCount = 32,
  KeyTail = 33,
}
const POOL_WORDS = 48;

/** Bits of {@link P.Requests}. */
export const enum Request {
  /** One more worker. */
  Worker = 1,
  /** A worker other than the one that has been chosen, which has not come: what a task has left behind may keep its thread. */
  OtherWorker = 2,
}

const KEY_ENTRIES = 1 << 15;
const KEY_BYTES = 1 << 23;

/** What is sent to a worker so that it sees the same memory. */
export interface PoolBuffers {
  environments: number;
  queueBytes: number;
  arenaBytes: number;
  /**
   * All of it is one buffer, which has more than 32 MB for any number of environments: such sizes glibc always takes from the system and gives back to it, whereas after
   * the first that is freed it takes smaller ones from its heap and writes zeros over all of them.
   */
  memory: SharedArrayBuffer;
}

/** Where the parts begin, in bytes, and the size of all. */
function layoutOf(environments: number, queueBytes: number, arenaBytes: number) {
  const slotCount = ROOT_SLOTS + (environments - 1) * WORKER_SLOTS;
  const words = POOL_WORDS + environments * ENVIRONMENT_WORDS + roundUp(environments, 16) + slotCount * INBOX_FACTOR;
  const slots = roundUp(words * 4, 64);
  const keys = slots + slotCount * SLOT_WORDS * 4;
  const queues = keys + KEY_ENTRIES * 4 + KEY_BYTES;
  const arena = roundUp(queues + queueBytes, 64);
  return { words, slots, slotWords: slotCount * SLOT_WORDS, keys, queues, arena, size: arena + arenaBytes };
}

export class PoolMemory {
  readonly environments: number;
  /** Pool words, environment words, modes and inboxes. */
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly slots: Int32Array<SharedArrayBuffer>;
  readonly slotBytes: Uint8Array<SharedArrayBuffer>;
  /** A slot's times are at `slot * SLOT_WORDS / 2 + T.…`. */
  readonly times: Float64Array<SharedArrayBuffer>;
  readonly memory: SharedArrayBuffer;
  /** Byte in `memory` at which the queues begin. */
  readonly queuesAt: number;
  readonly arenaWords: Int32Array<SharedArrayBuffer>;
  readonly arenaBytes: Uint8Array<SharedArrayBuffer>;
  private readonly keyTable: Int32Array<SharedArrayBuffer>;
  private readonly keyBytes: Buffer;
  private readonly modes: number;
  private readonly inboxes: number;

  constructor(readonly buffers: PoolBuffers) {
    const { environments, queueBytes, arenaBytes, memory } = buffers;
    const { words, slots, slotWords, keys, queues, arena } = layoutOf(environments, queueBytes, arenaBytes);
    this.environments = environments;
    this.memory = memory;
    this.control = new Int32Array(memory, 0, words);
    this.slots = new Int32Array(memory, slots, slotWords);
    this.slotBytes = new Uint8Array(memory, slots, slotWords * 4);
    this.times = new Float64Array(memory, slots, slotWords / 2);
    this.queuesAt = queues;
    this.arenaWords = new Int32Array(memory, arena, arenaBytes / 4);
    this.arenaBytes = new Uint8Array(memory, arena, arenaBytes);
    this.keyTable = new Int32Array(memory, keys, KEY_ENTRIES);
    this.keyBytes = Buffer.from(memory, keys + KEY_ENTRIES * 4, KEY_BYTES);
    this.modes = POOL_WORDS + this.environments * ENVIRONMENT_WORDS;
    this.inboxes = this.modes + roundUp(this.environments, 16);
  }

  /**
   * Reserves the memory of a pool. Untouched pages cost address space only.
   * @param environments root and workers, at most at one time
   * @param queueBytes see SharedQueue
   * @param arenaBytes see Arena
   */
  static create(environments: number, queueBytes: number, arenaBytes: number): PoolMemory {
    const memory = new SharedArrayBuffer(layoutOf(environments, queueBytes, arenaBytes).size);
    return new PoolMemory({ environments, queueBytes, arenaBytes, memory });
  }

  /** Index in `control` of an environment's word. */
  word(environment: number, word: E): number {
    return POOL_WORDS + environment * ENVIRONMENT_WORDS + word;
  }

  /** Index in `control` of an environment's {@link Mode}. */
  modeIndex(environment: number): number {
    return this.modes + environment;
  }

  mode(environment: number): Mode {
    return Atomics.load(this.control, this.modes + environment);
  }

  setMode(environment: number, mode: Mode): void {
    Atomics.store(this.control, this.modes + environment, mode);
  }

  /** Jobs that run in slots, and the workers that have them. */
  running(): { jobs: number; workers: number } {
    let jobs = 0;
    let workers = 0;
    for (let environment = 1; environment < this.environments; environment++) {
      const count = Atomics.load(this.control, this.word(environment, E.Running));
      jobs += count;
      if (count > 0) workers++;
    }
    return { jobs, workers };
  }

  firstSlot(environment: number): number {
    return environment === 0 ? 0 : ROOT_SLOTS + (environment - 1) * WORKER_SLOTS;
  }

  slotCount(environment: number): number {
    return environment === 0 ? ROOT_SLOTS : WORKER_SLOTS;
  }

  /** Environment that a slot belongs to. */
  ownerOf(slot: number): number {
    return slot < ROOT_SLOTS ? 0 : 1 + Math.floor((slot - ROOT_SLOTS) / WORKER_SLOTS);
  }

  /** First word of an environment's inbox in `control`. */
  inboxStart(environment: number): number {
    return this.inboxes + this.firstSlot(environment) * INBOX_FACTOR;
  }

  inboxMask(environment: number): number {
    return this.slotCount(environment) * INBOX_FACTOR - 1;
  }

  /** Frees a slot's payload in the arena, if nobody has yet. */
  freePayload(base: number): void {
    const flags = this.slots[base + S.Flags]!;
    if ((flags & Flag.Arena) === 0) return;
    const header = (this.slots[base + S.PayloadAt]! >> 2) - 1;
    this.slots[base + S.Flags] = flags & ~Flag.Arena;
    Atomics.store(this.arenaWords, header, 0);
  }

  /** The same for its result. */
  freeResult(base: number): void {
    const flags = this.slots[base + S.Flags]!;
    if ((flags & Flag.ResultArena) === 0) return;
    const header = (this.slots[base + S.ResultAt]! >> 2) - 1;
    this.slots[base + S.Flags] = flags & ~Flag.ResultArena;
    Atomics.store(this.arenaWords, header, 0);
  }

  /** Tells the slot's owner that there is news of it. Many producers, one consumer; each entry is slot + 1. */
  note(owner: number, slot: number): void {
    const { control } = this;
    const start = this.inboxStart(owner);
    const mask = this.inboxMask(owner);
    const tail = this.word(owner, E.InboxTail);
    // No call of a function in between: a thread that is stopped there would leave a hole, and the owner would never get past it.
    Atomics.store(control, start + (Atomics.add(control, tail, 1) & mask), slot + 1);
  }

  /** Wakes an environment that waits for its tasks. */
  wake(environment: number): void {
    const at = this.word(environment, E.Sleep);
    const sleep = Atomics.load(this.control, at);
    if (sleep === Sleep.Awake || sleep === Sleep.Service) return;
    if (Atomics.exchange(this.control, at, Sleep.Awake) !== Sleep.Awake) Atomics.notify(this.control, at);
  }

  /** Wakes an environment because it must act, whether or not it waits for tasks. */
  callForService(environment: number): void {
    Atomics.store(this.control, this.word(environment, E.Service), 1);
    const at = this.word(environment, E.Sleep);
    if (Atomics.exchange(this.control, at, Sleep.Awake) !== Sleep.Awake) Atomics.notify(this.control, at);
  }

  /**
   * Wakes one parked worker when there are more queued tasks than workers that look for one.
   * @returns false when there was none to wake, although one was needed
   */
  wakeWorker(): boolean {
    const control = this.control;
    let needed = Atomics.load(control, P.Queued);
    const end = this.modes + this.environments;
    let parked = -1;
    for (let at = this.modes + 1; at < end && needed > 0; at++) {
      const mode = Atomics.load(control, at);
      if (mode === Mode.Searching || mode === Mode.Starting) needed--;
      else if (mode === Mode.Parked) parked = at;
    }
    if (needed <= 0) return true;
    if (parked < 0) return false;
    this.wakeParked(parked - this.modes);
    return true;
  }

  /**
   * Has an extra worker look for a task. One that is awake looks once more before it sleeps or leaves.
   * @returns false when there is none
   */
  wakeSpare(): boolean {
    const { control } = this;
    for (let environment = 1; environment < this.environments; environment++) {
      if (this.mode(environment) !== Mode.Spare) continue;
      const at = this.word(environment, E.Sleep);
      if (Atomics.exchange(control, at, Sleep.Awake) !== Sleep.Awake) Atomics.notify(control, at);
      return true;
    }
    return false;
  }

  /** Has a parked worker look for a task, unless it does something else by now. */
  wakeParked(environment: number): void {
    const { control } = this;
    if (Atomics.compareExchange(control, this.modes + environment, Mode.Parked, Mode.Searching) !== Mode.Parked) return;
    const at = this.word(environment, E.Sleep);
    if (Atomics.exchange(control, at, Sleep.Awake) !== Sleep.Awake) Atomics.notify(control, at);
  }

  /**
   * Nobody counts on the workers any more that have been chosen for a task, until they say themselves again what they do: one of them has not come for long. Those that
   * come meanwhile, or look for a task by themselves, lose nothing but this.
   */
  doubtSearching(): void {
    for (let at = this.modes + 1; at < this.modes + this.environments; at++)
      Atomics.compareExchange(this.control, at, Mode.Searching, Mode.Busy);
  }

  /** Appends a task key; never removed. Concurrent registrations of one key give it two indexes, which do no harm. */
  addKey(text: string): number {
    const length = Buffer.byteLength(text);
    const start = Atomics.add(this.control, P.KeyTail, length + 4);
    if (start + length + 4 > KEY_BYTES) throw new RangeError("The pool knows too many parallel functions.");
    this.keyBytes.writeInt32LE(length, start);
    this.keyBytes.write(text, start + 4);
    const index = Atomics.add(this.control, P.KeyCount, 1);
    if (index >= KEY_ENTRIES) throw new RangeError("The pool knows too many parallel functions.");
    Atomics.store(this.keyTable, index, start + 1);
    return index;
  }

  key(index: number): string {
    const start = Atomics.load(this.keyTable, index) - 1;
    return this.keyBytes.toString("utf8", start + 4, start + 4 + this.keyBytes.readInt32LE(start));
  }
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
