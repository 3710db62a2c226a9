/**
 * The pool's settings, and the one backend of this environment that they make.
 */
import { writeSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, sep } from "node:path";
import { inspect } from "node:util";
import type { ResourceLimits } from "node:worker_threads";
import type { SHARE_ENV } from "node:worker_threads";
import { ParallelError } from "./errors";
import type { Initializer } from "./initializer";
import { insidePendingTask } from "./inside";
import { requireWorkers } from "./permissions";
import { checkKeys, checkMs } from "./options";
import { clearTimeout, LONGEST_TIMER, setTimeout, timersAreMocked } from "./own-clock";
import { ensureStack, ROOM_FOR_POOL } from "./stack-room";
import { OWN_FOLDER } from "./own-folder";
import { workerFile } from "./worker/entry-file";
import type { Backend, BackendKind, BackendOptions, BackendStats } from "./pool/backend";

/** Folder of the compiled runtime, where workers read their code. */
const PACKAGE = join(OWN_FOLDER, sep);

/** The settings of the pool, for `configure()`. */
export interface PoolOptions {
  /** Workers at most. Default: the number of cores (`os.availableParallelism()`), or `MAKEPARALLEL_THREADS`. */
  threads?: number;
  /** Workers that stay although idle. Default: all, or none if `idleTimeout` is set. Workers are started when there is work for them, these as well. */
  minThreads?: number;
  /** ms after which an idle worker above `minThreads` ends. Default: 30,000 if `minThreads` is less than `threads`, else never. */
  idleTimeout?: number;
  /**
   * Tasks that may wait in the queue, beside those that free workers take at once; a call beyond them throws a `QueueFullError`. `await queueRoom()` waits for
   * room. Default: no limit.
   */
  maxQueue?: number;
  /** Default grace in ms between a cancellation and the stop of the worker. Default 250. */
  grace?: number;
  /** What runs the tasks. Default: `MAKEPARALLEL_BACKEND`, else native where its binary is there, else typescript. */
  backend?: BackendKind;
  /** V8's limits for each worker, as in `new Worker`. */
  resourceLimits?: ResourceLimits;
  /** Environment variables of the workers, as in `new Worker`. */
  env?: NodeJS.ProcessEnv | typeof SHARE_ENV;
  /**
   * A parallel function that each worker runs once, before its first task; replacements of workers as well. It may be `async`. What it sets up in its module is there
   * for the tasks of that worker. When it fails, the worker has failed to start: after three in a row without another worker, the tasks that wait are rejected with
   * a `WorkerCrashedError` that has its error as `cause`. On the inline backend it runs once, on the calling thread.
   */
  initialize?: (...args: any[]) => PromiseLike<unknown>;
  /** What `initialize` is called with, encoded when `configure` is called. */
  initializeArgs?: readonly unknown[];
}

/** The part of `stats()` that is about the pool. */
export interface PoolStats extends BackendStats {
  /** What runs the tasks. */
  backend: BackendKind;
}

/** ms */
const DEFAULT_IDLE_TIMEOUT = 30_000;

const KNOWN = [
  "threads",
  "minThreads",
  "idleTimeout",
  "maxQueue",
  "grace",
  "backend",
  "resourceLimits",
  "env",
  "initialize",
  "initializeArgs",
];

let configured: PoolOptions = {};
let initializer: Initializer | undefined;
/** Why parallel calls are refused for now. */
let refusal: string | undefined;
let backend: Backend | undefined;
let closing: Promise<void> | undefined;

/** Limit of waiting tasks, Infinity without one. Read on each call. */
export let queueLimit = Infinity;

/** How this environment gets its backend when it is no root: a pool worker hands over the one that pushes into its own pool. */
let provided: Backend | undefined;

/** For a pool worker's entry: nested tasks of this environment go into `backend`. */
export function provideBackend(value: Backend): void {
  provided = value;
  backend = value;
}

/** For a pool worker's entry: parallel calls throw until this is called with undefined. */
export function refuseCalls(reason: string | undefined): void {
  refusal = reason;
}

/**
 * Sets the pool up. Only before the first task, or after `shutdown()`; later calls replace the settings of earlier ones.
 * @param options the settings; what is left out has its default
 * @throws ParallelError when the pool runs already, TypeError for a bad value
 */
export function configure(options: PoolOptions): void {
  if (provided !== undefined) throw new ParallelError("A task can't configure the pool that it runs in; call configure() in the program.");
  if (backend !== undefined || closing !== undefined) {
    throw new ParallelError("The pool is running already: call configure() before the first parallel call, or after `await shutdown()`.");
  }
  checkKeys(options, KNOWN, "the pool", "setting");
  const { threads, minThreads, idleTimeout, maxQueue, grace, backend: kind, resourceLimits, env } = options;
  if (threads !== undefined) checkCount("threads", threads, 1);
  if (minThreads !== undefined) checkCount("minThreads", minThreads, 0);
  if (threads !== undefined && minThreads !== undefined && minThreads > threads) {
    throw new RangeError(`"minThreads" (${minThreads}) is more than "threads" (${threads}).`);
  }
  if (idleTimeout !== undefined) checkMs("idleTimeout", idleTimeout);
  if (maxQueue !== undefined && maxQueue !== Infinity) checkCount("maxQueue", maxQueue, 0);
  if (grace !== undefined) checkMs("grace", grace);
  if (resourceLimits !== undefined) checkLimits(resourceLimits);
  if (env !== undefined && typeof env !== "symbol" && (typeof env !== "object" || env === null))
    throw new TypeError(`"env" is an object or worker_threads.SHARE_ENV, not ${inspect(env)}.`);
  if (kind !== undefined) checkKind(kind, "configure({ backend })");
  const { initialize, initializeArgs } = options;
  if (initializeArgs !== undefined && !Array.isArray(initializeArgs))
    throw new TypeError(`"initializeArgs" is an array of arguments, not ${inspect(initializeArgs)}.`);
  if (initializeArgs !== undefined && initialize === undefined) throw new TypeError(`"initializeArgs" is set without "initialize".`);
  // Loaded when it is needed: most programs have no initializer.
  initializer =
    initialize === undefined
      ? undefined
      : (require("./task") as typeof import("./task")).initializerOf(initialize, (initializeArgs ?? []) as readonly unknown[]);
  configured = { ...options };
  queueLimit = maxQueue ?? Infinity;
}

/** The backend of this environment; started on first use. */
export function currentBackend(): Backend {
  return backend ?? startBackend();
}

/** The backend if it has been started. */
export function runningBackend(): Backend | undefined {
  return backend;
}

/** The number of workers that the settings ask for. */
export function threadCount(): number {
  if (configured.threads !== undefined) return configured.threads;
  const fromEnvironment = process.env["MAKEPARALLEL_THREADS"];
  if (fromEnvironment !== undefined && fromEnvironment !== "") {
    const count = Number(fromEnvironment);
    if (!Number.isInteger(count) || count < 1)
      throw new TypeError(`MAKEPARALLEL_THREADS is a whole number >= 1, not ${inspect(fromEnvironment)}.`);
    return count;
  }
  return availableParallelism();
}

/** The backends count them in 32 bits. */
const MOST_THREADS = 2 ** 31 - 1;

function startBackend(): Backend {
  if (closing !== undefined)
    throw new ParallelError("the pool is shutting down; wait for the promise of shutdown() before the next parallel call.");
  if (refusal !== undefined) throw new ParallelError(refusal);
  if (timersAreMocked)
    throw new ParallelError(
      "makeparallel was loaded while the mock timers of node:test were on, and has no others to go by. Import it, or what imports it, before mock.timers.enable().",
    );
  const threads = Math.min(threadCount(), MOST_THREADS);
  const minThreads = Math.min(threads, configured.minThreads ?? (configured.idleTimeout === undefined ? threads : 0));
  const options: BackendOptions = {
    threads,
    minThreads,
    idleTimeout: configured.idleTimeout ?? (minThreads < threads ? DEFAULT_IDLE_TIMEOUT : Infinity),
    grace: configured.grace ?? 250,
    resourceLimits: configured.resourceLimits,
    env: configured.env,
    initializer,
  };
  const kind = wantedKind();
  if (kind !== "inline") {
    requireWorkers(PACKAGE);
    // Before anything is said of the backends: it throws where the package's files are not around this one.
    workerFile("typescript-worker");
  }
  // What is loaded now for the first time would be broken for good if it were left in the middle.
  ensureStack(ROOM_FOR_POOL);
  backend = createBackend(kind, options);
  return backend;
}

/** Undefined: whatever there is. */
function wantedKind(): BackendKind | undefined {
  if (configured.backend !== undefined) return configured.backend;
  const value = process.env["MAKEPARALLEL_BACKEND"];
  if (value === undefined || value === "") return undefined;
  checkKind(value, "MAKEPARALLEL_BACKEND");
  return value;
}

/** What the first task will start. */
export function chosenKind(): BackendKind {
  const kind = wantedKind();
  if (kind !== undefined) return kind;
  const found = (require("./pool/native") as typeof import("./pool/native")).nativeAvailable();
  return "path" in found || found.advice !== undefined ? "native" : "typescript";
}

/** Loads only the backend that is used: a program on the native one never reads the others. */
function createBackend(kind: BackendKind | undefined, options: BackendOptions): Backend {
  if (kind === "inline") return (require("./pool/inline") as typeof import("./pool/inline")).createInlineBackend(options);
  if (kind === "typescript") return (require("./pool/typescript") as typeof import("./pool/typescript")).createTypeScriptBackend(options);
  const native = require("./pool/native") as typeof import("./pool/native");
  const found = native.nativeAvailable();
  if ("path" in found) return native.createNativeBackend(options);
  // The other backend could not start either, and the program would stay with it.
  if (found.advice !== undefined)
    throw new ParallelError(`The native backend can't be used now: ${found.reason.replace(/\.$/, "")}. ${found.advice}`);
  if (kind === "native") {
    const remedy = found.forbidden ? "" : ", or install makeparallel on this platform (in a checkout of it: `npm run build`)";
    throw new ParallelError(
      `The native backend was asked for, but its binary can't be used: ${found.reason.replace(/\.$/, "")}. Use backend: "typescript"${remedy}.`,
    );
  }
  sayOnce(
    `makeparallel: the native backend is not available (${found.reason.replace(/\.$/, "")}); using the TypeScript backend, which is slower.`,
  );
  return (require("./pool/typescript") as typeof import("./pool/typescript")).createTypeScriptBackend(options);
}

function sayOnce(message: string): void {
  const said = Symbol.for("makeparallel.fallback-said");
  const scope = process as unknown as Record<symbol, boolean>;
  if (scope[said]) return;
  scope[said] = true;
  // At once and as one line: a process warning would come on a later turn of the event loop, which a blocking `get` may hold up until the process ends,
  // and with a second line about tracing it.
  try {
    writeSync(2, `${message}\n`);
  } catch {
    // Standard error is closed or full: there is nobody to tell.
  }
}

/**
 * Ends the workers. The next parallel call after it starts a new pool. Called again meanwhile, it can only shorten the wait.
 * @param options `cancelPending`: cancel what has not ended instead of waiting for it (default false); `timeout`: ms to wait for it at most, after
 *   which it is cancelled (default: no limit)
 * @returns settled when all workers have ended; it never tells of tasks that failed
 * @throws (as a rejection) ParallelError in a task, TypeError for a bad option
 */
export async function shutdown(options: { timeout?: number; cancelPending?: boolean } = {}): Promise<void> {
  checkKeys(options, ["timeout", "cancelPending"], "shutdown()");
  const { timeout = Infinity, cancelPending = false } = options;
  checkMs("timeout", timeout);
  if (typeof cancelPending !== "boolean") throw new TypeError(`"cancelPending" is true or false, not ${inspect(cancelPending)}.`);
  // On the inline backend tasks share the program's environment.
  if (provided !== undefined || insidePendingTask()) throw new ParallelError("A task can't shut down the pool that it runs in.");
  if (closing === undefined) {
    if (backend === undefined) return;
    beginShutdown(backend, cancelPending);
  }
  if (cancelPending) waitedEnough();
  if (timeout === Infinity) return closing;
  const limit = setTimeout(waitedEnough, Math.min(timeout, LONGEST_TIMER));
  return closing!.finally(() => clearTimeout(limit));
}

interface EndsWithPool {
  poolCloses(): void;
}

/** Weak: who is in here may be dropped by everybody else, and nobody says so. */
const endWithPool = new Set<WeakRef<EndsWithPool>>();
const dropped = new FinalizationRegistry<WeakRef<EndsWithPool>>((reference) => void endWithPool.delete(reference));

/**
 * For what may wait while no task of it is under way: it is told when the pool closes.
 * @returns to be called when it waits no more
 */
export function whenPoolCloses(waiting: EndsWithPool): () => void {
  const reference = new WeakRef(waiting);
  endWithPool.add(reference);
  dropped.register(waiting, reference, reference);
  return () => {
    endWithPool.delete(reference);
    dropped.unregister(reference);
  };
}

/** Ends the wait of the shutdown that is under way for what is pending. */
let waitedEnough = (): void => {};

function beginShutdown(ending: Backend, cancelPending: boolean): void {
  const enough = new Promise<void>((resolve) => (waitedEnough = resolve));
  // What is called while it still waits for pending tasks is waited for as well (a map pushes as it goes); from its closing on, calls are refused.
  const closed = (): void => {
    backend = undefined;
    for (const waiting of [...endWithPool]) waiting.deref()?.poolCloses();
  };
  closing = ending.shutdown({ cancelPending, enough, closed }).finally(() => {
    closed();
    closing = undefined;
  });
}

function checkCount(name: string, value: unknown, least: number): void {
  if (!Number.isInteger(value) || (value as number) < least)
    throw new TypeError(`"${name}" is a whole number >= ${least}, not ${inspect(value)}.`);
}

const LIMITS = ["maxOldGenerationSizeMb", "maxYoungGenerationSizeMb", "codeRangeSizeMb", "stackSizeMb"];

/** Below these, Node's own start runs out of memory or of stack in a worker: unseen by a caller that is blocked, or with the end of the process, without a word in Node 22. */
const LEAST = { maxOldGenerationSizeMb: 8, stackSizeMb: 0.5 };

/** Node ignores what it does not understand here, which would leave workers without the limits that were meant. */
function checkLimits(limits: unknown): void {
  if (typeof limits !== "object" || limits === null) throw new TypeError(`"resourceLimits" is an object, not ${inspect(limits)}.`);
  for (const [key, value] of Object.entries(limits)) {
    if (!LIMITS.includes(key)) throw new TypeError(`"resourceLimits.${key}" is no limit of a worker; there are ${LIMITS.join(", ")}.`);
    if (value !== undefined && !(typeof value === "number" && value > 0))
      throw new TypeError(`"resourceLimits.${key}" is a number of megabytes > 0, not ${inspect(value)}.`);
  }
  for (const [key, least] of Object.entries(LEAST)) {
    const value = (limits as ResourceLimits)[key as keyof typeof LEAST];
    if (value !== undefined && value < least)
      throw new RangeError(`"resourceLimits.${key}" is ${value}: a worker needs ${least} to start, and tasks need more.`);
  }
}

function checkKind(value: string, where: string): asserts value is BackendKind {
  if (value !== "native" && value !== "typescript" && value !== "inline") {
    throw new TypeError(`${where} is "native", "typescript" or "inline", not ${inspect(value)}.`);
  }
}
