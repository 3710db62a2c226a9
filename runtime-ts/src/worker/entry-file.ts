/** Which file a worker is started with. */
import { existsSync } from "node:fs";
import { join } from "node:path";

/**
 * @param name of the entry in this folder
 * @returns the bundle that the build makes of it; the entry itself where only the compiler has run
 */
export function workerFile(name: "native-worker" | "typescript-worker"): string {
  const bundle = join(__dirname, `${name}.bundle.js`);
  return existsSync(bundle) ? bundle : join(__dirname, `${name}.js`);
}
