/** Builds the stress program with the transformer's esbuild plugin. */
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, "../..");

/**
 * @param {string} [folder] where to put it; it has to be inside of the repository, so that the package is found by its own name
 * @returns {Promise<string>} the program
 */
export async function buildStress(folder = path.join(root, ".tmp/stress", String(process.pid))) {
  const { makeparallel } = createRequire(import.meta.url)(path.join(root, "dist/transformer/src/adapters/esbuild.js"));
  fs.mkdirSync(folder, { recursive: true });
  const outfile = path.join(folder, "stress.cjs");
  await esbuild.build({
    entryPoints: [path.join(here, "program/main.ts")],
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    keepNames: true,
    sourcemap: true,
    outfile,
    plugins: [makeparallel()],
  });
  return outfile;
}
