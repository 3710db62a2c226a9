/**
 * `this` of static tasks: the class that the method was called on, which may be a subclass. It travels as the class's id, as a captured value does.
 *
 * Not handled: a subclass that cannot be registered, because it is inside a function. `this` is then the nearest class above it that is.
 */
import { classById, classByPrototype, decodeFor } from "./codec";
import { ChunkError } from "./errors";
import { lazyClasses, registerLazyClasses } from "./lazy-classes";

/**
 * @param receiver what the stub was called on: a class, or nothing when the method was taken off it
 * @returns the id of it or of the nearest registered class that it extends; undefined when there is none
 */
export function classIdOf(receiver: unknown): string | undefined {
  if (lazyClasses.length > 0) registerLazyClasses();
  for (let current = receiver; typeof current === "function"; current = Object.getPrototypeOf(current)) {
    const id = classByPrototype((current as Function).prototype as object)?.id;
    if (id !== undefined) return id;
  }
  return undefined;
}

/**
 * In a chunk: the factory of a static method's task.
 * @param owner the class that declares the method
 * @throws ChunkError, when it is called, for a class that this thread can't load
 */
export function onClass(owner: Function, method: Function): (id: string | undefined) => Function {
  return (id) => {
    if (id === undefined || id === classIdOf(owner)) return method.bind(owner) as Function;
    const side = decodeFor(classByPrototype(owner.prototype as object)?.side ?? "program");
    let found: Function | undefined;
    try {
      found = classById(id);
    } finally {
      decodeFor(side);
    }
    if (found === undefined) throw new ChunkError(`cannot run a static method on ${id}: no chunk of the manifest exports that class`);
    return method.bind(found) as Function;
  };
}
