/**
 * What an environment (the program's thread, or a worker) notes about the tasks that it has pushed, in memory that the pool's root can read at any time,
 * while the worker runs and after its end: counts and times of each function, and the events of a trace.
 *
 * Nothing is sent. The environment is the only writer of everything but the TRACING and TAKEN words, which the root writes, and END, which both do. Memory that is never
 * touched costs address space only.
 *
 * ```text
 * Int32    control
 * ×FUNCTIONS   Int32 length of the name · UTF-8 "id\0name" · Float64 × RECORD (metrics.ts)
 * ×EVENTS      Float64 × EVENT (trace-events.ts), a ring
 * ```
 */

/** Words of the control block. */
export const enum C {
  /** 1 while the root traces. */
  Tracing = 0,
  /** Functions in the table. Stored after their names. */
  Functions = 1,
  /** Events written, modulo 2^32. Stored after the event. */
  Written = 2,
  /** Events that the root has taken, modulo 2^32. */
  Taken = 3,
  /** Events that found the ring full. */
  Dropped = 4,
  /** 1 once the worker has decided to end because there is nothing to do for it. */
  Leaving = 5,
  /** Who ends the thread: see thread-exit.ts. */
  End = 6,
}

const CONTROL_BYTES = 64;
/** Functions that an environment tells apart. The last entry stands for all that come after. */
export const FUNCTIONS = 256;
const NAME_BYTES = 508;
/** Float64s of a function's record. */
export const RECORD = 512;
const FUNCTION_BYTES = 4 + NAME_BYTES + RECORD * 8;
export const EVENTS = 1 << 14;
/** Float64s of an event. */
export const EVENT = 8;
const EVENTS_AT = CONTROL_BYTES + FUNCTIONS * FUNCTION_BYTES;

export class Telemetry {
  readonly control: Int32Array;
  readonly events: Float64Array;
  /** A trace has it, and reads it when it is saved. */
  recorded = false;
  private readonly bytes: Buffer;

  constructor(readonly memory: SharedArrayBuffer = new SharedArrayBuffer(EVENTS_AT + EVENTS * EVENT * 8)) {
    this.control = new Int32Array(memory, 0, CONTROL_BYTES / 4);
    this.events = new Float64Array(memory, EVENTS_AT, EVENTS * EVENT);
    this.bytes = Buffer.from(memory);
  }

  get functionCount(): number {
    return Atomics.load(this.control, C.Functions);
  }

  /** Adds a function to the table; its number. When the table is full: that of the entry for all others. */
  addFunction(id: string, name: string): number {
    const number = this.functionCount;
    if (number === FUNCTIONS) return FUNCTIONS - 1;
    const at = CONTROL_BYTES + number * FUNCTION_BYTES;
    let text = number === FUNCTIONS - 1 ? OTHERS : `${id}\0${name}`;
    // Ids hold a path: of one that is too long, the end is what tells it apart.
    while (Buffer.byteLength(text) > NAME_BYTES) text = text.slice(1);
    this.bytes.writeInt32LE(this.bytes.write(text, at + 4, NAME_BYTES), at);
    Atomics.store(this.control, C.Functions, number + 1);
    return number;
  }

  /** As new. Touches only what has been written; the events stay, and are not looked at. */
  clear(): void {
    this.bytes.fill(0, CONTROL_BYTES, CONTROL_BYTES + this.functionCount * FUNCTION_BYTES);
    this.control.fill(0);
  }

  function(number: number): { id: string; name: string } {
    const at = CONTROL_BYTES + number * FUNCTION_BYTES;
    const text = this.bytes.toString("utf8", at + 4, at + 4 + this.bytes.readInt32LE(at));
    const zero = text.indexOf("\0");
    return { id: text.slice(0, zero), name: text.slice(zero + 1) };
  }

  record(number: number): Float64Array {
    return new Float64Array(this.memory, CONTROL_BYTES + number * FUNCTION_BYTES + 4 + NAME_BYTES, RECORD);
  }
}

const OTHERS = "\0(other functions)";

/**
 * Of workers that have ended, for those that start. Memory that is new for each would not be without cost for long: V8 does not count shared memory when it decides about a
 * collection, and after the first that is freed glibc takes such sizes from its heap, where it writes zeros over all of it.
 */
const spare: Telemetry[] = [];

/** For a worker that is about to start; to be given back. */
export function takeTelemetry(): Telemetry {
  return spare.pop() ?? new Telemetry();
}

/** The thread that wrote to it has ended, or never started, and what it has noted has been read. */
export function giveTelemetryBack(memory: Telemetry): void {
  if (memory.recorded) return;
  memory.clear();
  spare.push(memory);
}

let own: Telemetry | undefined;
let given = false;

/** Whether the root traces, as `control[C.Tracing]`: looked at on each call, so it is there before the rest is needed. */
export let control: Int32Array = new Int32Array(1);

/** This environment's. */
export function telemetry(): Telemetry {
  if (own === undefined) adopt(new Telemetry());
  return own!;
}

function adopt(memory: Telemetry): void {
  own = memory;
  control = memory.control;
}

/** True in a worker of a pool. */
export function insideWorker(): boolean {
  return given;
}

/** For a worker's entry: the memory that the root has made for it. */
export function useTelemetry(memory: Telemetry): void {
  adopt(memory);
  given = true;
}

/** Says that this worker ends by itself, for lack of work. */
export function sayLeaving(): void {
  control[C.Leaving] = 1;
}
