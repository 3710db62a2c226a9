import { conformance, type Tools } from "../support/conformance";

declare const mp: Tools["mp"];
declare const T: Record<string, any>;
declare function sleep(ms: number): Promise<void>;

const tasks = {
  add: (a: number, b: number) => a + b,
  /** Occupies a worker until `gate[0]` is 1; `gate[1]` counts those that have begun. */
  hold: (gate: Int32Array) => {
    Atomics.add(gate, 1, 1);
    Atomics.notify(gate, 1);
    Atomics.wait(gate, 0, 0);
    return "held";
  },
  /** Ends when so many of them have begun. */
  meet: (gate: Int32Array, count: number) => {
    Atomics.add(gate, 0, 1);
    Atomics.notify(gate, 0);
    for (let here; (here = Atomics.load(gate, 0)) < count;) Atomics.wait(gate, 0, here);
  },
  /** Writes its number to the next free place: order[0] counts. */
  note: (order: Int32Array, number: number) => {
    order[Atomics.add(order, 0, 1) + 1] = number;
    return number;
  },
  slowNote: (order: Int32Array, number: number, ms: number) => {
    order[Atomics.add(order, 0, 1) + 1] = number;
    const end = performance.now() + ms;
    while (performance.now() < end);
  },
  later: async (ms: number, value: unknown) => {
    await sleep(ms);
    return value;
  },
  opened: async (gate: Int32Array, value: unknown) => {
    while (Atomics.load(gate, 0) === 0) await sleep(1);
    return value;
  },
  open: (gate: Int32Array) => {
    Atomics.store(gate, 0, 1);
    return "open";
  },
  warmsAnother: async () => {
    await T.add.warm();
    return T.add(1, 2);
  },
  fail: (message: string) => {
    throw new RangeError(message);
  },
  spin: (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
    return ms;
  },
  forever: () => {
    for (;;);
  },
  untilCancelled: (seen: Int32Array) => {
    seen[0] = 1;
    while (!mp.isCancelled());
    seen[0] = 2;
    return "cancelled";
  },
  throwIfCancelled: (seen: Int32Array) => {
    seen[0] = 1;
    for (;;) mp.throwIfCancelled();
  },
  signalled: async (seen: Int32Array) => {
    const signal = mp.taskSignal();
    seen[0] = 1;
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    seen[0] = 2;
  },
  progress: (steps: number) => {
    for (let i = 1; i <= steps; i++) mp.reportProgress(i / steps);
    return steps;
  },
  slowProgress: async (steps: number) => {
    for (let i = 1; i <= steps; i++) {
      mp.reportProgress(i / steps);
      await sleep(10);
    }
  },
  text: (length: number) => "x".repeat(length),
  lengthOf: (text: string) => text.length,
  join: (...parts: unknown[]) => parts.join("+"),
  moved: (length: number) => mp.move(new Uint8Array(length).fill(7)),
  sum: (bytes: Uint8Array) => bytes.reduce((a, b) => a + b, 0),
  info: () => mp.taskInfo(),
  /** Ends, and leaves something behind that keeps the thread for itself until `gate[0]` is 1. */
  leaveBehind: (gate: Int32Array) => {
    setTimeout(() => {
      Atomics.store(gate, 1, 1);
      Atomics.wait(gate, 0, 0);
    }, 1);
  },
  /** Blocks for an asynchronous task. */
  getLater: (value: unknown) => T.later(0, value).get(),
  /** The worker stops for a while wherever it counts something down in shared memory: whoever meets it there does so every time. */
  dawdle: (ms: number) => {
    const { sub } = Atomics;
    Object.assign(Atomics, {
      sub: (...operands: Parameters<typeof sub>) => {
        const before = sub(...operands);
        for (const end = performance.now() + ms; performance.now() < end;);
        return before;
      },
    });
  },
};

conformance("scheduling", tasks, {
  "tasks and their limits go on while the program's clock stands still": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert }) => {
      assert.strictEqual(await T.add(1, 2), 3);
      const real = { queueMicrotask, setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate };
      const { nextTick } = process;
      const stopped: string[] = [];
      // As fake timers do it.
      for (const name of Object.keys(real)) Object.assign(globalThis, { [name]: () => void stopped.push(name) });
      process.nextTick = () => {};
      const alive = real.setInterval(() => {}, 1000);
      const reported = new Promise((resolve) => process.once("unhandledRejection", resolve));
      try {
        assert.strictEqual(await T.add(3, 4), 7);
        assert.deepStrictEqual(await T.add.map([1, 2, 3]), [NaN, NaN, NaN]);
        assert.strictEqual(await T.add.with({ after: [T.add(1, 1)] })(5, 6), 11);
        await assert.rejects(T.forever.with({ timeout: 10, grace: 1 })(), { code: "MP_TIMEOUT" });
        await assert.rejects(T.fail.with({ retry: { attempts: 2, delay: 1 } })("again"), { message: "again" });
        assert.strictEqual(await T.add(1, 2), 3);
        void T.fail("that nobody sees");
        assert.strictEqual(((await reported) as Error).message, "that nobody sees");
        // The pool ends, and leaves no timer that keeps the process alive.
        await mp.shutdown();
        assert.deepStrictEqual(stopped, []);
      } finally {
        real.clearInterval(alive);
        process.nextTick = nextTick;
        Object.assign(globalThis, real);
      }
    },
  },
  "what follows a task stays in the zone of zone.js": async ({ T, assert, until }) => {
    const { then } = Promise.prototype;
    const program = globalThis as { Zone?: { current: string } };
    const zone = (program.Zone = { current: "root" });
    const inside = (current: string, run: () => unknown): unknown => {
      const outer = zone.current;
      zone.current = current;
      try {
        return run();
      } finally {
        zone.current = outer;
      }
    };
    // As zone.js does it with the engine's promises.
    Promise.prototype.then = function (this: Promise<unknown>, ...callbacks: any[]): any {
      const { current } = zone;
      const bound = callbacks.map((callback) => callback && ((value: unknown) => inside(current, () => callback(value))));
      return Reflect.apply(then, this, bound);
    };
    const seen: string[] = [];
    try {
      for (const name of ["a", "b"]) {
        inside(name, () => {
          void T.add(1, 2).then(() => seen.push(`${zone.current} then`));
          T.add(1, 2).onComplete(() => seen.push(`${zone.current} onComplete`));
        });
      }
      await until(() => seen.length === 4);
    } finally {
      Promise.prototype.then = then;
      delete program.Zone;
    }
    assert.deepStrictEqual(seen.sort(), ["a onComplete", "a then", "b onComplete", "b then"]);
  },
  "chains of a hundred thousand tasks": {
    on: ["native", "typescript"],
    limit: 60_000,
    run: async ({ T, assert }) => {
      let last = T.add(0, 1);
      for (let i = 0; i < 100_000; i++) last = T.add.with({ after: [last] })(i, 1);
      assert.strictEqual(await last, 100_000);
    },
  },
  "workers that come and go under work": {
    on: ["native", "typescript"],
    threads: 3,
    pool: { minThreads: 0, idleTimeout: 1 },
    limit: 60_000,
    run: async ({ T, mp, assert, until }) => {
      const warnings: string[] = [];
      const note = ({ message }: Error): void => void warnings.push(message);
      process.on("warning", note);
      for (let i = 0; i < 40; i++) {
        await Promise.all(
          Array.from({ length: 1 + (i % 7) }, (_, j) => (j % 3 === 0 ? T.spin(0.2) : j % 3 === 1 ? T.add(i, j) : T.later(0, j))),
        );
        if (i % 10 === 0) assert.strictEqual(T.add(i, 1).get(), i + 1);
        if (i % 4 === 0) await until(() => mp.stats().threads === 0);
      }
      process.off("warning", note);
      assert.deepStrictEqual(warnings, []);
    },
  },
  "as many tasks run at the same time as there are workers, whatever these are doing when the calls come": {
    on: ["native", "typescript"],
    threads: 3,
    run: async ({ T, mp, assert }) => {
      for (let i = 0; i < 600; i++) {
        const gate = mp.sharedArray(Int32Array, 1);
        if (i % 3 !== 0) await T.add(i, 1);
        for (let turns = i % 5; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
        const handles = [T.meet(gate, 3), T.meet(gate, 3), T.meet(gate, 3)];
        for (const handle of handles) assert.ok(handle.wait(10_000), `round ${i}: only ${gate[0]} of them have begun`);
      }
    },
  },
  "a call that comes while the only worker takes the one before has a worker started": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert, sleep }) => {
      await T.dawdle(100);
      // Only one that has gone to sleep is woken, and then counts as one that looks for tasks.
      await sleep(100);
      const gate = mp.sharedArray(Int32Array, 1);
      const first = T.meet(gate, 2);
      while (mp.stats().queued > 0);
      const second = T.meet(gate, 2);
      for (const handle of [first, second]) assert.ok(handle.wait(10_000), `only ${gate[0]} of the two has begun`);
    },
  },
  "what a task has left behind keeps its worker, and another one is started for the next task": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert, until }) => {
      const gate = mp.sharedArray(Int32Array, 2);
      await T.leaveBehind(gate);
      await until(() => gate[1] === 1);
      assert.strictEqual(await T.add(1, 2), 3);
      assert.strictEqual(T.add(3, 4).get(), 7);
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
    },
  },
  "what a task has left behind keeps its worker, and one that sleeps is woken for the next task": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert, until }) => {
      const meeting = mp.sharedArray(Int32Array, 1);
      await Promise.all([T.meet(meeting, 2), T.meet(meeting, 2)]);
      const gate = mp.sharedArray(Int32Array, 2);
      await T.leaveBehind(gate);
      await until(() => gate[1] === 1);
      for (let i = 0; i < 5; i++) assert.strictEqual(await T.add(i, 2), i + 2);
      for (let i = 0; i < 5; i++) assert.strictEqual(T.add(i, 2).get(), i + 2);
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
    },
  },
  "what a task has left behind keeps its worker, and a task that blocks for an asynchronous one has another worker run it": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert, until }) => {
      const meeting = mp.sharedArray(Int32Array, 1);
      await Promise.all([T.meet(meeting, 2), T.meet(meeting, 2)]);
      const gate = mp.sharedArray(Int32Array, 2);
      await T.leaveBehind(gate);
      await until(() => gate[1] === 1);
      for (let i = 0; i < 3; i++) assert.strictEqual(await T.getLater(i), i);
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
    },
  },
  "tasks of one priority run in the order of their calls, higher priorities first": {
    threads: 1,
    run: async ({ T, mp, assert, backend, until }) => {
      const gate = mp.sharedArray(Int32Array, 2);
      const order = mp.sharedArray(Int32Array, 64);
      let held;
      if (backend !== "inline") {
        held = T.hold(gate);
        await until(() => gate[1] === 1);
      }
      const priorities = [0, 0, 5, -1, 0, 5, 10, -1, 0.5, 0, 5, -7];
      const handles = priorities.map((priority, i) => T.note.with({ priority })(order, i));
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
      await Promise.all(handles);
      await held;
      const expected = priorities
        .map((priority, i) => ({ priority, i }))
        .sort((a, b) => b.priority - a.priority || a.i - b.i)
        .map(({ i }) => i);
      assert.deepStrictEqual([...order.slice(1, 1 + priorities.length)], expected);
    },
  },
  "asynchronous tasks are under way side by side, as many as there are threads": {
    threads: 2,
    run: async ({ T, mp, assert }) => {
      const gate = mp.sharedArray(Int32Array, 1);
      const waits = T.opened(gate, "opened");
      // Behind a task that ends only when this one has run.
      assert.strictEqual(await T.open(gate), "open");
      assert.strictEqual(await waits, "opened");
    },
  },
  "a cancelled asynchronous task gives its place up": {
    threads: 1,
    run: async ({ T, mp, assert }) => {
      const gate = mp.sharedArray(Int32Array, 1);
      const waits = T.opened.with({ grace: 0 })(gate, 0);
      const adds = T.add(1, 2);
      while (waits.status !== "running") await new Promise(setImmediate);
      assert.strictEqual(waits.cancel(), true);
      assert.strictEqual(await adds, 3);
      // On the inline backend nothing stops it, and it would keep the process alive.
      Atomics.store(gate, 0, 1);
    },
  },
  "many random priorities are kept": {
    threads: 1,
    run: async ({ T, mp, assert, backend, until }) => {
      const gate = mp.sharedArray(Int32Array, 2);
      const order = mp.sharedArray(Int32Array, 1002);
      if (backend !== "inline") {
        void T.hold(gate);
        await until(() => gate[1] === 1);
      }
      let seed = 1;
      const priorities = Array.from({ length: 1000 }, () => ((seed = (seed * 48_271) % 2_147_483_647) % 21) - 10);
      const handles = priorities.map((priority, i) => T.note.with({ priority })(order, i));
      for (let i = 0; i < 1000; i += 7) handles[i].cancel();
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
      await Promise.allSettled(handles);
      const expected = priorities
        .map((priority, i) => ({ priority, i }))
        .filter(({ i }) => i % 7 !== 0)
        .sort((a, b) => b.priority - a.priority || a.i - b.i)
        .map(({ i }) => i);
      assert.deepStrictEqual([...order.slice(1, 1 + expected.length)], expected);
    },
  },
  "lower priorities are not kept waiting for ever by a stream of higher ones": {
    on: ["native", "typescript"],
    threads: 1,
    limit: 60_000,
    run: async ({ T, mp, assert, until }) => {
      const gate = mp.sharedArray(Int32Array, 2);
      const order = mp.sharedArray(Int32Array, 1 << 16);
      void T.hold(gate);
      await until(() => gate[1] === 1);
      const low = [0, -1, 3, 0].map((priority, i) => T.note.with({ priority })(order, -1 - i));
      let left = low.length;
      for (const handle of low) void handle.then(() => left--);
      // The queue is never empty of higher ones: 30 at a time, each of them waits for its turn.
      const streams = Array.from({ length: 30 }, async (_, stream) => {
        for (let i = 0; left > 0; i++) await T.slowNote.with({ priority: 7 })(order, i * 30 + stream + 1, 4);
      });
      // The first of each is queued by now.
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
      await Promise.all(streams);
      const seen = [...order.slice(1, 1 + order[0]!)];
      const places = low.map((_, i) => seen.indexOf(-1 - i));
      // None before it has been passed over by 64 others, and then one in 64 at most.
      const sorted = [...places].sort((a, b) => a - b);
      sorted.forEach((place, i) => assert.ok(place >= 64 * (i + 1), String(sorted)));
      assert.ok(places[0]! < places[3]!, "first in, first out");
    },
  },
  "100,000 queued tasks all run": {
    limit: 60_000,
    run: async ({ T, assert }) => {
      const handles = Array.from({ length: 100_000 }, (_, i) => T.add(i, 1));
      const values = await Promise.all(handles);
      for (let i = 0; i < values.length; i++) assert.strictEqual(values[i], i + 1);
    },
  },
  "100,000 queued tasks are taken by blocking": {
    limit: 60_000,
    run: ({ T, assert }) => {
      const handles = Array.from({ length: 100_000 }, (_, i) => T.add(i, 1));
      for (let i = 0; i < handles.length; i++) assert.strictEqual(handles[i].get(), i + 1);
    },
  },
  "100,000 queued tasks are cancelled, and the pool goes on": {
    limit: 60_000,
    threads: 1,
    run: async ({ T, mp, assert, backend, until }) => {
      const gate = mp.sharedArray(Int32Array, 2);
      if (backend !== "inline") {
        void T.hold(gate);
        await until(() => gate[1] === 1);
      }
      const handles = Array.from({ length: 100_000 }, (_, i) => T.add(i, 1));
      const results = handles.map((handle) => handle.cancel());
      assert.ok(results.every((cancelled) => cancelled));
      assert.strictEqual(mp.stats().queued, 0);
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
      assert.strictEqual(await T.add(1, 2), 3);
    },
  },
  "a queue deeper than the memory for it still goes by priority at its ends": {
    threads: 1,
    limit: 60_000,
    run: async ({ T, mp, assert, backend, until }) => {
      const gate = mp.sharedArray(Int32Array, 2);
      const order = mp.sharedArray(Int32Array, 70_010);
      if (backend !== "inline") {
        void T.hold(gate);
        await until(() => gate[1] === 1);
      }
      const handles = Array.from({ length: 70_000 }, (_, i) => T.note(order, i));
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
      await Promise.all(handles);
      for (let i = 0; i < 70_000; i++) assert.strictEqual(order[i + 1], i);
    },
  },

  // ---- time limits
  "a queued task whose time is over does not run": {
    threads: 1,
    run: async ({ T, mp, assert, backend, until, sleep }) => {
      const gate = mp.sharedArray(Int32Array, 2);
      const order = mp.sharedArray(Int32Array, 4);
      if (backend === "inline") {
        const slow = T.spin(60);
        const late = T.note.with({ timeout: 20 })(order, 1);
        await slow;
        await assert.rejects(late, mp.TimeoutError);
      } else {
        const held = T.hold(gate);
        await until(() => gate[1] === 1);
        const late = T.note.with({ timeout: 20 })(order, 1);
        assert.throws(() => late.get(), mp.TimeoutError);
        const later = T.note.with({ timeout: 20 })(order, 1);
        await assert.rejects(later, mp.TimeoutError);
        Atomics.store(gate, 0, 1);
        Atomics.notify(gate, 0);
        await held;
      }
      await sleep(30);
      assert.strictEqual(order[0], 0);
      assert.strictEqual(await T.add(1, 1), 2);
    },
  },
  "polling sees that the time is over": {
    on: ["native", "typescript"],
    threads: 1,
    run: ({ T, mp, assert }) => {
      const handle = T.forever.with({ timeout: 50, grace: 10 })();
      while (!handle.isReady());
      assert.throws(() => handle.tryGet(), mp.TimeoutError);
      assert.strictEqual(T.add(1, 2).get(), 3);
    },
  },
  "an infinite loop is stopped when its time is over, while the caller blocks": {
    on: ["native", "typescript"],
    threads: 1,
    run: ({ T, mp, assert }) => {
      for (let i = 0; i < 5; i++) {
        assert.throws(() => T.forever.with({ timeout: 50, grace: 20 })().get(), mp.TimeoutError);
        assert.strictEqual(T.add(1, i).get(), 1 + i);
      }
    },
  },
  "an infinite loop is stopped when its time is over, while the caller awaits": {
    on: ["native", "typescript"],
    threads: 1,
    run: async ({ T, mp, assert }) => {
      for (let i = 0; i < 3; i++) {
        await assert.rejects(T.forever.with({ timeout: 50, grace: 20 })(), mp.TimeoutError);
        assert.strictEqual(await T.add(1, i), 1 + i);
      }
    },
  },
  "many workers are stopped in a program that never gives its event loop a turn": {
    on: ["native", "typescript"],
    threads: 2,
    limit: 60_000,
    run: ({ T, mp, assert }) => {
      for (let i = 0; i < 30; i++) {
        const handle = T.forever.with({ timeout: 10, grace: 0 })();
        assert.throws(() => handle.get(), mp.TimeoutError);
      }
      assert.strictEqual(T.add(1, 2).get(), 3);
    },
  },
  "an async task's time limit": async ({ T, mp, assert }) => {
    await assert.rejects(T.later.with({ timeout: 20 })(200, 1), mp.TimeoutError);
    assert.strictEqual(await T.later.with({ timeout: 5_000 })(1, 2), 2);
  },

  // ---- cancellation
  "a queued task is cancelled and does not run": {
    threads: 1,
    run: async ({ T, mp, assert, backend, until, sleep }) => {
      const gate = mp.sharedArray(Int32Array, 2);
      const order = mp.sharedArray(Int32Array, 4);
      const held = backend === "inline" ? undefined : T.hold(gate);
      if (held !== undefined) await until(() => gate[1] === 1);
      const handle = T.note(order, 1);
      assert.strictEqual(handle.cancel("why"), true);
      assert.strictEqual(handle.isCancelled(), true);
      assert.strictEqual(handle.status, "cancelled");
      assert.throws(
        () => handle.get(),
        (error: any) => error instanceof mp.CancelledError && error.cause === "why",
      );
      assert.strictEqual(handle.cancel(), true);
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
      await held;
      await sleep(20);
      assert.strictEqual(order[0], 0);
    },
  },
  "a running task is told and its handle is cancelled at once": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert, until }) => {
      const seen = mp.sharedArray(Int32Array, 1);
      const handle = T.untilCancelled(seen);
      await until(() => seen[0] === 1);
      assert.strictEqual(handle.status, "running");
      assert.strictEqual(handle.cancel(), true);
      assert.strictEqual(handle.status, "cancelled");
      await until(() => seen[0] === 2);
      await assert.rejects(handle, mp.CancelledError);
      seen[0] = 0;
      const thrower = T.throwIfCancelled(seen);
      await until(() => seen[0] === 1);
      thrower.cancel();
      await assert.rejects(thrower, mp.CancelledError);
      assert.strictEqual(await T.add(1, 2), 3);
    },
  },
  "an infinite loop is stopped after the grace, and no other task suffers": {
    on: ["native", "typescript"],
    threads: 2,
    run: async ({ T, assert, sleep, until }) => {
      const loop = T.forever.with({ grace: 30 })();
      const others = Array.from({ length: 20 }, (_, i) => T.spin(5).then(() => i));
      await until(() => loop.status === "running");
      assert.strictEqual(loop.cancel(), true);
      const more = Array.from({ length: 20 }, (_, i) => T.add(i, 1));
      await Promise.all([...others, ...more]);
      await sleep(60);
      assert.strictEqual(await T.add(1, 2), 3);
      assert.strictEqual(T.add(3, 4).get(), 7);
    },
  },
  "cancelling a settled task changes nothing": async ({ T, assert }) => {
    const handle = T.add(1, 2);
    handle.get();
    assert.strictEqual(handle.cancel(), false);
    assert.strictEqual(handle.get(), 3);
    const failed = T.fail("x");
    assert.throws(() => failed.get());
    assert.strictEqual(failed.cancel(), false);
    assert.strictEqual(failed.status, "rejected");
  },
  "cancelling twice is cancelling once": ({ T, assert }) => {
    const handle = T.spin(1);
    const first = handle.cancel();
    assert.strictEqual(handle.cancel(), first);
  },
  "an async task is cancelled through its signal": async ({ T, mp, assert, until }) => {
    const seen = mp.sharedArray(Int32Array, 1);
    const handle = T.signalled(seen);
    await until(() => seen[0] === 1);
    handle.cancel();
    await until(() => seen[0] === 2);
    await assert.rejects(handle, mp.CancelledError);
    assert.strictEqual(await T.add(1, 2), 3);
  },
  "an AbortSignal cancels": async ({ T, mp, assert }) => {
    const controller = new AbortController();
    const handle = T.later.with({ signal: controller.signal })(1_000, 1);
    setTimeout(() => controller.abort(new Error("enough")), 20);
    await assert.rejects(handle, (error: any) => error instanceof mp.CancelledError && error.cause.message === "enough");
    await assert.rejects(T.add.with({ signal: controller.signal })(1, 2), mp.CancelledError);
  },
  "cancelling races with the end of the task: one outcome, and the pool goes on": {
    limit: 30_000,
    run: async ({ T, mp, assert }) => {
      let cancelled = 0;
      for (let i = 0; i < 2_000; i++) {
        const handle = T.add(i, 1);
        for (let j = 0; j < i % 50; j++) Math.sqrt(j);
        if (i % 3 === 0) await null;
        if (handle.cancel()) {
          cancelled++;
          assert.throws(() => handle.get(), mp.CancelledError);
        } else {
          assert.strictEqual(handle.get(), i + 1);
        }
      }
      assert.ok(cancelled > 0);
      assert.strictEqual(await T.add(1, 2), 3);
    },
  },

  // ---- progress
  "the last progress before the end arrives": async ({ T, assert }) => {
    const seen: number[] = [];
    const handle = T.progress(10).onProgress((fraction: number) => seen.push(fraction));
    await handle;
    assert.strictEqual(seen[seen.length - 1], 1);
    assert.strictEqual(handle.progress, 1);
    for (let i = 1; i < seen.length; i++) assert.ok(seen[i]! >= seen[i - 1]!);
  },
  "a blocking get of a task that reports progress": ({ T, assert }) => {
    for (let i = 0; i < 20; i++) assert.ok(T.progress(1).get(10_000) !== null);
    assert.ok(T.progress(3).wait(10_000));
  },
  "progress arrives while the task runs": async ({ T, assert }) => {
    const seen: number[] = [];
    await T.slowProgress(5).onProgress((fraction: number) => seen.push(fraction));
    assert.ok(seen.length >= 3, String(seen));
  },
  "elapsed grows while it runs and stands still afterwards": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert, until, sleep }) => {
      const gate = mp.sharedArray(Int32Array, 2);
      const called = performance.now();
      const handle = T.hold(gate);
      assert.ok(handle.elapsed >= 0);
      await until(() => gate[1] === 1);
      const first = handle.elapsed;
      await until(() => handle.elapsed > first + 5);
      const last = handle.elapsed;
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
      await handle;
      const { elapsed } = handle;
      assert.ok(elapsed >= last - 1 && elapsed <= performance.now() - called + 1, `${elapsed} after ${last}`);
      await sleep(20);
      assert.strictEqual(handle.elapsed, elapsed);
    },
  },

  // ---- dependencies
  "a handle as an argument arrives as its value": async ({ T, assert }) => {
    assert.strictEqual(await T.add(T.add(1, 2), T.add(3, 4)), 10);
    assert.strictEqual(T.add(T.add(1, 2), 4).get(), 7);
    let handle = T.add(0, 0);
    for (let i = 0; i < 100; i++) handle = T.add(handle, 1);
    assert.strictEqual(handle.get(), 100);
  },
  "a settled handle as an argument, too": async ({ T, assert }) => {
    const three = T.add(1, 2);
    three.get();
    assert.strictEqual(T.add(three, three).get(), 6);
    await three;
    assert.strictEqual(await T.add(three, 1), 4);
  },
  "an argument that settles while the call is made": {
    on: ["native", "typescript"],
    run: ({ T, assert }) => {
      for (let i = 0; i < 20; i++) {
        const [a, b] = [T.text(i * 100), T.add(i, 1)];
        // Both have ended, but nobody has looked; looking at `b` finds `a` settled as well.
        const end = performance.now() + 5;
        while (performance.now() < end);
        assert.strictEqual(
          T.lengthOf
            .with({ after: [b] })(a)
            .get(),
          i * 100,
        );
      }
    },
  },
  "large and moved values pass from task to task": async ({ T, assert }) => {
    assert.strictEqual(await T.lengthOf(T.text(1_000_000)), 1_000_000);
    const bytes = T.moved(100_000);
    assert.deepStrictEqual(await Promise.all([T.sum(bytes), T.sum(bytes)]), [700_000, 700_000]);
    assert.strictEqual((await bytes).length, 100_000);
    assert.strictEqual(
      await T.join(...Array.from({ length: 20 }, (_, i) => T.add(i, 0))),
      Array.from({ length: 20 }, (_, i) => i).join("+"),
    );
  },
  "one value is an argument of many tasks": async ({ T, assert }) => {
    const base = T.later(10, 5);
    const sums = Array.from({ length: 100 }, (_, i) => T.add(base, i));
    assert.deepStrictEqual(
      await Promise.all(sums),
      Array.from({ length: 100 }, (_, i) => 5 + i),
    );
  },
  "a task waits for those in `after`": async ({ T, mp, assert }) => {
    const order = mp.sharedArray(Int32Array, 8);
    const slow = T.spin(20);
    const a = T.note.with({ after: [slow] })(order, 1);
    const b = T.note.with({ after: [a] })(order, 2);
    const c = T.note.with({ after: [a, b] })(order, 3);
    assert.ok(["waiting", "queued", "running", "fulfilled"].includes(c.status));
    assert.strictEqual(c.get(), 3);
    assert.deepStrictEqual([...order.slice(1, 4)], [1, 2, 3]);
  },
  "a failed dependency fails those that wait, with its error as cause": async ({ T, mp, assert }) => {
    const failing = T.fail("root");
    const a = T.add(failing, 1);
    const b = T.add(a, 1);
    await assert.rejects(
      b,
      (error: any) =>
        error instanceof mp.DependencyError && error.cause instanceof mp.DependencyError && error.cause.cause instanceof RangeError,
    );
    await assert.rejects(a, mp.DependencyError);
    const c = T.add.with({ after: [failing] })(1, 2);
    await assert.rejects(c, mp.DependencyError);
  },
  "a cancelled dependency fails those that wait": async ({ T, mp, assert }) => {
    const base = T.later(500, 1);
    const dependent = T.add(base, 1);
    assert.strictEqual(dependent.status, "waiting");
    base.cancel();
    await assert.rejects(dependent, mp.DependencyError);
  },
  "a waiting task is cancelled": async ({ T, mp, assert }) => {
    const base = T.later(30, 1);
    const dependent = T.add(base, 1);
    const other = T.add(base, 2);
    assert.strictEqual(dependent.cancel(), true);
    await assert.rejects(dependent, mp.CancelledError);
    assert.strictEqual(await other, 3);
  },
  "a waiting task's time limit": async ({ T, mp, assert }) => {
    const base = T.later(100, 1);
    await assert.rejects(T.add.with({ timeout: 20 })(base, 1), mp.TimeoutError);
    assert.strictEqual(await base, 1);
  },

  // ---- the pool
  "warm loads a task's chunk in every worker": async ({ T, assert }) => {
    await T.add.warm();
    assert.strictEqual(await T.add(1, 2), 3);
    assert.strictEqual(await T.warmsAnother(), 3);
  },
  "stats count": {
    on: ["native", "typescript"],
    threads: 2,
    run: async ({ T, mp, assert, until, backend }) => {
      const gate = mp.sharedArray(Int32Array, 2);
      const held = [T.hold(gate), T.hold(gate), T.hold(gate), T.hold(gate), T.hold(gate)];
      await until(() => gate[1] === 2);
      const stats = mp.stats();
      assert.strictEqual(stats.backend, backend);
      assert.deepStrictEqual([stats.threads, stats.busy, stats.running, stats.queued], [2, 2, 2, 3]);
      Atomics.store(gate, 0, 1);
      Atomics.notify(gate, 0);
      await Promise.all(held);
      await until(() => mp.stats().running === 0);
      assert.deepStrictEqual([mp.stats().busy, mp.stats().queued], [0, 0]);
    },
  },
  "shutdown waits for what is pending": async ({ T, mp, assert }) => {
    const handles = [T.spin(30), T.later(30, 1), T.add(1, 2), T.add(T.spin(5), 1)];
    await mp.shutdown();
    assert.deepStrictEqual(
      handles.map((handle) => handle.status),
      ["fulfilled", "fulfilled", "fulfilled", "fulfilled"],
    );
    assert.strictEqual(await T.add(1, 2), 3);
  },
  "shutdown cancels what is pending": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert }) => {
      const handles = [T.forever(), T.forever(), T.add(1, 2)];
      await mp.shutdown({ cancelPending: true });
      for (const handle of handles) await assert.rejects(handle, mp.CancelledError);
      assert.strictEqual(T.add(1, 2).get(), 3);
    },
  },
  "shutdown waits no longer than its limit": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert }) => {
      const loop = T.forever();
      const start = performance.now();
      await mp.shutdown({ timeout: 100 });
      assert.ok(performance.now() - start < 3_000);
      await assert.rejects(loop, mp.CancelledError);
    },
  },
  "shutdown ends a map whose source is silent": async ({ T, mp, assert }) => {
    let told = 0;
    const iterator = {
      next: () => new Promise(() => undefined),
      return: () => Promise.resolve({ done: true, value: ++told }),
    };
    const silent = { [Symbol.asyncIterator]: () => iterator };
    const awaited = T.add.map(silent);
    const iterated = T.add.map(silent)[Symbol.asyncIterator]().next();
    const ended = Promise.all([awaited, iterated].map((map) => assert.rejects(map, mp.CancelledError)));
    await mp.shutdown();
    await ended;
    assert.strictEqual(told, 2);
    assert.strictEqual(await T.add(1, 2), 3);
  },
  "a second shutdown can end the wait of the first": {
    on: ["native", "typescript"],
    run: async ({ T, mp, assert }) => {
      for (const options of [{ cancelPending: true }, { timeout: 10 }]) {
        const loop = T.forever();
        const first = mp.shutdown();
        await mp.shutdown(options);
        await first;
        await assert.rejects(loop, mp.CancelledError);
      }
    },
  },
  "idle workers beyond minThreads end, and come back when needed": {
    on: ["native", "typescript"],
    threads: 2,
    pool: { minThreads: 0, idleTimeout: 50 },
    run: async ({ T, mp, assert, until }) => {
      await Promise.all([T.spin(30), T.spin(30)]);
      assert.ok(mp.stats().threads > 0);
      await until(() => mp.stats().threads === 0);
      assert.strictEqual(await T.add(1, 2), 3);
      await until(() => mp.stats().threads === 0);
      assert.strictEqual(T.add(1, 2).get(), 3);
    },
  },
  // It is queued again when the thread of the stopped one has ended. By then another is in its place, and all of them sleep.
  "a task that a worker took while it was being stopped is run by another": {
    on: ["native", "typescript"],
    threads: 2,
    run: async ({ T, mp, assert, until }) => {
      const { Worker } = process.getBuiltinModule("node:worker_threads");
      const { terminate } = Worker.prototype;
      const [stopped, other] = [mp.sharedArray(Int32Array, 2), mp.sharedArray(Int32Array, 2)];
      const open = (gate: Int32Array) => {
        Atomics.store(gate, 0, 1);
        Atomics.notify(gate, 0);
      };
      /** Waits without a turn of the event loop, in which this thread would hear of the end of the other. */
      const soon = (condition: () => boolean) => {
        for (const end = performance.now() + 1_000; !condition() && performance.now() < end;) Atomics.wait(stopped, 1, stopped[1]!, 1);
      };
      const handles = [T.hold.with({ grace: 1 })(stopped), T.hold(other)];
      await until(() => stopped[1] === 1 && other[1] === 1);
      const taken = T.add(1, 2);
      let asleep = false;
      Worker.prototype.terminate = function () {
        Worker.prototype.terminate = terminate;
        // Its task ends in the last moment, and it takes the next one.
        open(stopped);
        soon(() => mp.stats().queued === 0);
        process.nextTick(() => {
          open(other);
          handles.push(T.spin(1), T.spin(1));
          soon(() => mp.stats().threads === 2 && mp.stats().queued === 0);
          soon(() => mp.stats().running <= 1);
          // As long as they look for tasks they would find it by themselves: without this the case proves less, and does not fail.
          Atomics.wait(stopped, 1, stopped[1]!, 50);
          asleep = true;
        });
        return terminate.call(this);
      };
      handles[0].cancel();
      await until(() => asleep);
      assert.strictEqual(await taken, 3);
      assert.deepStrictEqual(await Promise.all(handles.slice(1)), ["held", 1, 1]);
    },
  },
  "tasks know their worker": {
    on: ["native", "typescript"],
    threads: 2,
    run: async ({ T, assert }) => {
      const infos = await Promise.all(Array.from({ length: 10 }, () => T.info()));
      for (const info of infos) {
        assert.strictEqual(info.name, "info");
        assert.ok(info.worker === 0 || info.worker === 1);
      }
    },
  },
});
