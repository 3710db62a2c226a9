import path from "node:path";
import { taskFolder } from "../lib/folders.mjs";

export const variants = [
  { label: "1 at a time", concurrentTasksPerWorker: 1 },
  { label: "10 at a time", concurrentTasksPerWorker: 10 },
];

export async function open({ threads, variant }) {
  const { Piscina, FixedQueue } = await import("piscina");
  const pool = new Piscina({
    filename: path.join(taskFolder, "piscina-worker.cjs"),
    minThreads: threads,
    maxThreads: threads,
    idleTimeout: Infinity,
    taskQueue: new FixedQueue(),
    concurrentTasksPerWorker: variant.concurrentTasksPerWorker,
    recordTiming: false,
  });
  return {
    task: (name) => (argument) => pool.run(argument, { name }),
    move: (name) => (array) => pool.run(array, { name, transferList: [array.buffer] }),
    close: () => pool.destroy(),
  };
}
