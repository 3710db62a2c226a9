/** Where two values differ, as JavaScript tells values apart: -0 from 0, holes from `undefined`, prototypes, descriptors of own properties. */

import { types } from "node:util";

/** @returns the first difference, in words, or undefined */
export function difference(a: unknown, b: unknown, path = "value", seen = new Map<object, object>()): string | undefined {
  if (Object.is(a, b)) return undefined;
  const differs = (what = "value"): string => `${path}: ${what}: ${show(a)} ≠ ${show(b)}`;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return differs();
  // The same object twice on one side has to be the same twice on the other.
  if (seen.has(a)) return seen.get(a) === b ? undefined : differs("another object");
  seen.set(a, b);
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return differs("prototype");
  if (types.isDate(a)) return types.isDate(b) && Object.is(a.getTime(), b.getTime()) ? undefined : differs();
  if (types.isRegExp(a)) return types.isRegExp(b) && String(a) === String(b) && a.lastIndex === b.lastIndex ? undefined : differs();
  if (types.isMap(a)) return types.isMap(b) ? difference([...a], [...b], `${path}<entries>`, seen) : differs();
  if (types.isSet(a)) return types.isSet(b) ? difference([...a], [...b], `${path}<entries>`, seen) : differs();
  if (types.isArrayBuffer(a)) return types.isArrayBuffer(b) ? difference(new Uint8Array(a), new Uint8Array(b), path, seen) : differs();
  const skip = a instanceof Error ? new Set<string | symbol>(["stack"]) : undefined;
  const keysOf = (value: object): (string | symbol)[] => Reflect.ownKeys(value).filter((key) => !skip?.has(key));
  const [keys, others] = [keysOf(a), keysOf(b)];
  if (keys.length !== others.length || keys.some((key, index) => others[index] !== key))
    return differs(`keys ${keys.map(String)} ≠ ${others.map(String)}`);
  for (const key of keys) {
    const found = difference(read(a, key), read(b, key), `${path}.${String(key)}`, seen);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A getter may throw. */
function read(from: object, key: string | symbol): unknown {
  try {
    return (from as Record<string | symbol, unknown>)[key];
  } catch (error) {
    return error;
  }
}

export function show(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === "bigint") return `${value}n`;
  if (Object.is(value, -0)) return "-0";
  try {
    return (typeof value === "object" ? JSON.stringify(value) : String(value)).slice(0, 120);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
