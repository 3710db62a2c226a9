import { conformance, type Tools } from "../support/conformance";

declare const mp: Tools["mp"];
declare function sleep(ms: number): Promise<void>;

const tasks = {
  echo: (value: unknown) => value,
  add: (a: number, b: number) => a + b,
  nothing: () => undefined,
  text: (length: number) => "ü".repeat(length),
  later: async (ms: number, value: unknown) => {
    await sleep(ms);
    return value;
  },
  promised: (value: unknown) => Promise.resolve(value),
  query: (counter: Int32Array) => ({
    then(resolve: (value: unknown) => void, reject: (reason: unknown) => void) {
      resolve(Atomics.add(counter, 0, 1) + 1);
      reject(new Error("answered already"));
      throw new Error("answered already");
    },
  }),
  change: (list: number[]) => {
    list.push(99);
    return list.length;
  },
  fail: (message: string) => {
    throw new RangeError(message);
  },
  failLater: async (message: string) => {
    await sleep(5);
    throw new TypeError(message);
  },
  failWith: (what: string) => {
    const things: Record<string, unknown> = { number: 7, undefined, null: null, string: "text", object: { code: 3 } };
    throw things[what];
  },
  failWithFunction: () => {
    throw () => 1;
  },
  failWithCause: () => {
    throw Object.assign(new Error("outer", { cause: new RangeError("inner") }), { code: "E_OUTER" });
  },
  unsendable: () => ({ f: () => 1 }),
  settledHandle: (value: unknown) => mp.AsyncHandle.of(value),
  sum: (bytes: Uint8Array) => bytes.reduce((a, b) => a + b, 0),
  makeBytes: (length: number) => mp.move(new Uint8Array(length).fill(3)),
  increment: (shared: Int32Array) => Atomics.add(shared, 0, 1),
  recurse: () => {
    const deeper = (n: number): number => deeper(n + 1) + 1;
    return deeper(0);
  },
};

conformance("results", tasks, {
  "numbers, strings, booleans, null and undefined come back as they are": async ({ T, assert }) => {
    for (const value of [0, -0, 1, -1, 0.1, NaN, Infinity, 2 ** 53, "", "text", "ü€😀", true, false, null, undefined, 10n ** 30n]) {
      assert.deepStrictEqual(T.echo(value).get(), value);
      assert.deepStrictEqual(await T.echo(value), value);
    }
  },
  "a thenable is asked once, and its first answer counts": async ({ T, mp, assert }) => {
    const counter = mp.sharedArray(Int32Array, 1);
    assert.strictEqual(await T.query(counter), 1);
    assert.strictEqual(await T.query(counter), 2);
    assert.strictEqual(counter[0], 2);
  },
  "objects, arrays, maps, sets, dates and cycles come back equal": async ({ T, assert }) => {
    const value: Record<string, unknown> = {
      list: [1, , 3],
      map: new Map<unknown, unknown>([[{ a: 1 }, new Set([1, "2"])]]),
      date: new Date(5),
      pattern: /x/gi,
      bytes: new Uint8Array([1, 2, 3]),
    };
    value.self = value;
    const result = await T.echo(value);
    assert.deepStrictEqual(result, value);
    assert.strictEqual(result.self, result);
    assert.deepStrictEqual(T.echo(value).get(), value);
  },
  "payloads of every size around the limits come back whole": ({ T, assert }) => {
    for (const length of [0, 1, 15, 16, 17, 100, 180, 190, 191, 192, 193, 200, 255, 256, 1000, 4095, 4096, 4097, 65_536, 1_000_000]) {
      assert.strictEqual(T.echo("x".repeat(length)).get(), "x".repeat(length));
      assert.strictEqual(T.text(length).get(), "ü".repeat(length));
    }
  },
  "a result is decoded once: the same object each time": async ({ T, assert }) => {
    const handle = T.echo({ a: [1, 2, 3, 4, 5, 6, 7, 8] });
    assert.strictEqual(handle.get(), handle.get());
    assert.strictEqual(handle.get(), await handle);
    assert.strictEqual(handle.get(), handle.tryGet());
  },
  "a task that changes its argument changes a copy": async ({ T, assert }) => {
    const list = [1, 2];
    assert.strictEqual(await T.change(list), 3);
    assert.deepStrictEqual(list, [1, 2]);
  },
  "arguments are read at the call": ({ T, assert }) => {
    const list = [1, 2];
    const handle = T.echo(list);
    list.push(3);
    assert.deepStrictEqual(handle.get(), [1, 2]);
  },
  "a call never runs its task before it returns": ({ T, assert }) => {
    const handle = T.add(1, 2);
    assert.ok(["queued", "running", "fulfilled"].includes(handle.status));
    assert.strictEqual(handle.get(), 3);
    assert.strictEqual(handle.status, "fulfilled");
  },
  "isReady and tryGet tell without blocking": async ({ T, assert, until }) => {
    const handle = T.add(1, 2);
    await until(() => handle.isReady());
    assert.strictEqual(handle.tryGet(), 3);
    assert.strictEqual(T.later(50, 1).tryGet(), undefined);
  },
  "a loop that polls without giving the event loop a turn comes to an end": ({ T, assert }) => {
    const handle = T.add(1, 2);
    while (!handle.isReady());
    assert.strictEqual(handle.tryGet(), 3);
  },
  "async tasks are awaited": async ({ T, assert }) => {
    assert.strictEqual(await T.later(10, "a"), "a");
    assert.strictEqual(await T.promised("b"), "b");
    assert.strictEqual(await T.settledHandle("c"), "c");
  },
  "get blocks for an async task": {
    on: ["native", "typescript"],
    run: ({ T, assert }) => {
      assert.strictEqual(T.later(10, "a").get(), "a");
      assert.strictEqual(T.promised("b").get(), "b");
    },
  },
  "get on the inline backend says that it can't block for an async task": {
    on: ["inline"],
    run: async ({ T, mp, assert }) => {
      const handle = T.later(10, "a");
      assert.throws(
        () => handle.get(),
        (error: Error) => error instanceof mp.ParallelError && /inline/.test(error.message),
      );
      assert.strictEqual(await handle, "a");
    },
  },
  "get with a limit throws a TimeoutError and leaves the task alone": async ({ T, mp, assert }) => {
    const handle = T.later(100, 1);
    const before = performance.now();
    assert.throws(() => handle.get(20), mp.TimeoutError);
    const took = performance.now() - before;
    assert.ok(took >= 19 && took < 90, `took ${took}`);
    assert.strictEqual(handle.wait(0), false);
    assert.strictEqual(await handle, 1);
    assert.strictEqual(handle.wait(0), true);
  },
  "an error keeps its class, message and the line that threw it": async ({ T, assert }) => {
    for (const error of [
      caught(() => T.fail("no").get()),
      await T.fail("no").then(
        () => undefined,
        (e: unknown) => e,
      ),
    ]) {
      assert.ok(error instanceof RangeError);
      assert.strictEqual(error.message, "no");
      assert.match(error.stack!, /parallel-chunks/);
    }
    const later = await T.failLater("late").then(
      () => undefined,
      (e: unknown) => e,
    );
    assert.ok(later instanceof TypeError);
    function caught(f: () => unknown): unknown {
      try {
        f();
      } catch (error) {
        return error;
      }
      return undefined;
    }
  },
  "an error keeps its cause and own properties": async ({ T, assert }) => {
    const error = await T.failWithCause().then(
      () => undefined,
      (e: unknown) => e,
    );
    assert.strictEqual(error.code, "E_OUTER");
    assert.ok(error.cause instanceof RangeError);
  },
  "tasks may throw what is no error": async ({ T, assert }) => {
    for (const [what, value] of Object.entries({ number: 7, undefined, null: null, string: "text", object: { code: 3 } })) {
      const [thrown] = await T.failWith(what).then(
        () => [],
        (e: unknown) => [e],
      );
      assert.deepStrictEqual(thrown, value);
    }
  },
  "what a task throws or returns and can't cross is an error that says so": async ({ T, mp, assert }) => {
    const thrown = await T.failWithFunction().then(
      () => undefined,
      (e: unknown) => e,
    );
    assert.ok(thrown instanceof Error);
    const returned = await T.unsendable().then(
      () => undefined,
      (e: unknown) => e,
    );
    assert.ok(returned instanceof mp.TransferError, String(returned));
    assert.match(returned.path, /f/);
    assert.strictEqual(await T.add(1, 2), 3);
  },
  "a stack overflow is a RangeError, and the worker goes on": async ({ T, assert }) => {
    const error = await T.recurse().then(
      () => undefined,
      (e: unknown) => e,
    );
    assert.ok(error instanceof RangeError, String(error));
    assert.strictEqual(await T.add(1, 2), 3);
  },
  "a failed task throws on every look": async ({ T, assert }) => {
    const handle = T.fail("x");
    assert.throws(() => handle.get(), RangeError);
    assert.throws(() => handle.get(), RangeError);
    assert.throws(() => handle.tryGet(), RangeError);
    await assert.rejects(handle, RangeError);
    assert.strictEqual(handle.status, "rejected");
  },
  "callbacks run, also when added after settling": async ({ T, assert, until }) => {
    const seen: unknown[] = [];
    const handle = T.add(1, 2)
      .onComplete((value: unknown) => seen.push(value))
      .onError(() => seen.push("error"));
    await handle;
    handle.onComplete((value: unknown) => seen.push(value));
    T.fail("x").onError((error: Error) => seen.push(error.message));
    await until(() => seen.length >= 3);
    assert.deepStrictEqual(seen, [3, 3, "x"]);
  },
  "a moved buffer is gone at the caller's and whole at the task's": async ({ T, mp, assert }) => {
    const bytes = new Uint8Array(100_000).fill(1);
    const handle = T.sum(mp.move(bytes));
    assert.strictEqual(bytes.byteLength, 0);
    assert.strictEqual(await handle, 100_000);
    const small = new Uint8Array(10).fill(2);
    assert.strictEqual(T.sum.with({ transfer: "move" })(small).get(), 20);
    assert.strictEqual(small.byteLength, 0);
  },
  "a copied buffer stays": async ({ T, assert }) => {
    const bytes = new Uint8Array(100_000).fill(1);
    assert.strictEqual(await T.sum(bytes), 100_000);
    assert.strictEqual(bytes.byteLength, 100_000);
  },
  "a result may be moved": async ({ T, assert }) => {
    for (const length of [10, 1_000_000]) {
      const bytes = T.makeBytes(length).get();
      assert.strictEqual(bytes.length, length);
      assert.strictEqual(bytes[length - 1], 3);
    }
  },
  "shared memory is the same memory": async ({ T, mp, assert }) => {
    const shared = mp.sharedArray(Int32Array, 1);
    await Promise.all(Array.from({ length: 50 }, () => T.increment(shared)));
    assert.strictEqual(shared[0], 50);
  },
  "what can't cross is refused at the call, with nothing detached": ({ T, mp, assert }) => {
    const bytes = new Uint8Array(10);
    assert.throws(
      () => T.echo({ bytes: mp.move(bytes), user: { onClick: () => 1 } }),
      (error: any) => error instanceof mp.TransferError && /onClick/.test(error.path),
    );
    assert.strictEqual(bytes.length, 10);
    assert.strictEqual(T.add(1, 2).get(), 3);
  },
  "an unhandled rejection does not hurt the pool": async ({ T, assert }) => {
    const handle = T.fail("handled later");
    await handle.catch(() => undefined);
    assert.strictEqual(await T.add(2, 2), 4);
  },
});
