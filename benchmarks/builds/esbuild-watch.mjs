/** Rebuilds by esbuild after edits that come as messages; answers with the time that each took. */
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(path.resolve("build.js"));
const esbuild = require("esbuild");
const { default: makeparallel } = await import(pathToFileURL(path.resolve("node_modules/makeparallel/dist/esm/esbuild.mjs")).href);
const context = await esbuild.context({
  entryPoints: ["src/main.ts"],
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
  outfile: "dist/ours-bundle/main.mjs",
  sourcemap: true,
  logLevel: "error",
  plugins: process.argv[2] === "ours" ? [makeparallel()] : [],
});
process.on("message", async () => {
  const start = performance.now();
  await context.rebuild();
  process.send(performance.now() - start);
});
process.on("disconnect", () => void context.dispose());
