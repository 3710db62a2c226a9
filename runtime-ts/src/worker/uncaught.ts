/**
 * Errors that nobody has caught in a worker: as in a program, they end it, unless a task's module handles such errors itself.
 */

/** `--unhandled-rejections` modes under which a rejection does not end a program. */
const TOLERANT = /--unhandled-rejections[= ](?:warn|none|warn-with-error-codes)\b/;

/**
 * @param end called with what was thrown, or with the reason of the rejection
 */
export function onUncaught(end: (error: unknown) => void): void {
  process.on("uncaughtException", (error) => {
    if (process.listenerCount("uncaughtException") === 1) end(error);
  });
  if (TOLERANT.test([...process.execArgv, process.env["NODE_OPTIONS"] ?? ""].join(" "))) return;
  // Without a listener, Node would wrap a reason that is no error into one with a text of its own.
  process.on("unhandledRejection", (reason) => {
    if (process.listenerCount("unhandledRejection") === 1) end(reason);
  });
}
