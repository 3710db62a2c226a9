import * as fs from "node:fs";

/**
 * What stands at a path. Undefined also where a file stands in the place of one of its folders, or where it may not be looked at: `throwIfNoEntry` is about the
 * last part only, in Node 20.
 */
export function entryAt(file: string): fs.Stats | undefined {
  try {
    return fs.statSync(file, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
