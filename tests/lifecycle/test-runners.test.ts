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
  collections: () => ({ map: new Map([[1, new Set([2])]]), date: new Date(5), bytes: new Uint8Array([1, 2]), array: [1, { a: 1 }] }),
  exit: () => process.exit(3),
};

const SUITE = `
const mp = require(${JSON.stringify(path.join(RUNTIME, "index.js"))});
const $module = require(${JSON.stringify(path.join(RUNTIME, "stub.js"))}).module(__filename, ${JSON.stringify(KEY)});
const T = Object.fromEntries(${JSON.stringify(Object.keys(tasks).map((name) => [name, idOf(name)]))}
  .map(([name, id]) => [name, $module.wrapper(id, { name, length: 0, flags: 0 })(undefined)]));

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

function writeSuites(count: number): string {
  const { folder } = writeProgram(path.join(temporaryFolder(), "project"), { tasks, main: "" });
  for (let i = 0; i < count; i++) writeFileSync(path.join(folder, `suite-${i}.test.cjs`), SUITE);
  return folder;
}

const JEST = require.resolve("jest/bin/jest");

describe.each(threaded)("on the %s backend", (backend) => {
  test.each([
    ["in the jest process itself", ["--runInBand"]],
    ["in jest's worker processes", ["--maxWorkers=2"]],
    ["in jest's worker threads", ["--maxWorkers=2", "--workerThreads"]],
  ])("%s", async (_, flags) => {
    const folder = writeSuites(2);
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
    expect(ended.stderr).toMatch(/Tests:\s+8 passed, 8 total/);
    expect(ended.stderr).not.toMatch(/did not exit|failed to exit gracefully|open handle/i);
  });
});
