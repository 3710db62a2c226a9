/** Faults inside of a task's own code. */
import type { Tools } from "../../support/conformance";
import type { FaultGroup } from "../../support/faults";

declare const T: Tools["T"];
declare const sleep: (ms: number) => Promise<void>;
declare const require: (id: string) => any;

/** It is said once for each thread count. */
const twice = (text: string): RegExp => new RegExp(`^(?=[^]*${text}[^]*${text})(?![^]*${text}[^]*${text}[^]*${text})`);

const MP_WORKER_CRASHED = { error: "WorkerCrashedError", code: "MP_WORKER_CRASHED", worker: "replaced", retried: true } as const;
const MP_TIMEOUT = { error: "TimeoutError", code: "MP_TIMEOUT", worker: "replaced", retried: false } as const;
const THROWN = { worker: "kept", retried: true } as const;

export const inATask: FaultGroup = {
  title: "In a task",
  tasks: {
    throwsError: () => {
      throw new TypeError("no such thing");
    },
    rejects: async () => {
      await sleep(1);
      throw new TypeError("no such thing");
    },
    throwsUndefined: () => {
      throw undefined;
    },
    throwsFrozen: () => {
      throw Object.freeze(new RangeError("frozen"));
    },
    throwsRevoked: () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      throw proxy;
    },
    throwsGetter: () => {
      throw Object.defineProperty(new Error("the message"), "detail", {
        enumerable: true,
        get() {
          throw new Error("from the getter");
        },
      });
    },
    throwsUnsendable: () => {
      throw Object.assign(new RangeError("with a socket"), { status: 503, socket: () => 1 });
    },
    asksForMethods: async (list: { parse?: (n: number) => number }[]) => {
      await sleep(1);
      return list.map((item) => item.parse!(1));
    },
    throwsFunction: () => {
      throw () => 1;
    },
    rejectsThenable: () => ({
      then(_: unknown, reject: (reason: unknown) => void) {
        reject("from a thenable");
      },
    }),
    throwsInThen: () => ({
      get then() {
        throw new RangeError("from then");
      },
    }),
    returnsUnsendable: () => ({ deep: { socket: () => 1 } }),
    returnsThrowingGetter: () => ({
      get broken() {
        throw new RangeError("from the getter");
      },
    }),
    returnsRevoked: () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return { inner: proxy };
    },
    returnsHuge: () => {
      const part = new Uint8Array(900 * 2 ** 20);
      return [part, part.slice(), part.slice()];
    },
    exits: (code: number) => process.exit(code),
    exitsLater: async (code: number) => {
      await sleep(5);
      process.exit(code);
    },
    uncaught: async () => {
      setTimeout(() => {
        throw new RangeError("thrown from a timer");
      }, 5);
      await sleep(60_000);
    },
    unhandled: async () => {
      void Promise.reject(new TypeError("nobody handles this"));
      await sleep(60_000);
    },
    unhandledText: async () => {
      void Promise.reject("just text");
      await sleep(60_000);
    },
    emitsError: async () => {
      new (require("node:events").EventEmitter)().emit("error", new RangeError("no listener"));
    },
    overflows: () => {
      const deeper = (n: number): number => deeper(n + 1) + 1;
      return deeper(0);
    },
    /** Waits for tasks of its own on every level of a recursion that has come to the end of the stack, until some have been waited for. */
    waitsWhereTheStackEnds: (count: number) => {
      let left = count;
      const go = (a: number, b: number, c: number): number => {
        let depth = 0;
        try {
          depth = go(b, c, a) + 1;
        } catch {
          // Here it was full.
        }
        if (left > 0) {
          try {
            if (T["later"](1, "later").get() === "later") left--;
          } catch {
            // Not yet.
          }
        }
        return depth;
      };
      return go(1, 2, 3) > 0 && left;
    },
    overflowsNested: (): number => T["overflowsNested"]().get() + 1,
    later: async (ms: number, value: unknown) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      return value;
    },
    large: (value: number) => ({ value, list: [1, 2, 3], text: "x".repeat(100) }),
    forever: () => {
      for (;;);
    },
    hangs: () => new Promise(() => undefined),
    foreverCatching: () => {
      for (;;) {
        try {
          for (;;);
        } catch {
          // A termination can't be caught.
        }
      }
    },
    catastrophicRegExp: () => /^(a+)+$/.test(`${"a".repeat(40)}!`),
    blockedInNativeCode: () => {
      require("node:child_process").spawnSync(process.execPath, ["-e", "setTimeout(() => {}, 700)"]);
    },
    outOfMemory: () => {
      const hoard: unknown[] = [];
      for (;;) hoard.push(new Array(1e5).fill(hoard.length));
    },
    allocates: () => new ArrayBuffer(2 ** 53 - 1),
    waitsForever: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
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
    leavesLateRejection: () => {
      void sleep(20).then(() => Promise.reject(new TypeError("orphaned")));
      return "done";
    },
    handlesItself: async () => {
      const said: string[] = [];
      const onError = (error: Error) => void said.push(error.message);
      const onRejection = (reason: unknown) => void said.push(String(reason));
      process.on("uncaughtException", onError);
      process.on("unhandledRejection", onRejection);
      setTimeout(() => {
        throw new RangeError("thrown from a timer");
      }, 1);
      await sleep(10);
      void Promise.reject("rejected");
      await sleep(10);
      process.off("uncaughtException", onError);
      process.off("unhandledRejection", onRejection);
      return said.join(", ");
    },
    nestsExit: () => {
      try {
        T["exits"](9).get();
      } catch (error) {
        return (error as Error).name;
      }
      return "nothing was thrown";
    },
    awaitsExit: async () => {
      try {
        await T["exits"](9);
      } catch (error) {
        return `inner: ${(error as Error).name}`;
      }
      return "nothing was thrown";
    },
    nestsForever: () => {
      try {
        T["forever"].with({ timeout: 50, grace: 10 })().get();
      } catch (error) {
        return (error as Error).name;
      }
      return "nothing was thrown";
    },
    prints: (text: string) => console.log(text),
    printsMuch: (lines: number) => {
      for (let i = 0; i < lines; i++) console.log(`line ${i} ${"x".repeat(100)}`);
    },
    printsAndExits: () => {
      console.error("to stderr");
      console.log("last words");
      process.exit(1);
    },
    emits: async (count: number) => {
      const emitter = new (require("node:events").EventEmitter)();
      const seen: number[] = [];
      emitter.on("tick", (i: number) => void seen.push(i));
      for (let i = 0; i < count; i++) setTimeout(() => emitter.emit("tick", i), i * 5);
      await sleep(count * 5 + 20);
      return seen;
    },
    replacesExit: () => {
      (process as { exit: unknown }).exit = () => undefined;
    },
    throwsAtExit: () => {
      process.on("exit", () => {
        throw new RangeError("thrown by a listener");
      });
    },
    replacesMapGet: () => {
      Map.prototype.get = () => {
        throw new RangeError("replaced");
      };
    },
    rejectsTwice: () =>
      new Promise((resolve, reject) => {
        resolve("first");
        reject(new Error("second"));
      }),
  },
  rows: {
    "the task throws": { task: "throwsError", ...THROWN, error: "TypeError", message: "no such thing" },
    "the task rejects": { task: "rejects", ...THROWN, error: "TypeError", message: "no such thing" },
    "the task throws undefined": { task: "throwsUndefined", ...THROWN, error: "the value", message: "undefined" },
    "the task throws a frozen error": { task: "throwsFrozen", ...THROWN, error: "RangeError", message: "frozen" },
    "the task throws a function": {
      task: "throwsFunction",
      ...THROWN,
      error: "Error",
      message: "the task threw a function (anonymous), which could not be carried to the caller: …",
    },
    "the task throws a revoked proxy": {
      task: "throwsRevoked",
      ...THROWN,
      error: "Error",
      message: "the task threw …, which could not be carried to the caller: …",
    },
    "the task throws an error with a getter that throws": { task: "throwsGetter", ...THROWN, error: "Error", message: "the message" },
    "the task throws an error that holds what can't cross": {
      task: "throwsUnsendable",
      ...THROWN,
      error: "RangeError",
      message: "with a socket",
      check: `assert.strictEqual(error.status, 503); assert.ok(!("socket" in error));`,
    },
    "an instance of a package's class is asked for a method": {
      task: "asksForMethods",
      args: `[[new (class ZodNumber { checks = [1]; parse(n) { return n; } })()]]`,
      ...THROWN,
      error: "TypeError",
      message: "item.parse is not a function. (An instance of ZodNumber has arrived here without methods: …)",
    },
    "the task returns a thenable that rejects": { task: "rejectsThenable", ...THROWN, error: "the value", message: "from a thenable" },
    "the task returns an object whose then throws": { task: "throwsInThen", ...THROWN, error: "RangeError", message: "from then" },
    "the result can't be encoded": {
      task: "returnsUnsendable",
      ...THROWN,
      error: "TransferError",
      code: "MP_TRANSFER",
      message: "…result.deep.socket…",
      check: `assert.strictEqual(error.path, "result.deep.socket");`,
    },
    "the result has a getter that throws": { task: "returnsThrowingGetter", ...THROWN, error: "RangeError", message: "from the getter" },
    "the result holds a revoked proxy": {
      task: "returnsRevoked",
      ...THROWN,
      error: "TransferError",
      code: "MP_TRANSFER",
      message: "…result.inner…",
    },
    "process.exit": {
      task: "exits",
      args: "3",
      ...MP_WORKER_CRASHED,
      message: "The worker that ran {f} ended under it: process.exit(3) was called in it, or in another task on the same worker.",
      check: "assert.strictEqual(error.exitCode, 3);",
    },
    "process.exit in an async task": {
      task: "exitsLater",
      args: "0",
      ...MP_WORKER_CRASHED,
      message: "The worker that ran {f} ended under it: process.exit(0) was called in it, or in another task on the same worker.",
      check: "assert.strictEqual(error.exitCode, 0);",
    },
    "an uncaught exception while the task runs": {
      task: "uncaught",
      ...MP_WORKER_CRASHED,
      message: "The worker that ran {f} ended under it: RangeError: thrown from a timer",
      check: "assert.ok(error.cause instanceof RangeError);",
    },
    "an unhandled rejection while the task runs": {
      task: "unhandled",
      ...MP_WORKER_CRASHED,
      message: "The worker that ran {f} ended under it: TypeError: nobody handles this",
      check: "assert.ok(error.cause instanceof TypeError);",
    },
    "an unhandled rejection with something that is no error": {
      task: "unhandledText",
      ...MP_WORKER_CRASHED,
      message: "The worker that ran {f} ended under it: …just text…",
    },
    "an error event without a listener": { task: "emitsError", ...THROWN, error: "RangeError", message: "no listener" },
    "a stack overflow": { task: "overflows", ...THROWN, error: "RangeError", message: "Maximum call stack size exceeded" },
    "an infinite loop under a timeout": {
      task: "forever",
      options: "{ timeout: 50, grace: 10 }",
      ...MP_TIMEOUT,
      message: "{f} has not ended within its timeout of 50 ms.",
    },
    "a loop that catches everything, under a timeout": {
      task: "foreverCatching",
      options: "{ timeout: 50, grace: 10 }",
      ...MP_TIMEOUT,
      message: "{f} has not ended within its timeout of 50 ms.",
    },
    "a regular expression without end, under a timeout": {
      task: "catastrophicRegExp",
      options: "{ timeout: 50, grace: 10 }",
      ...MP_TIMEOUT,
      message: "{f} has not ended within its timeout of 50 ms.",
    },
    "Atomics.wait without end, under a timeout": {
      task: "waitsForever",
      options: "{ timeout: 50, grace: 10 }",
      ...MP_TIMEOUT,
      message: "{f} has not ended within its timeout of 50 ms.",
    },
    "a promise that never settles, under a timeout": {
      task: "hangs",
      options: "{ timeout: 50, grace: 10 }",
      ...MP_TIMEOUT,
      message: "{f} has not ended within its timeout of 50 ms.",
    },
    "a call of native code that takes long, under a timeout": {
      task: "blockedInNativeCode",
      options: "{ timeout: 50, grace: 10 }",
      ...MP_TIMEOUT,
      message: "{f} has not ended within its timeout of 50 ms.",
    },
    "an allocation that is too large": { task: "allocates", ...THROWN, error: "RangeError", message: "Array buffer allocation failed" },
    "a worker runs out of memory": {
      task: "outOfMemory",
      pool: "{ resourceLimits: { maxOldGenerationSizeMb: 40 } }",
      ...MP_WORKER_CRASHED,
      message: "The worker that ran {f} ended under it…",
    },
    "a stack overflow through nested calls": {
      // The innermost call's get() has failed, so that nobody looks at that call's own failure.
      stderr: /^$|Maximum call stack/,
      // What fails on one worker ends others, so this takes its time on a machine with much else to do.
      run: { limit: 50_000 },
      main: `await assert.rejects(T.overflowsNested(), RangeError);
        assert.strictEqual(await T.add(1, 2), 3);
        assert.strictEqual(T.add(1, 2).get(), 3);`,
      outcome: ["RangeError"],
    },
    "get() where the stack is about to end": {
      main: `const looks = [(handle) => handle.get(), (handle) => handle.wait(), (handle) => { for (let i = 0; i < 100 && !handle.isReady(); i++); }, (handle) => handle.cancel()];
        // The very first call may be one of these.
        for (const call of [(i) => T.add(i, 1), (i) => T.later(1, i), (i) => T.large(i)]) {
          for (const look of looks) {
            const handles = [];
            let left = 4;
            const go = (a, b, c) => {
              try { go(b, c, a); } catch {}
              if (left === 0) return;
              try { handles.push(call(left)); look(handles.at(-1)); left--; } catch (error) { assert(error instanceof RangeError, error); }
            };
            go(1, 2, 3);
            assert(handles.length >= 4);
            for (const { status, reason } of await Promise.allSettled(handles)) assert(status === "fulfilled" || (look === looks[3] && reason.code === "MP_CANCELLED"), reason);
          }
        }
        for (let i = 0; i < 3; i++) {
          assert.strictEqual(T.waitsWhereTheStackEnds(4).get(), 0);
          assert.strictEqual(T.add(i, 2).get(), i + 2);
        }`,
      outcome: ["RangeError"],
    },
    "a task settles its promise twice": {
      main: `assert.strictEqual(await T.rejectsTwice(), "first"); assert.strictEqual(T.rejectsTwice().get(), "first");`,
      outcome: ["first"],
    },
    "a rejection that a task leaves behind": {
      main: `assert.strictEqual(await T.leavesRejection(), "done");
        for (let i = 0; i < 10; i++) { assert.strictEqual(T.add(i, 1).get(), i + 1); await sleep(5); }`,
      stderr: twice("orphaned"),
      outcome: ["stderr"],
    },
    "a rejection after the task has ended": {
      main: `assert.strictEqual(await T.leavesLateRejection(), "done");
        for (let i = 0; i < 20; i++) { assert.strictEqual(T.add(i, 1).get(), i + 1); await sleep(5); }`,
      stderr: twice("orphaned"),
      outcome: ["stderr"],
    },
    "an exception after the task has ended": {
      main: `assert.strictEqual(await T.leavesThrower(), "done");
        for (let i = 0; i < 20; i++) { assert.strictEqual(await T.add(i, 1), i + 1); await sleep(5); }`,
      stderr: twice("orphaned"),
      outcome: ["stderr"],
    },
    "a module that handles uncaught exceptions itself": {
      main: `assert.strictEqual(await T.handlesItself(), "thrown from a timer, rejected");
        assert.strictEqual(await T.handlesItself(), "thrown from a timer, rejected");`,
      outcome: ["uncaughtException", "unhandledRejection"],
    },
    "a task replaces process.exit": {
      main: `await T.replacesExit();
        await assert.rejects(T.uncaught(), mp.WorkerCrashedError);
        for (let i = 0; i < 10; i++) assert.strictEqual(T.add(i, 1).get(), i + 1);
        await T.replacesExit();
        await mp.shutdown();
        mp.configure({ threads, minThreads: 0, idleTimeout: 20 });
        await T.replacesExit();
        while (mp.stats().threads > 0) await sleep(10);
        assert.strictEqual(T.add(1, 2).get(), 3);`,
      outcome: ["process.exit"],
    },
    "a task leaves an exit listener that throws": {
      main: `mp.configure({ threads, minThreads: 0, idleTimeout: 20 });
        await T.throwsAtExit();
        await assert.rejects(T.exits(3), (error) => error instanceof mp.WorkerCrashedError && error.exitCode === 3);
        assert.strictEqual(T.add(1, 2).get(), 3);
        await T.throwsAtExit();
        while (mp.stats().threads > 0) await sleep(10);
        assert.strictEqual(T.add(1, 2).get(), 3);`,
      stderr: /thrown by a listener/,
      outcome: ["stderr"],
    },
    "a task breaks what the runtime needs": {
      threads: [1],
      main: `await T.replacesMapGet().catch(() => undefined);
        // On one of the backends the first task afterwards is what meets it.
        await T.add(1, 2).catch((error) => assert.ok(error instanceof mp.WorkerCrashedError, error));
        for (let i = 0; i < 10; i++) assert.strictEqual(T.add(i, 1).get(), i + 1);`,
      stderr: /^/,
      outcome: ["WorkerCrashedError"],
    },
    "every worker dies while the caller is blocked, with tasks queued behind": {
      main: `const dying = Array.from({ length: 6 }, (_, i) => T.exits(i + 1));
        const living = Array.from({ length: 50 }, (_, i) => T.add(i, 1));
        living.forEach((handle, i) => assert.strictEqual(handle.get(), i + 1));
        dying.forEach((handle, i) => assert.throws(() => handle.get(), (error) => error instanceof mp.WorkerCrashedError && error.exitCode === i + 1));`,
      outcome: ["WorkerCrashedError"],
    },
    "one death after the other in a program that never gives its event loop a turn": {
      main: `for (let i = 0; i < 15; i++) assert.throws(() => T.exits(1).get(), mp.WorkerCrashedError);
        assert.strictEqual(T.add(1, 2).get(), 3);`,
      outcome: ["WorkerCrashedError"],
    },
    "a nested task ends its worker": {
      main: `for (let i = 0; i < 3; i++) {
          const outcome = await T.nestsExit().catch((error) => error.name);
          // It ran on the waiting task's worker, and takes that along.
          assert.ok(outcome === "WorkerCrashedError", outcome);
          assert.strictEqual(await T.add(1, 2), 3);
        }`,
      outcome: ["WorkerCrashedError", "get()"],
    },
    "a nested task ends its worker while the outer one awaits": {
      threads: [2],
      main: `for (let i = 0; i < 3; i++) {
          assert.strictEqual(await T.awaitsExit().catch((error) => "outer: " + error.name), "outer: WorkerCrashedError");
          assert.strictEqual(await T.add(1, 2), 3);
        }`,
      outcome: ["WorkerCrashedError", "await"],
    },
    "a nested infinite loop under a timeout": {
      main: `for (let i = 0; i < 2; i++) {
          const outcome = await T.nestsForever().catch((error) => error.name + ": " + error.message);
          assert.ok(/TimeoutError|WorkerCrashedError/.test(outcome), outcome);
          assert.strictEqual(await T.add(1, 2), 3);
        }`,
      outcome: ["TimeoutError", "WorkerCrashedError"],
    },
    "what a task writes while the caller is blocked": {
      main: `T.prints("from the task").get();
        require("node:fs").writeSync(1, "from the caller\\n");
        T.printsMuch(2000).get();
        T.printsAndExits().wait();`,
      ended: ({ code, stdout, stderr }) => {
        expect({ code, stderr }).toEqual({ code: 0, stderr: "to stderr\nto stderr\n" });
        const much = `${Array.from({ length: 2000 }, (_, i) => `line ${i} ${"x".repeat(100)}`).join("\n")}\n`;
        expect(stdout).toBe(`${`from the task\nfrom the caller\n${much}last words\n`.repeat(2)}survived\n`);
      },
      outcome: ["stdout", "stderr"],
    },
    "an EventEmitter and timers in a task while the caller is blocked": {
      main: `assert.deepStrictEqual(T.emits(5).get(), [0, 1, 2, 3, 4]);`,
      outcome: ["event loop"],
    },
  },
};
