/** What became of a task, as data that travels. */

export interface Result {
  id: number;
  /** The value that was passed in, as it arrived. */
  value: unknown;
  /** Digests of the inputs. */
  inputs: number[];
  children: Outcome[];
}

export interface Failure {
  name: string;
  message: string;
  code?: string;
  exitCode?: number;
  /** For {@link StressError}. */
  task?: unknown;
  cause?: Failure;
}

/** `cancelled`: what `cancel()` has said; `late`: what was wrong after the end. */
export type Outcome = { id: number; cancelled?: boolean; late?: string } & (
  | { state: "fulfilled"; result: Result }
  | { state: "failed"; failure: Failure; status: string }
  /** Nobody looked. */
  | { state: "dropped" }
);

/** An error, or whatever was thrown, as data. */
export function failureOf(thrown: unknown, depth = 0): Failure {
  if (typeof thrown !== "object" || thrown === null) return { name: typeof thrown, message: String(thrown) };
  const { name, message, code, exitCode, task, cause } = thrown as Record<string, unknown>;
  return {
    name: String(name),
    message: String(message),
    ...(typeof code === "string" ? { code } : {}),
    ...(typeof exitCode === "number" ? { exitCode } : {}),
    ...(typeof task === "number" ? { task } : {}),
    ...(Object.hasOwn(thrown, "cause") && depth < 20 ? { cause: failureOf(cause, depth + 1) } : {}),
  };
}
