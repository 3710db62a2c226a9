/** No worker can be started: what the tasks that wait for one fail with. Both pools make it, the handle reads it. */
import { types } from "node:util";
import { descriptorAdvice } from "../descriptors";
import { ParallelError } from "../errors";

/** Travels as an error with this own property; see {@link isStartFailure}. */
interface StartFailure extends ParallelError {
  /** Which workers can't be started: any, or more than those that there are. */
  startFailed: "any" | "further";
}

/**
 * @param cause what is known of why; undefined when Node has not said
 * @param further there are workers, which wait for what only one more could run
 */
export function startFailure(cause: unknown, further = false): ParallelError {
  cause = asError(cause);
  const { message = String(cause) } = (cause ?? {}) as { message?: string };
  const why = cause === undefined ? "they end before they can run anything" : message.replace(/\.$/, "");
  // An initializer's error says all there is to say.
  const text = cause instanceof ParallelError ? `${why}.` : `${why}. ${adviceFor(cause)}`;
  const error = new ParallelError(text, cause === undefined ? {} : { cause });
  return Object.assign(error, { startFailed: further ? "further" : "any" });
}

function adviceFor(cause: unknown): string {
  const { code, syscall, message } = (cause ?? {}) as { code?: unknown; syscall?: unknown; message?: unknown };
  if (code === "ERR_WORKER_OUT_OF_MEMORY") return `Raise the pool's "resourceLimits".`;
  // Node asks for it in every thread.
  if (syscall === "uv_cwd") return "The working directory of this process has been removed: change to another one with process.chdir().";
  // Of what the system refuses Node gives only the name, in the message.
  if (/\bEAGAIN\b/.test(String(message)))
    return "The system gives this process no more threads: look at its limits (ulimit -u, or those of the container).";
  return descriptorAdvice(cause) ?? `Look at the pool's "env" and "resourceLimits".`;
}

/** Of what a thread has ended with, Node makes an object of the error's class, without what makes it an error for the codec. */
function asError(cause: unknown): unknown {
  if (!(cause instanceof Error) || types.isNativeError(cause)) return cause;
  const error = Object.defineProperties(new Error(), Object.getOwnPropertyDescriptors(cause));
  return Object.setPrototypeOf(error, Object.getPrototypeOf(cause) as object);
}

export function isStartFailure(error: unknown): error is StartFailure {
  return error instanceof ParallelError && "startFailed" in error;
}
