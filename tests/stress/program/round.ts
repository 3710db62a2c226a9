/** Carries out one round: all of its operations at the same time, then the checks, then the pool has to be idle. */
import { configure, sharedArray, shutdown, stats, type AsyncHandle } from "makeparallel";
import { carryOut, type Stage } from "./operations";
import { Oracle } from "./oracle";
import { failureOf, type Outcome, type Result } from "./outcome";
import { WORDS, type Operation, type PoolPlan, type RoundPlan } from "./plan";

export interface Watcher {
  /** A round begins. */
  watch(round: RoundPlan, board: Int32Array): void;
  /** What the program is doing. */
  at(what: string): void;
}

/** Starts the pool that a round needs. */
export function setUp(pool: PoolPlan, backend: string): void {
  configure({
    backend: backend as "native",
    threads: pool.threads,
    minThreads: pool.minThreads,
    idleTimeout: pool.idleTimeout,
    grace: pool.grace,
    ...(pool.memoryLimit ? { resourceLimits: { maxOldGenerationSizeMb: 48 } } : {}),
  });
}

/** @returns what went wrong */
export async function runRound(round: RoundPlan, backend: string, watcher: Watcher): Promise<string[]> {
  const board = sharedArray(Int32Array, round.size * WORDS + WORDS);
  const oracle = new Oracle(round, board);
  watcher.watch(round, board);
  const unhandled = (reason: unknown): void => oracle.report(`unhandled rejection: ${JSON.stringify(failureOf(reason))}`);
  process.on("unhandledRejection", unhandled);
  let othersDone: () => void = () => {};
  const stage: Stage = {
    board,
    oracle,
    backend,
    handles: new Map<number, AsyncHandle<Result>>(),
    outcomes: new Map<number, Outcome>(),
    others: new Promise<void>((resolve) => (othersDone = resolve)),
    cancelled: false,
    checks: [],
  };
  const begun: Promise<void>[] = [];
  const prompt: Promise<void>[] = [];
  for (const [i, operation] of round.operations.entries()) {
    watcher.at(`begins operation ${operation.id} (${operation.kind})`);
    const carried = carryOut(operation, stage).catch((error: unknown) => {
      if (!stage.cancelled)
        oracle.report(`operation ${operation.id} (${operation.kind}): ${error instanceof Error ? error.stack : String(error)}`);
    });
    begun.push(carried);
    if (!isLate(operation)) prompt.push(carried);
    for (let turns = round.pauses[i]!; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
  }
  if (round.shutdown) {
    stage.cancelled = true;
    watcher.at("shuts down");
    await shutdown({ cancelPending: true });
  }
  watcher.at("waits for the operations");
  await Promise.all(prompt);
  othersDone();
  await Promise.all(begun);
  for (const check of stage.checks) check();
  watcher.at("waits for an idle pool");
  for (;;) {
    const { busy, queued, running } = stats();
    if (busy === 0 && queued === 0 && running === 0) break;
    watcher.at(`waits for an idle pool: busy ${busy}, queued ${queued}, running ${running}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", unhandled);
  return oracle.problems;
}

function isLate(operation: Operation): boolean {
  return operation.kind === "task" && operation.task.look === "late";
}
