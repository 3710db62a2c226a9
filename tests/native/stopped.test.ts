/**
 * A worker that is being stopped, on the native backend, in the moment between the pool's end with it and the end of its thread. The test makes that moment longer, as
 * a loaded machine does.
 */
import path from "node:path";
import { hasNative } from "../support/backends";
import { runNode, removeTemporaryFolders, temporaryFolder } from "../support/children";
import { RUNTIME, writeProgram } from "../support/chunks";

afterAll(removeTemporaryFolders);

declare const mp: typeof import("../../dist/runtime-ts/src/index.js");
declare const T: Record<string, (...args: unknown[]) => { get(): unknown; isReady(): boolean; catch(handler: () => void): void }>;

const tasks = {
  add: (a: number, b: number) => a + b,
  /** Never ends. Notes what becomes of tasks that it has called before its worker is stopped, and then. */
  callsUntilItIsStopped: (seen: Int32Array) => {
    const look = (handle: { get(): unknown }, word: number): void => {
      try {
        handle.get();
        Atomics.store(seen, word, 1);
      } catch (error) {
        const expected = error instanceof mp.WorkerCrashedError && /^add was not run, because the worker/.test(error.message);
        Atomics.store(seen, word, expected ? 2 : error instanceof mp.CancelledError ? 3 : 4);
      }
    };
    const early = T["add"]!(1, 2);
    early.catch(() => {});
    while (!early.isReady());
    look(early, 0);
    look(T["add"]!(3, 4), 1);
    for (;;);
  },
};

(hasNative ? test : test.skip)(
  "what its tasks have called fails as what a crash takes along, and is not cancelled",
  async () => {
    const { main } = writeProgram(path.join(temporaryFolder(), "program"), {
      tasks,
      main: `
      const binding = require(${JSON.stringify(path.join(RUNTIME, "pool", "native-binding.js"))}).loadBinding();
      const { openPool } = binding;
      binding.openPool = (...options) => {
        const port = openPool(...options);
        const { removeWorker } = port;
        port.removeWorker = (id) => {
          const result = removeWorker(id);
          const end = performance.now() + 5_000;
          while (performance.now() < end && Atomics.load(seen, 1) === 0);
          return result;
        };
        return port;
      };
      mp.configure({ threads: 1, grace: 0 });
      const seen = mp.sharedArray(Int32Array, 2);
      assert.strictEqual(await T.add(1, 2), 3);
      const stopped = T.callsUntilItIsStopped(seen);
      while (stopped.status !== "running") await sleep(1);
      stopped.cancel();
      // The pool ends with the worker in one of the next turns.
      while (Atomics.load(seen, 1) === 0) await sleep(1);
      console.log([...seen].join(" "));`,
    });
    const ended = await runNode(main, [], { env: { MAKEPARALLEL_BACKEND: "native" }, limit: 60_000 });
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "2 2\n", stderr: "" });
  },
  70_000,
);
