/**
 * What makeparallel has to do everywhere, as checks that run one in a process: `basics.cjs <check>`. Built by the esbuild plugin, like any program; the backend comes from
 * the environment. Used by scripts/matrix.mjs on other versions of Node.js, and on Bun and Deno.
 */
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { CancelledError, move, parallel, reportProgress, shutdown, stats, TimeoutError, WorkerCrashedError } from "makeparallel";

const isNode = !("bun" in process.versions) && !("deno" in process.versions);

class Point {
  #y: number;

  constructor(
    readonly x: number,
    y: number,
  ) {
    this.#y = y;
  }

  get sum(): number {
    return this.x + this.#y;
  }
}

const add = parallel((a: number, b: number) => a + b);
const twice = parallel((point: Point) => new Point(point.x * 2, point.sum));
const fail = parallel((text: string) => {
  throw new RangeError(text, { cause: "because" });
});
const aborted = parallel(() => {
  throw new DOMException("no more", "AbortError");
});
const later = parallel(async (ms: number) => {
  await new Promise((resolve) => setTimeout(resolve, ms));
  return "late";
});
const nested = parallel((n: number): number => (n < 2 ? n : nested(n - 1).get() + nested(n - 2).get()));
const forever = parallel(() => {
  for (;;);
});
const exit = parallel((code: number) => process.exit(code));
const range = parallel(function* (n: number) {
  for (let i = 0; i < n; i++) yield i;
});
const double = parallel((n: number) => n * 2);
const spell = parallel((bytes: Uint8Array): [text: string, size: number] => [Buffer.from(bytes).toString(), bytes.buffer.byteLength]);
const fill = parallel((bytes: Uint8Array) => bytes.fill(7).length);
const slow = parallel(async () => {
  reportProgress(0.5);
  await new Promise((resolve) => setTimeout(resolve, 20));
});

function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

async function rejects(promise: PromiseLike<unknown>, kind: new (...args: any[]) => Error): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    assert(error instanceof kind, `${String(error)} in place of a ${kind.name}`);
    return error;
  }
  throw new Error(`fulfilled in place of a ${kind.name}`);
}

const checks: Record<string, () => Promise<void>> = {
  await: async () => {
    assert((await add(1, 2)) === 3, "a value");
    assert((await later(5)) === "late", "an async function");
    const many = await Promise.all(Array.from({ length: 2_000 }, (_, i) => add(i, 1)));
    assert(
      many.every((value, i) => value === i + 1),
      "many values",
    );
  },
  get: async () => {
    assert(add(1, 2).get() === 3, "a value");
    assert(later(5).get(10_000) === "late", "an async function");
  },
  nested: async () => assert((await nested(8)) === 21, "nested calls"),
  data: async () => {
    const point = await twice(new Point(1, 2));
    assert(point instanceof Point && point.x === 2 && point.sum === 5, "a class instance");
    assert((await fill(new Uint8Array(1 << 20))) === 1 << 20, "a large buffer");
    // Each runtime has a pool of its own for small Buffers, which stays where it is.
    const [text, size] = await spell(move(Buffer.from("small")));
    assert(text === "small" && (!isNode || size === 5), `a small Buffer, with ${size} bytes of memory`);
    assert(Buffer.from("another").toString() === "another", "the pool is still there");
    const error = await rejects(fail("thrown"), RangeError);
    assert(error.message === "thrown" && error.cause === "because", "an error");
    const abort = await rejects(aborted(), DOMException);
    assert(abort.name === "AbortError" && abort.message === "no more", "a DOMException");
  },
  limits: async () => {
    await rejects(forever.with({ timeout: 50, grace: 10 })(), TimeoutError);
    const handle = forever.with({ grace: 10 })();
    while (handle.status !== "running") await new Promise((resolve) => setTimeout(resolve, 1));
    assert(handle.cancel(), "cancel() returns true");
    await rejects(handle, CancelledError);
    assert((await add(1, 2)) === 3, "a value afterwards");
  },
  crash: async () => {
    const error = (await rejects(exit(3), WorkerCrashedError)) as WorkerCrashedError;
    assert(error.exitCode === 3, `exit code ${error.exitCode}`);
    assert((await add(1, 2)) === 3, "a value afterwards");
  },
  "map and streams": async () => {
    const doubled = await double.map(Array.from({ length: 10_000 }, (_, i) => i));
    assert(doubled.length === 10_000 && doubled.every((value, i) => value === i * 2), "a map");
    let sum = 0;
    for await (const value of range(100)) sum += value;
    assert(sum === 4_950, "a stream");
    const seen: number[] = [];
    await slow().onProgress((fraction) => seen.push(fraction));
    assert(seen.includes(0.5), "progress");
  },
  workers: async () => {
    const worker = new Worker(__filename);
    const said = await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    assert(said === 7, `a Worker said ${String(said)}`);
    await worker.terminate();
  },
  shutdown: async () => {
    await add(1, 2);
    await shutdown();
    assert((await add(3, 4)) === 7, "a new pool");
    assert(stats().queued === 0, "an empty queue");
  },
};

if (!isMainThread) {
  void add(3, 4).then((sum) => parentPort!.postMessage(sum));
} else if (process.argv[2] === "list") {
  console.log(JSON.stringify(Object.keys(checks)));
} else {
  void checks[process.argv[2]!]!().then(
    () => console.log("ok"),
    (error: unknown) => {
      console.log(error instanceof Error ? error.message : String(error));
      process.exitCode = 1;
    },
  );
}
