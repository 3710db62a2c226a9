/** No worker can be started: what the tasks that wait for one fail with. Both pools make it, the handle reads it. */
import { ParallelError } from "../errors";

/** Travels as an error with this own property; see {@link isStartFailure}. */
interface StartFailure extends ParallelError {
  startFailed: true;
}

/**
 * @param cause what is known of why; undefined when Node has not said
 */
export function startFailure(cause: unknown): ParallelError {
  const { message = String(cause), code } = (cause ?? {}) as { message?: string; code?: unknown };
  const why = cause === undefined ? "they end before they can run anything" : message.replace(/\.$/, "");
  const advice =
    code === "ERR_WORKER_OUT_OF_MEMORY" ? `Raise the pool's "resourceLimits".` : `Look at the pool's "env" and "resourceLimits".`;
  // An initializer's error says all there is to say.
  const text = cause instanceof ParallelError ? `${why}.` : `${why}. ${advice}`;
  const error = new ParallelError(text, cause === undefined ? {} : { cause });
  return Object.assign(error, { startFailed: true });
}

export function isStartFailure(error: unknown): error is StartFailure {
  return error instanceof ParallelError && "startFailed" in error;
}
