/**
 * Entry of a worker thread of the TypeScript backend: makes this environment a member of the pool, sees to it that its end settles what it runs, and
 * leaves it to its event loop (typescript-loop.ts).
 */
import { writeSync } from "node:fs";
import { inspect } from "node:util";
import { workerData } from "node:worker_threads";
import { encodeError, encodeValue } from "../codec";
import { provideBackend } from "../configure";
import { environmentLoader } from "../environment";
import { startInitialized } from "../initializer";
import { type ChunkLoader, FsChunkStore } from "../loader";
import type { WorkerStart } from "../pool/typescript";
import { LONGEST_TIMER, setInterval } from "../own-clock";
import { control, Telemetry, useTelemetry } from "../telemetry";
import { announceExit, exitThread } from "../thread-exit";
import { Executor } from "./executor";
import { provideOwnCopy } from "./own-copy";
import { installSyncStdio } from "./stdio";
import { onUncaught } from "./uncaught";
import { WorkerEnvironment } from "./typescript-loop";

const start = workerData as WorkerStart;
useTelemetry(new Telemetry(start.telemetry));
announceExit(control);
const environment = new WorkerEnvironment(start);

/** Nobody has handled an error: it ends the task that runs, and the worker, whose state nobody knows any more. */
function fatal(error: unknown): void {
  try {
    // Without a task there is no handle that could carry it.
    if (!environment.busy) writeSync(2, `Uncaught in a makeparallel worker, after its task had ended:\n${inspect(error)}\n`);
    environment.crash(1, (writer) => encodeError(writer, error));
  } finally {
    // Also where a task has broken what was needed to tell of it.
    exitThread(1);
  }
}

function begin(store: FsChunkStore, loader: ChunkLoader): void {
  onUncaught(fatal);
  process.prependListener("exit", (code) => environment.crash(code, (writer) => encodeValue(writer, code)));
  // Keeps the loop of an idle worker alive.
  setInterval(() => undefined, LONGEST_TIMER);
  provideBackend(environment);
  environment.executor = new Executor(environment.host(store), loader);
  environment.idle = () => loader.offerCodeCaches();
  for (const index of start.warm) void environment.executor.warm(index).catch(() => undefined);
  environment.turn();
}

try {
  installSyncStdio();
  provideOwnCopy();
  const store = new FsChunkStore();
  const loader = environmentLoader(store);
  startInitialized(
    start.initializer,
    loader,
    start.workerIndex,
    () => begin(store, loader),
    (error) => environment.failed(error),
  );
} catch (error) {
  environment.failed(error);
  exitThread(1);
}
