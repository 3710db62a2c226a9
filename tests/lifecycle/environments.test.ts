/** Places to use the package from, other than the main thread of a program of its own. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { hasNative, threaded } from "../support/backends";
import { removeTemporaryFolders, runNode, temporaryFolder, type Ended } from "../support/children";
import { writeProgram } from "../support/chunks";

afterAll(removeTemporaryFolders);

const tasks = {
  add: (a: number, b: number) => a + b,
  forever: () => {
    for (;;);
  },
  exit: (code: number) => process.exit(code),
  /** Blocks for a task that was called before, while the one that this thread runs meanwhile has turns of the event loop. */
  tree: async (depth: number): Promise<number> => (depth === 0 ? 1 : (await T.tree!(depth - 1)) + T.tree!(depth - 1).get()),
};
declare const T: Record<string, (...args: unknown[]) => Promise<number> & { get(): number }>;

function run(main: string, backend: string, execArgv: string[] = []): Promise<Ended> {
  const program = writeProgram(path.join(temporaryFolder(), "program"), { tasks, main });
  return runNode(program.main, [], { env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "2" }, execArgv, limit: 30_000 });
}

const USE = `
  assert.strictEqual(T.add(1, 2).get(), 3);
  assert.strictEqual(await T.add(3, 4), 7);
  assert.throws(() => T.forever.with({ timeout: 50, grace: 10 })().get(), mp.TimeoutError);
  await assert.rejects(T.exit(3), mp.WorkerCrashedError);
  assert.deepStrictEqual(await Promise.all(Array.from({ length: 100 }, (_, i) => T.add(i, 1))), Array.from({ length: 100 }, (_, i) => i + 1));
`;

(hasNative ? test : test.skip)("without addons, the TypeScript backend steps in, and nobody is told to install one", async () => {
  const { main } = writeProgram(path.join(temporaryFolder(), "program"), {
    tasks,
    main: `console.log(await T.add(1, 2), mp.stats().backend);`,
  });
  const env = { MAKEPARALLEL_THREADS: "2" };
  expect(await runNode(main, [], { env, execArgv: ["--no-addons"] })).toMatchObject({ code: 0, stdout: "3 typescript\n" });
  const asked = await runNode(main, [], { env: { ...env, MAKEPARALLEL_BACKEND: "native" }, execArgv: ["--no-addons"] });
  expect(asked.stderr).toMatch(/ParallelError: .*loading addons is disabled\. Use backend: "typescript"\.\n/);
});

describe.each(threaded)("on the %s backend", (backend) => {
  test("a Worker has a pool of its own beside the main thread's", async () => {
    const ended = await run(
      `const { Worker, isMainThread, parentPort } = require("node:worker_threads");
      ${USE}
      if (isMainThread) {
        const workers = [new Worker(__filename), new Worker(__filename)];
        const exits = workers.map((worker) => new Promise((resolve) => worker.once("exit", resolve)));
        const said = await Promise.all(workers.map((worker) => new Promise((resolve, reject) => { worker.once("message", resolve); worker.once("error", reject); })));
        assert.deepStrictEqual(said, ["used", "used"]);
        await Promise.all(exits);
        ${USE}
        console.log("all used");
      } else parentPort.postMessage("used");`,
      backend,
    );
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "all used\n", stderr: "" });
  });

  test("frozen built-ins", async () => {
    const ended = await run(
      `assert.ok(Object.isFrozen(Error));
      assert.throws(() => T.add(1, () => 1), mp.TransferError);
      ${USE}
      console.log("used");`,
      backend,
      ["--frozen-intrinsics", "--no-warnings"],
    );
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "used\n", stderr: "" });
  });

  test("deprecations that throw", async () => {
    const ended = await run(`${USE} assert.strictEqual(await T.tree(4), 16); console.log("used");`, backend, [
      "--pending-deprecation",
      "--throw-deprecation",
    ]);
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "used\n", stderr: "" });
  });

  test("loader hooks that give the source of CommonJS files", async () => {
    // Node's own loader then evaluates them with a `require` of another kind.
    const hook = `import { readFileSync } from "node:fs";
      export async function load(url, context, next) {
        const loaded = await next(url, context);
        return loaded.format === "commonjs" ? { ...loaded, source: loaded.source ?? readFileSync(new URL(url)) } : loaded;
      }`;
    const asUrl = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;
    const preload = asUrl(`import { register } from "node:module"; register(${JSON.stringify(asUrl(hook))});`);
    const ended = await run(`${USE} console.log("used");`, backend, ["--import", preload]);
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "used\n", stderr: "" });
  });

  test("a promise library in the place of the global Promise", async () => {
    // As bluebird does, it looks into what is an instance of its own class instead of calling `then`.
    const library = `const Engine = Promise;
      globalThis.Promise = class Library {
        #own;
        constructor(body) { this.#own = new Engine(body); }
        then(...callbacks) { return new Library((resolve) => resolve(this.#own.then(...callbacks))); }
        catch(callback) { return this.then(undefined, callback); }
        finally(callback) { return new Library((resolve) => resolve(this.#own.finally(callback))); }
        static resolve(value) { return value instanceof Library ? value : new Library((resolve) => resolve(value)); }
        static reject(error) { return new Library((_, reject) => reject(error)); }
        static #owns(values) { return Array.from(values, (value) => (value instanceof Library ? value.#own : value)); }
        static all(values) { return new Library((resolve) => resolve(Engine.all(Library.#owns(values)))); }
        static allSettled(values) { return new Library((resolve) => resolve(Engine.allSettled(Library.#owns(values)))); }
        static race(values) { return new Library((resolve) => resolve(Engine.race(Library.#owns(values)))); }
      };`;
    const program = writeProgram(path.join(temporaryFolder(), "program"), {
      tasks,
      main: `${USE} assert.deepStrictEqual(await mp.gather([T.add(1, 2)], { onError: "settle" }), [{ status: "fulfilled", value: 3 }]); console.log("used");`,
    });
    const preload = path.join(program.folder, "library.cjs");
    writeFileSync(preload, library);
    const env = { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "2" };
    expect(await runNode(program.main, [], { env, execArgv: ["--require", preload] })).toMatchObject({
      code: 0,
      stdout: "used\n",
      stderr: "",
    });
  });

  test("mock timers of node:test", async () => {
    const after = await run(`require("node:test").mock.timers.enable(); ${USE} console.log("used");`, backend, ["--no-warnings"]);
    expect(after).toMatchObject({ hung: false, code: 0, stdout: "used\n", stderr: "" });
    const preload = path.join(temporaryFolder(), "mock.cjs");
    writeFileSync(preload, `if (require("node:worker_threads").isMainThread) require("node:test").mock.timers.enable();`);
    const refused =
      'assert.throws(() => T.add(1, 2), { code: "MP_ERROR", message: /before mock\\.timers\\.enable\\(\\)/ }); console.log("refused");';
    const before = await run(refused, backend, ["--no-warnings", "--require", preload]);
    expect(before).toMatchObject({ hung: false, code: 0, stdout: "refused\n", stderr: "" });
  });

  test("a Worker is terminated with tasks queued and running", async () => {
    const ended = await run(
      `const { Worker, isMainThread, parentPort } = require("node:worker_threads");
      if (isMainThread) {
        for (let i = 0; i < 4; i++) {
          const worker = new Worker(__filename);
          await new Promise((resolve) => worker.once("message", resolve));
          await worker.terminate();
          assert.strictEqual(await T.add(i, 1), i + 1);
        }
        console.log("terminated");
      } else {
        const handles = [T.forever(), T.forever(), T.add(1, 2)];
        while (mp.stats().busy < 2) await sleep(1);
        parentPort.postMessage("busy");
        if (Math.random() < 0.5) handles[2].get();
        await sleep(60_000);
      }`,
      backend,
    );
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "terminated\n", stderr: "" });
  });

  test("a Worker calls process.exit with tasks queued and running", async () => {
    const ended = await run(
      `const { Worker, isMainThread } = require("node:worker_threads");
      if (isMainThread) {
        const codes = [];
        for (let i = 0; i < 3; i++) codes.push(await new Promise((resolve) => new Worker(__filename).once("exit", resolve)));
        console.log(String(codes), await T.add(1, 2));
      } else {
        const handles = [T.forever(), T.forever(), T.add(1, 2)];
        while (mp.stats().busy < 2) await sleep(1);
        process.exit(4);
      }`,
      backend,
    );
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "4,4,4 3\n", stderr: "" });
  });

  test("the processes of a cluster have a pool each", async () => {
    const ended = await run(
      `const cluster = require("node:cluster");
      ${USE}
      if (cluster.isPrimary) {
        const codes = await Promise.all([1, 2].map(() => new Promise((resolve) => cluster.fork().once("exit", (code) => resolve(code)))));
        ${USE}
        console.log("cluster", String(codes));
      } else {
        process.exitCode = 7;
        cluster.worker.disconnect();
      }`,
      backend,
    );
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "cluster 7,7\n", stderr: "" });
  });

  test("a forked child process", async () => {
    const ended = await run(
      `const { fork } = require("node:child_process");
      ${USE}
      if (process.argv[2] === "child") { process.send("used"); process.disconnect(); }
      else {
        const child = fork(__filename, ["child"]);
        const exit = new Promise((resolve) => child.once("exit", resolve));
        const said = await new Promise((resolve) => child.once("message", resolve));
        await exit;
        console.log(said);
      }`,
      backend,
    );
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "used\n", stderr: "" });
  });

  test.each([[["--enable-source-maps"]], [["--trace-warnings", "--conditions=development"]], [["--max-old-space-size=200"]]])(
    "under node %s",
    async (execArgv) => {
      expect(await run(`${USE} console.log("used");`, backend, execArgv)).toMatchObject({ hung: false, code: 0, stdout: "used\n" });
    },
  );

  test("from a program given on the command line", async () => {
    const { main } = writeProgram(path.join(temporaryFolder(), "program"), { tasks, main: `${USE} console.log("used");` });
    for (const execArgv of [
      ["--input-type=module", "-e", `import(${JSON.stringify(main)})`],
      ["-e", `require(${JSON.stringify(main)})`],
    ]) {
      const ended = await runNode("--", [], { execArgv, env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "2" } });
      expect(ended).toMatchObject({ hung: false, code: 0, stdout: "used\n", stderr: "" });
    }
  });
});
