import { conformance, type Tools } from "../support/conformance";

declare const mp: Tools["mp"];
declare const T: Record<string, any>;
declare const threads: typeof import("node:worker_threads");
declare const fs: typeof import("node:fs");
declare function sleep(ms: number): Promise<void>;
declare const state: { value?: unknown; count: number; worker?: number };

const tasks = {
  add: (a: number, b: number) => a + b,
  setUp: (counter: Int32Array, value: unknown) => {
    Atomics.add(counter, 0, 1);
    state.value = value;
    state.count++;
    state.worker = mp.taskInfo().worker;
  },
  setUpLater: async (counter: Int32Array, value: unknown) => {
    await sleep(20);
    state.value = value;
    Atomics.add(counter, 0, 1);
  },
  setUpBadly: (counter: Int32Array, message: string) => {
    Atomics.add(counter, 0, 1);
    throw new RangeError(message);
  },
  setUpBadlyLater: async (counter: Int32Array, message: string) => {
    Atomics.add(counter, 0, 1);
    await sleep(1);
    throw new RangeError(message);
  },
  setUpOnce: (counter: Int32Array) => {
    if (Atomics.add(counter, 0, 1) > 0) throw new Error("only one worker can have it");
  },
  setUpWithExit: () => process.exit(3),
  setUpForNothing: () => new Promise(() => undefined),
  setUpUncaught: () => {
    setTimeout(() => {
      throw new RangeError("in a timer");
    }, 1);
    return sleep(60_000);
  },
  setUpWithCall: () => T["add"](1, 2).get(),
  seen: () => ({ ...state }),
  exit: () => process.exit(1),
  hold: (gate: Int32Array) => {
    Atomics.add(gate, 1, 1);
    while (Atomics.load(gate, 0) === 0) Atomics.wait(gate, 0, 0, 50);
    return 1;
  },
  spin: (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
    return ms;
  },
  stream: function* () {
    yield 1;
  },
  variable: (name: string) => process.env[name],
  allocate: () => {
    const all: unknown[] = [];
    for (;;) all.push(new Array(1000).fill(all.length));
  },
  limits: () => threads.resourceLimits,
};

const WITH_WORKERS = ["native", "typescript"] as const;

conformance(
  "pool settings",
  tasks,
  {
    // ---- the initializer
    "each worker runs the initializer once, before its first task": {
      run: async ({ mp, assert, backend }) => {
        const counter = mp.sharedArray(Int32Array, 1);
        mp.configure({ backend, threads: 2, initialize: T["setUp"], initializeArgs: [counter, new Map([["a", 1]])] });
        const seen = await Promise.all(Array.from({ length: 20 }, () => T["seen"]()));
        for (const { value, count } of seen) assert.deepStrictEqual([value, count], [new Map([["a", 1]]), 1]);
        assert.ok(counter[0]! >= 1 && counter[0]! <= 2);
        for (const { worker } of seen) assert.ok(backend === "inline" ? worker === -1 : worker === 0 || worker === 1);
      },
    },
    "an async one is waited for": async ({ mp, assert, backend }) => {
      const counter = mp.sharedArray(Int32Array, 1);
      mp.configure({ backend, threads: 2, initialize: T["setUpLater"], initializeArgs: [counter, 5] });
      for (const { value } of await Promise.all(Array.from({ length: 6 }, () => T["seen"]()))) assert.strictEqual(value, 5);
      assert.ok(counter[0]! >= 1);
    },
    "a blocking get waits for it as well": {
      on: WITH_WORKERS,
      run: ({ mp, assert, backend }) => {
        mp.configure({ backend, threads: 1, initialize: T["setUpLater"], initializeArgs: [mp.sharedArray(Int32Array, 1), 6] });
        assert.strictEqual(T["seen"]().get().value, 6);
      },
    },
    "replacements run it, too": {
      on: WITH_WORKERS,
      run: async ({ mp, assert, backend }) => {
        const counter = mp.sharedArray(Int32Array, 1);
        mp.configure({ backend, threads: 1, initialize: T["setUp"], initializeArgs: [counter, "again"] });
        await assert.rejects(T["exit"](), mp.WorkerCrashedError);
        assert.deepStrictEqual((await T["seen"]()).value, "again");
        assert.strictEqual(counter[0], 2);
      },
    },
    "its failure is the tasks' error, and not for ever": async ({ mp, assert, backend }) => {
      for (const name of ["setUpBadly", "setUpBadlyLater"]) {
        const counter = mp.sharedArray(Int32Array, 1);
        mp.configure({ backend, threads: 2, initialize: T[name], initializeArgs: [counter, "no database"] });
        const failed = [T["add"](1, 2), T["add"](2, 3)];
        for (const handle of failed) {
          await assert.rejects(
            handle,
            (error: any) =>
              error instanceof mp.WorkerCrashedError &&
              /add was not run.*initializer setUpBadly.* failed.*no database/.test(error.message) &&
              error.cause instanceof mp.ParallelError &&
              error.cause.cause instanceof RangeError,
            String(await handle.catch((error: unknown) => error)),
          );
        }
        const tries = counter[0]!;
        assert.ok(tries <= 8, `tried ${tries} times`);
        await sleep(100);
        assert.strictEqual(counter[0], tries);
        // A later call tries again.
        await assert.rejects(T["add"](1, 2), mp.WorkerCrashedError);
        assert.ok(counter[0]! > tries);
        await mp.shutdown();
      }
    },
    "a blocking get gets its failure": {
      on: WITH_WORKERS,
      run: ({ mp, assert, backend }) => {
        mp.configure({ backend, threads: 1, initialize: T["setUpBadly"], initializeArgs: [mp.sharedArray(Int32Array, 1), "no luck"] });
        assert.throws(() => T["add"](1, 2).get(), /no luck/);
      },
    },
    "one that ends its worker, never ends, or leaves an error uncaught fails as well": {
      on: WITH_WORKERS,
      run: async ({ mp, assert, backend }) => {
        for (const [name, text] of [
          ["setUpWithExit", /exit code 3/],
          ["setUpForNothing", /waits for nothing/],
          ["setUpUncaught", /in a timer/],
        ] as const) {
          mp.configure({ backend, threads: 1, initialize: T[name] });
          await assert.rejects(T["add"](1, 2), (error: any) => error instanceof mp.WorkerCrashedError && text.test(error.message), name);
          await mp.shutdown();
        }
      },
    },
    "it can't call parallel functions": async ({ mp, assert, backend }) => {
      mp.configure({ backend, threads: 1, initialize: T["setUpWithCall"] });
      await assert.rejects(T["add"](1, 2), /can't call parallel functions/);
    },
    "where it fails for some workers, the others go on, without an endless loop of starts": {
      on: WITH_WORKERS,
      threads: 2,
      run: async ({ mp, assert, backend, until }) => {
        const warnings: string[] = [];
        const onWarning = (warning: Error) => warnings.push(warning.message);
        process.on("warning", onWarning);
        const counter = mp.sharedArray(Int32Array, 1);
        mp.configure({ backend, threads: 2, initialize: T["setUpOnce"], initializeArgs: [counter] });
        const gate = mp.sharedArray(Int32Array, 2);
        const held = T["hold"](gate);
        held.ref();
        await until(() => gate[1] === 1);
        const waiting = [T["add"](1, 1), T["add"](2, 2)];
        void Promise.all(waiting);
        await until(() => warnings.length > 0);
        await sleep(150);
        assert.ok(counter[0]! <= 7, `tried ${counter[0]} times`);
        Atomics.store(gate, 0, 1);
        Atomics.notify(gate, 0);
        assert.deepStrictEqual(await Promise.all(waiting), [2, 4]);
        assert.strictEqual(await held, 1);
        assert.match(warnings[0]!, /goes on with 1.*only one worker can have it/);
        process.off("warning", onWarning);
      },
    },
    "what can't initialize workers is refused": ({ mp, assert, backend }) => {
      const configure = (settings: object): void => mp.configure({ backend, ...settings } as never);
      assert.throws(() => configure({ initialize: () => undefined }), /"initialize" is a parallel function/);
      assert.throws(() => configure({ initialize: T["stream"] }), /generator/);
      assert.throws(() => configure({ initializeArgs: [1] }), /without "initialize"/);
      assert.throws(() => configure({ initialize: T["setUp"], initializeArgs: 5 }), TypeError);
      assert.throws(() => configure({ initialize: T["setUp"], initializeArgs: [mp.move(new Uint8Array(4))] }), /moved/);
      assert.throws(() => configure({ initialize: T["setUp"], initializeArgs: [() => 1] }), mp.TransferError);
    },

    // ---- threads
    "workers are started only under need": {
      on: WITH_WORKERS,
      threads: 4,
      run: async ({ T, mp, assert }) => {
        for (let i = 0; i < 50; i++) await T["add"](i, 1);
        const { threads } = mp.stats();
        assert.ok(threads < 4, `${threads} threads for one task at a time`);
      },
    },
    "the pool grows under need, shrinks to minThreads when idle, and grows again": {
      on: WITH_WORKERS,
      threads: 8,
      pool: { minThreads: 1, idleTimeout: 3 },
      run: async ({ T, mp, assert, until }) => {
        for (let round = 0; round < 5; round++) {
          const gate = mp.sharedArray(Int32Array, 2);
          const held = Array.from({ length: 8 }, () => T["hold"](gate));
          for (const handle of held) handle.ref();
          await until(() => gate[1] === 8);
          assert.strictEqual(mp.stats().threads, 8);
          Atomics.store(gate, 0, 1);
          Atomics.notify(gate, 0);
          await Promise.all(held);
          await until(() => mp.stats().threads === 1);
          await sleep(30);
          // All are idle at once, and leave at once: the last stays.
          assert.strictEqual(mp.stats().threads, 1);
        }
      },
    },
    "more threads than 32 bits count are all that there can be": {
      on: WITH_WORKERS,
      run: async ({ T, mp, assert, backend }) => {
        mp.configure({ backend, threads: 2 ** 40, minThreads: 0 });
        assert.strictEqual(await T["add"](1, 2), 3);
      },
    },
    "idleTimeout alone lets all workers end, minThreads alone the others": {
      on: WITH_WORKERS,
      run: async ({ T, mp, assert, until, backend }) => {
        mp.configure({ backend, threads: 2, idleTimeout: 20 });
        await T["add"](1, 2);
        await until(() => mp.stats().threads === 0);
        assert.strictEqual(T["add"](1, 2).get(), 3);
      },
    },
    "growing and shrinking many times leaves nothing behind": {
      on: WITH_WORKERS,
      threads: 2,
      pool: { minThreads: 0, idleTimeout: 1 },
      limit: 60_000,
      run: async ({ T, mp, assert, until }) => {
        const counted = (): number => (process.platform === "linux" ? fs.readdirSync("/proc/self/task").length : 0);
        const opened = (): number => (process.platform === "linux" ? fs.readdirSync("/proc/self/fd").length : 0);
        let before: { rss: number; tasks: number; files: number } | undefined;
        for (let i = 0; i < 9; i++) {
          await Promise.all([T["add"](1, 2), T["add"](1, 2)]);
          await until(() => mp.stats().threads === 0);
          if (i === 3) {
            await sleep(50);
            before = { rss: process.memoryUsage().rss, tasks: counted(), files: opened() };
          }
        }
        await until(() => counted() <= before!.tasks && opened() <= before!.files);
        const grown = process.memoryUsage().rss - before!.rss;
        // A worker is some 9 MB: every second one that stayed would be more.
        assert.ok(grown < 45e6, `grew by ${Math.round(grown / 1e6)} MB in 5 rounds`);
      },
    },
    "resourceLimits hold for each worker": {
      on: WITH_WORKERS,
      threads: 1,
      pool: { resourceLimits: { maxOldGenerationSizeMb: 32 } },
      run: async ({ T, mp, assert }) => {
        assert.strictEqual((await T["limits"]()).maxOldGenerationSizeMb, 32);
        await assert.rejects(T["allocate"](), mp.WorkerCrashedError);
        assert.strictEqual(await T["add"](1, 2), 3);
      },
    },
    "env is the workers' own": {
      on: WITH_WORKERS,
      threads: 1,
      pool: { env: { MINE: "yes" } },
      run: async ({ T, assert }) => {
        assert.strictEqual(await T["variable"]("MINE"), "yes");
        assert.strictEqual(await T["variable"]("PATH"), undefined);
      },
    },

    // ---- the bounded queue
    "queueRoom waits until a call is not refused": {
      on: WITH_WORKERS,
      threads: 1,
      pool: { maxQueue: 2 },
      run: async ({ T, mp, assert, until }) => {
        const gate = mp.sharedArray(Int32Array, 2);
        const held = T["hold"](gate);
        held.ref();
        await until(() => gate[1] === 1);
        const queued = [T["add"](1, 1), T["add"](2, 2)];
        assert.throws(() => T["add"](3, 3), mp.QueueFullError);
        let room = false;
        const waiting = mp.queueRoom().then(() => {
          room = true;
          return T["add"](3, 3);
        });
        await sleep(30);
        assert.strictEqual(room, false);
        Atomics.store(gate, 0, 1);
        Atomics.notify(gate, 0);
        assert.strictEqual(await waiting, 6);
        assert.deepStrictEqual(await mp.gather(queued), [2, 4]);
      },
    },
    "many that wait for room are served in order, and none is refused": {
      threads: 2,
      pool: { maxQueue: 3 },
      run: async ({ T, mp, assert }) => {
        const order: number[] = [];
        const results = await Promise.all(
          Array.from({ length: 200 }, async (_, i) => {
            await mp.queueRoom();
            order.push(i);
            return T["add"].with({ priority: i % 3 })(i, 0);
          }),
        );
        assert.deepStrictEqual(
          results,
          Array.from({ length: 200 }, (_, i) => i),
        );
        assert.deepStrictEqual(order, results);
      },
    },
    "room for several at once": {
      threads: 1,
      pool: { maxQueue: 4 },
      run: async ({ T, mp, assert, backend }) => {
        await mp.queueRoom(4);
        const handles = [1, 2, 3, 4].map((n) => T["spin"](n));
        await mp.queueRoom(5);
        assert.deepStrictEqual(
          handles.map((handle) => handle.isReady()),
          [true, true, true, true],
        );
        await assert.rejects(mp.queueRoom(6), RangeError);
        await assert.rejects(mp.queueRoom(0), RangeError);
        void backend;
      },
    },
    "room that was given is forgotten with its pool": {
      threads: 1,
      pool: { maxQueue: 1 },
      run: async ({ T, mp, assert, backend }) => {
        await mp.queueRoom(2);
        // On the inline backend it takes no turn of the event loop.
        await mp.shutdown();
        mp.configure({ backend, threads: 1, maxQueue: 0 });
        const first = T["spin"](1);
        assert.throws(() => T["add"](1, 1), mp.QueueFullError);
        await first;
      },
    },
    "maxQueue 0 takes what free workers can run": {
      on: WITH_WORKERS,
      threads: 2,
      pool: { maxQueue: 0 },
      run: async ({ T, mp, assert, until }) => {
        const gate = mp.sharedArray(Int32Array, 2);
        const held = [T["hold"](gate), T["hold"](gate)];
        for (const handle of held) handle.ref();
        assert.throws(() => T["add"](1, 1), mp.QueueFullError);
        await until(() => gate[1] === 2);
        assert.throws(() => T["add"](1, 1), mp.QueueFullError);
        Atomics.store(gate, 0, 1);
        Atomics.notify(gate, 0);
        await Promise.all(held);
        await mp.queueRoom();
        assert.strictEqual(await T["add"](1, 1), 2);
      },
    },
    "a task that is being claimed counts, at whatever moment one looks": {
      on: WITH_WORKERS,
      threads: 2,
      pool: { maxQueue: 0 },
      run: async ({ T, mp, assert }) => {
        const gate = mp.sharedArray(Int32Array, 2);
        for (let round = 0; round < 300; round++) {
          gate.fill(0);
          await mp.queueRoom(2);
          const held = [T["hold"](gate), T["hold"](gate)];
          while (Atomics.load(gate, 1) < 2) {
            assert.throws(() => T["add"](1, 1), mp.QueueFullError);
            // Shared memory goes to a worker of the TypeScript backend when it asks for it.
            await new Promise((resolve) => setImmediate(resolve));
          }
          Atomics.store(gate, 0, 1);
          Atomics.notify(gate, 0);
          await Promise.all(held);
        }
      },
    },
    "who waits for room when the pool is shut down is told at once, and starts no other pool": {
      on: WITH_WORKERS,
      threads: 1,
      pool: { maxQueue: 0 },
      run: async ({ T, mp, assert }) => {
        const held = T["hold"](mp.sharedArray(Int32Array, 2));
        held.catch(() => {});
        let told: unknown;
        mp.queueRoom().catch((error: unknown) => (told = error));
        const ended = mp.shutdown({ cancelPending: true });
        // Not as late as the next look for room, which may come after the end.
        for (let i = 0; i < 20; i++) await undefined;
        assert.ok(told instanceof mp.ParallelError, String(told));
        await ended;
        mp.configure({ threads: 1 });
      },
    },
    "without maxQueue there is always room": async ({ mp }) => {
      await mp.queueRoom(1_000_000);
    },
    "a map keeps to a bounded queue, and gets on although it is full": {
      threads: 1,
      pool: { maxQueue: 1 },
      run: async ({ T, mp, assert, backend }) => {
        void mp;
        const handles = backend === "inline" ? [T["add"](1, 1)] : [T["spin"](20), T["add"](1, 1)];
        const numbers = Array.from({ length: 100 }, (_, i) => i);
        assert.deepStrictEqual(
          await T["spin"].map(
            numbers.map(() => 0),
            { chunkSize: 5 },
          ),
          numbers.map(() => 0),
        );
        assert.deepStrictEqual(await T["spin"].with({ retry: 2 }).map([0, 0, 0, 0]), [0, 0, 0, 0]);
        await Promise.all(handles);
      },
    },
  },
  {
    chunk: 'const state = { count: 0 }; const threads = require("node:worker_threads");',
    program: 'const fs = require("node:fs");',
  },
);
