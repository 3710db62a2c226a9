/** The counterpart of encode-array.ts. */
import { arrayFor } from "../array-room";
import type { Decoder } from "./decoder";
import { Tag } from "./tags";

/** @param into a deferred array to fill (which has its reference number), or null */
export function decodeArray(d: Decoder, tag: number, into: unknown[] | null): unknown[] {
  if (tag !== Tag.ArrayNamed) return decodeElements(d, tag, into, into === null);
  const array = decodeElements(d, d.byte(), into, into === null);
  return d.pairs(array, true);
}

/** @param register whether the array is to get a reference number */
export function decodeElements(d: Decoder, tag: number, into: unknown[] | null, register: boolean): unknown[] {
  const length = d.uint();
  if (length > 0xffff_ffff) d.corrupt("an array is longer than arrays can be");
  let array: unknown[];
  let i = 0;
  switch (tag) {
    case Tag.Array:
      array = into ?? arrayFor(length <= d.end - d.pos ? length : 0);
      if (register) d.register(array);
      break;
    case Tag.ArrayInt32:
      i = leading(d, length, 4);
      array = int32s(d, into ?? arrayFor(i === length ? length : 0), i);
      if (register) d.register(array);
      break;
    case Tag.ArrayFloat64:
      i = leading(d, length, 8);
      array = float64s(d, into ?? arrayFor(i === length ? length : 0), i);
      if (register) d.register(array);
      break;
    default:
      return d.corrupt("an array is missing");
  }
  while (i < length) {
    if (d.bytes[d.pos] === Tag.Holes && d.pos < d.end) {
      d.pos++;
      i += d.uint();
      if (i > length) d.corrupt("more holes than the array is long");
      continue;
    }
    array[i++] = d.value();
  }
  if (array.length !== length) array.length = length;
  return array;
}

/**
 * Decodes an array's elements into a part of another one.
 * @param at where the first goes
 * @param length how many there must be
 */
export function decodeInto(d: Decoder, into: unknown[], at: number, length: number): void {
  const tag = d.byte();
  if (tag === Tag.ArrayInt32 || tag === Tag.ArrayFloat64) {
    const start = d.pos;
    if (d.uint() === length && leading(d, length, tag === Tag.ArrayInt32 ? 4 : 8) === length) {
      if (tag === Tag.ArrayInt32) int32s(d, into, length, at);
      else float64s(d, into, length, at);
      return;
    }
    d.pos = start;
  }
  const array = decodeArray(d, tag, null);
  if (array.length !== length) d.corrupt("an array has another length than was asked for");
  for (let i = 0; i < length; i++) into[at + i] = array[i];
}

function leading(d: Decoder, length: number, size: number): number {
  d.need(4);
  const count = d.view.getUint32(d.pos, true);
  d.pos += 4;
  if (count > length) d.corrupt("more numbers than the array is long");
  d.need(count * size);
  return count;
}

function int32s(d: Decoder, array: unknown[], count: number, at = 0): unknown[] {
  const { view } = d;
  let { pos } = d;
  const end = at + count;
  for (let i = at; i < end; i++, pos += 4) array[i] = view.getInt32(pos, true);
  d.pos = pos;
  return array;
}

function float64s(d: Decoder, array: unknown[], count: number, at = 0): unknown[] {
  const { view } = d;
  let { pos } = d;
  const end = at + count;
  for (let i = at; i < end; i++, pos += 8) array[i] = view.getFloat64(pos, true);
  d.pos = pos;
  return array;
}
