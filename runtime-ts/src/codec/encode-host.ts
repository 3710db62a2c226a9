/**
 * Objects whose state is outside JavaScript. Those that a MessagePort carries travel as attachments, where the backend has one.
 */
import { types } from "node:util";
import { MessagePort } from "node:worker_threads";
import type { Encoder } from "./encoder";
import { attachment } from "./encode-binary";
import { article, className, uncloneableName } from "./kinds";
import { Refusal } from "./refusal";

const WHY: Record<string, string> = {
  Promise: "await it first, or pass the AsyncHandle of a task",
  WeakMap: "its entries cannot be listed",
  WeakSet: "its elements cannot be listed",
  WeakRef: "what it refers to stays on this thread",
  generator: "its state is on this thread's stack; a parallel generator gives a stream",
  AbortSignal: "use the signal option of the call; the task sees it as taskSignal()",
  iterator: "pass what it iterates over",
  Headers: "pass its entries: [...headers]",
  FormData: "pass its entries: [...formData]",
  Request: "pass its url, method and headers, and what its body holds",
  Response: "read it first (await response.arrayBuffer()), and pass that",
  Proxy: "its handler is code of this thread",
};

export function encodeHost(e: Encoder, value: object): void {
  const name = uncloneableName(value) ?? className(value);
  if (isCloneable(value)) {
    const writer = e.writer as { hostObjects?: boolean } | null;
    if (writer?.hostObjects !== true) {
      throw new Refusal(`it is ${article(name)}, which only the typescript backend carries (MAKEPARALLEL_BACKEND=typescript)`);
    }
    if (value instanceof MessagePort) {
      if (isGone(value)) throw new Refusal("it is a MessagePort that is closed, or has been handed over already");
      (e.writer!.transfers ??= []).push(value);
    }
    return attachment(e, value);
  }
  const why = WHY[name];
  throw new Refusal(`it is ${article(name)}${why === undefined ? ", which is bound to its thread" : `; ${why}`}`);
}

/**
 * Whether a port has left this thread. No property says so; a transfer list that names the port twice does, by what it complains of first, and takes nothing. Without the
 * look, the platform would refuse the whole message later, and not say for which value.
 */
function isGone(port: MessagePort): boolean {
  try {
    structuredClone(0, { transfer: [port, port] });
  } catch (error) {
    return /detached/.test((error as Error).message);
  }
  return false;
}

/** Whether the platform's own clone takes it, and gives the same kind of object. */
function isCloneable(value: object): boolean {
  if (value instanceof MessagePort) return true;
  if (types.isProxy(value)) return false;
  try {
    const clone = structuredClone(value) as object;
    // Of whatever realm, a plain object is none that has been cloned.
    return Object.getPrototypeOf(Object.getPrototypeOf(clone)) !== null;
  } catch {
    return false;
  }
}
