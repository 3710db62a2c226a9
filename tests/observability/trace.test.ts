import { threaded } from "../support/backends";
import { conformance, type Tools } from "../support/conformance";

declare const mp: Tools["mp"];
declare const T: Record<string, any>;

const tasks = {
  add: (a: number, b: number) => a + b,
  spin: (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
  },
  fail: () => {
    throw new Error("no");
  },
  untilCancelled: () => {
    while (!mp.isCancelled());
  },
  pause: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
  parent: (n: number) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += T.add(i, 1).get();
    return sum;
  },
  asyncParent: async (n: number) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += await T.add(i, 1);
    return sum;
  },
  // The first begins first and ends first: their times overlap without one being inside of the other.
  overlapping: async () => void (await Promise.all([T.pause(30), T.pause(60)])),
  square: (n: number) => n * n,
  count: function* (n: number) {
    for (let i = 0; i < n; i++) yield i;
  },
  tracing: () => {
    mp.trace.start();
  },
};

/** Reads a trace and checks what holds for every one. Written as a task-like text: the cases see nothing of this file. */
const read = `
const fs = require("node:fs");
const folder = fs.mkdtempSync(require("node:path").join(require("node:os").tmpdir(), "makeparallel-trace-"));
process.on("exit", () => fs.rmSync(folder, { recursive: true, force: true }));
let saved = 0;
async function record(work, options) {
  mp.trace.start(options);
  try { await work(); } finally { mp.trace.stop(); }
  return await load();
}
async function load() {
  const file = folder + "/" + saved++ + ".json";
  const summary = await mp.trace.save(file);
  assert.deepEqual(fs.readdirSync(folder).filter((name) => name.endsWith(".tmp")), []);
  const trace = JSON.parse(fs.readFileSync(file, "utf8"));
  const events = trace.traceEvents;
  const of = (ph) => events.filter((event) => event.ph === ph);
  const ns = (micros) => Math.round(micros * 1000);
  const threads = new Map(of("M").filter(({ name }) => name === "thread_name").map(({ tid, args }) => [tid, args.name]));
  const slices = of("X").map((slice) => ({ ...slice, start: ns(slice.ts), end: ns(slice.ts) + ns(slice.dur), thread: threads.get(slice.tid) }));
  for (const event of events) {
    assert.equal(event.pid, process.pid);
    if (event.ph === "M") continue;
    if (!(event.ts >= 0 && threads.has(event.tid))) assert.fail(JSON.stringify(event));
  }
  // Slices on a track come in the order of time, and nest.
  for (const tid of threads.keys()) {
    const open = [];
    let last = 0;
    for (const slice of slices) {
      if (slice.tid !== tid) continue;
      assert.ok(slice.start >= last && slice.end >= slice.start);
      last = slice.start;
      while (open.length > 0 && open[open.length - 1].end <= slice.start) open.pop();
      if (open.length > 0 && open[open.length - 1].end < slice.end) assert.fail("overlap of " + slice.name + " and " + open[open.length - 1].name);
      open.push(slice);
    }
  }
  // Each flow starts in a push, goes forward in time, ends once, and each of its points lies in a slice of its track.
  const flows = new Map();
  for (const event of events.filter(({ ph }) => "stf".includes(ph))) flows.set(event.id, [...(flows.get(event.id) ?? []), event]);
  const chains = [];
  const starting = new Map(slices.map((slice) => [slice.tid + ":" + slice.start + (slice.cat === "push"), slice]));
  const ending = new Map(slices.map((slice) => [slice.tid + ":" + slice.end, slice]));
  for (const flow of flows.values()) {
    assert.equal(flow[0].ph, "s");
    assert.equal(flow[flow.length - 1].ph, "f");
    assert.equal(flow[flow.length - 1].bp, "e");
    assert.ok(flow.slice(1, -1).every(({ ph }) => ph === "t"));
    for (let i = 1; i < flow.length; i++) if (flow[i].ts < flow[i - 1].ts) assert.fail("time runs backwards in " + JSON.stringify(flow));
    chains.push(
      flow.map(({ tid, ts }, i) => {
        // A push or a run at its start, a pull right before its end.
        const slice = starting.get(tid + ":" + ns(ts) + (i === 0)) ?? ending.get(tid + ":" + (ns(ts) + 1));
        assert.ok(slice !== undefined, "a point of a flow lies outside of all slices");
        return slice;
      }),
    );
  }
  // Counters never fall below zero, and end at zero when nothing is left.
  const counters = { "queued tasks": [], "running tasks": [] };
  for (const { name, args } of of("C")) counters[name].push(args.tasks);
  for (const values of Object.values(counters)) assert.ok(values.every((value) => value >= 0), "negative count");
  return { summary, trace, slices, chains, counters, threads: [...threads.values()], instants: of("i"), about: trace.otherData,
    runs: (name) => slices.filter((slice) => slice.cat === "task" && slice.name === name) };
}
`;

type Traced = {
  summary: { file: string; events: number; dropped: number };
  slices: { name: string; cat: string; start: number; end: number; thread: string; args: Record<string, unknown> }[];
  chains: { name: string; cat: string; thread: string }[][];
  counters: Record<string, number[]>;
  threads: string[];
  instants: { name: string; args: Record<string, unknown> }[];
  about: Record<string, unknown>;
  runs(name: string): { name: string; start: number; end: number; thread: string; args: Record<string, any> }[];
};
declare function record(work: () => unknown, options?: { maxEvents?: number }): Promise<Traced>;
declare function load(): Promise<Traced>;

conformance(
  "trace",
  tasks,
  {
    "a call is an arrow from its push to its run to where it was first looked at": async ({ T, assert, backend }) => {
      await T.add(1, 1);
      const { chains, runs, threads, counters } = await record(async () => {
        const awaited = T.add(1, 2);
        await awaited;
        T.spin(20).get();
        T.add(1, 3).tryGet();
      });
      const byName = (name: string) => chains.find((chain) => chain[0]!.name === `push ${name}`)!;
      for (const name of ["add", "spin"]) {
        const chain = byName(name);
        assert.deepEqual(
          chain.map(({ name: slice }) => slice),
          [`push ${name}`, name, `pull ${name}`],
        );
        assert.deepEqual([chain[0]!.thread, chain[2]!.thread], ["main", "main"]);
        assert.match(chain[1]!.thread, backend === "inline" ? /^main/ : /^worker \d/);
      }
      const spin = runs("spin")[0]!;
      assert.equal(spin.args.outcome, "fulfilled");
      assert.equal(spin.args.id, "test.ts#spin");
      assert.ok(spin.args["queue wait (ms)"] >= 0);
      assert.ok(spin.end - spin.start >= 20e6 && spin.end - spin.start < 10e9);
      if (backend !== "inline") assert.ok(threads.some((name) => name === "worker 0") && threads[0] === "main");
      assert.ok(Math.max(...counters["running tasks"]!) >= 1);
    },
    "a blocking wait covers the run that it waits for": async ({ T, assert }) => {
      const { slices, runs } = await record(() => T.spin(20).get());
      const pull = slices.find(({ name }) => name === "pull spin")!;
      const run = runs("spin")[0]!;
      assert.ok(pull.start <= run.end && pull.end >= run.end, "the clocks of two threads disagree");
      assert.ok(pull.end - pull.start >= 10e6);
    },
    "failures, cancellations and time-outs show as outcomes": async ({ T, assert, sleep, backend, until }) => {
      const { runs, slices } = await record(async () => {
        await T.fail().catch(() => undefined);
        if (backend !== "inline") {
          const running = T.untilCancelled();
          await until(() => running.status === "running");
          running.cancel();
          await running.catch(() => undefined);
          // The worker that had to be stopped is replaced by then, so the limit does not pass in the queue.
          await T.pause(1);
          await T.untilCancelled
            .with({ timeout: 300 })()
            .catch(() => undefined);
        }
        const never = T.add.with({ after: [T.pause(10)] })(1, 1);
        never.cancel();
        await never.catch(() => undefined);
        await sleep(30);
      });
      assert.equal(runs("fail")[0]!.args.outcome, "rejected");
      if (backend !== "inline")
        assert.deepEqual(
          runs("untilCancelled")
            .map(({ args }) => args.outcome)
            .sort(),
          ["cancelled", "timed out"],
        );
      assert.deepEqual(runs("add"), []);
      assert.equal(slices.find(({ name }) => name === "push add")!.args["outcome"], "cancelled");
    },
    "nested tasks: pushed on the worker's track, inside of their parent": {
      on: threaded,
      run: async ({ T, mp, assert }) => {
        const { chains, runs, slices } = await record(async () => {
          assert.equal(await T.parent(5), 15);
          assert.equal(await T.asyncParent(5), 15);
        });
        assert.equal(runs("add").length, 10);
        const nested = chains.filter((chain) => chain[0]!.name === "push add");
        assert.equal(nested.length, 10);
        for (const chain of nested) assert.match(chain[0]!.thread, /^worker/);
        const parent = runs("parent")[0]!;
        const pushes = slices.filter(({ name, start }) => name === "push add" && start >= parent.start && start <= parent.end);
        assert.equal(pushes.length, 5);
        assert.equal(mp.stats().functions["test.ts#add"]!.fulfilled >= 10, true);
      },
    },
    "asynchronous tasks that take turns on one worker get tracks beside each other": {
      threads: 1,
      run: async ({ T, mp, assert, backend }) => {
        const { runs, counters, threads } = await record(() => mp.gather([T.overlapping(), T.asyncParent(3)]));
        const thread = backend === "inline" ? "main" : "worker 0";
        assert.deepEqual(new Set(runs("pause").map((run) => run.thread)), new Set([thread, `${thread} (2)`]));
        assert.ok(threads.includes(`${thread} (2)`));
        if (backend !== "inline") assert.ok(Math.max(...counters["queued tasks"]!) >= 1);
        assert.equal(counters["queued tasks"]!.at(-1), 0);
        assert.equal(counters["running tasks"]!.at(-1), 0);
      },
    },
    "each run of a repeated task is a point of its arrow": async ({ T, assert }) => {
      const { chains, runs } = await record(() =>
        T.fail
          .with({ retry: { attempts: 3, delay: 1 } })()
          .catch(() => undefined),
      );
      assert.deepEqual(
        runs("fail").map(({ args }) => args["run"]),
        [undefined, 2, 3],
      );
      assert.equal(chains.length, 1);
      assert.equal(chains[0]!.length, 5);
    },
    "a map's chunks and a stream": async ({ T, assert }) => {
      const { chains, runs } = await record(async () => {
        await T.square.map(
          Array.from({ length: 100 }, (_, i) => i),
          { chunkSize: 25 },
        );
        for await (const n of T.count(40)) assert.ok(n >= 0);
      });
      assert.deepEqual(
        runs("square").map(({ args }) => args["items"]),
        [25, 25, 25, 25],
      );
      assert.equal(runs("count").length, 1);
      assert.equal(chains.filter((chain) => chain[0]!.name === "push square" && chain.length === 3).length, 4);
      assert.equal(chains.filter((chain) => chain[0]!.name === "push count" && chain.length === 3).length, 1);
    },
    "workers that start and end are marked": {
      on: threaded,
      run: async ({ T, mp, assert }) => {
        mp.trace.start();
        await T.add(1, 1);
        const spawned = mp.stats().threads;
        assert.ok(spawned >= 1);
        await mp.shutdown();
        mp.trace.stop();
        const { instants } = await load();
        assert.equal(instants.filter(({ name }) => name === "worker spawn").length, spawned);
        const ends = instants.filter(({ name }) => name === "worker exit");
        assert.equal(ends.length, spawned);
        assert.ok(ends.every(({ args }) => args["reason"] === "shutdown" && (args["threadId"] as number) > 0));
      },
    },
    "memory is bounded: what comes after maxEvents is counted and dropped": async ({ T, mp, assert }) => {
      const { summary, about } = await record(() => mp.gather(Array.from({ length: 50 }, (_, i) => T.add(i, 1))), { maxEvents: 60 });
      assert.deepEqual({ events: summary.events, dropped: summary.dropped }, { events: 60, dropped: 90 });
      assert.equal(about["droppedEvents"], 90);
    },
    "more events than a ring holds, from a caller that never comes to its event loop": async ({ T, assert }) => {
      const { summary } = await record(() => {
        const handles = Array.from({ length: 6_000 }, (_, i) => T.add(i, 1));
        for (const handle of handles) handle.get();
      });
      assert.deepEqual({ events: summary.events, dropped: summary.dropped }, { events: 18_000, dropped: 0 });
    },
    "saved in the middle, the recording goes on; the file is there although nobody has waited for it": async ({ T, mp, assert }) => {
      mp.trace.start();
      await T.add(1, 1);
      assert.equal((await load()).runs("add").length, 1);
      await T.add(1, 1);
      const path = `${(await load()).summary.file}.more`;
      void mp.trace.save(path);
      assert.ok((await import("node:fs")).existsSync(path));
      mp.trace.stop();
      await T.add(1, 1);
      assert.equal((await load()).runs("add").length, 2);
    },
    "saved through a link or into a pipe, these stay what they are": async ({ T, mp, assert }) => {
      const fs = await import("node:fs");
      const { execFileSync, spawn } = await import("node:child_process");
      mp.trace.start();
      await T.add(1, 1);
      mp.trace.stop();
      const { file } = (await load()).summary;
      const [link, pipe] = [`${file}.link`, `${file}.pipe`];
      fs.symlinkSync(file, link);
      await mp.trace.save(link);
      assert.ok(fs.lstatSync(link).isSymbolicLink());
      execFileSync("mkfifo", [pipe]);
      const reader = spawn("cat", [pipe], { stdio: ["ignore", "pipe", "inherit"] });
      await mp.trace.save(pipe);
      assert.ok(fs.lstatSync(pipe).isFIFO());
      let text = "";
      for await (const part of reader.stdout) text += String(part);
      assert.equal(text, fs.readFileSync(file, "utf8"));
    },
    mistakes: async ({ T, mp, assert, backend }) => {
      assert.throws(() => mp.trace.start({ maxEvents: 0 }), RangeError);
      assert.throws(() => mp.trace.start({ maxEvent: 1 } as never), /"maxEvent" is no option of trace\.start\(\)/);
      mp.trace.start();
      assert.throws(() => mp.trace.start(), mp.ParallelError);
      await assert.rejects(mp.trace.save("/no/such/folder/trace.json"), { code: "ENOENT" });
      mp.trace.stop();
      mp.trace.stop();
      if (backend !== "inline") await assert.rejects(T.tracing(), /not in a task/);
    },
  },
  { program: read },
);
