/** Build scripts for each bundler, as a project would have them. Arguments of a script: see each. */

/** A plain stand-in for the plugins with which Rollup projects find and compile TypeScript. */
export const ROLLUP_TYPESCRIPT = `{
  name: "typescript",
  resolveId(source, importer) {
    if (source.startsWith("@lib/")) source = path.resolve("src/lib", source.slice(5));
    else if (source.startsWith(".") && importer) source = path.resolve(path.dirname(importer), source);
    else return null;
    return [source, source.replace(/\\.js$/, ".ts"), source + ".ts"].find((file) => fs.existsSync(file)) ?? null;
  },
  transform(code, id) {
    if (id.endsWith(".json")) return "export default " + code;
    if (!id.endsWith(".ts")) return null;
    const result = esbuild.transformSync(code, { loader: "ts", sourcemap: true, sourcefile: id, target: "node20" });
    return { code: result.code, map: result.map };
  },
}`;

/** Arguments: format (`es`, `cjs`). */
export const rollup = `import { rollup } from "rollup";
import makeparallel from "makeparallel/rollup";
import * as esbuild from "esbuild";
import fs from "node:fs";
import path from "node:path";
const [format] = process.argv.slice(2);
const bundle = await rollup({ input: "src/main.ts", external: [/^node:/, "fixture-cjs-plain"], plugins: [${ROLLUP_TYPESCRIPT}, makeparallel()], onwarn: (warning) => console.log("WARNING", warning.message) });
await bundle.write({ dir: "out", format, sourcemap: true, entryFileNames: format === "es" ? "[name].mjs" : "[name].cjs" });
`;

/** Arguments: format (`esm`, `cjs`). */
export const rolldown = `import { rolldown } from "rolldown";
import makeparallel from "makeparallel/rolldown";
import path from "node:path";
const [format] = process.argv.slice(2);
const bundle = await rolldown({ input: "src/main.ts", platform: "node", plugins: [makeparallel()], resolve: { alias: { "@lib": path.resolve("src/lib") } } });
await bundle.write({ dir: "out", format, sourcemap: true, entryFileNames: format === "esm" ? "[name].mjs" : "[name].cjs" });
`;

/** Arguments: `server`, or anything else for a build for browsers. */
export const vite = `import { build } from "vite";
import makeparallel from "makeparallel/vite";
import path from "node:path";
const ssr = process.argv[2] === "server";
await build({
  configFile: false,
  logLevel: "warn",
  plugins: [makeparallel()],
  resolve: { alias: { "@lib": path.resolve("src/lib") } },
  build: { ssr: ssr ? "src/main.ts" : undefined, rollupOptions: ssr ? {} : { input: "src/main.ts" }, outDir: "out", sourcemap: true, minify: false },
});
`;

/** Arguments: host (`webpack`, `rspack`), mode, format (`cjs`, `esm`), target. */
export const pack = `import path from "node:path";
const [host, mode, format, target] = process.argv.slice(2);
const pack = host === "webpack" ? (await import("webpack")).default : (await import("@rspack/core")).rspack;
const { default: makeparallel } = await import("makeparallel/" + host);
const module = format === "esm";
const loader = host === "webpack"
  ? { loader: "ts-loader", options: { transpileOnly: true } }
  : { loader: "builtin:swc-loader", options: { jsc: { parser: { syntax: "typescript", decorators: true }, target: "es2022" } } };
const stats = await new Promise((resolve, reject) => pack({
  mode, target: target ?? "node", entry: "./src/main.ts", context: process.cwd(), devtool: mode === "production" ? "source-map" : undefined,
  experiments: host === "webpack" ? { outputModule: module } : {},
  output: { path: path.resolve("out"), filename: module ? "main.mjs" : "main.cjs", module, chunkFormat: module ? "module" : "commonjs", library: { type: module ? "module" : "commonjs2" } },
  resolve: { extensions: [".ts", ".js"], extensionAlias: { ".js": [".ts", ".js"] }, alias: { "@lib": path.resolve("src/lib") } },
  module: { rules: [{ test: /\\.ts$/, use: loader }] },
  plugins: [makeparallel()],
}, (error, stats) => (error ? reject(error) : resolve(stats))));
console.log(stats.toString({ all: false, errors: true, warnings: true, errorDetails: true }));
process.exitCode = stats.hasErrors() ? 1 : 0;
`;
