/**
 * Runs jobs: finds the function behind an index, decodes the arguments, calls it, encodes what comes back. The same for every backend.
 */
import { HANDLE_BRAND, decodeCallFor, encodeError, encodeValue, explainFlattened, loadingBehind, takeFlattened } from "../codec";
import { arrayFor } from "../array-room";
import { carriesValues, runCarrying, type Carried } from "../carry";
import { concerning } from "../errors";
import { knownManifests } from "../known-manifests";
import { enterTask, runContinued, type JobContext, type TaskInfo } from "../inside";
import type { LoadedTask } from "../loader";
import type { Encoded, TaskKey } from "../pool/backend";
import { Settlement } from "../pool/backend";
import { runStream } from "../stream-worker";
import { variantOf, type Variant } from "../task-variants";
import type { JobExecutor, WorkerHost } from "./host";

/** Loads what a task key stands for; the loader of this environment. */
export interface TaskLoader {
  loadTask(manifest: string, id: string): LoadedTask | Promise<LoadedTask>;
}

interface Runnable {
  key: TaskKey;
  variant: Variant;
  carries: boolean;
  loaded: LoadedTask | undefined;
}

export class Executor implements JobExecutor {
  /** By the index that jobs carry. */
  private readonly tasks: (Runnable | undefined)[] = [];
  current = -1;

  constructor(
    private readonly host: WorkerHost,
    private readonly loader: TaskLoader,
  ) {}

  run(job: number, index: number, payload: Encoded, inputs: readonly Encoded[] | null): Settlement.Fulfilled | Settlement.Rejected | 0 {
    const outer = this.current;
    this.current = job;
    try {
      const task = this.tasks[index] ?? this.find(index);
      if (task.loaded === undefined) {
        const loading = this.loader.loadTask(task.key.manifest, task.key.id);
        if (loading instanceof Promise) {
          const [kept, keptInputs] = [own(payload), inputs && inputs.map(own)];
          this.finish(
            job,
            index,
            loading.then((loaded) => {
              task.loaded = loaded;
              return this.start(task, job, kept, keptInputs);
            }),
          );
          return 0;
        }
        task.loaded = loading;
      }
      const result = this.start(task, job, payload, inputs);
      if (isThenable(result)) {
        // A handle that has settled (`AsyncHandle.of(…)`, or one that the task has waited for) needs no turn of the event loop.
        if (!isSettledHandle(result)) {
          this.finish(job, index, result);
          return 0;
        }
        encodeValue(this.host.writer(), result.get());
        return Settlement.Fulfilled;
      }
      encodeValue(this.host.writer(), result);
      return Settlement.Fulfilled;
    } catch (error) {
      return this.reject(error, index);
    } finally {
      this.current = outer;
    }
  }

  async warm(index: number): Promise<void> {
    const task = this.tasks[index] ?? this.find(index);
    task.loaded ??= await this.loader.loadTask(task.key.manifest, task.key.id);
  }

  private find(index: number): Runnable {
    const { manifest, id: text } = this.host.taskKey(index);
    knownManifests.add(manifest);
    const { id, variant, carries } = variantOf(text);
    return (this.tasks[index] = { key: { manifest, id }, variant, carries, loaded: undefined });
  }

  /** Decodes and calls. What comes back may be a promise. */
  private start(runnable: Runnable, job: number, payload: Encoded, inputs: readonly Encoded[] | null): unknown {
    let values: unknown[];
    try {
      values = decodeCallFor(runnable.key.manifest, payload, inputs);
    } catch (error) {
      const loading = loadingBehind(error);
      if (loading === undefined) throw error;
      const [kept, keptInputs] = [own(payload), inputs && inputs.map(own)];
      return loading.then(() => this.start(runnable, job, kept, keptInputs));
    }
    const flattened = takeFlattened();
    // A task that carries nothing must not see what another one carries that it runs in the middle of.
    if (!runnable.carries && !carriesValues()) return this.invoke(runnable, job, values, flattened);
    const carried = runnable.carries ? (values.shift() as Carried) : undefined;
    return runCarrying(carried, () => this.invoke(runnable, job, values, flattened));
  }

  /** @param flattened classes of which an instance is among the values as a plain object */
  private invoke(runnable: Runnable, job: number, values: unknown[], flattened: readonly string[] | undefined): unknown {
    const { task, fn } = runnable.loaded!;
    const context = new RunningJob(this.host, job, runnable);
    const outer = enterTask(context);
    let result: unknown;
    try {
      const plain = !task.receiver && !task.factory && runnable.variant === "call";
      if (!task.async && runnable.variant === "call") result = plain ? fn(...values) : call(runnable, values, context);
      else result = runContinued(context, () => (plain ? (fn(...values) as unknown) : call(runnable, values, context)));
    } catch (error) {
      context.ended = true;
      if (flattened !== undefined) explainFlattened(error, flattened);
      throw error;
    } finally {
      enterTask(outer);
    }
    if (!isThenable(result)) {
      context.ended = true;
      return result;
    }
    // The `then` of anything else may do the work (a query that has not been sent), and promises nothing of how often it answers: it is called once.
    const promise = result instanceof Promise ? result : Promise.resolve(result);
    const end = (): void => void (context.ended = true);
    promise.then(end, (error: unknown) => {
      end();
      if (flattened !== undefined) explainFlattened(error, flattened);
    });
    return promise;
  }

  private finish(job: number, index: number, result: PromiseLike<unknown>): void {
    result.then(
      (value) => {
        try {
          encodeValue(this.host.writer(), value);
        } catch (error) {
          this.host.complete(job, this.reject(error, index), this.host.writer());
          return;
        }
        this.host.complete(job, Settlement.Fulfilled, this.host.writer());
      },
      (error: unknown) => this.host.complete(job, this.reject(error, index), this.host.writer()),
    );
  }

  private reject(error: unknown, index: number): Settlement.Rejected {
    const writer = this.host.writer();
    writer.reset();
    const task = this.tasks[index];
    // What the loader and the codec say does not name the function.
    encodeError(
      writer,
      task === undefined ? error : concerning(error, task.loaded?.task.name ?? task.key.id.slice(task.key.id.lastIndexOf("#") + 1)),
    );
    return Settlement.Rejected;
  }
}

/** The job of one run, as the functions for use inside a task see it. */
class RunningJob implements JobContext {
  signal: AbortController | undefined = undefined;
  ended = false;

  constructor(
    private readonly host: WorkerHost,
    private readonly job: number,
    private readonly runnable: Runnable,
  ) {}

  get info(): TaskInfo {
    const { key, loaded } = this.runnable;
    return { id: key.id, name: loaded!.task.name, worker: this.host.workerIndex };
  }

  isCancelled(): boolean {
    return this.host.isCancelled(this.job);
  }

  progress(fraction: number): void {
    this.host.progress(this.job, fraction);
  }

  suspend(): void {
    this.host.suspend(this.job);
  }

  setAside(): void {
    this.host.setAside(this.job);
  }

  resume(): void {
    this.host.resume(this.job);
  }
}

/** The general way: a receiver, captures, a variant. */
function call({ loaded, variant }: Runnable, values: unknown[], context: RunningJob): unknown {
  const { task, fn } = loaded!;
  let at = 0;
  const receiver = task.receiver ? values[at++] : undefined;
  const captures = values.slice(at, (at += task.captures.length));
  const args = at === 0 ? values : values.slice(at);
  const callee: Function = task.factory ? fn.apply(receiver, captures) : fn;
  if (variant === "map") return mapItems(callee, args[0] as ArrayLike<unknown>);
  if (variant === "stream") return runStream(callee, receiver, args, context);
  return callee.apply(receiver, args);
}

/** A copy that stays when the bytes are used again. */
function own({ bytes, start, end, attachments }: Encoded): Encoded {
  return { bytes: bytes.slice(start, end), start: 0, end: end - start, attachments };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

function isSettledHandle(value: object): value is { get(): unknown } {
  return (value as Record<symbol, unknown>)[HANDLE_BRAND] === true && (value as { isReady(): boolean }).isReady();
}

/** Calls `fn` for each item; goes on asynchronously from the first result that is a promise. */
function mapItems(fn: Function, items: ArrayLike<unknown>): unknown[] | Promise<unknown[]> {
  const count = items.length;
  const results = arrayFor<unknown>(count);
  for (let i = 0; i < count; i++) {
    const result: unknown = fn(items[i]);
    // Looked at here before anything is called, so that a number stays one in a register.
    if (typeof result === "object" && result !== null && isThenable(result)) return mapRest(fn, items, results, i, result);
    results[i] = result;
  }
  return results;
}

async function mapRest(
  fn: Function,
  items: ArrayLike<unknown>,
  results: unknown[],
  at: number,
  first: PromiseLike<unknown>,
): Promise<unknown[]> {
  results[at] = await first;
  for (let i = at + 1; i < items.length; i++) results[i] = await fn(items[i]);
  return results;
}
