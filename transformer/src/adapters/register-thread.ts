/** The hooks for a Node without `registerHooks`: this module runs in Node's hooks thread, and its hooks may be asynchronous. */
import type { MessagePort } from "node:worker_threads";
import { hooks } from "./register-hooks";

type Next = (...args: unknown[]) => unknown;

let current: ReturnType<typeof hooks> | undefined;

export function initialize({ entry, watched }: { entry: string | undefined; watched: MessagePort | undefined }): void {
  current = hooks(entry, watched && ((files) => watched.postMessage(files)));
}

export async function resolve(specifier: string, context: object, next: Next): Promise<unknown> {
  return current!.resolve(specifier, context, next);
}

export async function load(url: string, context: object, next: Next): Promise<unknown> {
  return current!.load(url, context, next);
}
