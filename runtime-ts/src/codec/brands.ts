/**
 * The two objects of ours that a payload may hold, recognised by brand so that the codec depends on neither's module (and two copies of the
 * package know each other's).
 */
import type { StubMeta } from "../stub-meta";

/** `value[HANDLE_BRAND] === true` on an AsyncHandle. */
export const HANDLE_BRAND: unique symbol = Symbol.for("makeparallel.handle") as never;

/** `value[PARALLEL_BRAND]` on a ParallelFunction: what the other side needs to make one. */
export const PARALLEL_BRAND: unique symbol = Symbol.for("makeparallel.function") as never;

/** `value[STAYS_BRAND]` on what belongs to its thread, a StreamHandle or a MapHandle: why, for the message of the refusal. */
export const STAYS_BRAND: unique symbol = Symbol.for("makeparallel.stays") as never;

/** What the codec knows of an AsyncHandle. */
export interface HandleLike {
  readonly [HANDLE_BRAND]: true;
  /**
   * The value of a handle that has been fulfilled: it is encoded in the handle's place, since the caller holds it anyway. Undefined while pending.
   * Throws for a handle that failed; what it throws leaves the encoder as it is.
   */
  _settledValue?(): { value: unknown } | undefined;
}

export interface ParallelFunctionReference {
  manifest: string;
  id: string;
  meta: StubMeta;
  /** Values of the captured locals, read when the function is encoded. */
  captures: readonly unknown[] | undefined;
  /** Those of its options that travel (no signal, no callbacks). */
  options: Record<string, unknown> | undefined;
}

type ParallelFunctionHook = (reference: ParallelFunctionReference) => unknown;

let parallelFunctionHook: ParallelFunctionHook | undefined;

/** Sets what makes a ParallelFunction of a decoded reference. */
export function onParallelFunction(hook: ParallelFunctionHook): void {
  parallelFunctionHook = hook;
}

/** @throws Error when no hook is set: the runtime sets one when it is loaded */
export function reviveParallelFunction(reference: ParallelFunctionReference): unknown {
  if (parallelFunctionHook === undefined) throw new Error(`no hook revives the parallel function ${reference.id}`);
  return parallelFunctionHook(reference);
}
