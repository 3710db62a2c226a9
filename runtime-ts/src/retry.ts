/**
 * Repeats failed runs of a task. The encoded arguments are kept, so that each run gets what the call was given, whatever the caller does with it since.
 */
import { AsyncResource } from "node:async_hooks";
import type { Writer } from "./codec";
import type { Retrier } from "./handle-extra";
import type { ResolvedRetry } from "./options";
import type { Backend, PushOptions } from "./pool/backend";
import { performance } from "./own-clock";

/**
 * @param writer holds the encoded call; it is read, not changed
 * @throws TypeError when buffers among the arguments are moved: there is nothing left to repeat the call with
 */
export function planRetries(
  options: ResolvedRetry,
  backend: Backend,
  index: number,
  writer: Writer,
  push: PushOptions | undefined,
  name: string,
): Retrier {
  refuseMoved(writer, name);
  // Of the array, not of a Buffer: that would be a view of memory that goes away with the first run.
  const bytes = Uint8Array.prototype.slice.call(writer.bytes, 0, writer.length);
  const attachments = writer.attachments === null ? null : [...writer.attachments];
  const when = AsyncResource.bind(options.when);
  const deadline = performance.now() + (push?.timeout ?? Infinity);
  let runs = 1;
  return {
    next(error) {
      if (runs >= options.attempts || !wanted(when(error), name)) return undefined;
      const delay = delayBefore(++runs, options);
      // The time limit is that of all runs: where none is left for another one, this failure is the last.
      return performance.now() + delay >= deadline ? undefined : delay;
    },
    push(sink) {
      const left = deadline - performance.now();
      if (left <= 0) return undefined;
      const next = backend.writer();
      next.reset();
      if (next.bytes.length < bytes.length) next.grow(bytes.length);
      next.bytes.set(bytes);
      next.length = bytes.length;
      next.attachments = attachments === null ? null : [...attachments];
      return backend.push(index, next, sink, deadline === Infinity ? push : { ...push, timeout: left });
    },
  };
}

/**
 * @param writer holds the encoded call, and is reset when that is refused
 * @throws TypeError when buffers among the arguments are moved
 */
export function refuseMoved(writer: Writer, name: string): void {
  if (writer.transfers === null) return;
  writer.reset();
  throw new TypeError(
    `${name} can't be retried: its arguments are moved, so they are gone after the first run. Copy them, or leave "retry" out.`,
  );
}

/** What `when` has said. @throws TypeError when it answers later: a promise would always count as true */
function wanted(answer: unknown, name: string): boolean {
  if (typeof answer !== "object" || answer === null || !("then" in answer)) return Boolean(answer);
  // Whatever becomes of it.
  Promise.resolve(answer).catch(() => undefined);
  throw new TypeError(`"retry.when" of ${name} gives true or false at once; it has given a promise.`);
}

/** ms before run number `run` (the second one is 2). "Full jitter" draws from the whole delay, as AWS's architecture blog compares them. */
function delayBefore(run: number, { backoff, delay, maxDelay, jitter }: ResolvedRetry): number {
  const step = run - 1;
  const grown = backoff === "fixed" ? delay : backoff === "linear" ? delay * step : delay * 2 ** (step - 1);
  const bounded = Math.min(grown, maxDelay);
  return bounded * (1 - jitter * Math.random());
}
