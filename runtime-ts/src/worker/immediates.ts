/**
 * Immediates in a worker whose event loop turns inside of a blocking wait.
 *
 * Node runs immediates from a libuv callback that ends the whole process when one of them throws, or when its thread is terminated meanwhile, unless nothing
 * else of Node is on the stack (`Environment::CheckImmediate`). In a turn inside of a wait something is. So Node gets to see no immediate of a task in such a
 * turn: they are kept here, and run from here. Timers and sockets need nothing of the kind.
 */
import { AsyncResource } from "node:async_hooks";
import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers";
import { replaceImmediates } from "../own-clock";

interface Entry {
  fire: () => void;
  /** What Node runs it from, outside of such turns. */
  native: NodeJS.Immediate;
}

const { setImmediate: make, clearImmediate: clear, setTimeout: later } = timers;
/** Those that have not run, by what `setImmediate` has returned, in order. */
const entries = new Map<NodeJS.Immediate, Entry>();
let alarm: NodeJS.Timeout | undefined;
/** Turns inside of waits, one inside of the other. */
let inside = 0;

function set(callback: (...args: unknown[]) => void, ...args: unknown[]): NodeJS.Immediate {
  // Node's own error.
  if (typeof callback !== "function") return make(callback, ...args);
  const bound = AsyncResource.bind(() => callback(...args), "Immediate");
  const fire = (): void => {
    if (entries.delete(handle)) bound();
  };
  const handle = make(fire);
  entries.set(handle, { fire, native: handle });
  if (inside > 0) hide(handle);
  return handle;
}

/** @param handle whatever the program clears: `null` as well, or 0 */
function unset(handle: NodeJS.Immediate | undefined): void {
  const entry = entries.get(handle!);
  if (entry !== undefined) {
    entries.delete(handle!);
    clear(entry.native);
  }
  clear(handle);
}

/** Takes one from Node. What the program has of it goes on working. */
function hide(handle: NodeJS.Immediate): void {
  clear(entries.get(handle)!.native);
  const { dispose } = Symbol as { dispose?: symbol };
  if (dispose !== undefined) Object.defineProperty(handle, dispose, { value: () => unset(handle), configurable: true });
}

/** Makes this thread's `setImmediate` and `clearImmediate` the ones of this module. */
export function installImmediates(): void {
  for (const [own, node] of [
    [set, make],
    [unset, clear],
  ]) {
    // Its name, its length, and how `util.promisify` makes a promise of it. Frozen (`--frozen-intrinsics`), its prototype could not be replaced any more.
    const { prototype: _, ...properties } = Object.getOwnPropertyDescriptors(node) as PropertyDescriptorMap;
    Object.defineProperties(own, properties);
    Object.defineProperty(own, "prototype", { value: undefined, writable: true });
  }
  const replaced = { setImmediate: set, clearImmediate: unset };
  Object.assign(timers, replaced);
  Object.assign(globalThis, replaced);
  replaceImmediates(replaced.setImmediate as typeof make, unset);
  syncBuiltinESMExports();
}

/** True inside of a turn inside of a wait. */
export function turnsInside(): boolean {
  return inside > 0;
}

/**
 * The event loop is about to turn inside of a wait.
 *
 * Where what waits came from a timer, Node has not armed its one libuv timer again for those that are left; a new timer makes it do so.
 */
export function beforeTurn(): void {
  inside++;
  alarm = alarm?.refresh() ?? later(() => {}, 1).unref();
  for (const handle of entries.keys()) hide(handle);
}

/** It has turned: now its immediates, ticks and microtasks run. Never throws. */
export function afterTurn(): void {
  for (const { fire } of [...entries.values()]) guarded(fire);
  guarded(tick);
  if (--inside > 0) return;
  for (const entry of entries.values()) entry.native = make(entry.fire);
}

/** What is thrown is an uncaught exception, as it would have been in its own place. */
function guarded(call: () => void): void {
  try {
    call();
  } catch (error) {
    later(() => {
      throw error;
    }, 0);
  }
}

/** What Node says of `process._tickCallback` with `--pending-deprecation`. */
const DEPRECATION = "DEP0134";
let isDeprecationSaid = false;

/** Lets microtasks and ticks run, from within a call that came from the event loop. */
export function tick(): void {
  if (isDeprecationSaid) return tickCallback();
  isDeprecationSaid = true;
  // It is said at the first call, and is no concern of the program's, which may have deprecations throw.
  const { emitWarning } = process;
  const others = (...warning: unknown[]): void => {
    if (warning[2] !== DEPRECATION) Reflect.apply(emitWarning, process, warning);
  };
  process.emitWarning = others as typeof emitWarning;
  try {
    tickCallback();
  } finally {
    if (process.emitWarning === others) process.emitWarning = emitWarning;
  }
}

function tickCallback(): void {
  (process as unknown as { _tickCallback(): void })._tickCallback();
}
