/**
 * Bundles chunks while the caller waits.
 *
 * A TypeScript transformer has to be done when it returns, while esbuild runs plugins only in its asynchronous interface. So a thread of its own runs
 * esbuild, and this one sleeps on a shared flag. The thread is started on first use, kept for further builds (watch mode), and never keeps the
 * process alive.
 */
import * as path from "node:path";
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import type * as esbuild from "esbuild";
import type { SlicePlan } from "../core";
import type { Bundle } from "./bundle";
import type { BundleOptions } from "./options";

export interface BundlerRequest {
  plan: SlicePlan;
  options: BundleOptions;
}

export interface BundlerReply {
  bundle?: Bundle;
  /** esbuild's messages. */
  errors?: esbuild.Message[];
  /** Stack of an unexpected error. */
  failure?: string;
}

interface Thread {
  worker: Worker;
  port: MessagePort;
  signal: Int32Array;
}

/** ms; a bundle that takes longer than this hangs. */
const LIMIT = 10 * 60_000;

let thread: Thread | undefined;

/**
 * @param typescript path of the compiler that the host runs, for chunks that need it
 * @throws Error when the bundler itself fails; what is wrong with the code comes in `errors`
 */
export function bundleChunksSync(
  plan: SlicePlan,
  options: BundleOptions,
  typescript: string | undefined,
): { bundle: Bundle } | { errors: esbuild.Message[] } {
  thread ??= start(typescript);
  const { worker, port, signal } = thread;
  Atomics.store(signal, 0, 0);
  worker.postMessage({ plan, options } satisfies BundlerRequest);
  if (Atomics.wait(signal, 0, 0, LIMIT) === "timed-out") {
    thread = undefined;
    void worker.terminate();
    throw new Error(`makeparallel: bundling the chunks of ${options.root} did not end within ${LIMIT / 60_000} minutes.`);
  }
  const reply = receiveMessageOnPort(port)?.message as BundlerReply;
  if (reply.failure !== undefined) throw new Error(`makeparallel: bundling the chunks failed. ${reply.failure}`);
  if (reply.errors) return { errors: reply.errors };
  return { bundle: reply.bundle as Bundle };
}

function start(typescript: string | undefined): Thread {
  const { port1, port2 } = new MessageChannel();
  const signal = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(path.join(__dirname, "bundler-thread.js"), {
    workerData: { port: port2, signal, typescript },
    transferList: [port2],
    // The host's flags (`--import` hooks, `--inspect`) are not for it.
    execArgv: [],
    stdin: false,
  });
  worker.unref();
  port1.unref();
  return { worker, port: port1, signal };
}
