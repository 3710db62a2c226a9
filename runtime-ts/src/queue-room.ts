/**
 * The bounded queue: how much room `maxQueue` leaves, and waiting for it.
 *
 * No backend tells when a worker takes a task out of the queue, since that would cost every task something for the few programs that wait. So whoever waits looks: in
 * a few turns of the event loop at once, then at growing intervals. Waiters are woken in the order in which they came, each only when there is room for it and those
 * before it that have not made their calls yet, so that nobody is woken in vain.
 */
import { currentBackend, queueLimit, runningBackend, threadCount, whenPoolCloses } from "./configure";
import { ParallelError, QueueFullError } from "./errors";
import type { Backend } from "./pool/backend";
import { setImmediate, setTimeout } from "./own-clock";

/** Turns of the event loop at which to look before it is done by a timer. */
const EAGER_LOOKS = 16;
/** ms between looks: from, and up to. */
const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 8;

interface Waiter {
  count: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

const waiters: Waiter[] = [];
/** They wait for room in the pool that there is: a look after its end would start another one. */
const closing = {
  poolCloses(): void {
    const error = new ParallelError("The pool was shut down while queueRoom() waited for room in its queue.");
    for (const { reject } of waiters.splice(0)) reject(error);
  },
};
let listening = false;
/** Places that have been given to waiters who have not made their calls yet. Forgotten in the next turn: a waiter may do something else with it. */
let granted = 0;
/** Whose places they are: a pool may be shut down, and another one be full, within the same turn. */
let grantedBy: Backend | undefined;
let forgetting = false;
let looking = false;
let looks = 0;

/** Tasks that can be queued now; those that a free worker takes at once do not wait, and so do not count. */
export function roomInQueue(backend: Backend): number {
  if (queueLimit === Infinity) return Infinity;
  const { queued, busy } = backend.stats();
  const free = Math.max(0, threadCount() - busy);
  return Math.max(0, queueLimit + free - queued);
}

/** @throws QueueFullError */
export function refuseWhenFull(backend: Backend, name: string): void {
  if (queueLimit === Infinity) return;
  // A place that has been given is one, although another thread's numbers may have changed since.
  if (grantedOf(backend) > 0) {
    granted--;
    return;
  }
  if (roomInQueue(backend) > 0) return;
  throw new QueueFullError(
    `${name} was not queued: ${backend.stats().queued} tasks wait already, and the pool's maxQueue is ${queueLimit}. \`await queueRoom()\` before the call waits for room.`,
    { task: name },
  );
}

/**
 * Waits until the queue has room: for producers that are faster than the pool. Those who wait are served in order.
 *
 * Room is not reserved: make the calls right after the `await`, before anything else is awaited. At once when the pool has no `maxQueue`.
 * @param count calls that are to be made, at most as many as the queue and the workers hold when nothing else is queued
 * @throws RangeError when there can never be room for so many; ParallelError when the pool is shut down meanwhile
 */
export async function queueRoom(count = 1): Promise<void> {
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`queueRoom() takes a whole number >= 1, not ${String(count)}.`);
  if (queueLimit === Infinity) return;
  const most = queueLimit + threadCount();
  if (count > most) throw new RangeError(`queueRoom(${count}) would wait for ever: the pool holds ${most} tasks at most.`);
  if (waiters.length === 0 && waitsForNobody(count)) return;
  await new Promise<void>((resolve, reject) => {
    waiters.push({ count, resolve, reject });
    if (!listening) whenPoolCloses(closing);
    listening = true;
    if (!looking) lookSoon(true);
  });
}

/** Gives the places that there are at once. */
function waitsForNobody(count: number): boolean {
  const backend = currentBackend();
  if (roomInQueue(backend) - grantedOf(backend) < count) return false;
  grant(backend, count);
  return true;
}

function grantedOf(backend: Backend): number {
  return grantedBy === backend ? granted : 0;
}

function grant(backend: Backend, count: number): void {
  granted = grantedOf(backend) + count;
  grantedBy = backend;
  if (forgetting) return;
  forgetting = true;
  setImmediate(() => {
    forgetting = false;
    granted = 0;
    grantedBy = undefined;
  });
}

function lookSoon(afresh: boolean): void {
  looking = true;
  if (afresh) looks = 0;
  const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.floor((looks - EAGER_LOOKS) / 8));
  if (looks++ < EAGER_LOOKS) setImmediate(look);
  else setTimeout(look, pause);
}

function look(): void {
  looking = false;
  const backend = runningBackend();
  // The pool has closed since.
  if (waiters.length === 0 || backend === undefined) return;
  // They leave the array together: one by one, each would have all that are behind it moved.
  let served = 0;
  try {
    // On the inline backend this also is what runs tasks.
    backend.poll();
    let room = roomInQueue(backend) - grantedOf(backend);
    for (let first = waiters[0]; first !== undefined && first.count <= room; first = waiters[served]) {
      served++;
      room -= first.count;
      grant(backend, first.count);
      first.resolve();
    }
    waiters.splice(0, served);
  } catch (error) {
    for (const { reject } of waiters.splice(0)) reject(error);
  }
  if (waiters.length > 0 && !looking) lookSoon(served > 0);
}
