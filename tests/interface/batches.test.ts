import { conformance, type Tools } from "../support/conformance";

declare const mp: Tools["mp"];
declare function sleep(ms: number): Promise<void>;

const tasks = {
  pass: (value: unknown) => value,
  pair: (shared: object) => ({ shared, again: shared }),
  square: (n: number) => n * n,
  later: async (ms: number, value: unknown) => {
    await sleep(ms);
    return value;
  },
  failAt: (n: number) => {
    if (n === 700) throw new RangeError(`no ${n}`);
    return n;
  },
  fail: (message: string) => {
    throw new RangeError(message);
  },
  opened: async (gate: Int32Array, value: unknown) => {
    while (Atomics.load(gate, 0) === 0) await sleep(1);
    return value;
  },
  count: function* (n: number) {
    for (let i = 0; i < n; i++) yield i;
  },
  spin: () => {
    while (!mp.isCancelled()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  },
};

conformance("batches", tasks, {
  "gather gives the values in the order of the handles": async ({ T, mp, assert }) => {
    assert.deepStrictEqual(await mp.gather([T.later(20, "a"), T.square(3), T.later(1, "c")]), ["a", 9, "c"]);
    assert.deepStrictEqual(await mp.gather([]), []);
  },
  "gather throws the first error, skips failures, or settles": async ({ T, mp, assert }) => {
    const handles = () => [T.square(2), T.fail("one"), T.square(3)];
    await assert.rejects(mp.gather(handles()), { name: "RangeError", message: "one" });
    assert.deepStrictEqual(await mp.gather(handles(), { onError: "skip" }), [4, 9]);
    const settled = await mp.gather(handles(), { onError: "settle" });
    assert.deepStrictEqual(
      settled.map(({ status }: any) => status),
      ["fulfilled", "rejected", "fulfilled"],
    );
    assert.strictEqual((settled[1] as any).reason.message, "one");
    await assert.rejects(mp.gather([], { onError: "no" as never }), TypeError);
  },
  "asCompleted yields values as they come": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert }) => {
      const gate = mp.sharedArray(Int32Array, 1);
      const seen: unknown[] = [];
      for await (const value of mp.asCompleted([T.opened(gate, "slow"), T.later(1, "fast")])) {
        seen.push(value);
        gate[0] = 1;
      }
      assert.deepStrictEqual(seen, ["fast", "slow"]);
    },
  },
  "asCompleted goes on after a failure for those who ask": async ({ T, mp, assert }) => {
    const values = mp.asCompleted([T.fail("x"), T.later(30, 1)]);
    await assert.rejects(values.next(), RangeError);
    assert.deepStrictEqual(await values.next(), { done: false, value: 1 });
    assert.deepStrictEqual(await values.next(), { done: true, value: undefined });
  },
  "asCompleted gives each of several calls of next its own value": async ({ T, mp, assert }) => {
    const [first, second] = [T.later(5, "first"), T.later(5, "second")];
    const values = mp.asCompleted([first, second]);
    const asked = [values.next()];
    // Called when a value has been promised to the first call, which has not gone on yet.
    first.then(() => asked.push(values.next()));
    second.then(() => asked.push(values.next()));
    await Promise.all([first, second]);
    const got = (await Promise.all(asked)).map(({ value }) => value);
    assert.deepStrictEqual(got.sort(), ["first", "second", undefined]);
  },
  "options that do not exist are refused by name": async ({ T, mp, assert }) => {
    const named = (name: string) => (error: Error) => error instanceof TypeError && error.message.startsWith(`"${name}" is no option of `);
    await assert.rejects(mp.gather([], { onEror: "skip" } as never), named("onEror"));
    await assert.rejects(mp.waitAny([T.square(1)], { Timeout: 1 } as never), named("Timeout"));
    await assert.rejects(mp.shutdown({ cancel: true } as never), named("cancel"));
    assert.throws(() => T.square.map([1], { chunksize: 1 }), named("chunksize"));
    assert.throws(() => T.square.map([1], 5), /The options of map\(\) are an object, not 5/);
    assert.throws(() => T.square.map([1], { onProgress: 5 }), /"onProgress" is a function, not 5/);
    assert.throws(() => T.square.map([1], { ordered: "no" }), /"ordered" is true or false, not 'no'/);
  },
  "waitAny waits for long when it is to": async ({ T, mp, assert }) => {
    const handle = T.later(20, 1);
    const { ready } = await mp.waitAny([handle], { timeout: 2 ** 31 });
    assert.strictEqual(ready[0], handle);
  },
  "waitAny tells ready from pending": {
    // The inline backend runs one task at a time: a slow one before it keeps the others waiting.
    on: ["native", "typescript"],
    run: async ({ T, mp, assert }) => {
      const slow = T.later(5_000, 1);
      const fast = T.square(2);
      const { ready, pending } = await mp.waitAny([slow, fast]);
      assert.deepStrictEqual([ready[0] === fast, pending[0] === slow, ready.length, pending.length], [true, true, 1, 1]);
      const late = await mp.waitAny([slow], { timeout: 10 });
      assert.deepStrictEqual([late.ready.length, late.pending.length], [0, 1]);
      slow.cancel();
    },
  },
  "what is no handle is named": async ({ T, mp, assert }) => {
    const given = [T.square(2), 5] as never[];
    await assert.rejects(mp.waitAny(given), { name: "TypeError", message: "waitAny() takes handles; number 1 is 5." });
    assert.throws(() => mp.asCompleted(given), { name: "TypeError", message: "asCompleted() takes handles; number 1 is 5." });
  },
  "waitAny with a limit beyond that of a timer waits": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert }) => {
      const gate = mp.sharedArray(Int32Array, 1);
      const waiting = mp.waitAny([T.opened(gate, 1)], { timeout: 2 ** 31 });
      // Beyond it, a timer would end after a millisecond.
      await sleep(20);
      gate[0] = 1;
      assert.strictEqual((await waiting).ready.length, 1);
    },
  },
  "waitAny does not throw a failure": async ({ T, mp, assert }) => {
    const failing = T.fail("x");
    const { ready } = await mp.waitAny([failing]);
    assert.strictEqual(ready[0], failing);
  },
  "a scope waits for all of its tasks": async ({ T, mp, assert }) => {
    let handle: any;
    const result = await mp.scope(async (s) => {
      handle = s.run(T.later as never, 30 as never, "late" as never);
      return 7;
    });
    assert.strictEqual(result, 7);
    assert.strictEqual(handle.get(0), "late");
  },
  "a failure cancels the rest of a scope and is thrown by it": {
    // The inline backend runs one task at a time: a slow one before it keeps the others waiting.
    on: ["native", "typescript"],
    run: async ({ T, mp, assert }) => {
      let slow: any;
      await assert.rejects(
        mp.scope(async (s) => {
          slow = s.add(T.later(60_000, 1));
          s.add(T.fail("in scope"));
        }),
        { message: "in scope" },
      );
      assert.strictEqual(slow.status, "cancelled");
    },
  },
  "a scope ends with its block": async ({ T, mp, assert }) => {
    const s = mp.scope();
    const handle: any = s.add(T.later(20, 5));
    await s[Symbol.asyncDispose]();
    assert.strictEqual(handle.get(0), 5);
    assert.throws(() => s.add(T.square(1)), mp.ParallelError);
  },
  "a scope refuses what it can't wait for, and comes to its end": async ({ T, mp, assert }) => {
    const stream: any = T.count(1e9);
    const refused = [stream, { cancel() {} }, Promise.resolve(1), null, undefined];
    for (const thing of refused)
      await assert.rejects(
        mp.scope(async (s) => void s.add(thing)),
        { name: "TypeError", message: /^A scope takes the handles of parallel calls, not / },
      );
    assert.deepStrictEqual(await stream.next(), { done: true, value: undefined });
    const mute = {
      cancel() {},
      then(resolve: () => void) {
        if (resolve.length === 0) throw new RangeError("takes no callbacks");
        resolve();
      },
    } as never;
    await assert.rejects(
      mp.scope(async (s) => void s.add(mute)),
      { message: "takes no callbacks" },
    );
  },
  "map runs over arrays, typed arrays, iterables and async iterables": async ({ T, mp, assert }) => {
    void mp;
    const expected = Array.from({ length: 1000 }, (_, i) => i * i);
    const numbers = Array.from({ length: 1000 }, (_, i) => i);
    assert.deepStrictEqual(await T.square.map(numbers), expected);
    assert.deepStrictEqual(await T.square.map(Float64Array.from(numbers)), expected);
    assert.deepStrictEqual(await T.square.map(new Set(numbers)), expected);
    async function* slowly() {
      for (const n of numbers) yield n;
    }
    assert.deepStrictEqual(await T.square.map(slowly()), expected);
    assert.deepStrictEqual(await T.square.map([]), []);
    assert.deepStrictEqual(await T.square.map(numbers, { chunkSize: 7, concurrency: 1 }), expected);
  },
  "map carries whatever kind of values the chunks hold": async ({ T, assert }) => {
    const shared = { name: "shared" };
    const values = [
      0,
      -0,
      1,
      2 ** 31,
      1.5,
      NaN,
      "text",
      5n,
      null,
      undefined,
      shared,
      [1, [2]],
      new Date(3),
      shared,
      ,
      true,
      ...new Array(40).fill(7),
      0.5,
      "x",
    ];
    for (const chunkSize of [1, 4, 16, 1000]) {
      const results = await T.pass.map(values, { chunkSize });
      // A hole is an item like undefined, as it is for an iterator.
      assert.deepStrictEqual(results, Array.from(values));
    }
    const pairs: any[] = await T.pair.map(new Array(20).fill(shared), { chunkSize: 5 });
    assert.deepStrictEqual(pairs, new Array(20).fill({ shared, again: shared }));
    assert.strictEqual(pairs[3].shared, pairs[0].again);
    assert.notStrictEqual(pairs[0].shared, shared);
  },
  "a map that has begun to end can still be iterated": async ({ T, assert }) => {
    const numbers = Array.from({ length: 100 }, (_, i) => i / 2);
    const run = T.pass.map(numbers, { chunkSize: 10, concurrency: 2 });
    while (run.progress < 0.3) await new Promise(setImmediate);
    const seen: unknown[] = [];
    for await (const value of run) seen.push(value);
    assert.deepStrictEqual(seen, numbers);
  },
  "what can't cross is refused by its place among the items": async ({ T, mp, assert }) => {
    const items = Array.from({ length: 50 }, (_, i) => ({ i, f: undefined as unknown }));
    items[33]!.f = Symbol("no");
    await assert.rejects(
      T.pass.map(items, { chunkSize: 10, concurrency: 9 }),
      (error: Error) => error instanceof mp.TransferError && error.message.includes("items[33].f"),
    );
  },
  "a map that goes on after its pool was shut down is cancelled": async ({ T, mp, assert }) => {
    const numbers = Array.from({ length: 100 }, (_, i) => i);
    const run = T.pass.map(numbers, { chunkSize: 1, concurrency: 1 });
    const values = run[Symbol.asyncIterator]();
    assert.deepStrictEqual(await values.next(), { done: false, value: 0 });
    await mp.shutdown({ cancelPending: true });
    await assert.rejects(async () => {
      while ((await values.next()).done !== true);
    }, mp.CancelledError);
    assert.strictEqual(await T.square(3), 9);
  },
  "map can be pulled": ({ T, assert }) => {
    const map = T.square.map(Array.from({ length: 5000 }, (_, i) => i));
    const results = map.get();
    assert.strictEqual(results.length, 5000);
    assert.strictEqual(results[4999], 4999 * 4999);
    assert.strictEqual(map.progress, 1);
  },
  "map yields results one by one, in order": async ({ T, assert }) => {
    const seen: number[] = [];
    for await (const value of T.square.map(Array.from({ length: 500 }, (_, i) => i))) seen.push(value as number);
    assert.deepStrictEqual(
      seen,
      Array.from({ length: 500 }, (_, i) => i * i),
    );
  },
  "map can be awaited, and then iterated": async ({ T, assert }) => {
    const squares = T.square.map([1, 2, 3]);
    assert.deepStrictEqual(await squares, [1, 4, 9]);
    for (let i = 0; i < 2; i++) {
      const seen: unknown[] = [];
      for await (const n of squares) seen.push(n);
      assert.deepStrictEqual(seen, [1, 4, 9]);
    }
  },
  "map gives all results to one who has asked for them, beside an iteration": async ({ T, assert }) => {
    const items = Array.from({ length: 50 }, (_, i) => i);
    const squared = items.map((n) => n * n);
    for (const source of [items, new Set(items)]) {
      for (const ordered of [true, false]) {
        const squares = T.square.map(source, { chunkSize: 3, ordered });
        const all = squares.then((values) => values);
        const seen: number[] = [];
        for await (const n of squares) seen.push(n);
        assert.deepStrictEqual(
          seen.sort((a, b) => a - b),
          squared,
        );
        assert.deepStrictEqual(await all, squared);
        assert.deepStrictEqual(await squares, squared);
        // What is kept can be iterated again.
        const again: number[] = [];
        for await (const n of squares) again.push(n);
        assert.deepStrictEqual(again, squared);
      }
    }
  },
  "map says so to one who asks for all results when an iteration has taken some": async ({ T, mp, assert }) => {
    const squares = T.square.map([1, 2, 3]);
    const seen: unknown[] = [];
    for await (const n of squares) seen.push(n);
    assert.deepStrictEqual(seen, [1, 4, 9]);
    const refusal = (error: any): boolean => error instanceof mp.ParallelError && /^square\.map\(\) has been iterated/.test(error.message);
    await assert.rejects(squares, refusal);
    assert.throws(() => squares.get(), refusal);
    await assert.rejects(squares[Symbol.asyncIterator]().next(), /^ParallelError: square\.map\(\) is iterated already/);
    // Of one that has failed, each iteration says why.
    const failing = T.failAt.map([700]);
    for (let i = 0; i < 2; i++) await assert.rejects(failing[Symbol.asyncIterator]().next(), { name: "RangeError", message: "no 700" });
  },
  "a cancelled map says why": async ({ T, mp, assert }) => {
    const map = T.later.map([60_000]);
    assert.strictEqual(map.cancel("not needed"), true);
    await assert.rejects(map, { name: "CancelledError", message: "later.map was cancelled: not needed.", cause: "not needed" });
    void mp;
  },
  "map of tasks that can't begin fails once": async ({ T, mp, assert }) => {
    const failed = T.fail("before");
    await assert.rejects(failed, RangeError);
    // What is not looked at would be reported, and fail the test.
    await assert.rejects(T.pass.with({ after: [failed] }).map([1, 2, 3]), (error: any) => error instanceof mp.DependencyError);
    await sleep(1);
  },
  "map of an async function awaits each": async ({ T, assert }) => {
    assert.strictEqual((await T.later.map([1, 2, 3])).length, 3);
  },
  "an error ends a map": async ({ T, assert }) => {
    await assert.rejects(
      T.failAt.map(
        Array.from({ length: 1000 }, (_, i) => i),
        { chunkSize: 10 },
      ),
      { name: "RangeError", message: "no 700" },
    );
    assert.throws(() => T.failAt.map([700]).get(), RangeError);
  },
  "leaving the iteration of a map early stops reading its source": async ({ T, assert }) => {
    let read = 0;
    let closed = false;
    function* source() {
      try {
        for (;;) yield read++;
      } finally {
        closed = true;
      }
    }
    for await (const value of T.square.map(source(), { chunkSize: 4, concurrency: 2 })) if (value === 25) break;
    assert.strictEqual(closed, true);
    assert.ok(read < 200, `read ${read}`);
  },
  "map reports progress": async ({ T, assert }) => {
    const seen: [number, number][] = [];
    await T.square.map([1, 2, 3, 4], { chunkSize: 1, onProgress: (fraction: number, done: number) => seen.push([fraction, done]) });
    assert.deepStrictEqual(seen.at(-1), [1, 4]);
  },
  "a map can be cancelled": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert }) => {
      const map = T.later.map(new Array(100).fill(60_000), { chunkSize: 1 });
      setTimeout(() => map.cancel("enough"), 20);
      await assert.rejects(map, mp.CancelledError);
    },
  },
  "map refuses what it can't iterate, and bad settings": ({ T, assert }) => {
    assert.throws(() => T.square.map(5), TypeError);
    assert.throws(() => T.square.map([1], { chunkSize: 0 }), RangeError);
  },
});
