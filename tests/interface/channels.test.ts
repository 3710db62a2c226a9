import { threaded } from "../support/backends";
import { conformance, type Tools } from "../support/conformance";

declare const mp: Tools["mp"];

const tasks = {
  add: (a: number, b: number) => a + b,
  fail: (message: string) => {
    throw new RangeError(message);
  },
  double: (n: number) => 2 * n,
  count: function* (n: number) {
    for (let i = 0; i < n; i++) yield i;
    return "done";
  },
  exit: (code: number) => process.exit(code),
  endless: () => {
    for (;;);
  },
};

conformance("diagnostics channels", tasks, {
  "a task tells its start, its end, and how it settled": async ({ T, assert }) => {
    const { tracingChannel } = await import("node:diagnostics_channel");
    const seen: string[] = [];
    const messages = new Set<unknown>();
    const note = (event: string) => (message: any) => {
      seen.push(`${event} ${message.name} ${message.error?.message ?? "-"}`);
      messages.add(message);
    };
    const listeners = {
      start: note("start"),
      end: note("end"),
      asyncStart: note("asyncStart"),
      asyncEnd: note("asyncEnd"),
      error: note("error"),
    };
    const channel = tracingChannel("makeparallel.task");
    channel.subscribe(listeners as never);
    const handle = T.add(1, 2);
    assert.deepStrictEqual(seen, ["start add -", "end add -"]);
    assert.strictEqual(([...messages][0] as any).handle, handle);
    await handle;
    await T.fail("no").catch(() => undefined);
    assert.throws(() => T.add(() => 1, 2), mp.TransferError);
    channel.unsubscribe(listeners as never);
    await T.add(1, 1);
    assert.deepStrictEqual(seen.slice(0, 9), [
      "start add -",
      "end add -",
      "asyncStart add -",
      "asyncEnd add -",
      "start fail -",
      "end fail -",
      "error fail no",
      "asyncStart fail no",
      "asyncEnd fail no",
    ]);
    assert.deepStrictEqual(
      seen.slice(9).map((line) => line.split(" ")[0]),
      ["start", "error", "end"],
    );
    assert.strictEqual(messages.size, 3);
  },
  "the value is there for who listens, and the stores that are bound to a start hold for the call": async ({ T, mp, assert }) => {
    const { tracingChannel } = await import("node:diagnostics_channel");
    const { AsyncLocalStorage } = await import("node:async_hooks");
    const channel = tracingChannel("makeparallel.task");
    const storage = new AsyncLocalStorage<string>();
    channel.start.bindStore(storage, (message: any) => `in ${message.name}`);
    const seen: unknown[] = [];
    const end = () => void seen.push(storage.getStore());
    const asyncEnd = ({ result }: any) => void seen.push(result);
    channel.end.subscribe(end);
    channel.asyncEnd.subscribe(asyncEnd);
    await T.add([1], [2]);
    channel.start.unbindStore(storage);
    channel.end.unsubscribe(end);
    channel.asyncEnd.unsubscribe(asyncEnd);
    assert.deepStrictEqual(seen, ["in add", "12"]);
    assert.ok(mp.stats().threads >= 1);
  },
  "a task that nobody waits for tells its end too, without keeping the process alive": async ({ T, assert, until }) => {
    const { tracingChannel } = await import("node:diagnostics_channel");
    const channel = tracingChannel("makeparallel.task");
    let ended = 0;
    const count = () => void ended++;
    channel.asyncEnd.subscribe(count);
    T.add(1, 2);
    T.add.with({ timeout: 1_000 })(1, 2);
    await until(() => ended === 2);
    channel.asyncEnd.unsubscribe(count);
    assert.strictEqual(ended, 2);
  },
  "a map and a stream are one task each": async ({ T, assert }) => {
    const { tracingChannel } = await import("node:diagnostics_channel");
    const channel = tracingChannel("makeparallel.task");
    const seen: string[] = [];
    const handles: unknown[] = [];
    const start = ({ kind, name }: any) => void seen.push(`start ${kind} ${name}`);
    const end = ({ handle }: any) => void handles.push(handle);
    const asyncEnd = ({ kind, name, result, error }: any) =>
      void seen.push(`asyncEnd ${kind} ${name} ${error === undefined ? String(result) : error.message}`);
    channel.start.subscribe(start);
    channel.end.subscribe(end);
    channel.asyncEnd.subscribe(asyncEnd);
    const map = T.double.map([1, 2, 3]);
    await map;
    const stream = T.count(3);
    for await (const n of stream) assert.ok(n >= 0);
    await T.fail.map(["no"]).catch(() => undefined);
    channel.start.unsubscribe(start);
    channel.end.unsubscribe(end);
    channel.asyncEnd.unsubscribe(asyncEnd);
    assert.deepStrictEqual(seen, [
      "start map double",
      "asyncEnd map double 2,4,6",
      "start stream count",
      "asyncEnd stream count done",
      "start map fail",
      "asyncEnd map fail no",
    ]);
    assert.strictEqual(handles[0], map);
    assert.strictEqual(handles[1], stream);
  },
  "workers tell their start and why they end": {
    on: threaded,
    pool: { grace: 20 },
    run: async ({ T, mp, assert, until }) => {
      const { subscribe, unsubscribe } = await import("node:diagnostics_channel");
      const spawned: any[] = [];
      const exited: any[] = [];
      const onSpawn = (message: unknown) => void spawned.push(message);
      const onExit = (message: unknown) => void exited.push(message);
      subscribe("makeparallel.worker.spawn", onSpawn);
      subscribe("makeparallel.worker.exit", onExit);
      const last = () => exited[exited.length - 1];
      await T.add(1, 1);
      assert.ok(spawned.length >= 1);
      assert.strictEqual(spawned[0].worker, 0);
      assert.ok(spawned[0].threadId > 0);
      await T.exit(7).catch(() => undefined);
      await until(() => exited.length === 1);
      assert.deepStrictEqual([last().reason, last().exitCode], ["crashed", 7]);
      assert.ok(spawned.some(({ worker, threadId }) => worker === last().worker && threadId === last().threadId));
      const endless = T.endless();
      await until(() => endless.status === "running");
      endless.cancel();
      await endless.catch(() => undefined);
      await until(() => exited.length === 2);
      assert.strictEqual(last().reason, "terminated");
      await T.add(1, 1);
      const { backend } = mp.stats();
      await mp.shutdown();
      assert.strictEqual(last().reason, "shutdown");
      mp.configure({ backend, threads: 2, minThreads: 0, idleTimeout: 10 });
      await T.add(1, 1);
      await until(() => last().reason === "idle");
      await mp.shutdown();
      assert.strictEqual(exited.length, spawned.length);
      unsubscribe("makeparallel.worker.spawn", onSpawn);
      unsubscribe("makeparallel.worker.exit", onExit);
    },
  },
});
