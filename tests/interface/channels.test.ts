import { conformance, type Tools } from "../support/conformance";

declare const mp: Tools["mp"];

const tasks = {
  add: (a: number, b: number) => a + b,
  fail: (message: string) => {
    throw new RangeError(message);
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
});
