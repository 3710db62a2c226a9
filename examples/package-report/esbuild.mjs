import * as esbuild from "esbuild";
import makeparallel from "makeparallel/esbuild";

await esbuild.build({
  entryPoints: ["src/main.ts"],
  bundle: true,
  packages: "external",
  platform: "node",
  target: "node20",
  format: "esm",
  outdir: "build/esbuild",
  sourcemap: true,
  logLevel: "info",
  plugins: [makeparallel()],
});
