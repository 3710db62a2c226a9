/** The part of a task's options that the backend acts on. */
import type { ResolvedOptions } from "./options";
import type { PushOptions, Ticket } from "./pool/backend";

const NONE: readonly never[] = [];

/**
 * @param after tickets that must be fulfilled first
 * @param inputs indices into `after` whose values are arguments
 * @returns undefined when nothing is set
 */
export function pushOptionsOf(
  options: ResolvedOptions | undefined,
  after: readonly Ticket[] = NONE,
  inputs: readonly number[] = NONE,
): PushOptions | undefined {
  if (options === undefined && after.length === 0) return undefined;
  const push: PushOptions = {};
  if (options?.priority !== undefined) push.priority = options.priority;
  if (options?.timeout !== undefined) push.timeout = options.timeout;
  if (options?.grace !== undefined) push.grace = options.grace;
  if (after.length > 0) push.after = after;
  if (inputs.length > 0) push.inputs = inputs;
  return push;
}
