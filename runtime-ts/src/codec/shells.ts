/** Instances whose content is still to come. */
import { revival, type ClassEntry } from "./classes";
import { makeError } from "./decode-error";
import { Kind } from "./kinds";
import { limitStackTraces } from "../stack-trace-limit";

/** An instance whose class's code has not run, but for what makes the functions that its fields hold. */
export function makeShell(entry: ClassEntry): object {
  const { constructor_, layers, foreign } = entry;
  if (layers.length === 0) return makeBase(entry);
  if (!foreign.inherits && !entry.remade) return whileReviving(() => Reflect.construct(constructor_, []) as object);
  const root = layers.at(-1)!.constructor_;
  if (Object.getPrototypeOf(root) !== Function.prototype) return withLayers(entry, makeBase(entry));
  // What extends nothing makes the object itself.
  const instance = whileReviving(() => Reflect.construct(root, [], constructor_) as object);
  return withLayers(entry, instance, layers.slice(0, -1));
}

/**
 * Takes away the public fields that its constructor has just defined: those that the original has come with their values, in its order, and those that it has
 * not (`delete this.timer`) stay away. The last is taken first, which keeps the object one of few shapes in V8.
 */
export function empty(instance: object): void {
  const keys = Object.keys(instance);
  for (let i = keys.length - 1; i >= 0; i--) delete (instance as Record<string, unknown>)[keys[i]!];
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
export function withLayers(entry: ClassEntry, instance: object, layers = entry.layers): object {
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
