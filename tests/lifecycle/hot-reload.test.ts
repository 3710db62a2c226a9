/** A rebuild while the program runs: tasks that run end on the chunks that they have, new workers and new tasks get the new ones. */
import path from "node:path";
import { threaded } from "../support/backends";
import { removeTemporaryFolders, runNode, temporaryFolder } from "../support/children";
import { idOf, KEY, RUNTIME, writeProgram } from "../support/chunks";

declare const T: Record<string, any>;

afterAll(removeTemporaryFolders);

/** Both builds as text: the program writes them itself, as a build in watch mode would. */
function build(version: number): string {
  const folder = path.join(temporaryFolder(), `build-${version}`);
  const more = version === 2 ? { added: () => "new" } : {};
  writeProgram(folder, {
    tasks: {
      version: eval(`() => ${version}`) as Function,
      slow: eval(`(ms) => { const end = performance.now() + ms; while (performance.now() < end); return ${version}; }`) as Function,
      lateVersion: eval(`() => ${version}`) as Function,
      ...more,
    },
    main: "",
  });
  return path.join(folder, "parallel-chunks");
}

describe.each(threaded)("on the %s backend", (backend) => {
  test("a rebuild while tasks run: they end on the old chunk, and new workers load the new one", async () => {
    const [old, next] = [build(1), build(2)];
    const { main } = writeProgram(path.join(temporaryFolder(), "program"), {
      tasks: { version: () => 0, slow: () => 0, lateVersion: () => 0, added: () => 0 },
      main: `
        const { cpSync, rmSync } = require("node:fs");
        const chunks = require("node:path").join(__dirname, "parallel-chunks");
        const replace = (from) => { rmSync(chunks, { recursive: true, force: true }); cpSync(from, chunks, { recursive: true }); };
        replace(${JSON.stringify(old)});
        mp.configure({ threads: 2 });
        assert.strictEqual(T.version().get(), 1);
        const running = T.slow(300);
        while (running.status !== "running") await sleep(1);
        // The task that runs has its chunk; its file goes.
        replace(${JSON.stringify(next)});
        // A task that only the new build has is found in the manifest as it is now.
        assert.strictEqual(await T.added(), "new");
        assert.strictEqual(running.get(), 1);
        // Workers that are started from now on have only the new build.
        await mp.shutdown();
        mp.configure({ threads: 2 });
        assert.deepStrictEqual(await Promise.all([T.version(), T.slow(5), T.lateVersion()]), [2, 2, 2]);
        console.log("reloaded");`,
    });
    const ended = await runNode(main, [], { env: { MAKEPARALLEL_BACKEND: backend }, limit: 30_000 });
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "reloaded\n", stderr: "" });
  });

  test("a module that is evaluated again after a rebuild has the new code, in workers that have the old one", async () => {
    const next = build(2);
    const { main } = writeProgram(path.join(temporaryFolder(), "program"), {
      tasks: { version: () => 1, nested: () => T.version().get() },
      main: `
        const { cpSync, rmSync } = require("node:fs");
        const chunks = require("node:path").join(__dirname, "parallel-chunks");
        mp.configure({ threads: 1 });
        assert.strictEqual(T.version().get(), 1);
        rmSync(chunks, { recursive: true });
        cpSync(${JSON.stringify(next)}, chunks, { recursive: true });
        // What a development server does with a changed module.
        const again = require(${JSON.stringify(path.join(RUNTIME, "stub"))}).module(__filename, ${JSON.stringify(KEY)});
        const version = again.wrapper(${JSON.stringify(idOf("version"))}, { name: "version", length: 0, flags: 0 })(undefined);
        assert.strictEqual(version().get(), 2);
        assert.strictEqual(version.local(), 2);
        assert.strictEqual(T.version().get(), 1);
        assert.strictEqual(T.nested().get(), 1);
        console.log("reloaded");`,
    });
    const ended = await runNode(main, [], { env: { MAKEPARALLEL_BACKEND: backend }, limit: 30_000 });
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "reloaded\n", stderr: "" });
  });

  test("chunks that are deleted after they have been loaded", async () => {
    const { main } = writeProgram(path.join(temporaryFolder(), "program"), {
      tasks: { add: (a: number, b: number) => a + b },
      main: `
        mp.configure({ threads: 1 });
        assert.strictEqual(T.add(1, 2).get(), 3);
        require("node:fs").rmSync(require("node:path").join(__dirname, "parallel-chunks"), { recursive: true });
        assert.strictEqual(T.add(3, 4).get(), 7);
        assert.strictEqual(await T.add(5, 6), 11);
        console.log("went on");`,
    });
    const ended = await runNode(main, [], { env: { MAKEPARALLEL_BACKEND: backend }, limit: 30_000 });
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "went on\n", stderr: "" });
  });
});
