/**
 * Node's permission model: which flags a program that runs under it is missing.
 *
 * What Node itself says depends on its version and on which call met the limit first; a pool needs several permissions, so all that are missing are named
 * at once.
 */
import { ParallelError } from "./errors";

interface Permission {
  has(scope: string, reference?: string): boolean;
}

/** Node's, or nothing when the model is off. */
function permission(): Permission | undefined {
  return (process as unknown as { permission?: Permission }).permission;
}

function lacks(scope: string, reference?: string): boolean {
  try {
    return permission()?.has(scope, reference) === false;
  } catch {
    // A scope that this version of Node does not know restricts nothing.
    return false;
  }
}

/** True when `file` (a path) may not be read under Node's permission model. */
export function mayNotRead(file: string): boolean {
  return lacks("fs.read", file);
}

/** Whether the permission model keeps native addons from loading. */
export function addonsAreDenied(): boolean {
  return lacks("addon");
}

/**
 * @param folder of the package, which workers load their code from
 * @throws ParallelError that names all missing flags when this process may not start workers
 */
export function requireWorkers(folder: string): void {
  if (permission() === undefined) return;
  const missing: string[] = [];
  if (lacks("worker")) missing.push("--allow-worker");
  if (mayNotRead(folder)) missing.push(`--allow-fs-read=${folder}`);
  if (missing.length === 0) return;
  const addons = addonsAreDenied() ? ", and with --allow-addons for the native backend" : "";
  throw new ParallelError(
    `Node's permission model is on, and keeps the pool from starting its workers. Start the program with ${missing.join(" ")}${addons}` +
      `, or set MAKEPARALLEL_BACKEND=inline to run every task on the calling thread.`,
  );
}

/** What to add to the message of a file that can't be read: empty unless the permission model is why. */
export function readAdvice(file: string): string {
  return mayNotRead(file) ? ` Node's permission model is on: start the program with --allow-fs-read for ${file}.` : "";
}
