/** Chunks that can't be loaded, and workers that can't start. */
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createHash } from "node:crypto";
import type { FaultGroup, ProgramFault } from "../../support/faults";
import type { Program } from "../../support/chunks";

declare const T: Record<string, any>;

/** Every look at a call of `add` gives a ChunkError that matches, and a program that goes on. */
const chunkError = (message: RegExp, rest: Omit<ProgramFault, "main" | "outcome">): ProgramFault => ({
  ...rest,
  threads: [2],
  main: `for (const look of [async () => T.add(1, 2).get(), async () => await T.add(1, 2), async () => await T.add.with({ retry: 2 })(1, 2)]) {
      let error;
      try { await look(); } catch (thrown) { error = thrown; }
      assert.ok(error instanceof mp.ChunkError, String(error));
      assert.strictEqual(error.code, "MP_CHUNK");
      assert.match(error.message, ${String(message)});
      assert.strictEqual(error.task, "add");
      assert.match(error.stack, /main\\.cjs:/);
    }`,
  outcome: ["ChunkError", "MP_CHUNK"],
});

function changeManifest(change: (manifest: any) => void): (program: Program) => void {
  return ({ manifest }) => {
    const value: unknown = JSON.parse(readFileSync(manifest, "utf8"));
    change(value);
    writeFileSync(manifest, JSON.stringify(value));
  };
}

/** Replaces the chunk and its hash, as a build would write it. */
function changeChunk(change: (text: string) => string): (program: Program) => void {
  return ({ chunk, manifest }) => {
    const text = change(readFileSync(chunk, "utf8"));
    writeFileSync(chunk, text);
    const value = JSON.parse(readFileSync(manifest, "utf8")) as { chunks: Record<string, { sha256: string }> };
    for (const entry of Object.values(value.chunks)) entry.sha256 = createHash("sha256").update(text).digest("hex");
    writeFileSync(manifest, JSON.stringify(value));
  };
}

/** No worker can start: the call fails instead of waiting for ever, and the program can set the pool up anew. */
const noWorker = (settings: string, message: RegExp, change?: (program: Program) => void): ProgramFault => ({
  ...(change === undefined ? {} : { change }),
  threads: [2],
  main: `await mp.shutdown(); mp.configure({ threads, ...${settings} });
    for (const look of [async () => T.add(1, 2).get(), async () => await T.add(1, 2)]) {
      let error;
      try { await look(); } catch (thrown) { error = thrown; }
      assert.ok(error instanceof mp.WorkerCrashedError, String(error));
      assert.strictEqual(error.task, "add");
      assert.match(error.message, ${String(message)});
    }
    await mp.shutdown(); mp.configure({ threads });
    assert.strictEqual(T.add(1, 2).get(), 3);
    assert.strictEqual(await T.add(1, 2), 3);`,
  outcome: ["WorkerCrashedError", "MP_WORKER_CRASHED"],
});

/** The system gives no thread beyond so many: Node's own error, from a `Worker` that the program has put in its place. */
const threadLimit = (most: number): string => `const threads$ = require("node:worker_threads"), Worker$ = threads$.Worker;
    let starts = 0, refused = 0, most = ${most};
    threads$.Worker = class extends Worker$ {
      constructor(...given) {
        if (starts >= most) { refused++; throw Object.assign(new Error("EAGAIN"), { code: "ERR_WORKER_INIT_FAILED" }); }
        super(...given);
        starts++;
      }
    };`;

export const starting: FaultGroup = {
  title: "Chunks and workers that can't start",
  tasks: {
    later: async (value: number) => {
      await null;
      return value;
    },
    /** Blocks in a continuation, together with so many others. */
    blocksOnLater: async (value: number, { buffer, count }: { buffer: SharedArrayBuffer; count: number }) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      const here = new Int32Array(buffer);
      Atomics.add(here, 0, 1);
      Atomics.notify(here, 0);
      for (let seen = Atomics.load(here, 0); seen < count; seen = Atomics.load(here, 0)) Atomics.wait(here, 0, seen);
      return T.later(value).get() + 1;
    },
    deepens: async (depth: number): Promise<number> => {
      await null;
      return depth === 0 ? 0 : T.deepens(depth - 1).get() + 1;
    },
    spins: (gate: SharedArrayBuffer) => void Atomics.wait(new Int32Array(gate), 0, 0),
  },
  rows: {
    "a chunk that throws while it is loaded": chunkError(
      /The chunk tasks-\w+\.js failed while it was loaded for the task add: RangeError: at load/,
      {
        chunkPrologue: 'throw new RangeError("at load");',
      },
    ),
    "a chunk that needs what only the program has set up": chunkError(
      /TypeError: Reflect\.getMetadata is not a function \(What the program imports for its effect, .* with `\/\/ @parallel-include` above it\.\)$/,
      {
        chunkPrologue: 'Reflect.getMetadata("a");',
      },
    ),
    "a chunk that requires a package that is not installed": chunkError(
      /tasks-\w+\.js failed while it was loaded for the task add: .*Cannot find module 'no-such-package'/,
      {
        chunkPrologue: 'require("no-such-package");',
      },
    ),
    "an external package that is not installed": chunkError(/add.*no-such-package/, {
      change: changeManifest((manifest) => {
        for (const chunk of Object.values<any>(manifest.chunks))
          chunk.externals.push({ request: "no-such-package", specifier: "no-such-package", from: "..", kind: "import" });
      }),
    }),
    "a chunk with a syntax error": chunkError(/tasks-\w+\.js failed while it was loaded for the task add: SyntaxError: /, {
      change: changeChunk((text) => `${text}\n))`),
    }),
    "a chunk that has been changed since the build": chunkError(/tasks-\w+\.js.*Build again/, {
      change: ({ chunk }) => appendFileSync(chunk, "// changed"),
    }),
    "a chunk file is missing": chunkError(/tasks-\w+\.js/, { change: ({ chunk }) => rmSync(chunk) }),
    "a chunk without the task": chunkError(/does not export the task test\.ts#add/, {
      change: changeChunk((text) => text.replace('exports["add"] =', 'exports["other"] =')),
    }),
    "the manifest is missing": chunkError(/No manifest parallel-chunks\/test\.json/, { change: ({ manifest }) => rmSync(manifest) }),
    "the manifest is damaged": chunkError(/The manifest .* is damaged\. Build again/, {
      change: ({ manifest }) => writeFileSync(manifest, "{"),
    }),
    "a manifest of another version": chunkError(/makeparallel 9\.9\.9 .*Build again/, {
      change: changeManifest((manifest) => Object.assign(manifest, { format: 99, version: "9.9.9" })),
    }),
    "a manifest without the task": chunkError(/knows no task test\.ts#add.*Build again/, {
      change: changeManifest((manifest) => (manifest.tasks = {})),
    }),
    "process.exit while a chunk is loaded": {
      chunkPrologue: "if (!require('node:worker_threads').isMainThread) process.exit(5);",
      main: `for (const look of [async () => T.add(1, 2).get(), async () => await T.add(1, 2)])
          await assert.rejects(look(), (error) => error instanceof mp.WorkerCrashedError && error.exitCode === 5);`,
      outcome: ["WorkerCrashedError", "MP_WORKER_CRASHED"],
    },
    "a chunk that loads for ever, under a timeout": {
      chunkPrologue: "if (!require('node:worker_threads').isMainThread) for (;;);",
      main: `assert.throws(() => T.add.with({ timeout: 100, grace: 10 })(1, 2).get(), mp.TimeoutError);
        await assert.rejects(T.add.with({ timeout: 100, grace: 10 })(1, 2), mp.TimeoutError);`,
      outcome: ["TimeoutError", "MP_TIMEOUT"],
    },
    "code that is preloaded into workers fails": noWorker(
      `{ env: { NODE_OPTIONS: "--require " + JSON.stringify(require("node:path").join(__dirname, "preload.cjs")) } }`,
      /add was not run, because no worker can be started: /,
      ({ folder }) => writeFileSync(path.join(folder, "preload.cjs"), 'throw new Error("preload says no");'),
    ),
    "bad resourceLimits": {
      main: `await mp.shutdown();
        for (const resourceLimits of [{ maxOldGenerationSizeMb: "many" }, { maxOldGenerationSizeMB: 10 }, 5, { maxOldGenerationSizeMb: 2 }, { stackSizeMb: 0.1 }])
          assert.throws(() => mp.configure({ threads, resourceLimits }), (error) => /^(Type|Range)Error$/.test(error.name) && /resourceLimits/.test(error.message));
        mp.configure({ threads });`,
      outcome: ["TypeError", "RangeError"],
    },
    "the working directory has been removed": {
      threads: [2],
      main: `const fs = require("node:fs"), path = require("node:path");
        await mp.shutdown(); mp.configure({ threads });
        const gone = fs.mkdtempSync(path.join(__dirname, "gone-"));
        process.chdir(gone);
        fs.rmdirSync(gone);
        await assert.rejects(T.add(1, 2), (error) => error instanceof mp.WorkerCrashedError && /working directory.*has been removed.*chdir/.test(error.message));
        process.chdir(__dirname);
        assert.strictEqual(await T.add(1, 2), 3);`,
      outcome: ["WorkerCrashedError", "MP_WORKER_CRASHED"],
    },
    "no more threads, and all workers are blocked": {
      main: `${threadLimit(2)}
        most = threads;
        const blocked = (error) => error instanceof mp.WorkerCrashedError && error.code === "MP_WORKER_CRASHED" &&
          /^later was not run, because all workers are blocked by calls of get\\(\\), and no further one can be started: EAGAIN\\. .*no more threads/.test(error.message);
        const look = (get) => { try { return { value: get() }; } catch (reason) { return { reason }; } };
        const block = (count) => {
          const buffer = new SharedArrayBuffer(4);
          return Array.from({ length: count }, () => T.blocksOnLater(1, { buffer, count }));
        };
        for (let round = 0; round < 3; round++) {
          for (const ends of [await Promise.allSettled(block(threads)), block(threads).map((handle) => look(() => handle.get()))]) {
            // The first that goes on may run what the other one waits for.
            assert.ok(ends.some(({ reason }) => reason !== undefined));
            for (const { reason, value } of ends) assert.ok(reason === undefined ? value === 2 : blocked(reason), String(reason));
          }
          assert.strictEqual(T.add(1, 2).get(), 3);
        }
        most = Infinity;
        assert.strictEqual(block(1)[0].get(), 2);
        assert.strictEqual(await block(1)[0], 2);
        threads$.Worker = Worker$;`,
      stderr: /new workers can't be started, so the pool goes on with [12]/,
      outcome: ["WorkerCrashedError", "MP_WORKER_CRASHED"],
    },
    "more blocked workers than a pool may have": {
      threads: [1],
      on: ["typescript"],
      main: `await assert.rejects(T.deepens(40), (error) => error instanceof mp.WorkerCrashedError && error.code === "MP_WORKER_CRASHED" &&
          /^deepens was not run, because all workers are blocked by calls of get\\(\\), and no further one can be started: The pool has \\d+ workers, as many as it can have\\.$/.test(error.message));
        assert.strictEqual(await T.deepens(3), 3);`,
      outcome: ["WorkerCrashedError", "MP_WORKER_CRASHED", "TypeScript"],
    },
    "no more threads, while some work": {
      threads: [2],
      main: `${threadLimit(1)}
        const warned = new Promise((resolve) => process.once("warning", resolve));
        const gate = new SharedArrayBuffer(4);
        const both = Promise.all([T.spins(gate), T.add(1, 2)]);
        assert.match((await warned).message, /^makeparallel: new workers can't be started, so the pool goes on with 1 and tries again later\\. EAGAIN$/);
        Atomics.store(new Int32Array(gate), 0, 1);
        Atomics.notify(new Int32Array(gate), 0);
        assert.strictEqual((await both)[1], 3);
        assert.ok(refused < 20, "tries again and again: " + refused);
        threads$.Worker = Worker$;`,
      stderr: /new workers can't be started/,
      outcome: ["warning"],
    },
    "no more files": {
      threads: [2],
      // The limit is the process's: a child has one that can be reached.
      main: `const fs = require("node:fs");
        if (process.env.FEW_FILES === undefined) {
          const { status, stderr } = require("node:child_process").spawnSync("sh", ["-c", 'ulimit -n 60; exec "$0" "$@"', process.execPath, __filename],
            { env: { ...process.env, FEW_FILES: "yes" }, encoding: "utf8", timeout: 15_000 });
          assert.strictEqual(status, 0, stderr);
        } else {
          const exhaust = (left) => {
            const open = [];
            try { for (;;) open.push(fs.openSync("/dev/null")); } catch {}
            for (let i = 0; i < left; i++) fs.closeSync(open.pop());
            return () => { for (const descriptor of open) fs.closeSync(descriptor); };
          };
          // Before anything of a pool has been loaded.
          const release = exhaust(0);
          const code = process.env.MAKEPARALLEL_BACKEND === "native" ? "MP_ERROR" : "MP_WORKER_CRASHED";
          await assert.rejects(async () => await T.add(1, 2), (error) => error.code === code && /\\. This process can open no more files: [^.]*\\.$/.test(error.message));
          release();
          for (const left of [0, 1, 4, 7]) {
            assert.strictEqual(T.add(1, 2).get(), 3);
            assert.strictEqual(mp.stats().backend, process.env.MAKEPARALLEL_BACKEND);
            await mp.shutdown();
            const release = exhaust(left);
            for (const look of [() => T.add(1, 2).get(), async () => await T.add(1, 2)]) {
              await assert.rejects(async () => await look(), (error) => error instanceof mp.WorkerCrashedError &&
                /^add was not run, because no worker can be started: EMFILE: .*This process can open no more files/.test(error.message) && error.cause.code === "EMFILE");
            }
            release();
            assert.strictEqual(T.add(1, 2).get(), 3);
          }
        }`,
      outcome: ["WorkerCrashedError", "MP_WORKER_CRASHED"],
    },
    "workers whose environment makes Node fail": noWorker(`{ env: { NODE_OPTIONS: "--no-such-option" } }`, /add.*no-such-option/),
  },
};
