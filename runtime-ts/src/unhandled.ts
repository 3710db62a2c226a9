/**
 * Rejections that nobody looks at.
 *
 * A handle's promise is made lazily, so Node would never see the rejection of a handle that is not awaited. Rule: when a rejection arrives and nobody
 * has looked, a rejected promise is made for it, and Node reports that one at the end of the turn unless the handle is looked at before. A handle that is
 * being polled (`isReady`, `status`, …) is on its way to be looked at: its rejection is reported only if the handle is dropped, or the program
 * ends, without that.
 *
 * No turn ends while this thread is blocked in a `get`: what is rejected meanwhile may be looked at right after it. A worker's event loop can turn inside of the
 * wait, and Node would report such a rejection then. So the promises are made at the end of the turn, when nothing blocks any more.
 */
import type { AsyncHandle } from "./handle";
import { nextTick } from "./own-clock";

/** Rejections of polled handles that nobody has taken so far. Weak, so that handles can go; the error is held by the finalizer. */
const polledRejections = new Map<object, unknown>();
let dropped: FinalizationRegistry<{ token: object }> | undefined;
const tokens = new WeakMap<AsyncHandle<unknown>, object>();

/** Waits that block this thread, one inside of the other. */
let waits = 0;
/** Handles whose rejection has arrived in this turn, and has not been looked at. */
const rejected = new Set<AsyncHandle<unknown>>();
let planned = false;

/** The thread is about to block. */
export function enterWait(): void {
  waits++;
}

/** The thread goes on. */
export function leaveWait(): void {
  if (--waits === 0 && rejected.size > 0) plan();
}

function plan(): void {
  if (planned) return;
  planned = true;
  nextTick(endOfTurn);
}

function endOfTurn(): void {
  planned = false;
  // A turn inside of a wait, whose end plans anew.
  if (waits > 0) return;
  const left = [...rejected];
  rejected.clear();
  for (const handle of left) handle._promise ??= Promise.reject(handle._error());
}

/** Called when a rejection has arrived and no promise of the handle exists. */
export function afterRejection(handle: AsyncHandle<unknown>, polled: boolean): void {
  if (!polled) {
    rejected.add(handle);
    plan();
    return;
  }
  if (dropped === undefined) {
    dropped = new FinalizationRegistry(({ token }) => report(token));
    process.on("beforeExit", reportAll);
  }
  const token = {};
  tokens.set(handle, token);
  polledRejections.set(token, handle._error());
  dropped.register(handle, { token }, token);
}

/** Called whenever somebody takes a handle's outcome. */
export function lookedAt(handle: AsyncHandle<any>): void {
  if (handle._settlement <= 1) return;
  const token = tokens.get(handle);
  if (token !== undefined) {
    tokens.delete(handle);
    polledRejections.delete(token);
    dropped!.unregister(token);
  }
  rejected.delete(handle);
  handle._promise?.catch(noop);
}

function report(token: object): void {
  if (!polledRejections.has(token)) return;
  const error = polledRejections.get(token);
  polledRejections.delete(token);
  void Promise.reject(error);
}

function reportAll(): void {
  for (const token of [...polledRejections.keys()]) report(token);
}

function noop(): void {}
