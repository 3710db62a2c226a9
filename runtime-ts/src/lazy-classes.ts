/**
 * Classes that a module registers on behalf of another module, which may not have been evaluated yet when it does (cyclic imports). They are registered for
 * good before the first value that could be one of their instances is encoded: whoever has an instance has evaluated the class.
 */
import { registerClass } from "./codec";

export const lazyClasses: { thunk: () => Function | undefined; id: string }[] = [];

/**
 * Registers those that have been evaluated by now; keeps the others.
 * @returns what has been registered, by id
 */
export function registerLazyClasses(): Map<string, Function> {
  const done = new Map<string, Function>();
  const waiting = lazyClasses.splice(0);
  for (const entry of waiting) {
    let found: Function | undefined;
    try {
      found = entry.thunk();
    } catch (error) {
      // Still in its temporal dead zone.
      if (!(error instanceof ReferenceError)) throw error;
    }
    if (found === undefined) {
      lazyClasses.push(entry);
    } else {
      registerClass(found, entry.id);
      done.set(entry.id, found);
    }
  }
  return done;
}
