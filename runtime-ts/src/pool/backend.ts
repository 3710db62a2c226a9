/**
 * The backend: all that runtime-ts knows of what runs tasks.
 *
 * Three backends implement it: native (Rust), typescript (SharedArrayBuffer and worker threads), inline (the calling thread). They pass one
 * conformance suite (tests/conformance). A backend moves encoded payloads and settles tasks; it neither encodes nor decodes, and knows
 * nothing of promises, option defaults or error classes.
 */
import type { Writer } from "../codec/writer";

/** What runs tasks: Rust, worker threads that TypeScript schedules, or the calling thread. */
export type BackendKind = "native" | "typescript" | "inline";

/** How a task ended. Exactly one of these is decided for each task, once. */
export const enum Settlement {
  /** The payload is the encoded result. */
  Fulfilled = 1,
  /** The payload is the encoded thrown value. */
  Rejected = 2,
  /** Cancelled by the caller or a signal; no payload (the reason stays with the caller's handle). */
  Cancelled = 3,
  /** The task's own time limit passed; no payload. */
  TimedOut = 4,
  /** Its worker ended under it. Payload: empty, or an encoded value that says why (an Error, or the exit code as a number). `detail` may be {@link NOT_RUN}. */
  Crashed = 5,
  /** A task that it depends on did not fulfil. `detail` is the index of that task in `PushOptions.after`. Payload: empty. */
  DependencyFailed = 6,
}

/** Detail of a crash: the task has not run, since the worker whose task had called it was about to end. As in runtime-native/src/pool.rs. */
export const NOT_RUN = 1;

/** Where a task stands while it has no settlement. */
export const enum Phase {
  /** Waits for the tasks in `after`. */
  Waiting = 0,
  Queued = 1,
  Running = 2,
  Settled = 3,
}

/** An encoded value on its way back. `bytes` may be a view of memory that is reused: whoever keeps it past the call copies it. */
export interface Encoded {
  bytes: Uint8Array;
  /** First byte of this payload in `bytes`, and the byte after its last. */
  start: number;
  end: number;
  /** What travels beside the bytes: ArrayBuffer (moved), SharedArrayBuffer, MessagePort and other host objects. The bytes refer to it by index. */
  attachments: readonly unknown[] | null;
}

/** When and where a task ran. One object is used for many: whoever keeps it past the call copies it. */
export interface Run {
  /** ms from the time when it could run (the push, or the end of its last dependency) to its start. */
  waited: number;
  /** On the clock of {@link processNow}. */
  started: number;
  /** Number of the worker in its pool, as tasks see it; -1 on the calling thread. Inside a worker, another one may be -2 - its id, see `Backend.seatOf`. */
  worker: number;
}

/** What a backend calls when it has news of a task; the AsyncHandle implements it. Never called from inside `push`. */
export interface TaskSink {
  /**
   * The one settlement. `payload` is only valid during the call.
   * @param elapsed run time in ms (0 when it never ran)
   * @param detail see {@link Settlement.DependencyFailed}
   * @param run null when it never ran
   */
  settle(settlement: Settlement, payload: Encoded | null, elapsed: number, detail: number, run: Run | null): void;
  /** Last progress reported by the task, 0..1. May be skipped when several come close together; the last one before settling is not. */
  progressed(fraction: number): void;
}

/** Per-call options that the backend acts on. Undefined means none of them is set (the hot path). */
export interface PushOptions {
  /** Higher first; FIFO within one priority. Any finite number; default 0. */
  priority?: number;
  /** Time limit in ms from push (queue time included); Infinity or undefined: none. */
  timeout?: number;
  /** ms between a cancel (or time-out) of a running task and the stop of its worker. */
  grace?: number;
  /** Tasks (tickets of this backend) that must be fulfilled first. */
  after?: readonly Ticket[];
  /**
   * Indices into `after` whose values are arguments: the payload holds a placeholder for each (see the codec's `dependency` tag), and the
   * worker gets their encoded results beside the payload, in this order, without the caller touching them.
   */
  inputs?: readonly number[];
}

/** A task of this backend as a number: never reused while its sink has not been settled or the ticket has not been released. */
export type Ticket = number;

/** What a worker is told of a task so that it can find it. Stable for the process; registered once. */
export interface TaskKey {
  /** Absolute path of the manifest, as `findManifest` (loader/manifest.ts) gives it. */
  manifest: string;
  /** Task id in it. */
  id: string;
}

export interface BackendOptions {
  /** Number of workers to keep. >= 1. */
  threads: number;
  minThreads: number;
  /** ms after which a worker above `minThreads` ends; Infinity: never. */
  idleTimeout: number;
  /** Default grace in ms. */
  grace: number;
  resourceLimits?: import("node:worker_threads").ResourceLimits;
  env?: NodeJS.ProcessEnv | typeof import("node:worker_threads").SHARE_ENV;
  /** What each worker runs before its first task. */
  initializer?: import("../initializer").Initializer;
}

export interface BackendStats {
  threads: number;
  busy: number;
  /** Tasks that wait in a queue, without those that wait for dependencies. */
  queued: number;
  running: number;
}

export interface ShutdownOptions {
  /** Cancel what is pending at once. */
  cancelPending: boolean;
  /** What is pending then has been waited for long enough. */
  enough: Promise<void>;
  /** Called when the waiting is over: nothing may be pushed from then on. */
  closed(): void;
}

export interface Backend {
  readonly kind: BackendKind;

  /** A writer whose buffer the backend can push from without a copy through JavaScript. Reused: encode, push, done. */
  writer(): Writer;

  /** Makes a task known; the index goes into {@link push}. The same key gives the same index. */
  register(key: TaskKey): number;

  /**
   * Queues a task whose arguments have been encoded into `writer` (which is free for reuse afterwards; its attachments are transferred
   * now, so nothing may throw after this). The sink stays referenced until it is settled.
   */
  push(index: number, writer: Writer, sink: TaskSink, options: PushOptions | undefined): Ticket;

  phase(ticket: Ticket): Phase;

  /** Time for which the task has run so far, in ms; 0 while it has not started. */
  elapsed(ticket: Ticket): number;

  /**
   * Delivers what has settled so far (calls sinks), without blocking. Called before `isReady`/`tryGet` answer "no".
   */
  poll(): void;

  /**
   * Blocks the thread until the task's sink has been settled, at most `ms` milliseconds (Infinity: no limit). Inside a worker it runs
   * queued tasks meanwhile, the awaited one first. Returns false when the time was over. Other tasks' sinks may be settled by it too.
   */
  block(ticket: Ticket, ms: number): boolean;

  /**
   * Cancels: a waiting or queued task is settled at once as cancelled; a running one is settled as cancelled at once too, its flag is set, and
   * if it still runs after `grace` ms its worker is stopped and replaced. Returns false when it had already been settled otherwise.
   * The sink is called before this returns.
   * @param grace in ms; negative: the pool's default
   */
  cancel(ticket: Ticket, grace: number): boolean;

  /** Some promise or callback now waits for the sink on the event loop (`true`), so settlements must wake it; keeps the process alive when `ref`. */
  observe(ticket: Ticket, ref: boolean): void;

  /** Sets whether an observed, pending task keeps the process alive. */
  setRef(ticket: Ticket, ref: boolean): void;

  /**
   * Keeps a settled task's encoded result available as an input of later tasks until {@link release}. Called when a handle becomes an
   * input while already settled or pending; reference-counted.
   */
  retain(ticket: Ticket): void;
  release(ticket: Ticket): void;

  /** Loads the chunks of the tasks in every worker; resolves when all have. */
  warm(index: number): Promise<void>;

  stats(): BackendStats;

  /**
   * Ends the workers. Pending tasks: cancelled when `cancelPending`, else waited for until `enough`, then cancelled. Resolves when the
   * threads have ended.
   */
  shutdown(options: ShutdownOptions): Promise<void>;
}
