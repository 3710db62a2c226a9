/**
 * Values of an `AsyncLocalStorage` that go along with tasks.
 *
 * A module-level `AsyncLocalStorage` is another object in each thread, so it has to be known by a name: `carry(name, storage)` in the program registers the program's, and
 * the same statement, hoisted into a chunk, registers the worker's. A call encodes what the registered storages hold at that moment; the worker runs the task
 * with its own storages set to that. Values whose name a worker does not know stay with the task all the same, for tasks that it pushes itself.
 *
 * A call that carries something is another variant of its task (see task-variants.ts): calls that carry nothing pay for one look at a flag.
 */
import { AsyncLocalStorage } from "node:async_hooks";

/** Values by the name of their storage. */
export type Carried = ReadonlyMap<string, unknown>;

/** A name may stand for several storages: on the program's own thread, that of the program and that of a chunk (`.local`, the inline backend). */
const storages = new Map<string, Set<AsyncLocalStorage<any>>>();

/** What the task that runs now was given. */
const given = new AsyncLocalStorage<Carried | undefined>();

let active = false;

/** False while no call can carry anything. */
export function carriesValues(): boolean {
  return active;
}

/**
 * Lets the value of a storage go along with the tasks that are called under it: `getStore()` in the task gives a copy of what it gave where the call was made, also
 * in tasks that the task calls itself.
 *
 * Write it at the top level of a module, where the storage is made; it comes into the chunk together with the storage.
 * @param name what the storage is known by in all threads; unique in the program
 * @param storage its values must be able to cross threads; a call under one that can't throws a `TransferError`
 * @returns the storage
 * @throws TypeError for a bad argument
 */
export function carry<T>(name: string, storage: AsyncLocalStorage<T>): AsyncLocalStorage<T> {
  if (typeof name !== "string" || name === "")
    throw new TypeError("carry() takes a name, which is a text that is not empty, and a storage.");
  if (typeof storage?.getStore !== "function" || typeof storage.run !== "function")
    throw new TypeError(`carry(${JSON.stringify(name)}) takes an AsyncLocalStorage.`);
  let known = storages.get(name);
  if (known === undefined) storages.set(name, (known = new Set()));
  known.add(storage);
  active = true;
  return storage;
}

/** What a call that is made now carries; undefined when it is nothing. */
export function carriedValues(): Carried | undefined {
  const entry = given.getStore();
  let values: Map<string, unknown> | undefined;
  for (const [name, known] of storages) {
    const before = entry?.get(name);
    for (const storage of known) {
      // One that holds what the task was given says nothing new; of several copies the one counts that has been set since.
      const value: unknown = storage.getStore();
      if (value === before) continue;
      values ??= new Map(entry);
      if (value === undefined) values.delete(name);
      else values.set(name, value);
      break;
    }
  }
  const all = values ?? entry;
  return all === undefined || all.size === 0 ? undefined : all;
}

/** Runs `body`, and what it goes on with asynchronously, under these values and no others. */
export function runCarrying<T>(values: Carried | undefined, body: () => T): T {
  active = true;
  let run = body;
  for (const [name, known] of storages) {
    const value = values?.get(name);
    for (const storage of known) {
      const inner = run;
      run = () => storage.run(value, inner);
    }
  }
  return given.run(values, run);
}
