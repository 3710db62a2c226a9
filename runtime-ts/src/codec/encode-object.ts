/**
 * Objects that are neither plain nor arrays, and functions.
 */
import { EventEmitter } from "node:events";
import { types } from "node:util";
import { HANDLE_BRAND, PARALLEL_BRAND, STAYS_BRAND, type HandleLike, type ParallelFunctionReference } from "./brands";
import { classByPrototype } from "./classes";
import { encodeArray } from "./encode-array";
import { encodeArrayBuffer, encodeSharedArrayBuffer, encodeView } from "./encode-binary";
import { encodeDOMException, encodeError } from "./encode-error";
import { encodeHost } from "./encode-host";
import { encodeInstance } from "./encode-instance";
import type { Encoder } from "./encoder";
import { WAY_OUT } from "./foreign-state";
import { lostClass } from "./flattened";
import { functionNumber } from "./function-fields";
import { Kind, article, className, classify, directKind } from "./kinds";
import { FunctionRefusal, Refusal, located, mapValueSegment } from "./refusal";
import { DEPTH_LIMIT, Tag } from "./tags";

const { entries: mapEntries } = Map.prototype;
const { values: setValues } = Set.prototype;
const mapSize = Object.getOwnPropertyDescriptor(Map.prototype, "size")!.get!;
const setSize = Object.getOwnPropertyDescriptor(Set.prototype, "size")!.get!;
const { getTime } = Date.prototype;
const regExpSource = Object.getOwnPropertyDescriptor(RegExp.prototype, "source")!.get!;
const regExpFlags = Object.getOwnPropertyDescriptor(RegExp.prototype, "flags")!.get!;

export function encodeObject(e: Encoder, value: object, prototype: object | null): void {
  if (prototype !== null) {
    const direct = directKind(value, prototype);
    if (direct !== undefined) return encodeKind(e, direct, value);
    if ((value as Partial<HandleLike>)[HANDLE_BRAND] === true) return encodeHandle(e, value as HandleLike);
    const entry = classByPrototype(prototype) ?? e.takeStandIn();
    if (entry !== undefined) return encodeInstance(e, entry, value);
    const stays = (value as { [STAYS_BRAND]?: unknown })[STAYS_BRAND];
    if (typeof stays === "string") throw new Refusal(stays);
  }
  const kind = classify(value, prototype);
  if (kind !== Kind.Ordinary) return encodeKind(e, kind, value);
  if (value instanceof EventEmitter) return encodeEmitter(e, value);
  if (prototype === null) return e.plain(value as Record<string, unknown>);
  e.flattens(lostClass(value, prototype));
  try {
    e.plain(value as Record<string, unknown>);
  } catch (error) {
    // An instance of a class that is not the project's: what is inside of it is of no use to who has to mend the call.
    if (error instanceof FunctionRefusal) error.within(article(className(value)), WAY_OUT);
    throw error;
  }
}

function encodeKind(e: Encoder, kind: Kind, value: object): void {
  switch (kind) {
    case Kind.Array:
      return encodeArray(e, value as unknown[]);
    case Kind.Map:
      if (e.depth >= DEPTH_LIMIT && e.defers(value, Tag.DeferredMap)) return;
      e.tag(Tag.Map);
      return encodeMap(e, value as Map<unknown, unknown>);
    case Kind.Set:
      if (e.depth >= DEPTH_LIMIT && e.defers(value, Tag.DeferredSet)) return;
      e.tag(Tag.Set);
      return encodeSet(e, value as Set<unknown>);
    case Kind.Date:
      e.tag(Tag.Date);
      return e.number(getTime.call(value as Date));
    case Kind.RegExp:
      e.tag(Tag.RegExp);
      return encodeRegExp(e, value);
    case Kind.URL:
      e.tag(Tag.URL);
      return e.string((value as URL).href);
    case Kind.URLSearchParams:
      e.tag(Tag.URLSearchParams);
      return e.string((value as URLSearchParams).toString());
    case Kind.Boxed:
      return encodeBoxed(e, value);
    case Kind.ArrayBuffer:
      return encodeArrayBuffer(e, value as ArrayBuffer);
    case Kind.SharedArrayBuffer:
      return encodeSharedArrayBuffer(e, value as SharedArrayBuffer);
    case Kind.View:
      return encodeView(e, value as ArrayBufferView);
    case Kind.Error:
      return encodeError(e, value);
    case Kind.DOMException:
      return encodeDOMException(e, value as DOMException);
    default:
      return encodeHost(e, value);
  }
}

export function encodeMap(e: Encoder, map: Map<unknown, unknown>): void {
  const size = mapSize.call(map) as number;
  e.uint(size);
  e.depth++;
  let i = 0;
  let key: unknown;
  let inKey = false;
  try {
    for (const entry of mapEntries.call(map) as IterableIterator<[unknown, unknown]>) {
      // getters of the entries may add to the map; what is sent is what it held
      if (i === size) break;
      key = entry[0];
      inKey = true;
      e.value(key);
      inKey = false;
      e.value(entry[1]);
      i++;
    }
  } catch (error) {
    throw located(error, inKey ? ` (map key ${i})` : mapValueSegment(key, i));
  }
  for (; i < size; i++) e.tag(Tag.Absent);
  e.depth--;
}

export function encodeSet(e: Encoder, set: Set<unknown>): void {
  const size = setSize.call(set) as number;
  e.uint(size);
  e.depth++;
  let i = 0;
  try {
    for (const element of setValues.call(set) as IterableIterator<unknown>) {
      if (i === size) break;
      e.value(element);
      i++;
    }
  } catch (error) {
    throw located(error, ` (set element ${i})`);
  }
  for (; i < size; i++) e.tag(Tag.Absent);
  e.depth--;
}

export function encodeRegExp(e: Encoder, value: object): void {
  e.string(regExpSource.call(value) as string);
  e.string(regExpFlags.call(value) as string);
}

/** Boolean, Number, String and BigInt objects, with their tag. */
export function encodeBoxed(e: Encoder, value: object): void {
  if (types.isNumberObject(value)) {
    e.tag(Tag.NumberObject);
    e.number(Number.prototype.valueOf.call(value));
  } else if (types.isStringObject(value)) {
    e.tag(Tag.StringObject);
    e.string(String.prototype.valueOf.call(value));
  } else if (types.isBooleanObject(value)) {
    e.tag(Tag.BooleanObject);
    e.value(Boolean.prototype.valueOf.call(value));
  } else {
    e.tag(Tag.BigIntObject);
    e.bigint(BigInt.prototype.valueOf.call(value));
  }
}

function encodeHandle(e: Encoder, handle: HandleLike): void {
  if (e.dependencies === undefined) {
    throw new Refusal("it is an AsyncHandle inside a result; return the handle itself, or await it first");
  }
  const settled = handle._settledValue?.();
  if (settled !== undefined) {
    // The value travels in the handle's place; what refers to the handle later is the value, once more.
    e.forgetLast(handle);
    // It stays the handle's: the option `transfer: "move"` is about the caller's own buffers, and does not reach those of a pending handle either.
    const { moveAll } = e;
    e.moveAll = false;
    try {
      e.value(settled.value);
    } finally {
      e.moveAll = moveAll;
    }
    return;
  }
  e.dependencies ??= [];
  e.tag(Tag.Dependency);
  e.uint(e.dependencies.length);
  e.dependencies.push(handle);
}

/**
 * An event emitter (a socket, a stream, a server) that has listeners or a native handle fails somewhere inside; the emitter is what the user
 * knows by name, so the path ends there.
 */
function encodeEmitter(e: Encoder, emitter: EventEmitter): void {
  try {
    e.plain(emitter as unknown as Record<string, unknown>);
  } catch (error) {
    if (error instanceof Refusal) {
      const inside = error.segments.splice(0).reverse().join("").replace(/^\./, "");
      error.reason = `it is ${article(className(emitter))}, which is bound to its thread (${inside}: ${error.reason})`;
    }
    throw error;
  }
}

export function encodeFunction(e: Encoder, value: Function): void {
  const reference = (value as unknown as Record<symbol, unknown>)[PARALLEL_BRAND] as ParallelFunctionReference | undefined;
  if (e.isKnown(value)) return;
  if (reference === undefined) return encodeMade(e, value);
  e.tag(Tag.ParallelFunction);
  e.string(reference.manifest);
  e.string(reference.id);
  e.string(reference.meta.name);
  e.number(reference.meta.length);
  e.number(reference.meta.flags);
  e.value(reference.captures);
  e.value(reference.options);
}

/** A function that the instance around it has been made with: the other side's has one like it. */
function encodeMade(e: Encoder, value: Function): void {
  const number = e.owner === undefined ? -1 : functionNumber(e.ownerEntry!, e.owner, value);
  if (number < 0) throw functionRefusal(value);
  e.tag(Tag.Made);
  e.uint(number);
}

function functionRefusal(value: Function): Refusal {
  const text = Function.prototype.toString.call(value);
  const name = value.name || "anonymous";
  if (/^class\b/.test(text)) return new FunctionRefusal(`it is a class (${name})`, "; code is not sent, only data");
  return new FunctionRefusal(`it is a function (${name})`, ", and what it captures cannot be sent; mark it with parallel() to pass it");
}
