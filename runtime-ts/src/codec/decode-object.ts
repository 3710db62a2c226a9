/**
 * Makes plain objects. A literal with computed keys is two to four times faster than assignments to an empty object: the engine caches the literal's
 * hidden class by its first keys, where assignments walk from class to class. Its keys are own properties whatever their name.
 */
import type { Decoder } from "./decoder";

/* eslint-disable prettier/prettier */
/** Reads a value for each key, in order. */
export function buildObject(d: Decoder, k: readonly string[]): Record<string, unknown> {
  switch (k.length) {
    case 0: return {};
    case 1: return { [k[0]!]: d.value() };
    case 2: return { [k[0]!]: d.value(), [k[1]!]: d.value() };
    case 3: return { [k[0]!]: d.value(), [k[1]!]: d.value(), [k[2]!]: d.value() };
    case 4: return { [k[0]!]: d.value(), [k[1]!]: d.value(), [k[2]!]: d.value(), [k[3]!]: d.value() };
    case 5: return { [k[0]!]: d.value(), [k[1]!]: d.value(), [k[2]!]: d.value(), [k[3]!]: d.value(), [k[4]!]: d.value() };
    case 6: return { [k[0]!]: d.value(), [k[1]!]: d.value(), [k[2]!]: d.value(), [k[3]!]: d.value(), [k[4]!]: d.value(), [k[5]!]: d.value() };
    case 7: return { [k[0]!]: d.value(), [k[1]!]: d.value(), [k[2]!]: d.value(), [k[3]!]: d.value(), [k[4]!]: d.value(), [k[5]!]: d.value(), [k[6]!]: d.value() };
    case 8: return { [k[0]!]: d.value(), [k[1]!]: d.value(), [k[2]!]: d.value(), [k[3]!]: d.value(), [k[4]!]: d.value(), [k[5]!]: d.value(), [k[6]!]: d.value(), [k[7]!]: d.value() };
    default: return buildLarge(d, k);
  }
}

function buildLarge(d: Decoder, k: readonly string[]): Record<string, unknown> {
  const object: Record<string, unknown> = {
    [k[0]!]: d.value(), [k[1]!]: d.value(), [k[2]!]: d.value(), [k[3]!]: d.value(), [k[4]!]: d.value(), [k[5]!]: d.value(), [k[6]!]: d.value(), [k[7]!]: d.value(),
    [k[8]!]: d.value(),
  };
  for (let i = 9; i < k.length; i++) {
    const key = k[i]!;
    const value = d.value();
    if (key === "__proto__") Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
    else object[key] = value;
  }
  return object;
}
