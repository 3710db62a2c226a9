/** A plugin before ours changes what is in the files: tasks, what they use and marks are what it made of them. */
import type { Workspace } from "../adapters/support/workspace";
import { makeApp, node, script } from "./support/app";
import * as hosts from "./support/hosts";

const SOURCES = {
  "src/main.ts": `import { parallel } from "makeparallel";
import { grade } from "./helper";
import { late } from "./late";
import { Point } from "./point";
const task = parallel((n: number) => n * __FACTOR__ + grade());
const moved = parallel((point: Point) => point.moved(1));
export const run = async () => [await task(2), grade(), await late(3), (await moved(new Point(1))).x];
if (!process.env.NO_RUN) void run().then((results) => console.log(JSON.stringify(results)));
`,
  "src/helper.ts": `export const grade = (): number => __GRADE__;\n`,
  "src/late.ts": `export const late = __TASK__((n: number) => n * 10);\n`,
  "src/point.ts": `export class Point {\n  #x: number;\n  constructor(x: number) { this.#x = x; }\n  get x(): number { return this.#x; }\n  moved(by: number): Point { return new Point(this.#x + by * __FACTOR__); }\n}\n`,
};
const RESULTS = [19, 5, 30, 8];

const REWRITE = `const rewrite = (code) => (code.includes("__TASK__") ? 'import { parallel as __TASK__ } from "makeparallel";\\n' : "") + code.replaceAll("__FACTOR__", "7").replaceAll("__GRADE__", "5");
`;
const PLUGIN = `${REWRITE}const before = { name: "rewrite", enforce: "pre", transform: { order: "pre", handler: (code, id) => (id.includes("src/") ? { code: rewrite(code), map: null } : null) } };
`;

/** The script with the plugin before makeparallel(). */
const withPlugin = (text: string): string =>
  text.replace(/(import path from "node:path";\n)/, (line) => `${line}${PLUGIN}`).replace("makeparallel()", "before, makeparallel()");

async function expectResults(app: Workspace, file: string): Promise<void> {
  const ended = await node(app, file, "typescript", ["--enable-source-maps"]);
  expect({ code: ended.code, stderr: ended.stderr, results: ended.stdout && (JSON.parse(ended.stdout) as unknown) }).toEqual({
    code: 0,
    stderr: "",
    results: RESULTS,
  });
}

test.each([
  ["rollup", hosts.rollup, ["es"], "out/main.mjs"],
  ["rolldown", hosts.rolldown, ["esm"], "out/main.mjs"],
  ["vite", hosts.vite, ["server"], "out/main.js"],
])("%s", async (name, text, args, output) => {
  const app = makeApp(`rewritten-${name}`, SOURCES);
  const printed = await script(app, "build.mjs", withPlugin(text), ...args);
  expect(printed).not.toMatch(/warn/i);
  await expectResults(app, output);
});

test.each(["webpack", "rspack"])("%s", async (host) => {
  const app = makeApp(`rewritten-${host}`, { ...SOURCES, "rewrite.cjs": `${REWRITE}module.exports = rewrite;\n` });
  const text = hosts.pack.replace("rules: [", 'rules: [{ test: /\\.ts$/, enforce: "pre", use: path.resolve("rewrite.cjs") }, ');
  await script(app, "build.mjs", text, host, "production", "cjs");
  await expectResults(app, "out/main.cjs");
});

test("vite in development: marked files; of what tasks import from others it is said", async () => {
  const app = makeApp("rewritten-vite-dev", {
    ...SOURCES,
    "src/helper.ts": 'export const grade = (): number => Number("__GRADE__") || 1;\n',
    "src/point.ts": SOURCES["src/point.ts"].replace("__FACTOR__", '(Number("__FACTOR__") || 1)'),
  });
  app.write(
    "dev.mjs",
    `import { createServer } from "vite";
import makeparallel from "makeparallel/vite";
${PLUGIN}
process.env.NO_RUN = "1";
const server = await createServer({ configFile: false, logLevel: "warn", appType: "custom", server: { middlewareMode: true, ws: false, watch: null }, optimizeDeps: { noDiscovery: true }, plugins: [before, makeparallel()] });
const results = await (await server.ssrLoadModule("/src/main.ts")).run();
await server.close();
console.log(JSON.stringify(results));
process.exit();
`,
  );
  const ended = await node(app, "dev.mjs", "typescript");
  if (ended.code !== 0) throw new Error(ended.stderr);
  // In tasks `grade()` is 1, and points move by 1.
  expect({ code: ended.code, results: JSON.parse(ended.stdout.trim().split("\n").at(-1) || "0") as unknown }).toEqual({
    code: 0,
    results: [15, 5, 30, 2],
  });
  expect((ended.stdout + ended.stderr).match(/Another plugin changes .*/g)?.sort()).toEqual([
    expect.stringMatching(/^Another plugin changes src\/helper\.ts, but tasks of src\/main\.ts have it as it is on disk/),
    expect.stringMatching(/^Another plugin changes src\/point\.ts, /),
  ]);
});
