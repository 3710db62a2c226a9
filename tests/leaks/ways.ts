/**
 * The ways that a task can go, each as a function that makes `count` tasks go it. Their text runs in a child process (see leaks.test.ts): they see only `mp`,
 * `T`, `sleep` and `until`.
 */
import type { Tools } from "../support/conformance";

declare const mp: Tools["mp"];
declare const T: Tools["T"];
declare function sleep(ms: number): Promise<void>;
declare const PLANTED: unknown[] | undefined;

export const tasks = {
  add: (a: number, b: number) => a + b,
  big: (bytes: number) => new Uint8Array(bytes).fill(1),
  moved: (bytes: number) => mp.move(new Uint8Array(bytes)),
  size: (bytes: Uint8Array) => bytes.length,
  fail: (text: string) => {
    throw new RangeError(text);
  },
  hang: () => new Promise(() => {}),
  forever: () => {
    for (;;);
  },
  exit: () => process.exit(3),
  nested: (n: number): number => T.add(n, 1).get() + T.add(n, 2).get(),
  nestedAsync: async (n: number): Promise<number> => (await T.add(n, 1)) + (await T.add(n, 2)),
  double: (n: number) => n * 2,
  range: function* (n: number) {
    for (let i = 0; i < n; i++) yield { i };
  },
  progress: (n: number) => {
    mp.reportProgress(0.5);
    return n;
  },
};

export interface Way {
  /** Tasks of one batch. */
  count: number;
  run: (count: number) => Promise<void>;
  /** KB of the process that a thousand tasks may cost; default 60. */
  bound?: number;
  /** The same for the resident size alone; default four times as much, and 2,000. */
  residentBound?: number;
  /** Batches that are measured; default 14. */
  batches?: number;
}

export const ways: Record<string, Way> = {
  "a value": {
    count: 2_000,
    run: async (count) => {
      const handles = [];
      for (let i = 0; i < count; i++) handles.push(T.add(i, 1));
      await Promise.all(handles);
      if (PLANTED !== undefined) PLANTED.push(handles);
    },
  },
  "a value that get() waits for": {
    count: 2_000,
    run: async (count) => {
      for (let i = 0; i < count; i++) T.progress(i).get();
    },
  },
  "a large result, copied and moved": {
    count: 100,
    bound: 2_000,
    // A leak of the buffers would be 200,000 or more; what the allocator keeps of them comes and goes.
    residentBound: 60_000,
    run: async (count) => {
      for (let i = 0; i < count; i += 2) await Promise.all([T.big(200_000), T.moved(200_000)]);
    },
  },
  "a large argument, copied, moved and shared": {
    count: 99,
    bound: 2_000,
    // A leak of the buffers would be 200,000 or more; what the allocator keeps of them comes and goes.
    residentBound: 60_000,
    run: async (count) => {
      const shared = mp.share(new Uint8Array(200_000));
      for (let i = 0; i < count; i += 3)
        await Promise.all([T.size(new Uint8Array(200_000)), T.size(mp.move(new Uint8Array(200_000))), T.size(shared)]);
    },
  },
  "an error": {
    count: 500,
    bound: 120,
    run: async (count) => {
      for (let i = 0; i < count; i += 50) await Promise.all(Array.from({ length: 50 }, (_, j) => T.fail(`error ${j}`).catch(() => {})));
    },
  },
  "a cancellation in the queue": {
    count: 1_000,
    run: async (count) => {
      for (let i = 0; i < count; i += 100) {
        const handles = Array.from({ length: 100 }, (_, j) => T.add(j, 1));
        for (const handle of handles) handle.cancel();
        await Promise.allSettled(handles);
      }
    },
  },
  "a time limit that a task keeps": {
    count: 1_000,
    run: async (count) => {
      for (let i = 0; i < count; i += 100) await Promise.all(Array.from({ length: 100 }, (_, j) => T.add.with({ timeout: 60_000 })(j, 1)));
    },
  },
  "a time-out whose worker is replaced": {
    count: 2,
    batches: 8,
    bound: 600_000,
    run: async (count) => {
      for (let i = 0; i < count; i++)
        await T.forever
          .with({ timeout: 1, grace: 0 })()
          .catch(() => {});
    },
  },
  "a task that ends its worker": {
    count: 2,
    batches: 8,
    bound: 600_000,
    run: async (count) => {
      for (let i = 0; i < count; i++) await T.exit().catch(() => {});
    },
  },
  "a handle that nobody looks at": {
    count: 2_000,
    run: async (count) => {
      for (let i = 0; i < count; i++) T.add(i, 1);
      while (mp.stats().queued + mp.stats().running > 0) await sleep(1);
      await T.add(0, 0);
    },
  },
  "a map": {
    count: 10_000,
    run: async (count) => {
      await T.double.map(Array.from({ length: count }, (_, i) => i));
    },
  },
  "a stream, read to its end and left early": {
    count: 30,
    bound: 2_000,
    // V8 does not count shared memory when it decides about a collection: what a worker has seen of it stays until there is one.
    residentBound: 100_000,
    run: async (count) => {
      for (let i = 0; i < count; i += 2) {
        for await (const value of T.range(20)) void value;
        for await (const value of T.range(1_000)) if (value.i === 3) break;
      }
    },
  },
  "a stream that its signal's listener knows": {
    count: 30,
    bound: 2_000,
    residentBound: 100_000,
    run: async (count) => {
      for (let i = 0; i < count; i++) {
        const { signal } = new AbortController();
        const stream = T.range.with({ signal })(3);
        signal.addEventListener("abort", () => stream.cancel());
        for await (const value of stream) void value;
      }
    },
  },
  "nested calls": {
    count: 600,
    bound: 120,
    run: async (count) => {
      for (let i = 0; i < count; i += 60)
        await Promise.all(Array.from({ length: 60 }, (_, j) => (j % 2 === 0 ? T.nested(j) : T.nestedAsync(j))));
    },
  },
  "handles as arguments": {
    count: 1_000,
    bound: 120,
    run: async (count) => {
      for (let i = 0; i < count; i += 50) {
        let last = T.add(0, 1);
        for (let j = 1; j < 50; j++) last = T.add(last, 1);
        await last;
      }
    },
  },
  "a memoized call, beyond the bound of its cache": {
    count: 1_000,
    run: async (count) => {
      const memo = ((globalThis as any).memo ??= T.add.with({ memoize: { max: 50 } }));
      for (let i = 0; i < count; i += 100)
        await Promise.all(Array.from({ length: 100 }, () => memo(((globalThis as any).next = ((globalThis as any).next ?? 0) + 1), 1)));
    },
  },
  "a kept result of a caller that has much": {
    // All of these calls have their place recorded.
    count: 10,
    bound: 5_000,
    // A leak shows in what is live; what the allocator keeps comes and goes.
    residentBound: 200_000,
    run: async (count) => {
      const memo = T.add.with({ memoize: { max: 10_000 } });
      const kept: unknown[] = ((globalThis as any).kept ??= []);
      for (let i = 0; i < count; i++) {
        const much = new Uint8Array(50_000);
        const { signal } = new AbortController();
        signal.addEventListener("abort", () => much.fill(0));
        const call = (): number => kept.push(memo.with({ signal })(kept.length, much.length), T.add(1, much.length));
        call();
        kept.push(T.add.with({ after: [T.big(50_000)] })(1, 2));
      }
      await Promise.all(kept as Promise<unknown>[]);
      kept.push(memo);
    },
  },
  "a retry": {
    count: 200,
    bound: 200,
    run: async (count) => {
      for (let i = 0; i < count; i += 20)
        await Promise.all(
          Array.from({ length: 20 }, () =>
            T.fail
              .with({ retry: 3 })("again")
              .catch(() => {}),
          ),
        );
    },
  },
  "a signal": {
    count: 500,
    bound: 120,
    run: async (count) => {
      const { signal } = ((globalThis as any).controller ??= new AbortController());
      for (let i = 0; i < count; i += 50) await Promise.all(Array.from({ length: 50 }, (_, j) => T.add.with({ signal })(j, 1)));
    },
  },
  "the end of the pool and a new one": {
    count: 3,
    batches: 8,
    // One that stays is 150 on the native backend.
    bound: 60_000,
    residentBound: 2_000_000,
    run: async (count) => {
      for (let i = 0; i < count; i++) {
        await T.add(1, 2);
        await mp.shutdown();
      }
    },
  },
  // The last one: it leaves a task that never ends.
  "waitAny, again and again beside the same pending task": {
    count: 500,
    run: async (count) => {
      const pending = ((globalThis as any).pending ??= T.hang());
      for (let i = 0; i < count; i++) await mp.waitAny([pending, T.add(i, 1)]);
    },
  },
};
