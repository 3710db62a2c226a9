/** What Node writes at the end of a thread, its CPU profile and its coverage, is written for every worker, however it ends. */
import { readdirSync } from "node:fs";
import path from "node:path";
import { threaded } from "../support/backends";
import { removeTemporaryFolders, runNode, temporaryFolder } from "../support/children";
import { writeProgram } from "../support/chunks";
import type { Tools } from "../support/conformance";

afterAll(removeTemporaryFolders);

const tasks = {
  spin: (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
  },
  /** @param says set when it is about to exit */
  exits: (ms: number, says: Int32Array) => {
    T.spin.local(ms);
    process.once("exit", () => Atomics.store(says, 0, 1));
    process.exit(3);
  },
};
declare const T: Tools["T"];

/** Each ends the program, with samples enough in both workers for the writing to take a while. */
const ends = {
  "the program ends under busy and idle workers": `void T.spin(60_000).unref(); await T.spin(100);`,
  "the program exits just when its last task has ended": `await Promise.all([T.spin(100), T.spin(100)]); process.exit(0);`,
  "the program exits while a task exits its worker": `
    const says = mp.sharedArray(Int32Array, 1);
    void T.spin(100).unref();
    T.exits(100, says).catch(() => undefined);
    while (Atomics.load(says, 0) === 0) await sleep(1);
    process.exit(0);`,
  "a task is stopped, and then the pool is shut down": `
    const stopped = T.spin.with({ grace: 0 })(60_000);
    await T.spin(100);
    stopped.cancel();
    await mp.shutdown();`,
};

const cases = Object.entries(ends).flatMap(([name, main]) => threaded.map((backend) => [name, backend, main] as const));

test.each(cases)(
  "%s (%s)",
  async (_name, backend, main) => {
    const folder = temporaryFolder();
    const [profiles, coverage] = [path.join(folder, "profiles"), path.join(folder, "coverage")];
    const program = writeProgram(path.join(folder, "program"), {
      tasks,
      main: `mp.configure({ threads: 2 }); await T.spin.warm(); await T.exits.warm(); ${main}`,
    });
    const ended = await runNode(program.main, [], {
      execArgv: ["--cpu-prof", "--cpu-prof-interval=50", `--cpu-prof-dir=${profiles}`],
      env: { MAKEPARALLEL_BACKEND: backend, NODE_V8_COVERAGE: coverage },
      limit: 60_000,
    });
    expect(ended).toMatchObject({ code: 0, stderr: "", hung: false });
    // Of the program's thread and two workers.
    expect([readdirSync(profiles).length, readdirSync(coverage).length]).toEqual([3, 3]);
  },
  90_000,
);
