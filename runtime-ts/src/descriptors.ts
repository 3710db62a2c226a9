/** A process that has no file descriptors left: what is said of it, and whether there are enough for one more thread. */
import { closeSync, openSync } from "node:fs";

/** What Node takes for a thread of its own, the file of its code included. */
const OF_A_THREAD = 8;

/** @returns what to do, where `error` says that there are none left (in Node's words, or in Rust's) */
export function descriptorAdvice(error: unknown): string | undefined {
  const { message = String(error) } = (error ?? {}) as { message?: string };
  return /\b(EMFILE|ENFILE)\b|too many open files/i.test(message)
    ? "This process can open no more files: look at its limit (ulimit -n), and at what it keeps open."
    : undefined;
}

/**
 * A thread for which they do not suffice ends before it has begun, which nobody sees who is blocked, and Node 20 loses some of them each time.
 * @param file to open for a moment
 * @throws Error of the system when there are too few
 */
export function requireDescriptors(file: string): void {
  const taken: number[] = [];
  try {
    while (taken.length < OF_A_THREAD) taken.push(openSync(file, "r"));
  } catch (error) {
    if (descriptorAdvice(error) !== undefined) throw error;
  } finally {
    for (const descriptor of taken) closeSync(descriptor);
  }
}
