/**
 * The program: runs rounds until the time is over, and says what it found in lines of JSON.
 *
 * The same file is the entry of the watchdog's thread and of the user's Workers that rounds make.
 */
import { readFileSync, writeSync } from "node:fs";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { configure, shutdown } from "makeparallel";
import { ENVIRONMENT_THREADS, poolPlan, roundPlan, ROUNDS_PER_POOL } from "./generate";
import { runRound, setUp } from "./round";
import { tasksOf, type Operation, type RoundPlan } from "./plan";
import { startWatchdog, watchdog } from "./watchdog";

interface EnvironmentData {
  stress?: { round: RoundPlan; end: string; ms: number; backend: string };
  watchdog?: Parameters<typeof watchdog>[0];
}

/** Written at once: the process may be killed in the next moment. */
function say(line: object): void {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

async function program(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seed: { type: "string", default: "1" },
      seconds: { type: "string", default: "10" },
      backend: { type: "string", default: "native" },
      threads: { type: "string" },
      from: { type: "string", default: "0" },
      rounds: { type: "string", default: "Infinity" },
      /** Times that each round is run. */
      repeat: { type: "string", default: "1" },
      /** Operations to keep, by id. */
      only: { type: "string" },
      /** A file with a round to run in place of the generated ones, as `show` writes it. */
      plan: { type: "string" },
      /** ms for a round. */
      limit: { type: "string", default: "60000" },
      memory: { type: "boolean", default: false },
      show: { type: "boolean", default: false },
      trace: { type: "boolean", default: false },
    },
  });
  const seed = Number(values.seed);
  const from = Number(values.from);
  const end = performance.now() + Number(values.seconds) * 1_000;
  const threads = values.threads === undefined ? undefined : Number(values.threads);
  const only = values.only?.split(",").map(Number);
  const watcher = startWatchdog(Number(values.limit));
  let done = 0;
  let tasks = 0;
  let pool = -1;
  for (let index = from; index < from + Number(values.rounds); index++) {
    if (performance.now() > end) break;
    const plan = poolPlan(seed, Math.floor(index / ROUNDS_PER_POOL), threads);
    const whole =
      values.plan === undefined
        ? roundPlan(seed, index, values.memory, plan.threads)
        : (JSON.parse(readFileSync(values.plan, "utf8")) as RoundPlan);
    const round = reduce(whole, only);
    if (values.show) say({ plan: round });
    for (let run = 0; run < Number(values.repeat); run++) {
      if (performance.now() > end && run > 0) break;
      if (pool !== Math.floor(index / ROUNDS_PER_POOL) || round.shutdown) {
        watcher.at("ends the pool");
        await shutdown();
        setUp(plan, values.backend);
        pool = Math.floor(index / ROUNDS_PER_POOL);
      }
      if (values.trace) say({ round: index, run, operations: round.operations.map(({ id }) => id) });
      const problems = await runRound(round, values.backend, watcher);
      if (round.shutdown) pool = -1;
      if (problems.length > 0) {
        say({
          failed: {
            round: index,
            operations: round.operations.map(({ id }) => id),
            threads: plan.threads,
            problems: problems.slice(0, 10),
          },
        });
        process.exit(1);
      }
      done++;
      tasks += [...tasksOf(round)].length;
    }
  }
  await shutdown();
  // The process has to end by itself.
  say({ passed: { rounds: done, tasks } });
}

/** Leaves only some operations, and handles of them. */
function reduce(round: RoundPlan, only: readonly number[] | undefined): RoundPlan {
  if (only === undefined) return round;
  const kept = round.operations.map((operation) => only.includes(operation.id));
  const operations = round.operations.filter((_, i) => kept[i]);
  const ids = new Set(operations.flatMap((operation) => (operation.kind === "task" ? [operation.task.id] : [])));
  return {
    ...round,
    operations: operations.map((operation): Operation => {
      if (operation.kind !== "task") return operation;
      const { task } = operation;
      return {
        ...operation,
        task: { ...task, inputs: task.inputs.filter((id) => ids.has(id)), after: task.after.filter((id) => ids.has(id)) },
      };
    }),
    pauses: round.pauses.filter((_, i) => kept[i]),
  };
}

/** In a Worker of the user's: a round in an environment with a pool of its own. */
async function environment({ round, end, ms, backend }: NonNullable<EnvironmentData["stress"]>): Promise<void> {
  configure({ backend: backend as "native", threads: ENVIRONMENT_THREADS, grace: 20 });
  if (end === "exit") setTimeout(() => process.exit(5), ms);
  const problems = await runRound(round, backend, { watch: () => {}, at: () => {} });
  if (end === "shutdown") await shutdown();
  if (end !== "exit") parentPort!.postMessage(problems);
}

const data = workerData as EnvironmentData | null;
if (isMainThread) void program();
else if (data?.watchdog !== undefined) watchdog(data.watchdog);
else if (data?.stress !== undefined) void environment(data.stress);
