/**
 * What a plan is made of. A plan is plain data: it is generated from a seed, shown to the watchdog, and its tasks travel with it into the workers, where
 * they are interpreted.
 */

/** How a task ends, after what it waits for inside. */
export type Ending =
  | { kind: "value" }
  | { kind: "spin"; ms: number }
  | { kind: "sleep"; ms: number }
  /** Throws, or rejects when it is asynchronous. */
  | { kind: "error"; error: ThrownKind }
  /** Fails in its first runs: for `retry`. */
  | { kind: "flaky"; failures: number; how: "throw" | "exit" }
  /** Goes on until it is cancelled or timed out. */
  | { kind: "cooperate"; how: "throw" | "flag" | "signal" }
  /** Does not end by itself, and does not look at whether it is cancelled. */
  | { kind: "forever" }
  | { kind: "hang" }
  /** End their worker. */
  | { kind: "exit"; code: number }
  | { kind: "uncaught" }
  | { kind: "unhandled" }
  | { kind: "memory" }
  /** Consumes a stream of its own, of so many values. */
  | { kind: "stream"; count: number; async: boolean }
  /** Maps over so many items of its own. */
  | { kind: "map"; count: number };

export type ThrownKind = "range" | "own" | "text" | "nothing" | "overflow";

export interface ValueSpec {
  kind: "number" | "text" | "nested" | "collection" | "bytes" | "instance" | "bigint" | "nothing";
  size: number;
  seed: number;
}

/** How the one who called looks at a task. */
export type Look = "await" | "get" | "wait" | "poll" | "timed" | "callbacks" | "late" | "drop";

export interface TaskPlan {
  /** Unique in its round; its place on the board. */
  id: number;
  form: "wrapper" | "tag" | "method";
  async: boolean;
  value: ValueSpec;
  pass: "copy" | "move" | "share" | "option";
  ending: Ending;
  /** Tasks that it pushes and waits for. */
  children: TaskPlan[];
  /** Siblings, earlier ones, whose handles are arguments, and those in the option `after`. */
  inputs: number[];
  after: number[];
  look: Look;
  /** ms for which its caller is busy before the call, without a look at anything. */
  busy?: number;
  timeout?: number;
  grace?: number;
  priority?: number;
  retry?: { attempts: number; delay: number; backoff: "fixed" | "linear" | "exponential"; jitter: number };
  cancel?: { at: "once" | "turn" | "running" | "settled" | "later"; ms: number };
  /** A signal that aborts; only outside of tasks. */
  signal?: { at: "before" | "once" | "later" | "settled"; ms: number };
}

/** What the program itself does in a round. All of it goes on at the same time. */
export type Operation =
  | { kind: "task"; id: number; task: TaskPlan }
  | { kind: "group"; id: number; tasks: TaskPlan[]; how: "throw" | "skip" | "settle" | "asCompleted" | "waitAny" }
  | { kind: "scope"; id: number; tasks: TaskPlan[]; fails: boolean; cancels: boolean }
  | { kind: "memo"; id: number; tasks: TaskPlan[]; calls: number[]; cancels: number[]; max: number }
  | StreamPlan
  | MapPlan
  /** The only one of its round: all workers are held while tasks of these priorities are queued, and some whose time ends in the queue. */
  | { kind: "order"; id: number; threads: number; priorities: number[]; expiring: number[] }
  | { kind: "environment"; id: number; round: RoundPlan; end: "itself" | "terminate" | "exit" | "shutdown"; ms: number };

export interface StreamPlan {
  kind: "stream";
  id: number;
  async: boolean;
  count: number;
  size: number;
  failAt: number;
  /** Takes so many, then ends as said. */
  take: number;
  end: "break" | "cancel" | "throw" | "return";
  slow: boolean;
}

export interface MapPlan {
  kind: "map";
  id: number;
  count: number;
  source: "array" | "typed" | "iterable" | "async";
  failAt: number;
  chunkSize?: number;
  concurrency?: number;
  ordered: boolean;
  look: "await" | "get" | "iterate" | "break" | "cancel";
  async: boolean;
}

export interface RoundPlan {
  index: number;
  /** Number of ids that it uses. */
  size: number;
  operations: Operation[];
  /** Turns of the event loop between operations. */
  pauses: number[];
  /** Ends with a shutdown that cancels what is still under way. */
  shutdown: boolean;
}

/** Settings of the pool for some rounds. */
export interface PoolPlan {
  threads: number;
  minThreads: number;
  idleTimeout: number;
  grace: number;
  memoryLimit: boolean;
}

/** Places of a task on the board, words of an Int32Array that all threads see. */
export const WORDS = 4;
export const PUSHED = 0;
export const STARTED = 1;
export const ENDED = 2;
export const SETTLED = 3;

/** A limit that no task reaches, unless it hangs. */
export const LONG = 600_000;

/** The tasks of a round, nested ones included. */
export function* tasksOf(round: RoundPlan): Generator<{ task: TaskPlan; nested: boolean }> {
  for (const operation of round.operations) {
    if (operation.kind === "task") yield* within(operation.task, false);
    else if (operation.kind === "group" || operation.kind === "scope" || operation.kind === "memo") {
      for (const task of operation.tasks) yield* within(task, false);
    }
  }
}

function* within(task: TaskPlan, nested: boolean): Generator<{ task: TaskPlan; nested: boolean }> {
  yield { task, nested };
  for (const child of task.children) yield* within(child, true);
}

/** An id that no task has, for counts that nobody reads. */
export const SCRATCH = 0;
