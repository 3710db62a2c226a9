import { conformance, type Tools } from "../support/conformance";

declare const T: Record<string, any>;
declare function sleep(ms: number): Promise<void>;
declare function complain(): void;
declare function gc(): void;
declare let $last: any;
declare const $mp: Tools["mp"];
declare const require: (id: string) => any;

const tasks = {
  add: (a: number, b: number) => a + b,
  later: async (ms: number, value: unknown) => {
    await sleep(ms);
    return value;
  },
  fail: (message: string) => {
    throw new RangeError(message);
  },
  failTimes: (counter: Int32Array, times: number, value: unknown) => {
    if (Atomics.add(counter, 0, 1) < times) throw new RangeError("not yet");
    return value;
  },
  large: (count: number) => Array.from({ length: count }, (_, i) => ({ i, name: `item ${i}` })),
  grow: (values: { i: number; name: string }[]) => values.map(({ i, name }) => ({ i: i + 1, name })),
  openedNow: (gate: Int32Array) => {
    while (Atomics.load(gate, 0) === 0);
    return 0;
  },
  failOnceOpen: (gate: Int32Array) => {
    while (Atomics.load(gate, 0) === 0);
    throw new RangeError("root");
  },
  openAndLook: (gate: Int32Array) => {
    gate[0] = 1;
    // The others of the chain have failed; the first is told to the wait that this task runs in.
    for (const end = performance.now() + 50; performance.now() < end;) $last.isReady();
  },
  failsUnderItsChain: (length: number) => {
    const gate = $mp.sharedArray(Int32Array, 1);
    const root = T["failOnceOpen"](gate);
    while (root.status !== "running");
    $last = root;
    for (let i = 0; i < length; i++) $last = T["add"]($last, 1);
    const look = T["openAndLook"](gate);
    root.wait();
    look.get();
    let links = 0;
    try {
      $last.get();
    } catch (error) {
      let cause: any = error;
      for (; cause.code === "MP_DEPENDENCY"; cause = cause.cause) links++;
      if (cause.message !== "root") throw error;
    }
    return links;
  },
  stream: function* () {
    yield 1;
  },
  throwsInFinally: function* () {
    try {
      for (;;) yield 1;
    } finally {
      complain();
    }
  },
  keyed: (n: number) => `${n}:${Math.random()}`,
  lengthOf: (list: { length: number }) => list.length,
  lazySum: (a: number, b: number) => ({
    before: "x".repeat(20),
    get sum(): number {
      return T["add"](a, b).get();
    },
    after: [a, b],
  }),
};

conformance(
  "graphs of tasks",
  tasks,
  {
    "a task that is repeated gets the values of its arguments each time": async ({ T, mp, assert }) => {
      const counter = mp.sharedArray(Int32Array, 1);
      const handle = T["failTimes"].with({ retry: 4 })(counter, 2, T["later"](5, { deep: [1, 2] }));
      assert.deepStrictEqual(await handle, { deep: [1, 2] });
      assert.strictEqual(counter[0], 3);
    },
    "a call that waits for a task whose next run is due": {
      on: ["native", "typescript"],
      run: async ({ T, mp, assert }) => {
        for (let i = 0; i < 20; i++) {
          const flaky = T["failTimes"].with({ retry: { attempts: 2, delay: 0 } })(mp.sharedArray(Int32Array, 1), 1, "done");
          // Until the first failure has been seen, without a turn of the event loop. A second look would already run it again.
          for (let status = "queued"; status === "queued" || status === "running";) status = flaky.status;
          assert.strictEqual(await T["add"].with({ after: [flaky] })(i, 1), i + 1);
          assert.strictEqual(await flaky, "done");
        }
      },
    },
    "a getter among the arguments may call parallel functions": async ({ T, assert }) => {
      const inner: any[] = [];
      const list = {
        get length() {
          inner.push(T["add"](1, 2), T["later"].with({ priority: 1 })(1, "x".repeat(10_000)));
          return 5;
        },
      };
      assert.strictEqual(await T["lengthOf"](list), 5);
      assert.strictEqual(await T["lengthOf"].with({ after: [inner[0]] })(list), 5);
      assert.deepStrictEqual(
        (await Promise.all(inner)).map((value) => value.length ?? value),
        [3, 10_000, 3, 10_000],
      );
    },
    "a getter of a result may wait for parallel functions": async ({ T, assert }) => {
      const results = await Promise.all(Array.from({ length: 20 }, (_, i) => T["lazySum"](i, 1)));
      results.forEach((result, i) => assert.deepStrictEqual(result, { before: "x".repeat(20), sum: i + 1, after: [i, 1] }));
    },
    "what waits for a handle that may be repeated is repeated itself, fails at once, and keeps its time limit": {
      on: ["native", "typescript"],
      run: async ({ T, mp, assert }) => {
        const counter = mp.sharedArray(Int32Array, 1);
        const memoized = T["later"].with({ memoize: true });
        assert.strictEqual(await T["failTimes"].with({ retry: 3 })(counter, 2, memoized(5, "m")), "m");
        assert.strictEqual(counter[0], 3);
        const never = memoized(60_000, 1);
        const failing = T["fail"].with({ memoize: true })("at once");
        await assert.rejects(
          T["add"](never, failing),
          (error: any) => error instanceof mp.DependencyError && error.cause.message === "at once",
        );
        assert.throws(() => T["add"](never, T["fail"].with({ memoize: true })("pulled")).get(), mp.DependencyError);
        await assert.rejects(T["add"].with({ timeout: 20 })(never, 1), mp.TimeoutError);
        assert.throws(() => T["add"].with({ timeout: 20 })(never, 1).get(), mp.TimeoutError);
        never.cancel();
      },
    },
    "buffers that are moved beside a memoized handle are gone, and arrive": async ({ T, mp, assert }) => {
      const bytes = new Uint8Array(1000);
      const value = T["later"].with({ memoize: true })(1, 5);
      const handle = T["lengthOf"].with({ after: [value] })(mp.move(bytes));
      assert.strictEqual(bytes.length, 0);
      assert.strictEqual(await handle, 1000);
    },
    "long chains, fulfilled and failed": {
      limit: 60_000,
      run: async ({ T, mp, assert }) => {
        const length = 3_000;
        let handle = T["add"](0, 0);
        for (let i = 0; i < length; i++) handle = T["add"](handle, 1);
        assert.strictEqual(await handle, length);
        let pulled = T["add"](0, 0);
        for (let i = 0; i < length; i++) pulled = T["add"](pulled, 1);
        assert.strictEqual(pulled.get(), length);
        let failed = T["fail"]("root");
        for (let i = 0; i < length; i++) failed = T["add"](failed, 1);
        await assert.rejects(failed, (error: any) => error instanceof mp.DependencyError);
        let depth = 0;
        let cause: any = await failed.catch((error: unknown) => error);
        for (; cause instanceof mp.DependencyError; cause = cause.cause) depth++;
        assert.ok(depth >= 1 && cause instanceof RangeError, String(depth));
      },
    },
    "a long chain of failures whose first one is told to a wait further up on the stack": {
      on: ["native", "typescript"],
      limit: 60_000,
      run: async ({ T, assert }) => assert.strictEqual(await T["failsUnderItsChain"](20_000), 20_000),
    },
    "long chains of tasks that are repeated, or shared": {
      limit: 60_000,
      run: async ({ T, mp, assert, backend }) => {
        const length = 2_000;
        const chain = (gate: Int32Array): any => {
          let handle = T["openedNow"].with({ retry: 2 })(gate);
          for (let i = 0; i < length; i++) handle = T["add"].with({ retry: 2 })(handle, 1);
          return handle;
        };
        const uses: ((handle: any, open: () => void) => unknown)[] = [
          (handle, open) => {
            assert.strictEqual(handle.isReady(), false);
            open();
            return handle.get();
          },
          (handle, open) => {
            const value = handle.then((result: unknown) => result);
            open();
            return value;
          },
        ];
        for (const use of uses) {
          const gate = mp.sharedArray(Int32Array, 1);
          if (backend === "inline") gate[0] = 1;
          assert.strictEqual(await use(chain(gate), () => (gate[0] = 1)), length);
        }
        let shared = T["add"].with({ memoize: true })(0, 0);
        for (let i = 0; i < 300; i++) shared = T["add"].with({ memoize: true, after: [shared] })(i, 1);
        assert.strictEqual(shared.get(), 300);
      },
    },
    "a chain of shared tasks is not followed at each call that makes it longer, and one look asks the backend once": {
      on: ["native", "typescript"],
      run: async ({ T, mp, assert }) => {
        const gate = mp.sharedArray(Int32Array, 1);
        const first = T["openedNow"].with({ retry: 2 })(gate);
        const { _more: more } = first;
        let looks = 0;
        Object.defineProperty(first, "_more", {
          get: () => {
            looks++;
            return more;
          },
        });
        let last = first;
        for (let i = 0; i < 500; i++) last = T["add"].with({ memoize: true, after: [last] })(i, 1);
        assert.ok(looks < 50, `${looks} looks at the first of 500`);
        const several = T["add"].with({ after: Array.from({ length: 500 }, () => T["openedNow"].with({ retry: 2 })(gate)) })(1, 2);
        const { _backend: backend } = first;
        const { poll } = backend;
        let polls = 0;
        backend.poll = () => {
          polls++;
          poll.call(backend);
        };
        assert.strictEqual(last.isReady() || several.isReady(), false);
        assert.strictEqual(polls, 2);
        backend.poll = poll;
        gate[0] = 1;
        assert.deepStrictEqual(await Promise.all([last, several]), [500, 3]);
      },
    },
    diamonds: async ({ T, assert }) => {
      let top = T["later"](2, 1);
      for (let i = 0; i < 20; i++) {
        const [left, right] = [T["add"](top, 0), T["add"](top, 0)];
        top = T["add"](left, right);
      }
      assert.strictEqual(await top, 2 ** 20);
    },
    "values pass from worker to worker without being decoded in the caller": {
      on: ["native", "typescript"],
      run: async ({ T, assert }) => {
        const count = 100_000;
        await T["lengthOf"](T["grow"](T["large"](10)));
        gc();
        const before = process.memoryUsage().heapUsed;
        let handle = T["large"](count);
        for (let i = 0; i < 4; i++) handle = T["grow"](handle);
        assert.strictEqual(await T["lengthOf"](handle), count);
        const grown = process.memoryUsage().heapUsed - before;
        // Decoded once, the value takes some 10 MB.
        assert.ok(grown < 6e6, `${Math.round(grown / 1e6)} MB in the caller`);
      },
    },
    "a stream, a map and a promise are refused as arguments, by name": ({ T, mp, assert }) => {
      const stream = T["stream"]();
      for (const value of [stream, T["add"].map([1]), Promise.resolve(1)]) {
        assert.throws(
          () => T["add"](value, 1),
          (error: any) => error instanceof mp.TransferError && error.path === "args[0]",
          String(value),
        );
      }
      stream.cancel();
    },
    "a `when` that throws ends the task with what it has thrown": async ({ T, mp, assert }) => {
      const when = (): boolean => {
        throw new TypeError("in when");
      };
      await assert.rejects(T["failTimes"].with({ retry: { attempts: 3, when } })(mp.sharedArray(Int32Array, 1), 9, 0), /in when/);
    },
    "the time limit of a task that is repeated is that of all runs": async ({ T, mp, assert }) => {
      const counter = mp.sharedArray(Int32Array, 1);
      await assert.rejects(T["failTimes"].with({ timeout: 30_000, retry: { attempts: 9, delay: 60_000 } })(counter, 99, 0), RangeError);
      assert.strictEqual(counter[0], 1);
    },
    "cancelled and timed-out tasks are not repeated": {
      on: ["native", "typescript"],
      run: async ({ T, mp, assert }) => {
        await assert.rejects(T["later"].with({ timeout: 20, retry: 5 })(60_000, 1), mp.TimeoutError);
        const cancelled = T["later"].with({ retry: 5 })(60_000, 1);
        cancelled.cancel();
        await assert.rejects(cancelled, mp.CancelledError);
      },
    },
    "signals: aborted before, during and after": {
      on: ["native", "typescript"],
      run: async ({ T, mp, assert }) => {
        const controller = new AbortController();
        const after = T["add"].with({ signal: controller.signal })(1, 2);
        assert.strictEqual(await after, 3);
        const during = T["later"].with({ signal: controller.signal })(60_000, 1);
        const held = T["later"](60_000, 1);
        const waiting = T["add"].with({ signal: controller.signal })(held, 1);
        const map = T["later"].with({ signal: controller.signal }).map([60_000, 60_000]);
        controller.abort("enough");
        for (const handle of [during, waiting, map]) {
          await assert.rejects(handle, (error: any) => error instanceof mp.CancelledError && error.cause === "enough");
        }
        held.cancel();
        assert.strictEqual(after.get(), 3);
        await assert.rejects(T["add"].with({ signal: controller.signal }).map([1]), mp.CancelledError);
        assert.strictEqual(T["stream"].with({ signal: controller.signal })().status, "cancelled");
      },
    },
    "one of several that share a memoized run can be cancelled; failures are told to all": async ({ T, mp, assert }) => {
      const keyed = T["keyed"].with({ memoize: true });
      const [a, b] = [keyed(1), keyed(1)];
      a.cancel();
      await assert.rejects(a, mp.CancelledError);
      assert.strictEqual(typeof (await b), "string");
      const fail = T["fail"].with({ memoize: true });
      const settled = await mp.gather([fail("x"), fail("x")], { onError: "settle" });
      assert.deepStrictEqual(
        settled.map(({ status }: any) => status),
        ["rejected", "rejected"],
      );
    },

    // ---- map
    "a map gives out what a slow source has, without waiting for more": async ({ T, assert }) => {
      let release = (): void => undefined;
      const gate = new Promise<void>((resolve) => (release = resolve));
      async function* slow() {
        yield 1;
        yield 2;
        // Comes only when the first results are there.
        await gate;
        yield 3;
      }
      const seen: unknown[] = [];
      for await (const value of T["keyed"].map(slow())) {
        seen.push(Number.parseInt(value as string));
        if (seen.length === 2) release();
      }
      assert.deepStrictEqual(seen, [1, 2, 3]);
    },
    "however a map ends, its source is closed once; what it throws is the map's error": async ({ T, mp, assert }) => {
      let closed = 0;
      const source = (): Iterator<number> & Iterable<number> => ({
        next: () => ({ done: false, value: 1 }),
        return() {
          closed++;
          throw new Error("ignored");
        },
        [Symbol.iterator]() {
          return this;
        },
      });
      await assert.rejects(T["fail"].map(source()), RangeError);
      const map = T["keyed"].map(source());
      map.cancel("no");
      await assert.rejects(map, mp.CancelledError);
      assert.strictEqual(closed, 2);
      function* failing() {
        yield 1;
        throw new TypeError("the source");
      }
      async function* failingLater() {
        yield 1;
        await sleep(1);
        throw new TypeError("the async source");
      }
      await assert.rejects(T["keyed"].map(failing()), /the source/);
      await assert.rejects(T["keyed"].map(failingLater()), /the async source/);
    },
    "retry, memoize and handles hold for each item of a map": async ({ T, mp, assert }) => {
      const counter = mp.sharedArray(Int32Array, 1);
      void counter;
      const same = await T["keyed"].with({ memoize: true }).map([1, 2, 1, 2, 1]);
      assert.strictEqual(new Set(same).size, 2);
      assert.throws(() => T["keyed"].with({ memoize: true }).map([1], { chunkSize: 5 }), /chunkSize/);
      let asked = 0;
      await assert.rejects(T["fail"].with({ retry: { attempts: 3, when: () => ++asked > 0 } }).map(["a"]), { message: "a" });
      assert.strictEqual(asked, 2);
      const lengths = await T["lengthOf"].map([new Uint8Array(3), T["later"](5, new Uint8Array(4)), new Uint8Array(5)]);
      assert.deepStrictEqual(lengths, [3, 4, 5]);
      await assert.rejects(T["lengthOf"].map([new Uint8Array(3), T["fail"]("an item")]), mp.DependencyError);
    },
    "a result that is needed again is told once, although it was there before somebody asked": {
      // The other one queues what waits for something only when the program looks.
      on: ["native"],
      run: async ({ T, mp, assert }) => {
        for (let i = 0; i < 5; i++) {
          const counter = mp.sharedArray(Int32Array, 1);
          const first = T["add"](i, 1);
          const second = T["failTimes"].with({ retry: 2 })(counter, 0, first);
          // The second has run, so that the first has settled, and nobody here has heard of it.
          while (Atomics.load(counter, 0) === 0);
          assert.strictEqual(first.get(), i + 1);
          assert.strictEqual(second.get(), i + 1);
          assert.strictEqual(T["add"](1, 2).get(), 3);
        }
        assert.strictEqual(mp.stats().queued, 0);
      },
    },
    "what settles together may be waited for by the one that is told first": {
      on: ["native"],
      run: async ({ T, mp, assert }) => {
        const counter = mp.sharedArray(Int32Array, 1);
        const failing: any[] = [];
        const others: any[] = [];
        let asked = 0;
        const when = (): boolean => {
          asked++;
          for (const other of others) other.wait();
          return false;
        };
        for (let i = 0; i < 8; i++) {
          failing.push(T["failTimes"].with({ retry: { attempts: 2, when } })(counter, 100, i));
          others.push(T["failTimes"](counter, 0, "x".repeat(i * 5_000)));
        }
        while (Atomics.load(counter, 0) < 16);
        failing[0].isReady();
        for (const handle of failing) assert.throws(() => handle.get(), /not yet/);
        others.forEach((other, i) => assert.strictEqual(other.get().length, i * 5_000));
        assert.strictEqual(asked, 8);
        assert.strictEqual(T["add"](1, 2).get(), 3);
      },
    },
    "a signal that many follow has one listener": {
      on: ["native", "typescript"],
      run: async ({ T, mp, assert }) => {
        const warnings: Error[] = [];
        const onWarning = (warning: Error) => void warnings.push(warning);
        process.on("warning", onWarning);
        const controller = new AbortController();
        const { signal } = controller;
        assert.deepStrictEqual(
          await mp.gather(Array.from({ length: 50 }, (_, i) => T["add"].with({ signal })(i, 1))),
          Array.from({ length: 50 }, (_, i) => i + 1),
        );
        const counted = require("node:events").getEventListeners(signal, "abort");
        assert.strictEqual(counted.length, 0);
        const held = Array.from({ length: 50 }, () => T["later"].with({ signal })(60_000, 1));
        const map = T["later"].with({ signal }).map([60_000, 60_000]);
        assert.strictEqual(require("node:events").getEventListeners(signal, "abort").length, 1);
        controller.abort("enough");
        for (const handle of [...held, map])
          await assert.rejects(handle, (error: any) => error instanceof mp.CancelledError && error.cause === "enough");
        await sleep(1);
        process.off("warning", onWarning);
        assert.deepStrictEqual(warnings, []);
      },
    },
    "an item that can't cross is named by its place": async ({ T, mp, assert }) => {
      const items: unknown[] = Array.from({ length: 40 }, (_, i) => i);
      items[33] = { bad: () => 1 };
      for (const given of [items, new Set(items)]) {
        await assert.rejects(T["keyed"].map(given), (error: any) => error instanceof mp.TransferError && error.path === "items[33].bad");
      }
    },
    "sparse arrays, and arrays that become shorter": async ({ T, assert }) => {
      const sparse = new Array(100);
      sparse[99] = 5;
      const results = await T["add"].map(sparse);
      assert.strictEqual(results.length, 100);
      const shrinking = Array.from({ length: 500 }, (_, i) => i);
      const map = T["keyed"].map(shrinking, { chunkSize: 10, concurrency: 1 });
      shrinking.length = 100;
      assert.strictEqual((await map).length, 100);
    },
    "a map that is left, and one that fails while it is iterated": async ({ T, assert }) => {
      for await (const value of T["keyed"].map([1, 2, 3], { chunkSize: 1 })) {
        void value;
        break;
      }
      await assert.rejects(async () => {
        for await (const value of T["fail"].map(["x", "y"])) void value;
      }, RangeError);
    },
    "a source that breaks the rules of iterators ends its map": async ({ T, assert }) => {
      const broken = (next: () => unknown) => ({ [Symbol.iterator]: () => ({ next }) });
      const brokenLater = (source: object) => ({ [Symbol.asyncIterator]: () => source });
      for (const given of [broken(() => 5), brokenLater({ next: () => Promise.resolve(5) })])
        await assert.rejects(T["keyed"].map(given as never), { name: "TypeError", message: /gave 5 as the result of next/ });
      let i = 0;
      const next = async () => ({ done: false, value: ++i });
      for (const end of [
        () => undefined,
        () => {
          throw new TypeError("at once");
        },
        async () => {
          throw new TypeError("later");
        },
        () => new Promise(() => undefined),
      ]) {
        for await (const value of T["keyed"].map(brokenLater({ next, return: end }) as never)) {
          void value;
          break;
        }
      }
      assert.throws(() => T["keyed"].map([1], { onProgress: 5 as never }), /"onProgress" is a function, not 5/);
      assert.throws(() => T["keyed"].map([1], { ordered: 5 as never }), /"ordered" is true or false, not 5/);
      assert.strictEqual(await T["add"](1, 2), 3);
    },
    "a stream whose finally throws is left without harm": {
      on: ["native", "typescript"],
      run: async ({ T, assert }) => {
        for await (const value of T["throwsInFinally"]()) {
          void value;
          break;
        }
        assert.strictEqual(await T["add"](1, 2), 3);
      },
    },
  },
  {
    chunk: 'function complain() { throw new RangeError("in finally"); } const $mp = mp; let $last;',
    program: 'require("node:v8").setFlagsFromString("--expose-gc"); const gc = require("node:vm").runInNewContext("gc");',
  },
);
