/** What most handles never need, and the two things that can push a handle's task later: a retry, and the end of others that it waits for. */
import type { AsyncHandle } from "./handle";
import type { TaskSink, Ticket } from "./pool/backend";
import type { PushSite } from "./push-site";

/** Repeats a task; made by retry.ts when the option is set. */
export interface Retrier {
  /** ms to wait before the next run, or undefined when this failure is final. */
  next(error: unknown): number | undefined;
  /** Pushes the next run with `sink`; gives its ticket, or undefined when the time limit of all runs has passed. */
  push(sink: TaskSink): Ticket | undefined;
}

/** A task that this thread pushes when the handles it waits for have settled: those are none that the backend can wait for. */
export interface Launch {
  handles: readonly AsyncHandle<unknown>[];
  /** When the task's time limit passes (performance.now()); Infinity without one. */
  deadline: number;
  timer: NodeJS.Timeout | undefined;
  /** Pushes, or settles the handle when one of `handles` failed. */
  start(): void;
}

/** What most handles never need, kept apart so that they stay small. */
export class More {
  progress = 0;
  progressCallbacks: ((fraction: number) => void)[] | undefined;
  metadata: Map<unknown, unknown> | undefined;
  cancelReason: unknown = undefined;
  grace: number | undefined;
  timeout: number | undefined;
  after: readonly AsyncHandle<unknown>[] | undefined;
  /** Runs once, right after settling: removes abort listeners, counts in stats, feeds followers. */
  settled: ((handle: AsyncHandle<unknown>) => void)[] | undefined;
  retrier: Retrier | undefined;
  /** When the next run is due (performance.now()), while one is planned. */
  retryAt: number | undefined;
  retryTimer: NodeJS.Timeout | undefined;
  /** The handle that settles this one, for calls that share a memoized run. */
  source: AsyncHandle<unknown> | undefined;
  launch: Launch | undefined;
  /** How many handles that wait for this one, on this thread's side, keep the process alive. */
  keepers = 0;
  /** In the trace: see trace-events.ts. */
  flow = 0;
  /** Where the call was, if it was recorded. */
  site: PushSite | undefined;
}
