/** One build by esbuild, in the project's folder: `node esbuild-build.mjs plain|ours`. */
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

// As a build script in that folder has them.
const require = createRequire(path.resolve("build.js"));
const esbuild = require("esbuild");
const variant = process.argv[2];
const plugins = [];
if (variant === "ours") {
  const { default: makeparallel } = await import(pathToFileURL(path.resolve("node_modules/makeparallel/dist/esm/esbuild.mjs")).href);
  plugins.push(makeparallel());
}
await esbuild.build({
  entryPoints: ["src/main.ts"],
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  outfile: `dist/${variant}-bundle/main.mjs`,
  sourcemap: true,
  logLevel: "error",
  plugins,
});
