/** Which file a worker is started with. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { ParallelError } from "../errors";
import { OWN_FOLDER } from "../own-folder";

/** What there is to say where the package has been removed since it was loaded: by `npm ci` beside the program that runs, say. */
export function whenRemoved(): string | undefined {
  try {
    // `existsSync` says no as well where the stack ends, or where the permission model forbids the question.
    if (statSync(OWN_FOLDER, { throwIfNoEntry: false }) !== undefined) return undefined;
  } catch {
    return undefined;
  }
  return `the files of makeparallel are gone from ${OWN_FOLDER}, where workers find their code. Install it again, and restart the program if that is another version.`;
}

/**
 * @param name of the entry in this folder
 * @returns the bundle that the build makes of it; the entry itself where only the compiler has run
 * @throws ParallelError when there is neither: a bundler has put the runtime into the program, and its files stayed behind; or they have been removed
 */
export function workerFile(name: "native-worker" | "typescript-worker"): string {
  const bundle = join(OWN_FOLDER, `${name}.bundle.js`);
  if (existsSync(bundle)) return bundle;
  const entry = join(OWN_FOLDER, "worker", `${name}.js`);
  if (existsSync(entry)) return entry;
  const removed = whenRemoved();
  if (removed !== undefined) throw new ParallelError(removed);
  throw new ParallelError(
    `makeparallel has been bundled into the program (in ${OWN_FOLDER}), where its workers don't find their code. Leave it and its subpaths outside of the bundle, ` +
      "as makeparallel's own plugins do (webpack: `externals: [/^makeparallel($|\\/)/]`), and install it where the program runs.",
  );
}
