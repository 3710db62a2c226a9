/**
 * The native backend's root: starts and stops the threads that the pool in Rust asks for. Everything about tasks is in native-environment.ts and in Rust.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, type Worker } from "node:worker_threads";
import { decodeValue, encodeError } from "../codec";
import type { BindingRoot } from "../../../runtime-native";
import { giveTelemetryBack, takeTelemetry } from "../telemetry";
import { workerFile } from "../worker/entry-file";
import type { NativeWorkerStart } from "../worker/native-start";
import type { Backend, BackendOptions, Encoded, ShutdownOptions, TaskSink, Ticket } from "./backend";
import { Settlement } from "./backend";
import { endThread, type WatchedWorker, workerStarted } from "../worker-watch";
import { engineIsV8, findBinding, loadBinding, type Missing } from "./native-binding";
import { LoopPatience } from "./loop-patience";
import { startFailure } from "./start-failure";
import { hasHungUp } from "./thread-end";
import { hasStack, ROOM_TO_START } from "../stack-room";
import { NativeEnvironment } from "./native-environment";
import { Starts, startThread } from "./starts";
import { clearTimeout, LONGEST_TIMER, setImmediate, setTimeout, performance } from "../own-clock";

const WORKER_FILE = workerFile("native-worker");

/** Kinds of service, as in runtime-native/src/binding/control.rs. */
const STOP = 1;
const GONE = 2;

/** ms for workers to end by themselves at a shutdown before they are stopped. */
const FAREWELL = 250;
/** ms between looks at workers that are starting, while this thread is blocked. */
const START_CHECK = 50;

/** Whether the native backend can be used here. */
export function nativeAvailable(): { path: string } | Missing {
  const found = findBinding();
  return "path" in found ? { path: found.path } : found;
}

/**
 * @returns a pool of its own; workers are started as tasks come
 * @throws Error when {@link nativeAvailable} gives a reason
 */
export function createNativeBackend(options: BackendOptions): Backend {
  return new NativePool(options);
}

interface PoolThread {
  id: number;
  thread: Worker;
  watched: WatchedWorker;
  seat: number;
  /** Our end of a channel to it: tells without the event loop whether the thread has ended, and why it could not start. */
  line: MessagePort;
  exited: Promise<void>;
  /** It has been terminated, because a task that was given up went on. */
  stopped: boolean;
}

/** The addon never lets go of it, so it holds nothing. */
const breathe = (): void => {};

class NativePool extends NativeEnvironment<BindingRoot> {
  private readonly threads = new Map<number, PoolThread>();
  /** Those that may not have arrived at their work yet. */
  private readonly starting = new Set<PoolThread>();
  private readonly starts = new Starts(
    () => this.countWorking(),
    () => this.serve(),
  );
  /** Id of the worker that was last started because all others were blocked, see `insist`. */
  private lastResort = -1;
  private closing = false;
  private drained: (() => void) | undefined;

  constructor(private readonly options: BackendOptions) {
    const binding = loadBinding();
    const pool: { wake?: () => void } = {};
    super(
      binding,
      binding.openPool(options.threads, engineIsV8(), () => pool.wake!(), breathe),
      options.grace,
    );
    pool.wake = () => {
      this.woken();
      this.serve();
    };
    // Node terminates one worker after the other, and each of those that sleep in Rust or are blocked there would take its time.
    process.on("exit", this.onExit);
  }

  /** Listeners of `exit` that come after this one may still want tasks. */
  private readonly onExit = (): void => {
    if (process.listeners("exit").at(-1) !== this.onExit) return this.port.hurry();
    this.closing = true;
    this.refusePushes();
    this.port.close(false);
  };

  protected keepAlive(on: boolean): void {
    this.port.keepAlive(on || this.drains());
  }

  protected override drains(): boolean {
    return this.drained !== undefined;
  }

  /** By id, of all workers that there have been. */
  private readonly seats: number[] = [];

  protected seatOf(id: number): number {
    return this.seats[id] ?? -2 - id;
  }

  // ---- the event loop
  //
  // While results are expected within microseconds, the loop looks for them itself, turn by turn, and asks not to be woken: a wake costs the worker a system call
  // and the loop another. Without news for a while it asks to be woken (`listen`, which wakes for what is there already) and sleeps.

  private readonly looks = new LoopPatience();
  private looking = false;
  /** When the last result came, in ms; -1: the looking has just begun. */
  private lastNews = -1;

  protected override attend(): void {
    this.lastNews = -1;
    if (this.looking) return;
    this.looking = true;
    setImmediate(this.look);
  }

  private readonly look = (): void => {
    this.looking = false;
    const { pending } = this;
    this.deliver();
    const news = this.pending !== pending;
    if (news && this.lastNews >= 0) this.looks.found();
    if (this.listening || this.observed === 0) return;
    const now = performance.now();
    if (news || this.lastNews < 0) {
      this.lastNews = now;
      this.looks.begin(this.pending);
    }
    if (now - this.lastNews < this.looks.span) {
      this.looking = true;
      setImmediate(this.look);
    } else {
      this.looks.gaveUp();
      super.attend();
    }
  };

  protected override woken(): void {
    super.woken();
    // More may follow soon.
    if (!this.listening || this.looking || this.drains()) return;
    this.listening = false;
    this.port.listen(false);
    this.attend();
  }

  // ---- workers

  protected wantWorker(): void {
    if (this.closing) return;
    // Sinks are never called from inside a push.
    if (this.startsFail()) setImmediate(() => this.serve());
    else if (this.threads.size === 0 || !this.starts.paused) this.start();
  }

  private countWorking(): number {
    let working = 0;
    for (const thread of this.threads.values()) {
      if (this.port.isReady(thread.id) === 0) continue;
      this.starting.delete(thread);
      working++;
    }
    return working;
  }

  /**
   * All workers are blocked for what only one more could run, and starts are paused: one is tried all the same, for nothing else would ever bring them on. When it comes to
   * nothing, what they have queued fails.
   */
  private insist(): void {
    if (!hasStack(ROOM_TO_START)) return void setImmediate(() => this.serve());
    this.lastResort = this.start();
    if (this.lastResort < 0) this.failNested();
  }

  /** While some worker lives, tasks are not lost if others can't start: it runs them. */
  private startsFail(): boolean {
    return this.starts.haveFailed && this.threads.size === 0;
  }

  private start(): number {
    // A later turn starts it, or the wait that needs it.
    if (!hasStack(ROOM_TO_START)) {
      setImmediate(() => this.serve());
      return -1;
    }
    const id = this.port.addWorker();
    if (id < 0) return id;
    const seat = this.freeSeat();
    const { options } = this;
    const { port1: line, port2 } = new MessageChannel();
    const telemetry = takeTelemetry();
    const start: NativeWorkerStart = {
      line: port2,
      telemetry: telemetry.memory,
      pool: this.port.pool,
      id,
      seat,
      grace: options.grace,
      idleTimeout: Math.min(options.idleTimeout, LONGEST_TIMER),
      minThreads: options.minThreads,
      initializer: options.initializer,
    };
    let thread: Worker;
    try {
      thread = startThread(WORKER_FILE, start, port2, seat, options);
    } catch (error) {
      line.close();
      giveTelemetryBack(telemetry);
      this.port.removeWorker(id);
      this.starts.blame(error);
      this.starts.failed(this.threads.size, true);
      return -1;
    }
    const watched: WatchedWorker = {
      worker: seat,
      threadId: thread.threadId,
      telemetry,
      seatOf: (raw) => (raw < -1 ? this.seatOf(-2 - raw) : raw),
      thread,
      line,
    };
    const report = workerStarted(watched);
    thread.unref();
    line.unref();
    thread.on("error", (error) => this.starts.blame(error));
    const exited = new Promise<void>((resolve) => {
      thread.on("exit", (exitCode) => {
        report(exitCode, started.stopped ? "terminated" : this.closing ? "shutdown" : undefined);
        this.ended(started);
        this.serve();
        resolve();
      });
    });
    const started: PoolThread = { id, thread, watched, seat, line, exited, stopped: false };
    this.threads.set(id, started);
    this.seats[id] = seat;
    this.starting.add(started);
    return id;
  }

  private freeSeat(): number {
    const taken = new Set(Array.from(this.threads.values(), ({ seat }) => seat));
    let seat = 0;
    while (taken.has(seat)) seat++;
    return seat;
  }

  /** A thread has ended. Usually the pool knows already. Repeatable. */
  private ended(ended: PoolThread): void {
    if (!this.threads.delete(ended.id)) return;
    this.starting.delete(ended);
    this.listen(ended);
    ended.line.close();
    const neverArrived = this.port.removeWorker(ended.id) === 1;
    // Those that were still starting at a shutdown have been stopped.
    if (this.closing) return;
    if (!neverArrived) return this.starts.succeeded();
    this.starts.failed(this.threads.size);
    if (ended.id === this.lastResort) this.failNested();
  }

  /** Hears what a worker says of why it can't start. */
  private listen({ line }: PoolThread): void {
    const why = receiveMessageOnPort(line) as { message: unknown } | undefined;
    if (why !== undefined) this.starts.blame(why.message instanceof Uint8Array ? decodeBytes(why.message) : why.message);
  }

  /** While this thread is blocked no event tells that a worker has ended before it arrived at its work, so it is looked for. */
  private checkStarting(): void {
    for (const thread of this.starting) {
      if (this.port.isReady(thread.id) === 1) {
        this.starting.delete(thread);
        this.starts.succeeded();
      } else if (hasHungUp(thread.line)) this.ended(thread);
    }
    this.serve();
  }

  override block(ticket: Ticket, ms: number): boolean {
    if (this.starting.size === 0 && this.threads.size > 0) return super.block(ticket, ms);
    const deadline = performance.now() + ms;
    this.checkStarting();
    for (let left = ms; this.starting.size > 0; left = deadline - performance.now()) {
      if (left <= START_CHECK) return super.block(ticket, Math.max(0, left));
      if (super.block(ticket, START_CHECK)) return true;
      this.checkStarting();
    }
    return super.block(ticket, Math.max(0, deadline - performance.now()));
  }

  /** No worker can be started: what waits for one fails. */
  private failPending(): void {
    if (this.pending === 0) return;
    this.port.fail(this.writeFailure(false));
    this.starts.told();
    this.deliver();
  }

  /** The same for what workers have queued, unless one of them goes on by now. */
  private failNested(): void {
    if (this.port.isStuck() === 1) this.port.failNested(this.writeFailure(true));
  }

  /** Writes why no worker can be started; gives the length. */
  private writeFailure(further: boolean): number {
    const writer = this.writer();
    encodeError(writer, startFailure(this.starts.error, further));
    const fits = writer.bytes === writer.home && writer.attachments === null;
    const { length } = writer;
    writer.reset();
    return fits ? length : 0;
  }

  protected serve(): void {
    for (;;) {
      const service = this.port.service();
      if (service < 0) break;
      const kind = service % 4;
      const id = (service - kind) / 4;
      if (kind === STOP) {
        this.port.removeWorker(id);
        const stopped = this.threads.get(id);
        if (stopped !== undefined) {
          stopped.stopped = true;
          endThread(stopped.watched);
        }
      } else if (kind === GONE) {
        // Its thread is ending; it no longer counts.
      }
    }
    if (this.startsFail()) this.failPending();
    while (!this.closing && this.port.wantsWorker() !== 0) {
      const before = this.threads.size;
      this.wantWorker();
      if (this.threads.size === before) break;
    }
    if (!this.closing && this.starts.paused && this.port.isStuck() === 1 && this.port.wantsWorker() === 1) this.insist();
  }

  protected ending(): Error {
    return new Error("makeparallel: the pool has been shut down while this thread waited for one of its tasks.");
  }

  async warm(index: number): Promise<void> {
    while (this.threads.size < this.options.threads && !this.closing) {
      if (this.start() < 0) break;
    }
    await Promise.all(Array.from(this.threads.keys(), (id) => this.warmOne(index, id)));
  }

  private warmOne(index: number, id: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const sink: TaskSink = {
        settle(settlement: Settlement, payload: Encoded | null) {
          if (settlement !== Settlement.Rejected) {
            // A worker that has ended meanwhile has nothing to load.
            resolve();
            return;
          }
          try {
            reject(decodeValue(payload!));
          } catch (error) {
            reject(error as Error);
          }
        },
        progressed() {},
      };
      this.observe(this.pushUnusual(~index, null, sink, {}, { after: null, pinned: id }), true);
    });
  }

  // ---- shutdown

  async shutdown({ cancelPending, enough, closed }: ShutdownOptions): Promise<void> {
    this.deliver();
    if (!cancelPending && this.pending > 0) await this.drain(enough);
    this.closing = true;
    closed();
    this.refusePushes();
    this.cancelAll(0);
    this.port.close(false);
    const threads = [...this.threads.values()];
    for (const { thread } of threads) thread.ref();
    const farewell = setTimeout(() => {
      for (const { watched } of threads) endThread(watched);
    }, FAREWELL);
    await Promise.all(threads.map(({ exited }) => exited));
    clearTimeout(farewell);
    this.deliver();
    process.off("exit", this.onExit);
    this.port.close(true);
  }

  /** Waits until nothing is pending. */
  private async drain(enough: Promise<void>): Promise<void> {
    this.port.listen(true);
    this.port.keepAlive(true);
    await new Promise<void>((resolve) => {
      this.drained = resolve;
      void enough.then(resolve);
      if (this.pending === 0) resolve();
    });
    this.drained = undefined;
  }

  protected override nonePending(): void {
    this.drained?.();
  }
}

function decodeBytes(bytes: Uint8Array): unknown {
  return decodeValue({ bytes, start: 0, end: bytes.length, attachments: null });
}
