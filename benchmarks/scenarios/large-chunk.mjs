import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { best, isNative, ours } from "../lib/libraries.mjs";
import { buildFolder } from "../lib/folders.mjs";

const source = "export class Point { constructor(private x: number) {} get(): number { return this.x; } }\n";

/**
 * A 10 MB chunk (it bundles the TypeScript compiler), loaded and called for the first time in one more worker of a process in which another worker has
 * it already. Compared with what every other pool does in that place: a worker that imports, or requires, the same bundle.
 */
export default {
  id: "large-chunk",
  title: "a 10 MB chunk, loaded and first called in one more worker",
  unit: "ms",
  libraries: [ours, "bare"],
  forms: (library) => (library === ours ? [{ form: "chunk" }] : [{ form: "import()" }, { form: "require()" }]),
  measure: ({ open, library, form }) => (library === ours ? oneMoreOfOurs(open) : oneMoreBare(open, form.form)),
  aim: {
    text: "≥ 3x faster than import()",
    value: (results) => {
      const native = best(results, isNative);
      const imported = best(results, (result) => result.form === "import()");
      return native === undefined || imported === undefined ? undefined : imported / native;
    },
    met: (x) => x >= 3,
    show: (x) => `${x.toFixed(1)}x`,
  },
};

async function oneMoreBare(open, how) {
  const { workers, ask } = await open(2);
  const load = path.join(buildFolder, how === "import()" ? "compiler.mjs" : "compiler.cjs");
  if (fs.statSync(load).size < 8e6) throw new Error("the bundle is smaller than it should be");
  const message = { load, how: how === "import()" ? "import" : "require", argument: source };
  await ask(workers[0], message);
  await ask(workers[1], "ping");
  const start = performance.now();
  await ask(workers[1], message);
  return performance.now() - start;
}

async function oneMoreOfOurs(open) {
  const { transpile, hold } = (await open(2)).program;
  const { thread } = await transpile(source);
  // Time for the first worker to make and share V8's code cache, as a program that has run for a while has had.
  await sleep(1_000);

  // Both workers are held, then the one that does not have the chunk yet is let go: the next task can only run there.
  const state = new Int32Array(new SharedArrayBuffer(64));
  const holds = [hold(state), hold(state)];
  for (const handle of holds) handle.catch(() => {});
  while (Atomics.load(state, 1) < 2) await sleep(1);
  const letGo = (place) => {
    Atomics.store(state, place + 1, 1);
    Atomics.notify(state, place + 1);
  };
  const [taken, fresh] = Atomics.load(state, 2) === thread ? [2, 4] : [4, 2];
  letGo(fresh);
  await Promise.race(holds);

  const start = performance.now();
  const result = await transpile(source);
  const time = performance.now() - start;
  if (result.thread === thread) throw new Error("the task ran in the worker that had the chunk already");
  letGo(taken);
  await Promise.all(holds);
  return time;
}
