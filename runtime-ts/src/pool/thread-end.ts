/**
 * Whether a thread has ended, told without the event loop: the `exit` event of a Worker comes on a turn of it, and a caller that is blocked in `get` takes none.
 *
 * A thread's ports close with it, and Node says so when a message is posted to one: `false` when the other end is gone, `undefined` when this one has noticed
 * and closed as well. (Other runtimes return nothing from `postMessage`; there, nothing is told.) A thread that ends before it has taken its port out of its
 * start data is not seen.
 */
import type { MessagePort } from "node:worker_threads";

/** Whether Node's ports are there to tell. */
export const tells = process.versions["bun"] === undefined && process.versions["deno"] === undefined;

/** @param line this thread's end of a channel to the other; the other ignores the message */
export function hasHungUp(line: MessagePort): boolean {
  return tells && (line.postMessage(null) as unknown) !== true;
}
