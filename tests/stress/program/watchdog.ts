/**
 * Watches from a thread of its own, because the program's thread may be blocked when something hangs. When a round takes too long, it says which tasks are
 * pending and where they stand, and ends the process.
 */
import { writeSync } from "node:fs";
import { parentPort, Worker } from "node:worker_threads";
import { ENDED, PUSHED, SETTLED, STARTED, tasksOf, WORDS, type RoundPlan } from "./plan";
import type { Watcher } from "./round";

const STEPS = 100;

interface Message {
  round: RoundPlan;
  board: Int32Array;
}

/** @param limit ms for a round; 0: it never acts */
export function startWatchdog(limit: number): Watcher {
  // What the program is doing: text in shared memory, which can be read while its thread is blocked.
  const doing = new Uint8Array(new SharedArrayBuffer(256));
  const worker = new Worker(__filename, { workerData: { watchdog: { limit, doing } }, stderr: false });
  worker.unref();
  return {
    watch: (round, board) => worker.postMessage({ round, board } satisfies Message),
    at: (what) => doing.set(Buffer.from(what.slice(0, 255).padEnd(255, "\0"))),
  };
}

/** The thread's own side. */
export function watchdog({ limit, doing }: { limit: number; doing: Uint8Array }): void {
  let current: Message | undefined;
  let ticks = 0;
  parentPort!.on("message", (message: Message) => {
    current = message;
    ticks = 0;
  });
  // In steps: where the whole process has been stopped for a while, that is one step.
  const step = limit / STEPS;
  if (limit > 0) {
    setInterval(() => {
      if (current !== undefined && ++ticks === STEPS) act(current, doing, limit);
    }, step);
  }
}

function act({ round, board }: Message, doing: Uint8Array, limit: number): void {
  const what = Buffer.from(doing).toString("utf8").replace(/\0+$/, "");
  const lines = [`HANG round ${round.index}: not done after ${limit} ms. The program ${what}. Pending tasks:`];
  const count = (id: number, word: number): number => Atomics.load(board, id * WORDS + word);
  for (const { task, nested } of tasksOf(round)) {
    if (count(task.id, PUSHED) === 0 || count(task.id, SETTLED) > 0 || task.look === "drop") continue;
    const state =
      count(task.id, ENDED) > 0 ? "has ended, its result has not been taken" : count(task.id, STARTED) > 0 ? "runs" : "has not started";
    const waits = [...task.inputs, ...task.after];
    lines.push(
      `  task ${task.id}${nested ? " (nested)" : ""} ${state}: ${task.async ? "async " : ""}${task.form} ${task.ending.kind}, look ${task.look}` +
        `${task.children.length > 0 ? `, children ${task.children.map(({ id }) => id).join(" ")}` : ""}${waits.length > 0 ? `, waits for ${waits.join(" ")}` : ""}` +
        `${task.timeout === undefined ? "" : `, timeout ${task.timeout}`}${task.cancel === undefined ? "" : `, cancel ${task.cancel.at}`}` +
        `${task.signal === undefined ? "" : `, signal ${task.signal.at}`}${task.retry === undefined ? "" : ", retry"}`,
    );
  }
  writeSync(2, `${lines.join("\n")}\n`);
  if (process.env["STRESS_KEEP"] !== undefined) return;
  process.kill(process.pid, "SIGKILL");
}
