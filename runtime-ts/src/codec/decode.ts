/**
 * Decoding of calls and results: the entry points over decoder.ts.
 */
import type { Encoded } from "../pool/backend";
import { decodePayload, type Decoder } from "./decoder";

/**
 * What {@link encodeCall} was given: `[receiver?, ...captures, ...args]`.
 * @param inputs encoded results of the AsyncHandles among the values, by placeholder index
 */
export function decodeCall(payload: Encoded, inputs: readonly Encoded[] | null): unknown[] {
  return decodePayload(payload, inputs, readCall);
}

function readCall(d: Decoder): unknown[] {
  const count = d.count();
  const values: unknown[] = [];
  for (let i = 0; i < count; i++) values.push(d.value());
  return values;
}

export function decodeValue(payload: Encoded): unknown {
  return decodePayload(payload, null, readValue);
}

function readValue(d: Decoder): unknown {
  return d.value();
}
