/**
 * Keeps results by encoded arguments. Calls that come while the first one still runs share its run (single flight); each caller gets a handle of its
 * own, so that cancelling one does not cancel the others, and decodes its own copy of the result. A run that nobody wants any more is cancelled.
 */
import type { HandleLike, Writer } from "./codec";
import { follow } from "./follow";
import { type AsyncHandle, PendingHandle } from "./handle";
import type { ResolvedOptions } from "./options";
import { type HandleOrigin, NamedOrigin } from "./origin";
import type { Backend } from "./pool/backend";
import { Settlement } from "./pool/backend";
import { performance } from "./own-clock";

interface Entry {
  source: AsyncHandle<unknown>;
  /** performance.now() after which it is stale: none while it runs, since the result is what is kept. */
  expires: number;
  /** Calls that wait for the run. */
  waiting: number;
}

/** Least recently used first: a Map keeps insertion order. */
const caches = new WeakMap<object, Map<string, Entry>>();

/**
 * @param owner whose cache it is
 * @param writer holds the encoded call, which is the key
 * @param start pushes the call
 * @returns a handle that shares a run, or undefined when this call can't be memoized
 */
export function memoized(
  owner: object,
  options: ResolvedOptions,
  origin: HandleOrigin,
  writer: Writer,
  dependencies: readonly HandleLike[] | null,
  backend: Backend,
  start: () => AsyncHandle<unknown>,
): AsyncHandle<unknown> | undefined {
  if (dependencies !== null || writer.attachments !== null) return undefined;
  const { max, ttl } = options.memoize!;
  let cache = caches.get(owner);
  if (cache === undefined) caches.set(owner, (cache = new Map()));
  const key = Buffer.from(writer.bytes.buffer, writer.bytes.byteOffset, writer.length).toString("latin1");
  let entry = cache.get(key);
  if (entry !== undefined && entry.expires <= performance.now()) {
    cache.delete(key);
    entry = undefined;
  }
  const forget = (stale: Entry): void => {
    if (cache.get(key) === stale) cache.delete(key);
  };
  if (entry === undefined) {
    const source = start();
    source._quiet();
    const made: Entry = (entry = { source, expires: Infinity, waiting: 0 });
    source._whenSettled(() => {
      if (source._settlement === Settlement.Fulfilled) made.expires = performance.now() + ttl;
      else forget(made);
    });
    if (source._settlement > Settlement.Fulfilled) return share(made, options, origin, backend, forget);
  } else {
    writer.reset();
    origin.record?.memoized();
    cache.delete(key);
  }
  cache.set(key, entry);
  if (cache.size > max) cache.delete(cache.keys().next().value!);
  return share(entry, options, origin, backend, forget);
}

/** A handle for one of the calls. */
function share(
  entry: Entry,
  { signal }: ResolvedOptions,
  origin: HandleOrigin,
  backend: Backend,
  forget: (entry: Entry) => void,
): AsyncHandle<unknown> {
  const { source } = entry;
  // Without a record: the run is counted once, by the handle that it belongs to.
  const handle = new PendingHandle<unknown>(new NamedOrigin(origin.id, origin.name), backend);
  const more = handle._extra();
  if (source._settlement === 0) {
    more.source = source;
    (source._extra().progressCallbacks ??= []).push((fraction) => handle.progressed(fraction));
    entry.waiting++;
    handle._whenSettled(() => {
      if (source._settlement !== 0 || --entry.waiting > 0) return;
      // This was the last one: nobody else can have the run from now on.
      forget(entry);
      source.cancel(more.cancelReason);
    });
    if (signal !== undefined) follow(signal, handle, handle);
  }
  source._whenSettled(() => handle._settleAs(source));
  return handle;
}
