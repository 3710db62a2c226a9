/** What waiting costs: nothing. Measured as processor time of the whole process, which other programs on the machine don't change much. */
import path from "node:path";
import { threaded } from "../support/backends";
import { removeTemporaryFolders, runNode, temporaryFolder, type Ended } from "../support/children";
import { writeProgram } from "../support/chunks";

afterAll(removeTemporaryFolders);

declare const T: Record<string, any>;
declare function sleep(ms: number): Promise<void>;

const tasks = {
  add: (a: number, b: number) => a + b,
  later: async (ms: number, value: unknown) => {
    await sleep(ms);
    return value;
  },
  fibonacci: (n: number): number => {
    if (n < 2) return n;
    const a = T.fibonacci(n - 1);
    const b = T.fibonacci(n - 2);
    return a.get() + b.get();
  },
  /** Says so, then sleeps until the gate opens. */
  hold: (gate: Int32Array) => {
    Atomics.add(gate, 1, 1);
    Atomics.notify(gate, 1);
    Atomics.wait(gate, 0, 0);
  },
  /** As hold, with a task of its own in its queue, from the time on when the two others are held. */
  holdWithNested: (gate: Int32Array) => {
    Atomics.add(gate, 1, 1);
    for (let seen; (seen = Atomics.load(gate, 1)) < 2;) Atomics.wait(gate, 1, seen);
    void T.add(1, 2);
    Atomics.add(gate, 1, 1);
    Atomics.wait(gate, 0, 0);
  },
  /** Waits for a task that another worker runs, below many others. */
  waitDeeply: (depth: number, gate: Int32Array): number => {
    if (depth > 0) return 1 + T.waitDeeply(depth - 1, gate).get();
    const handle = T.hold(gate);
    for (let seen; (seen = Atomics.load(gate, 1)) < 2;) Atomics.wait(gate, 1, seen);
    handle.get();
    return 0;
  },
};

/** Percent of one core; a worker that does not sleep uses as much as it gets. */
const BARELY_ANYTHING = 2;

/**
 * Runs `before`, then measures for a second at a time what percentage of one core is used. Prints the first that is next to nothing, or, after many
 * seconds, the last: on a machine with much else to do it may take a while until everybody sleeps.
 */
function measure(before: string, backend: string, threads: number): Promise<Ended> {
  const main = `
    ${before}
    let percent = 100;
    for (let i = 0; i < 20 && percent >= ${BARELY_ANYTHING}; i++) {
      const start = performance.now();
      const used = process.cpuUsage();
      await sleep(1000);
      const { user, system } = process.cpuUsage(used);
      percent = (user + system) / 10 / (performance.now() - start);
    }
    console.log(percent.toFixed(2));
    process.exit();`;
  const program = writeProgram(path.join(temporaryFolder(), "program"), { tasks, main });
  return runNode(program.main, [], { env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: String(threads) }, limit: 60_000 });
}

describe.each(threaded)("on the %s backend", (backend) => {
  test("a pool that has worked and has nothing to do uses no processor time", async () => {
    const ended = await measure(
      `assert.strictEqual(await T.fibonacci(10), 55);
      await Promise.all(Array.from({ length: 10_000 }, (_, i) => T.add(i, 1)));
      assert.strictEqual(T.add(1, 2).get(), 3);
      assert.strictEqual(await T.later(5, 1), 1);`,
      backend,
      3,
    );
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    expect(Number(ended.stdout)).toBeLessThan(BARELY_ANYTHING);
  });
});

test("a worker that waits below many others sleeps, although there is a nested task that it may not run", async () => {
  const ended = await measure(
    `const gate = mp.sharedArray(Int32Array, 2);
    void T.holdWithNested(gate);
    while (Atomics.load(gate, 1) < 1) await sleep(1);
    void T.waitDeeply(40, gate);
    while (Atomics.load(gate, 1) < 3) await sleep(1);
    assert.strictEqual(mp.stats().queued, 1);`,
    "native",
    3,
  );
  expect(ended).toMatchObject({ code: 0, stderr: "" });
  expect(Number(ended.stdout)).toBeLessThan(BARELY_ANYTHING);
});
