/** Use inside other people's test runners: their sandboxes, their worker processes and threads. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { threaded } from "../support/backends";
import { removeTemporaryFolders, runNode, temporaryFolder } from "../support/children";
import { idOf, KEY, RUNTIME, writeProgram } from "../support/chunks";

afterAll(removeTemporaryFolders);

const tasks = {
  add: (a: number, b: number) => a + b,
  forever: () => {
    for (;;);
  },
  fails: () => {
    throw Object.assign(new RangeError("no"), { status: 404 });
  },
  later: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms)),
  flaky: (tries: Int32Array) => {
    if (Atomics.add(tries, 0, 1) < 2) throw new Error("flaky");
    return tries[0];
  },
  count: function* (end: number) {
    for (let i = 0; i < end; i++) yield i;
  },
  collections: () => ({ map: new Map([[1, new Set([2])]]), date: new Date(5), bytes: new Uint8Array([1, 2]), array: [1, { a: 1 }] }),
  exit: () => process.exit(3),
};

const SETUP = `
const mp = require(${JSON.stringify(path.join(RUNTIME, "index.js"))});
const $module = require(${JSON.stringify(path.join(RUNTIME, "stub.js"))}).module(__filename, ${JSON.stringify(KEY)});
const T = Object.fromEntries(${JSON.stringify(Object.keys(tasks).map((name) => [name, idOf(name)]))}
  .map(([name, id]) => [name, $module.wrapper(id, { name, length: 0, flags: name === "count" ? 2 : 0 })(undefined)]));
`;

const SUITE = `
${SETUP}

test("tasks run", async () => {
  expect(T.add(1, 2).get()).toBe(3);
  expect(await T.add(3, 4)).toBe(7);
  expect(await Promise.all(Array.from({ length: 100 }, (_, i) => T.add(i, 1)))).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  await expect(T.add(5, 6)).resolves.toBe(11);
});

test("what comes back is of this sandbox's classes", async () => {
  const { map, date, bytes, array } = T.collections().get();
  expect({ map, date, bytes, array }).toEqual({ map: new Map([[1, new Set([2])]]), date: new Date(5), bytes: new Uint8Array([1, 2]), array: [1, { a: 1 }] });
  expect(map).toBeInstanceOf(Map);
  expect(array).toStrictEqual([1, { a: 1 }]);
  // And what belongs to the sandbox goes there.
  expect(T.add([1], new Date(0)).get()).toBe("1" + new Date(0));
});

test("faults", async () => {
  expect(() => T.fails().get()).toThrow("no");
  await expect(T.fails()).rejects.toMatchObject({ name: "RangeError", status: 404 });
  await expect(T.exit()).rejects.toBeInstanceOf(mp.WorkerCrashedError);
  expect(() => T.forever.with({ timeout: 50, grace: 10 })().get()).toThrow(mp.TimeoutError);
  expect(() => T.add(() => 1)).toThrow(mp.TransferError);
  expect(T.add(1, 2).get()).toBe(3);
});

test("the suite may end with tasks queued and running", () => {
  T.forever();
  T.forever();
  T.add(1, 2);
});
`;

/** The clock of the suite stands still; tasks, and what follows them, go by Node's. */
const FAKED_TIMERS = `
const clock = (before) => {
  if (before) jest.useFakeTimers();
  jest.resetModules();
  ${SETUP}
  jest.useFakeTimers();
  mp.configure({ maxQueue: 1, threads: 1, minThreads: 0, idleTimeout: 20 });
  return { mp, T };
};

describe.each([["before the program is loaded", true], ["after it", false]])("fake timers that are set up %s", (_, before) => {
  let mp, T;
  beforeAll(() => ({ mp, T } = clock(before)));
  afterAll(() => mp.shutdown());

  test("stop no task", async () => {
    expect(await T.add(1, 2)).toBe(3);
    await T.later(20);
    const seen = [];
    for await (const value of T.count(40)) seen.push(value);
    expect(seen.length).toBe(40);
    expect(await T.flaky.with({ retry: { attempts: 3, delay: 5 } })(mp.sharedArray(Int32Array, 1))).toBe(3);
    await expect(T.forever.with({ timeout: 20, grace: 5 })()).rejects.toThrow(mp.TimeoutError);
  });

  test("stop nobody who waits for room", async () => {
    const handles = [];
    for (let i = 0; i < 5; i++) {
      await mp.queueRoom();
      handles.push(T.later(20));
    }
    await Promise.all(handles);
  });

  test("stop no source of a map", async () => {
    async function* source() {
      yield 1;
      // The second is read when the first has come back.
      await first;
      yield 2;
    }
    let arrived;
    const first = new Promise((resolve) => (arrived = resolve));
    for await (const _ of T.add.map(source())) arrived();
  });
});
`;

function writeSuites(suites: string[]): string {
  const { folder } = writeProgram(path.join(temporaryFolder(), "project"), { tasks, main: "" });
  for (const [i, suite] of suites.entries()) writeFileSync(path.join(folder, `suite-${i}.test.cjs`), suite);
  return folder;
}

const JEST = require.resolve("jest/bin/jest");

describe.each(threaded)("on the %s backend", (backend) => {
  test.each([
    ["in the jest process itself", ["--runInBand"], [SUITE, SUITE], 8],
    ["in jest's worker processes", ["--maxWorkers=2"], [SUITE, SUITE], 8],
    ["in jest's worker threads", ["--maxWorkers=2", "--workerThreads"], [SUITE, SUITE], 8],
    ["under jest's fake timers", ["--runInBand"], [FAKED_TIMERS], 6],
  ])("%s", async (_, flags, suites, count) => {
    const folder = writeSuites(suites);
    writeFileSync(
      path.join(folder, "jest.config.json"),
      JSON.stringify({ testMatch: ["<rootDir>/*.test.cjs"], watchman: false, transform: {} }),
    );
    const ended = await runNode(
      JEST,
      ["--ci", "--no-cache", "--rootDir", folder, "--config", path.join(folder, "jest.config.json"), ...flags],
      {
        env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "2" },
        cwd: folder,
        limit: 55_000,
      },
    );
    if (ended.hung || ended.code !== 0) throw new Error(`${ended.hung ? "It hung" : ended.code}\n${ended.stdout}\n${ended.stderr}`);
    expect(ended.stderr).toMatch(new RegExp(`Tests:\\s+${count} passed, ${count} total`));
    expect(ended.stderr).not.toMatch(/did not exit|failed to exit gracefully|open handle/i);
  });
});
