/**
 * Storms of threads that end at bad moments, on the native backend (where there is one). Short here; `npm run test:asan` runs the same programs for longer with an addon
 * that AddressSanitizer watches over.
 *
 * In the environment: TEST_STORM_MS (time of each storm), TEST_STORM_SEED, TEST_PRELOAD (a library to preload into the programs), TEST_REPORTS (where
 * that library writes what it finds: any such file fails the test).
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { hasNative } from "../support/backends";
import { removeTemporaryFolders, runNode, temporaryFolder } from "../support/children";
import { writeProgram } from "../support/chunks";

afterAll(removeTemporaryFolders);

const time = Number(process.env["TEST_STORM_MS"] ?? 600);
const seed = Number(process.env["TEST_STORM_SEED"] ?? 1);
const preload = process.env["TEST_PRELOAD"];
const reports = process.env["TEST_REPORTS"];

declare const mp: typeof import("../../dist/runtime-ts/src/index.js");
declare const T: Record<string, (...args: unknown[]) => { get(): unknown } & PromiseLike<unknown>>;

const tasks = {
  add: (a: number, b: number) => a + b,
  forever: () => {
    for (;;);
  },
  /** Runs until it is asked to stop, or for so long. */
  polite: (ms: number) => {
    const end = Date.now() + ms;
    while (Date.now() < end && !mp.isCancelled());
  },
  exit: () => process.exit(3),
  fail: () => {
    throw new TypeError("as it should");
  },
  /** Too long for a record: fetched one by one, moved where that is possible. */
  big: (length: number) => ({ bytes: new Uint8Array(length).fill(7), text: "x".repeat(length / 2) }),
  tree: (depth: number): number => {
    if (depth === 0) return 1;
    const children = [T["tree"]!(depth - 1), T["tree"]!(depth - 1)];
    return children.reduce((sum, child) => sum + (child.get() as number), 1);
  },
  later: async (ms: number) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return await T["add"]!(ms, 1);
  },
};

/** What all storms use: random numbers by seed, a clock, and a burst of tasks of all kinds whose ends nobody may miss. */
const COMMON = `
  const { Worker, isMainThread, parentPort, threadId, workerData } = require("node:worker_threads");
  let state = (${seed} * 0x9e3779b9 + threadId * 0x85ebca6b) >>> 0;
  const random = (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
  const ends = Date.now() + ${time};
  const EXPECTED = [mp.TimeoutError, mp.WorkerCrashedError, mp.CancelledError, mp.DependencyError, TypeError].filter(Boolean);
  const burst = (count, kinds = 8) =>
    Array.from({ length: count }, () => {
      switch (random(kinds)) {
        case 0: return T.big(random(200_000));
        case 1: return T.fail();
        case 2: return T.later(random(5));
        case 3: return T.tree(random(5));
        case 4: return T.polite.with({ timeout: random(10), grace: 1_000 })(50);
        case 5: {
          const bytes = new Uint8Array(random(100_000));
          return T.add(bytes, "moved");
        }
        case 6: {
          const handle = T.polite(2);
          setImmediate(() => handle.cancel());
          return handle;
        }
        default: return T.add(random(9), 1);
      }
    });
  const settled = async (handles) => {
    const ends = await Promise.allSettled(handles);
    for (const end of ends)
      if (end.status === "rejected" && !EXPECTED.some((kind) => end.reason instanceof kind)) throw end.reason;
    return ends;
  };
`;

/** What each storm does; it says "calm" at its end, with tasks still running. */
const storms: Record<string, string> = {
  "user workers are terminated with tasks queued, running and being reported": `
    if (!isMainThread) {
      parentPort.postMessage("here");
      for (;;) {
        const handles = burst(20);
        if (random(2)) T.tree(4).get();
        else if (random(2)) T.polite(5).wait(random(6));
        await Promise.race([settled(handles), sleep(random(5))]);
      }
    }
    const one = async () => {
      while (Date.now() < ends) {
        const worker = new Worker(__filename);
        await new Promise((resolve) => { worker.once("message", resolve); worker.once("error", resolve); });
        await sleep(random(60));
        await worker.terminate();
      }
    };
    const own = async () => { while (Date.now() < ends) await settled(burst(20)); };
    await Promise.all([one(), one(), own()]);
    assert.equal(await T.add(1, 2), 3);`,

  "time limits and cancellations stop pool workers again and again": `
    while (Date.now() < ends) {
      const handles = burst(15);
      for (let i = 0; i < 3; i++) handles.push(T.forever.with({ timeout: 1 + random(10), grace: 0 })());
      const cancelled = T.forever.with({ grace: 0 })();
      handles.push(cancelled, ...burst(5));
      setTimeout(() => cancelled.cancel(), random(15));
      if (random(2)) handles[random(handles.length)].wait(random(5));
      await settled(handles);
    }
    assert.equal(await T.add(1, 2), 3);`,

  "tasks end their process while others' results arrive": `
    while (Date.now() < ends) await settled([...burst(30), T.exit(), ...burst(5), T.exit()]);
    assert.equal(await T.add(1, 2), 3);`,

  "the pool is shut down with tasks pending and comes again": `
    while (Date.now() < ends) {
      const handles = burst(30);
      const all = settled(handles).catch((error) => error);
      await sleep(random(4));
      await mp.shutdown(random(2) ? { cancelPending: true } : { timeout: random(20), cancelPending: true });
      await all;
      assert.equal(await T.add(1, 2), 3);
    }`,

  "environments end while results arrive": `
    if (!isMainThread) {
      const handles = burst(200, 6);
      handles.forEach((handle) => handle.then(() => {}, () => {}));
      if (workerData % 3 === 0) await handles[100].then(() => {}, () => {});
      if (workerData % 3 === 1) handles[random(200)].wait(3);
      process.exit(0);
    }
    for (let round = 0; Date.now() < ends; round++) {
      const workers = [round, round + 1].map((workerData) => new Worker(__filename, { workerData }));
      await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("exit", resolve))));
    }
    assert.equal(await T.add(1, 2), 3);`,
};

describe.each([hasNative ? "native" : "typescript"])("on the %s backend", (backend) => {
  test.each(Object.entries(storms))(
    "%s",
    async (_name, storm) => {
      const program = writeProgram(path.join(temporaryFolder(), "program"), {
        tasks,
        main: `${COMMON}${storm}
          burst(50).forEach((handle) => handle.then(() => {}, () => {}));
          console.log("calm");
          process.exit(0);`,
      });
      const ended = await runNode(program.main, [], {
        env: {
          MAKEPARALLEL_BACKEND: backend,
          MAKEPARALLEL_THREADS: "3",
          ...(preload === undefined ? {} : { LD_PRELOAD: preload }),
        },
        limit: 60_000 + 10 * time,
      });
      const found = reports !== undefined && existsSync(reports) ? readdirSync(reports) : [];
      if (found.length > 0) throw new Error(readFileSync(path.join(reports!, found[0]!), "utf8"));
      expect(ended).toMatchObject({ hung: false, code: 0, stdout: "calm\n" });
    },
    120_000 + 10 * time,
  );
});
