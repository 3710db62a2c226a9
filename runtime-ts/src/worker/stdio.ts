/**
 * Makes what a worker prints appear at once.
 *
 * Node sends a worker's stdout and stderr to the main thread as messages, so nothing appears while the caller is blocked in `get`, and
 * what was printed just before a worker ends may be lost. A worker of the pool writes to the descriptors itself.
 */
import { fstatSync, writeSync } from "node:fs";
import { nextTick } from "../own-clock";

/** ms to wait for a reader that is slower than the task (a full pipe on a non-blocking descriptor). */
const FULL_PIPE_PAUSE = 1;

type WriteCallback = (error?: Error | null) => void;

const pauseCell = new Int32Array(new SharedArrayBuffer(4));

/** Writes all of `bytes`, waiting while the descriptor's buffer is full. */
function writeAll(descriptor: number, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length) {
    try {
      written += writeSync(descriptor, bytes, written);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EAGAIN") {
        Atomics.wait(pauseCell, 0, 0, FULL_PIPE_PAUSE);
      } else if (code !== "EINTR") {
        throw error;
      }
    }
  }
}

function isOpen(descriptor: number): boolean {
  try {
    fstatSync(descriptor);
    return true;
  } catch {
    return false;
  }
}

function makeSynchronous(stream: NodeJS.WriteStream, descriptor: number): void {
  const write = (chunk: string | Uint8Array, encodingOrCallback?: BufferEncoding | WriteCallback, callback?: WriteCallback): boolean => {
    const done = typeof encodingOrCallback === "function" ? encodingOrCallback : callback;
    const encoding = typeof encodingOrCallback === "string" ? encodingOrCallback : "utf8";
    let failure: Error | undefined;
    try {
      writeAll(descriptor, typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk);
    } catch (error) {
      // A reader that has gone (EPIPE) must not fail the task that happened to print.
      failure = error as Error;
    }
    if (done !== undefined) {
      nextTick(done, failure ?? null);
    }
    return failure === undefined;
  };
  stream.write = write as typeof stream.write;
  stream._write = (chunk: string | Uint8Array, encoding: BufferEncoding, done: WriteCallback) => void write(chunk, encoding, done);
  // Writable.end(chunk) and cork() gather into _writev when there is one.
  stream._writev = undefined;
}

/** Replaces this worker's stdout and stderr by synchronous writes to descriptors 1 and 2, where those are open. */
export function installSyncStdio(): void {
  if (isOpen(1)) {
    makeSynchronous(process.stdout, 1);
  }
  if (isOpen(2)) {
    makeSynchronous(process.stderr, 2);
  }
}
