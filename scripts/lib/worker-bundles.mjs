/**
 * Bundles each worker entry, with all of the runtime that it needs, into one file beside it.
 *
 * A worker of fifty modules holds a megabyte more than one of a single file: module records, source texts with their comments, the loader's caches. Minified,
 * since nobody steps through it: stacks leave the package's own frames out.
 */
import { buildSync } from "esbuild";
import path from "node:path";
import { root } from "./project.mjs";

const folder = path.join(root, "dist/runtime-ts/src/worker");

/** Ending of a bundle's name; the compiler never writes one. */
export const BUNDLE_ENDING = ".bundle.js";

export function bundleWorkers() {
  for (const name of ["native-worker", "typescript-worker"]) {
    buildSync({
      entryPoints: [path.join(folder, `${name}.js`)],
      outfile: path.join(folder, `${name}${BUNDLE_ENDING}`),
      bundle: true,
      platform: "node",
      format: "cjs",
      target: "node20",
      minify: true,
      keepNames: false,
      charset: "ascii",
      legalComments: "none",
      packages: "external",
      logLevel: "warning",
    });
  }
}
