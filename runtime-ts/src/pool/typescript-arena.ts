/**
 * Shared memory for payloads that do not fit into a slot. Every environment has a region that only it allocates from; whoever has read a block marks it
 * free, and the region's owner takes freed blocks back in the order in which it gave them out: a ring without a lock.
 *
 * Who frees a block is fixed by the flags of the slot that names it (`Flag.Arena`, `Flag.ResultArena`): whoever clears the flag. Clearing and freeing
 * are two plain stores in a row, between which a thread can't be stopped (typescript-memory.ts).
 */
import type { PoolMemory } from "./typescript-memory";

const ROOT_BYTES = 8 << 20;
const WORKER_BYTES = 1 << 20;

/** Largest block as a part of the region. */
const LARGEST = 16;

const HEADER_BYTES = 8;

export function arenaBytes(environments: number): number {
  return ROOT_BYTES + (environments - 1) * WORKER_BYTES;
}

/** First byte and size of an environment's region. */
export function arenaRegion(environment: number): { start: number; bytes: number } {
  return environment === 0
    ? { start: 0, bytes: ROOT_BYTES }
    : { start: ROOT_BYTES + (environment - 1) * WORKER_BYTES, bytes: WORKER_BYTES };
}

export class Arena {
  private readonly words: Int32Array<SharedArrayBuffer>;
  private readonly bytes: Uint8Array<SharedArrayBuffer>;
  private readonly start: number;
  private readonly size: number;
  /** Bytes of the largest payload that it takes. */
  readonly limit: number;
  /** Offsets in the region; equal when nothing is in use. */
  private head = 0;
  private tail = 0;

  constructor(memory: PoolMemory, environment: number) {
    this.words = memory.arenaWords;
    this.bytes = memory.arenaBytes;
    const region = arenaRegion(environment);
    this.start = region.start;
    this.size = region.bytes;
    this.limit = region.bytes / LARGEST;
  }

  /**
   * Copies a payload into a new block.
   * @returns where its bytes start, or -1 when there is no room
   */
  put(source: Uint8Array, length: number): number {
    const block = this.allocate((length + HEADER_BYTES + 7) & ~7);
    if (block < 0) return -1;
    const at = block + HEADER_BYTES;
    this.bytes.set(length === source.length ? source : source.subarray(0, length), at);
    return at;
  }

  private allocate(need: number): number {
    const { words, start, size } = this;
    while (this.tail !== this.head) {
      const header = (start + this.tail) >> 2;
      if (Atomics.load(words, header + 1) !== 0) break;
      this.tail += words[header]!;
      if (this.tail === size) this.tail = 0;
    }
    // Starting over keeps the part that is ever touched small.
    if (this.tail === this.head) this.head = this.tail = 0;
    let at = this.head;
    if (at >= this.tail) {
      const rest = size - at;
      if (need > rest || (need === rest && this.tail === 0)) {
        if (need >= this.tail) return -1;
        const filler = (start + at) >> 2;
        words[filler] = rest;
        Atomics.store(words, filler + 1, 0);
        at = 0;
      }
    } else if (need >= this.tail - at) {
      return -1;
    }
    const header = (start + at) >> 2;
    words[header] = need;
    Atomics.store(words, header + 1, 1);
    this.head = at + need === size ? 0 : at + need;
    return start + at;
  }
}
