/**
 * The two objects of ours that a payload may hold, recognised by brand so that the codec depends on neither's module (and two copies of the
 * package know each other's).
 */
import type { StubMeta } from "../stub";

/** `value[HANDLE_BRAND] === true` on an AsyncHandle. */
export const HANDLE_BRAND: unique symbol = Symbol.for("makeparallel.handle") as never;

/** `value[PARALLEL_BRAND]` on a ParallelFunction: what the other side needs to make one. */
export const PARALLEL_BRAND: unique symbol = Symbol.for("makeparallel.function") as never;

/** What the codec knows of an AsyncHandle. */
export interface HandleLike {
  readonly [HANDLE_BRAND]: true;
}

export interface ParallelFunctionReference {
  manifest: string;
  id: string;
  meta: StubMeta;
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
