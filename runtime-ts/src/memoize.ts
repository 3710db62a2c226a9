/**
 * Keeps results by encoded arguments. Calls that come while the first one still runs share its run (single flight); each caller gets a handle of its
 * own, so that cancelling one does not cancel the others, and decodes its own copy of the result.
 */
import type { HandleLike, Writer } from "./codec";
import { AsyncHandle, type HandleOrigin } from "./handle";
import type { ResolvedOptions } from "./options";
import type { Backend } from "./pool/backend";
import { Settlement } from "./pool/backend";

interface Entry {
  source: AsyncHandle<unknown>;
  /** performance.now() after which it is stale. */
  expires: number;
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
  if (entry === undefined) {
    const source = start();
    source._quiet();
    entry = { source, expires: performance.now() + ttl };
    const made = entry;
    source._whenSettled(() => {
      if (source._settlement !== Settlement.Fulfilled && cache.get(key) === made) cache.delete(key);
    });
    if (source._settlement > Settlement.Fulfilled) return share(source, origin, backend);
  } else {
    writer.reset();
    origin.record?.memoized();
    cache.delete(key);
  }
  cache.set(key, entry);
  if (cache.size > max) cache.delete(cache.keys().next().value!);
  return share(entry.source, origin, backend);
}

function share(source: AsyncHandle<unknown>, origin: HandleOrigin, backend: Backend): AsyncHandle<unknown> {
  // Without a record: the run is counted once, by the handle that it belongs to.
  const handle = new AsyncHandle<unknown>({ id: origin.id, name: origin.name }, backend);
  handle._extra().source = source;
  source._whenSettled(() => handle._settleAs(source));
  return handle;
}
