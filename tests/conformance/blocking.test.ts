/** Blocking waits and event loops: what goes on while a thread waits, and what can't. */
import { conformance, type Tools } from "../support/conformance";

declare const T: Tools["T"];
declare function sleep(ms: number): Promise<void>;

const tasks = {
  add: (a: number, b: number) => a + b,
  turns: async (count: number) => {
    for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve));
    return count;
  },
  opened: async (gate: Int32Array, value: unknown) => {
    while (Atomics.load(gate, 0) === 0) await sleep(1);
    return value;
  },
  fails: (message: string) => {
    throw new RangeError(message);
  },
  failsTwice: (runs: Int32Array) => {
    if (Atomics.add(runs, 0, 1) < 2) throw new RangeError("not yet");
    return "done";
  },
  note: (seen: Int32Array) => Atomics.add(seen, 0, 1),
  spin: (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
    return ms;
  },

  blocksOn: (count: number) => T.turns(count).get(),
  awaitsThenBlocks: async (count: number) => {
    await sleep(0);
    return T.turns(count).get();
  },
  awaitsThenBlocksOften: async (count: number) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      await null;
      sum += T.add(i, 0).get() + T.turns(1).get();
    }
    return sum;
  },
  blocksOnBegun: async (gate: Int32Array) => {
    const begun = T.opened(gate, 1);
    while (begun.status !== "running") await sleep(1);
    try {
      return begun.get();
    } catch (error) {
      return (error as Error).message;
    } finally {
      gate[0] = 1;
    }
  },
  immediates: async () => {
    const seen: string[] = [];
    const cleared = setImmediate(() => seen.push("cleared"));
    clearImmediate(cleared);
    // As Node, which takes whatever it is given: `fetch` clears immediates that it has not set.
    for (const other of [null, undefined, 0, ""]) clearImmediate(other as never);
    setImmediate((text: string) => seen.push(text), "first");
    await new Promise<void>((resolve) => {
      setImmediate(() => {
        seen.push("second");
        setImmediate(() => {
          seen.push("third");
          resolve();
        });
      });
    });
    return seen.join();
  },
  blocksOnImmediates: () => T.immediates().get(),
  throwsInImmediate: async () => {
    setImmediate(() => {
      throw new RangeError("from an immediate");
    });
    await new Promise(() => {});
  },
  blocksOnThrowing: () => T.throwsInImmediate().get(),
  loopsInImmediate: async () => {
    await new Promise<void>((resolve) => setImmediate(resolve));
    for (;;);
  },
  blocksOnLooping: () => T.loopsInImmediate.with({ timeout: 50, grace: 5 })().get(),
};

conformance("blocking", tasks, {
  "get in a task runs the event loop for an async task that it waits for": {
    threads: 1,
    on: ["native", "typescript"],
    run: async ({ T, assert }) => assert.strictEqual(await T.blocksOn(20), 20),
  },
  "get after an await in a task does too": {
    threads: 1,
    on: ["native", "typescript"],
    run: async ({ T, assert }) => assert.strictEqual(await T.awaitsThenBlocks(20), 20),
  },
  "several tasks on one worker may do so at once": {
    threads: 1,
    on: ["native", "typescript"],
    run: async ({ T, assert }) => {
      assert.deepStrictEqual(await Promise.all([T.awaitsThenBlocks(5), T.awaitsThenBlocks(6), T.awaitsThenBlocksOften(10)]), [5, 6, 55]);
    },
  },
  "a worker that stood in for a blocked one ends": {
    threads: 1,
    on: ["native", "typescript"],
    run: async ({ T, mp, until }) => {
      await T.awaitsThenBlocks(20);
      await until(() => mp.stats().threads === 1);
    },
  },
  "get on an async task that has begun on this very thread says that it would wait for ever": {
    threads: 1,
    on: ["native", "typescript"],
    run: async ({ T, mp, assert }) => assert.match(await T.blocksOnBegun(mp.sharedArray(Int32Array, 1)), /would wait forever/),
  },
  "immediates run while the worker is blocked, in order, and cleared ones do not": {
    threads: 1,
    on: ["native", "typescript"],
    run: async ({ T, assert }) => {
      assert.strictEqual(await T.immediates(), "first,second,third");
      assert.strictEqual(await T.blocksOnImmediates(), "first,second,third");
    },
  },
  "an immediate that throws while the worker is blocked ends the worker, not the process": {
    threads: 1,
    on: ["native", "typescript"],
    run: async ({ T, mp, assert }) => {
      await assert.rejects(T.blocksOnThrowing(), mp.WorkerCrashedError);
      assert.strictEqual(await T.add(1, 2), 3);
    },
  },
  "an immediate that does not end while the worker is blocked is stopped with the worker, not the process": {
    threads: 1,
    on: ["native", "typescript"],
    run: async ({ T, mp, assert }) => {
      for (let i = 0; i < 5; i++) await assert.rejects(T.blocksOnLooping(), mp.ParallelError);
      assert.strictEqual(await T.add(1, 2), 3);
    },
  },
  "a rejection that was polled for and is then awaited has been handled": async ({ T, assert, until }) => {
    const reported: unknown[] = [];
    process.on("unhandledRejection", (reason) => reported.push(reason));
    const handle = T.fails("polled");
    await until(() => handle.isReady());
    await assert.rejects(handle, /polled/);
    // What is still open is reported when the program is about to end.
    process.emit("beforeExit", 0);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepStrictEqual(reported, []);
  },
  "a time limit counts from the call, also where the task is pushed later": async ({ T, mp, assert }) => {
    // What waits for a task that may be repeated is pushed when that has ended.
    const gate = mp.sharedArray(Int32Array, 1);
    const seen = mp.sharedArray(Int32Array, 1);
    const first = T.opened.with({ retry: 2 })(gate, 1);
    const late = T.note.with({ timeout: 30, after: [first] })(seen);
    await assert.rejects(late, mp.TimeoutError);
    assert.strictEqual(first.isReady(), false);
    gate[0] = 1;
    await first;
    // And what is left of it is that of the call: it is over when the first task ends. Many, because one without any time left would race with its end.
    gate[0] = 0;
    const second = T.opened.with({ retry: 2 })(gate, 1);
    const tooLate = Array.from({ length: 100 }, () => T.note.with({ timeout: 30, after: [second] })(seen));
    gate[0] = 1;
    const end = performance.now() + 60;
    while (performance.now() < end);
    for (const handle of tooLate) await assert.rejects(handle, mp.TimeoutError);
    assert.strictEqual(seen[0], 0);
  },
  "a task without any time is not run": async ({ T, mp, assert }) => {
    const seen = mp.sharedArray(Int32Array, 1);
    const handles = Array.from({ length: 100 }, () => T.note.with({ timeout: 0 })(seen));
    for (const handle of handles) {
      assert.strictEqual(handle.isReady(), true);
      assert.throws(
        () => handle.get(),
        (error: any) => error instanceof mp.TimeoutError && error.message === "note has not ended within its timeout of 0 ms.",
      );
    }
    const bytes = new Uint8Array(8);
    await assert.rejects(T.note.with({ timeout: 0 })(mp.move(bytes)), mp.TimeoutError);
    assert.strictEqual(bytes.length, 8);
    assert.strictEqual(seen[0], 0);
  },
  "a failed task is not repeated once its time is over, also where the caller comes to it late": async ({ T, mp, assert }) => {
    const runs = Array.from({ length: 10 }, () => mp.sharedArray(Int32Array, 1));
    await T.failsTwice.warm();
    const handles = runs.map((count) => T.failsTwice.with({ timeout: 300, retry: { attempts: 3, delay: 200, jitter: 0 } })(count));
    const started = performance.now();
    // As many as possible have failed once, and none is repeated yet.
    while (performance.now() < started + 90 && handles.some(({ status }) => status === "queued" || status === "running"));
    const failed = performance.now() < started + 190 ? handles.filter(({ status }) => status === "waiting") : [];
    while (performance.now() < started + 310);
    for (const handle of failed) assert.strictEqual(handle.isReady(), true);
    for (const handle of handles) {
      await assert.rejects(handle, (error: any) => error instanceof mp.TimeoutError || error.message === "not yet");
    }
    for (const count of runs) assert.ok(count[0]! <= 1, String(count[0]));
  },
  "time limits and retries keep to real time where a test's clock stands still": async ({ T, mp, assert, backend }) => {
    const { now } = performance;
    performance.now = () => 0;
    try {
      const runs = mp.sharedArray(Int32Array, 1);
      assert.strictEqual(await T.failsTwice.with({ retry: { attempts: 3, delay: 5 } })(runs), "done");
      if (backend !== "inline") assert.strictEqual(T.opened(mp.sharedArray(Int32Array, 1), 1).wait(5), false);
    } finally {
      performance.now = now;
    }
  },
  "recursion that catches its overflow, and looks at a task on each level": {
    on: ["inline"],
    run: async ({ T, assert }) => {
      const looks: ((handle: any) => unknown)[] = [(handle) => handle.get(), (handle) => handle.wait(), (handle) => handle.isReady()];
      for (const look of looks) {
        const handles: any[] = [];
        let left = 4;
        const go = (a: number, b: number, c: number): void => {
          try {
            go(b, c, a);
          } catch {
            // Its end.
          }
          if (left === 0) return;
          try {
            handles.push(T.add(left, 1));
            look(handles.at(-1));
            left--;
          } catch (error) {
            assert.ok(error instanceof RangeError);
          }
        };
        go(1, 2, 3);
        assert.ok(handles.length >= 4);
        for (const value of await Promise.all(handles)) assert.ok(value > 0);
      }
    },
  },
});
