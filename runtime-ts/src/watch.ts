/**
 * Calls that somebody watches: listeners of the channels, or a trace. Everybody else's calls only pass the check.
 */
import { tasksAreTraced, type TaskMessage, traceTask } from "./channels";
import { processNow } from "./clock";
import type { AsyncHandle } from "./handle";
import type { FunctionRecord } from "./metrics";
import { isTracing, tracePush } from "./trace-events";

/** The function that is called. */
interface Watched {
  id: string;
  name: string;
  record: FunctionRecord;
}

/** True while somebody watches. */
export function callsAreWatched(): boolean {
  return isTracing() || tasksAreTraced();
}

/** Makes a call by `push`. @param outcomeOf what settles when the task behind a handle does */
export function watchCall<H extends NonNullable<TaskMessage["handle"]>>(
  kind: TaskMessage["kind"],
  { id, name, record }: Watched,
  push: () => H,
  outcomeOf: (handle: H) => AsyncHandle<unknown> | undefined,
): H {
  const from = processNow();
  let handle: H;
  if (tasksAreTraced()) handle = traceTask(kind, id, name, push, outcomeOf);
  else handle = push();
  // A map's chunks are in the trace, each for itself.
  if (isTracing() && kind !== "map") outcomeOf(handle)?._traced(tracePush(record.number, from));
  return handle;
}
