/**
 * Rejections that nobody looks at.
 *
 * A handle's promise is made lazily, so Node would never see the rejection of a handle that is not awaited. Rule: when a rejection arrives and nobody
 * has looked, a rejected promise is made for it, and Node reports that one at the end of the turn unless the handle is looked at before. A handle that is
 * being polled (`isReady`, `status`, …) is on its way to be looked at: its rejection is reported only if the handle is dropped, or the program
 * ends, without that.
 */
import type { AsyncHandle } from "./handle";

/** Rejections of polled handles that nobody has taken so far. Weak, so that handles can go; the error is held by the finalizer. */
const polledRejections = new Map<object, unknown>();
let dropped: FinalizationRegistry<{ token: object }> | undefined;
const tokens = new WeakMap<AsyncHandle<unknown>, object>();

/** Called when a rejection has arrived and no promise of the handle exists. */
export function afterRejection(handle: AsyncHandle<unknown>, polled: boolean): void {
  if (!polled) {
    handle._promise = Promise.reject(handle._error());
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
