/** The counterpart of encode-instance.ts. */
import { ChunkError } from "../errors";
import { entryById, revival, type ClassEntry } from "./classes";
import { decodeElements } from "./decode-array";
import { decodeErrorParts, makeError } from "./decode-error";
import type { Decoder } from "./decoder";
import { isFilled } from "./encode-instance";
import { Kind, hasKind } from "./kinds";
import { limitStackTraces } from "../stack-trace-limit";

/** @param into a deferred instance to fill, or null */
export function decodeInstance(d: Decoder, into: object | null): object {
  const entry = classOf(d);
  const base = d.byte() as Kind;
  if (base !== entry.base) {
    throw new ChunkError(`the class ${entry.id} extends something else on the other side: program and chunks are of different builds`);
  }
  const { chain } = entry;
  let instance: object;
  if (into !== null) {
    if (Object.getPrototypeOf(into) !== entry.prototype) d.corrupt("a deferred instance of another class");
    instance = into;
  } else if (isFilled(base)) {
    instance = d.register(makeShell(entry));
  } else {
    const slot = d.open();
    instance = d.references[slot] = withLayers(entry, decodeWhole(d, entry));
  }
  if (d.uint() !== chain.length) {
    throw new ChunkError(`the class ${entry.id} has other private fields on the other side: program and chunks are of different builds`);
  }
  for (const accessors of chain) {
    const count = d.count();
    const values: unknown[] = [];
    for (let i = 0; i < count; i++) values.push(d.value());
    accessors.set(instance, values);
  }
  decodeContent(d, base, instance);
  return instance;
}

/** The empty instance that a deferred tag stands for. */
export function shellOf(d: Decoder): object {
  return makeShell(classOf(d));
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

/** An instance without content whose class's code has not run. */
function makeShell(entry: ClassEntry): object {
  const { constructor_, layers, foreign } = entry;
  if (layers.length === 0) return makeBase(entry);
  if (!foreign.inherits && !entry.remade) return emptied(whileReviving(() => Reflect.construct(constructor_, []) as object));
  const root = layers.at(-1)!.constructor_;
  if (Object.getPrototypeOf(root) !== Function.prototype) return emptied(withLayers(entry, makeBase(entry)));
  // What extends nothing makes the object itself.
  const instance = whileReviving(() => Reflect.construct(root, [], constructor_) as object);
  return emptied(withLayers(entry, instance, layers.slice(0, -1)));
}

/**
 * Without the public fields that its constructor has just defined: those that the original has come with their values, in its order, and those that it has
 * not (`delete this.timer`) stay away. The last is taken first, which keeps the object one of few shapes in V8.
 */
function emptied(instance: object): object {
  const keys = Object.keys(instance);
  for (let i = keys.length - 1; i >= 0; i--) delete (instance as Record<string, unknown>)[keys[i]!];
  return instance;
}

/** The empty built-in that the class extends, as an instance of the class. */
function makeBase(entry: ClassEntry): object {
  const constructor = entry.constructor_;
  switch (entry.base) {
    case Kind.Array:
      return Reflect.construct(Array, [], constructor) as object;
    case Kind.Map:
      return Reflect.construct(Map, [], constructor) as object;
    case Kind.Set:
      return Reflect.construct(Set, [], constructor) as object;
    case Kind.Error:
      return makeError(constructor);
    default:
      return Object.create(entry.prototype) as object;
  }
}

/** Private fields exist only on what a constructor has made; while `revival.active`, it makes just them. */
function whileReviving<T>(make: () => T): T {
  const before = revival.active;
  const limit = Error.stackTraceLimit;
  revival.active = true;
  limitStackTraces(0);
  try {
    return make();
  } finally {
    revival.active = before;
    limitStackTraces(limit);
  }
}

/**
 * Gives an object the private fields of classes, each by its own constructor alone: what one extends is, for that long, a function that answers `super()` with
 * the object. Code of base classes that are not the project's does not run so; it knows nothing of revival.
 */
function withLayers(entry: ClassEntry, instance: object, layers = entry.layers): object {
  for (const { constructor_ } of [...layers].reverse()) {
    const parent: object | null = Object.getPrototypeOf(constructor_);
    Object.setPrototypeOf(constructor_, function () {
      return instance;
    });
    try {
      whileReviving(() => Reflect.construct(constructor_, []) as object);
    } finally {
      Object.setPrototypeOf(constructor_, parent);
    }
  }
  return instance;
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
