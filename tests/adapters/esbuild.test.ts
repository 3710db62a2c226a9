/** `makeparallel/esbuild`: the ways in which esbuild can be told to build. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { runNode } from "../support/children";
import { esbuildBuild, esbuildErrors, listFiles, makeWorkspace, type Workspace } from "./support/workspace";

const main = `import { parallel } from "makeparallel";
import { factor } from "./factor";

const scale = parallel((n: number) => n * factor());
void scale(2).then((value) => console.log(value));
`;

function project(name: string, files: Record<string, string | object> = {}, at?: string): Workspace {
  return makeWorkspace(
    `esbuild-${name}`,
    {
      "package.json": { name: "project", version: "1.0.0" },
      "src/main.ts": main,
      "src/factor.ts": "export const factor = (): number => 10;\n",
      ...files,
    },
    at,
  );
}

async function build(workspace: Workspace, options: string, plugin?: string): Promise<void> {
  const built = await esbuildBuild(workspace, options, plugin);
  if (built.code !== 0) throw new Error(esbuildErrors(built));
}

async function run(workspace: Workspace, file: string): Promise<string> {
  const ended = await runNode(workspace.file(file), [], { env: { MAKEPARALLEL_BACKEND: "typescript", MAKEPARALLEL_THREADS: "1" } });
  return (ended.stdout + ended.stderr).trim();
}

test.each([
  ["bundle, cjs, outfile", `{ bundle: true, platform: "node", outfile: "out/app.cjs" }`, "out/app.cjs"],
  ["bundle, esm, outfile", `{ bundle: true, platform: "node", format: "esm", outfile: "out/app.mjs" }`, "out/app.mjs"],
  [
    "bundle, esm, outdir, splitting",
    `{ bundle: true, platform: "node", format: "esm", splitting: true, outdir: "out", outExtension: { ".js": ".mjs" } }`,
    "out/main.mjs",
  ],
  ["bundle, minified", `{ bundle: true, platform: "node", minify: true, outfile: "out/app.cjs" }`, "out/app.cjs"],
  ["bundle, packages external", `{ bundle: true, platform: "node", packages: "external", outfile: "out/app.cjs" }`, "out/app.cjs"],
])("%s", async (title, options, output) => {
  const workspace = project(title.replace(/\W+/g, "-"));
  await build(workspace, `{ entryPoints: ["src/main.ts"], ...${options} }`);
  expect(await run(workspace, output)).toBe("20");
});

test.each(["cjs", "esm"])("bundled packages find in a task what they find in the program: files beside the output (%s)", async (format) => {
  const workspace = project(`beside-${format}`, {
    "src/packages.d.ts": "declare module 'old-table';\ndeclare module 'new-table';\n",
    "src/main.ts": `import { parallel } from "makeparallel";
import old from "old-table";
${format === "esm" ? 'import { table } from "new-table";' : "const table = old;"}
class Row { #n = 2; get n() { return this.#n; } }
const read = parallel((row: Row) => [old("a.txt"), table("a.txt"), row.n]);
const again = parallel(async (row: Row) => [await read(row), row]);
void again(new Row()).then(([texts, row]) => console.log(JSON.stringify([texts, [old("a.txt"), table("a.txt")], row instanceof Row])));
`,
    "node_modules/old-table/index.js": `module.exports = (name) => require("fs").readFileSync(__dirname + "/" + name, "utf8");\n`,
    "node_modules/new-table/package.json": { name: "new-table", version: "1.0.0", type: "module" },
    "node_modules/new-table/index.js": `import fs from "node:fs";\nexport const table = (name) => fs.readFileSync(new URL(name, import.meta.url), "utf8");\n`,
    "out/a.txt": "beside",
  });
  const place =
    format === "esm"
      ? `, banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url), __dirname = process.argv[1].slice(0, -8);" }`
      : "";
  await build(
    workspace,
    `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", format: "${format}", outfile: "out/app.${format === "esm" ? "m" : "c"}js"${place} }`,
  );
  expect(await run(workspace, `out/app.${format === "esm" ? "m" : "c"}js`)).toBe('[["beside","beside",2],["beside","beside"],true]');
});

test.each([
  ["cjs", `{ format: "cjs", outExtension: { ".js": ".cjs" } }`, "cjs", "./factor.cjs"],
  ["esm", `{ format: "esm", outExtension: { ".js": ".mjs" } }`, "mjs", "./factor.mjs"],
  ["no format, in an ES module package", `{}`, "js", "./factor.js"],
])("without bundling: %s", async (title, options, extension, specifier) => {
  const workspace = project(`single-${title.replace(/\W+/g, "-")}`, {
    "package.json": { name: "project", version: "1.0.0", type: extension === "js" ? "module" : "commonjs" },
    "src/main.ts": main.replace("./factor", specifier),
  });
  await build(workspace, `{ entryPoints: ["src/*.ts"], outdir: "out", target: "node20", ...${options} }`);
  expect(listFiles(workspace, "out").filter((file) => !file.startsWith("parallel-chunks"))).toEqual([
    `factor.${extension}`,
    `main.${extension}`,
  ]);
  expect(await run(workspace, `out/main.${extension}`)).toBe("20");
});

test("write: false adds the chunks and the manifest to outputFiles and writes nothing", async () => {
  const workspace = project("write-false");
  const built = await esbuildBuild(
    workspace,
    `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outdir: "out", write: false }`,
  );
  const { files } = JSON.parse(built.stdout) as { files: string[] };
  const names = files
    .map((file) =>
      path
        .relative(workspace.root, file)
        .replace(/-[A-Z0-9]{8}/, "")
        .replace(/[0-9a-f]{10}/, "key"),
    )
    .sort();
  expect(names).toEqual([
    "out/main.js",
    "out/parallel-chunks/key.json",
    "out/parallel-chunks/scale.cjs",
    "out/parallel-chunks/scale.cjs.map",
  ]);
  expect(fs.existsSync(workspace.file("out"))).toBe(false);
});

test("packages that are no strict code run in chunks as in the host's CommonJS bundle; tasks stay strict, positions right", async () => {
  const workspace = project("sloppy", {
    // Theirs it is not.
    "tsconfig.json": { compilerOptions: { strict: true } },
    "node_modules/sloppy/package.json": { name: "sloppy", version: "1.0.0", main: "index.js" },
    "node_modules/sloppy/index.js": `var helper = require("./helper");
exports.implicit = function () { for (i = 0; i < 3; i++) leaked = i; return helper.twice(leaked); };
exports.callee = function (n) { return (function (n) { return n < 2 ? 1 : n * arguments.callee(n - 1); })(n); };
exports.receiver = function () { return (function () { return this === globalThis; })(); };
exports.fail = function () {
  throw new Error("here");
};
`,
    "node_modules/sloppy/helper.js": `"use strict";
exports.twice = function (n) { return (function () { return this === undefined; })() ? n * 2 : NaN; };
`,
    "node_modules/with/package.json": { name: "with", version: "1.0.0", main: "index.js" },
    "node_modules/with/index.js": "exports.f = function (o) { with (o) { return a; } };\n",
    "src/sloppy.d.ts": "declare module 'sloppy';\ndeclare module 'with';\n",
    "src/main.ts": `import { parallel } from "makeparallel";
import sloppy from "sloppy";
const strict = (): boolean => (function (this: unknown) { return this === undefined; })();
const run = parallel((n: number) => [sloppy.implicit(), sloppy.callee(n), sloppy.receiver(), strict()]);
const fail = parallel(() => sloppy.fail());
async function main() {
  const where = await fail().catch((error: Error) => /sloppy.index\\.js:\\d+/.exec(error.stack ?? "")?.[0]);
  console.log(JSON.stringify([await run(4), where]));
}
void main();
`,
    "src/with.ts": `import { parallel } from "makeparallel";\nimport { f } from "with";\nexport const run = parallel((o: object) => f(o));\n`,
  });
  await build(workspace, `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outfile: "out/app.cjs", sourcemap: true }`);
  expect(await run(workspace, "out/app.cjs")).toBe('[[4,24,true,true],"sloppy/index.js:6"]');

  const refused = await esbuildBuild(workspace, `{ entryPoints: ["src/with.ts"], bundle: true, platform: "node", outdir: "out" }`);
  const { errors } = JSON.parse(refused.stdout) as { errors: { location: { file: string }; text: string }[] };
  expect(errors.map(({ location, text }) => [location.file, text])).toEqual([
    [
      "node_modules/with/index.js",
      expect.stringContaining(
        '. Tasks can have the package from outside of their chunks: makeparallel({ external: ["with"] }), and install it where the program runs.',
      ),
    ],
  ]);
});

test("the plugin comes by default import, by name, and by require", async () => {
  const workspace = project("imports");
  workspace.write("a.mjs", `import a, { makeparallel as b } from "makeparallel/esbuild";\nconsole.log(a().name, b().name);`);
  workspace.write("b.cjs", `const { makeparallel: a, default: b } = require("makeparallel/esbuild");\nconsole.log(a().name, b().name);`);
  for (const file of ["a.mjs", "b.cjs"]) expect(await run(workspace, file)).toBe("makeparallel makeparallel");
});

test("errors are esbuild's own, with place, related places and a way out; all of them in one run", async () => {
  const broken = `import { parallel } from "makeparallel";
export function count(): unknown {
  let total = 0;
  return parallel((n: number) => { total += n; return total; });
}
`;
  const workspace = project("errors", { "src/a.ts": broken, "src/b.ts": broken, "src/main.ts": `import "./a";\nimport "./b";\n` });
  const built = await esbuildBuild(
    workspace,
    `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outdir: "out", logLevel: "silent" }`,
  );
  expect(built.code).toBe(1);
  const { errors } = JSON.parse(built.stdout) as {
    errors: { text: string; pluginName: string; location: Record<string, unknown>; notes: { text: string }[] }[];
  };
  expect(errors.map(({ location }) => location.file).sort()).toEqual(["src/a.ts", "src/b.ts"]);
  expect(errors[0]).toMatchObject({
    pluginName: "makeparallel",
    text: expect.stringMatching(/^MP\d{4}: .*total/),
    location: { line: 4, lineText: expect.stringContaining("total += n") },
  });
  expect(errors[0].notes.length).toBeGreaterThan(0);
  expect(fs.existsSync(workspace.file("out/parallel-chunks"))).toBe(false);
});

test("settings of the host build hold in the chunks: alias, tsconfig paths, define, loader, conditions, jsx", async () => {
  const workspace = project("settings", {
    "tsconfig.json": { compilerOptions: { paths: { "@lib/*": ["./src/lib/*"] }, jsx: "react", jsxFactory: "Array.of" } },
    "src/lib/paths.ts": `export const byPaths = "paths";`,
    "src/lib/real.ts": `export const aliased = "alias";`,
    "src/note.txt": "text",
    "src/view.tsx": `export const view = (): string => <b>bold</b>;\ndeclare namespace JSX { interface IntrinsicElements { b: object } type Element = string }\n`,
    "node_modules/conditional/package.json": { name: "conditional", exports: { special: "./special.js", default: "./plain.js" } },
    "node_modules/conditional/special.js": `exports.which = "special";`,
    "node_modules/conditional/plain.js": `exports.which = "plain";`,
    "src/main.ts": `import { parallel } from "makeparallel";
import { byPaths } from "@lib/paths";
import { aliased } from "alias-of-lib";
import note from "./note.txt";
import { which } from "conditional";
import { view } from "./view";
declare const DEFINED: string;
const all = parallel(() => [byPaths, aliased, note, DEFINED, which, view()]);
void all().then((value) => console.log(value.join()));
`,
  });
  await build(
    workspace,
    `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outfile: "out/app.cjs", alias: { "alias-of-lib": "./src/lib/real.ts" }, define: { DEFINED: '"defined"' }, loader: { ".txt": "text" }, conditions: ["special"] }`,
  );
  expect(await run(workspace, "out/app.cjs")).toBe("paths,alias,text,defined,special,b,,bold");
});

test("files of esbuild's `file` loader are found by tasks, whoever else uses them", async () => {
  const workspace = project("files", {
    "src/task.dat": "of the task",
    "src/both.dat": "of both",
    "src/main.ts": `import { readFileSync } from "node:fs";
import { parallel } from "makeparallel";
import both from "./both.dat";
import own from "./task.dat";
const read = (file: string): string => readFileSync(new URL(file, import.meta.url), "utf8");
const all = parallel(() => [read(own), read(both)]);
void all().then((values) => console.log([...values, read(both)].join()));
`,
  });
  await build(
    workspace,
    `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", format: "esm", outfile: "out/app.mjs", assetNames: "assets/[name]-[hash]", loader: { ".dat": "file" } }`,
  );
  expect(await run(workspace, "out/app.mjs")).toBe("of the task,of both,of both");
});

test("what stands for import.meta.url in CommonJS output, and what is injected, are there in tasks", async () => {
  const workspace = project("injected", {
    "node_modules/esm-only/package.json": { name: "esm-only", type: "module", exports: "./index.js" },
    "node_modules/esm-only/index.js": `import { createRequire } from "node:module";
export const places = () => [typeof createRequire(import.meta.url), typeof import.meta.dirname, import.meta.url.startsWith("file:")];\n`,
    "src/shim.ts": `export const SHIM = { mode: "shim" };\nexport { default as Events } from "node:events";\nexport class Point { norm = () => 5; }\n`,
    "src/main.ts": `import { parallel } from "makeparallel";
import { places } from "esm-only";
import { both } from "./both";
const all = parallel((n: number) => [...places(), both(n)]);
const shared = parallel((n: number) => both(n));
void Promise.all([all(1), shared(2)]).then((values) => console.log([...values, both(3)].flat().join()), (error) => console.log(error));
`,
    "src/both.ts": `declare const SHIM: { mode: string }, MODE: string, Events: unknown;
export const both = (n: number): string => SHIM.mode + MODE + n + typeof Events;
`,
  });
  await build(
    workspace,
    `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outfile: "out/app.cjs", inject: ["src/shim.ts"], define: { "import.meta.url": "import_meta_url", "import.meta.dirname": "__dirname", MODE: "SHIM.mode" }, banner: { js: "const import_meta_url = require('url').pathToFileURL(__filename).href;" } }`,
  );
  expect(await run(workspace, "out/app.cjs")).toBe("function,string,true,shimshim1function,shimshim2function,shimshim3function");
});

const packages = `import { parallel } from "makeparallel";
import { answer } from "fixture-cjs-plain";
import dual from "fixture-dual";
const get = parallel(() => [answer, dual]);
void get().then((value) => console.log(value.join()), (error) => console.log(error.code));
`;

test("packages go into the chunks when they go into the bundle: it runs without node_modules", async () => {
  const away = fs.mkdtempSync(path.join(os.tmpdir(), "makeparallel-away-"));
  for (const [name, options, expected] of [
    ["bundled", `{}`, "42,dual by import"],
    ["external", `{ external: ["fixture-cjs-plain"] }`, "MP_CHUNK"],
  ]) {
    const workspace = project(`packages-${name}`, { "src/main.ts": packages });
    await build(workspace, `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outdir: "out", ...${options} }`);
    const target = path.join(away, name);
    fs.cpSync(workspace.file("out"), target, { recursive: true });
    // Only makeparallel itself is installed there.
    fs.mkdirSync(path.join(target, "node_modules"));
    fs.symlinkSync(workspace.file("node_modules/makeparallel"), path.join(target, "node_modules/makeparallel"), "junction");
    const ended = await runNode(path.join(target, "main.js"), [], {
      env: { MAKEPARALLEL_BACKEND: "typescript", MAKEPARALLEL_THREADS: "1" },
    });
    expect((ended.stdout + ended.stderr).trim()).toBe(expected);
  }
  fs.rmSync(away, { recursive: true });
});

test("packages: the plugin's option wins over the host's", async () => {
  const workspace = project("packages-option", { "src/main.ts": packages });
  await build(
    workspace,
    `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outdir: "out" }`,
    `makeparallel({ packages: "external" })`,
  );
  expect(await run(workspace, "out/main.js")).toBe("42,dual by require");
  fs.rmSync(workspace.file("node_modules/fixture-dual"), { recursive: true });
  expect(await run(workspace, "out/main.js")).toBe("MP_CHUNK");
});

test("import() of a file of the project finds it in the chunks, packages in the bundle or not", async () => {
  const workspace = project("import-of-a-file", {
    "tsconfig.json": { compilerOptions: { paths: { "@app/*": ["./src/*"] } } },
    "src/main.ts": `import { parallel } from "makeparallel";
const load = parallel(async () => {
  const [{ factor }, aliased, { default: dual }] = await Promise.all([import("./factor"), import("@app/factor"), import("fixture-dual")]);
  return [factor(), aliased.factor(), dual];
});
void load().then((value) => console.log(value.join()), (error) => console.log(error));
`,
  });
  for (const packages of ["external", "bundle"]) {
    await build(
      workspace,
      `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", packages: "${packages}", outdir: "out/${packages}" }`,
    );
    expect(await run(workspace, `out/${packages}/main.js`)).toBe("10,10,dual by import");
  }
});

test("another plugin's resolution of project modules is followed", async () => {
  const workspace = project("plugins", { "src/main.ts": main.replace("./factor", "virtual:factor") });
  const other = `{ name: "other", setup(build) { build.onResolve({ filter: /^virtual:/ }, () => ({ path: ${JSON.stringify(workspace.file("src/factor.ts"))} })); } }`;
  await build(
    workspace,
    `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outfile: "out/app.cjs" }`,
    `makeparallel(), ${other}`,
  );
  expect(await run(workspace, "out/app.cjs")).toBe("20");
});

test("a build without marks is untouched, byte for byte", async () => {
  const files = { "src/main.ts": `import { factor } from "./factor";\nexport class A { x = factor(); }\nconsole.log(new A().x);\n` };
  const [plain, plugged] = [project("plain", files), project("plugged", files)];
  const options = `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outdir: "out", sourcemap: true }`;
  await build(plain, options, "");
  await build(plugged, options);
  expect(listFiles(plugged, "out")).toEqual(listFiles(plain, "out"));
  for (const file of listFiles(plain, "out")) expect(plugged.read(`out/${file}`)).toBe(plain.read(`out/${file}`));
});

test("the same project gives the same bytes in any folder, whether esbuild is asked about imports or not", async () => {
  const elsewhere = fs.mkdtempSync(path.join(os.tmpdir(), "makeparallel-esbuild-"));
  const outputs = [];
  const files = {
    "src/main.ts": packages + main.split("\n").slice(1).join("\n") + tasksOfShapes,
    "src/shapes.ts": shapes,
    "src/squares.ts": squares,
  };
  for (const [at, others] of [
    [undefined, ""],
    [elsewhere, ""],
    [elsewhere, `, { name: "other", setup() {} }`],
  ]) {
    const workspace = project("bytes", files, at);
    await build(
      workspace,
      `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outdir: "out", sourcemap: true }`,
      `makeparallel()${others}`,
    );
    outputs.push(listFiles(workspace, "out").map((file) => [file, workspace.read(`out/${file}`)]));
  }
  fs.rmSync(elsewhere, { recursive: true });
  expect(outputs[0].length).toBeGreaterThan(5);
  expect(outputs[1]).toEqual(outputs[0]);
  expect(outputs[2]).toEqual(outputs[0]);
});

/** Classes that one marked file names through another, and one that only its own file can register. */
const shapes = `import { LRU } from "./squares";
export class Shape { constructor(readonly size: number) {} area(): number { return this.size; } }
export const cache = new LRU<Shape>();
`;
const squares = `import type { Shape } from "./shapes";
export class LRU<T> { #held: T[] = []; add(value: T): number { return this.#held.push(value); } }
export class Square { constructor(readonly shape: Shape) {} }
`;
const tasksOfShapes = `
import { Shape } from "./shapes";
import * as other from "./squares";
export const area = parallel((shape: Shape, square?: other.Square) => shape.area() + (square?.shape.size ?? 0));
`;

test("the program's own source map leads to the original places", async () => {
  const workspace = project("maps", {
    "src/main.ts": `import { parallel } from "makeparallel";
const first = parallel((n: number) => n);
/** @parallel */
export async function second(n: number): Promise<number> { return n; }
void first(1).then(() => second(1)).then(() => { throw new Error("here"); });
`,
  });
  await build(workspace, `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outfile: "out/app.cjs", sourcemap: true }`);
  const ended = await runNode(workspace.file("out/app.cjs"), [], {
    execArgv: ["--enable-source-maps"],
    env: { MAKEPARALLEL_BACKEND: "typescript" },
  });
  expect(ended.stderr).toMatch(/Error: here\s+at .*src\/main\.ts:5:56/);
});

test("watch: edits of a task, of what it uses and of its data rebuild its chunk; errors come and go", async () => {
  const workspace = project("watch", {
    "src/main.ts": `import { parallel } from "makeparallel";
import { factor } from "./factor";
import table from "./table.json";
const scale = parallel((n: number) => n * factor() + table.extra);
void scale(2).then((value) => console.log(value));
`,
    "src/table.json": `{ "extra": 1 }`,
    "src/factor/index.ts": "export const factor = (): number => 10;\n",
  });
  fs.rmSync(workspace.file("src/factor.ts"));
  workspace.write(
    "watch.mjs",
    `import * as esbuild from "esbuild";
import makeparallel from "makeparallel/esbuild";
const report = { name: "report", setup(build) { build.onEnd((result) => console.log("BUILT " + JSON.stringify(result.errors.map((error) => error.text)))); } };
const context = await esbuild.context({ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outfile: "out/app.cjs", logLevel: "silent", plugins: [makeparallel(), report] });
await context.watch();
process.stdin.on("data", () => context.dispose()).unref?.();
`,
  );
  const child = spawn(process.execPath, [workspace.file("watch.mjs")], { cwd: workspace.root, stdio: ["pipe", "pipe", "inherit"] });
  const builds: string[] = [];
  let wake = (): void => {};
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    builds.push(...text.split("\n").filter((line) => line.startsWith("BUILT ")));
    wake();
  });
  const built = async (accept: (line: string) => boolean): Promise<void> => {
    while (!builds.some(accept)) await new Promise<void>((resolve) => (wake = resolve));
    builds.length = 0;
  };
  const clean = (line: string): boolean => line === "BUILT []";
  try {
    await built(clean);
    expect(await run(workspace, "out/app.cjs")).toBe("21");
    const bytes = fs.statSync(workspace.file("out/app.cjs")).size;

    // The program itself does not hold this file any more: only the chunk does.
    workspace.write("src/factor/index.ts", "export const factor = (): number => 20;\n");
    await built(clean);
    expect(await run(workspace, "out/app.cjs")).toBe("41");

    // A file goes before a folder of its name.
    fs.writeFileSync(workspace.file("factor.new"), "export const factor = (): number => 30;\n");
    fs.renameSync(workspace.file("factor.new"), workspace.file("src/factor.ts"));
    await built(clean);
    expect(await run(workspace, "out/app.cjs")).toBe("61");
    fs.rmSync(workspace.file("src/factor.ts"));
    await built(clean);
    expect(await run(workspace, "out/app.cjs")).toBe("41");

    workspace.write("src/table.json", `{ "extra": 2 }`);
    await built(clean);
    expect(await run(workspace, "out/app.cjs")).toBe("42");
    expect(fs.statSync(workspace.file("out/app.cjs")).size).toBe(bytes);

    const text = workspace.read("src/main.ts");
    workspace.write("src/main.ts", text.replace("const scale", "let total = 0;\nconst scale").replace("=> n *", "=> (total = n) *"));
    await built((line) => line.includes("MP"));
    workspace.write("src/main.ts", text.replace("n * factor()", "n * factor() * 2"));
    await built(clean);
    expect(await run(workspace, "out/app.cjs")).toBe("82");
    expect(listFiles(workspace, "out/parallel-chunks").filter((file) => file.endsWith(".cjs"))).toHaveLength(1);
  } finally {
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill();
    await ended;
  }
}, 60_000);

test.each(["", `, { name: "other", setup() {} }`])(
  "rebuild: files that come and go lead an import elsewhere, in the chunks as in the program%s",
  async (others) => {
    const workspace = project(`come-and-go${others.length}`, {
      "src/main.ts": main.replace("./factor", "./turn").replace("void scale", "console.log(factor());\nvoid scale"),
      "src/turn/index.ts": "export const factor = (): number => 10;\n",
      "context.mjs": `import * as fs from "node:fs";
import { execFileSync } from "node:child_process";
import * as esbuild from "esbuild";
import makeparallel from "makeparallel/esbuild";
const context = await esbuild.context({ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outfile: "out/app.cjs", logLevel: "silent", plugins: [makeparallel()${others}] });
const printed = [];
const edits = [
  () => {},
  () => fs.writeFileSync("src/turn.ts", "export const factor = (): number => 20;\\n"),
  () => fs.rmSync("src/turn.ts"),
  () => { fs.mkdirSync("src/turn.js"); fs.renameSync("src/turn", "src/unused"); fs.writeFileSync("src/turn.tsx", "export const factor = (): number => 30;\\n"); },
];
for (const edit of edits) {
  edit();
  await context.rebuild();
  printed.push(execFileSync(process.execPath, ["out/app.cjs"], { encoding: "utf8" }).split("\\n").join(" ").trim());
}
await context.dispose();
console.log(JSON.stringify(printed));
`,
    });
    const env = { MAKEPARALLEL_BACKEND: "typescript", MAKEPARALLEL_THREADS: "1" };
    const ended = await runNode(workspace.file("context.mjs"), [], { env, cwd: workspace.root });
    expect(ended.stderr).toBe("");
    expect(JSON.parse(ended.stdout)).toEqual(["10 20", "20 40", "10 20", "30 60"]);
  },
  60_000,
);

test("a CommonJS default import in a file that is an ES module to Node is module.exports, as the host bundles it", async () => {
  const source = `import { parallel } from "makeparallel";
import old from "fixture-cjs-interop";
const here = () => typeof (old as unknown) === "object";
const there = parallel(() => here());
void there().then((value) => console.log(value === here(), value));
`;
  for (const [name, file, expected] of [
    ["node", "src/main.mts", "true true"],
    ["babel", "src/main.ts", "true false"],
  ]) {
    for (const packagesOption of ["external", "bundle"]) {
      const workspace = project(`interop-${name}-${packagesOption}`, { [file]: source });
      await build(
        workspace,
        `{ entryPoints: ["${file}"], bundle: true, platform: "node", format: "cjs", outfile: "out/app.cjs", packages: "${packagesOption}" }`,
      );
      expect(await run(workspace, "out/app.cjs")).toBe(expected);
    }
  }
});

test.each(["cjs", "esm"])("bundled ES modules import CommonJS in a task as they do in the program (%s)", async (format) => {
  const shape = (where: string): string => `import old from "fixture-cjs-interop";\nexport const ${where} = typeof old;\n`;
  const workspace = project(`modules-import-commonjs-${format}`, {
    "package.json": { name: "project", version: "1.0.0", type: "module" },
    "src/packages.d.ts": "declare module 'new-package';\n",
    "src/late.ts": shape("late"),
    "src/main.ts": `import { parallel } from "makeparallel";
import { entry, inner, tried } from "new-package";
const shapes = async () => [entry, inner, tried, (await import("./late.js")).late];
const inTask = parallel(async () => shapes());
void (async () => console.log(JSON.stringify([await shapes(), await inTask()])))();
`,
    "node_modules/new-package/package.json": { name: "new-package", version: "1.0.0", type: "module", exports: "./index.js" },
    "node_modules/new-package/index.js": `export * from "./lib/inner.js";\nexport { tried } from "./lib/tried.cjs";\n${shape("entry")}`,
    "node_modules/new-package/lib/inner.js": shape("inner"),
    "node_modules/new-package/lib/tried.cjs": `let found = "";
try { require("./not-there"); } catch { found += "no file"; }
try { require("not-there"); } catch { found += ", no package"; }
exports.tried = found + require("./folder").text + require("./data").text;
`,
    "node_modules/new-package/lib/folder/index.js": `export const text = ", a folder";\n`,
    "node_modules/new-package/lib/data.json": { text: ", data" },
  });
  const output = `out/app.${format === "esm" ? "mjs" : "cjs"}`;
  await build(
    workspace,
    `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", format: "${format}", outfile: "${output}", logLevel: "silent" }`,
  );
  const expected = ["object", "object", "no file, no package, a folder, data", "object"];
  expect(JSON.parse(await run(workspace, output))).toEqual([expected, expected]);
});

test("platform browser is refused with a way out", async () => {
  const workspace = project("browser");
  const built = await esbuildBuild(workspace, `{ entryPoints: ["src/main.ts"], bundle: true, outfile: "out/app.js", logLevel: "silent" }`);
  expect(built.code).toBe(1);
  expect(esbuildErrors(built)).toContain(`platform: "node"`);
});

test("a class that no task names and whose code can't be bundled is left out, and the build goes on", async () => {
  const workspace = project("optional-class", {
    "src/shape.ts": "export abstract class Shape { abstract area(): number; }\n",
    "src/odd.ts": `import { side } from "virtual:settings";
import { Shape } from "./shape";
export class Odd extends Shape { area() { return side; } }
`,
    "src/main.ts": `import { parallel } from "makeparallel";
import { Odd } from "./odd";
import { Shape } from "./shape";
class Square extends Shape { area() { return 9; } }
const area = parallel((shape: Shape) => shape.area());
const failed = (error: Error) => error.message.includes("src/odd.ts#Odd");
void (async () => console.log(await area(new Square()), await area(new Odd()).then(() => "no error", failed)))();
`,
  });
  const settings = `{ name: "settings", setup(build) {
    build.onResolve({ filter: /^virtual:/ }, ({ path }) => ({ path, namespace: "virtual" }));
    build.onLoad({ filter: /.*/, namespace: "virtual" }, () => ({ contents: "export const side = 7;" }));
  } }`;
  await build(
    workspace,
    `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outfile: "out/main.cjs" }`,
    `makeparallel(), ${settings}`,
  );
  expect(await run(workspace, "out/main.cjs")).toBe("9 true");

  // A task that needs it by name still fails the build.
  workspace.write("src/main.ts", workspace.read("src/main.ts").replace("(shape: Shape) =>", "(shape: Shape | Odd) =>"));
  const named = await esbuildBuild(
    workspace,
    `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outfile: "out/main.cjs", logLevel: "silent" }`,
    `makeparallel(), ${settings}`,
  );
  expect(esbuildErrors(named)).toMatch(
    /src\/odd.ts:1: .*virtual:settings".*use it outside of the task, and pass what the task needs as an argument/,
  );
});
