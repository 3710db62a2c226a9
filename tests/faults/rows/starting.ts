/** Chunks that can't be loaded, and workers that can't start. */
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createHash } from "node:crypto";
import type { FaultGroup, ProgramFault } from "../../support/faults";
import type { Program } from "../../support/chunks";

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

export const starting: FaultGroup = {
  title: "Chunks and workers that can't start",
  tasks: {},
  rows: {
    "a chunk that throws while it is loaded": chunkError(
      /The chunk tasks-\w+\.js failed while it was loaded for the task add: RangeError: at load/,
      {
        chunkPrologue: 'throw new RangeError("at load");',
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
        for (const resourceLimits of [{ maxOldGenerationSizeMb: "many" }, { maxOldGenerationSizeMB: 10 }, 5, { maxOldGenerationSizeMb: 2 }])
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
    "workers whose environment makes Node fail": noWorker(`{ env: { NODE_OPTIONS: "--no-such-option" } }`, /add.*no-such-option/),
  },
};
