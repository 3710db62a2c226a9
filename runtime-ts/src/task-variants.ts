/**
 * Ways to call one task, told apart by what stands before the task's id in its key: `map:` calls the function for each item of a list, `stream:` drives a generator.
 * `carry:` before either of them, or alone: the first value of the payload is what the call carries (carry.ts).
 */

export type Variant = "call" | "map" | "stream";

export interface TaskVariant {
  /** The task's own id. */
  id: string;
  variant: Variant;
  carries: boolean;
}

const CARRY = "carry:";

/** @param key id of a task key, as it was registered */
export function variantOf(key: string): TaskVariant {
  const carries = key.startsWith(CARRY);
  const rest = carries ? key.slice(CARRY.length) : key;
  if (rest.startsWith("map:")) return { id: rest.slice(4), variant: "map", carries };
  if (rest.startsWith("stream:")) return { id: rest.slice(7), variant: "stream", carries };
  return { id: rest, variant: "call", carries };
}

/** The prefix for a task that carries something. */
export function carrying(variant: string): string {
  return CARRY + variant;
}
