/** Handles: cancelling, racing, sharing, dropping, and memory. */
import type { Tools } from "../../support/conformance";
import type { FaultGroup } from "../../support/faults";

declare const T: Tools["T"];
declare const sleep: (ms: number) => Promise<void>;

export const handles: FaultGroup = {
  title: "Handles",
  tasks: {
    forever: () => {
      for (;;);
    },
    hangs: () => new Promise(() => undefined),
    cooperates: (started: Int32Array) => {
      started[0] = 1;
      while (!mp.isCancelled());
      return "told";
    },
    fails: () => {
      throw new RangeError("no");
    },
    big: (bytes: number) => ({ name: "big", data: new Uint8Array(bytes).fill(7), text: "x".repeat(bytes >> 3) }),
    sum: (value: { data: Uint8Array }) => value.data.reduce((a, b) => a + b, 0),
    pass: (value: unknown) => value,
    clones: () => {
      try {
        structuredClone(T["add"](1, 2));
        return undefined;
      } catch (error) {
        return (error as { code?: string }).code;
      }
    },
    numbers: function* (count: number, size: number) {
      for (let i = 0; i < count; i++) yield { i, data: new Uint8Array(size) };
    },
    failsInTheMiddle: async function* () {
      yield 1;
      yield 2;
      await sleep(1);
      throw new RangeError("in the middle");
    },
    exitsInTheMiddle: async function* () {
      yield 1;
      await sleep(20);
      process.exit(3);
    },
    slowly: async function* () {
      await sleep(200);
      yield "at last";
    },
    yieldsUnsendable: function* () {
      yield 1;
      yield () => 1;
    },
    getsTwice: (a: number) => [T["add"](a, 1).get(), T["add"](a, 2).get()],
  },
  rows: {
    "cancelling a queued task": {
      main: `const busy = Array.from({ length: threads }, () => T.spin(50));
        const queued = T.add(1, 2);
        assert.strictEqual(queued.cancel(new Error("changed my mind")), true);
        assert.throws(() => queued.get(), (error) => error instanceof mp.CancelledError && error.code === "MP_CANCELLED" && error.task === "add"
          && error.message === "add was cancelled: changed my mind." && error.cause.message === "changed my mind");
        const limit = Error.stackTraceLimit;
        const error = await queued.catch((error) => error);
        assert.match(error.stack, /^CancelledError: add was cancelled: changed my mind\\.\\n    --- add was called here ---\\n    at .*main\\.cjs:/);
        assert.strictEqual(Error.stackTraceLimit, limit);
        assert(limit >= 10);
        for (const handle of busy) assert.strictEqual(handle.get(), 50);`,
      outcome: ["CancelledError", "MP_CANCELLED"],
    },
    "a handle that is posted to another thread": {
      main: `const { MessageChannel, Worker } = require("node:worker_threads");
        const { port1 } = new MessageChannel();
        const settled = T.pass({ a: 1 });
        settled.get();
        const failed = T.fails();
        failed.wait();
        const pending = T.hangs.with({ memoize: true })();
        const waiting = T.pass(pending);
        const map = T.add.map([[1, 2]]);
        const posted = [settled, failed, pending, T.add.with({ name: "add" })(1, 2), waiting, T.numbers(1, 1), map, pending.then(() => 1, () => 2), mp.AsyncHandle.of(1)];
        for (const handle of posted) {
          const name = handle.name ?? (handle === map ? "add" : /.*/);
          for (const post of [
            (value) => structuredClone(value),
            (value) => port1.postMessage({ value }),
            (workerData) => new Worker("", { eval: true, workerData }),
            (value) => require("node:v8").serialize(value),
          ]) {
            assert.throws(() => post(handle), (error) => error instanceof mp.TransferError && error.code === "MP_TRANSFER" && typeof error.task === "string"
              && error.message === "The handle of " + error.task + " cannot be posted to another thread or cloned: it belongs to the thread that made the call. Await it and send its value, or pass it to a parallel function as an argument.");
          }
          if (handle.name !== undefined) assert.throws(() => structuredClone(handle), { task: handle.name });
        }
        waiting.cancel();
        pending.cancel();
        assert.strictEqual(T.clones().get(), "MP_TRANSFER");
        port1.close();
        await map;`,
      outcome: ["TransferError", "MP_TRANSFER"],
    },
    "cancelling a task that watches for it": {
      main: `const started = mp.sharedArray(Int32Array, 1);
        await T.add(1, 1);
        const handle = T.cooperates(started);
        while (Atomics.load(started, 0) === 0) await sleep(1);
        handle.cancel();
        assert.throws(() => handle.get(), mp.CancelledError);
        await assert.rejects(handle, mp.CancelledError);
        assert.strictEqual(await T.add(1, 2), 3);`,
      outcome: ["CancelledError", "kept"],
    },
    "cancelling a task that never ends": {
      main: `for (const look of [(handle) => handle.get(), (handle) => handle]) {
          const handle = T.forever.with({ grace: 10 })();
          while (handle.status !== "running") await sleep(1);
          handle.cancel();
          await assert.rejects(async () => look(handle), mp.CancelledError);
          assert.strictEqual(T.add(1, 2).get(), 3);
        }`,
      outcome: ["CancelledError", "replaced"],
    },
    "an AbortSignal aborts": {
      main: `const controller = new AbortController();
        const handles = [T.forever, T.hangs, T.spin].map((f) => f.with({ signal: controller.signal, grace: 10 })(1000));
        setTimeout(() => controller.abort(new Error("enough")), 30);
        for (const handle of handles)
          await assert.rejects(handle, (error) => error instanceof mp.CancelledError && error.cause.message === "enough");
        assert.strictEqual(T.add(1, 2).get(), 3);`,
      outcome: ["CancelledError"],
    },
    "get() with a limit": {
      main: `const handle = T.spin(100);
        assert.throws(() => handle.get(5), (error) => error instanceof mp.TimeoutError && error.code === "MP_TIMEOUT" && error.task === "spin"
          && error.message === "spin has not settled within the 5 ms that get() was given; it goes on.");
        assert.strictEqual(handle.wait(1), false);
        assert.strictEqual(handle.get(), 100);`,
      outcome: ["TimeoutError", "goes on"],
    },
    "a dependency fails": {
      main: `const failing = T.fails();
        const first = T.add(T.pass(failing), 1), second = T.pass.with({ after: [first] })(5);
        for (const handle of [first, second])
          await assert.rejects(handle, (error) => error instanceof mp.DependencyError && error.code === "MP_DEPENDENCY" && error.cause !== undefined);
        let root = second._error ? await second.catch((error) => error) : undefined;
        while (root.cause !== undefined) root = root.cause;
        assert.ok(root instanceof RangeError && root.message === "no", String(root));
        assert.strictEqual(await T.add(1, 2), 3);`,
      outcome: ["DependencyError", "MP_DEPENDENCY"],
    },
    "cancelling races with the end": {
      // Every round has exactly one outcome, the same on every look, whoever wins.
      main: `let cancelled = 0, fulfilled = 0;
        for (let round = 0; round < 3000; round++) {
          const handle = T.add(round, 1);
          const promised = round % 3 === 0 ? handle.then((value) => value, (error) => error) : undefined;
          for (let i = 0; i < (round * 7) % 200; i++);
          if (round % 5 === 0) T.add(1, 1).wait();
          const won = handle.cancel();
          let got;
          try { got = handle.get(); } catch (error) { got = error; }
          if (won) { cancelled++; assert.ok(got instanceof mp.CancelledError, String(got)); assert.ok(handle.isCancelled()); }
          else { fulfilled++; assert.strictEqual(got, round + 1); assert.strictEqual(handle.status, "fulfilled"); }
          if (promised !== undefined) assert.strictEqual(await promised, got);
          assert.strictEqual(handle.cancel(), won);
        }
        assert.ok(cancelled > 0 && fulfilled > 0, cancelled + " " + fulfilled);
        assert.strictEqual(await T.add(1, 2), 3);`,
      outcome: ["one outcome"],
    },
    "a timeout races with the end": {
      run: { limit: 60_000 },
      main: `let late = 0, fulfilled = 0;
        await T.spin(1);
        for (let round = 0; round < 150; round++) {
          const ms = (round % 20) / 10;
          const handle = T.spin.with({ timeout: ms, grace: 1000 })(1);
          if (!handle.wait(15_000)) throw new Error("round " + round + " is stuck: " + handle.status + " " + JSON.stringify(mp.stats()));
          try { assert.strictEqual(handle.get(), 1); fulfilled++; }
          catch (error) { assert.ok(error instanceof mp.TimeoutError, String(error)); late++; }
        }
        assert.ok(late > 0);
        assert.strictEqual(await T.add(1, 2), 3);`,
      outcome: ["one outcome"],
    },
    "one handle as an argument of tasks on all workers": {
      main: `const value = T.big(1 << 20);
        const sums = Array.from({ length: 6 }, () => T.sum(value));
        for (const sum of sums) assert.strictEqual(sum.get(), 7 * (1 << 20));
        assert.strictEqual((await value).data.length, 1 << 20);
        // After it has been looked at, too; each task has a copy of its own.
        assert.deepStrictEqual(await Promise.all([T.sum(value), T.sum(value)]), [7 * (1 << 20), 7 * (1 << 20)]);
        assert.deepStrictEqual(T.getsTwice(1).get(), [2, 3]);`,
      outcome: ["copy"],
    },
    "a worker is stopped in the middle of a large result": {
      main: `for (let round = 0; round < 6; round++) {
          const handle = T.big.with({ timeout: 5 + round * 12, grace: 0 })(24 << 20);
          try { assert.strictEqual(handle.get().data.length, 24 << 20); }
          catch (error) { assert.ok(error instanceof mp.TimeoutError, String(error)); }
          assert.strictEqual(T.add(round, 2).get(), round + 2);
        }
        assert.strictEqual((await T.big(1 << 20)).data[12345], 7);`,
      outcome: ["TimeoutError"],
    },
    "a worker is stopped while a stream yields": {
      main: `for (let round = 0; round < 4; round++) {
          const stream = T.numbers.with({ timeout: 20 + round * 5, grace: 0 })(1e9, 20000);
          let next = 0;
          await assert.rejects(async () => { for await (const { i } of stream) assert.strictEqual(i, next++); }, mp.TimeoutError);
          assert.strictEqual(await T.add(1, 2), 3);
        }`,
      outcome: ["TimeoutError"],
    },
    "a stream fails in the middle": {
      main: `const read = async (stream) => { const seen = []; try { for await (const value of stream) seen.push(value); } catch (error) { seen.push(error.name); } return seen; };
        assert.deepStrictEqual(await read(T.failsInTheMiddle()), [1, 2, "RangeError"]);
        assert.deepStrictEqual(await read(T.exitsInTheMiddle()), [1, "WorkerCrashedError"]);
        assert.deepStrictEqual(await read(T.yieldsUnsendable()), [1, "TransferError"]);
        assert.strictEqual(await T.add(1, 2), 3);`,
      outcome: ["values", "error"],
    },
    "a stream that is left early": {
      main: `for await (const { i } of T.numbers(1e9, 100)) if (i === 5) break;
        const never = T.numbers(1e9, 100);
        never.cancel();
        T.numbers(1e9, 100);
        assert.strictEqual(await T.add.with({ timeout: 10_000 })(1, 2), 3);`,
      threads: [2],
      outcome: ["ends"],
    },
    "a stream that is dropped": {
      run: { execArgv: ["--expose-gc"] },
      main: `const held = T.numbers(1e9, 100);
        const first = async () => (await T.numbers(1e9, 100).next()).value.i;
        assert.deepStrictEqual(await Promise.all(Array.from({ length: 20 }, first)), new Array(20).fill(0));
        T.numbers(1e9, 100);
        // A read that is under way holds its stream.
        const slow = T.slowly().next();
        while (mp.stats().running > 2 || mp.stats().queued > 0) { gc(); await sleep(10); }
        assert.strictEqual((await slow).value, "at last");
        for (let i = 0; i < 100; i++) assert.strictEqual((await held.next()).value.i, i);`,
      outcome: ["ends"],
    },
    "workers are stopped by the dozen": {
      main: `await T.add(1, 2);
        const handles = Array.from({ length: 24 }, (_, i) => (i % 3 === 0 ? T.add : i % 3 === 1 ? T.forever : T.hangs).with({ timeout: 1 + i, grace: 0 })(i, 1));
        const rest = Array.from({ length: 30 }, (_, i) => T.add(i, 1));
        for (const [i, handle] of handles.entries()) {
          try { const value = i % 2 === 0 ? handle.get() : await handle; assert.strictEqual(value, i + 1); }
          catch (error) { assert.ok(error instanceof mp.TimeoutError, String(error)); }
        }
        rest.forEach((handle, i) => assert.strictEqual(handle.get(), i + 1));`,
      run: { limit: 60_000 },
      outcome: ["TimeoutError"],
    },
    "results that nobody looks at": {
      run: { execArgv: ["--expose-gc"], limit: 60_000 },
      threads: [2],
      main: `const round = async () => { for (let i = 0; i < 40; i++) T.big(1 << 20); await T.add(1, 2); await T.spin(5); await T.spin(5); for (let i = 0; i < 3; i++) { gc(); await sleep(10); } };
        await round();
        const before = process.memoryUsage().rss;
        for (let i = 0; i < 4; i++) await round();
        const grown = (process.memoryUsage().rss - before) / 2 ** 20;
        // 4 x 40 MB have been dropped.
        assert.ok(grown < 100, grown + " MB");`,
      outcome: ["memory"],
    },
    "a million tasks": {
      run: { limit: 110_000, execArgv: ["--expose-gc"] },
      threads: [2],
      main: `const total = Number(process.env.TEST_TASKS ?? (process.env.MAKEPARALLEL_BACKEND === "native" ? 1_000_000 : 300_000)), batch = 10000, seen = [];
        for (let done = 0; done < total; done += batch) {
          const handles = Array.from({ length: batch }, (_, i) => T.add(done + i, 1));
          if ((done / batch) % 2 === 0) handles.forEach((handle, i) => { if (handle.get() !== done + i + 1) throw new Error("wrong"); });
          else (await Promise.all(handles)).forEach((value, i) => { if (value !== done + i + 1) throw new Error("wrong"); });
          gc();
          seen.push(process.memoryUsage().rss / 2 ** 20);
        }
        // From the first third on it does not grow.
        const third = Math.ceil(seen.length / 3);
        const plateau = Math.max(...seen.slice(0, third)), end = Math.max(...seen.slice(-third));
        assert.ok(end < plateau + 40, seen.map(Math.round).join(" "));`,
      outcome: ["memory"],
    },
  },
};

declare const mp: Tools["mp"];
