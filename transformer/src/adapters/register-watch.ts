/**
 * `node --watch` starts the program anew when a file changes that it has loaded. Files that only chunks hold are loaded by no one, so that Node has to be told of them,
 * in the way in which its own loaders tell: by a message to the process that watches.
 */
import { isMainThread, MessageChannel, type MessagePort, receiveMessageOnPort } from "node:worker_threads";

/** @param files absolute paths */
export type Report = (files: readonly string[]) => void;

/** @returns undefined where nobody watches, or another thread has the way to who does */
export function watchReport(): Report | undefined {
  if (!process.env["WATCH_REPORT_DEPENDENCIES"] || !isMainThread || typeof process.send !== "function") return undefined;
  return (files) => void (files.length > 0 && process.send?.({ "watch:require": files }));
}

/** The way for Node's hooks thread: what it posts to the port is reported by this one. */
export function reportFromThread(report: Report): MessagePort {
  const { port1, port2 } = new MessageChannel();
  port1.on("message", report);
  port1.unref();
  // A short program may end before it has taken a turn of its event loop.
  process.once("exit", () => {
    for (let left = receiveMessageOnPort(port1); left; left = receiveMessageOnPort(port1)) report(left.message as string[]);
  });
  return port2;
}
