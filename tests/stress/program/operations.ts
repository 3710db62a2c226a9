/** The operations of a round, as the program carries them out. Each tells the oracle what came of it. */
import { Worker } from "node:worker_threads";
import { asCompleted, gather, scope, sharedArray, waitAny, type AsyncHandle } from "makeparallel";
import { isThrown, type Oracle } from "./oracle";
import { failureOf, type Outcome, type Result } from "./outcome";
import { LONG, type MapPlan, type Operation, type StreamPlan, type TaskPlan } from "./plan";
import { hold, lookLater, mapItem, mapItemAsync, note, start, stream, streamAsync, wrapped, wrappedAsync } from "./tasks";

/** What the operations of a round share. */
export interface Stage {
  board: Int32Array;
  oracle: Oracle;
  backend: string;
  handles: Map<number, AsyncHandle<Result>>;
  outcomes: Map<number, Outcome>;
  /** Resolves when all looks but the late ones are done. */
  others: Promise<unknown>;
  /** The pool is shut down with tasks under way. */
  cancelled: boolean;
  /** For checks that need all outcomes. */
  checks: (() => void)[];
}

type Named<K> = Extract<Operation, { kind: K }>;

/** Starts at once; the rest goes on with the event loop. */
export async function carryOut(operation: Operation, stage: Stage): Promise<void> {
  switch (operation.kind) {
    case "task":
      return carryOutTask(operation.task, stage);
    case "group":
      return carryOutGroup(operation, stage);
    case "scope":
      return carryOutScope(operation, stage);
    case "memo":
      return carryOutMemo(operation, stage);
    case "stream":
      return carryOutStream(operation, stage);
    case "map":
      return carryOutMap(operation, stage);
    case "order":
      return carryOutOrder(operation, stage);
    case "environment":
      return carryOutEnvironment(operation, stage);
  }
}

/** Pushes a task and does to it what its plan says. */
function push(task: TaskPlan, stage: Stage): AsyncHandle<Result> {
  const { board, handles } = stage;
  let controller: AbortController | undefined;
  if (task.signal !== undefined) {
    controller = new AbortController();
    if (task.signal.at === "before") controller.abort(new Error(`abort ${task.id}`));
  }
  const handle = start(task, board, handles, controller?.signal);
  handles.set(task.id, handle);
  if (task.cancel?.at === "once") handle.cancel(`cancel ${task.id}`);
  if (controller !== undefined) {
    const abort = (): void => controller.abort(new Error(`abort ${task.id}`));
    if (task.signal!.at === "once") abort();
    else if (task.signal!.at === "later") setTimeout(abort, task.signal!.ms);
    else if (task.signal!.at === "settled") handle.then(abort, abort);
  }
  return handle;
}

function judge(task: TaskPlan, outcome: Outcome, stage: Stage, cancelledBy?: "scope"): void {
  stage.outcomes.set(task.id, outcome);
  const by = stage.cancelled ? "shutdown" : cancelledBy;
  stage.checks.push(() =>
    stage.oracle.check(task, outcome, {
      nested: false,
      siblings: stage.outcomes,
      repeated: false,
      ...(by === undefined ? {} : { cancelledBy: by }),
    }),
  );
}

async function carryOutTask(task: TaskPlan, stage: Stage): Promise<void> {
  const handle = push(task, stage);
  if (task.look === "late") {
    handle.catch(() => {});
    await stage.others;
  }
  judge(task, await lookLater(task, handle, stage.board), stage);
}

async function carryOutGroup({ id, tasks, how }: Named<"group">, stage: Stage): Promise<void> {
  const handles = tasks.map((task) => push(task, stage));
  const looks = tasks.map((task, i) => lookLater({ ...task, look: "await" }, handles[i]!, stage.board));
  const seen: unknown[] = [];
  let failed: unknown;
  let thrown = false;
  try {
    switch (how) {
      case "throw":
        seen.push(...(await gather(handles)));
        break;
      case "skip":
        seen.push(...(await gather(handles, { onError: "skip" })));
        break;
      case "settle":
        seen.push(...(await gather(handles, { onError: "settle" })));
        break;
      case "asCompleted": {
        const completed = asCompleted(handles);
        for (let next = await completed.next(); next.done !== true; next = await completed.next()) seen.push(next.value);
        break;
      }
      case "waitAny": {
        const { ready, pending } = await waitAny(handles, { count: Math.ceil(handles.length / 2) });
        if (ready.length + pending.length !== handles.length) stage.oracle.report(`group ${id}: waitAny() lost handles`);
        if (ready.length < Math.ceil(handles.length / 2) || ready.some((handle) => !handle.isReady())) {
          stage.oracle.report(`group ${id}: waitAny() gave ${ready.length} handles of ${handles.length}, or some that are not ready`);
        }
      }
    }
  } catch (error) {
    failed = error;
    thrown = true;
  }
  const outcomes = await Promise.all(looks);
  tasks.forEach((task, i) => judge(task, outcomes[i]!, stage));
  const fulfilled = outcomes.filter(({ state }) => state === "fulfilled").length;
  const complain = (what: string): void => stage.oracle.report(`group ${id}: ${how} ${what}`);
  const all = fulfilled === tasks.length;
  if (how === "waitAny") return;
  if (thrown) {
    if (how === "skip" || how === "settle") complain(`threw ${String(failed)}`);
    else if (all) complain(`threw ${String(failed)} although all were fulfilled`);
    else if (!outcomes.some((outcome) => outcome.state === "failed" && outcome.failure.message === failureOf(failed).message)) {
      complain(`threw ${String(failed)}, which is no task's error`);
    }
  } else if ((how === "throw" || how === "asCompleted") && !all) complain("threw nothing although a task failed");
  else if (seen.length !== (how === "settle" ? tasks.length : fulfilled))
    complain(`gave ${seen.length} results for ${fulfilled} fulfilled tasks`);
}

async function carryOutScope({ id, tasks, fails, cancels }: Named<"scope">, stage: Stage): Promise<void> {
  const handles: AsyncHandle<Result>[] = [];
  let thrown: unknown;
  let threw = false;
  try {
    await scope(async (s) => {
      for (const task of tasks) handles.push(s.add(push(task, stage)));
      await undefined;
      if (cancels) s.cancel(new Error(`scope ${id} cancelled`));
      if (fails) throw new RangeError(`scope ${id} fails`);
    });
  } catch (error) {
    thrown = error;
    threw = true;
  }
  const open = handles.filter((handle) => !handle.isReady());
  if (open.length > 0) stage.oracle.report(`scope ${id} was left with ${open.length} tasks under way`);
  const outcomes = await Promise.all(tasks.map((task, i) => lookLater(withoutCancel(task), handles[i]!, stage.board)));
  const failed = outcomes.some(({ state }) => state === "failed");
  tasks.forEach((task, i) => judge(task, outcomes[i]!, stage, failed || fails || cancels ? "scope" : undefined));
  if (threw !== (failed || fails || cancels)) stage.oracle.report(`scope ${id} ${threw ? `threw ${String(thrown)}` : "threw nothing"}`);
  const { message } = failureOf(thrown);
  const known =
    message === `scope ${id} fails` ||
    message === "The scope was cancelled." ||
    outcomes.some((outcome) => outcome.state === "failed" && outcome.failure.message === message);
  if (threw && !known) stage.oracle.report(`scope ${id} threw ${String(thrown)}, which is neither its own error nor a task's`);
}

/** The same task, for a look that does not cancel it. */
function withoutCancel({ cancel: _, ...task }: TaskPlan): TaskPlan {
  return { ...task, look: "await" };
}

async function carryOutMemo({ id, tasks, calls, cancels, max }: Named<"memo">, stage: Stage): Promise<void> {
  const memo: any = wrapped.with({ memoize: { max } });
  const memoAsync: any = wrappedAsync.with({ memoize: { max } });
  const value = 7;
  const handles = calls.map((call) => {
    const task = tasks[call]!;
    return (task.async ? memoAsync : memo)({ task, board: null }, value) as AsyncHandle<Result>;
  });
  // The board travels beside the bytes, and such calls are not memoized: these tasks run without one.
  for (const i of cancels) handles[i]!.cancel(`cancel call ${i}`);
  const outcomes = await Promise.allSettled(handles);
  outcomes.forEach((outcome, i) => {
    const task = tasks[calls[i]!]!;
    const failure = outcome.status === "rejected" ? failureOf(outcome.reason) : undefined;
    const complain = (what: string): void => stage.oracle.report(`memo ${id}, call ${i}: ${what}`);
    if (failure?.code === "MP_CANCELLED") {
      if (!cancels.includes(i) && !stage.cancelled) complain("was cancelled");
    } else if (failure?.code === "MP_WORKER_CRASHED") {
      if (!stage.oracle.mayBeTakenAlong(false, task.async) && !stage.cancelled) complain(failure.message);
    } else if (failure !== undefined) {
      if (task.ending.kind !== "error" || !isThrown(task.ending.error, task.id, failure))
        complain(`failed with ${failure.name}: ${failure.message}`);
    } else if (outcome.status === "fulfilled") {
      if (task.ending.kind === "error") complain("was fulfilled");
      if (outcome.value.id !== task.id || outcome.value.value !== value) complain("got the result of another");
    }
  });
}

async function carryOutStream(plan: StreamPlan, stage: Stage): Promise<void> {
  const { id, count, size, failAt, take, end, slow } = plan;
  const complain = (what: string): void => stage.oracle.report(`stream ${id}: ${what}`);
  const handle = (plan.async ? streamAsync : stream).with({ name: `s${id}`, timeout: LONG })(stage.board, id, count, size, failAt);
  const fails = failAt >= 0 && failAt < count;
  let taken = 0;
  let failure: ReturnType<typeof failureOf> | undefined;
  let ended = false;
  try {
    while (taken < take) {
      const next = await handle.next();
      if (next.done === true) {
        ended = true;
        break;
      }
      if (next.value.i !== taken) complain(`gave ${next.value.i} in place of ${taken}`);
      if (next.value.bytes.length !== size || next.value.bytes.some((byte) => byte !== (taken & 255)))
        complain(`value ${taken} is damaged`);
      taken++;
      if (slow && taken % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    if (!ended) {
      if (end === "cancel") handle.cancel("enough");
      else if (end === "throw") await handle.throw(new Error("enough")).catch(() => {});
      else await handle.return();
      const after = await handle.next();
      if (after.done !== true) complain("went on after its end");
    }
  } catch (error) {
    failure = failureOf(error);
    ended = true;
  }
  if (failure !== undefined) {
    const lost = failure.code === "MP_WORKER_CRASHED" && stage.oracle.mayLoseStreams();
    if (!lost && !stage.cancelled && !(fails && failure.message === `value ${failAt}`))
      complain(`failed with ${failure.name}: ${failure.message}`);
    if (fails && !lost && !stage.cancelled && taken !== failAt) complain(`failed after ${taken} values instead of ${failAt}`);
  } else if (ended && !stage.cancelled) {
    if (fails) complain("ended without its error");
    else if (taken !== count) complain(`ended after ${taken} of ${count} values`);
  }
}

async function carryOutMap(plan: MapPlan, stage: Stage): Promise<void> {
  const { id, count, source, failAt, look } = plan;
  const complain = (what: string): void => stage.oracle.report(`map ${id}: ${what}`);
  const numbers = Array.from({ length: count }, (_, i) => (i === failAt ? -i - 1 : i));
  let closed = 0;
  const items =
    source === "array"
      ? numbers
      : source === "typed"
        ? Int32Array.from(numbers)
        : source === "iterable"
          ? (function* () {
              try {
                yield* numbers;
              } finally {
                closed++;
              }
            })()
          : (async function* () {
              try {
                for (const number of numbers) {
                  if (number % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
                  yield number;
                }
              } finally {
                closed++;
              }
            })();
  const fails = failAt >= 0 && failAt < count;
  const { chunkSize, concurrency, ordered } = plan;
  let last = 0;
  const map = (plan.async ? mapItemAsync : mapItem).map(items, {
    ordered,
    ...(chunkSize === undefined ? {} : { chunkSize }),
    ...(concurrency === undefined ? {} : { concurrency }),
    onProgress: (_, done) => {
      if (done < last || done > count) complain(`reports ${done} after ${last} of ${count}`);
      last = done;
    },
  });
  let results: number[] = [];
  let failure: ReturnType<typeof failureOf> | undefined;
  let whole = true;
  try {
    switch (look) {
      case "await":
        results = await map;
        break;
      case "get":
        results = map.get();
        break;
      case "cancel":
        map.catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 1));
        map.cancel("enough");
        results = await map;
        break;
      default:
        for await (const result of map) {
          results.push(result);
          if (look === "break" && results.length > count / 2) {
            whole = false;
            break;
          }
        }
    }
  } catch (error) {
    failure = failureOf(error);
  }
  if (failure !== undefined) {
    const expected =
      (fails && failure.message === `item ${-failAt - 1}`) ||
      (look === "cancel" && failure.code === "MP_CANCELLED") ||
      (failure.code === "MP_WORKER_CRASHED" && stage.oracle.mayBeTakenAlong(false, plan.async));
    if (!expected && !stage.cancelled) complain(`failed with ${failure.name}: ${failure.message}`);
    return;
  }
  if (!whole) {
    if (closed === 0 && (source === "iterable" || source === "async")) await new Promise((resolve) => setTimeout(resolve, 0));
    return;
  }
  if (fails) complain("gave all results although an item fails");
  const sorted = ordered || look === "await" || look === "get" ? results : [...results].sort((a, b) => a - b);
  if (results.length !== count || sorted.some((result, i) => result !== i * 3 + 1))
    complain(`gave ${results.length} of ${count} results, or others`);
}

/** ms after which the rule that nobody waits for ever may change the order. */
const ORDER_LIMIT = 900;

async function carryOutOrder({ id, threads, priorities, expiring }: Named<"order">, stage: Stage): Promise<void> {
  const complain = (what: string): void => stage.oracle.report(`order ${id}: ${what}`);
  const gate = sharedArray(Int32Array, 2);
  const order = sharedArray(Int32Array, 1);
  const holders = Array.from({ length: threads }, () => hold(gate));
  while (Atomics.load(gate, 1) < threads) await new Promise((resolve) => setTimeout(resolve, 1));
  const from = performance.now();
  const notes = priorities.map((priority) => note.with({ priority })(order));
  const late = expiring.map((timeout) => note.with({ timeout, priority: 100 })(order));
  // No worker is free before this is over: a limit that is not kept in the queue shows here.
  for (const end of await Promise.allSettled(late)) {
    const failure = end.status === "rejected" ? failureOf(end.reason) : undefined;
    if (failure?.code !== "MP_TIMEOUT") complain(`a time limit in the queue ended with ${JSON.stringify(failure ?? end)}`);
  }
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  const places = await Promise.all(notes);
  await Promise.all(holders);
  if (performance.now() - from > ORDER_LIMIT) return;
  const expected = priorities.map((_, i) => i).sort((a, b) => priorities[b]! - priorities[a]! || a - b);
  expected.forEach((task, rank) => {
    // Other workers may have been about to take their numbers.
    const overtaken = expected.slice(0, rank).filter((other) => places[other]! > places[task]!).length;
    if (overtaken >= threads) complain(`task ${task} of ${priorities.join(" ")} overtook ${overtaken} on ${threads} workers`);
  });
  if (new Set(places).size !== places.length || Atomics.load(order, 0) !== places.length) complain("some ran twice, or not at all");
}

/** A worker of the user's, with a pool of its own. */
async function carryOutEnvironment({ id, round, end, ms }: Named<"environment">, stage: Stage): Promise<void> {
  const complain = (what: string): void => stage.oracle.report(`environment ${id}: ${what}`);
  const worker = new Worker(__filename, {
    workerData: { stress: { round, end, ms, backend: stage.backend } },
    stdout: false,
    stderr: false,
  });
  let said: string[] | undefined;
  worker.on("message", (problems: string[]) => (said = problems));
  worker.on("error", (error) => complain(`ended with ${String(error)}`));
  const code = new Promise<number>((resolve) => worker.once("exit", resolve));
  if (end === "terminate") {
    await new Promise<void>((resolve) => {
      worker.once("online", () => setTimeout(resolve, ms));
      void code.then(() => resolve());
    });
    await worker.terminate();
  }
  const exitCode = await code;
  if (said !== undefined) for (const problem of said) complain(problem);
  if (end === "itself" || end === "shutdown") {
    if (said === undefined) complain("said nothing");
    if (exitCode !== 0) complain(`ended with the code ${exitCode}`);
  } else if (end === "exit" && exitCode !== 5) complain(`ended with the code ${exitCode} instead of 5`);
}
