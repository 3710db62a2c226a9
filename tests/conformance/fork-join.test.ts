import { conformance, type Tools } from "../support/conformance";

declare const T: Tools["T"];
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
  /** The first is waited for last, so that it is found behind the second. */
  backwards: (n: number): number => {
    if (n < 2) return n;
    const a = T.backwards(n - 1);
    const b = T.backwards(n - 2);
    return b.get() + a.get();
  },
  fibonacciAsync: async (n: number): Promise<number> => {
    if (n < 2) return n;
    const [a, b] = await Promise.all([T.fibonacciAsync(n - 1), T.fibonacciAsync(n - 2)]);
    return a + b;
  },
  /** Every level waits for a task that itself waits for the next level. */
  dependentDepth: (n: number): number => (n === 0 ? 0 : T.add(T.dependentDepth(n - 1), 1).get()),
  asyncSum: async (a: number, b: number) => (await T.add(a, b)) + (await T.add(0, 0)),
  blockOnAsyncAt: (n: number): number => (n === 0 ? T.asyncSum(1, 2).get() : 1 + T.blockOnAsyncAt(n - 1).get()),
  chain: async (n: number): Promise<number> => (n === 0 ? 0 : 1 + (await T.chain(n - 1))),
  sleepers: async (count: number, ms: number) =>
    (await Promise.all(Array.from({ length: count }, () => T.later(ms, 1)))).reduce((sum: number, one: number) => sum + one, 0),
  note: (order: Int32Array, number: number) => {
    order[Atomics.add(order, 0, 1) + 1] = number;
  },
  /** Pushes by priority, and from within what it has pushed. */
  family: async (order: Int32Array) => {
    const handles = [0, 5, -1, 0, 5].map((priority, i) => T.child.with({ priority })(order, i * 10));
    await Promise.all(handles);
  },
  child: async (order: Int32Array, number: number) => {
    order[Atomics.add(order, 0, 1) + 1] = number;
    await Promise.all([1, 2, 3].map((i) => T.note(order, number + i)));
  },
};

for (const threads of [1, 2, 4]) {
  conformance(`fork and join with ${threads} worker${threads > 1 ? "s" : ""}`, tasks, {
    "a tree of 100,000 blocking tasks": {
      on: ["native"],
      threads,
      limit: 60_000,
      run: async ({ T, assert }) => assert.strictEqual(await T.fibonacci(23), 28_657),
    },
    "a tree of 100,000 async tasks": {
      on: ["native"],
      threads,
      limit: 60_000,
      run: async ({ T, assert }) => assert.strictEqual(await T.fibonacciAsync(23), 28_657),
    },
    "a tree whose results are taken in the other order": {
      threads,
      limit: 60_000,
      run: async ({ T, assert }) => assert.strictEqual(await T.backwards(12), 144),
    },
    "what a task depends on runs although it waits below hundreds of others": {
      on: ["native"],
      threads,
      run: async ({ T, assert }) => assert.strictEqual(await T.dependentDepth(300), 300),
    },
    "what an async task awaits runs although that was started on top of hundreds of blocked ones": {
      on: ["native"],
      threads,
      run: async ({ T, assert }) => assert.strictEqual(await T.blockOnAsyncAt(300), 303),
    },
    "thousands of async tasks that each await the next": {
      on: ["native"],
      threads,
      limit: 60_000,
      run: async ({ T, assert }) => assert.strictEqual(await T.chain(10_000), 10_000),
    },
    "thousands of async tasks are pending at a time": {
      on: ["native"],
      threads,
      limit: 60_000,
      run: async ({ T, assert }) => assert.strictEqual(await T.sleepers(5_000, 20), 5_000),
    },
  });
}

conformance("order of nested tasks", tasks, {
  "by priority, then children before siblings, then in the order of the calls": {
    on: ["native"],
    threads: 1,
    run: async ({ T, mp, assert }) => {
      const order = mp.sharedArray(Int32Array, 32);
      await T.family(order);
      assert.deepStrictEqual([...order.slice(1, 21)], [10, 40, 41, 42, 43, 11, 12, 13, 0, 1, 2, 3, 30, 31, 32, 33, 20, 21, 22, 23]);
    },
  },
});
