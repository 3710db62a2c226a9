import { conformance, type Tools } from "../support/conformance";

declare function sleep(ms: number): Promise<void>;
declare const mp: Tools["mp"];

const tasks = {
  add: (a: number, b: number) => a + b,
  count: (counter: Int32Array) => Atomics.add(counter, 0, 1) + 1,
  failTimes: (counter: Int32Array, times: number) => {
    const run = Atomics.add(counter, 0, 1) + 1;
    if (run <= times) throw new RangeError(`run ${run}`);
    return run;
  },
  objectOf: (n: number) => ({ n, list: [n] }),
  slow: async (counter: Int32Array, ms: number) => {
    Atomics.add(counter, 0, 1);
    await sleep(ms);
    return { done: true };
  },
  keyed: (n: number) => `${n}:${Math.random()}`,
  failKeyed: (n: number) => {
    throw new RangeError(`${n}:${Math.random()}`);
  },
  failWith: (counter: Int32Array, times: number, value: { length: number }) => {
    const run = Atomics.add(counter, 0, 1) + 1;
    if (run <= times) throw new RangeError(`run ${run}`);
    return value.length;
  },
  text: (length: number) => "x".repeat(length),
  echoBoth: (shared: Int32Array, text: string) => ({ shared, text }),
  bytesOf: (length: number) => new Uint8Array(length),
  lengths: (a: Uint8Array, b: Uint8Array) => `${a.length} ${b.length}`,
  info: () => mp.taskInfo(),
  twice: (f: any, ...args: unknown[]) => [f(...args).get(), f(...args).get()],
  nth: (runs: Int32Array, n: number) => {
    if (Atomics.add(runs, 0, 1) + 1 < n) throw new Error("not yet");
    return n;
  },
  random: () => Math.random(),
  halfway: async (ms: number) => {
    mp.reportProgress(0.5);
    await sleep(ms);
    return Math.random();
  },
  cooperates: async (n: number) => {
    while (!mp.isCancelled()) await sleep(1);
    return n;
  },
  pause: async (ms: number) => {
    await sleep(ms);
    return Math.random();
  },
  shutsDown: async () => {
    await null;
    await mp.shutdown();
  },
};

conformance("options", tasks, {
  "unknown options and bad values are refused by name": ({ T, assert }) => {
    assert.throws(() => T.add.with({ timeOut: 5 }), /"timeOut" is no option/);
    for (const bad of [
      { timeout: -1 },
      { timeout: "5" },
      { priority: NaN },
      { retry: 0 },
      { retry: { attempts: 2, backoff: "no" } },
      { retry: { attempts: 2, delya: 1 } },
      { memoize: { maximum: 1 } },
      { name: "" },
      { grace: null },
      { transfer: "x" },
    ]) {
      assert.throws(
        () => T.add.with(bad),
        (error: Error) => error.message.includes(Object.keys(bad)[0]!),
        JSON.stringify(bad),
      );
    }
  },
  "retry and memoize go along with a function that is an argument": async ({ T, mp, assert }) => {
    const runs = mp.sharedArray(Int32Array, 1);
    assert.deepStrictEqual(await T.twice(T.nth.with({ retry: { attempts: 3, delay: 1, jitter: true } }), runs, 3), [3, 3]);
    assert.strictEqual(runs[0], 4);
    const [first, second] = await T.twice(T.random.with({ memoize: { max: 2 } }));
    assert.strictEqual(first, second);
    // A callback stays here, and a retry that asks one with it.
    await assert.rejects(T.twice(T.nth.with({ retry: { attempts: 3, when: () => true } }), mp.sharedArray(Int32Array, 1), 3), /not yet/);
  },
  "a task can't shut down the pool that it runs in": async ({ T, assert }) => {
    await assert.rejects(T.shutsDown(), /A task can't shut down the pool that it runs in/);
    assert.strictEqual(await T.add(1, 2), 3);
  },
  "with() gives the same function with other options": async ({ T, assert }) => {
    const named = T.add.with({ name: "sum", priority: 3 });
    assert.strictEqual(named(1, 2).name, "sum");
    assert.strictEqual(await named(1, 2), 3);
    assert.strictEqual(named.id, T.add.id);
    assert.strictEqual(T.add(1, 2).name, "add");
  },
  "retry repeats until it succeeds": async ({ T, mp, assert }) => {
    const counter = mp.sharedArray(Int32Array, 1);
    assert.strictEqual(await T.failTimes.with({ retry: 3 })(counter, 2), 3);
    const pulled = mp.sharedArray(Int32Array, 1);
    assert.strictEqual(
      T.failTimes
        .with({ retry: { attempts: 4, delay: 5, backoff: "linear" } })(pulled, 3)
        .get(),
      4,
    );
  },
  "retry gives up with the last error": async ({ T, mp, assert }) => {
    const counter = mp.sharedArray(Int32Array, 1);
    await assert.rejects(T.failTimes.with({ retry: 3 })(counter, 99), { message: "run 3" });
    assert.strictEqual(counter[0], 3);
  },
  "retry repeats a call with large arguments, and one whose arguments are handles": async ({ T, mp, assert }) => {
    const counter = (): Int32Array => mp.sharedArray(Int32Array, 1);
    assert.strictEqual(await T.failWith.with({ retry: 4 })(counter(), 3, "y".repeat(100_000)), 100_000);
    for (const length of [3, 100_000]) {
      const input = T.text(length);
      assert.strictEqual(await T.failWith.with({ retry: { attempts: 4, delay: 5 } })(counter(), 3, input), length);
      assert.strictEqual(await T.failWith.with({ retry: { attempts: 4, delay: 5 } })(counter(), 3, input), length);
    }
    // What it waits for is repeated as well.
    const repeated = T.failWith.with({ retry: 3 })(counter(), 2, "four");
    assert.strictEqual(await T.failTimes.with({ retry: 3 })(counter(), T.add(-2, repeated)), 3);
  },
  "calls with options and payloads of all sizes, with shared memory beside them": async ({ T, mp, assert }) => {
    const shared = mp.sharedArray(Int32Array, 1);
    for (const length of [10, 15_000, 20_000, 60_000, 70_000, 20_000]) {
      const text = "z".repeat(length);
      assert.strictEqual(await T.failWith.with({ name: "named" })(shared, 0, text), length);
      assert.strictEqual(await T.failWith(shared, 0, text), length);
      const both = await T.echoBoth(shared, text);
      assert.strictEqual(both.text, text);
      assert.ok(both.shared.buffer instanceof SharedArrayBuffer);
      assert.strictEqual(T.add(length, 1).get(), length + 1);
    }
  },
  "what a settled handle holds is not moved with the arguments beside it": async ({ T, assert }) => {
    const handle = T.bytesOf(5);
    assert.deepStrictEqual(await handle, new Uint8Array(5));
    assert.strictEqual(await T.lengths.with({ transfer: "move" })(handle, new Uint8Array(3)), "5 3");
    assert.strictEqual(handle.get().length, 5);
  },
  "retry asks `when`": async ({ T, mp, assert }) => {
    const counter = mp.sharedArray(Int32Array, 1);
    await assert.rejects(T.failTimes.with({ retry: { attempts: 9, when: (error: Error) => error.message !== "run 2" } })(counter, 99), {
      message: "run 2",
    });
  },
  "retry refuses moved arguments": ({ T, mp, assert }) => {
    const data = new Uint8Array(8);
    assert.throws(() => T.add.with({ retry: 2 })(mp.move(data), 1), /moved/);
    assert.strictEqual(data.length, 8);
  },
  "a planned retry can be cancelled": async ({ T, mp, assert }) => {
    const counter = mp.sharedArray(Int32Array, 1);
    const handle = T.failTimes.with({ retry: { attempts: 5, delay: 60_000 } })(counter, 99);
    handle.onError(() => undefined);
    while (counter[0] === 0) await sleep(1);
    while (handle.status !== "waiting") await sleep(1);
    assert.strictEqual(handle.cancel(), true);
    await assert.rejects(handle, mp.CancelledError);
  },
  "memoize runs equal calls once": async ({ T, assert }) => {
    const keyed = T.keyed.with({ memoize: true });
    const first = await keyed(1);
    assert.strictEqual(await keyed(1), first);
    assert.notStrictEqual(await keyed(2), first);
  },
  "memoize shares a run that is under way, and gives each caller its own copy": async ({ T, mp, assert }) => {
    const counter = mp.sharedArray(Int32Array, 1);
    void counter;
    const make = T.objectOf.with({ memoize: true });
    const [a, b] = [make(5), make(5)];
    const [x, y] = await Promise.all([a, b]);
    assert.deepStrictEqual(x, y);
    assert.notStrictEqual(x, y);
    assert.strictEqual(a.get(), x);
  },
  "memoize does not keep failures": async ({ T, assert }) => {
    const keyed = T.failKeyed.with({ memoize: true });
    const messages = new Set<string>();
    for (let i = 0; i < 3; i++) await keyed(1).catch((error: Error) => messages.add(error.message));
    assert.strictEqual(messages.size, 3);
  },
  "memoize: a call that fails at once is no rejection of its own beside the caller's": async ({ T, mp, assert, sleep }) => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): number => unhandled.push(error);
    process.on("unhandledRejection", note);
    const failed = T.failKeyed("first");
    await failed.catch(() => undefined);
    await assert.rejects(T.keyed.with({ memoize: true, after: [failed] })(1), mp.DependencyError);
    await assert.rejects(T.keyed.with({ memoize: true, timeout: 0 })(1), mp.TimeoutError);
    await sleep(0);
    process.off("unhandledRejection", note);
    assert.deepStrictEqual(unhandled, []);
  },
  "memoize is bounded and forgets after its ttl": async ({ T, assert }) => {
    const bounded = T.keyed.with({ memoize: { max: 2 } });
    const first = await bounded(1);
    await bounded(2);
    await bounded(3);
    assert.notStrictEqual(await bounded(1), first);
    const brief = T.keyed.with({ memoize: { ttl: 5 } });
    const value = await brief(1);
    const until = performance.now() + 10;
    while (performance.now() < until) await sleep(1);
    assert.notStrictEqual(await brief(1), value);
  },
  "memoize keeps a result for its ttl from when it is there, and a run of any length is shared": async ({ T, assert }) => {
    const pause = T.pause.with({ memoize: { ttl: 60_000 } });
    const brief = T.pause.with({ memoize: { ttl: 1 } });
    assert.strictEqual(await pause(1), await pause(1));
    const first = brief(50);
    const until = performance.now() + 5;
    while (performance.now() < until) await sleep(1);
    const second = brief(50);
    assert.strictEqual(await first, await second);
  },
  "memoize: with() shares the results unless it says how they are kept": async ({ T, assert }) => {
    const keyed = T.keyed.with({ memoize: true });
    const first = await keyed(1);
    assert.strictEqual(await keyed.with({ priority: 2, name: "other", signal: new AbortController().signal })(1), first);
    assert.strictEqual(await keyed.with({ grace: 1 }).with({ priority: 1 })(1), first);
    assert.notStrictEqual(await keyed.with({ memoize: { max: 5 } })(1), first);
    assert.notStrictEqual(await keyed.with({ retry: 2 })(1), first);
  },
  "memoize: a run that nobody waits for any more is cancelled, and shared with nobody": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert }) => {
      const cooperates = T.cooperates.with({ memoize: true, grace: 60_000 });
      const [one, two] = [cooperates(1), cooperates(1)];
      while (one.status !== "running") await sleep(1);
      assert.strictEqual(one.cancel("first"), true);
      await assert.rejects(one, { name: "CancelledError", cause: "first" });
      assert.strictEqual(two.status, "running");
      two.cancel("second");
      await assert.rejects(two, { name: "CancelledError", cause: "second" });
      // It is told, or it would keep its worker for ever.
      while (mp.stats().running > 0) await sleep(1);
      const again = cooperates(1);
      assert.notStrictEqual(again.status, "cancelled");
      again.cancel();
      await assert.rejects(again, mp.CancelledError);
    },
  },
  "memoize: each call follows its own signal": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert }) => {
      const controller = new AbortController();
      const pause = T.pause.with({ memoize: true });
      const mine = pause.with({ signal: controller.signal })(20);
      const other = pause(20);
      controller.abort("enough");
      await assert.rejects(mine, { name: "CancelledError", cause: "enough" });
      assert.strictEqual(typeof (await other), "number");
      void mp;
    },
  },
  "memoize: progress and time come to all who share a run": {
    on: ["native", "typescript"],
    run: async ({ T, assert }) => {
      const halfway = T.halfway.with({ memoize: true });
      const [one, two] = [halfway(100), halfway(100)];
      const seen: number[] = [];
      two.onProgress((fraction) => seen.push(fraction));
      while (one.progress < 0.5) await sleep(1);
      assert.strictEqual(two.progress, 0.5);
      halfway(100).onProgress((fraction) => seen.push(fraction));
      await Promise.all([one, two]);
      await sleep(1);
      assert.deepStrictEqual(seen, [0.5, 0.5]);
      assert.strictEqual(two.elapsed, one.elapsed);
    },
  },
  "a retry.when that gives a promise is refused": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert }) => {
      for (const when of [async () => false, () => Promise.reject(new Error("nobody's"))] as unknown[]) {
        const handle = T.failTimes.with({ retry: { attempts: 3, when } as any })(mp.sharedArray(Int32Array, 1), 1);
        await assert.rejects(handle, {
          name: "TypeError",
          message: '"retry.when" of failTimes gives true or false at once; it has given a promise.',
        });
      }
    },
  },
  "a signal cancels": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert }) => {
      const controller = new AbortController();
      const handle = T.slow.with({ signal: controller.signal })(mp.sharedArray(Int32Array, 1), 60_000);
      setTimeout(() => controller.abort(new Error("stop it")), 10);
      await assert.rejects(handle, (error: any) => error instanceof mp.CancelledError && error.cause.message === "stop it");
    },
  },
  "a signal that throws when it is left is the program's uncaught exception, and holds up nobody": async ({ T, mp, assert, sleep }) => {
    void mp;
    const heard: unknown[] = [];
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", ({ message }) => heard.push(message));
    const signal = Object.assign(new AbortController().signal, {
      removeEventListener() {
        throw new Error("not mine");
      },
    });
    const followed = T.add.with({ signal })(1, 0);
    // Also where it throws while somebody waits for another task.
    assert.strictEqual(T.add(1, 1).get(), 2);
    assert.deepStrictEqual(await Promise.all([followed, T.add(2, 2)]), [1, 4]);
    while (heard.length === 0) await sleep(1);
    assert.deepStrictEqual(heard, ["not mine"]);
    process.removeAllListeners("uncaughtException");
    for (const other of others) process.on("uncaughtException", other);
  },
  "an aborted signal refuses": async ({ T, mp, assert }) => {
    const handle = T.add.with({ signal: AbortSignal.abort() })(1, 2);
    assert.strictEqual(handle.status, "cancelled");
    await assert.rejects(handle, mp.CancelledError);
  },
  "a memoized or retried handle can be an argument": async ({ T, mp, assert }) => {
    const counter = mp.sharedArray(Int32Array, 1);
    const retried = T.failTimes.with({ retry: { attempts: 3, delay: 5 } })(counter, 1);
    assert.strictEqual(await T.add(retried, 10), 12);
    const again = T.failTimes.with({ retry: { attempts: 3, delay: 5 } })(mp.sharedArray(Int32Array, 1), 1);
    assert.strictEqual(T.add(again, 10).get(), 12);
  },
  "a task knows itself": async ({ T, backend, assert }) => {
    const info = await T.info();
    assert.strictEqual(info.name, "info");
    assert.strictEqual(info.id, T.info.id);
    assert.ok(backend === "inline" ? info.worker === -1 : info.worker >= 0);
  },
  "a full queue refuses": {
    pool: { maxQueue: 3, threads: 1 },
    on: ["native", "typescript"],
    run: async ({ T, mp, assert }) => {
      const counter = mp.sharedArray(Int32Array, 1);
      const first = T.slow(counter, 60_000);
      while (counter[0] === 0) await sleep(1);
      const rest = [1, 2, 3].map((n) => T.add(n, n));
      assert.throws(() => T.add(4, 4), mp.QueueFullError);
      first.cancel();
      assert.deepStrictEqual(await mp.gather(rest), [2, 4, 6]);
    },
  },
});
