/** Runs hoisted code on the calling thread: the program itself keeps only a stub. */
import { carriedValues, carriesValues, runCarrying } from "./carry";
import { environmentLoader } from "./environment";
import { ParallelError } from "./errors";
import type { LoadedTask } from "./loader";
import { FLAG_ASYNC } from "./stub-meta";
import type { StubTask } from "./task";

/**
 * @returns what the function returns; for a chunk that loads asynchronously and an `async` function, a promise of it
 * @throws what the function throws; ParallelError when its chunk can only be loaded asynchronously, but the function is synchronous
 */
export function runLocally(
  task: StubTask,
  captures: readonly unknown[] | undefined,
  args: readonly unknown[],
  receiver?: unknown,
): unknown {
  const loaded = environmentLoader().loadTask(task.home.manifest, task.id);
  if (!(loaded instanceof Promise)) return callLoaded(loaded, receiver, captures, args);
  if ((task.meta.flags & FLAG_ASYNC) !== 0) return loaded.then((ready) => callLoaded(ready, receiver, captures, args));
  loaded.catch(() => {});
  throw new ParallelError(`${task.name} can't run locally and synchronously: code that it needs is loaded asynchronously.`, {
    task: task.name,
  });
}

/** Loads a task's chunk on this thread, and with it the classes that its arguments may have. */
export async function loadLocally(task: StubTask): Promise<void> {
  await environmentLoader().loadTask(task.home.manifest, task.id);
}

function callLoaded(
  { task, fn }: LoadedTask,
  receiver: unknown,
  captures: readonly unknown[] | undefined,
  args: readonly unknown[],
): unknown {
  const run = (): unknown => {
    const call: Function = task.factory ? fn.apply(receiver, captures ?? []) : fn;
    return call.apply(receiver, args) as unknown;
  };
  // The chunk's storages are others than the program's, on this thread as well.
  return carriesValues() ? runCarrying(carriedValues(), run) : run();
}
