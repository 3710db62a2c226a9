/**
 * `this` of static tasks: the class that the method was called on, which may be a subclass. It travels as the class's id, as a captured value does.
 *
 * Not handled: a subclass that other threads can't get, because it is inside a function or an expression. Such a call is refused: any other class would answer otherwise.
 */
import { classById, classByPrototype, decodeFor, STAYS_BRAND, unreachable } from "./codec";
import { ChunkError } from "./errors";
import { lazyClasses, registerLazyClasses } from "./lazy-classes";

/** In the place of an id: refused when the call is encoded, like every value that can't cross. */
class Unreachable {
  readonly [STAYS_BRAND]: string;

  constructor(reason: string) {
    this[STAYS_BRAND] = reason;
  }
}

/**
 * @param receiver what the stub was called on: a class, or nothing when the method was taken off it
 * @returns its id; undefined when neither it nor what it extends is registered
 */
export function classIdOf(receiver: unknown): string | Unreachable | undefined {
  if (lazyClasses.length > 0) registerLazyClasses();
  for (let current = receiver; typeof current === "function"; current = Object.getPrototypeOf(current)) {
    const known = classByPrototype((current as Function).prototype as object);
    if (known === undefined) continue;
    if (current === receiver) return known.id;
    return new Unreachable(`the class, ${unreachable((receiver as Function).name, known)}. Declare it at its module's top level`);
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
