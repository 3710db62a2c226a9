/** Bare `new Worker`: what the platform itself costs. */
import path from "node:path";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { taskFolder } from "../lib/folders.mjs";

export const variants = [{ label: "new Worker" }];

export async function open({ threads }) {
  const workers = Array.from({ length: threads }, () => new Worker(path.join(taskFolder, "bare-worker.cjs")));
  return {
    workers,
    async ask(worker, message) {
      worker.postMessage(message);
      const [answer] = await once(worker, "message");
      return answer;
    },
    close: () => Promise.all(workers.map((worker) => worker.terminate())),
  };
}
