/** The tasks that makeparallel runs: the same functions as in peer-tasks.cjs, marked. */
import { threadId } from "node:worker_threads";
import { configure, parallel, shutdown, stats, type ParallelFunction } from "makeparallel";
import { transpile as compile } from "./compiler.js";

export { configure, shutdown, stats };

export const tasks = {
  add: parallel((n: number) => n + 1),
  root: parallel((n: number) => Math.sqrt(n) * 2),
  echo: parallel((value: unknown) => value),
  first: parallel({ transfer: "move" }, (numbers: Float64Array) => numbers[0]),
  spin: parallel((rounds: number) => {
    let x = 1;
    for (let i = 0; i < rounds; i++) x = (Math.imul(x, 1_664_525) + 1_013_904_223) | 0;
    return x;
  }),
};

/** A task for every call. */
export const tree: ParallelFunction<[number], number> = parallel((n: number): number => {
  if (n < 2) return n;
  const a = tree(n - 1);
  const b = tree(n - 2);
  return a.get() + b.get();
});

export const awaitedTree: ParallelFunction<[number], Promise<number>> = parallel(async (n: number): Promise<number> => {
  if (n < 2) return n;
  const [a, b] = await Promise.all([awaitedTree(n - 1), awaitedTree(n - 2)]);
  return a + b;
});

/** Compiles a source with the bundled compiler; says on which thread. */
export const transpile = parallel((source: string) => ({ length: compile(source).length, thread: threadId }));

/** Holds a worker, asleep, until its place in `state` is set and notified. `state`: places taken, workers held, then thread and place of each. */
export const hold = parallel((state: Int32Array) => {
  const place = 2 + Atomics.add(state, 0, 1) * 2;
  Atomics.store(state, place, threadId);
  Atomics.add(state, 1, 1);
  Atomics.wait(state, place + 1, 0);
});
