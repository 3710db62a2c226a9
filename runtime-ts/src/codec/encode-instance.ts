/**
 * Instances of registered classes.
 *
 *     Instance  class number (and, the first time, its id)  base kind
 *               for a base that can only be made whole (date, regular expression, buffer, view, boxed): its value
 *               number of classes with private fields, and for each the values of these, most derived first
 *               for a base that is filled (array, map, set, error): its content
 *               own enumerable properties, as one of the object tags
 */
import type { ClassEntry } from "./classes";
import { attachment, encodeArrayBuffer, encodeView } from "./encode-binary";
import { encodeElements } from "./encode-array";
import { encodeErrorParts } from "./encode-error";
import { encodeBoxed, encodeMap, encodeRegExp, encodeSet } from "./encode-object";
import type { Encoder } from "./encoder";
import { Kind, hasKind } from "./kinds";
import { Refusal, located } from "./refusal";
import { DEPTH_LIMIT, Tag } from "./tags";

/** Bases whose instance exists before its content is known. */
export function isFilled(base: Kind): boolean {
  return base === Kind.Array || base === Kind.Map || base === Kind.Set || base === Kind.Error || base === Kind.Ordinary;
}

export function encodeInstance(e: Encoder, entry: ClassEntry, value: object): void {
  const base = entry.base;
  if (base !== Kind.Ordinary && !hasKind(value, base)) {
    throw new Refusal(`it has the prototype of ${entry.constructor_.name} but was not made by its constructor`);
  }
  if (base === Kind.Ordinary && e.depth >= DEPTH_LIMIT) {
    e.defers(value, Tag.DeferredInstance);
    return classNumber(e, entry);
  }
  const chain = entry.chain;
  if (chain.length !== 0 && !isFilled(base) && base !== Kind.Date) {
    throw new Refusal(`${entry.constructor_.name} extends a built-in that cannot be made anew around private fields`);
  }
  e.tag(Tag.Instance);
  classNumber(e, entry);
  e.tag(base);
  e.depth++;
  if (!isFilled(base)) encodeWhole(e, base, value);
  e.uint(chain.length);
  for (const accessors of chain) {
    const values = privateValues(entry, accessors, value);
    e.uint(values.length);
    let i = 0;
    try {
      for (; i < values.length; i++) e.value(values[i]);
    } catch (error) {
      throw located(error, accessors.names?.[i] || ` (private field ${i + 1} of ${entry.constructor_.name})`);
    }
  }
  encodeContent(e, entry, base, value);
  e.depth--;
}

function privateValues(entry: ClassEntry, accessors: ClassEntry["chain"][number], value: object): unknown[] {
  try {
    return accessors.get(value);
  } catch (error) {
    // Reading a field runs no code that could throw: it has none of them, as a proxy has none of what it stands for.
    throw new Refusal(
      `it has the prototype of ${entry.constructor_.name} but was not made by its constructor (${(error as Error).message})`,
    );
  }
}

function classNumber(e: Encoder, entry: ClassEntry): void {
  const number = e.classes.indexOf(entry);
  if (number >= 0) return e.uint(number);
  e.uint(e.classes.length);
  e.classes.push(entry);
  e.string(entry.id);
}

function encodeWhole(e: Encoder, base: Kind, value: object): void {
  switch (base) {
    case Kind.Date:
      return e.number(Date.prototype.getTime.call(value as Date));
    case Kind.RegExp:
      return encodeRegExp(e, value);
    case Kind.Boxed:
      e.anonymousReference();
      return encodeBoxed(e, value);
    case Kind.ArrayBuffer:
      e.anonymousReference();
      return encodeArrayBuffer(e, value as ArrayBuffer);
    case Kind.SharedArrayBuffer:
      e.anonymousReference();
      return attachment(e, value);
    default:
      e.anonymousReference();
      return encodeView(e, value as ArrayBufferView);
  }
}

function encodeContent(e: Encoder, entry: ClassEntry, base: Kind, value: object): void {
  switch (base) {
    case Kind.Array:
      encodeElements(e, value as unknown[]);
      return named(e, value, (key) => !/^\d/.test(key));
    case Kind.Map:
      encodeMap(e, value as Map<unknown, unknown>);
      break;
    case Kind.Set:
      encodeSet(e, value as Set<unknown>);
      break;
    case Kind.Error:
      return encodeErrorParts(e, value as Error, (entry.prototype as Error).name);
    case Kind.View:
      return named(e, value, (key) => !/^\d/.test(key));
    default:
      break;
  }
  e.properties(value as Record<string, unknown>);
}

/** Own properties of an object that has elements as well. */
function named(e: Encoder, value: object, test: (key: string) => boolean): void {
  const keys = Object.keys(value).filter(test);
  e.tag(Tag.ObjectPairs);
  e.namedValues(value as Record<string, unknown>, keys);
}
