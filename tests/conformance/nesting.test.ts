import { conformance, type Tools } from "../support/conformance";

declare const mp: Tools["mp"];
declare const T: Tools["T"];
declare function sleep(ms: number): Promise<void>;

const tasks = {
  add: (a: number, b: number) => a + b,
  later: async (ms: number, value: unknown) => {
    await sleep(ms);
    return value;
  },
  text: (length: number) => "x".repeat(length),
  fail: (message: string) => {
    throw new RangeError(message);
  },
  fibonacci: (n: number): number => {
    if (n < 2) return n;
    const a = T.fibonacci(n - 1);
    const b = T.fibonacci(n - 2);
    return a.get() + b.get();
  },
  depth: (n: number): number => (n === 0 ? 0 : 1 + T.depth(n - 1).get()),
  /** Waits for a task that needs the event loop, while another one fails. */
  secondFailsNow: () => {
    const first = T.later(30, "first");
    const second = T.fail("second");
    first.wait();
    try {
      return second.get();
    } catch (error) {
      return (error as Error).message;
    }
  },
  ownErrorNames: () => {
    const handle = T.spin(1);
    handle.cancel();
    try {
      return handle.get();
    } catch (error) {
      return `${(error as Error).name} ${(error as Error).constructor.name}`;
    }
  },
  fanOut: (count: number): number => {
    const handles = Array.from({ length: count }, (_, i) => T.add(i, 1));
    return handles.reduce((sum, handle) => sum + handle.get(), 0);
  },
  fanOutAsync: async (count: number): Promise<number> => {
    const values = await Promise.all(Array.from({ length: count }, (_, i) => T.add(i, 1)));
    return values.reduce((sum: number, value: number) => sum + value, 0);
  },
  fibonacciAsync: async (n: number): Promise<number> => (n < 2 ? n : (await T.fibonacciAsync(n - 1)) + (await T.fibonacciAsync(n - 2))),
  awaitAsync: async (ms: number) => (await T.later(ms, "inner")) + "!",
  blockOnAsync: (ms: number) => T.later(ms, "inner").get() + "!",
  nameLater: async (ms: number) => {
    const before = mp.taskInfo().name;
    await sleep(ms);
    return [before, mp.taskInfo().name];
  },
  /** Blocks on a task whose second half runs in a turn of the event loop inside of this wait, when both are on one worker. */
  names: (ms: number) => [...(T.nameLater(ms).get() as string[]), mp.taskInfo().name],
  failing: () => {
    try {
      T.fail("inner").get();
    } catch (error) {
      return `${(error as Error).name}: ${(error as Error).message}`;
    }
    return "nothing was thrown";
  },
  large: (length: number) => T.text(length).get().length,
  echo: (value: unknown) => value,
  movedThrough: (length: number) => {
    const bytes = new Uint8Array(length).fill(1);
    const handle = T.echo(mp.move(bytes));
    const gone = bytes.length === 0;
    const result = handle.get() as Uint8Array;
    return gone && result.length === length && result[0] === 1;
  },
  dependencies: () => {
    const a = T.add(1, 2);
    const b = T.add(a, T.add(3, 4));
    return T.add
      .with({ after: [a] })(b, 1)
      .get();
  },
  spin: (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
    return ms;
  },
  forever: () => {
    for (;;);
  },
  nestedTimeout: async () => {
    const handle = T.forever.with({ timeout: 50, grace: 10 })();
    return handle.then(
      () => "fulfilled",
      (error: Error) => error.name,
    );
  },
  nestedCancel: (ms: number) => {
    const handle = T.spin(ms);
    const cancelled = handle.cancel();
    return cancelled && handle.status;
  },
  abandon: (seen: Int32Array) => {
    for (let i = 0; i < 5; i++) void T.count(seen);
    return "left";
  },
  count: (seen: Int32Array) => Atomics.add(seen, 0, 1),
  /** A nested task whose time is over before anybody looks at it. */
  lateChild: (ms: number) => {
    const handle = T.untilCancelled.with({ timeout: ms, grace: 10_000 })();
    const end = performance.now() + ms + 40;
    while (performance.now() < end);
    try {
      return handle.get();
    } catch (error) {
      return (error as Error).name;
    }
  },
  untilCancelled: () => {
    while (!mp.isCancelled());
    return "ran";
  },
  /** Leaves a task behind that another worker runs. */
  leaveWork: (seen: Int32Array, ms: number) => {
    const handle = T.countLater(seen, ms);
    while (Atomics.load(seen, 1) === 0) handle.isReady();
  },
  countLater: (seen: Int32Array, ms: number) => {
    Atomics.store(seen, 1, 1);
    const end = performance.now() + ms;
    while (performance.now() < end);
    Atomics.add(seen, 0, 1);
  },
  priorities: (order: Int32Array) => {
    const handles = [0, 5, -1, 0].map((priority, i) => T.note.with({ priority })(order, i));
    for (const handle of handles) handle.get();
  },
  note: (order: Int32Array, number: number) => {
    order[Atomics.add(order, 0, 1) + 1] = number;
  },
  many: (count: number) => {
    const handles = Array.from({ length: count }, (_, i) => T.add(i, 0));
    let sum = 0;
    for (const handle of handles) sum += handle.get();
    return sum;
  },
  poll: (ms: number) => {
    const handle = T.spin(ms);
    while (!handle.isReady());
    return handle.tryGet();
  },
};

const threaded = ["native", "typescript"] as const;

conformance("nesting with one worker", tasks, one());
conformance("nesting with two workers", tasks, two());

function one() {
  const cases = both();
  return Object.fromEntries(Object.entries(cases).map(([name, given]) => [name, { threads: 1, ...given }]));
}

function two() {
  return {
    ...both(),
    "polling a nested task in a loop comes to an end": {
      on: threaded,
      run: async ({ T, assert }: Tools) => assert.strictEqual(await T.poll(5), 5),
    },
    "a nested infinite loop is stopped by its time limit": {
      on: threaded,
      run: async ({ T, assert }: Tools) => {
        const result = await T.nestedTimeout().catch((error: Error) => error.name);
        // On its own worker the loop takes the waiting task along.
        assert.ok(result === "TimeoutError" || result === "WorkerCrashedError", result);
        assert.strictEqual(await T.add(1, 2), 3);
      },
    },
  };
}

function both() {
  return {
    "parallel recursion ends": {
      limit: 30_000,
      run: async ({ T, assert }: Tools) => {
        assert.strictEqual(await T.fibonacci(12), 144);
        assert.strictEqual(T.fibonacci(8).get(), 21);
      },
    },
    "nesting much deeper than the pool": {
      run: async ({ T, assert }: Tools) => assert.strictEqual(await T.depth(100), 100),
    },
    "a task waits for many of its own": {
      run: async ({ T, assert }: Tools) => {
        assert.strictEqual(await T.fanOut(500), 125_250);
        assert.deepStrictEqual(await Promise.all([T.fanOut(100), T.fanOut(100), T.fanOut(100)]), [5_050, 5_050, 5_050]);
      },
    },
    "more nested tasks than there is memory for at once": {
      limit: 30_000,
      run: async ({ T, assert }: Tools) => assert.strictEqual(await T.many(20_000), 199_990_000),
    },
    "an async task awaits tasks of its own": {
      run: async ({ T, assert }: Tools) => {
        assert.strictEqual(await T.fanOutAsync(100), 5_050);
        assert.strictEqual(await T.awaitAsync(5), "inner!");
        assert.strictEqual(await T.fibonacciAsync(8), 21);
      },
    },
    "a task blocks on an async one": {
      on: threaded,
      run: async ({ T, assert }: Tools) => {
        assert.strictEqual(await T.blockOnAsync(5), "inner!");
        assert.deepStrictEqual(await Promise.all([T.blockOnAsync(5), T.blockOnAsync(5), T.blockOnAsync(5)]), [
          "inner!",
          "inner!",
          "inner!",
        ]);
      },
    },
    "what goes on while another task is blocked belongs to its own task": {
      on: threaded,
      run: async ({ T, assert }: Tools) => {
        const expected = ["nameLater", "nameLater", "names"];
        assert.deepStrictEqual(await T.names(5), expected);
        assert.deepStrictEqual(await Promise.all([T.names(2), T.names(1), T.names(3)]), [expected, expected, expected]);
      },
    },
    "a nested error reaches the task that waits": {
      run: async ({ T, assert }: Tools) => assert.strictEqual(await T.failing(), "RangeError: inner"),
    },
    "a failed call that is looked at right after a wait for another is not reported": {
      on: threaded,
      run: async ({ T, assert }: Tools) => {
        for (let i = 0; i < 5; i++) assert.strictEqual(await T.secondFailsNow(), "second");
      },
    },
    "errors that arise in a worker have their own names": {
      run: async ({ T, assert }: Tools) => assert.strictEqual(await T.ownErrorNames(), "CancelledError CancelledError"),
    },
    "large and moved nested values": {
      run: async ({ T, assert }: Tools) => {
        assert.strictEqual(await T.large(500_000), 500_000);
        assert.strictEqual(await T.movedThrough(10), true);
        assert.strictEqual(await T.movedThrough(100_000), true);
        assert.deepStrictEqual(await Promise.all([1, 2, 3, 4].map((n) => T.large(n * 10_000))), [10_000, 20_000, 30_000, 40_000]);
      },
    },
    "nested dependencies": {
      run: async ({ T, assert }: Tools) => assert.strictEqual(await T.dependencies(), 11),
    },
    "nested cancellation": {
      run: async ({ T, assert }: Tools) => {
        assert.strictEqual(await T.nestedCancel(5), "cancelled");
        assert.strictEqual(await T.add(1, 2), 3);
      },
    },
    "nested priorities": {
      threads: 1,
      run: async ({ T, mp, assert }: Tools) => {
        const order = mp.sharedArray(Int32Array, 8);
        await T.priorities(order);
        assert.strictEqual(order[0], 4);
      },
    },
    "a task that does not wait for its own lets them run": {
      run: async ({ T, mp, assert, until }: Tools) => {
        const seen = mp.sharedArray(Int32Array, 1);
        assert.strictEqual(await T.abandon(seen), "left");
        await until(() => seen[0] === 5);
      },
    },
    "a worker with tasks of its own under way does not end for being idle": {
      on: threaded,
      threads: 2,
      pool: { minThreads: 0, idleTimeout: 1, grace: 1 },
      run: async ({ T, mp, until }: Tools) => {
        for (let i = 0; i < 3; i++) {
          const seen = mp.sharedArray(Int32Array, 2);
          await T.leaveWork(seen, 100);
          await until(() => seen[0] === 1);
        }
      },
    },
    "the time of a nested task that passes before it begins": {
      on: threaded,
      threads: 1,
      run: async ({ T, assert }: Tools) => {
        for (let i = 0; i < 3; i++) assert.strictEqual(await T.lateChild(5), "TimeoutError");
      },
    },
    "nested tasks go on while the caller blocks or computes": {
      on: threaded,
      run: ({ T, assert }: Tools) => {
        const handle = T.fibonacci(8);
        const end = performance.now() + 300;
        while (performance.now() < end);
        assert.strictEqual(handle.get(5_000), 21);
      },
    },
  };
}
