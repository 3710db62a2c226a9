import { conformance, type Tools } from "../support/conformance";

declare function sleep(ms: number): Promise<void>;
declare const mp: Tools["mp"];

const tasks = {
  add: (a: number, b: number) => a + b,
  list: (n: number) => Array.from({ length: n }, (_, i) => i),
  fail: (message: string) => {
    throw new RangeError(message);
  },
  count: function* (n: number) {
    for (let i = 0; i < n; i++) yield i;
  },
  later: async (ms: number, value: unknown) => {
    await sleep(ms);
    return value;
  },
};

conformance("promises", tasks, {
  "what then returns can be chained, awaited and caught": async ({ T, assert }) => {
    assert.strictEqual(await T.add(1, 2).then((n: number) => n + 1), 4);
    assert.strictEqual(
      await T.add(1, 2)
        .then((n: number) => n + 1)
        .then((n: number) => n * 2),
      8,
    );
    assert.strictEqual(
      await T.fail("x")
        .then(() => 1)
        .catch((error: Error) => error.message),
      "x",
    );
    assert.strictEqual(
      await T.add(1, 2)
        .then(() => {
          throw new Error("callback");
        })
        .catch((error: Error) => error.message),
      "callback",
    );
    assert.strictEqual(await T.add(1, 2).then((n: number) => T.add(n, 10)), 13);
    assert.strictEqual(await T.add(1, 2).then(undefined, () => 0), 3);
    assert.strictEqual(
      await T.fail("y").then(
        () => 1,
        (error: Error) => error.message,
      ),
      "y",
    );
    let ended = 0;
    assert.strictEqual(await T.add(2, 2).finally(() => void ended++), 4);
    assert.strictEqual(ended, 1);
  },
  "one handle can be awaited, polled and pulled together, and gives one object": async ({ T, assert }) => {
    const handle = T.list(10);
    const first = handle.then((list: number[]) => list);
    const second = handle.then((list: number[]) => list);
    const pulled = handle.get();
    assert.strictEqual(await first, pulled);
    assert.strictEqual(await second, pulled);
    assert.strictEqual(await handle, pulled);
    assert.strictEqual(handle.tryGet(), pulled);
  },
  "callbacks never run inside the call that settles": async ({ T, assert }) => {
    const handle = T.add(1, 1);
    let ran = false;
    handle.then(() => (ran = true));
    handle.get();
    assert.strictEqual(ran, false);
    await undefined;
    assert.strictEqual(ran, true);
  },
  "what then returned is used late": async ({ T, assert, until }) => {
    const handle = T.add(3, 4);
    let seen: unknown;
    const derived = handle.then((n: number) => (seen = n * 2));
    await until(() => seen !== undefined);
    assert.strictEqual(await derived, 14);
    const settling = T.add(1, 1);
    const other = settling.then((n: number) => n + 5);
    settling.get();
    assert.strictEqual(await other, 7);
  },
  "Promise combinators take handles": async ({ T, assert }) => {
    assert.deepStrictEqual(await Promise.all([T.add(1, 1), 5, T.add(2, 2)]), [2, 5, 4]);
    assert.deepStrictEqual(
      (await Promise.allSettled([T.add(1, 1), T.fail("z")])).map(({ status }) => status),
      ["fulfilled", "rejected"],
    );
    assert.strictEqual(await Promise.race([T.add(1, 1), new Promise(() => undefined)]), 2);
  },
  "callbacks for completion, errors and progress are called, also late": async ({ T, assert, until }) => {
    const seen: unknown[] = [];
    const handle = T.add(1, 2);
    assert.strictEqual(
      handle.onComplete((value: number) => seen.push(value)),
      handle,
    );
    await handle;
    handle.onComplete((value: number) => seen.push(-value));
    T.fail("q").onError((error: Error) => seen.push(error.message));
    await until(() => seen.length === 3);
    assert.deepStrictEqual(seen.slice(0, 2), [3, -3]);
  },
  "a rejection that nobody looks at is reported; one that was taken is not": async ({ T, assert, until }) => {
    const reported: string[] = [];
    const listener = (error: Error) => reported.push(error.message);
    process.on("unhandledRejection", listener);
    try {
      // Nobody holds it, and nobody waits for any other task.
      void T.fail("unseen");
      await until(() => reported.length === 1);
      assert.throws(() => T.fail("got").get());
      const waited = T.fail("waited");
      waited.wait();
      T.fail("called").onError(() => undefined);
      const polled = T.fail("polled");
      while (!polled.isReady()) await sleep(1);
      await sleep(5);
      assert.throws(() => polled.tryGet());
      await T.fail("derived").then(
        () => 1,
        () => 2,
      );
      void T.fail("derived unseen").then(() => 1);
      await until(() => reported.length === 2);
      assert.deepStrictEqual(reported, ["unseen", "derived unseen"]);
    } finally {
      process.removeListener("unhandledRejection", listener);
    }
  },
  "a handle can't be made like a promise, which nothing would settle": ({ mp, assert }) => {
    const Made = mp.AsyncHandle as unknown as PromiseConstructor;
    assert.throws(() => new Made((resolve) => resolve(1)), TypeError);
  },
  "callbacks that are none are refused": ({ T, assert }) => {
    const handle = T.add(1, 2);
    for (const name of ["onProgress", "onComplete", "onError"])
      assert.throws(() => handle[name](undefined), new RegExp(`callback of ${name}\\(\\) is a function, not undefined`));
  },
  "handles carry notes, names and times": async ({ T, assert }) => {
    const handle = T.later(5, 1);
    handle.metadata.set("user", 7);
    await handle;
    assert.strictEqual(handle.metadata.get("user"), 7);
    assert.strictEqual(handle.name, "later");
    assert.ok(handle.elapsed > 0);
    assert.strictEqual(handle.progress, 1);
    assert.strictEqual(mp.handleOf(handle), handle);
    assert.throws(() => mp.handleOf(Promise.resolve(1)), TypeError);
    assert.strictEqual(mp.AsyncHandle.of(4).get(), 4);
    assert.strictEqual(await mp.AsyncHandle.of(4), 4);
  },
  "what a call returns is an instance of Promise, and so is what then returns": async ({ T, assert }) => {
    const handle = T.add(1, 2);
    const chained = handle.then((n: number) => n + 1);
    const map = T.add.map([1, 2]);
    for (const promise of [handle, chained, map, mp.AsyncHandle.of(1)]) assert.ok(promise instanceof Promise);
    assert.strictEqual(await chained, 4);
    assert.strictEqual(await handle.then().then((n: number) => n), 3);
    await map;
    assert.deepStrictEqual([mp.AsyncHandle.name, mp.MapHandle.name, mp.StreamHandle.name], ["AsyncHandle", "MapHandle", "StreamHandle"]);
  },
  "handles are printed as what they stand for, not as what the runtime keeps in them": async ({ T, assert, backend }) => {
    const { inspect } = await import("node:util");
    const handle = T.list(3);
    assert.match(inspect(handle), /^AsyncHandle \{ name: 'list', status: '(queued|running|fulfilled)'.* \}$/);
    await handle;
    assert.strictEqual(inspect(handle), "AsyncHandle { name: 'list', status: 'fulfilled', value: [ 0, 1, 2 ] }");
    assert.strictEqual(inspect({ a: { b: handle } }, { depth: 1 }), "{ a: { b: [AsyncHandle] } }");
    assert.strictEqual(JSON.stringify([handle]), JSON.stringify([{ id: handle.id, name: "list", status: "fulfilled" }]));

    const failing = T.fail("seen by nobody");
    const reported = new Promise((resolve) => process.once("unhandledRejection", resolve));
    failing._watch();
    while (!inspect(failing).includes("rejected")) await new Promise(setImmediate);
    assert.match(inspect(failing), /^AsyncHandle \{\s+name: 'fail',\s+status: 'rejected',\s+error: RangeError: seen by nobody/);
    assert.strictEqual(((await reported) as Error).message, "seen by nobody");

    const map = T.add.map([1, 2, 3]);
    const shown = inspect(map);
    assert.match(shown, /^MapHandle \{ name: 'add\.map', status: '(running|fulfilled)', done: \d, total: 3 \}$/);
    await map;
    assert.strictEqual(inspect(map), "MapHandle { name: 'add.map', status: 'fulfilled', done: 3, total: 3 }");
    assert.strictEqual(JSON.parse(JSON.stringify(map)).status, "fulfilled");
    const stream = T.count(2);
    if (backend === "inline") assert.strictEqual(inspect(stream), "StreamHandle { name: 'count', status: 'queued' }");
    else assert.match(inspect(stream), /^StreamHandle \{ name: 'count', status: '(queued|running|fulfilled)' \}$/);
    stream.cancel();
  },
  "the option `name` names the function as well": ({ T, assert }) => {
    const named = T.add.with({ name: "sum" });
    assert.strictEqual(named.name, "sum");
    assert.strictEqual(named.with({ priority: 1 }).name, "sum");
    assert.strictEqual(T.add.name, "add");
  },
  "the stack of an error ends where the call was made": async ({ T, assert }) => {
    try {
      await T.fail("where");
      assert.fail("it has to fail");
    } catch (error: any) {
      assert.match(error.stack, /RangeError: where\n\s+at .*fail[\s\S]*--- fail was called here ---\n\s+at .*main\.cjs/);
      assert.doesNotMatch(error.stack, /runtime-ts/);
    }
  },
});
