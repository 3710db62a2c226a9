/**
 * Decoding of calls and results: the entry points over decoder.ts.
 */
import type { Encoded } from "../pool/backend";
import { decodeFor, type Side } from "./classes";
import { decodeInto } from "./decode-array";
import { acquire, explain, release } from "./decoder";
import { tellFlattened } from "./flattened";
import { SHORT_STRING, SMALL_INT, Tag } from "./tags";

/**
 * What `encodeCall` was given: `[receiver?, ...captures, ...args]`.
 * @param payload its bytes may be reused afterwards
 * @param inputs encoded results of the AsyncHandles among the values, by placeholder index
 * @throws Error for bytes that no encoder has written, ChunkError for an instance of a class that is not to be found
 */
export function decodeCall(payload: Encoded, inputs: readonly Encoded[] | null): unknown[] {
  const d = acquire();
  try {
    d.begin(payload, inputs);
    const count = d.count();
    const values: unknown[] = [];
    for (let i = 0; i < count; i++) values.push(d.value());
    d.finish();
    tellFlattened(d.flattened);
    return values;
  } catch (error) {
    throw explain(error, d);
  } finally {
    release(d);
  }
}

/** The same for code of a side, whose classes the instances get. */
export function decodeCallFor(side: Side, payload: Encoded, inputs: readonly Encoded[] | null): unknown[] {
  const outer = decodeFor(side);
  try {
    return decodeCall(payload, inputs);
  } finally {
    decodeFor(outer);
  }
}

/**
 * What `encodeValue` or `encodeError` was given.
 * @throws as {@link decodeCall}
 */
export function decodeValue(payload: Encoded): unknown {
  const { bytes, start, end } = payload;
  // Results are often a byte
  if (end - start === 1 && end <= bytes.length) {
    const tag = bytes[start]!;
    if (tag < SHORT_STRING) {
      if (tag >= SMALL_INT) return tag - SMALL_INT;
      if (tag === Tag.Undefined) return undefined;
      if (tag === Tag.Null) return null;
      if (tag === Tag.True) return true;
      if (tag === Tag.False) return false;
    }
  }
  const d = acquire();
  try {
    d.begin(payload, null);
    const value = d.value();
    d.finish();
    return value;
  } catch (error) {
    throw explain(error, d);
  } finally {
    release(d);
  }
}

/**
 * What `encodeValue` was given, an array of `length` elements, into a part of another array.
 * @param at where the first element goes
 * @throws as {@link decodeCall}
 */
export function decodeItems(payload: Encoded, into: unknown[], at: number, length: number): void {
  const d = acquire();
  try {
    d.begin(payload, null);
    decodeInto(d, into, at, length);
    d.finish();
  } catch (error) {
    throw explain(error, d);
  } finally {
    release(d);
  }
}
