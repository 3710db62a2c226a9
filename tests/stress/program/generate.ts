/**
 * Plans from seeds. Each round gets a seed of its own, so that any round can be generated without those before it.
 *
 * Rounds have flavours, because what the oracle can say depends on what goes on: in a round where no worker can end under a task, every outcome is exact; in one
 * without nested tasks, only a task itself can end its worker; in the others, a worker that ends may take others' tasks along.
 */
import type { Ending, Operation, PoolPlan, RoundPlan, TaskPlan, ThrownKind, ValueSpec } from "./plan";
import { LONG } from "./plan";
import { Random, seedOf } from "./random";

/** Rounds that share a pool. */
export const ROUNDS_PER_POOL = 8;

interface Flavour {
  /** Tasks may end their workers. */
  kills: boolean;
  /** Tasks may be cancelled, time out, have signals. */
  ends: boolean;
  /** Greatest depth of nesting. */
  depth: number;
}

/** @param threads number of workers at most; default: by seed */
export function poolPlan(seed: number, pool: number, threads?: number): PoolPlan {
  const random = new Random(seedOf(seed, 1_000_003 + pool));
  const chosen = random.pick([1, 2, 2, 3, 4]);
  const count = threads ?? chosen;
  const shrinks = random.chance(0.3);
  return {
    threads: count,
    minThreads: shrinks ? Math.min(count, random.int(0, 1)) : count,
    idleTimeout: shrinks ? random.pick([1, 5, 20]) : Infinity,
    grace: random.pick([5, 20, 50]),
    memoryLimit: random.chance(0.2),
  };
}

/**
 * @param memory whether tasks may run out of memory: V8 sometimes takes the process along
 * @param threads number of workers of the pool that the round runs on
 */
export function roundPlan(seed: number, index: number, memory: boolean, threads: number): RoundPlan {
  const random = new Random(seedOf(seed, index));
  const flavour = random.weighted<Flavour>([
    [2, { kills: false, ends: false, depth: 0 }],
    [5, { kills: false, ends: false, depth: 4 }],
    [4, { kills: false, ends: true, depth: 0 }],
    [4, { kills: true, ends: true, depth: 0 }],
    [5, { kills: false, ends: true, depth: 3 }],
    [6, { kills: true, ends: true, depth: 3 }],
  ]);
  if (random.chance(0.06)) return orderRound(random, index, threads);
  return new Generator(random, flavour, memory).round(index, random.int(4, 24), threads);
}

/** A round that looks at the queue alone. */
function orderRound(random: Random, index: number, threads: number): RoundPlan {
  const priorities = Array.from({ length: random.int(2, 60) }, () => random.pick([0, 0, 0, 1, 2, -1, 0.5, random.int(-9, 9)]));
  const expiring = Array.from({ length: random.int(0, 3) }, () => random.pick([0, 1, 5, 20]));
  return { index, size: 2, operations: [{ kind: "order", id: 1, threads, priorities, expiring }], pauses: [0], shutdown: false };
}

/** Workers of the pool that a Worker of the program's has. */
export const ENVIRONMENT_THREADS = 2;

function unblock(operation: Operation): void {
  if (operation.kind === "map" && operation.look === "get") operation.look = "await";
  if (operation.kind === "task" && ["get", "wait", "timed"].includes(operation.task.look)) operation.task.look = "await";
}

/** It keeps its worker until the program's event loop turns: nothing else ends it. */
function keepsItsWorker({ ending, timeout, cancel, signal }: TaskPlan): boolean {
  if (ending.kind !== "forever" && ending.kind !== "hang" && ending.kind !== "cooperate") return false;
  if (timeout !== undefined && timeout < LONG) return false;
  return cancel?.at !== "once" && signal?.at !== "before" && signal?.at !== "once";
}

class Generator {
  private nextId = 1;
  /** Tasks that only this thread's event loop brings to an end: nobody may block the thread to wait for them. */
  private readonly needLoop = new Set<number>();
  /** Tasks that end their worker or have to be ended cost a worker's start each. */
  private killers = 0;
  private readonly mostKillers: number;

  constructor(
    private readonly random: Random,
    private readonly flavour: Flavour,
    private readonly memory: boolean,
  ) {
    this.mostKillers = flavour.kills ? random.int(1, 5) : 0;
  }

  /** @param threads number of workers of its pool; none: a round inside of another */
  round(index: number, count: number, threads?: number): RoundPlan {
    const { random } = this;
    const outermost = threads !== undefined;
    const siblings: TaskPlan[] = [];
    const operations = Array.from({ length: count }, () => this.operation(siblings, outermost));
    // Tasks may go on until the program's event loop cancels them: one worker at least has to be left for what a blocked program waits for.
    const kept = operations.flatMap((operation) =>
      operation.kind === "task" ? [operation.task] : operation.kind === "group" || operation.kind === "scope" ? operation.tasks : [],
    );
    if (kept.filter(keepsItsWorker).length >= (threads ?? ENVIRONMENT_THREADS)) for (const operation of operations) unblock(operation);
    const pauses = operations.map(() =>
      random.weighted([
        [6, 0],
        [2, 1],
        [1, 3],
      ] as const),
    );
    return { index, size: this.nextId, operations, pauses, shutdown: this.flavour.ends && outermost && random.chance(0.08) };
  }

  private operation(siblings: TaskPlan[], outermost: boolean): Operation {
    const { random } = this;
    const kind = random.weighted([
      [14, "task"],
      [3, "group"],
      [2, "scope"],
      [2, "memo"],
      [2, "stream"],
      [2, "map"],
      [outermost ? 0.25 : 0, "environment"],
    ] as const);
    const id = this.nextId++;
    switch (kind) {
      case "task": {
        const task = this.task(0, siblings, true);
        siblings.push(task);
        return { kind, id, task };
      }
      case "group":
        return {
          kind,
          id,
          tasks: this.several(2, 8, () => this.task(0, [], false)),
          how: random.pick(["throw", "skip", "settle", "asCompleted", "waitAny"] as const),
        };
      case "scope":
        return {
          kind,
          id,
          tasks: this.several(1, 5, () => atOnce(this.task(0, [], false))),
          fails: random.chance(0.15),
          cancels: random.chance(0.15),
        };
      case "memo": {
        const tasks = this.several(1, 3, () => this.memoTask());
        const calls = this.several(2, 10, () => random.int(0, tasks.length - 1));
        return { kind, id, tasks, calls, cancels: calls.map((_, i) => i).filter(() => random.chance(0.1)), max: random.int(1, 4) };
      }
      case "stream": {
        const count = random.pick([0, 1, 5, 30, 100]);
        return {
          kind,
          id,
          async: random.chance(0.5),
          count,
          size: random.pick([0, 10, 1_000, random.chance(0.1) ? 100_000 : 100]),
          failAt: random.chance(0.2) ? random.int(0, count) : -1,
          take: random.chance(0.6) ? 1_000_000 : random.int(0, count),
          end: random.pick(["break", "cancel", "throw", "return"] as const),
          slow: random.chance(0.2),
        };
      }
      case "map": {
        const count = random.pick([0, 1, 10, 100, 2_000]);
        const source = random.pick(["array", "typed", "iterable", "async"] as const);
        return {
          kind,
          id,
          count,
          source,
          failAt: random.chance(0.2) ? random.int(0, count) : -1,
          ...(random.chance(0.3) ? { chunkSize: random.pick([1, 7, 64]) } : {}),
          ...(random.chance(0.3) ? { concurrency: random.int(1, 4) } : {}),
          ordered: random.chance(0.7),
          look: random.pick(["await", "iterate", "break", "cancel", ...(source === "async" ? [] : (["get"] as const))] as const),
          async: random.chance(0.3),
        };
      }
      case "environment": {
        // A smaller round with a board of its own.
        const inner = new Generator(new Random(random.seed()), { ...this.flavour, depth: Math.min(1, this.flavour.depth) }, false);
        return {
          kind,
          id,
          round: inner.round(-1, random.int(1, 6)),
          end: random.weighted([
            [4, "itself"],
            [2, "shutdown"],
            [2, "terminate"],
            [1, "exit"],
          ] as const),
          ms: random.pick([0, 5, 50, 100]),
        };
      }
    }
  }

  private several<T>(least: number, most: number, one: () => T): T[] {
    return Array.from({ length: this.random.int(least, most) }, one);
  }

  private task(depth: number, siblings: readonly TaskPlan[], free: boolean): TaskPlan {
    const { random, flavour } = this;
    const id = this.nextId++;
    const async = random.chance(0.5);
    const children: TaskPlan[] = [];
    if (depth < flavour.depth && random.chance(0.45)) {
      for (let count = random.int(1, depth === 0 ? 4 : 3); count > 0; count--) children.push(this.task(depth + 1, children, true));
    }
    const task: TaskPlan = {
      id,
      form: random.pick(["wrapper", "wrapper", "tag", "method"] as const),
      async,
      value: this.value(),
      pass: random.pick(["copy", "copy", "move", "share", "option"] as const),
      ending: this.ending(async, depth),
      children,
      inputs: [],
      after: [],
      look: random.weighted([
        [6, "await"],
        [3, "get"],
        [2, "poll"],
        [1, "wait"],
        [1, "timed"],
        [2, "callbacks"],
        [free && depth === 0 ? 1 : 0, "late"],
        [free ? 0.7 : 0, "drop"],
      ] as const),
    };
    const often = random.chance(0.15) ? 0.5 : 0.12;
    for (const sibling of siblings.slice(-6)) {
      if (random.chance(often)) (random.chance(0.6) ? task.inputs : task.after).push(sibling.id);
    }
    if (task.inputs.length + task.after.length > 1 && random.chance(0.5)) task.busy = random.pick([0.02, 0.1, 0.5, 3]);
    if (random.chance(0.2)) task.priority = random.int(-3, 3);
    if (random.chance(0.15)) task.timeout = LONG;
    if (flavour.ends) this.hasten(task, depth);
    this.mend(task);
    return task;
  }

  /** Ends it from outside, maybe. */
  private hasten(task: TaskPlan, depth: number): void {
    const { random } = this;
    const stubborn = task.ending.kind === "forever" || task.ending.kind === "hang" || task.ending.kind === "cooperate";
    if (!stubborn && !random.chance(0.3)) return;
    if (random.chance(0.7)) task.grace = random.pick([0, 5, 30]);
    const how = random.weighted([
      [3, "timeout"],
      [3, "cancel"],
      [depth === 0 ? 2 : 0, "signal"],
    ] as const);
    // In a synchronous task nobody cancels a child later: its parent would wait for ever.
    if (how === "timeout" || (stubborn && depth > 0)) task.timeout = random.pick([0, 1, 5, 20, 50]);
    else if (how === "signal") {
      task.signal = {
        at: random.pick(stubborn ? (["before", "once", "later"] as const) : (["before", "once", "later", "settled"] as const)),
        ms: random.int(0, 20),
      };
    } else {
      const places = ["once", "turn", "running", "later"] as const;
      task.cancel = { at: random.pick(stubborn ? places : ([...places, "settled"] as const)), ms: random.int(0, 20) };
    }
    if (task.timeout !== undefined && task.timeout < LONG) this.killers++;
  }

  /** Takes out what could not end, or what cannot be. */
  private mend(task: TaskPlan): void {
    const { ending } = task;
    // Its end comes from a look that never happens, or that blocks the thread that would bring it.
    const ended = task.timeout !== undefined && task.timeout < LONG;
    if (task.look === "drop" && task.cancel !== undefined) task.look = "await";
    // Others may wait for the worker that it keeps, and a late look cancels it when those are done.
    if (task.look === "late" && task.cancel !== undefined && keepsItsWorker(task)) task.look = "await";
    const waits = [...task.inputs, ...task.after].some((id) => this.needLoop.has(id));
    if (!ended && (task.cancel !== undefined || task.signal !== undefined || waits)) {
      this.needLoop.add(task.id);
      if (["get", "wait", "timed"].includes(task.look)) task.look = "await";
    }
    // Buffers that are moved are gone after the first run.
    if (task.retry !== undefined && (task.pass === "move" || task.pass === "option")) task.pass = "copy";
    if (ending.kind === "flaky" && task.retry === undefined) {
      const { random } = this;
      task.retry = {
        attempts: random.int(1, 4),
        delay: random.pick([0, 0, 1, 5]),
        backoff: random.pick(["fixed", "linear", "exponential"] as const),
        jitter: random.pick([0, 0.5, 1]),
      };
      if (task.pass === "move" || task.pass === "option") task.pass = "copy";
    }
  }

  private memoTask(): TaskPlan {
    const { random } = this;
    const async = random.chance(0.5);
    return {
      id: this.nextId++,
      form: "wrapper",
      async,
      value: this.value(),
      pass: "copy",
      ending: random.weighted<Ending>([
        [3, { kind: "value" }],
        [1, { kind: "spin", ms: 1 }],
        [1, { kind: "error", error: "own" }],
      ]),
      children: [],
      inputs: [],
      after: [],
      look: "await",
    };
  }

  private value(): ValueSpec {
    const { random } = this;
    const kind = random.weighted([
      [4, "number"],
      [3, "nested"],
      [2, "text"],
      [2, "bytes"],
      [2, "collection"],
      [2, "instance"],
      [1, "bigint"],
      [1, "nothing"],
    ] as const);
    const size = random.weighted([
      [6, random.int(0, 40)],
      [3, random.int(0, 5_000)],
      [0.3, kind === "bytes" ? random.int(100_000, 2_000_000) : random.int(5_000, 50_000)],
    ] as const);
    return { kind, size, seed: random.seed() };
  }

  private ending(async: boolean, depth: number): Ending {
    const { random, flavour } = this;
    if (this.killers < this.mostKillers && random.chance(0.25)) {
      this.killers++;
      const kind = random.weighted([
        [3, "exit"],
        [async ? 2 : 0, "uncaught"],
        [async ? 1 : 0, "unhandled"],
        [2, "forever"],
        [async ? 2 : 0, "hang"],
        [1, "flaky"],
        [this.memory && depth === 0 && !async ? 0.3 : 0, "memory"],
      ] as const);
      if (kind === "exit") return { kind, code: random.pick([0, 1, 3]) };
      if (kind === "flaky") return { kind, failures: random.int(1, 3), how: "exit" };
      return { kind };
    }
    return random.weighted<Ending>([
      [8, { kind: "value" }],
      [2, { kind: "spin", ms: random.pick([0.1, 1, 5]) }],
      [async ? 2 : 0, { kind: "sleep", ms: random.pick([0, 1, 10]) }],
      [2, { kind: "error", error: random.pick<ThrownKind>(["range", "own", "text", "nothing", "overflow"]) }],
      [1, { kind: "flaky", failures: random.int(0, 4), how: "throw" }],
      [
        flavour.ends && this.killers++ < 8 ? 2 : 0,
        { kind: "cooperate", how: async ? random.pick(["throw", "flag", "signal"] as const) : random.pick(["throw", "flag"] as const) },
      ],
      [async && depth < 2 ? 0.7 : 0, { kind: "stream", count: random.pick([0, 3, 10, 40]), async: random.chance(0.5) }],
      [async && depth < 2 ? 0.7 : 0, { kind: "map", count: random.pick([0, 1, 20, 500]) }],
    ]);
  }
}

/** A scope waits for its tasks before anybody looks at them: later cancellations would never be made. */
function atOnce(task: TaskPlan): TaskPlan {
  if (task.cancel !== undefined) task.cancel = { ...task.cancel, at: "once" };
  return task;
}
