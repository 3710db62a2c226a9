import { conformance, type Tools } from "../support/conformance";

declare const T: Tools["T"];
declare function sleep(ms: number): Promise<void>;

const tasks = {
  range: function* (n: number) {
    for (let i = 0; i < n; i++) yield i;
    return "end";
  },
  counted: function* (counter: Int32Array) {
    try {
      for (;;) {
        Atomics.add(counter, 0, 1);
        yield { at: counter[0] };
      }
    } finally {
      Atomics.store(counter, 1, 1);
    }
  },
  large: function* (bytes: number) {
    yield new Uint8Array(bytes).fill(7);
    yield "x".repeat(bytes);
  },
  sized: function* (sizes: readonly number[]) {
    for (const [i, size] of sizes.entries()) yield new Uint8Array(size).fill(i);
  },
  failing: function* () {
    yield 1;
    throw new RangeError("in the middle");
  },
  closure: function* () {
    yield () => 1;
  },
  sumOfOwn: async (n: number, late: boolean) => {
    let sum = 0;
    for await (const value of late ? T.slowly(n) : T.range(n)) sum += value;
    return sum;
  },
  fails: () => {
    throw new RangeError("no number");
  },
  withOwn: function* (items: unknown[]) {
    items.push("own");
    yield* items;
  },
  add: (a: number, b: number) => a + b,
  hold: (gate: Int32Array) => {
    Atomics.add(gate, 1, 1);
    Atomics.notify(gate, 1);
    Atomics.wait(gate, 0, 0);
    return "held";
  },
  /** Ends its worker while a stream waits for room on the other one. */
  leavesStream: (counter: Int32Array) => {
    T["counted"](counter);
    while (Atomics.load(counter, 0) < 16) T["add"](1, 2).get();
    process.exit(3);
  },
  slowly: async function* (n: number) {
    for (let i = 0; i < n; i++) {
      await sleep(1);
      yield i;
    }
  },
};

conformance("streams", tasks, {
  "a signal ends a stream, before it begins and in its course": async ({ T, assert }) => {
    const early = T.range.with({ signal: AbortSignal.abort("never") })(3);
    await assert.rejects(early.next(), { name: "CancelledError", cause: "never" });
    assert.strictEqual(early.status, "cancelled");
    const controller = new AbortController();
    const stream = T.range.with({ signal: controller.signal })(1e9);
    const seen: unknown[] = [];
    await assert.rejects(
      async () => {
        for await (const n of stream) if (seen.push(n) === 2) controller.abort("enough");
      },
      { name: "CancelledError", cause: "enough", message: "range was cancelled: enough." },
    );
    assert.deepStrictEqual(seen.slice(0, 2), [0, 1]);
  },
  "a stream waits for what it comes after": async ({ T, assert }) => {
    const first = T.add(1, 2);
    assert.deepStrictEqual(
      await T.range
        .with({ after: [first] })(1)
        .next(),
      { done: false, value: 0 },
    );
    assert.strictEqual(first.isReady(), true);
    await assert.rejects(
      T.range
        .with({ after: [T.fails()] })(1)
        .next(),
      { name: "DependencyError" },
    );
  },
  "a time limit ends a stream": async ({ T, mp, assert }) => {
    const stream = T.range.with({ timeout: 20 })(1e9);
    await assert.rejects(
      async () => {
        for await (const _ of stream);
      },
      (error: any) => error instanceof mp.TimeoutError && /^range has not ended within its timeout of 20 ms/.test(error.message),
    );
    assert.strictEqual(stream.status, "rejected");
  },
  "what a generator is called with is copied at the call": async ({ T, assert }) => {
    const list: unknown[] = [1];
    const stream = T.withOwn(list);
    list.push(2);
    const seen: unknown[] = [];
    for await (const value of stream) seen.push(value);
    assert.deepStrictEqual(
      [seen, list],
      [
        [1, "own"],
        [1, 2],
      ],
    );
    assert.throws(() => T.withOwn([() => 1]), { name: "TransferError", path: "args[0][0]" });
    const numbers: unknown[] = [];
    for await (const value of T.range(T.add(1, 2))) numbers.push(value);
    assert.deepStrictEqual(numbers, [0, 1, 2]);
    const failed = T.fails();
    failed.wait();
    for (const handle of [failed, T.fails()]) await assert.rejects(T.range(handle).next(), { name: "DependencyError", task: "range" });
  },
  "a stream whose consumer has died with its worker ends": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert, until }) => {
      const counter = mp.sharedArray(Int32Array, 2);
      await assert.rejects(T.leavesStream(counter), mp.WorkerCrashedError);
      await until(() => mp.stats().running === 0);
      assert.strictEqual(counter[1], 1);
      for (let i = 0; i < 10; i++) assert.strictEqual(T.add(i, 1).get(), i + 1);
    },
  },
  "streams that wait for room leave their workers to other tasks": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert, until }) => {
      const counters = Array.from({ length: 6 }, () => mp.sharedArray(Int32Array, 2));
      const streams = counters.map((counter) => T.counted(counter));
      // More of them than workers, and each has filled its room.
      await until(() => counters.every((counter) => counter[0]! >= 16));
      for (let i = 0; i < 50; i++) assert.strictEqual(T.add(i, 1).get(), i + 1);
      for (const stream of streams) for (let i = 1; i <= 50; i++) assert.ok((await stream.next()).value.at >= i);
      for (const stream of streams) await stream.return();
      await until(() => counters.every((counter) => counter[1] === 1));
    },
  },
  "a stream that is cancelled while its worker runs another task costs that task nothing": {
    threads: 1,
    on: ["native", "typescript"],
    run: async ({ T, mp, assert, until, sleep }) => {
      const counter = mp.sharedArray(Int32Array, 2);
      const gate = mp.sharedArray(Int32Array, 2);
      // The generator has as long to end once it goes on, also on a machine that has other things to do.
      const grace = 300;
      const stream = T.counted.with({ grace })(counter);
      await until(() => counter[0]! >= 16);
      const held = T.hold(gate);
      await until(() => gate[1] === 1);
      stream.cancel();
      // The worker must not be stopped for a generator that only waits.
      await sleep(grace + 50);
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
      assert.strictEqual(await held, "held");
      await until(() => counter[1] === 1);
      assert.strictEqual((await stream.next()).done, true);
    },
  },
  "a generator's values arrive in order": async ({ T, assert }) => {
    const seen: number[] = [];
    for await (const value of T.range(1000)) seen.push(value as number);
    assert.deepStrictEqual(
      seen,
      Array.from({ length: 1000 }, (_, i) => i),
    );
  },
  "an async generator's as well": async ({ T, assert }) => {
    const seen: number[] = [];
    for await (const value of T.slowly(20)) seen.push(value as number);
    assert.strictEqual(seen.length, 20);
  },
  "the return value comes last": async ({ T, assert }) => {
    const stream = T.range(1);
    assert.deepStrictEqual(await stream.next(), { done: false, value: 0 });
    assert.deepStrictEqual(await stream.next(), { done: true, value: "end" });
    assert.deepStrictEqual(await stream.next(), { done: true, value: undefined });
  },
  "values larger than the channel pass": async ({ T, assert }) => {
    const stream = T.large(300_000);
    const bytes = (await stream.next()).value;
    assert.strictEqual(bytes.length, 300_000);
    assert.strictEqual(bytes[299_999], 7);
    assert.strictEqual((await stream.next()).value.length, 300_000);
    assert.strictEqual((await stream.next()).done, true);
  },
  "the producer is never far ahead, and its finally runs when the consumer leaves": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert, until }) => {
      const counter = mp.sharedArray(Int32Array, 2);
      let taken = 0;
      for await (const value of T.counted(counter)) {
        void value;
        if (++taken === 5) {
          await sleep(20);
          assert.ok(counter[0]! <= 40, `produced ${counter[0]}`);
          break;
        }
      }
      await until(() => counter[1] === 1);
    },
  },
  "a task consumes a generator of its own on the only worker there is": {
    threads: 1,
    run: async ({ T, assert }) => {
      assert.strictEqual(await T.sumOfOwn(200, false), 19_900);
      assert.strictEqual(await T.sumOfOwn(20, true), 190);
    },
  },
  "an error arrives after the values before it": async ({ T, assert }) => {
    const seen: unknown[] = [];
    await assert.rejects(
      async () => {
        for await (const value of T.failing()) seen.push(value);
      },
      { name: "RangeError", message: "in the middle" },
    );
    assert.deepStrictEqual(seen, [1]);
  },
  "values of every size come whole and in order, however they are read": async ({ T, assert }) => {
    // Mostly small ones, and a few that are larger than the memory between the threads.
    let seed = 7;
    const random = (): number => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) / 2 ** 32;
    const bounds = [...new Array(14).fill(40), 4_000, 4_000, 70_000, 70_000, 70_000, 200_000];
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    for (const pace of ["fast", "slow", "in bursts"]) {
      const sizes = Array.from({ length: 600 }, () => Math.floor(random() * bounds[Math.floor(random() * bounds.length)]!));
      const stream = T.sized(sizes);
      for (let i = 0; i < sizes.length;) {
        const burst = pace === "in bursts" ? 1 + Math.floor(random() * 200) : 1;
        const values = await Promise.all(Array.from({ length: Math.min(burst, sizes.length - i) }, () => stream.next()));
        for (const { value } of values) {
          assert.ok(value.length === sizes[i] && value.every((byte: number) => byte === i % 256), `value ${i}`);
          i++;
        }
        if (pace !== "fast") await turn();
      }
      assert.deepStrictEqual(await stream.next(), { done: true, value: undefined });
    }
  },
  "a generator is never far ahead of its consumer": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert }) => {
      const counter = mp.sharedArray(Int32Array, 2);
      let read = 0;
      for await (const _ of T.counted(counter)) {
        read++;
        assert.ok(Atomics.load(counter, 0) <= read + 130, `${counter[0]} when ${read} had been read`);
        if (read === 5_000) break;
      }
    },
  },
  "a value that can't cross is an error": async ({ T, mp, assert }) => {
    await assert.rejects(T.closure().next(), (error: Error & { task?: string }) => {
      assert.ok(error instanceof mp.TransferError);
      assert.deepStrictEqual([error.task, error.message.startsWith("closure: result")], ["closure", true]);
      return true;
    });
  },
  "cancel ends a stream that nobody reads": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert, until }) => {
      const counter = mp.sharedArray(Int32Array, 2);
      const stream = T.counted(counter);
      await stream.next();
      assert.strictEqual(stream.cancel(), true);
      assert.strictEqual(stream.cancel(), false);
      assert.deepStrictEqual(await stream.next(), { done: true, value: undefined });
      await until(() => counter[1] === 1);
    },
  },
});
