/**
 * What is cancelled when a signal aborts. One listener for each signal, however many calls follow it: Node warns of a leak from the eleventh on, and a thousand listeners would
 * be gone through one by one whenever one of them is taken away.
 */
import type { AsyncHandle } from "./handle";

/** What can be cancelled, with the reason. */
type Cancellable = { cancel(reason: unknown): unknown };

interface Followers {
  all: Set<Cancellable>;
  listener: () => void;
}

const followed = new WeakMap<AbortSignal, Followers>();

/** Cancels `target` when `signal` aborts, unless `outcome` has settled before. For a signal that has not aborted. */
export function follow(signal: AbortSignal, target: Cancellable, outcome: AsyncHandle<unknown>): void {
  const followers = followed.get(signal) ?? listenTo(signal);
  followers.all.add(target);
  outcome._whenSettled(() => {
    if (!followers.all.delete(target) || followers.all.size > 0) return;
    followed.delete(signal);
    signal.removeEventListener("abort", followers.listener);
  });
}

function listenTo(signal: AbortSignal): Followers {
  const all = new Set<Cancellable>();
  const listener = (): void => {
    followed.delete(signal);
    const targets = [...all];
    all.clear();
    for (const target of targets) target.cancel(signal.reason);
  };
  signal.addEventListener("abort", listener, { once: true });
  const followers = { all, listener };
  followed.set(signal, followers);
  return followers;
}
