/**
 * Instances of registered classes.
 *
 *     Instance  class number (and, the first time, its id)  base kind, and in the upper bits its integrity level
 *               for a base that can only be made whole (date, regular expression, buffer, view, boxed): its value; of a DOMException, message and name
 *               number of classes with private fields, and for each the values of these, most derived first
 *               for a base that is filled (array, map, set, error): its content
 *               own enumerable properties, as one of the object tags
 */
import { EventEmitter } from "node:events";
import { type ClassEntry, classByPrototype } from "./classes";
import { attachment, encodeArrayBuffer, encodeView } from "./encode-binary";
import { encodeElements } from "./encode-array";
import { encodeErrorParts } from "./encode-error";
import { encodeBoxed, encodeMap, encodeRegExp, encodeSet } from "./encode-object";
import type { Encoder } from "./encoder";
import { privateStateOf, WAY_OUT } from "./foreign-state";
import { Kind, hasKind } from "./kinds";
import { Refusal, located } from "./refusal";
import { DEPTH_LIMIT, Tag } from "./tags";
import type { UsedFields } from "../stub-meta";

/** Of the byte that names the base; the upper ones are an {@link Integrity}. */
export const BASE_BITS = 4;

/** What has been done to an object with `Object.preventExtensions`, `seal` or `freeze`. */
export const enum Integrity {
  Extensible = 0,
  NonExtensible,
  Sealed,
  Frozen,
}

/** Of an error it does not travel: who gets one adds to its stack. */
function integrityOf(value: object, base: Kind): Integrity {
  if (Object.isExtensible(value) || base === Kind.Error || base === Kind.DOMException) return Integrity.Extensible;
  return Object.isFrozen(value) ? Integrity.Frozen : Object.isSealed(value) ? Integrity.Sealed : Integrity.NonExtensible;
}

/** Bases whose instance exists before its content is known. */
export function isFilled(base: Kind): boolean {
  return base === Kind.Array || base === Kind.Map || base === Kind.Set || base === Kind.Error || base === Kind.Ordinary;
}

export function encodeInstance(e: Encoder, entry: ClassEntry, value: object): void {
  const base = entry.base;
  if (base !== Kind.Ordinary && !hasKind(value, base)) {
    throw new Refusal(`it has the prototype of ${entry.constructor_.name} but was not made by its constructor`);
  }
  if (isFilled(base) && e.depth >= DEPTH_LIMIT) {
    e.defers(value, Tag.DeferredInstance);
    return classNumber(e, entry);
  }
  const { chain, foreign } = entry;
  const fields = e.takeFields();
  if (foreign.obstacle !== undefined) throw new Refusal(foreign.obstacle);
  e.tag(Tag.Instance);
  classNumber(e, entry);
  e.tag(base | (integrityOf(value, base) << BASE_BITS));
  e.depth++;
  if (!isFilled(base)) encodeWhole(e, base, value);
  const privates: unknown[] = [];
  const { owner, ownerEntry } = e;
  e.owner = value;
  e.ownerEntry = entry;
  e.uint(chain.length);
  for (const accessors of chain) {
    const values = privateValues(entry, accessors, value);
    privates.push(...values);
    e.uint(values.length);
    let i = 0;
    try {
      for (; i < values.length; i++) e.value(travels(fields, accessors.names?.[i]) ? values[i] : undefined);
    } catch (error) {
      throw located(error, accessors.names?.[i] ?? ` (private field ${i + 1} of ${entry.constructor_.name})`);
    }
  }
  if (foreign.inherits) refuseForeignState(entry, value, privates);
  if (fields === undefined) encodeContent(e, entry, base, value);
  else {
    e.tag(Tag.ObjectPairs);
    e.namedValues(
      value as Record<string, unknown>,
      Object.keys(value).filter((key) => fields.includes(key)),
    );
  }
  e.owner = owner;
  e.ownerEntry = ownerEntry;
  e.depth--;
}

/** @param written how a field outside of the properties is written after the instance; what is kept for it elsewhere, and is no field, begins with a space */
function travels(fields: readonly string[] | undefined, written: string | undefined): boolean {
  return fields === undefined || written === undefined || written.startsWith(" ") || fields.includes(written.replace(/^\./, ""));
}

/**
 * The fields of an instance that a task uses.
 * @returns undefined when that can't be said of this one: it is of a subclass that has something of its own in the place of a method or field that is used
 */
export function fieldsToSend(self: unknown, used: UsedFields): readonly string[] | undefined {
  if (typeof self !== "object" || self === null) return undefined;
  const prototype = Object.getPrototypeOf(self) as object | null;
  const entry = prototype === null ? undefined : classByPrototype(prototype);
  if (entry === undefined || entry.base !== Kind.Ordinary || entry.foreign.inherits) return undefined;
  const below: object[] = [];
  for (let p = prototype; p !== null; p = Object.getPrototypeOf(p) as object | null) {
    const names = used[classByPrototype(p)?.id ?? ""];
    if (names !== undefined) return below.some((other) => names.some((name) => Object.hasOwn(other, name))) ? undefined : names;
    below.push(p);
  }
  return undefined;
}

let emitterSymbols: ReadonlySet<symbol> | undefined;

/**
 * What a base class that is not the project's keeps in the instance, and what can't cross: properties under symbols that the other side can't know, listeners.
 * @param known values of fields that travel, among them those named by symbols
 */
function refuseForeignState(entry: ClassEntry, value: object, known: readonly unknown[]): void {
  const { name } = entry.constructor_;
  if (value instanceof EventEmitter) {
    const { _events, _readableState, _writableState } = value as { _events?: object; _readableState?: unknown; _writableState?: unknown };
    if (_readableState !== undefined || _writableState !== undefined)
      throw new Refusal(`${name} is a stream, which is bound to its thread`);
    const [event] = Reflect.ownKeys(_events ?? {});
    if (event !== undefined) {
      throw new Refusal(
        `it has listeners (of ${event.toString()}), which can't leave their thread. Remove them before the call, or pass what the task needs and make the instance there`,
      );
    }
    emitterSymbols ??= new Set(Object.getOwnPropertySymbols(new EventEmitter()));
  }
  for (const symbol of Object.getOwnPropertySymbols(value)) {
    if (value instanceof EventEmitter && emitterSymbols!.has(symbol)) continue;
    const state = (value as Record<symbol, unknown>)[symbol];
    if (state === undefined || known.includes(state)) continue;
    throw new Refusal(`it keeps state under ${symbol.toString()}, and ${name} extends a class that is not the project's. ${WAY_OUT}`);
  }
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
    case Kind.DOMException:
      e.string((value as DOMException).message);
      return e.string((value as DOMException).name);
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
    case Kind.DOMException:
      return encodeErrorParts(e, value as Error, (value as Error).name);
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

/**
 * What `this` of a task method travels as when its own class is none that other threads have, one made inside a function: the class that it extends, as long as
 * it adds no members to that. Among arguments such an object becomes a plain one, as with structured clone; without any method a method can do nothing.
 * @returns undefined when its class is registered, or has nothing to do with one that is
 * @throws Refusal for members of its own
 */
export function standInFor(receiver: object): ClassEntry | undefined {
  const prototype = Object.getPrototypeOf(receiver) as object | null;
  for (let p = prototype; p !== null; p = Object.getPrototypeOf(p) as object | null) {
    const entry = classByPrototype(p);
    if (entry !== undefined) return p === prototype ? undefined : entry;
    if (Reflect.ownKeys(p).every((key) => key === "constructor") && privateStateOf(sourceOf(p)).length === 0) continue;
    const known = nearest(p);
    if (known === undefined) return undefined;
    const name = (p.constructor as Function | undefined)?.name;
    throw new Refusal(`its class, ${unreachable(name, known)}. ${WAY_OUT}, or declare the class at its module's top level`);
  }
  return undefined;
}

/** What there is to say of a class that is not registered, though one that it extends is. */
export function unreachable(name: string | undefined, known: ClassEntry): string {
  return `${name || "a class without a name"}, extends ${known.constructor_.name} and is made inside a function or an expression, or in a file that makeparallel has not built, where other threads can't get it`;
}

function nearest(prototype: object): ClassEntry | undefined {
  for (let p: object | null = prototype; p !== null; p = Object.getPrototypeOf(p) as object | null) {
    const entry = classByPrototype(p);
    if (entry !== undefined) return entry;
  }
  return undefined;
}

function sourceOf({ constructor }: object): string {
  return typeof constructor === "function" ? Function.prototype.toString.call(constructor) : "";
}
