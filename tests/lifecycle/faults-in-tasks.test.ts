/** Faults inside a task: the task fails, the pool goes on. Each in a process of its own that must end in time. */
import path from "node:path";
import { threaded } from "../support/backends";
import { removeTemporaryFolders, runNode, temporaryFolder } from "../support/children";
import { writeProgram } from "../support/chunks";
import type { Tools } from "../support/conformance";

declare const T: Tools["T"];
declare const sleep: (ms: number) => Promise<void>;

afterAll(removeTemporaryFolders);

const tasks = {
  add: (a: number, b: number) => a + b,
  spin: (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
    return ms;
  },
  exit: (code: number) => process.exit(code),
  exitLater: async (code: number) => {
    await sleep(10);
    process.exit(code);
  },
  uncaught: async () => {
    setTimeout(() => {
      throw new RangeError("thrown from a timer");
    }, 5);
    await sleep(5_000);
  },
  unhandled: async () => {
    void Promise.reject(new TypeError("nobody handles this"));
    await sleep(5_000);
  },
  unhandledNonError: async () => {
    void Promise.reject("just text");
    await sleep(5_000);
  },
  leavesRejection: () => {
    void Promise.reject(new TypeError("orphaned"));
    return "done";
  },
  leavesThrower: () => {
    setTimeout(() => {
      throw new RangeError("orphaned");
    }, 20);
    return "done";
  },
  throwFunction: () => {
    throw () => 1;
  },
  throwSymbol: () => {
    throw Symbol("odd");
  },
  throwNasty: () => {
    throw {
      get message() {
        throw new Error("from a getter");
      },
    };
  },
  returnUnsendable: () => ({ deep: { socket: () => 1 } }),
  overflow: () => {
    const deeper = (n: number): number => deeper(n + 1) + 1;
    return deeper(0);
  },
  overflowNested: (): number => T.overflowNested().get() + 1,
  forever: () => {
    for (;;);
  },
  hang: () => new Promise(() => undefined),
  print: (text: string) => console.log(text),
  nestedExit: () => {
    try {
      T.exit(9).get();
    } catch (error) {
      return (error as Error).name;
    }
    return "nothing was thrown";
  },
  outOfMemory: () => {
    const hoard: unknown[] = [];
    for (;;) hoard.push(new Array(1e5).fill(hoard.length));
  },
  kill: () => process.kill(process.pid, "SIGKILL"),
};

interface Fault {
  name: string;
  main: string;
  stderr?: RegExp;
}

const crashed = (call: string, check: string): string => `
  for (const look of [(h) => h.get(), (h) => h]) {
    let error;
    try { await look(${call}); } catch (thrown) { error = thrown; }
    assert.ok(error instanceof mp.WorkerCrashedError, String(error));
    assert.strictEqual(error.code, "MP_WORKER_CRASHED");
    ${check}
    assert.strictEqual(T.add(1, 2).get(), 3);
    assert.strictEqual(await T.add(3, 4), 7);
  }`;

const faults: Fault[] = [
  { name: "process.exit in a task", main: crashed("T.exit(3)", "assert.strictEqual(error.exitCode, 3);") },
  { name: "process.exit in an async task", main: crashed("T.exitLater(4)", "assert.strictEqual(error.exitCode, 4);") },
  { name: "process.exit(0) in a task", main: crashed("T.exit(0)", "assert.strictEqual(error.exitCode, 0);") },
  {
    name: "an uncaught exception while a task runs",
    main: crashed(
      "T.uncaught()",
      'assert.ok(error.cause instanceof RangeError); assert.strictEqual(error.cause.message, "thrown from a timer");',
    ),
  },
  {
    name: "an unhandled rejection while a task runs",
    main: crashed(
      "T.unhandled()",
      'assert.ok(error.cause instanceof TypeError); assert.strictEqual(error.cause.message, "nobody handles this");',
    ),
  },
  {
    name: "an unhandled rejection with something that is no error",
    main: crashed("T.unhandledNonError()", "assert.ok(/just text/.test(String(error.cause) + error.message), error.stack);"),
  },
  {
    name: "a rejection that a task leaves behind is said once, and the pool goes on",
    main: `assert.strictEqual(await T.leavesRejection(), "done");
      for (let i = 0; i < 20; i++) { assert.strictEqual(T.add(i, 1).get(), i + 1); await sleep(5); }`,
    stderr: /^(?=[^]*orphaned)(?![^]*orphaned[^]*orphaned)/,
  },
  {
    name: "an exception after a task has ended is said once, and the pool goes on",
    main: `assert.strictEqual(await T.leavesThrower(), "done");
      for (let i = 0; i < 20; i++) { assert.strictEqual(await T.add(i, 1), i + 1); await sleep(5); }`,
    stderr: /^(?=[^]*orphaned)(?![^]*orphaned[^]*orphaned)/,
  },
  {
    name: "throwing what can't be sent",
    main: `for (const name of ["throwFunction", "throwSymbol", "throwNasty"]) {
        await assert.rejects(T[name](), Error);
        assert.throws(() => T[name]().get(), Error);
      }
      assert.strictEqual(await T.add(1, 2), 3);`,
  },
  {
    name: "returning what can't be sent",
    main: `await assert.rejects(T.returnUnsendable(), (error) => error instanceof mp.TransferError && /socket/.test(error.path));
      assert.strictEqual(await T.add(1, 2), 3);`,
  },
  {
    name: "a stack overflow",
    main: `for (let i = 0; i < 5; i++) {
        await assert.rejects(T.overflow(), RangeError);
        assert.throws(() => T.overflow().get(), RangeError);
        assert.strictEqual(await T.add(1, 2), 3);
      }`,
  },
  {
    name: "a stack overflow through nested calls",
    main: `await assert.rejects(T.overflowNested(), RangeError);
      assert.strictEqual(await T.add(1, 2), 3);
      assert.strictEqual(T.add(1, 2).get(), 3);`,
    // The innermost call's get() has failed, so that nobody looks at that call's own failure.
    stderr: /^$|Maximum call stack/,
  },
  {
    name: "an infinite loop under a time limit",
    main: `assert.throws(() => T.forever.with({ timeout: 50, grace: 10 })().get(), mp.TimeoutError);
      await assert.rejects(T.forever.with({ timeout: 50, grace: 10 })(), mp.TimeoutError);
      assert.strictEqual(await T.add(1, 2), 3);`,
  },
  {
    name: "a promise that never settles under a time limit",
    main: `assert.throws(() => T.hang.with({ timeout: 50, grace: 10 })().get(), mp.TimeoutError);
      await assert.rejects(T.hang.with({ timeout: 50, grace: 10 })(), mp.TimeoutError);
      assert.strictEqual(await T.add(1, 2), 3);
      assert.strictEqual(T.add(1, 2).get(), 3);`,
  },
  {
    name: "the death of every worker while the caller is blocked, with tasks queued behind",
    main: `const dying = Array.from({ length: 10 }, (_, i) => T.exit(i + 1));
      const living = Array.from({ length: 50 }, (_, i) => T.add(i, 1));
      living.forEach((handle, i) => assert.strictEqual(handle.get(), i + 1));
      dying.forEach((handle, i) => assert.throws(() => handle.get(), (error) => error instanceof mp.WorkerCrashedError && error.exitCode === i + 1));`,
  },
  {
    name: "a hundred deaths in a program that never gives its event loop a turn",
    main: `for (let i = 0; i < 100; i++) assert.throws(() => T.exit(1).get(), mp.WorkerCrashedError);
      assert.strictEqual(T.add(1, 2).get(), 3);`,
  },
  {
    name: "the death of a worker with a nested call under way",
    main: `for (let i = 0; i < 5; i++) {
        const outcome = await T.nestedExit().catch((error) => error.name);
        // On its own worker the nested task takes the waiting one along.
        assert.strictEqual(outcome, "WorkerCrashedError");
        assert.strictEqual(await T.add(1, 2), 3);
      }`,
  },
  {
    name: "what a task prints is seen once, in order, while the caller is blocked",
    main: `T.print("from the task").get(); require("node:fs").writeSync(1, "from the caller\\n");`,
  },
];

describe.each(threaded)("on the %s backend the program survives", (backend) => {
  test.each(faults)("$name", async ({ main, stderr }) => {
    for (const threads of [1, 2]) {
      const program = writeProgram(path.join(temporaryFolder(), "program"), { tasks, main: `${main}\nconsole.log("survived");` });
      const env = { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: String(threads) };
      const ended = await runNode(program.main, [], { env, limit: 30_000 });
      expect(ended).toMatchObject({ hung: false, code: 0, stdout: expect.stringContaining("survived\n") });
      if (stderr === undefined) expect(ended.stderr).toBe("");
      else expect(ended.stderr).toMatch(stderr);
      if (main.includes("T.print")) expect(ended.stdout).toBe("from the task\nfrom the caller\nsurvived\n");
    }
  });

  test("a worker that runs out of memory", async () => {
    const main = `mp.configure({ threads: 1, resourceLimits: { maxOldGenerationSizeMb: 40 } });
      for (const look of [(h) => h.get(), (h) => h]) {
        let error;
        try { await look(T.outOfMemory()); } catch (thrown) { error = thrown; }
        assert.ok(error instanceof mp.WorkerCrashedError, String(error));
        assert.strictEqual(T.add(1, 2).get(), 3);
      }
      console.log("survived");`;
    const program = writeProgram(path.join(temporaryFolder(), "program"), { tasks, main });
    const ended = await runNode(program.main, [], { env: { MAKEPARALLEL_BACKEND: backend }, limit: 40_000 });
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "survived\n" });
  });
});
