/** Which file a worker is started with. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { OWN_FOLDER } from "../own-folder";

/**
 * @param name of the entry in this folder
 * @returns the bundle that the build makes of it; the entry itself where only the compiler has run
 */
export function workerFile(name: "native-worker" | "typescript-worker"): string {
  const bundle = join(OWN_FOLDER, `${name}.bundle.js`);
  return existsSync(bundle) ? bundle : join(OWN_FOLDER, "worker", `${name}.js`);
}
