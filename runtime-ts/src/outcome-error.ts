/** What is thrown for a task that was not fulfilled: its own error, or one of the package's that says what became of it. */
import { decodeValue } from "./codec";
import { CancelledError, DependencyError, TimeoutError, WorkerCrashedError } from "./errors";
import type { More } from "./handle-extra";
import { type Encoded, NOT_RUN, Settlement } from "./pool/backend";
import { isStartFailure } from "./pool/start-failure";
import { limitStackTraces } from "./stack-trace-limit";
import { lookedAt } from "./unhandled";

/**
 * The error of a task that was not fulfilled.
 * @param detail beside the settlement: position of the failed dependency in `after`, or NOT_RUN
 */
export function outcomeError(
  task: string,
  more: Pick<More, "after" | "cancelReason" | "timeout"> | undefined,
  settlement: Settlement,
  payload: Encoded | null,
  detail: number,
): unknown {
  switch (settlement) {
    case Settlement.Rejected:
      return decoded(payload!);
    case Settlement.Cancelled:
      return withoutFrames(() => cancelledError(task, more?.cancelReason));
    case Settlement.TimedOut:
      return withoutFrames(() => timeoutError(task, more?.timeout));
    case Settlement.DependencyFailed: {
      const failed = more?.after?.[detail];
      failed?.isReady();
      if (failed !== undefined) lookedAt(failed);
      return new DependencyError(`${task} did not run, because ${failed?.name ?? "a task"} that it waits for failed.`, {
        task,
        cause: failed?._error(),
      });
    }
    default:
      return crash(task, payload, detail);
  }
}

/** Its stack would be of this package or of wherever the loop was, and be taken out again; where a million tasks are cancelled, that is what it costs. */
function withoutFrames<E extends Error>(make: () => E): E {
  const { stackTraceLimit } = Error;
  limitStackTraces(0);
  try {
    return make();
  } finally {
    limitStackTraces(stackTraceLimit);
  }
}

/**
 * @param what was cancelled
 * @param reason given for it; undefined: none
 * @param task readable name of the function, where `what` is more than that
 */
export function cancelledError(what: string, reason: unknown, task = what): CancelledError {
  const because = reason instanceof Error ? `: ${reason.message}` : typeof reason === "string" ? `: ${reason}` : "";
  return new CancelledError(`${what} was cancelled${because}.`, reason === undefined ? { task } : { task, cause: reason });
}

/** @param ms that it was given */
export function timeoutError(task: string, ms: number | undefined): TimeoutError {
  return new TimeoutError(`${task} has not ended within its timeout of ${ms ?? "?"} ms.`, { task });
}

function crash(task: string, payload: Encoded | null, detail: number): WorkerCrashedError {
  if (detail === NOT_RUN)
    return new WorkerCrashedError(
      `${task} was not run, because the worker whose task called it is being stopped: another task on it went on after its time was over or it ` +
        "was cancelled.",
      { task },
    );
  if (payload === null || payload.start === payload.end)
    return new WorkerCrashedError(
      `The worker that ran ${task} ended under it and could not say why: it ran out of memory, or was stopped because another task on it (such as ` +
        `one that ${task} waits for) went on after its time was over or it was cancelled.`,
      { task },
    );
  const why = decoded(payload);
  if (typeof why === "number") {
    return new WorkerCrashedError(
      `The worker that ran ${task} ended under it: process.exit(${why}) was called in it, or in another task on the same worker.`,
      {
        task,
        exitCode: why,
      },
    );
  }
  if (isStartFailure(why)) {
    const reason =
      why.startFailed === "further"
        ? "all workers are blocked by calls of get(), and no further one can be started"
        : "no worker can be started";
    return new WorkerCrashedError(`${task} was not run, because ${reason}: ${why.message}`, { task, cause: why.cause ?? why });
  }
  const text = why instanceof Error ? `${why.name}: ${why.message}` : String(why);
  return new WorkerCrashedError(`The worker that ran ${task} ended under it: ${text}`, { task, cause: why });
}

/** What a task has thrown, or why that can't be told. */
function decoded(payload: Encoded): unknown {
  try {
    return decodeValue(payload);
  } catch (error) {
    return error;
  }
}
