/**
 * A channel of encoded values from one thread to another, with back-pressure, in one SharedArrayBuffer.
 *
 * Layout: nine Int32 of header, then a ring of bytes. Each value is framed by its length. Positions count bytes written and read modulo 2^32, so that
 * "written - read" is the fill even after they wrap. One producer, one consumer.
 *
 * Protocol. Producer: (1) load ROOM; wait for it to change while WINDOW items are unread or the ring has no room for the next byte; (2) copy bytes in; (3) store WRITTEN (the
 * release that publishes them), add to ITEMS after the last byte of a frame; (4) bump NEWS and notify. Consumer: (1) load NEWS; (2) read what WRITTEN shows;
 * (3) if there is no whole frame, wait for NEWS to change from the value loaded in (1), so that nothing published in between is slept over. It stores
 * READ and adds to TAKEN; (4) it bumps ROOM and notifies when it leaves half a window of items, or has found the ring half full. A value larger than the ring goes
 * through in pieces.
 *
 * A wake costs more than most values, so the producer is not woken for each place. It is not slept over: a producer that waits has stored what it has written, loaded ROOM,
 * and then TAKEN and READ. The take that leaves half a window comes after that look, or else the look would have found room; so it sees ITEMS and WINDOW as they are. And
 * while the ring is full, one of two copies finds it half full: one that finds less takes less than half, and leaves more.
 *
 * The window begins at {@link AHEAD} and doubles when the consumer has taken all before a woken producer goes on: it waits for values, and each wait costs two wakes. So a
 * generator whose consumer is slow, or has stopped, is never far ahead.
 */
import { clearTimeout, setInterval, setTimeout } from "./own-clock";

const WRITTEN = 0;
const READ = 1;
const ENDED = 2;
const CANCELLED = 3;
const NEWS = 4;
const ROOM = 5;
const ITEMS = 6;
const TAKEN = 7;
const WINDOW = 8;
const HEADER_BYTES = 64;

/** Bytes of the ring. */
const CAPACITY = 1 << 16;
/** Values that the producer may be ahead of the consumer: at first, and at most. */
const AHEAD = 16;
const FAR_AHEAD = 128;
/** ms for which the producer waits for room before its worker takes other tasks: a consumer that reads on keeps it, one that does not lets it go. */
const PATIENCE_MS = 5;
/** After that, it looks so often whether there is still a consumer. */
const CONSUMER_CHECK_MS = 100;

type WaitAsync = (array: Int32Array, index: number, value: number) => { async: false } | { async: true; value: Promise<string> };

const waitAsync = (Atomics as unknown as { waitAsync: WaitAsync }).waitAsync;

abstract class Channel {
  protected readonly header: Int32Array;
  protected readonly ring: Uint8Array;

  constructor(readonly memory: SharedArrayBuffer) {
    this.header = new Int32Array(memory, 0, HEADER_BYTES / 4);
    this.ring = new Uint8Array(memory, HEADER_BYTES);
  }

  protected load(word: number): number {
    return Atomics.load(this.header, word);
  }

  protected bump(word: number): void {
    Atomics.add(this.header, word, 1);
    Atomics.notify(this.header, word);
  }
}

/** The consumer's end; it makes the memory. */
export class StreamConsumer extends Channel {
  private length = -1;
  private filled = 0;
  private frame = new Uint8Array(0);

  constructor() {
    super(new SharedArrayBuffer(HEADER_BYTES + CAPACITY));
    this.header[WINDOW] = AHEAD;
  }

  /** The next value's bytes if they are all there. */
  take(): Uint8Array | undefined {
    for (;;) {
      const available = (this.load(WRITTEN) - this.load(READ)) >>> 0;
      if (available === 0) return undefined;
      const room = this.length < 0 ? 4 - this.filled : this.length - this.filled;
      if (this.length < 0 && this.filled === 0) this.frame = new Uint8Array(4);
      const count = Math.min(available, room);
      this.copyOut(count);
      if (available >= CAPACITY / 2) this.bump(ROOM);
      if (count < room) continue;
      this.filled = 0;
      if (this.length < 0) {
        this.length = new DataView(this.frame.buffer).getUint32(0, true);
        this.frame = new Uint8Array(this.length);
        if (this.length > 0) continue;
      }
      this.length = -1;
      const taken = Atomics.add(this.header, TAKEN, 1) + 1;
      if (((this.load(ITEMS) - taken) | 0) === this.load(WINDOW) / 2) this.bump(ROOM);
      return this.frame;
    }
  }

  /** True when the producer has written its last value. */
  get ended(): boolean {
    return this.load(ENDED) === 1;
  }

  /** What NEWS stands at: pass it to {@link news} after looking. */
  get mark(): number {
    return this.load(NEWS);
  }

  /** Resolves when something has been published since `mark`. */
  async news(mark: number): Promise<void> {
    const wait = waitAsync(this.header, NEWS, mark);
    if (wait.async) await wait.value;
  }

  /** Blocks until something has been published since `mark`, at most `ms` milliseconds. */
  waitForNews(mark: number, ms: number): void {
    Atomics.wait(this.header, NEWS, mark, ms);
  }

  /** Tells the producer to end; wakes it if it waits for room. Wakes this side as well. */
  cancel(): void {
    Atomics.store(this.header, CANCELLED, 1);
    this.bump(ROOM);
    this.bump(NEWS);
  }

  private copyOut(count: number): void {
    const from = this.load(READ) >>> 0;
    for (let done = 0; done < count;) {
      const at = (from + done) % CAPACITY;
      const piece = Math.min(count - done, CAPACITY - at);
      this.frame.set(this.ring.subarray(at, at + piece), this.filled);
      this.filled += piece;
      done += piece;
    }
    Atomics.store(this.header, READ, (from + count) | 0);
  }
}

/** The job that a producer runs in. Between the two calls none of its code runs. */
export interface Suspendable {
  isCancelled(): boolean;
  suspend(): void;
  /** Its thread is free for others until it is resumed. */
  setAside(): void;
  resume(): void;
}

/** The producer's end, in the worker. */
export class StreamProducer extends Channel {
  constructor(
    memory: SharedArrayBuffer,
    private readonly job: Suspendable,
  ) {
    super(memory);
  }

  get cancelled(): boolean {
    return this.load(CANCELLED) === 1;
  }

  /**
   * Writes a value. False when the consumer wants no more.
   *
   * While there is no room it waits on the event loop, never by blocking the thread: the consumer may be a task on this very thread.
   */
  write(bytes: Uint8Array): boolean | Promise<boolean> {
    const steps = this.steps(bytes);
    const first = steps.next();
    return first.done === true ? !this.cancelled : this.writeRest(first.value, steps);
  }

  private async writeRest(room: number, steps: Iterator<number>): Promise<boolean> {
    for (let mark = room; ;) {
      const wait = waitAsync(this.header, ROOM, mark);
      if (wait.async) await this.patiently(wait.value);
      if (this.job.isCancelled()) return false;
      const next = steps.next();
      if (next.done === true) return !this.cancelled;
      mark = next.value;
    }
  }

  private async patiently(room: Promise<unknown>): Promise<void> {
    this.job.suspend();
    let timer: NodeJS.Timeout;
    // A consumer that has died with its worker says nothing here: the pool has cancelled the job then.
    const cancelled = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        this.job.setAside();
        timer = setInterval(() => {
          if (this.job.isCancelled()) resolve();
        }, CONSUMER_CHECK_MS);
      }, PATIENCE_MS);
    });
    await Promise.race([room, cancelled]);
    clearTimeout(timer!);
    // The wait may still be there.
    if (this.job.isCancelled()) Atomics.notify(this.header, ROOM);
    this.job.resume();
  }

  private unread(): number {
    return (this.load(ITEMS) - this.load(TAKEN)) | 0;
  }

  /** No more values follow. */
  end(): void {
    Atomics.store(this.header, ENDED, 1);
    this.bump(NEWS);
  }

  /** Writes as far as there is room; yields the value of ROOM to wait on whenever there is none. */
  private *steps(bytes: Uint8Array): Generator<number> {
    const frame = new Uint8Array(4 + bytes.length);
    new DataView(frame.buffer).setUint32(0, bytes.length, true);
    frame.set(bytes, 4);
    for (;;) {
      const room = this.load(ROOM);
      if (this.cancelled) return;
      const window = this.load(WINDOW);
      if (this.unread() < window) break;
      yield room;
      if (window < FAR_AHEAD && this.unread() === 0) Atomics.store(this.header, WINDOW, window * 2);
    }
    for (let done = 0; done < frame.length;) {
      const room = this.load(ROOM);
      if (this.cancelled) return;
      const written = this.load(WRITTEN) >>> 0;
      const free = CAPACITY - ((written - this.load(READ)) >>> 0);
      if (free === 0) {
        yield room;
        continue;
      }
      const at = written % CAPACITY;
      const piece = Math.min(frame.length - done, free, CAPACITY - at);
      this.ring.set(frame.subarray(done, done + piece), at);
      done += piece;
      Atomics.store(this.header, WRITTEN, (written + piece) | 0);
      if (done === frame.length) Atomics.add(this.header, ITEMS, 1);
      this.bump(NEWS);
    }
  }
}
