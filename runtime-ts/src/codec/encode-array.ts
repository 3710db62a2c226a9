/**
 * Arrays. Leading numbers are written untagged, as int32 while that holds and then as doubles; what follows, holes, and named properties have their
 * own forms.
 */
import { inspect } from "node:util";
import type { Encoder } from "./encoder";
import { located } from "./refusal";
import { DEPTH_LIMIT, Tag } from "./tags";

const hasOwn = Object.prototype.hasOwnProperty;

/** Shorter arrays of numbers are smaller, and as fast, with tags. */
const MIN_TYPED = 6;
/** Numbers between two checks for room. */
const BLOCK = 4096;
/** Numbers for which room is made at once. */
const LIKELY = 1 << 20;
/** From this length on, asking `inspect` for named properties is cheaper than listing all keys. */
const LONG = 80;
/** After so many holes in a row the rest is walked by its keys. */
const MANY_HOLES = 32;

export function encodeArray(e: Encoder, array: unknown[]): void {
  if (e.depth >= DEPTH_LIMIT && e.defers(array, Tag.DeferredArray)) return;
  const names = namedProperties(array);
  if (names !== null) e.tag(Tag.ArrayNamed);
  e.depth++;
  encodeElements(e, array);
  e.depth--;
  if (names !== null) e.namedValues(array as unknown as Record<string, unknown>, names);
}

/** Own enumerable keys that are no indices; null for none. */
function namedProperties(array: unknown[]): string[] | null {
  const length = array.length;
  if (length > LONG) {
    // Shows named properties after "… more items", without looking at the elements: constant time, where Object.keys is linear and slow
    const shown = inspect(array, { maxArrayLength: 0, depth: 0, customInspect: false, breakLength: Infinity, compact: true });
    if (/\[ \.\.\. \d+ more items? \]$/.test(shown)) return null;
  }
  const keys = Object.keys(array);
  let first = keys.length;
  if (first === 0 || (first === length && keys[first - 1] === String(length - 1))) return null;
  // indices come first
  while (first > 0 && !isIndex(keys[first - 1]!)) first--;
  return first === keys.length ? null : keys.slice(first);
}

function isIndex(key: string): boolean {
  const code = key.charCodeAt(0);
  if (!(code >= 48 && code <= 57)) return false;
  const index = Number(key) >>> 0;
  return index !== 0xffff_ffff && String(index) === key;
}

/** Length and elements, with their tag; those from `start` to `end`, if not all. */
export function encodeElements(e: Encoder, array: unknown[], start = 0, end = array.length): void {
  const length = end - start;
  if (length >= MIN_TYPED) {
    const first = array[start];
    if (typeof first === "number") return encodeNumbers(e, array, start, end, first);
    e.tag(Tag.Array);
    e.uint(length);
    encodeMixed(e, array, start, end, first);
    return;
  }
  e.tag(Tag.Array);
  e.uint(length);
  if (length !== 0) encodeMixed(e, array, start, end, array[start]);
}

/**
 * @param value element `i`, which has been read already: no accessor is called twice
 * @param length index after the last element
 */
function encodeMixed(e: Encoder, array: unknown[], i: number, length: number, value: unknown): void {
  try {
    for (;;) {
      if (value === undefined && !hasOwn.call(array, i)) {
        i = encodeHoles(e, array, i, length);
        if (i === length) return;
        value = array[i];
        // an accessor has removed it: it counts as undefined
      }
      e.value(value);
      if (++i >= length) return;
      value = array[i];
    }
  } catch (error) {
    throw located(error, `[${i}]`);
  }
}

/** A run of holes from `i` on. @returns the index after it */
function encodeHoles(e: Encoder, array: unknown[], i: number, length: number): number {
  let end = i + 1;
  const near = Math.min(length, i + MANY_HOLES);
  while (end < near && !hasOwn.call(array, end)) end++;
  if (end === near && end < length && !hasOwn.call(array, end)) end = nextIndex(array, end, length);
  e.tag(Tag.Holes);
  e.uint(end - i);
  return end;
}

/** Keys of the sparse array that was walked last: one listing for a whole walk. */
let listed: { array: unknown[]; keys: string[]; at: number } | null = null;

/** The first own index after `from`, by listing the keys: an array of length 4e9 with three elements has three keys. */
function nextIndex(array: unknown[], from: number, length: number): number {
  if (listed === null || listed.array !== array) listed = { array, keys: Object.keys(array), at: 0 };
  const { keys } = listed;
  let at = listed.at;
  if (at > 0 && Number(keys[at - 1]) >= from) at = 0;
  while (at < keys.length) {
    const key = keys[at]!;
    if (!isIndex(key)) break;
    const index = Number(key);
    if (index >= length) break;
    at++;
    if (index >= from && hasOwn.call(array, index)) {
      listed.at = at;
      return index;
    }
  }
  listed = null;
  return length;
}

/** Forgets the array that was walked last. */
export function forgetListing(): void {
  listed = null;
}

function isInt32(value: number): boolean {
  return (value | 0) === value && (value !== 0 || 1 / value > 0);
}

function encodeNumbers(e: Encoder, array: unknown[], start: number, end: number, value: number): void {
  const length = end - start;
  e.tag(Tag.ArrayInt32);
  const tagAt = e.pos - 1;
  e.uint(length);
  // Growing once is cheaper than growing block by block, as long as what follows is likely to be numbers as well
  e.reserve(4 + 8 * Math.min(length, LIKELY));
  const countAt = e.pos;
  e.pos += 4;
  const dataAt = e.pos;
  let next: unknown = value;
  let i = start;
  if (isInt32(value)) {
    i = int32s(e, array, start, end, value);
    next = lastRead;
  }
  if (i < end && typeof next === "number") {
    e.bytes[tagAt] = Tag.ArrayFloat64;
    widen(e, dataAt, i - start);
    i = float64s(e, array, i, end, next);
    next = lastRead;
  }
  e.view.setUint32(countAt, i - start, true);
  lastRead = undefined;
  if (i < end) encodeMixed(e, array, i, end, next);
}

/** The element at which {@link int32s} or {@link float64s} stopped: a second result without an allocation. */
let lastRead: unknown;

/**
 * The loops below keep the element in a constant of the loop's body: a variable that also holds the first, tagged value would make the engine allocate
 * a heap number for each double (four times slower).
 *
 * @param first element `from`, an int32
 * @param length index after the last element
 * @returns the index of the first element that is no int32 (it is in `lastRead`), or `length`
 */
function int32s(e: Encoder, array: unknown[], from: number, length: number, first: number): number {
  e.reserve(4);
  e.view.setInt32(e.pos, first, true);
  e.pos += 4;
  let i = from + 1;
  while (i < length) {
    const stop = Math.min(length, i + BLOCK);
    e.reserve((stop - i) * 4);
    const view = e.view;
    let pos = e.pos;
    for (; i < stop; i++) {
      const value = array[i];
      if (typeof value !== "number" || !isInt32(value)) {
        e.pos = pos;
        lastRead = value;
        return i;
      }
      view.setInt32(pos, value, true);
      pos += 4;
    }
    e.pos = pos;
  }
  return length;
}

/** @param first element `from`, a number. @returns the index of the first element that is no number (it is in `lastRead`), or `length` */
function float64s(e: Encoder, array: unknown[], from: number, length: number, first: number): number {
  e.reserve(8);
  e.view.setFloat64(e.pos, first, true);
  e.pos += 8;
  let i = from + 1;
  while (i < length) {
    const stop = Math.min(length, i + BLOCK);
    e.reserve((stop - i) * 8);
    const view = e.view;
    let pos = e.pos;
    for (; i < stop; i++) {
      const value = array[i];
      if (typeof value !== "number") {
        e.pos = pos;
        lastRead = value;
        return i;
      }
      view.setFloat64(pos, value, true);
      pos += 8;
    }
    e.pos = pos;
  }
  return length;
}

/** Makes the `count` int32 at `start`, the last bytes written, doubles. */
function widen(e: Encoder, start: number, count: number): void {
  e.reserve(count * 4);
  const view = e.view;
  for (let i = count - 1; i >= 0; i--) view.setFloat64(start + i * 8, view.getInt32(start + i * 4, true), true);
  e.pos += count * 4;
}
