/**
 * The thread in which chunks are bundled for hosts that cannot wait for a promise (sync-bundler.ts). Answers each request by a message, then sets the
 * signal that the caller sleeps on.
 */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { findTypeScript } from "../adapters/find-typescript";
import { type Bundle, bundleChunks } from "./bundle";
import type { BundlerReply, BundlerRequest } from "./sync-bundler";

const { port, signal, typescript } = workerData as { port: MessagePort; signal: Int32Array; typescript: string | undefined };

async function answer(request: BundlerRequest): Promise<BundlerReply> {
  try {
    const bundle: Bundle = await bundleChunks(request.plan, request.options, () => findTypeScript(request.options.root, typescript));
    return { bundle };
  } catch (error) {
    const { errors, message, stack } = error as Error & { errors?: unknown[] };
    return Array.isArray(errors)
      ? { errors: JSON.parse(JSON.stringify(errors)) as NonNullable<BundlerReply["errors"]> }
      : { failure: stack ?? message };
  }
}

(parentPort ?? port).on("message", (request: BundlerRequest) => {
  void answer(request).then((reply) => {
    port.postMessage(reply);
    Atomics.store(signal, 0, 1);
    Atomics.notify(signal, 0);
  });
});
