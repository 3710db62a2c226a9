/**
 * Who ends a worker's thread: the worker itself, by `process.exit`, or the root, by `terminate`, which is also what Node does to all threads at the end of the
 * program. Never both: in `process.exit` Node writes the thread's CPU and heap profiles and its coverage, for which it needs V8, and a termination that arrives
 * meanwhile makes that fail ("Failed to stringify CPU profile result"). After a termination alone it writes them as well, since it lifts it first.
 *
 * One word of shared memory decides. The worker's first `exit` listener takes it; the root takes it before it terminates, or waits for the worker to end.
 */
import { writeSync } from "node:fs";
import { inspect } from "node:util";
import { isMainThread } from "node:worker_threads";
import { setImmediate } from "./own-clock";
import { tells } from "./pool/thread-end";
import { C } from "./telemetry";

const enum End {
  Undecided = 0,
  /** The worker is in `process.exit`. */
  Exits = 1,
  /** The root terminates it, or Node does with the program. */
  Terminated = 2,
}

/** As Node made them. Tasks replace `process.exit`, and leave `exit` listeners that throw: a thread that is to end ends nevertheless. */
const { exit, reallyExit } = process as typeof process & { reallyExit: (code: number) => never };

/** For a worker: ends this thread. */
export function exitThread(code: number): never {
  try {
    exit.call(process, code);
  } catch (error) {
    // From a listener: the termination itself can't be caught.
    sayThrown(error);
  }
  return reallyExit.call(process, code);
}

/**
 * For a thread that is being terminated, or has called `process.exit`, and is in JavaScript again: the addon's calls catch the termination, which V8 takes for handled then, and the code
 * that waited would go on. To be called before anything else runs. The caller's code ends at its next loop or call.
 */
export function terminateAgain(): void {
  if (!isMainThread) reallyExit.call(process, 1);
}

function sayThrown(error: unknown): void {
  try {
    writeSync(2, `makeparallel: thrown by a listener for the exit of a worker: ${inspect(error)}\n`);
  } catch {
    // Nobody reads it.
  }
}

/** ms for the `exit` listeners of a worker, and for what Node writes then. */
export const EXIT_LIMIT_MS = 10_000;

/**
 * For a worker's entry: from now on its exits are announced. Listeners that tell the root how it ended are to be prepended, since one that comes second waits here
 * for its termination.
 */
export function announceExit(control: Int32Array): void {
  process.on("exit", (code) => {
    // A listener that throws stops the exit, and what has been announced is to come.
    setImmediate(() => exitThread(code));
    // Without the means to see a thread's end nobody could wait for it.
    if (tells && Atomics.compareExchange(control, C.End, End.Undecided, End.Exits) === End.Terminated)
      Atomics.wait(control, C.End, End.Terminated, EXIT_LIMIT_MS);
  });
}

/** For the root, before it terminates a worker: false when that is in `process.exit` and ends by itself. */
export function mayTerminate(control: Int32Array): boolean {
  return Atomics.compareExchange(control, C.End, End.Undecided, End.Terminated) !== End.Exits;
}

export function isExiting(control: Int32Array): boolean {
  return Atomics.load(control, C.End) === End.Exits;
}
