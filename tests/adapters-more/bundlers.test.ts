/** `makeparallel/vite`, `/rollup`, `/rolldown`, `/webpack`, `/rspack`: real builds of a project, run on each backend. */
import * as fs from "node:fs";
import { listFiles } from "../adapters/support/workspace";
import { build, expectApp, makeApp, node, script } from "./support/app";
import * as hosts from "./support/hosts";

test.each([
  ["rollup", "es", "out/main.mjs", hosts.rollup],
  ["rollup", "cjs", "out/main.cjs", hosts.rollup],
  ["rolldown", "esm", "out/main.mjs", hosts.rolldown],
  ["rolldown", "cjs", "out/main.cjs", hosts.rolldown],
])("%s, %s", async (name, format, output, text) => {
  const app = makeApp(`${name}-${format}`);
  const printed = await script(app, "build.mjs", text, format);
  expect(printed).not.toMatch(/warn/i);
  await expectApp(app, output);
});

const TWO_FORMATS = {
  rolldown: `import { build } from "rolldown";
const one = (output) => build({ input: "src/main.ts", platform: "node", external: ["dual"], plugins, output });
await Promise.all(outputs.map(one));
`,
  rollup: `import { rollup } from "rollup";
const bundle = await rollup({ input: "src/main.ts", external: [/^[a-z]/], plugins });
await Promise.all(outputs.map((output) => bundle.write(output)));
`,
};

test.each(["rolldown", "rollup"] as const)("%s: outputs of two formats in one folder have a manifest each", async (host) => {
  const app = makeApp(`${host}-two-formats`, {
    "src/main.ts": `import { parallel } from "makeparallel";
import kind from "dual";
import mode from "sloppy";
const run = parallel(() => [kind, (0, mode)()]);
const nested = parallel(() => run());
const print = async () => console.log(JSON.stringify([kind, await run(), await nested()]));
print().catch((error) => console.log(error));
`,
    "node_modules/dual/package.json": { name: "dual", version: "1.0.0", exports: { import: "./dual.mjs", require: "./dual.cjs" } },
    "node_modules/dual/dual.mjs": `export default "imported";\n`,
    "node_modules/dual/dual.cjs": `module.exports = "required";\n`,
    "node_modules/sloppy/package.json": { name: "sloppy", version: "1.0.0" },
    "node_modules/sloppy/index.js": `module.exports = function () { return this === undefined ? "strict" : "sloppy"; };\n`,
  });
  const text = `import makeparallel from "makeparallel/${host}";
const plugins = [makeparallel({ packages: "bundle", external: ["dual"] })];
const outputs = [["es", "mjs"], ["cjs", "cjs"]].map(([format, extension]) => ({ dir: "out", format, entryFileNames: "[name]." + extension }));
${TWO_FORMATS[host]}`;
  for (let builds = 0; builds < 2; builds++) {
    await script(app, "build.mjs", text);
    expect([(await node(app, "out/main.mjs", "typescript")).stdout, (await node(app, "out/main.cjs", "typescript")).stdout]).toEqual([
      '["imported",["imported","strict"],["imported","strict"]]\n',
      '["required",["required","sloppy"],["required","sloppy"]]\n',
    ]);
    expect(listFiles(app, "out/parallel-chunks").filter((file) => file.endsWith(".json"))).toHaveLength(2);
    // The next build finds chunks that it has to take away.
    app.write("src/main.ts", app.read("src/main.ts").replace(/\brun\b/g, "again"));
  }
  expect(listFiles(app, "out/parallel-chunks").filter((file) => file.startsWith("run-"))).toEqual([]);
});

test("vite, build for servers", async () => {
  const app = makeApp("vite");
  await script(app, "build.mjs", hosts.vite, "server");
  await expectApp(app, "out/main.js");
});

test.each(["", "await Promise.resolve();"])(
  "vite: import.meta.env and what else is defined mean in tasks what they mean in the program. %s",
  async (wait) => {
    const app = makeApp(`vite-env${wait.length}`, {
      ".env.production": "VITE_KEY=abc\n",
      "src/main.ts": `import { parallel } from "makeparallel";
import { settings } from "./settings.js";
const read = parallel(() => settings());
console.log(JSON.stringify([settings(), await read()]));
`,
      "src/settings.ts": `declare const VERSION: string;
${wait}
export function settings() {
  const { MODE, SSR } = import.meta.env;
  const place = import.meta.url.split("/").at(-2);
  return [VERSION, import.meta.env.VITE_KEY, MODE, SSR, (import.meta as any).release, import.meta.other?.key ?? "none", place];
}
`,
    });
    const text = hosts.vite.replace("plugins: [", `define: { VERSION: '"1.2"', "import.meta.release": "7" }, plugins: [`);
    await script(app, "build.mjs", text, "server");
    const expected = ["1.2", "abc", "production", true, 7, "none", "out"];
    expect(JSON.parse((await node(app, "out/main.js", "typescript")).stdout)).toEqual([expected, expected]);
  },
);

test.each([
  ["webpack", "production", "cjs"],
  ["webpack", "development", "cjs"],
  ["webpack", "production", "esm"],
  ["webpack", "development", "esm"],
  ["rspack", "production", "cjs"],
  ["rspack", "development", "esm"],
])("%s, %s, %s", async (host, mode, format) => {
  const app = makeApp(`${host}-${mode}-${format}`);
  await script(app, "build.mjs", hosts.pack, host, mode, format);
  await expectApp(app, format === "esm" ? "out/main.mjs" : "out/main.cjs");
});

test.each(["webpack", "rspack"])("%s: entries that are emitted above the output's folder find their chunks", async (host) => {
  const app = makeApp(`above-${host}`);
  const text = hosts.pack.replace('path.resolve("out")', 'path.resolve("out/chunks")').replace('"main.cjs"', '"../main.cjs"');
  await script(app, "build.mjs", text, host, "production", "cjs");
  await expectApp(app, "out/main.cjs");
  expect(listFiles(app, "out/chunks")).toEqual([]);
});

test.each([
  ["webpack", "(...args) => args[1](null, /^[a-z]/.test(args[0].request) ? 'commonjs ' + args[0].request : undefined)"],
  ["webpack", "(context, request, done) => done(null, /^[a-z]/.test(request) ? 'commonjs ' + request : undefined)"],
  ["rspack", "({ request }) => (/^[a-z]/.test(request) ? 'commonjs ' + request : undefined)"],
  ["rspack", "(...args) => args[1](null, /^[a-z]/.test(args[0].request) ? 'commonjs ' + args[0].request : undefined)"],
])("%s: packages that a function leaves outside stay outside of chunks: %s", async (host, externals) => {
  const app = makeApp(`externals-${host}-${externals.length}`, {
    "src/main.ts": `import { parallel } from "makeparallel";
import { kind } from "outside";
const run = parallel(() => kind());
void run().then((value) => console.log(value, kind()), (error) => console.log(error));
`,
    "node_modules/outside/package.json": { name: "outside", version: "1.0.0" },
    "node_modules/outside/index.js": `exports.kind = () => "within";\n`,
  });
  await script(app, "build.mjs", hosts.pack.replace("plugins: [", `externals: [${externals}], plugins: [`), host, "production", "cjs");
  app.write("node_modules/outside/index.js", `exports.kind = () => "outside";\n`);
  expect((await node(app, "out/main.cjs", "typescript")).stdout).toBe("outside outside\n");
});

test.each(["webpack", "rspack"])("%s: what the build replaces in the program it replaces in tasks", async (host) => {
  const app = makeApp(`definitions-${host}`, {
    "src/main.ts": `import { parallel } from "makeparallel";
import { settings } from "./settings.js";
const read = parallel(() => settings());
void read().then((inTask) => console.log(JSON.stringify([settings(), inTask])), (error) => console.log(error));
`,
    "src/settings.ts": `declare const VERSION: string, LIMITS: { low: number; high: { soft: number } }, QUOTED: string, ALIAS: unknown;
export const settings = () => [process.env.NODE_ENV, process.env.PUBLIC_URL, VERSION, LIMITS.low, LIMITS.high.soft, QUOTED, typeof ALIAS];
`,
  });
  const definitions = `{ VERSION: '"1.2"', LIMITS: { low: 3, high: { soft: "7" } }, QUOTED: "'q'", ALIAS: "globalThis.Array", "typeof window": '"none"' }`;
  const plugins = `plugins: [new pack.DefinePlugin(${definitions}), new pack.EnvironmentPlugin({ PUBLIC_URL: "/x" }), `;
  await script(app, "build.mjs", hosts.pack.replace("plugins: [", plugins), host, "production", "cjs");
  const expected = ["production", "/x", "1.2", 3, 7, "q", "function"];
  expect(JSON.parse((await node(app, "out/main.cjs", "typescript")).stdout)).toEqual([expected, expected]);
});

test.each([
  ["webpack", "esm"],
  ["rspack", "cjs"],
])("%s, %s: a task that imports a file with tasks has them", async (host, format) => {
  const app = makeApp(`imported-tasks-${host}`, {
    "src/main.ts": `import { parallel } from "makeparallel";
const run = parallel(async (n: number) => {
  const { double } = await import("./later.js");
  return double(n);
});
void run(21).then((value) => console.log(value), (error) => console.log(error));
`,
    "src/later.ts": `import { parallel } from "makeparallel";
export const double = parallel((n: number) => n * 2);
`,
  });
  await script(app, "build.mjs", hosts.pack, host, "production", format);
  const { stdout } = await node(app, format === "esm" ? "out/main.mjs" : "out/main.cjs", "typescript");
  expect(stdout.trim()).toBe("42");
});

test.each([
  ["rollup", hosts.rollup, ["es"]],
  ["rspack", hosts.pack, ["rspack", "development", "esm"]],
])("%s: tasks of a file that only other tasks use are in the build", async (name, text, args) => {
  const app = makeApp(`used-by-tasks-${name}`, {
    "src/main.ts": `import { parallel } from "makeparallel";
import { twice } from "./twice.js";
const run = parallel((n: number) => twice(n) + 1);
void run(20).then((value) => console.log(value), (error) => console.log(error));
`,
    "src/twice.ts": `import { parallel } from "makeparallel";
import { factor } from "./factor.js";
const double = parallel((n: number) => n * factor().get());
export const twice = (n: number): number => double(n).get();
`,
    "src/factor.ts": `import { parallel } from "makeparallel";
export const factor = parallel(() => 2);
`,
  });
  await script(app, "build.mjs", text, ...args);
  expect((await node(app, "out/main.mjs", "typescript")).stdout.trim()).toBe("41");
});

/** What `@rollup/plugin-commonjs` and `@rollup/plugin-node-resolve` do about imports: the first loads what is imported, the second goes by conditions. */
const RESOLVING_PLUGINS = `const commonjs = {
  name: "commonjs",
  async resolveId(source, importer, options) {
    if (options.custom?.["node-resolve"]?.isRequire) return null;
    const found = await this.resolve(source, importer, { ...options, skipSelf: true });
    if (found && !found.external && importer) await this.load(found);
    return found;
  },
};
const nodeResolve = {
  name: "node-resolve",
  resolveId: {
    order: "post",
    handler(source, importer, { custom }) {
      if (!/^(?:dual|imported)$/.test(source)) return null;
      const isRequire = custom?.["node-resolve"]?.isRequire;
      if (source === "imported" && isRequire) return null;
      return path.resolve("node_modules", source, isRequire ? "index.cjs" : "index.mjs");
    },
  },
};
`;

test("rollup: where its commonjs plugin is there, tasks have the builds of packages that are for imports", async () => {
  const app = makeApp("rollup-conditions", {
    "src/main.ts": `import { parallel } from "makeparallel";
import { kind } from "dual";
import { only } from "imported";
import { own } from "./own.js";
const run = parallel(() => [kind, only, own()]);
console.log(JSON.stringify([kind, only, await run()]));
`,
    "src/own.ts": `import { parallel } from "makeparallel";\nexport const own = () => "own";\nexport const other = parallel(() => own());\n`,
    "node_modules/dual/package.json": { name: "dual", version: "1.0.0", exports: { import: "./index.mjs", require: "./index.cjs" } },
    "node_modules/dual/index.mjs": `export const kind = "imported";\n`,
    "node_modules/dual/index.cjs": `exports.kind = "required";\n`,
    "node_modules/imported/package.json": { name: "imported", version: "1.0.0", exports: { import: "./index.mjs" } },
    "node_modules/imported/index.mjs": `export const only = "only imported";\n`,
  });
  const text = `import fs from "node:fs";
import path from "node:path";
import * as esbuild from "esbuild";
import { rollup } from "rollup";
import makeparallel from "makeparallel/rollup";
${RESOLVING_PLUGINS}
const bundle = await rollup({ input: "src/main.ts", external: [/^makeparallel/], plugins: [commonjs, nodeResolve, ${hosts.ROLLUP_TYPESCRIPT}, makeparallel()] });
await bundle.write({ dir: "out", format: "es", entryFileNames: "[name].mjs" });
`;
  await script(app, "build.mjs", text);
  for (const name of ["dual", "imported"]) fs.rmSync(app.file(`node_modules/${name}`), { recursive: true });
  const expected = '["imported","only imported",["imported","only imported","own"]]\n';
  expect(await node(app, "out/main.mjs", "typescript")).toMatchObject({ stdout: expected, stderr: "" });
});

test("rollup: what a rebuild finds about a file that it does not read again is said, and no more once it is over", async () => {
  const other = (change: string): string => `import { config } from "./config.js";\nexport const change = () => ${change};\n`;
  const app = makeApp("late", {
    "src/main.ts": `import { parallel } from "makeparallel";
import { config } from "./config.js";
import { change } from "./other.js";
change();
void parallel(() => config.level)();
`,
    "src/config.ts": "export const config = { level: 1 };\n",
    "src/other.ts": other("config.level"),
    "changed.txt": other("(config.level = 2)"),
  });
  const rebuilds = hosts.rollup.replace(/await bundle\.write[^]*$/, "").replace(/const bundle = await rollup\(\{/, "const options = ({");
  const printed = await script(
    app,
    "build.mjs",
    `${rebuilds}
let cache;
for (const from of ["src/other.ts", "changed.txt", "src/main.ts", "src/other.ts"]) {
  if (from === "changed.txt") { fs.copyFileSync("src/other.ts", "before.txt"); fs.copyFileSync(from, "src/other.ts"); }
  else if (from === "src/main.ts") fs.appendFileSync("src/other.ts", "// edited\\n");
  else if (fs.existsSync("before.txt")) fs.copyFileSync("before.txt", "src/other.ts");
  console.log("BUILD");
  const bundle = await rollup({ ...options, cache });
  cache = bundle.cache;
  await bundle.generate({ format: "es" });
}
`,
  );
  const codes = printed.split("BUILD").map((part) => [...new Set(part.match(/MP\d{4}/g))]);
  expect(codes).toEqual([[], [], ["MP2005"], ["MP2005"], []]);
});

test("rollup: behind entries that are the host's own, a task knows subclasses that are loaded after it, in the first build and in others", async () => {
  const app = makeApp("hidden-entries", {
    "src/shape.ts": `import { type AsyncHandle, AsyncHandle as Handle, parallel } from "makeparallel";
export abstract class Shape {
  abstract area(): number;
  @parallel describe(): AsyncHandle<string> { return Handle.of(this.constructor.name + " " + this.area()); }
}
`,
    "src/square.ts": `import { Shape } from "./shape.js";
export class Square extends Shape { #side = 3; area(): number { return this.#side ** 2; } }
`,
    "src/other.ts": "export const other = 1;\n",
    // Not in the program.
    "tests/fake.ts": `import { Shape } from "../src/shape.js";\nexport class Fake extends Shape { area(): number { return 0; } }\n`,
  });
  const entry = `{
    name: "host",
    resolveId: (source) => source === "virtual:app" ? "\\0app" : source === "makeparallel/internal" ? (console.log("ASKED"), null) : null,
    load: (id) => id === "\\0app" ? [
      'import "' + path.resolve("src/shape.ts") + '";',
      'import { Square } from "' + path.resolve("src/square.ts") + '";',
      'import { other } from "' + path.resolve("src/other.ts") + '";',
      'void new Square().describe().then((text) => console.log(text, other), (error) => console.log(error));',
    ].join("\\n") : null,
  }`;
  const text = hosts.rollup
    .replace('"src/main.ts"', '"virtual:app"')
    .replace("plugins: [", `plugins: [${entry}, `)
    .replace("await rollup({", "await rollup(options = {")
    .replace("const bundle", "let options, bundle")
    .replace(/\n(await bundle\.write)/, "\n// $1");
  const write = /\/\/ (await bundle\.write.*)/.exec(text)![1]!;
  const printed = await script(
    app,
    "build.mjs",
    `${text.replace(/"\[name\]/g, '"main')}
for (const builds of [1, 2]) {
  if (builds === 2) bundle = await rollup({ ...options, cache: bundle.cache });
  ${write.replace(/"\[name\]/g, '"main')}
  fs.cpSync("out", "out" + builds, { recursive: true });
  fs.writeFileSync("src/other.ts", "export const other = 2;\\n");
}
`,
    "es",
  );
  expect(printed).not.toContain("WARNING");
  // Some hosts copy what stays outside.
  expect(printed).toContain("ASKED");
  for (const builds of [1, 2]) {
    expect((await node(app, `out${builds}/main.mjs`, "typescript")).stdout.trim()).toBe(`Square 9 ${builds}`);
    expect(listFiles(app, `out${builds}/parallel-chunks`).filter((file) => file.startsWith("Fake"))).toEqual([]);
  }
});

test("a rebuild removes chunks that no task has any more", async () => {
  const app = makeApp("stale");
  await script(app, "build.mjs", hosts.rollup, "es");
  const before = listFiles(app, "out/parallel-chunks").filter((file) => file.startsWith("fibonacci"));
  app.write("src/work.ts", app.read("src/work.ts").replace("[0n, 1n]", "[0n, 2n]"));
  await script(app, "build.mjs", hosts.rollup, "es");
  const after = listFiles(app, "out/parallel-chunks").filter((file) => file.startsWith("fibonacci"));
  expect([before.length, after.length]).toEqual([2, 2]);
  expect(after).not.toEqual(before);
  expect((await node(app, "out/main.mjs", "typescript")).stdout).toContain('"tag":"5760134388741632240"');
});

const BROKEN = `import { parallel } from "makeparallel";
export function count(): unknown {
  let total = 0;
  return parallel((n: number) => { total += n; return total; });
}
void count();
`;

test.each([
  ["rollup", hosts.rollup, ["es"]],
  ["rolldown", hosts.rolldown, ["esm"]],
  ["vite", hosts.vite, ["server"]],
  ["webpack", hosts.pack, ["webpack", "production", "cjs"]],
  ["rspack", hosts.pack, ["rspack", "production", "cjs"]],
])("%s: an error in a task fails the build with code, place and frame", async (name, text, args) => {
  const app = makeApp(`errors-${name}`, { "src/main.ts": BROKEN });
  const ended = await build(app, "build.mjs", text, ...args);
  const printed = ended.stdout + ended.stderr;
  expect(ended.code).toBe(1);
  expect(printed).toMatch(/MP\d{4}/);
  expect(printed).toContain("src/main.ts:4:36");
  expect(printed).toContain("total += n");
  expect(listFiles(app, "out").filter((file) => file.startsWith("parallel-chunks"))).toEqual([]);
});

test.each([
  ["vite", hosts.vite, ["browser"]],
  ["webpack", hosts.pack, ["webpack", "production", "cjs", "web"]],
  ["rspack", hosts.pack, ["rspack", "production", "cjs", "web"]],
])("%s: a build for browsers is refused, with the way out", async (name, text, args) => {
  const app = makeApp(`browser-${name}`, {
    "src/main.ts": `import { parallel } from "makeparallel";\nvoid parallel((n: number) => n)(1);\n`,
  });
  const ended = await build(app, "build.mjs", text, ...args);
  expect(ended.code).toBe(1);
  expect(ended.stdout + ended.stderr).toMatch(/worker threads.*(?:build\.ssr|target: "node")/s);
});

test.each(["webpack", "rspack"])("%s: a package whose parallel functions were built before is refused by name", async (name) => {
  const app = makeApp(`library-${name}`, {
    "src/main.ts": `import { tile } from "maps/tiles";\nvoid tile(1);\n`,
    "node_modules/maps/package.json": { name: "maps", version: "1.0.0" },
    "node_modules/maps/tiles.js": `exports.tile = require("./draw").draw;\n`,
    "node_modules/maps/draw.js": `const __mp = require("makeparallel/internal");\nexports.draw = () => __mp.module(__filename, "0");\n`,
  });
  const ended = await build(app, "build.mjs", hosts.pack, name, "production", "cjs");
  expect(ended.code).toBe(1);
  expect(ended.stdout + ended.stderr).toContain("maps has parallel functions that were built already");
  expect(ended.stdout + ended.stderr).toContain('add "maps" to `externals`');
});

test("vite: a build for browsers without marks is left alone", async () => {
  const app = makeApp("browser-plain", { "src/main.ts": `console.log("plain");\n` });
  await script(app, "build.mjs", hosts.vite, "browser");
  expect(listFiles(app, "out").filter((file) => file.includes("parallel-chunks"))).toEqual([]);
});
