/** The counterpart of encode-instance.ts. */
import { ChunkError } from "../errors";
import { entryById, type ClassEntry } from "./classes";
import { decodeElements } from "./decode-array";
import { decodeErrorParts } from "./decode-error";
import type { Decoder } from "./decoder";
import { BASE_BITS, Integrity, isFilled } from "./encode-instance";
import { functionsIn } from "./function-fields";
import { Kind, hasKind } from "./kinds";
import { empty, makeShell, withLayers } from "./shells";

/** @param into a deferred instance to fill, or null */
export function decodeInstance(d: Decoder, into: object | null): object {
  const entry = classOf(d);
  const kinds = d.byte();
  const base = (kinds & ((1 << BASE_BITS) - 1)) as Kind;
  if (base !== entry.base) {
    throw new ChunkError(`the class ${entry.id} extends something else on the other side: program and chunks are of different builds`);
  }
  const { chain } = entry;
  let instance: object;
  if (into !== null) {
    if (Object.getPrototypeOf(into) !== entry.prototype) d.corrupt("a deferred instance of another class");
    instance = into;
  } else if (isFilled(base)) {
    instance = d.register(shell(entry));
  } else {
    const slot = d.open();
    instance = d.references[slot] = withLayers(entry, decodeWhole(d, entry));
    keepFunctions(entry, instance);
  }
  if (d.uint() !== chain.length) {
    throw new ChunkError(`the class ${entry.id} has other private fields on the other side: program and chunks are of different builds`);
  }
  const outer = d.functions;
  // Only what its constructor has made can have any.
  d.functions = chain.length === 0 ? undefined : made.get(instance);
  for (const accessors of chain) {
    const count = d.count();
    const values: unknown[] = [];
    for (let i = 0; i < count; i++) values.push(d.value());
    accessors.set(instance, values);
  }
  decodeContent(d, base, instance);
  if (d.functions !== undefined) made.delete(instance);
  d.functions = outer;
  restrict(instance, kinds >> BASE_BITS);
  return instance;
}

function restrict(instance: object, integrity: Integrity): void {
  if (integrity === Integrity.Frozen) Object.freeze(instance);
  else if (integrity === Integrity.Sealed) Object.seal(instance);
  else if (integrity === Integrity.NonExtensible) Object.preventExtensions(instance);
}

/** The functions that instances have been made with, until their content has come. */
const made = new WeakMap<object, readonly Function[]>();

function keepFunctions(entry: ClassEntry, instance: object): void {
  const functions = functionsIn(entry, instance);
  if (functions.length > 0) made.set(instance, functions);
}

function shell(entry: ClassEntry): object {
  const instance = makeShell(entry);
  if (entry.layers.length > 0) {
    keepFunctions(entry, instance);
    empty(instance);
  }
  return instance;
}

/** The empty instance that a deferred tag stands for. */
export function shellOf(d: Decoder): object {
  return shell(classOf(d));
}

function classOf(d: Decoder): ClassEntry {
  const number = d.uint();
  if (number < d.classes.length) return d.classes[number]!;
  if (number > d.classes.length) d.corrupt("an unknown class");
  const id = d.string();
  const entry = entryById(id);
  if (entry === undefined) {
    throw new ChunkError(
      `cannot revive an instance of ${id}: this thread has not loaded that class, and no chunk of the manifest exports it`,
    );
  }
  d.classes.push(entry);
  return entry;
}

/** A base that can only be made whole is made as itself and given the class's prototype. */
function decodeWhole(d: Decoder, entry: ClassEntry): object {
  const { base, constructor_ } = entry;
  if (base === Kind.Date) return Reflect.construct(Date, [d.number()], constructor_) as object;
  if (base === Kind.DOMException) {
    const message = d.string();
    return Reflect.construct(DOMException, [message, d.string()], constructor_) as object;
  }
  const whole = base === Kind.RegExp ? d.regExp() : d.value();
  if (typeof whole !== "object" || whole === null || !hasKind(whole, base)) d.corrupt("an instance without its base");
  return Object.setPrototypeOf(whole, entry.prototype) as object;
}

function decodeContent(d: Decoder, base: Kind, instance: object): void {
  switch (base) {
    case Kind.Array:
      (instance as unknown[]).length = 0;
      decodeElements(d, d.byte(), instance as unknown[], false);
      break;
    case Kind.Map:
      d.map(instance as Map<unknown, unknown>);
      break;
    case Kind.Set:
      d.set(instance as Set<unknown>);
      break;
    case Kind.Error:
    case Kind.DOMException:
      return decodeErrorParts(d, instance as Error);
    default:
      break;
  }
  d.properties(instance, true);
}
