/** Calls that are refused: nothing has been queued or detached. */
import type { FaultGroup } from "../../support/faults";

const REFUSED = { worker: "kept", retried: false } as const;
const TRANSFER = { ...REFUSED, error: "TransferError", code: "MP_TRANSFER" } as const;

export const atTheCall: FaultGroup = {
  title: "At the call",
  tasks: {
    forever: () => {
      for (;;);
    },
    take: (...values: unknown[]) => values.length,
    bytes: (view: Uint8Array) => view.byteLength,
    grow: (buffer: { byteLength: number; resize(length: number): void; resizable: boolean; maxByteLength: number }) => {
      buffer.resize(buffer.maxByteLength);
      return [buffer.resizable, buffer.byteLength];
    },
    growShared: (buffer: { byteLength: number; grow(length: number): void; maxByteLength: number }) => {
      buffer.grow(buffer.maxByteLength);
      return buffer.byteLength;
    },
    fails: () => {
      throw new RangeError("no");
    },
    huge: () => new Uint8Array(2 ** 31),
  },
  rows: {
    "an argument that can't cross": {
      task: "take",
      args: "1, { user: { onClick: () => 1 } }",
      ...TRANSFER,
      message:
        "{f}: args[1].user.onClick cannot be sent to another thread: it is a function (onClick), and what it captures cannot be sent; mark it with parallel() to pass it",
      check: `assert.strictEqual(error.path, "args[1].user.onClick");`,
    },
    "an argument that belongs to this thread": {
      task: "take",
      args: "{ timer: setTimeout(() => undefined, 0) }",
      ...TRANSFER,
      message: "{f}: args[0].timer… cannot be sent to another thread: …",
    },
    "an argument with a getter that throws": {
      task: "take",
      args: `{ get broken() { throw new RangeError("from the getter"); } }`,
      ...REFUSED,
      error: "RangeError",
      message: "from the getter",
    },
    "an argument that is a revoked proxy": {
      task: "take",
      args: "{ inner: (({ proxy, revoke }) => (revoke(), proxy))(Proxy.revocable({}, {})) }",
      ...TRANSFER,
      message:
        "{f}: args[0].inner cannot be sent to another thread: it can't be read (Cannot perform 'getPrototypeOf' on a proxy that has been revoked)",
    },
    "an argument that is detached": {
      task: "take",
      args: "((buffer) => (structuredClone(buffer, { transfer: [buffer] }), { buffer }))(new ArrayBuffer(8))",
      ...TRANSFER,
      message: "{f}: args[0].buffer cannot be sent to another thread: its memory has been moved away (it is detached)",
    },
    "a view of detached memory": {
      task: "take",
      args: "((view) => (structuredClone(view.buffer, { transfer: [view.buffer] }), view))(new Uint8Array(8))",
      ...TRANSFER,
      message: "{f}: args[0] cannot be sent to another thread: its memory has been moved away (it is detached)",
    },
    "memory that can't be moved": {
      task: "take",
      args: "mp.move(new WebAssembly.Memory({ initial: 1 }).buffer)",
      ...TRANSFER,
      message:
        "{f}: args[0] cannot be sent to another thread: its memory cannot be moved (it belongs to a WebAssembly.Memory, or is marked as untransferable)",
    },
    "arguments of more than 2 GB": {
      task: "bytes",
      args: "new Uint8Array(2 ** 31)",
      ...TRANSFER,
      message:
        "{f}: args[0] cannot be sent to another thread: there is no memory for its encoded form (the payload would be larger than 2147483647 bytes)…",
    },
    "a result of more than 2 GB": {
      task: "huge",
      worker: "kept",
      retried: true,
      error: "TransferError",
      code: "MP_TRANSFER",
      message:
        "{f}: result cannot be sent to another thread: there is no memory for its encoded form (the payload would be larger than 2147483647 bytes)…",
    },
    "a signal that is aborted already": {
      task: "take",
      options: `{ signal: AbortSignal.abort(new Error("not now")) }`,
      ...REFUSED,
      error: "CancelledError",
      code: "MP_CANCELLED",
      message: "{f} was not queued: its signal has been aborted already.",
      check: `assert.strictEqual(error.cause.message, "not now");`,
    },
    "a handle among the arguments has failed": {
      task: "take",
      args: "((handle) => (handle.wait(), handle))(T.fails())",
      ...REFUSED,
      error: "DependencyError",
      code: "MP_DEPENDENCY",
      message: "{f} did not run, because fails that it waits for failed.",
      check: `assert.ok(error.cause instanceof RangeError);`,
    },
    "a handle among the arguments fails": {
      task: "take",
      args: "T.fails()",
      ...REFUSED,
      error: "DependencyError",
      code: "MP_DEPENDENCY",
      message: "{f} did not run, because fails that it waits for failed.",
      check: `assert.ok(error.cause instanceof RangeError);`,
    },
    "an option that does not exist": {
      task: "take",
      options: "{ timout: 5 }",
      ...REFUSED,
      error: "TypeError",
      message: `…"timout"…`,
    },
    "an option with a bad value": {
      task: "take",
      options: `{ timeout: "5" }`,
      ...REFUSED,
      error: "TypeError",
      message: `…timeout…`,
    },
    "something in the option after that is no handle": {
      task: "take",
      options: "{ after: [Promise.resolve()] }",
      ...REFUSED,
      error: "TypeError",
      message: `…after…`,
    },
    "the queue is full": {
      main: `await mp.shutdown();
        mp.configure({ threads, maxQueue: 2 });
        const before = Array.from({ length: threads }, () => T.forever.with({ grace: 0 })());
        while (mp.stats().busy < threads) await sleep(1);
        const waiting = [T.add(1, 2), T.add(3, 4)];
        assert.throws(() => T.add(5, 6), (error) => error instanceof mp.QueueFullError && error.code === "MP_QUEUE_FULL" && error.task === "add"
          && error.message === "add was not queued: 2 tasks wait already, and the pool's maxQueue is 2. \`await queueRoom()\` before the call waits for room.");
        for (const handle of before) handle.cancel();
        assert.deepStrictEqual(waiting.map((handle) => handle.get()), [3, 7]);
        assert.strictEqual(await T.add(5, 6), 11);`,
      outcome: ["QueueFullError", "MP_QUEUE_FULL"],
    },
    "a call after the pool has closed for a shutdown": {
      main: `const last = T.spin(20);
        const waiting = mp.shutdown();
        // Still waiting for what is pending: this is waited for, too.
        assert.strictEqual(await T.add(1, 2), 3);
        await waiting;
        assert.strictEqual(last.get(), 20);
        T.spin(1).get();
        const closing = mp.shutdown({ cancelPending: true });
        const refused = (error) => error instanceof mp.ParallelError && error.task === "add"
          && error.message === "add: the pool is shutting down; wait for the promise of shutdown() before the next parallel call.";
        assert.throws(() => T.add(1, 2), refused);
        assert.throws(() => mp.configure({}), mp.ParallelError);
        await closing;
        assert.strictEqual(await T.add(1, 2), 3);`,
      outcome: ["ParallelError"],
    },
    "a graph that has no end": {
      threads: [1],
      main: `const tree = () => new Proxy({ a: 1, b: 1, c: 1 }, { get: (_, key) => ("abc".includes(String(key)) ? tree() : undefined) });
        const buffer = new ArrayBuffer(8);
        assert.throws(() => T.take(mp.move(buffer), { deep: tree() }), (error) => error instanceof mp.TransferError && error.path === "args[1]"
          && error.message === "take: args[1] cannot be sent to another thread: it has no end: its proxies or getters have given hundreds of thousands of objects, one inside of the other");
        assert.strictEqual(buffer.byteLength, 8);
        assert.strictEqual(T.take(1, 2).get(), 2);`,
      outcome: ["TransferError", "MP_TRANSFER"],
    },
    "nothing is detached by a refused call": {
      main: `const buffer = new ArrayBuffer(8), other = new Uint8Array(16);
        for (const call of [
          () => T.take(mp.move(buffer), mp.move(other), () => 1),
          () => T.take.with({ transfer: "move" })(buffer, other, { deep: Symbol("s") }),
          () => T.take.with({ transfer: "move", retry: 2 })(buffer, other),
        ]) {
          assert.throws(call, (error) => error instanceof mp.TransferError || error instanceof TypeError);
          assert.deepStrictEqual([buffer.byteLength, other.byteLength], [8, 16]);
        }
        assert.strictEqual(await T.take(buffer, other), 2);
        assert.deepStrictEqual([buffer.byteLength, other.byteLength], [8, 16]);`,
      outcome: ["nothing", "detached"],
    },
    "resizable and growable buffers": {
      main: `const resizable = new ArrayBuffer(8, { maxByteLength: 64 });
        const tracking = new Uint8Array(resizable);
        tracking[7] = 5;
        assert.deepStrictEqual(await T.grow(resizable), [true, 64]);
        assert.strictEqual(resizable.byteLength, 8);
        resizable.resize(32);
        assert.strictEqual(T.bytes(tracking).get(), 32);
        assert.strictEqual(await T.bytes(mp.move(tracking)), 32);
        assert.ok(resizable.detached ?? resizable.byteLength === 0);
        const growable = new SharedArrayBuffer(8, { maxByteLength: 64 });
        assert.strictEqual(T.growShared(growable).get(), 64);
        assert.strictEqual(growable.byteLength, 64);`,
      outcome: ["resizable", "growable"],
    },
    "a program that was not transformed": {
      main: `const f = mp.parallel((a) => a + 1);
        assert.throws(() => f(1), (error) => error instanceof mp.NotTransformedError && error.code === "MP_NOT_TRANSFORMED" && /makeparallel\\/transformer/.test(error.message));`,
      outcome: ["NotTransformedError", "MP_NOT_TRANSFORMED"],
    },
    "the pool is configured while it runs": {
      main: `await T.add(1, 2);
        assert.throws(() => mp.configure({ threads: 3 }), (error) => error instanceof mp.ParallelError && /configure.*shutdown/.test(error.message));
        assert.throws(() => mp.configure({ thread: 3 }), Error);`,
      outcome: ["ParallelError"],
    },
  },
};
