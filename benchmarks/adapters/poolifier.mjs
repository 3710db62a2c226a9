import path from "node:path";
import { taskFolder } from "../lib/folders.mjs";

export const variants = [
  { label: "no task queue", options: { enableTasksQueue: false } },
  { label: "task queue, 1 at a time", options: { enableTasksQueue: true, tasksQueueOptions: { concurrency: 1 } } },
  { label: "task queue, 10 at a time", options: { enableTasksQueue: true, tasksQueueOptions: { concurrency: 10 } } },
];

export async function open({ threads, variant }) {
  const { FixedThreadPool } = await import("poolifier");
  const pool = new FixedThreadPool(threads, path.join(taskFolder, "poolifier-worker.cjs"), { enableEvents: false, ...variant.options });
  return {
    task: (name) => (argument) => pool.execute(argument, name),
    move: (name) => (array) => pool.execute(array, name, undefined, [array.buffer]),
    close: () => pool.destroy(),
  };
}
