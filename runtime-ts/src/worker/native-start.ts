import type { MessagePort } from "node:worker_threads";
import type { Initializer } from "../initializer";

/** What the root tells a worker of the native backend when it starts its thread. */
export interface NativeWorkerStart {
  /** For saying why the worker could not start. */
  line: MessagePort;
  /** Memory for what it notes: see telemetry.ts. */
  telemetry: SharedArrayBuffer;
  /** Numbers under which the addon knows the pool and the worker. */
  pool: number;
  id: number;
  /** Number of the worker among its pool's, from 0, as tasks see it. */
  seat: number;
  /** Default grace in ms, for nested tasks. */
  grace: number;
  /** ms without work after which it ends, if more than `minThreads` are there. */
  idleTimeout: number;
  minThreads: number;
  /** Runs before the first task. */
  initializer: Initializer | undefined;
}
