/**
 * Queues in shared memory, and the lock that guards them.
 *
 * Each queue is a ring for the tasks of priority 0, which are nearly all, and a binary heap for the others. Entries name a slot and the state word
 * that it had: an entry whose slot has moved on (cancelled, or claimed by its own environment) is skipped, so nothing is ever removed from the middle.
 *
 * A stream of higher priorities does not keep lower ones waiting for ever, see fairness.ts.
 *
 * A thread can be terminated while it holds the lock only inside the heap's loops (see typescript-memory.ts). The root frees such a lock and
 * rebuilds the heap, see `recover`.
 */
import { PATIENCE, TAKINGS, clock } from "./fairness";
import { P, type PoolMemory, S, SLOT_WORDS, State, stateOf } from "./typescript-memory";

/** Words of a ring's entry: slot, state word. */
const RING_ENTRY = 2;
/** Bytes of a heap's entry: priority and sequence as float64, slot, state word. */
const HEAP_ENTRY = 24;

const enum Q {
  Head = 0,
  Tail = 1,
  HeapSize = 2,
  /** Counts pushes, so that the heap is first-in-first-out within a priority. */
  Sequence = 3,
  // Of the epoch that lasts now: entries taken, and when it began.
  Taken = 4,
  Began = 5,
  // As they were when it began.
  HeadBefore = 6,
  TailBefore = 7,
  SequenceBefore = 8,
  /** Who was let through last, the ring (0) or the heap (1). */
  Favoured = 9,
}
const QUEUE_WORDS = 16;

/** What a taking takes. */
const enum Next {
  ByPriority,
  Ring,
  Heap,
}

/** Longest wait for the lock in ms before its holder's life is questioned. */
const LOCK_PATIENCE = 20;

/** Mutual exclusion of the pool's environments. */
export class QueueLock {
  /** Called when the lock has been held for long; frees it if the holder is dead. Only the root can tell. */
  suspect: ((holder: number) => void) | undefined;

  constructor(
    private readonly control: Int32Array<SharedArrayBuffer>,
    private readonly self: number,
  ) {}

  acquire(): void {
    const mine = this.self + 1;
    if (Atomics.compareExchange(this.control, P.Lock, 0, mine) === 0) return;
    this.contend(mine);
  }

  private contend(mine: number): void {
    for (let spins = 0; ; spins++) {
      const holder = Atomics.compareExchange(this.control, P.Lock, 0, mine);
      if (holder === 0) return;
      if (spins < 200) continue;
      Atomics.add(this.control, P.LockWaiters, 1);
      const waited = Atomics.wait(this.control, P.Lock, holder, LOCK_PATIENCE);
      Atomics.sub(this.control, P.LockWaiters, 1);
      if (waited === "timed-out") this.suspect?.(holder - 1);
    }
  }

  release(): void {
    Atomics.store(this.control, P.Lock, 0);
    if (Atomics.load(this.control, P.LockWaiters) !== 0) Atomics.notify(this.control, P.Lock, 1);
  }
}

/** A queue's entry as one number. */
export function entryKey(slot: number, word: number): number {
  return slot * 2 ** 32 + (word >>> 0);
}

export class SharedQueue {
  private readonly words: Int32Array<SharedArrayBuffer>;
  private readonly ring: Int32Array<SharedArrayBuffer>;
  private readonly heapOrder: Float64Array<SharedArrayBuffer>;
  private readonly heapEntries: Int32Array<SharedArrayBuffer>;
  private readonly slots: Int32Array<SharedArrayBuffer>;
  private readonly ringMask: number;
  private readonly heapCapacity: number;

  /**
   * @param start byte of the queues' part at which it begins, a multiple of 8
   * @param capacity entries of ring and of heap each; a power of two
   */
  constructor(
    memory: PoolMemory,
    start: number,
    capacity: number,
    private readonly lock: QueueLock,
  ) {
    let at = memory.queuesAt + start;
    this.words = new Int32Array(memory.memory, at, QUEUE_WORDS);
    at += QUEUE_WORDS * 4;
    this.heapOrder = new Float64Array(memory.memory, at, capacity * 2);
    at += capacity * 16;
    this.heapEntries = new Int32Array(memory.memory, at, capacity * 2);
    at += capacity * 8;
    this.ring = new Int32Array(memory.memory, at, capacity * RING_ENTRY);
    this.slots = memory.slots;
    this.ringMask = capacity - 1;
    this.heapCapacity = capacity;
  }

  static bytes(capacity: number): number {
    return QUEUE_WORDS * 4 + capacity * (HEAP_ENTRY + RING_ENTRY * 4);
  }

  /** Nothing in it, as far as can be told without the lock. */
  get empty(): boolean {
    return Atomics.load(this.words, Q.Head) === Atomics.load(this.words, Q.Tail) && Atomics.load(this.words, Q.HeapSize) === 0;
  }

  /** @returns false when it is full */
  push(slot: number, word: number, priority: number): boolean {
    this.lock.acquire();
    if (priority !== 0) {
      const pushed = this.heapPush(slot, word, priority);
      this.lock.release();
      return pushed;
    }
    const tail = this.words[Q.Tail]!;
    const full = ((tail - this.words[Q.Head]!) | 0) > this.ringMask;
    if (!full) {
      const at = (tail & this.ringMask) * RING_ENTRY;
      this.ring[at] = slot;
      this.ring[at + 1] = word;
      Atomics.store(this.words, Q.Tail, (tail + 1) | 0);
    }
    this.lock.release();
    return !full;
  }

  /**
   * Priority of the first entry, or -Infinity when it is empty. Stale entries count, so this is a hint.
   */
  peekPriority(): number {
    const top = Atomics.load(this.words, Q.HeapSize) === 0 ? -Infinity : this.heapOrder[0]!;
    if (top >= 0) return top;
    return Atomics.load(this.words, Q.Head) === Atomics.load(this.words, Q.Tail) ? top : 0;
  }

  /**
   * Takes the first entry that is not stale.
   * @param found receives the state word at [0]
   * @returns the slot, or -1 when the queue is empty
   */
  pop(found: Int32Array): number {
    while (!this.empty) {
      let slot = -1;
      let word = 0;
      this.lock.acquire();
      const next = this.next();
      const ringEmpty = this.words[Q.Head] === this.words[Q.Tail];
      if (next === Next.Heap || (next !== Next.Ring && this.words[Q.HeapSize]! > 0 && (this.heapOrder[0]! > 0 || ringEmpty))) {
        slot = this.heapEntries[0]!;
        word = this.heapEntries[1]!;
        this.heapPop();
      } else if (!ringEmpty) {
        const head = this.words[Q.Head]!;
        const at = (head & this.ringMask) * RING_ENTRY;
        slot = this.ring[at]!;
        word = this.ring[at + 1]!;
        Atomics.store(this.words, Q.Head, (head + 1) | 0);
      }
      this.lock.release();
      if (slot >= 0 && Atomics.load(this.slots, slot * SLOT_WORDS + S.State) === word) {
        found[0] = word;
        return slot;
      }
    }
    return -1;
  }

  /** Adds the {@link entryKey}s of what is in it. */
  collect(entries: Set<number>): void {
    this.lock.acquire();
    for (let at = this.words[Q.Head]!; at !== this.words[Q.Tail]; at = (at + 1) | 0) {
      const entry = (at & this.ringMask) * RING_ENTRY;
      entries.add(entryKey(this.ring[entry]!, this.ring[entry + 1]!));
    }
    for (let i = 0; i < this.words[Q.HeapSize]!; i++) entries.add(entryKey(this.heapEntries[i * 2]!, this.heapEntries[i * 2 + 1]!));
    this.lock.release();
  }

  /** Counts a taking. At the end of an epoch, what has been passed over all through it goes next. */
  private next(): Next {
    const { words } = this;
    if ((++words[Q.Taken]! & (TAKINGS - 1)) !== 0) return Next.ByPriority;
    const now = clock();
    if (((now - words[Q.Began]!) | 0) < PATIENCE) return Next.ByPriority;
    const head = words[Q.Head]!;
    const ring = head === words[Q.HeadBefore] && head !== words[Q.TailBefore];
    const heap = this.longestPassedOver();
    words[Q.Began] = now;
    words[Q.Taken] = 0;
    words[Q.HeadBefore] = head;
    words[Q.TailBefore] = words[Q.Tail]!;
    words[Q.SequenceBefore] = words[Q.Sequence]!;
    if (heap >= 0 && !(ring && words[Q.Favoured] === 1)) {
      this.promote(heap);
      words[Q.Favoured] = 1;
      return Next.Heap;
    }
    words[Q.Favoured] = 0;
    return ring ? Next.Ring : Next.ByPriority;
  }

  /** The oldest entry in the heap that has seen the whole epoch and is not of the highest priority there; -1 if there is none. */
  private longestPassedOver(): number {
    const { words, heapOrder } = this;
    // While the ring goes first, all of the heap is passed over.
    const highest = words[Q.Head] === words[Q.Tail] || heapOrder[0]! > 0 ? heapOrder[0]! : Infinity;
    let oldest = words[Q.SequenceBefore]! >>> 0;
    let found = -1;
    for (let i = 0; i < words[Q.HeapSize]!; i++) {
      const sequence = heapOrder[i * 2 + 1]!;
      if (sequence >= oldest || heapOrder[i * 2] === highest) continue;
      oldest = sequence;
      found = i;
    }
    return found;
  }

  /** Brings an entry of the heap to its top. */
  private promote(at: number): void {
    this.heapOrder[at * 2] = Infinity;
    this.heapOrder[at * 2 + 1] = -1;
    this.siftUp(at, Infinity, -1);
  }

  /** The lock's holder died inside the heap: keeps the entries that are whole, and orders them anew. */
  recover(): void {
    const kept = new Map<number, { priority: number; sequence: number; word: number }>();
    // A torn sift has at most one entry twice and lost none: the one that moves is written before its old place is overwritten.
    for (let i = 0; i < this.words[Q.HeapSize]!; i++) {
      const slot = this.heapEntries[i * 2]!;
      const word = this.heapEntries[i * 2 + 1]!;
      if (stateOf(word) !== State.Queued || Atomics.load(this.slots, slot * SLOT_WORDS + S.State) !== word) continue;
      kept.set(slot, { priority: this.heapOrder[i * 2]!, sequence: this.heapOrder[i * 2 + 1]!, word });
    }
    const sorted = [...kept].sort(([, a], [, b]) => b.priority - a.priority || a.sequence - b.sequence);
    sorted.forEach(([slot, entry], i) => {
      this.heapOrder[i * 2] = entry.priority;
      this.heapOrder[i * 2 + 1] = entry.sequence;
      this.heapEntries[i * 2] = slot;
      this.heapEntries[i * 2 + 1] = entry.word;
    });
    Atomics.store(this.words, Q.HeapSize, sorted.length);
  }

  private heapPush(slot: number, word: number, priority: number): boolean {
    const order = this.heapOrder;
    const entries = this.heapEntries;
    const at = this.words[Q.HeapSize]!;
    if (at >= this.heapCapacity) return false;
    const sequence = this.words[Q.Sequence]!++ >>> 0;
    // First a valid entry at the end, then swaps: whatever interrupts this leaves every entry in the heap.
    order[at * 2] = priority;
    order[at * 2 + 1] = sequence;
    entries[at * 2] = slot;
    entries[at * 2 + 1] = word;
    Atomics.store(this.words, Q.HeapSize, at + 1);
    this.siftUp(at, priority, sequence);
    return true;
  }

  private siftUp(at: number, priority: number, sequence: number): void {
    const order = this.heapOrder;
    const entries = this.heapEntries;
    const slot = entries[at * 2]!;
    const word = entries[at * 2 + 1]!;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const parentPriority = order[parent * 2]!;
      if (parentPriority > priority || (parentPriority === priority && order[parent * 2 + 1]! < sequence)) break;
      order[at * 2] = parentPriority;
      order[at * 2 + 1] = order[parent * 2 + 1]!;
      const parentSlot = entries[parent * 2]!;
      const parentWord = entries[parent * 2 + 1]!;
      order[parent * 2] = priority;
      order[parent * 2 + 1] = sequence;
      entries[parent * 2] = slot;
      entries[parent * 2 + 1] = word;
      entries[at * 2] = parentSlot;
      entries[at * 2 + 1] = parentWord;
      at = parent;
    }
  }

  /** Removes the first entry. */
  private heapPop(): void {
    const order = this.heapOrder;
    const entries = this.heapEntries;
    const size = this.words[Q.HeapSize]! - 1;
    const priority = order[size * 2]!;
    const sequence = order[size * 2 + 1]!;
    const slot = entries[size * 2]!;
    const word = entries[size * 2 + 1]!;
    order[0] = priority;
    order[1] = sequence;
    entries[0] = slot;
    entries[1] = word;
    Atomics.store(this.words, Q.HeapSize, size);
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= size) return;
      if (child + 1 < size) {
        const left = order[child * 2]!;
        const right = order[child * 2 + 2]!;
        if (right > left || (right === left && order[child * 2 + 3]! < order[child * 2 + 1]!)) child++;
      }
      const childPriority = order[child * 2]!;
      if (childPriority < priority || (childPriority === priority && order[child * 2 + 1]! > sequence)) return;
      const childSlot = entries[child * 2]!;
      const childWord = entries[child * 2 + 1]!;
      order[at * 2] = childPriority;
      order[at * 2 + 1] = order[child * 2 + 1]!;
      order[child * 2] = priority;
      order[child * 2 + 1] = sequence;
      entries[child * 2] = slot;
      entries[child * 2 + 1] = word;
      entries[at * 2] = childSlot;
      entries[at * 2 + 1] = childWord;
      at = child;
    }
  }
}

/** The pool's three queues. */
export class Queues {
  /** Tasks that the root pushed. */
  readonly outside: SharedQueue;
  /** Tasks that workers pushed; a blocked worker may run them. */
  readonly nested: SharedQueue;
  /** Tasks that workers pushed and that need an event loop: a blocked worker can't run them. */
  readonly nestedAsync: SharedQueue;
  readonly lock: QueueLock;

  constructor(memory: PoolMemory, self: number) {
    this.lock = new QueueLock(memory.control, self);
    this.outside = new SharedQueue(memory, 0, OUTSIDE_CAPACITY, this.lock);
    this.nested = new SharedQueue(memory, SharedQueue.bytes(OUTSIDE_CAPACITY), NESTED_CAPACITY, this.lock);
    this.nestedAsync = new SharedQueue(
      memory,
      SharedQueue.bytes(OUTSIDE_CAPACITY) + SharedQueue.bytes(NESTED_CAPACITY),
      NESTED_CAPACITY,
      this.lock,
    );
  }

  /** {@link entryKey}s of all entries. */
  entries(): Set<number> {
    const entries = new Set<number>();
    for (const queue of [this.outside, this.nested, this.nestedAsync]) queue.collect(entries);
    return entries;
  }

  recover(): void {
    this.outside.recover();
    this.nested.recover();
    this.nestedAsync.recover();
  }
}

/** More than slots, because cancelled tasks leave stale entries. */
const OUTSIDE_CAPACITY = 1 << 17;
const NESTED_CAPACITY = 1 << 16;

export const QUEUE_BYTES = SharedQueue.bytes(OUTSIDE_CAPACITY) + 2 * SharedQueue.bytes(NESTED_CAPACITY);
