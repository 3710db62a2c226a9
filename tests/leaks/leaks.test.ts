/**
 * Memory does not grow with the number of tasks. For each way that a task can go, batches are run until the memory has warmed up; then the process is measured after
 * each of many more batches, and the slope of that line is bounded. A ceiling would let a slow leak through, and would fail on a machine with other habits.
 */
import path from "node:path";
import { threaded } from "../support/backends";
import { removeTemporaryFolders, runNode, temporaryFolder } from "../support/children";
import { writeProgram } from "../support/chunks";
import { slope } from "./slope";
import { tasks, ways } from "./ways";

afterAll(removeTemporaryFolders);

interface Measured {
  /** Tasks before it. */
  tasks: number;
  /** Bytes. */
  heap: number;
  external: number;
  rss: number;
}

/** Batches that are not measured. */
const WARM_UP = 3;
const BATCHES = 14;

async function measure(backend: string, names: readonly string[], planted = false): Promise<Map<string, Measured[]>> {
  const chosen = names.map((name) => {
    const { run, count, batches = BATCHES } = ways[name]!;
    return `${JSON.stringify(name)}: { count: ${count}, batches: ${batches}, run: ${String(run)} }`;
  });
  const program = writeProgram(path.join(temporaryFolder(), backend), {
    tasks,
    main: `const PLANTED = ${planted ? "[]" : "undefined"};
      const ways = { ${chosen.join(",\n")} };
      mp.configure({ backend: ${JSON.stringify(backend)}, threads: 2 });
      for (const [name, { count, batches, run }] of Object.entries(ways)) {
        for (let batch = 0; batch < ${WARM_UP}; batch++) await run(count);
        const measured = [];
        for (let batch = 0; batch < batches; batch++) {
          await run(count);
          await sleep(0);
          gc();
          gc();
          const { heapUsed, external, rss } = process.memoryUsage();
          measured.push({ tasks: batch * count, heap: heapUsed, external, rss });
        }
        console.log(JSON.stringify({ name, measured }));
      }
      await mp.shutdown({ cancelPending: true });`,
  });
  const { stdout, stderr, code } = await runNode(program.main, [], { execArgv: ["--expose-gc"], limit: 240_000 });
  if (code !== 0) throw new Error(stdout + stderr);
  const lines = stdout.trim().split("\n");
  return new Map(
    lines.map((line) => JSON.parse(line) as { name: string; measured: Measured[] }).map(({ name, measured }) => [name, measured]),
  );
}

/** KB for each thousand tasks. */
function growth(measured: readonly Measured[], of: (at: Measured) => number): number {
  return slope(measured.map((at) => [at.tasks / 1_000, of(at) / 1_024] as const));
}

const live = (at: Measured): number => at.heap + at.external;

describe.each(threaded)("on the %s backend", (backend) => {
  let measured: Map<string, Measured[]>;
  beforeAll(async () => {
    measured = await measure(backend, Object.keys(ways));
  }, 300_000);

  test.each(Object.entries(ways))("%s leaves nothing behind", (name, { bound = 60, residentBound = bound * 4 + 2_000 }) => {
    const points = measured.get(name)!;
    const found = { live: growth(points, live), rss: growth(points, (at) => at.rss) };
    if (process.env["LEAKS_SHOW"]) console.log(backend, name, found, "bound", bound);
    // What V8 and the allocator keep for later shows in the resident size only, in steps; what leaks shows in both, or in the resident size batch by batch.
    expect(found.live).toBeLessThan(bound);
    expect(found.rss).toBeLessThan(residentBound);
  });
});

/** Counted, because nothing else is exact: what the allocator keeps comes and goes, and V8 does not count shared memory when it decides about a collection. */
test.each(threaded)(
  "on the %s backend, workers that come have the memory of those that have gone, and pools that have ended leave none",
  async (backend) => {
    const rounds = 12;
    const program = writeProgram(path.join(temporaryFolder(), `replaced-${backend}`), {
      tasks,
      main: `
      const Native = SharedArrayBuffer;
      const workers = [], pools = [];
      globalThis.SharedArrayBuffer = class extends Native {
        constructor(bytes, options) {
          super(bytes, options);
          if (bytes > 1 << 25) pools.push(new WeakRef(this));
          else if (bytes > 1 << 20) workers.push(new WeakRef(this));
        }
      };
      mp.configure({ backend: ${JSON.stringify(backend)}, threads: 2, grace: 0 });
      for (let round = 0; round < ${rounds}; round++) {
        if (round === 3) mp.trace.start();
        if (round === 4) mp.trace.stop();
        assert.strictEqual(await T.nested(1), 5);
        await Promise.allSettled([T.exit(), T.exit()]);
        if (round % 4 === 3) await mp.shutdown();
      }
      const { "test.ts#add": add, "test.ts#nested": nested, "test.ts#exit": exit } = mp.stats().functions;
      const counted = [add.fulfilled, nested.fulfilled, exit.rejected, Object.keys(mp.stats().functions).length];
      const { file } = await mp.trace.save(__filename + ".json");
      const traced = {};
      for (const { ph, cat, name } of JSON.parse(require("node:fs").readFileSync(file, "utf8")).traceEvents)
        if (ph === "X" && cat === "task") traced[name] = (traced[name] ?? 0) + 1;
      for (let i = 0; i < 20 && pools.filter((pool) => pool.deref() !== undefined).length > 1; i++) { await sleep(10); gc(); }
      const left = pools.filter((pool) => pool.deref() !== undefined).length;
      console.log(JSON.stringify({ counted, traced, workers: workers.length, left }));`,
    });
    const ended = await runNode(program.main, [], { execArgv: ["--expose-gc"] });
    expect(ended).toMatchObject({ code: 0, stderr: "" });
    const { counted, traced, workers, left } = JSON.parse(ended.stdout) as Record<string, unknown>;
    expect(counted).toEqual([2 * rounds, rounds, 2 * rounds, 3]);
    expect(traced).toEqual({ nested: 1, add: 2, exit: 2 });
    // The program's own, and one for each worker, two of which the trace has kept; one more may start before one that has ended is seen to have.
    expect(workers).toBeLessThanOrEqual(8);
    // Functions keep the pool that they were called on last.
    expect(left).toBeLessThanOrEqual(1);
  },
);

test("a leak of one handle a task is found", async () => {
  const points = (await measure(threaded[0]!, ["a value"], true)).get("a value")!;
  expect(growth(points, live)).toBeGreaterThan(60);
}, 120_000);

test("the slope is that of the line, whatever a few points say", () => {
  const line = Array.from({ length: 21 }, (_, i) => [i, 3 * i + 7] as [number, number]);
  expect(slope(line)).toBeCloseTo(3);
  for (const i of [2, 9, 10, 17]) line[i]![1] += 10_000;
  expect(slope(line)).toBeCloseTo(3);
  expect(() => slope([[1, 2]])).toThrow(RangeError);
});
