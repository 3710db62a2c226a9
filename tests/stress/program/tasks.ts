/** The parallel functions. Each interprets the plan of a task that it gets as an argument, and so can do whatever a plan can say. */
import { AsyncHandle, isCancelled, move, parallel, reportProgress, share, taskInfo, taskSignal, throwIfCancelled } from "makeparallel";
import type { Outcome, Result } from "./outcome";
import { failureOf } from "./outcome";
import { ENDED, PUSHED, SCRATCH, SETTLED, STARTED, WORDS, type Ending, type TaskPlan } from "./plan";
import { digest, make, StressError } from "./values";

/** What every task gets first. */
export interface Job {
  task: TaskPlan;
  /** None for memoized calls: what travels beside the bytes keeps a call from being memoized. */
  board: Int32Array | null;
}

export const wrapped = parallel((job: Job, value: unknown, ...inputs: unknown[]) => interpret(job, value, inputs));

export const wrappedAsync = parallel(async (job: Job, value: unknown, ...inputs: unknown[]) => interpretAsync(job, value, inputs));

/** @parallel */
export async function tagged(job: Job, value: unknown, ...inputs: unknown[]): Promise<Result> {
  return job.task.async ? interpretAsync(job, value, inputs) : interpret(job, value, inputs);
}

export class Machine {
  constructor(private readonly salt: number) {}

  @parallel run(job: Job, value: unknown, ...inputs: unknown[]): AsyncHandle<Result> {
    if (this.salt !== 42) throw new Error("The receiver has lost its field.");
    return AsyncHandle.of(interpret(job, value, inputs));
  }

  @parallel async runAsync(job: Job, value: unknown, ...inputs: unknown[]): Promise<Result> {
    if (this.salt !== 42) throw new Error("The receiver has lost its field.");
    return interpretAsync(job, value, inputs);
  }
}

/** One item of a map. A negative one fails. */
export const mapItem = parallel((item: number) => {
  if (item < 0) throw new RangeError(`item ${item}`);
  return item * 3 + 1;
});

export const mapItemAsync = parallel(async (item: number) => {
  if (item % 7 === 0) await undefined;
  if (item < 0) throw new RangeError(`item ${item}`);
  return item * 3 + 1;
});

export const stream = parallel(function* (board: Int32Array, id: number, count: number, size: number, failAt: number) {
  mark(board, id, STARTED);
  try {
    for (let i = 0; i < count; i++) {
      if (i === failAt) throw new RangeError(`value ${i}`);
      yield { i, bytes: new Uint8Array(size).fill(i & 255) };
    }
    return count;
  } finally {
    mark(board, id, ENDED);
  }
});

export const streamAsync = parallel(async function* (board: Int32Array, id: number, count: number, size: number, failAt: number) {
  mark(board, id, STARTED);
  try {
    for (let i = 0; i < count; i++) {
      if (i % 5 === 0) await undefined;
      if (i === failAt) throw new RangeError(`value ${i}`);
      yield { i, bytes: new Uint8Array(size).fill(i & 255) };
    }
    return count;
  } finally {
    mark(board, id, ENDED);
  }
});

/** Occupies a worker until `gate[0]` is 1; `gate[1]` counts those that have begun. */
export const hold = parallel((gate: Int32Array) => {
  Atomics.add(gate, 1, 1);
  Atomics.wait(gate, 0, 0);
});

/** Takes the next number. */
export const note = parallel((order: Int32Array) => Atomics.add(order, 0, 1));

/** Counts on the board. */
export function mark(board: Int32Array | null, id: number, word: number): number {
  if (board === null) return 0;
  const before = Atomics.add(board, id * WORDS + word, 1);
  Atomics.notify(board, id * WORDS + word);
  return before;
}

/**
 * Pushes a task.
 * @param handles of its siblings
 * @param signal for the option
 */
export function start(
  task: TaskPlan,
  board: Int32Array | null,
  handles: ReadonlyMap<number, AsyncHandle<Result>>,
  signal?: AbortSignal,
): AsyncHandle<Result> {
  for (const end = performance.now() + (task.busy ?? 0); performance.now() < end;);
  mark(board, task.id, PUSHED);
  const { timeout, grace, priority, retry } = task;
  const options = {
    name: `n${task.id}`,
    ...(timeout === undefined ? {} : { timeout }),
    ...(grace === undefined ? {} : { grace }),
    ...(priority === undefined ? {} : { priority }),
    ...(retry === undefined ? {} : { retry }),
    ...(signal === undefined ? {} : { signal }),
    ...(task.after.length === 0 ? {} : { after: task.after.map((id) => handles.get(id)!) }),
    ...(task.pass === "option" ? { transfer: "move" as const } : {}),
  };
  const machine = new Machine(42);
  const form: any =
    task.form === "tag"
      ? tagged
      : task.form === "method"
        ? task.async
          ? machine.runAsync
          : machine.run
        : task.async
          ? wrappedAsync
          : wrapped;
  const value: any = make(task.value);
  const passed = task.value.kind !== "bytes" ? value : task.pass === "move" ? move(value) : task.pass === "share" ? share(value) : value;
  const bare = Object.keys(options).length === 1 && task.id % 2 === 0;
  const called = bare ? form : form.with(options);
  return called.call(machine, { task, board }, passed, ...task.inputs.map((id) => handles.get(id)!)) as AsyncHandle<Result>;
}

/** What goes on in between must not take the place of the task that looks at itself. */
function checkSelf({ form, async, id }: TaskPlan): void {
  const expected = form === "tag" ? "tagged" : form === "method" ? (async ? "runAsync" : "run") : async ? "wrappedAsync" : "wrapped";
  const name = taskInfo()?.name;
  if (name?.split(".").at(-1) !== expected) throw new Error(`The task ${id}, ${expected}, takes itself for ${name}.`);
}

function interpret(job: Job, value: unknown, inputs: unknown[]): Result {
  const { task, board } = job;
  checkSelf(task);
  const run = mark(board, task.id, STARTED);
  const handles = new Map<number, AsyncHandle<Result>>();
  for (const child of task.children) {
    const handle = start(child, board, handles);
    handles.set(child.id, handle);
    if (child.cancel?.at === "once") handle.cancel(`cancel ${child.id}`);
  }
  const children = task.children.map((child) => {
    const handle = handles.get(child.id)!;
    const { cancel } = child;
    const cancelled =
      cancel !== undefined && cancel.at !== "once" && cancel.at !== "settled" ? handle.cancel(`cancel ${child.id}`) : undefined;
    return lookNow(child, handle, board, cancelled);
  });
  checkSelf(task);
  if (task.id % 3 === 0) reportProgress(0.5);
  end(task.ending, run, task);
  return finished(job, value, inputs, children);
}

async function interpretAsync(job: Job, value: unknown, inputs: unknown[]): Promise<Result> {
  const { task, board } = job;
  const run = mark(board, task.id, STARTED);
  const handles = new Map<number, AsyncHandle<Result>>();
  const looks: Promise<Outcome>[] = [];
  for (const child of task.children) {
    const handle = start(child, board, handles);
    handles.set(child.id, handle);
    if (child.cancel?.at === "once") handle.cancel(`cancel ${child.id}`);
    looks.push(lookLater(child, handle, board));
  }
  const children = await Promise.all(looks);
  checkSelf(task);
  if (task.id % 3 === 0) reportProgress(0.5);
  await endAsync(task, run, board);
  checkSelf(task);
  return finished(job, value, inputs, children);
}

function finished({ task, board }: Job, value: unknown, inputs: unknown[], children: Outcome[]): Result {
  mark(board, task.id, ENDED);
  const passed = task.pass === "move" && value instanceof Uint8Array ? move(value) : value;
  return { id: task.id, value: passed, inputs: inputs.map(digest), children };
}

/**
 * Looks at a handle without giving up the thread.
 * @param cancelled what `cancel()` has returned, if it has been called
 */
export function lookNow(task: TaskPlan, handle: AsyncHandle<Result>, board: Int32Array | null, cancelled?: boolean): Outcome {
  switch (task.look) {
    case "drop":
      handle.catch(() => {});
      return { id: task.id, state: "dropped" };
    case "wait":
      handle.wait();
      break;
    case "poll":
      for (let i = 0; i < 50 && !handle.isReady(); i++);
      break;
    case "timed":
      try {
        handle.get(1);
      } catch {
        // Either the time is over, or it is the task's own error, which is looked at again.
      }
      break;
  }
  return taken(task, handle, board, () => handle.get(), cancelled);
}

/** Looks at a handle as its plan says. */
export async function lookLater(task: TaskPlan, handle: AsyncHandle<Result>, board: Int32Array | null): Promise<Outcome> {
  let cancelled: boolean | undefined;
  if (task.cancel !== undefined) {
    handle.catch(() => {});
    cancelled = await cancelLater(task, handle, board);
  }
  switch (task.look) {
    case "get":
    case "wait":
    case "timed":
      return lookNow(task, handle, board, cancelled);
    case "drop":
      handle.catch(() => {});
      return { id: task.id, state: "dropped" };
    case "poll":
      while (!handle.isReady()) await new Promise((resolve) => setTimeout(resolve, 1));
      return taken(task, handle, board, () => handle.tryGet()!, cancelled);
    case "callbacks":
      return new Promise((resolve) => {
        handle.onComplete((result) => resolve(taken(task, handle, board, () => result, cancelled)));
        handle.onError((error) =>
          resolve(
            taken(
              task,
              handle,
              board,
              () => {
                throw error;
              },
              cancelled,
            ),
          ),
        );
      });
    default: {
      try {
        const result = await handle;
        return taken(task, handle, board, () => result, cancelled);
      } catch (error) {
        return taken(
          task,
          handle,
          board,
          () => {
            throw error;
          },
          cancelled,
        );
      }
    }
  }
}

function taken(
  task: TaskPlan,
  handle: AsyncHandle<Result>,
  board: Int32Array | null,
  take: () => Result,
  cancelled: boolean | undefined,
): Outcome {
  const said = cancelled === undefined ? {} : { cancelled };
  try {
    const result = take();
    mark(board, task.id, SETTLED);
    return { id: task.id, state: "fulfilled", result, ...said, ...afterTheEnd(handle) };
  } catch (error) {
    mark(board, task.id, SETTLED);
    const { status } = handle;
    return {
      id: task.id,
      state: "failed",
      failure: failureOf(error),
      status,
      ...said,
      ...afterTheEnd(handle),
    };
  }
}

/** A task that has settled stays as it is, whatever is done to it. */
function afterTheEnd(handle: AsyncHandle<Result>): { late?: string } {
  // A look at it may have failed in its place: its worker is being stopped, or the stack is full.
  if (!handle.isReady()) return {};
  const { status } = handle;
  const before = outcomeOf(handle);
  if (handle.cancel("too late") !== (status === "cancelled")) return { late: "cancel() said otherwise after its end" };
  if (handle.status !== status) return { late: `its status went from ${status} to ${handle.status} by a cancel() after its end` };
  return Object.is(outcomeOf(handle), before) ? {} : { late: "its outcome changed by a cancel() after its end" };
}

function outcomeOf(handle: AsyncHandle<Result>): unknown {
  try {
    return handle.get();
  } catch (error) {
    return error;
  }
}

async function cancelLater(task: TaskPlan, handle: AsyncHandle<Result>, board: Int32Array | null): Promise<boolean | undefined> {
  const { at, ms } = task.cancel!;
  if (at === "once") return undefined;
  if (at === "turn") await new Promise((resolve) => setImmediate(resolve));
  else if (at === "later") await new Promise((resolve) => setTimeout(resolve, ms));
  else if (at === "running") {
    while (!handle.isReady() && Atomics.load(board!, task.id * WORDS + STARTED) === 0)
      await new Promise((resolve) => setTimeout(resolve, 1));
  } else {
    await handle.then(
      () => {},
      () => {},
    );
  }
  return handle.cancel(`cancel ${task.id}`);
}

/** What a task throws that fails on purpose. */
function fail(kind: string, id: number): never {
  switch (kind) {
    case "range":
      throw new RangeError(`task ${id} fails`, { cause: new TypeError(`because of ${id}`) });
    case "own":
      throw new StressError(`task ${id} fails`, id);
    case "text":
      throw `task ${id} fails`;
    case "nothing":
      throw undefined;
    default:
      return overflow(id) as never;
  }
}

function overflow(depth: number): number {
  return overflow(depth + 1) + 1;
}

function end(ending: Ending, run: number, task: TaskPlan): void {
  switch (ending.kind) {
    case "spin": {
      const until = performance.now() + ending.ms;
      while (performance.now() < until);
      return;
    }
    case "error":
      return fail(ending.error, task.id);
    case "flaky":
      if (run >= ending.failures) return;
      if (ending.how === "exit") process.exit(9);
      return fail("range", task.id);
    case "cooperate":
      for (;;) {
        if (ending.how === "throw") throwIfCancelled();
        else if (isCancelled()) return;
      }
    case "forever":
      for (;;);
    case "exit":
      process.exit(ending.code);
      return;
    case "memory": {
      const kept: unknown[] = [];
      for (;;) kept.push(new Array(10_000).fill(kept.length));
    }
  }
}

async function endAsync(task: TaskPlan, run: number, board: Int32Array | null): Promise<void> {
  const { ending } = task;
  switch (ending.kind) {
    case "sleep":
      await new Promise((resolve) => setTimeout(resolve, ending.ms));
      return;
    case "hang":
      return new Promise(() => {});
    case "cooperate":
      if (ending.how === "signal") {
        const signal = taskSignal();
        await new Promise<void>((resolve) => {
          if (signal.aborted) resolve();
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
        return;
      }
      for (;;) {
        if (ending.how === "throw") throwIfCancelled();
        else if (isCancelled()) return;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    case "uncaught":
      setTimeout(() => {
        throw new RangeError(`uncaught in ${task.id}`);
      }, 0);
      return new Promise(() => {});
    case "unhandled":
      void Promise.reject(new RangeError(`unhandled in ${task.id}`));
      return new Promise(() => {});
    case "stream": {
      let expected = 0;
      for await (const { i } of (ending.async ? streamAsync : stream)(board!, SCRATCH, ending.count, 10, -1)) {
        if (i !== expected++) throw new Error(`The stream of ${task.id} gave ${i} for ${expected - 1}.`);
      }
      if (expected !== ending.count) throw new Error(`The stream of ${task.id} ended after ${expected} of ${ending.count} values.`);
      return;
    }
    case "map": {
      const results = await mapItem.map(Array.from({ length: ending.count }, (_, i) => i));
      if (results.length !== ending.count || results.some((result, i) => result !== i * 3 + 1)) {
        throw new Error(`The map of ${task.id} gave something else.`);
      }
      return;
    }
    default:
      await undefined;
      end(ending, run, task);
  }
}
