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

test("vite: who asks for a module with an error in a task, in development, gets an Error", async () => {
  const app = makeApp("vite-dev-error", {
    "src/entry.ts": `import { parallel } from "makeparallel";\nlet total = 0;\nexport const add = parallel((n: number) => (total += n));\n`,
  });
  const text = `import { createServer } from "vite";
import makeparallel from "makeparallel/vite";
const server = await createServer({ configFile: false, logLevel: "silent", appType: "custom", server: { middlewareMode: true, ws: false, watch: null }, optimizeDeps: { noDiscovery: true }, plugins: [makeparallel()] });
await server.transformRequest("/src/entry.ts", { ssr: true }).catch((error) => console.log(error instanceof Error, /MP\\d+/.exec(error.message)?.[0]));
await server.close();
process.exit();
`;
  app.write("dev.mjs", text);
  expect((await node(app, "dev.mjs", "typescript")).stdout.trim()).toBe("true MP1010");
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

test.each([
  ["webpack", "{ loader: 'ts-loader', options: { transpileOnly: true } }"],
  ["rspack", "{ loader: 'builtin:swc-loader', options: { jsc: { parser: { syntax: 'typescript' } } } }"],
])("%s: a server that loads what has been emitted anew has the new code of its tasks", async (host, use) => {
  const app = makeApp(`reload-${host}`, {
    "src/main.ts": `import { parallel } from "makeparallel";
import { scale } from "@lib/scale";
import { double } from "./double";
const scaled = parallel((n: number) => scale(n));
const doubled = parallel((n: number) => double(n).get());
export const run = () => [scaled(1).get(), doubled(1).get()];
`,
    "src/double.ts": `import { parallel } from "makeparallel";
export const double = parallel((n: number) => n * 2);
`,
    "src/lib/scale.ts": "export const scale = (n: number): number => n * 1;\n",
  });
  const printed = await script(
    app,
    "watch.mjs",
    `import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import makeparallel from "makeparallel/${host}";
import * as loaded from ${JSON.stringify(host === "webpack" ? "webpack" : "@rspack/core")};
const require = createRequire(import.meta.url);
const file = path.resolve("out/main.cjs");
const compiler = (loaded.rspack ?? loaded.default)({
  mode: "development", devtool: false, target: "node", entry: "./src/main.ts", context: process.cwd(),
  output: { path: path.resolve("out"), filename: "main.cjs", library: { type: "commonjs2" } },
  resolve: { extensions: [".ts", ".js"], alias: { "@lib": path.resolve("src/lib") } },
  module: { rules: [{ test: /\\.ts$/, use: ${use} }] },
  plugins: [makeparallel()],
});
compiler.hooks.assetEmitted.tap("server", (name, { targetPath }) => delete require.cache[targetPath]);
const edit = (name, from, to) => fs.writeFileSync(name, fs.readFileSync(name, "utf8").replace(from, to));
const stages = [
  ["1,2", () => edit("src/lib/scale.ts", "n * 1", "n * 100")],
  ["100,2", () => edit("src/double.ts", "n * 2", "n * 200")],
  ["100,200", () => watching.close(() => process.exit())],
];
const watching = compiler.watch({}, (error, stats) => {
  if (error || stats.hasErrors()) throw error ?? new Error(stats.toString());
  const results = String(require(file).run());
  // Some systems report a change from before the first build once more.
  if (results !== stages[0][0]) return console.log("still " + results);
  console.log(results);
  stages.shift()[1]();
});
`,
  );
  expect(
    printed
      .trim()
      .split("\n")
      .filter((line) => !line.startsWith("still")),
  ).toEqual(["1,2", "100,2", "100,200"]);
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
