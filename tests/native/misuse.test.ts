/**
 * The addon as it is, without the layer that knows how to use it: whatever it is called with, it answers or throws an Error, and the process goes on.
 * Each case runs in a process of its own, which says "survived" at its end.
 */
import { readdirSync } from "node:fs";
import path from "node:path";
import { hasNative } from "../support/backends";
import { runNode, removeTemporaryFolders, temporaryFolder, type Ended } from "../support/children";
import { ROOT } from "../support/chunks";
import { writeFileSync } from "node:fs";

afterAll(removeTemporaryFolders);

function survive(body: string): Promise<Ended> {
  const folder = path.join(ROOT, "dist", "native");
  const addon = path.join(
    folder,
    readdirSync(folder).find((name) => name.endsWith(".node"))!,
  );
  const file = path.join(temporaryFolder(), "case.cjs");
  writeFileSync(
    file,
    `const assert = require("node:assert/strict");
    const { Worker, isMainThread, workerData, parentPort } = require("node:worker_threads");
    const binding = require(${JSON.stringify(addon)});
    const nothing = () => {};
    const open = (threads = 2) => binding.openPool(threads, true, nothing, nothing);
    /** What is thrown, if anything is, is an Error with a message. */
    const tolerates = (action) => {
      try { return action(); }
      catch (error) { assert(error instanceof Error && error.message.length > 0, String(error)); }
    };
    const refuses = (action, pattern = /./) => assert.throws(action, (error) => error instanceof Error && pattern.test(error.message));
    (async () => {
      ${body}
      if (isMainThread) console.log("survived");
    })().catch((error) => { console.error(error); process.exit(70); });`,
  );
  return runNode(file, [], { limit: 60_000 });
}

const SURVIVED = { hung: false, code: 0, signal: null, stdout: "survived\n", stderr: "" };

/** Values that nobody expects, as text. */
const STRANGE = `[undefined, null, true, "text", Symbol("s"), 10n, NaN, Infinity, -1, -1e9, 2 ** 31, 1e300, {}, [], [1], [null], [{}],
  () => {}, new Uint8Array(3), new Uint8Array(0), new Float64Array(2), new Uint8Array(new ArrayBuffer(100), 50), new ArrayBuffer(8), new SharedArrayBuffer(8), new Proxy({}, {}),
  (() => { const view = new Uint8Array(8); structuredClone(view.buffer, { transfer: [view.buffer] }); return view; })()]`;

(hasNative ? describe : describe.skip)("the native binding", () => {
  test.each([
    [
      "openPool",
      `[[], [1], ["2", true, nothing, nothing], [2, "yes", nothing, nothing], [2, true, 3, nothing], [2, true, nothing], [2, true, {}, nothing]]`,
    ],
    [
      "attachWorker",
      `[[], [1, 1], ["1", 1, nothing, nothing, nothing, nothing], [1, 1, nothing, nothing, nothing], [1, 1, nothing, 2, nothing, nothing]]`,
    ],
    ["registerTask", `[[], [1], [1, 2, 3], ["1", "a", "b"], [999, "a", "b"]]`],
    ["taskKey", `[[], ["1", 2], [1, "2"]]`],
    ["readChunk", `[[], [1, 2], ["/no/such/file", "00"], [__dirname, "00"], [__filename, "00"]]`],
    ["offerCodeCache", `[[], ["a", "b"], ["a", "b", "c"], ["a", "b", [1, 2]]]`],
  ])("%s refuses what it cannot use, with an Error", async (name, calls) => {
    expect(await survive(`for (const values of ${calls}) refuses(() => binding.${name}(...values));`)).toMatchObject(SURVIVED);
  });

  test("a pool or a worker that is not there gives null", async () => {
    const ended = await survive(`
      assert.equal(binding.attachWorker(999, 0, () => 0, nothing, nothing, nothing), null);
      const root = open();
      assert.equal(binding.attachWorker(root.pool, 77, () => 0, nothing, nothing, nothing), null);
      assert.equal(binding.taskKey(999, 0), null);
      assert.equal(binding.taskKey(root.pool, 5), null);
      assert.equal(binding.registerTask(root.pool, "m", "t"), binding.registerTask(root.pool, "m", "t"));
      root.close(true);
      refuses(() => binding.registerTask(root.pool, "m", "t"), /closed/);`);
    expect(ended).toMatchObject(SURVIVED);
  });

  test("a root that has been closed answers, and lets go of its memory and of its callback", async () => {
    const ended = await survive(`
      require("node:v8").setFlagsFromString("--expose-gc");
      const gc = require("node:vm").runInNewContext("gc");
      const kept = (() => {
        const onWake = () => {};
        const root = binding.openPool(1, true, onWake, nothing);
        const reports = root.addReports();
        root.push(0, 0, 0);
        root.close(true);
        root.close(true);
        refuses(() => root.push(1, 0, 8), /closed/);
        refuses(() => root.pushWith(1, 0, new Uint8Array(4), 4, null, null, 0, -1, -1, null, null, -1), /closed/);
        refuses(() => root.fail(0), /closed/);
        assert.equal(root.drain(0), 0);
        assert.equal(root.addReports().byteLength, 0);
        assert.equal(root.cancel(0, 0, 0), 0);
        assert.equal(root.phase(0), 3);
        return [onWake, root, root.out, reports].map((value) => new WeakRef(value));
      })();
      for (let i = 0; i < 20 && kept.some((reference) => reference.deref() !== undefined); i++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        gc();
      }
      assert.deepEqual(kept.map((reference) => reference.deref()), [undefined, undefined, undefined, undefined]);`);
    expect(ended).toMatchObject(SURVIVED);
  });

  test("every function of a root takes strange values in every place", async () => {
    const ended = await survive(`
      const root = open();
      root.addReports();
      const names = Object.keys(root).filter((name) => typeof root[name] === "function" && name !== "block" && name !== "close");
      assert(names.length > 15, String(names));
      for (const name of names) {
        tolerates(() => root[name]());
        for (const value of ${STRANGE})
          for (let place = 0; place < 13; place++) {
            // The slot names the task in most calls: a small number, so that the table stays small.
            const values = Array.from({ length: 13 }, (_, at) => (at === place ? value : 0));
            if (typeof value === "number" && value > 1e6 && place === 0) continue;
            tolerates(() => root[name](...values));
          }
      }
      root.close(true);`);
    expect(ended).toMatchObject(SURVIVED);
  });

  test("slots that were never used, or are out of reach, are settled, idle and empty", async () => {
    const ended = await survive(`
      const root = open();
      root.addReports();
      for (const slot of [0, 5, -1, 2 ** 31 - 1, NaN, 1e300]) {
        assert.equal(root.phase(slot), 3);
        assert.equal(root.elapsed(slot), 0);
        assert.equal(root.cancel(slot, 0, 0), 0);
        assert.equal(root.take(slot), undefined);
        assert.equal(root.block(slot, 10, 0), 0);
        root.forget(slot); root.forget(slot);
        root.retain(slot, true);
      }
      refuses(() => root.drain(1), /report area/);
      refuses(() => root.drain(-1 >>> 1), /report area/);
      assert.equal(root.drain(0), 0);
      root.close(true);`);
    expect(ended).toMatchObject(SURVIVED);
  });

  test("a slot as large as an integer is refused, and does not fill the memory", async () => {
    const ended = await survive(`
      const root = open();
      refuses(() => root.push(2 ** 31 - 1, 0, 0), /slot/);
      refuses(() => root.pushWith(2 ** 30, 0, null, 0, null, null, 0, Infinity, 0, null, null, -1), /slot/);
      assert(process.memoryUsage().rss < 1e9);
      assert.equal(root.queued(), 0);
      root.close(true);`);
    expect(ended).toMatchObject(SURVIVED);
  });

  test("payload lengths beyond their buffers are cut or refused", async () => {
    const ended = await survive(`
      const root = open();
      root.addReports();
      root.push(0, 0, 1e9);
      refuses(() => root.pushWith(1, 0, new Uint8Array(10), 11, null, null, 0, Infinity, 0, null, null, -1), /longer/);
      refuses(() => root.pushWith(1, 0, {}, 1, null, null, 0, Infinity, 0, null, null, -1));
      refuses(() => root.pushWith(1, 0, new Uint8Array(4), 4, [{}], null, 0, Infinity, 0, null, null, -1), /buffer/i);
      root.fail(1e9);
      assert.equal(root.drain(0), 1);
      root.close(true);`);
    expect(ended).toMatchObject(SURVIVED);
  });

  test("a port that was closed, twice, answers everything", async () => {
    const ended = await survive(`
      const root = open();
      root.addReports();
      root.push(0, 0, 0);
      root.close(false); root.close(false); root.close(true); root.close(true);
      for (const name of Object.keys(root).filter((name) => typeof root[name] === "function"))
        for (const values of [[], [0, 0, 0], [3, 0, 0, 0, null, null, 0, 10, 0, [0, 1], [0], -1]]) tolerates(() => root[name](...values));
      await new Promise((resolve) => setTimeout(resolve, 20));`);
    expect(ended).toMatchObject(SURVIVED);
  });

  test("functions that are taken from their object, or called on another, know their own port", async () => {
    const ended = await survive(`
      const [one, two] = [open(), open()];
      const { addWorker } = one;
      assert.equal(addWorker(), 0);
      assert.equal(addWorker.call(two), 1);
      assert.equal(two.addWorker(), 0);
      assert.equal(new addWorker().constructor === undefined, false);
      one.close(true); two.close(true);`);
    expect(ended).toMatchObject(SURVIVED);
  });

  test("a task that waits for itself or for what is not there is queued or waits, and ends with the pool", async () => {
    const ended = await survive(`
      const root = open();
      root.addReports();
      const after = (slot, slots, inputs) => root.pushWith(slot, 0, null, 0, null, null, 0, Infinity, 0, slots, inputs, -1);
      after(0, [0], [0]);
      after(1, [-1, 55, 1e9], [0, 1, 2, 3, -4]);
      after(2, [1, 1, 1], [0, 0, 0]);
      assert.deepEqual([0, 1, 2].map((slot) => root.phase(slot)), [1, 1, 0]);
      assert.equal(root.cancel(1, 0, 0), 1);
      assert.equal(root.phase(2), 3);
      root.fail(0);
      root.close(true);`);
    expect(ended).toMatchObject(SURVIVED);
  });

  test("a task pinned to a worker that is not there has crashed", async () => {
    const ended = await survive(`
      const root = open();
      root.addReports();
      root.pushWith(0, 0, null, 0, null, null, 0, Infinity, 0, null, null, 42);
      assert.equal(root.phase(0), 3);
      assert.equal(root.drain(0), 1);
      root.close(true);`);
    expect(ended).toMatchObject(SURVIVED);
  });

  test("a worker's functions take strange values, jobs that are not open, and a run that throws", async () => {
    const ended = await survive(`
      if (isMainThread) {
        const root = open(1);
        root.addReports();
        const id = root.addWorker();
        root.push(0, 0, 0);
        const worker = new Worker(__filename, { workerData: { pool: root.pool, id } });
        const said = await new Promise((resolve, reject) => { worker.once("message", resolve); worker.once("error", reject); });
        assert.equal(said, "fine");
        await worker.terminate();
        let waited;
        // The end of the worker may be a service that is asked for first.
        while ((waited = root.block(0, 5_000, 0) & 7) === 2) while (root.service() >= 0);
        assert.equal(waited, 0);
        root.close(true);
      } else {
        let calls = 0;
        const port = binding.attachWorker(workerData.pool, workerData.id, () => { calls++; throw new Error("a run never throws"); }, nothing, nothing, nothing);
        assert.equal(binding.attachWorker(workerData.pool, workerData.id, () => 0, nothing, nothing, nothing), null, "attached once");
        port.addReports();
        for (const name of Object.keys(port).filter((name) => typeof port[name] === "function" && !["work", "close", "block", "crash", "retire"].includes(name)))
          for (const value of ${STRANGE}) {
            if (typeof value === "number" && value > 1e6) continue;
            for (let place = 0; place < 6; place++) tolerates(() => port[name](...Array.from({ length: 13 }, (_, at) => (at === place ? value : 0))));
          }
        for (const job of [0, 1, 5, 2048, 2 ** 31 - 1, -1, NaN]) {
          tolerates(() => port.complete(job, 1));
          tolerates(() => port.progress(job, 0.5));
          assert.equal(port.isCancelled(job), 0);
          assert.deepEqual(port.inputs(job), []);
        }
        tolerates(() => port.work());
        assert(calls > 0);
        port.crash(null, 0);
        port.crash(new Uint8Array(4), 400);
        assert.equal(port.work(), 4);
        port.close(true); port.close(true);
        parentPort.postMessage("fine");
      }`);
    expect(ended).toMatchObject(SURVIVED);
  });

  test("callbacks that throw reach uncaughtException, and nothing else", async () => {
    const ended = await survive(`
      const heard = [];
      process.on("uncaughtException", (error) => heard.push(error.message));
      const root = binding.openPool(1, true, () => { throw new Error("woken"); }, nothing);
      root.addReports();
      root.keepAlive(true);
      root.push(0, 0, 0);
      root.fail(0);
      while (heard.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      assert.equal(heard[0], "woken");
      root.close(true);`);
    expect(ended).toMatchObject(SURVIVED);
  });
});
