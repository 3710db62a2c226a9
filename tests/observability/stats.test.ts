import { threaded } from "../support/backends";
import { conformance, type Tools } from "../support/conformance";

declare const mp: Tools["mp"];
declare const T: Record<string, any>;

const tasks = {
  add: (a: number, b: number) => a + b,
  spin: (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
    return ms;
  },
  timed: (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
    return ms;
  },
  fail: () => {
    throw new Error("no");
  },
  failOnce: (counter: Int32Array) => {
    if (Atomics.add(counter, 0, 1) === 0) throw new Error("the first time");
    return "done";
  },
  late: () => undefined,
  kept: (n: number) => n + 1,
  square: (n: number) => {
    if (n < 0) throw new RangeError("negative");
    return n * n;
  },
  count: function* (n: number) {
    for (let i = 0; i < n; i++) yield i;
  },
  parent: async (n: number) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += await T.add(i, 1);
    return sum;
  },
  parentThatEndsItsWorker: async (n: number) => {
    for (let i = 0; i < n; i++) await T.add(i, 1);
    process.exit(3);
  },
  own: async () => {
    await T.add(1, 1);
    return Object.keys(mp.stats().functions);
  },
};

conformance("stats", tasks, {
  "before the first task, the pool is described as it will be": ({ mp, assert, backend }) => {
    const { functions, queueWait, runTime, ...pool } = mp.stats();
    assert.deepEqual(pool, { backend, threads: 2, busy: 0, queued: 0, running: 0 });
    assert.deepEqual(queueWait, runTime);
    assert.deepEqual(functions, {});
    assert.deepEqual(runTime, { p50: 0, p90: 0, p99: 0, max: 0 });
  },
  "counts outcomes by function": async ({ T, mp, assert }) => {
    for (let i = 0; i < 5; i++) await T.add(i, 1);
    await T.fail().catch(() => undefined);
    const late = T.add.with({ after: [T.spin(20)] })(1, 1);
    late.cancel();
    await late.catch(() => undefined);
    await T.add
      .with({ signal: AbortSignal.abort() })(1, 1)
      .catch(() => undefined);
    const { functions } = mp.stats();
    const { name, fulfilled, rejected, cancelled, retried, memoized } = functions["test.ts#add"]!;
    assert.deepEqual(
      { name, fulfilled, rejected, cancelled, retried, memoized },
      { name: "add", fulfilled: 5, rejected: 0, cancelled: 2, retried: 0, memoized: 0 },
    );
    assert.equal(functions["test.ts#fail"]!.rejected, 1);
    assert.equal(functions["test.ts#fail"]!.fulfilled, 0);
  },
  "percentiles of the run time are those of the tasks, and elapsed agrees with them": async ({ T, mp, assert }) => {
    const elapsed: number[] = [];
    for (const ms of [30, 5, 5, 5, 5, 5, 5, 5, 5, 5]) {
      const handle = T.timed(ms);
      await handle;
      elapsed.push(handle.elapsed);
    }
    const { runTime } = mp.stats().functions["test.ts#timed"]!;
    elapsed.sort((a, b) => a - b);
    // The durations that this test measured itself; a bucket's edge is at most an eighth above what is in it.
    const near = (found: number, real: number) => assert.ok(found >= real - 0.01 && found <= real * 1.126 + 0.01, `${found} for ${real}`);
    near(runTime.p50, elapsed[4]!);
    near(runTime.p90, elapsed[8]!);
    assert.ok(Math.abs(runTime.max - elapsed[9]!) < 0.01);
    assert.ok(elapsed[9]! >= 30 && runTime.p50 >= 5);
  },
  "the queue wait is the time before the start, without the wait for dependencies": {
    threads: 1,
    run: async ({ T, mp, assert }) => {
      await T.add(1, 1);
      const blocker = T.spin(60);
      const behind = T.square(3);
      await behind;
      await blocker;
      const { queueWait } = mp.stats().functions["test.ts#square"]!;
      assert.ok(queueWait.max >= 50, `waited ${queueWait.max} ms behind a task of 60 ms`);
      const gate = T.spin(200);
      await T.late.with({ after: [gate] })();
      const dependent = mp.stats().functions["test.ts#late"]!;
      assert.equal(dependent.fulfilled, 1);
      assert.ok(dependent.queueWait.max < 200, `waited ${dependent.queueWait.max} ms after its dependency of 200 ms had ended`);
    },
  },
  "queue depth and busy workers at this moment": {
    threads: 1,
    on: threaded,
    run: async ({ T, mp, assert, until }) => {
      const first = T.spin(100);
      await until(() => mp.stats().running === 1);
      const rest = [T.add(1, 1), T.add(1, 2), T.add(1, 3)];
      const { queued, busy, threads, running } = mp.stats();
      assert.deepEqual({ queued, busy, threads, running }, { queued: 3, busy: 1, threads: 1, running: 1 });
      await mp.gather([first, ...rest]);
      await until(() => mp.stats().busy === 0);
      assert.equal(mp.stats().queued, 0);
    },
  },
  "a retried run is counted as such, and its times too": async ({ T, mp, assert }) => {
    assert.equal(await T.failOnce.with({ retry: 3 })(mp.sharedArray(Int32Array, 1)), "done");
    const { fulfilled, rejected, retried, runTime } = mp.stats().functions["test.ts#failOnce"]!;
    assert.deepEqual({ fulfilled, rejected, retried }, { fulfilled: 1, rejected: 0, retried: 1 });
    assert.ok(runTime.max > 0);
  },
  "a memoized call is counted apart from the run that answers it": async ({ T, mp, assert }) => {
    const kept = T.kept.with({ memoize: true });
    for (let i = 0; i < 4; i++) assert.equal(await kept(20), 21);
    const { fulfilled, memoized } = mp.stats().functions["test.ts#kept"]!;
    assert.deepEqual({ fulfilled, memoized }, { fulfilled: 1, memoized: 3 });
  },
  "an item of a map counts as a task, with its share of the chunk's time": async ({ T, mp, assert }) => {
    const before = mp.stats().functions["test.ts#square"]?.fulfilled ?? 0;
    await T.square.map(Array.from({ length: 1000 }, (_, i) => i));
    const { fulfilled, runTime } = mp.stats().functions["test.ts#square"]!;
    assert.equal(fulfilled - before, 1000);
    assert.ok(runTime.p50 > 0 && runTime.p50 < 5);
    const failing = T.square.map([1, -1, 2], { chunkSize: 3 });
    await failing.catch(() => undefined);
    assert.equal(mp.stats().functions["test.ts#square"]!.rejected, 1);
  },
  "a stream counts as one task": async ({ T, mp, assert }) => {
    for await (const n of T.count(50)) assert.ok(n >= 0);
    const { fulfilled, runTime } = mp.stats().functions["test.ts#count"]!;
    assert.equal(fulfilled, 1);
    assert.ok(runTime.max > 0);
  },
  "tasks that tasks have pushed are counted in the program, also after their worker has ended": async ({ T, mp, assert, backend }) => {
    const of = () => mp.stats().functions["test.ts#add"]?.fulfilled ?? 0;
    const before = of();
    assert.equal(await T.parent(10), 55);
    assert.equal(of() - before, 10);
    if (backend === "inline") return;
    await T.parentThatEndsItsWorker(7).catch(() => undefined);
    assert.equal(of() - before, 17);
    await mp.shutdown();
    assert.equal(of() - before, 17);
    assert.equal(mp.stats().functions["test.ts#add"]!.name, "add");
  },
  "in a task, only what its worker has pushed is counted": {
    on: threaded,
    run: async ({ T, assert }) => {
      assert.deepEqual(await T.own(), ["test.ts#add"]);
    },
  },
});
