/**
 * Is there room on the stack? What has been begun on shared memory, or taken out of it, must come to its end: where the stack could end in between, a call fails before it begins.
 * The same holds for what Node does when a thread is started, or a module is run for the first time: left in the middle, it is broken for good.
 *
 * V8's own limit is not to be had.
 */

/** So many words of stack, for as many arguments. */
export interface StackRoom {
  readonly words: number;
  /** Made at the first question: most threads never ask, and these would be half a megabyte of each. */
  args?: undefined[];
}

export function stackRoom(words: number): StackRoom {
  return { words };
}

/** For starting a thread. Less than what a wait wants, so that no wait begins for a thread that it has no room to start. */
export const ROOM_TO_START = stackRoom(8192);
/** For waiting: the event loop may turn meanwhile, and what is delivered in there needs room itself. */
export const ROOM_TO_WAIT = stackRoom(12_288);
/**
 * For making a pool. The native backend asks for room only where the stack is HIGH_STACK (runtime-native/src/binding/port.rs) above the lowest that it has seen, which is the pool's making at first:
 * so there must be as much between that and where a wait would have too little.
 */
export const ROOM_FOR_POOL = stackRoom(12_288 + 16_384 + 1024);

/**
 * Throws where the stack has no room for as many arguments as `room` has words. Recursion would not tell: how large its frames are depends on what V8 has made of it.
 * Some 0.6 ns a word.
 * @throws RangeError
 */
export function ensureStack(room: StackRoom): void {
  noop(...(room.args ??= new Array<undefined>(room.words).fill(undefined)));
}

/** Whether there is as much room. */
export function hasStack(room: StackRoom): boolean {
  try {
    ensureStack(room);
    return true;
  } catch {
    return false;
  }
}

/**
 * Throws the RangeError of a stack overflow now if it would be thrown within so many small frames (some 65 bytes each). For small numbers of them this is faster than {@link ensureStack}.
 */
export function reserveStack(frames: number): number {
  return frames === 0 ? 0 : reserveStack(frames - 1) + 1;
}

/** The stack has been near its end, and the event loop has not turned since then. */
let near = false;

/**
 * The check for what is called often. Whoever comes to the end of the stack comes from there: one call has failed for the want of a few frames before any other is tried further down. From then on
 * all of the room is asked for, until the event loop turns.
 * @throws RangeError
 */
export function mindStack(frames: number, room: StackRoom): void {
  if (near) {
    ensureStack(room);
    return;
  }
  try {
    reserveStack(frames);
  } catch (error) {
    near = true;
    throw error;
  }
}

/** {@link mindStack} for who can do without. */
export function mayGoOn(frames: number, room: StackRoom): boolean {
  try {
    mindStack(frames, room);
    return true;
  } catch {
    return false;
  }
}

/** The event loop turns: the stack is as low as it can be. */
export function stackIsLow(): void {
  near = false;
}

function noop(..._: undefined[]): void {}
