import { conformance, type Tools } from "../support/conformance";

declare const mp: Tools["mp"];
declare const sleep: Tools["sleep"];

const tasks = {
  add: (a: number, b: number) => a + b,
  steps: async (gate: Int32Array) => {
    for (const fraction of [0.25, 0.5]) {
      mp.reportProgress(fraction);
      await sleep(5);
    }
    while (Atomics.load(gate, 0) === 0) await sleep(1);
    return "done";
  },
  fail: () => {
    throw new Error("no");
  },
  share: async (fraction: number) => {
    mp.reportProgress(fraction);
    await sleep(150);
  },
  /** A cancelled one goes on where no thread can be stopped: the process must not wait for it. */
  pause: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms).unref()),
  square: (n: number) => n * n,
};

/** Streams that keep what is written to them. */
const streams = `
const { Writable } = require("node:stream");
function stream(isTTY) {
  const made = new Writable({ write(text, _encoding, done) { made.text += text; done(); } });
  return Object.assign(made, { text: "", isTTY, columns: 100 });
}
const terminal = () => stream(true);
const pipe = () => stream(false);
// What has been drawn, line by line, without the sequences that move the cursor.
const drawn = ({ text }) => text.replace(/\\u001b[78]|\\u001b\\[[?\\d;]*[A-Za-z]/g, "\\r").split(/[\\r\\n]+/).map((line) => line.trimEnd()).filter(Boolean);
const barsLoaded = () => Object.keys(require.cache).some((file) => file.includes("cli-progress"));
`;

interface Stream extends NodeJS.WritableStream {
  text: string;
}
declare function terminal(): Stream;
declare function pipe(): Stream;
declare function drawn(stream: Stream): string[];
declare function barsLoaded(): boolean;

conformance(
  "progress bars",
  tasks,
  {
    "where there is no terminal: lines, and the library is not even loaded": async ({ T, mp, assert }) => {
      const stream = pipe();
      const handles = [T.add(1, 1), T.add(2, 2), T.fail()];
      assert.strictEqual(mp.progressBar(handles, { stream, label: "adding" }), handles);
      assert.deepStrictEqual(await mp.gather(handles, { onError: "skip" }), [2, 4]);
      assert.match(stream.text, /^adding: 100%, 3\/3, \d+\.\d s, 1 failed\n$/);
      assert.strictEqual(barsLoaded(), false);
    },
    "a stream that throws is the program's uncaught exception, and holds up no task": async ({ T, mp, assert, until }) => {
      const heard: unknown[] = [];
      const others = process.listeners("uncaughtException");
      process.removeAllListeners("uncaughtException");
      process.on("uncaughtException", ({ message }) => heard.push(message));
      const write = (): never => {
        throw new Error("no room");
      };
      const shown = [1, 2, 3].map((n) => mp.progressBar(T.add(n, 0), { stream: { write, isTTY: false } as never }));
      // Also where it throws while somebody waits for another task.
      assert.strictEqual(T.add(1, 1).get(), 2);
      assert.deepStrictEqual(await Promise.all([...shown, T.add(2, 2)]), [1, 2, 3, 4]);
      await until(() => heard.length === 3);
      assert.deepStrictEqual(heard, ["no room", "no room", "no room"]);
      process.removeAllListeners("uncaughtException");
      for (const other of others) process.on("uncaughtException", other);
    },
    "all of them are 100 %, whatever fractions they have reported": async ({ T, mp, assert }) => {
      const stream = pipe();
      // In whichever order they come, these add up to less than 3.
      await mp.gather(mp.progressBar([T.share(0.6), T.share(0.6), T.share(0.6)], { stream }));
      assert.match(stream.text, /^share: 100%, 3\/3, /m);
      const single = terminal();
      await mp.progressBar(T.share(0.29), { stream: single });
      assert.deepStrictEqual(
        drawn(single).filter((line) => line.includes(" 28%")),
        [],
      );
    },
    "a narrow terminal has a shorter bar, and all figures": async ({ T, mp, assert }) => {
      const stream = Object.assign(terminal(), { columns: 30 });
      await mp.gather(mp.progressBar([T.add(1, 1), T.add(2, 2)], { stream }));
      assert.match(drawn(stream).at(-1)!, /^add █{3,10} 100% 2\/2 \d+\.\d s$/);
    },
    "or nothing": async ({ T, mp, assert }) => {
      const stream = pipe();
      assert.strictEqual(await mp.progressBar(T.add(1, 2), { stream, piped: "silent" }), 3);
      assert.strictEqual(stream.text, "");
    },
    "a handle shows what its task reports": async ({ T, mp, assert, until }) => {
      const stream = terminal();
      const gate = mp.sharedArray(Int32Array, 1);
      const handle = mp.progressBar(T.steps(gate), { stream });
      await until(() => drawn(stream).some((line) => line.includes(" 50%")));
      Atomics.store(gate, 0, 1);
      assert.strictEqual(await handle, "done");
      const last = drawn(stream).at(-1)!;
      assert.match(last, /^steps █{30} 100% \d+\.\d s$/);
      assert.ok(stream.text.endsWith("\n"));
      const { length } = stream.text;
      await T.pause(150);
      assert.strictEqual(stream.text.length, length, "it goes on drawing after its end");
    },
    "the bar of a task that fails or is cancelled ends and says so": async ({ T, mp, assert }) => {
      const failing = terminal();
      await assert.rejects(mp.progressBar(T.fail(), { stream: failing }), /no/);
      assert.match(drawn(failing).at(-1)!, /^fail .* failed$/);
      assert.ok(failing.text.endsWith("\n"));
      const cancelled = terminal();
      const handle = mp.progressBar(T.pause(60_000), { stream: cancelled, label: "waiting" });
      handle.cancel();
      await assert.rejects(handle, mp.CancelledError);
      assert.match(drawn(cancelled).at(-1)!, /^waiting .* cancelled$/);
    },
    "many handles are counted, with what has become of them": async ({ T, mp, assert }) => {
      const stream = terminal();
      const cancelled = T.pause(60_000);
      const handles = mp.progressBar([...Array.from({ length: 8 }, (_, i) => T.add(i, 1)), T.fail(), cancelled], { stream });
      cancelled.cancel();
      await mp.gather(handles, { onError: "settle" });
      assert.match(drawn(stream).at(-1)!, /^tasks █{30} 100% 10\/10 \d+\.\d s 1 failed, 1 cancelled$/);
    },
    "a map is counted by its items, whether their number is known or not": async ({ T, mp, assert }) => {
      const known = terminal();
      const items = Array.from({ length: 500 }, (_, i) => i);
      const squares = await mp.progressBar(T.square.map(items, { chunkSize: 50 }), { stream: known });
      assert.strictEqual((squares as number[])[499], 499 * 499);
      assert.match(drawn(known).at(-1)!, /^square.map █{30} 100% 500\/500 \d/);
      const open = terminal();
      await mp.progressBar(T.square.map(new Set(items), { chunkSize: 50 }), { stream: open });
      assert.match(drawn(open).at(-1)!, /^square.map 500 done \d+\.\d s$/);
      const failing = pipe();
      await assert.rejects(mp.progressBar(T.fail.map(items), { stream: failing }), /no/);
      assert.match(failing.text, /failed\n$/);
    },
    "bars at the same time stand below each other, and each ends with its own task": async ({ T, mp, assert }) => {
      const stream = terminal();
      const gate = mp.sharedArray(Int32Array, 1);
      const first = mp.progressBar(T.pause(20), { stream, label: "first" });
      const second = mp.progressBar(T.steps(gate), { stream, label: "second" });
      await first;
      assert.ok(!second.isReady());
      Atomics.store(gate, 0, 1);
      await second;
      const lines = drawn(stream);
      for (const label of ["first", "second"]) assert.match(lines.filter((line) => line.startsWith(label)).at(-1)!, /100%/);
      const places = ["first", "second"].map((label) => lines.findIndex((line) => line.startsWith(label)));
      assert.ok(places[0]! < places[1]! && stream.text.endsWith("\n"));
    },
    "what has ended already, and nothing at all": async ({ T, mp, assert }) => {
      const stream = pipe();
      const handle = T.add(1, 1);
      await handle;
      mp.progressBar(handle, { stream, label: "old" });
      mp.progressBar([], { stream, label: "none" });
      assert.match(stream.text, /^old: 100%, 0\.0 s\nnone: 100%, 0\/0, 0\.0 s\n$/);
    },
    "mistakes are told": ({ T, mp, assert }) => {
      assert.throws(() => mp.progressBar(Promise.resolve(1)), /another promise/);
      assert.throws(() => mp.progressBar([T.add(1, 1), Promise.resolve(1)]), /item 1 of the array/);
      assert.throws(() => mp.progressBar(T.add(1, 1), { piped: "loud" as never }), /"piped"/);
      assert.throws(() => mp.progressBar(T.add(1, 1), { lable: "x" } as never), /"lable" is no option of progressBar\(\)/);
    },
  },
  { program: streams },
);
