/** How a program ends while tasks are queued and running: always, without a crash, and not before what it waits for. */
import path from "node:path";
import { threaded } from "../support/backends";
import { removeTemporaryFolders, runNode, temporaryFolder, type Ended, type RunOptions } from "../support/children";
import { writeProgram } from "../support/chunks";
import type { Tools } from "../support/conformance";

declare const sleep: (ms: number) => Promise<void>;

afterAll(removeTemporaryFolders);

const tasks = {
  add: (a: number, b: number) => a + b,
  spin: (ms: number) => {
    const end = performance.now() + ms;
    while (performance.now() < end);
    return ms;
  },
  forever: () => {
    for (;;);
  },
  hang: () => new Promise(() => undefined),
  later: async (ms: number, value: unknown) => {
    await sleep(ms);
    return value;
  },
  fails: () => {
    throw new RangeError("no");
  },
  numbers: function* (count: number) {
    for (let i = 0; i < count; i++) yield i;
  },
  callsLater: (value: unknown): unknown => T.later(1, value).get(),
  nestedForever: (): unknown => T.forever().get(),
  /** Says so, then sleeps. */
  hold: (gate: Int32Array) => {
    Atomics.add(gate, 1, 1);
    Atomics.notify(gate, 1);
    Atomics.wait(gate, 0, 0);
  },
  /** Waits, as soon as it may, for a task on another worker, and when that wait fails goes on until that worker is gone. */
  outlive: (ready: Int32Array, gate: Int32Array, threads: number) => {
    Atomics.store(ready, 1, 1);
    Atomics.wait(ready, 0, 0);
    const handle = T.hold(gate);
    for (let seen; (seen = Atomics.load(gate, 1)) === 0;) Atomics.wait(gate, 1, seen);
    try {
      handle.get();
    } finally {
      while (mp.stats().threads === threads);
    }
  },
  callsOutlive: (ready: Int32Array, gate: Int32Array, threads: number): unknown => T.outlive(ready, gate, threads).get(),
};
declare const mp: Tools["mp"];
declare const T: Tools["T"];

/** Busy in every way: loops, async tasks, nested waits, and a queue behind them. */
const BUSY = `
  mp.configure({ threads: 2 });
  const busy = [T.nestedForever(), T.forever(), T.hang(), ...Array.from({ length: 1000 }, (_, i) => T.add(i, 1))];
  while (mp.stats().busy < 2) await sleep(1);
`;

function run(main: string, backend: string, options: RunOptions = {}): Promise<Ended> {
  const program = writeProgram(path.join(temporaryFolder(), "program"), { tasks, main });
  return runNode(program.main, [], { ...options, env: { MAKEPARALLEL_BACKEND: backend, ...options.env }, limit: 15_000 });
}

describe.each(threaded)("on the %s backend", (backend) => {
  test("process.exit ends a program with tasks queued and running", async () => {
    const ended = await run(`${BUSY} console.log("leaving"); process.exit(5);`, backend);
    expect(ended).toMatchObject({ hung: false, code: 5, signal: null, stdout: "leaving\n", stderr: "" });
    expect(ended.took).toBeLessThan(8_000);
  });

  test.each(["process.exit(5);", "process.exitCode = 5;"])("listeners of exit can still call tasks (%s)", async (end) => {
    const ended = await run(
      `const pending = T.spin(50);
      const look = (when) => process.on("exit", () => console.log(when, pending.get(), T.add(1, 2).get(), T.later(1, 3).get(), T.callsLater(4).get()));
      look("before");
      await T.add(1, 2);
      look("after");
      look("last");
      ${end}`,
      backend,
    );
    expect(ended).toMatchObject({ hung: false, code: 5, stderr: "", stdout: "before 50 3 3 4\nafter 50 3 3 4\nlast 50 3 3 4\n" });
  });

  test("process.exit with tasks queued and running, and listeners of exit beside the pool's", async () => {
    const ended = await run(`${BUSY} process.on("exit", () => console.log(T.add(1, 2).isReady())); process.exit(5);`, backend);
    expect(ended).toMatchObject({ hung: false, code: 5, stdout: "false\n", stderr: "" });
  });

  test("a failure that is polled for and then awaited is not reported at the end; one that is only polled for is", async () => {
    const taken = await run(
      `const handle = T.fails(); while (!handle.isReady()) await sleep(1); await handle.then(() => 0, (error) => console.log(error.message));`,
      backend,
    );
    expect(taken).toMatchObject({ hung: false, code: 0, stdout: "no\n", stderr: "" });
    const dropped = await run(`const handle = T.fails(); while (!handle.isReady()) await sleep(1);`, backend);
    expect(dropped).toMatchObject({ hung: false, code: 1 });
    expect(dropped.stderr).toContain("RangeError: no");
  });

  test("process.exit right after the first calls", async () => {
    for (let i = 0; i < 5; i++) {
      const ended = await run(`for (let i = 0; i < 10; i++) T.forever(); process.exit(5);`, backend);
      expect(ended).toMatchObject({ hung: false, code: 5, signal: null, stderr: "" });
    }
  });

  test("process.exit from a callback of a handle", async () => {
    const ended = await run(
      `${BUSY} busy[0].unref(); T.add.with({ priority: 1 }); mp.AsyncHandle.of(1).onComplete(() => process.exit(6)); await sleep(60_000);`,
      backend,
    );
    expect(ended).toMatchObject({ hung: false, code: 6, signal: null, stderr: "" });
  });

  test("an exception that nobody catches ends the program with its message", async () => {
    const ended = await run(`${BUSY} setTimeout(() => { throw new Error("the end"); }, 10); await sleep(60_000);`, backend);
    expect(ended).toMatchObject({ hung: false, code: 1, signal: null });
    expect(ended.stderr).toContain("the end");
  });

  test.each(["SIGINT", "SIGTERM"] as const)("%s ends a program with tasks queued and running", async (signal) => {
    const ended = await run(`${BUSY} console.log("ready"); await sleep(60_000);`, backend, {
      onOutput: (stdout, child) => {
        if (stdout.includes("ready")) child.kill(signal);
      },
    });
    expect(ended).toMatchObject({ hung: false, signal, stdout: "ready\n", stderr: "" });
  });

  test.each(["SIGINT", "SIGTERM"] as const)("%s ends a program that is blocked in get", async (signal) => {
    const ended = await run(`${BUSY} require("node:fs").writeSync(1, "ready"); busy[0].get();`, backend, {
      onOutput: (stdout, child) => {
        if (stdout.includes("ready")) setTimeout(() => child.kill(signal), 50);
      },
    });
    expect(ended).toMatchObject({ hung: false, signal, stdout: "ready" });
  });

  test("a handler of SIGINT shuts the pool down", async () => {
    const ended = await run(
      `${BUSY}
      for (const handle of busy) handle.catch(() => undefined);
      process.once("SIGINT", async () => { await mp.shutdown({ cancelPending: true }); console.log(busy.every((handle) => handle.isCancelled())); });
      console.log("ready");`,
      backend,
      {
        onOutput: (stdout, child) => {
          if (stdout === "ready\n") child.kill("SIGINT");
        },
      },
    );
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "ready\ntrue\n", stderr: "" });
  });

  test("a program whose tasks nobody waits for ends, however long they would run", async () => {
    const ended = await run(`${BUSY} console.log("done");`, backend);
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "done\n", stderr: "" });
    expect(ended.took).toBeLessThan(8_000);
  });

  test("a program that awaits a task waits for it", async () => {
    const ended = await run(`const value = await T.later(300, "late"); console.log(value);`, backend);
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "late\n" });
    expect(ended.took).toBeGreaterThan(300);
  });

  test("a program that only has a callback on a task waits for it", async () => {
    const ended = await run(`T.spin(200).onComplete((value) => console.log("complete", value));`, backend);
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "complete 200\n" });
  });

  test("unref lets the program end, ref holds it", async () => {
    const loose = await run(
      `const handle = T.forever(); handle.onComplete(() => undefined); handle.unref(); console.log("done");`,
      backend,
    );
    expect(loose).toMatchObject({ hung: false, code: 0, stdout: "done\n" });
    const held = await run(`T.later(200, 1).ref()._whenSettled(() => console.log("settled")); console.log("done");`, backend);
    expect(held).toMatchObject({ hung: false, code: 0, stdout: "done\nsettled\n" });
    const again = await run(
      `const handle = T.later(200, 1); handle.onComplete(() => console.log("complete")); handle.unref().ref();`,
      backend,
    );
    expect(again).toMatchObject({ hung: false, code: 0, stdout: "complete\n" });
  });

  test("unref of handles that wait for others lets the program end, ref holds it", async () => {
    const calls = (slow: string): string => `[
      T.add.with({ after: [T.${slow.replace("(", ".with({ memoize: true })(")}] })(1, 2),
      T.add.with({ after: [T.${slow.replace("(", ".with({ retry: 2 })(")}] })(1, 2),
      T.add(T.add.with({ retry: 2 })(T.add.with({ retry: 2 })(T.${slow.replace("(", ".with({ retry: 2 })(")}, 1), 2), 3),
      T.${slow.replace("(", ".with({ memoize: true })(")},
    ]`;
    const loose = await run(
      `for (const handle of ${calls("forever()")}) { handle.onComplete(() => undefined); handle.unref(); }
      for (const handle of ${calls("forever()")}) handle.unref().onComplete(() => undefined);
      console.log("done");`,
      backend,
    );
    expect(loose).toMatchObject({ hung: false, code: 0, stdout: "done\n" });
    const held = await run(
      `for (const handle of ${calls("later(50, 1)")}) { handle.onComplete(() => console.log("complete")); handle.unref().ref(); }`,
      backend,
    );
    expect(held).toMatchObject({ hung: false, code: 0, stdout: "complete\n".repeat(4) });
  });

  test("a handle that others wait for keeps the program alive for those that have not been unref'ed", async () => {
    const ended = await run(
      `const slow = T.later.with({ memoize: true }), source = slow(200, 1);
      const loose = T.add(source, 1), held = T.add(source, 2);
      for (const handle of [loose, held]) handle.onComplete((value) => console.log(value));
      source.onComplete(() => console.log("source"));
      source.unref();
      loose.unref();
      slow(200, 1).unref().onComplete(() => console.log("the same run"));`,
      backend,
    );
    expect(ended).toMatchObject({ hung: false, code: 0 });
    expect(ended.stdout).toContain("3\n");
  });

  test("a handle that has been cancelled keeps nothing alive that it waited for", async () => {
    const ended = await run(
      `const handle = T.add(T.forever.with({ memoize: true })(), 1);
      handle.onError((error) => console.log(error.code));
      handle.cancel();`,
      backend,
    );
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "MP_CANCELLED\n" });
  });

  test("an idle pool does not keep the program alive", async () => {
    const ended = await run(`console.log(await T.add(1, 2)); console.log(T.add(3, 4).get());`, backend);
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "3\n7\n", stderr: "" });
    expect(ended.took).toBeLessThan(5_000);
  });

  test("a failed task that nobody looks at ends the program as any unhandled rejection does", async () => {
    const ended = await run(
      `T.later(0, 1); const failing = T.hang.with({ timeout: 20 })(); failing.ref(); await sleep(500); console.log("still here");`,
      backend,
    );
    expect(ended).toMatchObject({ hung: false, code: 1, stdout: "" });
    expect(ended.stderr).toContain("TimeoutError");
  });

  test("shutdown waits for tasks that nobody observes, also when observed ones end meanwhile", async () => {
    const ended = await run(
      `mp.configure({ threads: 1 });
      const last = T.later(300, "late");
      const closing = mp.shutdown({ timeout: 60_000 });
      console.log(await T.add(1, 2));
      await closing;
      console.log(last.status, last.get());`,
      backend,
    );
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "3\nfulfilled late\n", stderr: "" });
    // The limit of the shutdown does not hold the program.
    expect(ended.took).toBeLessThan(15_000);
  });

  test("a shutdown in the middle of everything settles every handle", async () => {
    const ended = await run(
      `mp.configure({ threads: 2 });
      const stream = T.numbers(1e9);
      const read = (async () => { let n = 0; for await (const i of stream) n = i; return n; })().catch((error) => error.name);
      const failed = T.fails.with({ retry: { attempts: 100, delay: 5 } })();
      const mapped = T.spin.map(Array.from({ length: 200 }, () => 1)).then(() => "mapped", (error) => error.name);
      const handles = [T.forever(), T.hang(), T.add(T.later(50, 1), 2), T.add.with({ after: [T.hang()] })(1, 2), failed, T.nestedForever(),
        ...Array.from({ length: 50 }, (_, i) => T.add(i, 1))];
      const settled = Promise.allSettled(handles);
      await sleep(40);
      await mp.shutdown({ cancelPending: true });
      console.log((await settled).length, new Set(handles.map((handle) => handle.isReady())).size, handles[0].status, handles[1].status, failed.status);
      console.log(typeof await read, typeof await mapped);
      console.log(await T.add(1, 2));`,
      backend,
    );
    expect(ended).toMatchObject({
      hung: false,
      code: 0,
      stdout: "56 1 cancelled cancelled cancelled\nstring string\n3\n",
      stderr: "",
    });
  });

  test("process.exit with a task in each state", async () => {
    const ended = await run(
      `mp.configure({ threads: 1 });
      const running = T.forever();
      while (running.status !== "running") await sleep(1);
      const queued = T.add(1, 2), waiting = T.add(queued, 1), done = mp.AsyncHandle.of(1);
      const retried = T.fails.with({ retry: { attempts: 9, delay: 10_000 } })(), stream = T.numbers(10), map = T.add.map([1, 2, 3]);
      void stream.next();
      console.log(running.status, queued.status, waiting.status, done.status);
      process.exit(4);`,
      backend,
    );
    expect(ended).toMatchObject({ hung: false, code: 4, signal: null, stdout: "running queued waiting fulfilled\n", stderr: "" });
  });

  test("a queue of tasks goes on while the program computes, and while it idles", async () => {
    const ended = await run(
      `const seen = mp.sharedArray(Int32Array, 1);
      const handles = Array.from({ length: 2000 }, (_, i) => T.add(i, 1));
      const end = performance.now() + 1000;
      while (performance.now() < end);
      const start = performance.now();
      handles.forEach((handle) => handle.get());
      console.log(performance.now() - start < 500);`,
      backend,
    );
    expect(ended).toMatchObject({ hung: false, code: 0, stdout: "true\n" });
  });
});

test("a worker that sees others end with the program reports nothing", async () => {
  // Node ends one worker after the other, the youngest ones usually first: the one that is waited for, then those that only hold, and last the one that waits.
  const ended = await run(
    `const threads = 10;
    mp.configure({ threads });
    const [ready, gate, ...gates] = Array.from({ length: threads }, () => mp.sharedArray(Int32Array, 2));
    const begun = async (array) => { while (Atomics.load(array, 1) === 0) await sleep(1); };
    void T.callsOutlive(ready, gate, threads);
    await begun(ready);
    for (const other of gates) { void T.hold(other); await begun(other); }
    Atomics.store(ready, 0, 1);
    Atomics.notify(ready, 0);
    await begun(gate);
    process.exit(5);`,
    "native",
  );
  expect(ended).toMatchObject({ hung: false, code: 5, stdout: "", stderr: "" });
});
