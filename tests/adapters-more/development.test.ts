/** Vite's development server for server code, watch builds, and ts-loader with `makeparallel/transformer`. */
import { spawn } from "node:child_process";
import { expectApp, makeApp, node, RESULTS, script } from "./support/app";
import { threaded } from "../support/backends";
import type { Workspace } from "../adapters/support/workspace";

test("vite: ssrLoadModule in development, and again after an edit", async () => {
  const app = makeApp("vite-dev", {
    "src/entry.ts": `import { fibonacci, Processor } from "./work";
import { scale } from "@lib/scale";
import { parallel } from "makeparallel";
const shift = parallel((n: number) => scale(n) + 1);
export const run = async () => [await shift(1), String(await fibonacci(90)), await new Processor(2).process([1])];
`,
  });
  app.write(
    "dev.mjs",
    `import { createServer } from "vite";
import makeparallel from "makeparallel/vite";
import fs from "node:fs";
import path from "node:path";
const server = await createServer({ configFile: false, logLevel: "error", appType: "custom", server: { middlewareMode: true, ws: false, watch: null }, optimizeDeps: { noDiscovery: true }, plugins: [makeparallel()], resolve: { alias: { "@lib": path.resolve("src/lib") } } });
console.log(JSON.stringify(await (await server.ssrLoadModule("/src/entry.ts")).run()));
fs.writeFileSync("src/lib/scale.ts", "export const scale = (n: number): number => n * 500;");
server.moduleGraph.invalidateAll();
console.log(JSON.stringify(await (await server.ssrLoadModule("/src/entry.ts")).run()));
await server.close();
process.exit();
`,
  );
  const original = app.read("src/lib/scale.ts");
  for (const backend of threaded) {
    app.write("src/lib/scale.ts", original);
    const ended = await node(app, "dev.mjs", backend);
    expect({
      backend,
      code: ended.code,
      stderr: ended.stderr,
      lines: ended.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
    }).toEqual({
      backend,
      code: 0,
      stderr: "",
      lines: [
        [11, RESULTS.tag, [2]],
        [501, RESULTS.tag, [2]],
      ],
    });
  }
});

/** Starts a watch build, edits what only a chunk holds, and gives what the program prints after each build. */
async function watchBuild(app: Workspace, text: string, output: string): Promise<void> {
  app.write("watch.mjs", text);
  const child = spawn(process.execPath, [app.file("watch.mjs")], { cwd: app.root, stdio: ["pipe", "pipe", "pipe"] });
  let printed = "";
  let seen = 0;
  let wake = (): void => {};
  const collect = (chunk: Buffer): void => {
    printed += chunk.toString();
    wake();
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  child.on("exit", () => wake());
  const count = (): number => printed.split("BUILT\n").length - 1;
  const built = async (): Promise<void> => {
    while (count() <= seen) {
      if (child.exitCode !== null) throw new Error(printed);
      await new Promise<void>((resolve) => (wake = resolve));
    }
    seen = count();
  };
  try {
    await built();
    expect((await node(app, output, "typescript")).stdout).toContain('"wrapper":152');
    app.write("src/lib/scale.ts", "export const scale = (n: number): number => n * 500;\n");
    await built();
    expect((await node(app, output, "typescript")).stdout).toContain('"wrapper":642');
  } finally {
    child.kill();
  }
}

test("webpack: a watch build follows what only a chunk holds", async () => {
  await watchBuild(
    makeApp("watch-webpack"),
    `import webpack from "webpack";
import makeparallel from "makeparallel/webpack";
import path from "node:path";
webpack({
  mode: "development", target: "node", entry: "./src/main.ts", context: process.cwd(),
  output: { path: path.resolve("out"), filename: "main.cjs" },
  resolve: { extensions: [".ts", ".js"], extensionAlias: { ".js": [".ts", ".js"] }, alias: { "@lib": path.resolve("src/lib") } },
  module: { rules: [{ test: /\\.ts$/, loader: "ts-loader", options: { transpileOnly: true } }] },
  plugins: [makeparallel()],
}).watch({}, (error, stats) => { if (error || stats.hasErrors()) console.log(error ?? stats.toString()); else console.log("BUILT"); });
`,
    "out/main.cjs",
  );
});

test("rolldown: a watch build follows what only a chunk holds", async () => {
  await watchBuild(
    makeApp("watch-rolldown"),
    `import { watch } from "rolldown";
import makeparallel from "makeparallel/rolldown";
import path from "node:path";
watch({ input: "src/main.ts", platform: "node", plugins: [makeparallel()], resolve: { alias: { "@lib": path.resolve("src/lib") } }, output: { dir: "out", entryFileNames: "[name].mjs" } })
  .on("event", (event) => { if (event.code === "END") console.log("BUILT"); if (event.code === "ERROR") console.log(event.error); });
`,
    "out/main.mjs",
  );
});

test("ts-loader with getCustomTransformers, which checks types as well", async () => {
  const app = makeApp("ts-loader", {}, "commonjs");
  const config = JSON.parse(app.read("tsconfig.json")) as { compilerOptions: Record<string, unknown> };
  Object.assign(config.compilerOptions, { module: "CommonJS", moduleResolution: "node10", outDir: "out", noEmit: false, baseUrl: "." });
  app.write("tsconfig.json", JSON.stringify(config));
  await script(
    app,
    "build.cjs",
    `const path = require("node:path");
const webpack = require("webpack");
const transformer = require("makeparallel/transformer").default;
webpack({
  mode: "production", target: "node", entry: "./src/main.ts", devtool: "source-map",
  externals: [/^makeparallel(\\/|$)/].map((pattern) => ({ request }, done) => (pattern.test(request) ? done(null, "commonjs " + request) : done())),
  output: { path: path.resolve("out"), filename: "main.js" },
  resolve: { extensions: [".ts", ".js"], extensionAlias: { ".js": [".ts", ".js"] }, alias: { "@lib": path.resolve("src/lib") } },
  module: { rules: [{ test: /\\.ts$/, loader: "ts-loader", options: { getCustomTransformers: (program) => ({ before: [transformer(program)] }) } }] },
}, (error, stats) => { if (error) throw error; console.log(stats.toString({ all: false, errors: true })); process.exitCode = stats.hasErrors() ? 1 : 0; });
`,
  );
  await expectApp(app, "out/main.js");
});
