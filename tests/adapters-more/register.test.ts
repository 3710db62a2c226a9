/** `makeparallel/register`: programs that run from their sources. */
import { fork } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { threaded } from "../support/backends";
import { expectApp, makeApp, node } from "./support/app";

const HOOK = ["--import", "makeparallel/register"];

test("an ES module package", async () => {
  await expectApp(makeApp("register-esm"), "src/main.ts", HOOK);
});

test("a CommonJS package, by --import and by --require", async () => {
  const app = makeApp("register-cjs", {}, "commonjs");
  await expectApp(app, "src/main.ts", HOOK);
  await expectApp(app, "src/main.ts", ["--require", "makeparallel/register"]);
});

test("an ES module imports names of a CommonJS source, those of its export * included", async () => {
  const app = makeApp("register-mixed", {
    "src/common.cts": `export const common = 1;\nexport * from "./other.cjs";\n`,
    "src/other.cts": `export const other = 2;\n`,
    "src/mixed.ts": `import { common, other } from "./common.cjs";\nconsole.log(common + other);\n`,
  });
  expect((await node(app, "src/mixed.ts", "typescript", HOOK)).stdout).toBe("3\n");
});

test("an ES module gets all of a CommonJS source as its default, in tasks as well", async () => {
  const app = makeApp("register-whole", {
    "src/common.cts": `class Common {\n  readonly size = 3;\n}\nexport { Common as default };\n`,
    "src/whole.ts": `import { parallel } from "makeparallel";
import common from "./common.cjs";
const size = parallel((given: InstanceType<typeof common.default>) => given.size + new common.default().size);
console.log(await size(new common.default()));
`,
  });
  expect(await node(app, "src/whole.ts", "typescript", HOOK)).toMatchObject({ stdout: "6\n", stderr: "" });
});

test("paths of the tsconfig file lead to JavaScript and JSON as well", async () => {
  const files = {
    "tsconfig.json": JSON.stringify({ compilerOptions: { target: "ES2022", module: "NodeNext", paths: { "@/*": ["./src/*"] } } }),
    "src/data/scale.json": `{ "scale": 3 }`,
    "src/plain.js": "",
    "src/main.ts": `import { parallel } from "makeparallel";
import data from "@/data/scale.json" with { type: "json" };
import { base } from "@/plain.js";
const task = parallel((n: number) => base + n * data.scale);
void task(2).then((n) => console.log(n, base, data.scale));
`,
  };
  const plain = { module: "export const base = 1;\n", commonjs: "exports.base = 1;\n" };
  for (const type of ["module", "commonjs"] as const) {
    const app = makeApp(`register-paths-${type}`, { ...files, "src/plain.js": plain[type] }, type);
    expect(await node(app, "src/main.ts", "typescript", HOOK)).toMatchObject({ stdout: "7 1 3\n" });
  }
});

test("an ES module imports the build of a workspace's package that is for imports, in tasks as well", async () => {
  const app = makeApp("register-workspace", {
    "packages/shapes/package.json": {
      name: "shapes",
      exports: { ".": { development: "./dev.mts", import: "./index.mts", require: "./index.cjs" } },
    },
    "packages/shapes/index.mts": `export class Square {\n  constructor(readonly side: number) {}\n  get area(): number { return this.side ** 2; }\n}\n`,
    "packages/shapes/dev.mts": `export class Square {\n  area = "dev";\n}\n`,
    "packages/shapes/index.cjs": `exports.Square = class Square {};\n`,
    "src/main.ts": `import { parallel } from "makeparallel";
import { Square } from "shapes";
const make = parallel((side: number) => new Square(side));
const made = await make(3);
console.log(made instanceof Square, made.area);
`,
  });
  fs.symlinkSync(app.file("packages/shapes"), app.file("node_modules/shapes"), "junction");
  expect(await node(app, "src/main.ts", "typescript", HOOK)).toMatchObject({ stdout: "true 9\n", stderr: "" });
  const dev = await node(app, "src/main.ts", "typescript", ["--conditions=development", ...HOOK]);
  expect(dev).toMatchObject({ stdout: "true dev\n", stderr: "" });
});

test("import() of a CommonJS source gives all that it exports as its default, in tasks as well", async () => {
  const files = {
    "src/common.ts": `export const size = 3;\nexport default { deep: 4 };\n`,
    "src/through.ts": `export const through = async () => Object.keys((await import("./common")).default).sort().join();\n`,
    "src/main.ts": `import { parallel } from "makeparallel";
const look = async () => {
  const common: any = await import("./common");
  const { through } = await import("./through");
  return [common.size, Object.keys(common.default).sort().join(), common.default.default.deep, await through()].join(" ");
};
const task = parallel(look);
void Promise.all([look(), task()]).then(([here, there]) => console.log(here, here === there || there));
`,
  };
  const run = await node(makeApp("register-dynamic", files, "commonjs"), "src/main.ts", "typescript", HOOK);
  expect(run).toMatchObject({ stdout: "3 default,size 4 default,size true\n", stderr: "" });
});

test("an edit is seen by the next run; what did not change is taken from the cache", async () => {
  const app = makeApp("register-edit");
  await expectApp(app, "src/main.ts", HOOK);
  app.write("src/lib/table.json", `{ "factor": 1000 }`);
  for (const backend of threaded) expect((await node(app, "src/main.ts", backend, HOOK)).stdout).toContain('"wrapper":1142');
});

test("on a read-only file system the chunks of an earlier run are taken; without one, the error names the folder", async () => {
  const app = makeApp("register-read-only", {
    "src/small.ts": `import { parallel } from "makeparallel";\nconst twice = parallel((n: number) => n * 2);\nvoid twice(4).then(console.log);\n`,
    // The tests may be run by a user who may write anywhere.
    "read-only.cjs": `const fs = require("node:fs");
for (const name of ["mkdirSync", "writeFileSync", "utimesSync"])
  fs[name] = (file) => { throw Object.assign(new Error(\`EROFS: read-only file system, \${name} '\${file}'\`), { code: "EROFS" }); };
`,
  });
  const readOnly = ["--require", app.file("read-only.cjs"), ...HOOK];
  const refused = await node(app, "src/small.ts", "typescript", readOnly);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/makeparallel: the chunks can't be written into .*node_modules.\.cache.*: Error: EROFS/);
  for (const options of [HOOK, readOnly])
    expect(await node(app, "src/small.ts", "typescript", options)).toMatchObject({ stdout: "8\n", stderr: "", code: 0 });
});

test.each(["module", "commonjs"] as const)("node --watch is told of files that only chunks hold (%s)", async (type) => {
  const app = makeApp(
    `register-watch-${type}`,
    {
      "src/main.ts": `import { parallel } from "makeparallel";
import { factor } from "./factor.js";
const scale = parallel((n: number) => n * factor);
void scale(2).then(() => process.exit());
`,
      "src/factor.ts": "export const factor = 10;\n",
    },
    type,
  );
  const files: string[] = [];
  const child = fork(app.file("src/main.ts"), [], {
    cwd: app.root,
    execArgv: HOOK,
    env: { ...process.env, MAKEPARALLEL_BACKEND: "typescript", WATCH_REPORT_DEPENDENCIES: "1" },
  });
  child.on("message", (message: Record<string, string[]>) => files.push(...(message["watch:require"] ?? [])));
  expect(await once(child, "close")).toEqual([0, null]);
  expect(files).toContain(app.file("src/factor.ts"));
});

test("an uncaught error of the program shows its place in the source", async () => {
  const app = makeApp("register-stack", {
    "src/throws.ts": `interface A {\n  b: number;\n}\nimport { parallel } from "makeparallel";\nconst one = parallel((n: number) => n);\nvoid one(1).then((): A => {\n  throw new Error("here");\n});\n`,
  });
  const ended = await node(app, "src/throws.ts", "typescript", HOOK);
  expect(ended.code).toBe(1);
  expect(ended.stderr).toMatch(/Error: here\s+at .*src\/throws\.ts:7:9/);
});

test("an error in a task ends the program with code, place and frame", async () => {
  const app = makeApp("register-errors", {
    "src/broken.ts": `import { parallel } from "makeparallel";\nlet total = 0;\nexport const add = parallel((n: number) => { total += n; });\n`,
  });
  const ended = await node(app, "src/broken.ts", "typescript", HOOK);
  expect(ended.code).toBe(1);
  expect(ended.stderr).toMatch(/MP\d{4}[\s\S]*src\/broken\.ts:3:46/);
});

test("files that only computed imports reach: a class that had to change for a task elsewhere, and has tasks of its own file", async () => {
  const app = makeApp("register-computed", {
    "src/start.js": `for (const name of ["user", "counter"]) await (await import("./" + name + ".ts")).run();\n`,
    "src/user.ts": `import { parallel } from "makeparallel";
import { Counter } from "./counter.js";
const next = parallel((counter: Counter) => counter.next());
export const run = async () => console.log(await next(new Counter(1)));
`,
    "src/counter.ts": `import { parallel } from "makeparallel";
export class Counter {
  #n: number;
  constructor(n: number) { this.#n = n; }
  next() { return this.#n + 1; }
}
const many = parallel((n: number) => new Counter(n).next() * 10);
export const run = async () => console.log(await many(1));
`,
  });
  const ended = await node(app, "src/start.js", "typescript", HOOK);
  expect([ended.stdout, ended.stderr]).toEqual(["2\n20\n", ""]);
});
