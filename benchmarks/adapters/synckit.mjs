import path from "node:path";
import { taskFolder } from "../lib/folders.mjs";

/** One worker, blocking calls: that is all that it does, so it takes part only where the caller blocks. */
export const variants = [{ label: "one worker" }];

export async function open() {
  const { createSyncFn } = await import("synckit");
  const call = createSyncFn(path.join(taskFolder, "synckit-worker.mjs"));
  return { blocking: (name) => (argument) => call(name, argument), close: () => process.exit(0) };
}
