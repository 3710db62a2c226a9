/** Chunks and manifests that do not fit the program: an error that says so, at the call that needs them; the pool goes on. */
import { appendFileSync, cpSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { all, threaded } from "../support/backends";
import { removeTemporaryFolders, runNode, temporaryFolder, type Ended } from "../support/children";
import { type Program, ROOT, RUNTIME, writeProgram } from "../support/chunks";

afterAll(removeTemporaryFolders);

const tasks = { add: (a: number, b: number) => a + b };

async function runWith(
  backend: string,
  main: string,
  change: (program: Program) => void,
  options: { chunkPrologue?: string } = {},
): Promise<Ended> {
  const program = writeProgram(path.join(temporaryFolder(), "program"), { tasks, main, ...options });
  change(program);
  return runNode(program.main, [], { env: { MAKEPARALLEL_BACKEND: backend } });
}

const REPORT = `
  const outcomes = [];
  for (const look of [async () => T.add(1, 2).get(), async () => await T.add(1, 2)]) {
    try { outcomes.push(await look()); } catch (error) { outcomes.push(error.name + " " + error.code + ": " + error.message); }
  }
  console.log(JSON.stringify(outcomes));
`;

describe.each(all)("on the %s backend", (backend) => {
  test("a chunk that has been changed since the build is refused", async () => {
    const ended = await runWith(backend, REPORT, ({ chunk }) => appendFileSync(chunk, "// changed"));
    expect(ended).toMatchObject({ hung: false, code: 0, stderr: "" });
    for (const outcome of JSON.parse(ended.stdout) as string[]) expect(outcome).toMatch(/^ChunkError MP_CHUNK: .*Build again/);
  });

  test("a missing chunk is named", async () => {
    const ended = await runWith(backend, REPORT, ({ chunk }) => rmSync(chunk));
    expect(ended).toMatchObject({ hung: false, code: 0, stderr: "" });
    for (const outcome of JSON.parse(ended.stdout) as string[]) expect(outcome).toMatch(/^ChunkError MP_CHUNK: .*tasks-/);
  });

  test("a manifest of another version is refused", async () => {
    const ended = await runWith(backend, REPORT, ({ manifest }) => {
      writeFileSync(manifest, JSON.stringify({ ...(JSON.parse(readFileSync(manifest, "utf8")) as object), format: 99, version: "9.9.9" }));
    });
    expect(ended).toMatchObject({ hung: false, code: 0, stderr: "" });
    for (const outcome of JSON.parse(ended.stdout) as string[]) expect(outcome).toMatch(/^ChunkError MP_CHUNK: .*9\.9\.9/);
  });

  test("a missing manifest is named", async () => {
    const ended = await runWith(backend, REPORT, ({ manifest }) => rmSync(manifest));
    expect(ended).toMatchObject({ hung: false, code: 0, stderr: "" });
    for (const outcome of JSON.parse(ended.stdout) as string[]) expect(outcome).toMatch(/^ChunkError MP_CHUNK: .*parallel-chunks/);
  });

  test("a manifest without the task is refused", async () => {
    const ended = await runWith(backend, REPORT, ({ manifest }) => {
      writeFileSync(manifest, JSON.stringify({ ...(JSON.parse(readFileSync(manifest, "utf8")) as object), tasks: {} }));
    });
    expect(ended).toMatchObject({ hung: false, code: 0, stderr: "" });
    for (const outcome of JSON.parse(ended.stdout) as string[]) expect(outcome).toMatch(/^ChunkError MP_CHUNK: .*test\.ts#add/);
  });

  test("a chunk that throws while it is loaded fails the call", async () => {
    const ended = await runWith(backend, REPORT, () => undefined, { chunkPrologue: 'throw new RangeError("at load");' });
    expect(ended).toMatchObject({ hung: false, code: 0, stderr: "" });
    for (const outcome of JSON.parse(ended.stdout) as string[]) expect(outcome).toMatch(/^ChunkError MP_CHUNK: .*at load/);
  });

  test("the output folder can be moved, whatever the working directory", async () => {
    const program = writeProgram(path.join(temporaryFolder(), "program"), { tasks, main: "console.log(await T.add(1, 2));" });
    const moved = path.join(temporaryFolder(), "moved");
    renameSync(program.folder, moved);
    const ended = await runNode(path.join(moved, "main.cjs"), [], { env: { MAKEPARALLEL_BACKEND: backend }, cwd: "/" });
    expect(ended).toMatchObject({ code: 0, stdout: "3\n" });
  });
});

describe.each(threaded)("on the %s backend", (backend) => {
  test("a failed load does not hurt tasks of other chunks", async () => {
    const folder = temporaryFolder();
    const good = writeProgram(path.join(folder, "good"), { tasks, main: "" });
    const bad = writeProgram(path.join(folder, "bad"), {
      tasks,
      main: `
        const other = require(${JSON.stringify(path.join(RUNTIME, "stub.js"))}).module(${JSON.stringify(good.main)}, "test").wrapper("test.ts#add", { name: "add", length: 2, flags: 0 })(undefined);
        await assert.rejects(T.add(1, 2), mp.ChunkError);
        console.log(await other(1, 2), other(3, 4).get());`,
    });
    rmSync(bad.chunk);
    const ended = await runNode(bad.main, [], { env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "1" } });
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "3 7\n" });
  });

  test("two copies of the package in one process have a pool each", async () => {
    const folder = temporaryFolder();
    const copy = path.join(folder, "copy");
    cpSync(path.resolve(RUNTIME, "..", ".."), copy, { recursive: true, filter: (file) => !file.includes(`${path.sep}esm`) });
    symlinkSync(path.join(ROOT, "node_modules"), path.join(folder, "node_modules"));
    const one = writeProgram(path.join(folder, "one"), { tasks, main: "" });
    const two = writeProgram(path.join(folder, "two"), {
      tasks: {
        ...tasks,
        fail: () => {
          throw new RangeError("no");
        },
        norm: (point: { norm(): number }) => point.norm(),
      },
      main: `
        const copy = ${JSON.stringify(path.join(copy, "runtime-ts", "src"))};
        const mp2 = require(copy + "/index.js");
        const add2 = require(copy + "/stub.js").module(${JSON.stringify(one.main)}, "test").wrapper("test.ts#add", { name: "add", length: 2, flags: 0 })(undefined);
        assert.notStrictEqual(mp2.AsyncHandle, mp.AsyncHandle);
        for (let i = 0; i < 20; i++) {
          const [a, b] = [T.add(i, 1), add2(i, 2)];
          assert.strictEqual(a.get(), i + 1);
          assert.strictEqual(b.get(), i + 2);
          assert.deepStrictEqual(await Promise.all([T.add(i, 3), add2(i, 4)]), [i + 3, i + 4]);
        }
        await assert.rejects(T.fail(), RangeError);
        class Point { norm() { return 1; } }
        require(copy + "/stub.js").module(${JSON.stringify(one.main)}, "test").class(Point, "test.ts#Point");
        await assert.rejects(T.norm(new Point()), /An instance of Point \\(of another copy of makeparallel\\) has arrived here without methods: they would keep them/);
        await mp.shutdown();
        assert.strictEqual(await add2(1, 1), 2);
        await mp2.shutdown();
        console.log("both");`,
    });
    const ended = await runNode(two.main, [], { env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "2" } });
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "both\n", stderr: "" });
  });

  test("the package is removed while the program runs, and installed again", async () => {
    const folder = temporaryFolder();
    const copy = path.join(folder, "package");
    cpSync(path.resolve(RUNTIME, "..", ".."), copy, { recursive: true, filter: (file) => !file.includes(`${path.sep}esm`) });
    symlinkSync(path.join(ROOT, "node_modules"), path.join(folder, "node_modules"));
    const program = writeProgram(path.join(folder, "program"), {
      tasks: { ...tasks, exit: () => process.exit(1) },
      runtime: path.join(copy, "runtime-ts", "src"),
      main: `
        const { renameSync } = require("node:fs");
        const copy = ${JSON.stringify(copy)};
        const gone = "the files of makeparallel are gone from " + copy + "/runtime-ts/src, where workers find their code. Install it again, and restart the program if that is another version.";
        assert.strictEqual(await T.add(1, 2), 3);
        renameSync(copy, copy + ".away");
        assert.strictEqual(await T.add(1, 2), 3);
        await assert.rejects(T.exit(), mp.WorkerCrashedError);
        await assert.rejects(T.add(1, 2), { code: "MP_WORKER_CRASHED", message: "add was not run, because no worker can be started: " + gone });
        await mp.shutdown();
        assert.throws(() => T.add(1, 2), { code: "MP_ERROR", message: "add: " + gone });
        renameSync(copy + ".away", copy);
        assert.strictEqual(await T.add(1, 2), 3);
        console.log("back");`,
    });
    const ended = await runNode(program.main, [], { env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "1" } });
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "back\n", stderr: "" });
  });
});

test("code that was not transformed says how to set up", async () => {
  const { main } = writeProgram(path.join(temporaryFolder(), "program"), {
    tasks,
    main: `const f = mp.parallel((a) => a + 1);
      let error;
      try { f(1); } catch (thrown) { error = thrown; }
      assert.ok(error instanceof mp.NotTransformedError);
      assert.strictEqual(error.code, "MP_NOT_TRANSFORMED");
      assert.match(error.message, /makeparallel\\/transformer/);
      assert.strictEqual(error.task, undefined);
      assert.throws(() => mp.parallel(function area() {})(), { task: "area" });
      console.log("said");`,
  });
  expect(await runNode(main)).toMatchObject({ code: 0, stdout: "said\n" });
});

test("an error of the package's own that nobody catches is printed without the text of the package", async () => {
  // The package's own file, which is a bundle: what the tests load is not.
  const program = path.join(temporaryFolder(), "uncaught.cjs");
  writeFileSync(program, `require(${JSON.stringify(path.join(ROOT, "dist/runtime-ts/src/index.js"))}).parallel((a) => a)(1);`);
  const { code, stderr } = await runNode(program);
  expect(code).toBe(1);
  expect(stderr).toMatch(/NotTransformedError: This function is marked as parallel/);
  expect(Math.max(...stderr.split("\n").map((line) => line.length))).toBeLessThan(700);
});
