/**
 * `move` and `share`: how a caller says that bytes are not to be copied.
 */
import { inspect, types } from "node:util";
import * as threads from "node:worker_threads";
import { TransferError } from "../errors";
import { VIEW_CONSTRUCTORS, viewNumber } from "./kinds";
import { limitStackTraces } from "../stack-trace-limit";

/** Buffers that the next payload they occur in moves. The values stay what they are, so `move(x)` has the type and the behaviour of `x`. */
const marked = new WeakSet<ArrayBuffer>();

export function isMarkedForMove(buffer: ArrayBuffer): boolean {
  return marked.has(buffer);
}

/** Gives a mark back that a payload has used up which came to nothing. */
export function markForMove(buffer: ArrayBuffer): void {
  marked.add(buffer);
}

/** A mark counts for one payload. */
export function clearMove(buffer: ArrayBuffer): void {
  marked.delete(buffer);
}

/** What `move` and `share` take. */
export type Bytes = ArrayBufferLike | ArrayBufferView;

/**
 * Hands the memory of a buffer over to the task (or, in `return move(x)`, to the caller) without a copy. It is detached here when the call has been
 * made: after a TransferError it is still intact. Use it in the argument list: `f(move(pixels))`.
 * @param x an ArrayBuffer, or a view on one (whose whole buffer goes, with all other views on it)
 * @returns x itself
 * @throws TransferError when there is nothing to move: x is no buffer, is shared memory, or has been moved already
 */
export function move<T extends ArrayBuffer | ArrayBufferView>(x: T): T {
  const buffer: unknown = ArrayBuffer.isView(x) ? x.buffer : x;
  if (types.isSharedArrayBuffer(buffer)) {
    throw new TransferError("move(): shared memory is not moved; pass it as it is, both threads see it", { path: "move()" });
  }
  if (!types.isArrayBuffer(buffer)) {
    throw new TransferError("move(): only an ArrayBuffer, a typed array, a DataView or a Buffer can be moved", { path: "move()" });
  }
  if (isDetached(buffer)) {
    throw new TransferError("move(): this buffer has been moved already", { path: "move()" });
  }
  // A slice of Node's pool cannot leave it; it is small, and is copied
  if (!(ArrayBuffer.isView(x) && isPooled(x, buffer))) marked.add(buffer);
  return x;
}

/** True for a buffer whose memory has been handed over. */
export function isDetached(buffer: ArrayBuffer): boolean {
  // `detached` is not in Node 20; an ArrayBuffer without memory refuses views
  if (buffer.byteLength !== 0) return false;
  try {
    new Uint8Array(buffer);
    return false;
  } catch {
    return true;
  }
}

/** WebAssembly.Memory's buffers are made of such pages. */
const WASM_PAGE = 65_536;
const { isMarkedAsUntransferable } = threads as { isMarkedAsUntransferable?: (value: object) => boolean };

/**
 * Whether a view is a Buffer in Node's pool, which must be neither sent whole nor moved. Node marks the pool as untransferable, and from some release of 26 on makes it larger than
 * `poolSize` says; Node 20 can't be asked for the mark.
 */
export function isPooled(view: ArrayBufferView, buffer: ArrayBufferLike): boolean {
  if (view.byteLength >= buffer.byteLength || Object.getPrototypeOf(view) !== Buffer.prototype) return false;
  return buffer.byteLength === Buffer.poolSize || isMarkedAsUntransferable?.(buffer) === true;
}

/**
 * Whether the platform lets go of a buffer's memory. No property says so; a transfer list that names the buffer twice does, by what it complains of, without
 * detaching anything. That costs 4 µs, so only buffers that may be WebAssembly.Memory's are tried.
 */
export function isMovable(buffer: ArrayBuffer): boolean {
  if (isMarkedAsUntransferable?.(buffer) === true) return false;
  if (buffer.byteLength === 0 || buffer.byteLength % WASM_PAGE !== 0) return true;
  const limit = Error.stackTraceLimit;
  limitStackTraces(0);
  try {
    structuredClone(0, { transfer: [buffer, buffer] });
    return false;
  } catch (error) {
    return /duplicate/i.test((error as Error).message);
  } finally {
    limitStackTraces(limit);
  }
}

type TypedArrayConstructor<T> = {
  new (buffer: SharedArrayBuffer, byteOffset: number, length: number): T;
  readonly BYTES_PER_ELEMENT: number;
};

/**
 * Copies bytes into memory that all threads see; passing the result to a task copies nothing.
 * @param x an ArrayBuffer (gives a SharedArrayBuffer), or a typed array or DataView (gives one of the same type; a Buffer gives a Uint8Array).
 *   What is shared already is returned as it is
 * @returns the shared copy
 * @throws TransferError for anything else
 */
export function share(x: ArrayBuffer): SharedArrayBuffer;
export function share<T extends Bytes>(x: T): T;
export function share(x: Bytes): Bytes {
  if (ArrayBuffer.isView(x)) {
    if (types.isSharedArrayBuffer(x.buffer)) return x;
    const shared = copyShared(new Uint8Array(x.buffer, x.byteOffset, x.byteLength));
    const constructor = VIEW_CONSTRUCTORS[viewNumber(x)];
    if (constructor === undefined) throw new TransferError("share(): an unknown kind of typed array", { path: "share()" });
    return new constructor(shared);
  }
  if (types.isSharedArrayBuffer(x)) return x;
  if (!types.isArrayBuffer(x)) {
    throw new TransferError("share(): only an ArrayBuffer, a typed array or a DataView can be shared", { path: "share()" });
  }
  return copyShared(new Uint8Array(x));
}

function copyShared(bytes: Uint8Array): SharedArrayBuffer {
  const shared = new SharedArrayBuffer(bytes.byteLength);
  new Uint8Array(shared).set(bytes);
  return shared;
}

/**
 * A zeroed typed array in memory that all threads see.
 * @param constructor `Float64Array`, `Int32Array`, …
 * @param length number of elements
 * @returns the array
 * @throws TypeError when `constructor` is none of a typed array; RangeError for a bad length
 */
export function sharedArray<T>(constructor: TypedArrayConstructor<T>, length: number): T {
  if (typeof constructor !== "function" || !Number.isInteger(constructor.BYTES_PER_ELEMENT))
    throw new TypeError(`sharedArray() takes the class of a typed array, such as Float64Array, not ${inspect(constructor)}.`);
  if (!Number.isInteger(length) || length < 0)
    throw new RangeError(`The length of a shared array is a whole number >= 0, not ${inspect(length)}.`);
  return new constructor(new SharedArrayBuffer(length * constructor.BYTES_PER_ELEMENT), 0, length);
}
