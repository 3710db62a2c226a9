import {
  ChunkError,
  type CancelledError,
  configure,
  isCancelled,
  move,
  ParallelError,
  reportProgress,
  share,
  sharedArray,
  shutdown,
  stats,
  taskInfo,
  type TaskInfo,
  taskSignal,
  throwIfCancelled,
  TimeoutError,
} from "makeparallel";
import { is } from "./_same.js";

reportProgress(0.5);
is<boolean>()(isCancelled());
is<void>()(throwIfCancelled());
is<AbortSignal>()(taskSignal());
const info: TaskInfo | undefined = taskInfo();
void info;

configure({
  threads: 4,
  backend: "typescript",
  maxQueue: 100,
  idleTimeout: 1_000,
  grace: 10,
  minThreads: 0,
  resourceLimits: { maxOldGenerationSizeMb: 100 },
  env: { A: "1" },
});
is<Promise<void>>()(shutdown({ timeout: 1_000, cancelPending: true }));
is<number>()(stats().threads);
// rejected: '"gpu"' is not assignable to type
configure({ backend: "gpu" });

is<ArrayBuffer>()(move(new ArrayBuffer(8)));
const shared = sharedArray(Float64Array, 10);
const element: number | undefined = shared[0];
const asUsual: Float64Array = shared;
void [element, asUsual, share];

is<string>()(new TimeoutError("late").code);
const error: ParallelError = new ChunkError("");
if (error instanceof TimeoutError) is<TimeoutError>()(error);
export type { CancelledError };
// rejected: is not assignable to parameter of type 'number'
reportProgress("50%");
