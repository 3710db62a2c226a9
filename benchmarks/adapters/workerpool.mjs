import path from "node:path";
import { taskFolder } from "../lib/folders.mjs";

export const variants = [{ label: "threads" }];

export async function open({ threads }) {
  const { default: workerpool } = await import("workerpool");
  const pool = workerpool.pool(path.join(taskFolder, "workerpool-worker.cjs"), {
    minWorkers: threads,
    maxWorkers: threads,
    workerType: "thread",
  });
  return {
    task: (name) => (argument) => pool.exec(name, [argument]),
    move: (name) => (array) => pool.exec(name, [array], { transfer: [array.buffer] }),
    close: () => pool.terminate(true),
  };
}
