/**
 * Sets how many frames errors capture that are made from here on. Where `Error` is frozen (`node --frozen-intrinsics`, a lockdown of the program's own), it stays as it is: then
 * stacks are longer than needed.
 */
export function limitStackTraces(limit: number): void {
  try {
    Error.stackTraceLimit = limit;
  } catch {
    // It is frozen.
  }
}
