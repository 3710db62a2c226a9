/**
 * Bundles the runtime: into one file for programs, and one for each worker entry.
 *
 * Fifty modules take a program twice as long to load as a single file, and cost a worker a megabyte more: module records, source texts with their comments, the
 * loader's caches. The bundles are made of the TypeScript sources, not of what the compiler emits, since bindings between CommonJS modules are properties,
 * which the engine looks up at each use.
 */
import fs from "node:fs";
import path from "node:path";
import { bundleForNode } from "./bundle.mjs";
import { root } from "./project.mjs";

const sources = path.join(root, "runtime-ts/src");
const output = path.join(root, "dist/runtime-ts/src");

/** Ending of a bundle's name; the compiler never writes one. */
export const BUNDLE_ENDING = ".bundle.js";

/** Entry points that programs load. They share their state, so they are one bundle. */
const ENTRIES = ["index", "stub"];

const WORKERS = ["native-worker", "typescript-worker"];

export function bundleRuntime() {
  // Names stay, so that stacks and profiles of programs can be read.
  bundle("runtime", {
    stdin: {
      contents: ENTRIES.map((entry) => `exports.${entry} = require("./${entry}");`).join("\n"),
      resolveDir: sources,
      sourcefile: "runtime.js",
    },
    minifyWhitespace: true,
    minifySyntax: true,
  });
  for (const entry of ENTRIES) replaceByBundle(entry);
  for (const name of WORKERS) {
    bundle(name, {
      entryPoints: [path.join(sources, "worker", `${name}.ts`)],
      // A worker is part of a pool and never makes one.
      external: ["native", "typescript", "inline"].map((backend) => `./pool/${backend}`),
      // Nobody steps through it: stacks leave the package's own frames out.
      minify: true,
    });
  }
}

function bundle(name, options) {
  bundleForNode(path.join(output, name + BUNDLE_ENDING), { tsconfig: path.join(root, "runtime-ts/tsconfig.json"), ...options });
}

/**
 * What the compiler has emitted for an entry point would be a second copy of the runtime beside the bundle.
 *
 * Two statements instead of one: Node looks for the names that a CommonJS module exports when an ES module imports it, and would follow a
 * `module.exports = require(…)` through the whole bundle, which takes longer than to run it.
 *
 * The third one does nothing: tools that copy the files that a program needs (nft, which Nitro, Next.js and Vercel use) learn from it that the workers' code
 * is among them. They can't follow how the runtime finds it.
 */
function replaceByBundle(entry) {
  const file = path.join(output, `${entry}.js`);
  const files = `void [${WORKERS.map((name) => `__dirname + "/${name}${BUNDLE_ENDING}"`).join(", ")}];`;
  const text = `"use strict";\nconst runtime = require("./runtime${BUNDLE_ENDING}");\nmodule.exports = runtime.${entry};\n${files}\n`;
  if (fs.readFileSync(file, "utf8") !== text) fs.writeFileSync(file, text);
}
