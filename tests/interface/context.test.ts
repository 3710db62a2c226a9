import { conformance, type Tools } from "../support/conformance";

declare const mp: Tools["mp"];
declare function sleep(ms: number): Promise<void>;
declare const T: Record<string, any>;
declare const storage: import("node:async_hooks").AsyncLocalStorage<any>;

const tasks = {
  add: (a: number, b: number) => a + b,
  seen: () => storage.getStore(),
  seenLater: async (ms: number) => {
    await sleep(ms);
    return storage.getStore();
  },
  nested: async () => [storage.getStore(), await T["seen"](), T["seen"]().get()],
  changed: async () => [await storage.run("other", () => T["seen"]()), await storage.exit(() => T["seen"]()), await T["seen"]()],
  seenFor: (item: number) => [item, storage.getStore()],
  stream: function* () {
    for (let i = 0; i < 3; i++) yield [i, storage.getStore()];
  },
  asyncStream: async function* () {
    for (let i = 0; i < 3; i++) {
      await null;
      yield [i, storage.getStore()];
    }
  },
  together: (first: unknown) => [first, storage.getStore()],
  failsFirst: (counter: Int32Array) => {
    if (Atomics.add(counter, 0, 1) === 0) throw new RangeError("first");
    return storage.getStore();
  },
  progress: () => {
    mp.reportProgress(0.5);
    return 1;
  },
  fail: () => {
    throw new RangeError("x");
  },
  isolated: () => {
    const before = storage.getStore();
    const inner = T["seen"]();
    return [before, inner.get()];
  },
};

const CHUNK = `const storage = mp.carry("test", new (require("node:async_hooks").AsyncLocalStorage)());`;
const PROGRAM = `const { AsyncLocalStorage } = require("node:async_hooks"); const storage = mp.carry("test", new AsyncLocalStorage()); const plain = new AsyncLocalStorage();`;

declare const plain: import("node:async_hooks").AsyncLocalStorage<any>;

conformance(
  "asynchronous context",
  tasks,
  {
    "a carried value is there in the task, and after its awaits": async ({ assert }) => {
      await storage.run({ user: "ada", roles: new Set(["admin"]) }, async () => {
        assert.deepStrictEqual(await T["seen"](), { user: "ada", roles: new Set(["admin"]) });
        assert.deepStrictEqual(T["seen"]().get(), { user: "ada", roles: new Set(["admin"]) });
        assert.strictEqual((await T["seenLater"](2)).user, "ada");
      });
      assert.strictEqual(await T["seen"](), undefined);
      assert.strictEqual(await T["seenLater"](1), undefined);
    },
    "calls carry the value of the moment, each its own": async ({ assert }) => {
      const handles = Array.from({ length: 40 }, (_, i) => storage.run(i, () => (i % 2 === 0 ? T["seen"]() : T["seenLater"](i % 5))));
      assert.deepStrictEqual(
        await Promise.all(handles),
        Array.from({ length: 40 }, (_, i) => i),
      );
    },
    "tasks that a task calls carry it on, or what the task has changed it to": async ({ assert }) => {
      await storage.run("outer", async () => {
        if ((await T["seen"]()) !== "outer") throw new Error("not carried");
        assert.deepStrictEqual(await T["changed"](), ["other", undefined, "outer"]);
      });
    },
    "nested tasks see it, awaited or pulled": {
      on: ["native", "typescript"],
      run: async ({ assert }) => {
        assert.deepStrictEqual(await storage.run("outer", () => T["nested"]()), ["outer", "outer", "outer"]);
      },
    },
    "a task that a blocked worker runs meanwhile does not see another one's value": {
      on: ["native", "typescript"],
      threads: 1,
      run: async ({ assert }) => {
        const results = Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? storage.run(i, () => T["isolated"]()) : T["isolated"]()));
        assert.deepStrictEqual(
          await Promise.all(results),
          Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? [i, i] : [undefined, undefined])),
        );
      },
    },
    "map, streams, retries, late arguments and local calls carry it": async ({ mp, assert }) => {
      await storage.run("v", async () => {
        assert.deepStrictEqual(await T["seenFor"].map([1, 2, 3]), [
          [1, "v"],
          [2, "v"],
          [3, "v"],
        ]);
        const seen: unknown[] = [];
        for await (const value of T["stream"]()) seen.push(value);
        for await (const value of T["asyncStream"]()) seen.push(value);
        assert.deepStrictEqual(
          seen,
          [...[0, 1, 2], ...[0, 1, 2]].map((i) => [i, "v"]),
        );
        assert.strictEqual(await T["failsFirst"].with({ retry: { attempts: 2, delay: 1 } })(mp.sharedArray(Int32Array, 1)), "v");
        const memoized = T["add"].with({ memoize: true })(1, 2);
        assert.deepStrictEqual(await T["together"](memoized), [3, "v"]);
        assert.deepStrictEqual(await T["together"](T["add"](1, 2)), [3, "v"]);
        assert.strictEqual(T["seen"].local(), "v");
      });
    },
    "map carries the value of its call, whenever its chunks start": async ({ assert }) => {
      const map = storage.run("at the call", () =>
        T["seenFor"].map(
          Array.from({ length: 200 }, (_, i) => i),
          { chunkSize: 1 },
        ),
      );
      await storage.run("later", async () => {
        for (const [, value] of await map) assert.strictEqual(value, "at the call");
      });
    },
    "a value that can't cross is refused with its name": ({ mp, assert }) => {
      storage.run({ socket: { write() {} } }, () => {
        assert.throws(
          () => T["seen"](),
          (error: any) => error instanceof mp.TransferError && error.path === 'carried.get("test").socket.write',
        );
      });
      assert.throws(() => mp.carry("", storage), TypeError);
      assert.throws(() => mp.carry("x", {} as never), TypeError);
    },

    // ---- the caller's own context
    "callbacks run in the context of the one who gave them": async ({ assert, until }) => {
      const seen: Record<string, unknown> = {};
      const note = (name: string) => () => void (seen[name] = plain.getStore());
      plain.run("mine", () => {
        T["progress"]().onProgress(note("progress")).onComplete(note("complete"));
        T["fail"]().onError(note("error"));
        void T["add"](1, 1).then(note("then"));
        void T["add"](1, 1).then(note("then of two"), () => undefined);
        void T["fail"]().then(undefined, note("rejected"));
        void T["fail"]().then(() => undefined, note("rejected of two"));
        void T["fail"]().catch(note("catch"));
        void T["add"](1, 1).finally(note("finally"));
        const settled = T["add"](1, 1);
        settled.get();
        void settled.then(note("settled"));
        void T["add"].with({ memoize: true })(2, 2).then(note("memoized"));
        const numbers = [1, 2, 3];
        void T["together"].map(numbers, { chunkSize: 1, onProgress: note("map progress") }).then(note("map"));
        void (async () => {
          await T["add"](1, 2);
          note("await")();
          await Promise.all([T["add"](1, 2), T["add"](3, 2)]);
          note("all")();
          for await (const value of T["stream"]()) void value;
          note("stream")();
        })();
      });
      const names = ["progress", "complete", "error", "then", "then of two", "rejected", "rejected of two", "catch", "finally", "settled"];
      const expected = [...names, "memoized", "map progress", "map", "await", "all", "stream"];
      await until(() => Object.keys(seen).length === expected.length);
      for (const name of expected) assert.strictEqual(seen[name], "mine", name);
    },
    "the source of a map is read in the context of the call, and `when` of a retry is asked in it": async ({ mp, assert }) => {
      const seen = new Set<unknown>();
      await plain.run("source", async () => {
        await T["add"].map(
          (function* () {
            for (let i = 0; i < 100; i++) {
              seen.add(plain.getStore());
              yield i;
            }
          })(),
          { chunkSize: 3 },
        );
        await T["add"].map(
          (async function* () {
            for (let i = 0; i < 30; i++) {
              if (i % 7 === 0) await sleep(1);
              seen.add(plain.getStore());
              yield i;
            }
          })(),
        );
        await T["failsFirst"].with({
          retry: {
            attempts: 2,
            when: () => {
              seen.add(plain.getStore());
              return true;
            },
          },
        })(mp.sharedArray(Int32Array, 1));
      });
      assert.deepStrictEqual([...seen], ["source"]);
    },
  },
  { chunk: CHUNK, program: PROGRAM },
);
