/** Builds what the children load: makeparallel's tasks through its esbuild plugin, and the 10 MB bundle in the forms that others load. */
import path from "node:path";
import * as esbuild from "esbuild";
import { buildFolder, taskFolder } from "./folders.mjs";

export async function buildPrograms({ withOurs }) {
  const shared = { bundle: true, platform: "node", target: "node20", logLevel: "warning", absWorkingDir: path.dirname(buildFolder) };
  const compiler = { ...shared, entryPoints: [path.join(taskFolder, "compiler.ts")] };
  await esbuild.build({ ...compiler, format: "cjs", outfile: path.join(buildFolder, "compiler.cjs") });
  await esbuild.build({
    ...compiler,
    format: "esm",
    outfile: path.join(buildFolder, "compiler.mjs"),
    // The compiler requires Node's own modules, which an ES module cannot do by itself.
    banner: {
      js: 'import { createRequire } from "node:module"; import { fileURLToPath } from "node:url"; const require = createRequire(import.meta.url); const __filename = fileURLToPath(import.meta.url), __dirname = fileURLToPath(new URL(".", import.meta.url));',
    },
  });
  if (!withOurs) return;
  const { default: makeparallel } = await import("makeparallel/esbuild");
  await esbuild.build({
    ...shared,
    entryPoints: [path.join(taskFolder, "ours.ts")],
    format: "esm",
    outfile: path.join(buildFolder, "ours.mjs"),
    sourcemap: true,
    plugins: [makeparallel()],
  });
}
