/** `makeparallel/jest` and ts-jest with `makeparallel/transformer`: jest runs tests whose code has marks, and ends by itself. */
import * as fs from "node:fs";
import * as path from "node:path";
import { all } from "../support/backends";
import { ROOT } from "../support/chunks";
import { type Ended, runNode } from "../support/children";
import type { Workspace } from "../adapters/support/workspace";
import { makeApp } from "./support/app";

const CASES = `import { parallel, stats } from "makeparallel";
import { Counter } from "./lib/counter";
import { fibonacci, Processor } from "./work";
import { external } from "./external";
jest.mock("./external", () => ({ external: () => "mocked" }));

const boom = parallel((n: number): number => {
  throw new RangeError("boom " + n);
});
const make = parallel((n: number) => new Counter(n).add(1));

test("tasks", async () => {
  const k = 5;
  expect(parallel((n: number) => n * k)(2).get()).toBe(10);
  expect(await fibonacci(90)).toBe(2880067194370816120n);
  expect(await parallel(async (n: number) => (await fibonacci(n)) + 1n)(10)).toBe(56n);
  expect(await new Processor(3).process([1, 2])).toEqual([3, 6]);
  const counter = await make(1);
  expect(counter).toBeInstanceOf(Counter);
  expect(counter.value).toBe(2);
  expect(await parallel((x: unknown) => x)(new Map([[1, new Date(0)]]))).toEqual(new Map([[1, new Date(0)]]));
  expect(external()).toBe(EXTERNAL);
  const error = await boom(1).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(RangeError);
  expect((error as Error).stack).toMatch(/\\.test\\.ts:8:/);
  expect(stats().backend).toBe(process.env.MAKEPARALLEL_BACKEND);
});
`;

function project(name: string, config: object, cases = CASES.replace("EXTERNAL", '"mocked"')): Workspace {
  const app = makeApp(`jest-${name}`, { "src/external.ts": `export const external = (): string => "real";\n` }, "commonjs");
  app.write("src/work.ts", app.read("src/work.ts").replaceAll('.js"', '"'));
  app.write("src/a.test.ts", cases);
  app.write("src/b.test.ts", cases);
  app.write(
    "tsconfig.json",
    JSON.stringify({
      compilerOptions: {
        target: "ES2022",
        module: "CommonJS",
        moduleResolution: "node10",
        strict: true,
        esModuleInterop: true,
        skipLibCheck: true,
        resolveJsonModule: true,
        types: ["node", "jest"],
      },
    }),
  );
  app.write(
    "jest.config.json",
    JSON.stringify({ watchman: false, testEnvironment: "node", cacheDirectory: "<rootDir>/jest-cache", ...config }),
  );
  return app;
}

function jest(app: Workspace, backend: string, args: string[] = [], execArgv: string[] = [], config = "jest.config.json"): Promise<Ended> {
  return runNode(app.file("node_modules/jest/bin/jest.js"), ["-c", config, ...args], {
    cwd: app.root,
    execArgv,
    limit: 60_000,
    env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "2", NO_COLOR: "1" },
  });
}

function expectPassed(ended: Ended): void {
  if (ended.code !== 0 || ended.hung) throw new Error(ended.stderr + ended.stdout);
  expect(ended.stderr).toContain("Tests:       2 passed, 2 total");
  expect(ended.stderr).not.toMatch(/did not exit|open handle|force exited/i);
}

test.each(all)("the preset, %s: in workers, in one process, and from jest's cache", async (backend) => {
  const app = project(`preset-${backend}`, { preset: "makeparallel" });
  expectPassed(await jest(app, backend, ["-w", "2"]));
  expectPassed(await jest(app, backend, ["-i", "--detectOpenHandles"]));
});

test("where the package is linked, its own code is not compiled as the project's is", async () => {
  const app = project("linked", { preset: "makeparallel" });
  expectPassed(await jest(app, "typescript", ["-i"]));
  const compiled = fs.readdirSync(app.file("jest-cache"), { recursive: true }).map(String);
  const runtime = compiled.find((file) => /[\\/]runtimebundle_\w+$/.test(file));
  const [, code] = /^\w+\n([^]*)$/.exec(app.read(`jest-cache/${runtime}`)) ?? [];
  expect(code).toBe(fs.readFileSync(path.join(ROOT, "dist/runtime-ts/src/runtime.bundle.js"), "utf8"));
});

test("a change in what a task uses is seen, although jest has the test file in its cache", async () => {
  const app = project("cache", { preset: "makeparallel" });
  expectPassed(await jest(app, "typescript"));
  app.write("src/lib/counter.ts", app.read("src/lib/counter.ts").replace("+= n", "+= n + 1"));
  const ended = await jest(app, "typescript");
  expect(ended.code).toBe(1);
  expect(ended.stderr).toMatch(/Expected: 2\s+Received: 3/);
});

test("the chunks come back when the cache folder was removed and jest's own cache was not", async () => {
  const app = project("removed", { preset: "makeparallel" });
  expectPassed(await jest(app, "typescript"));
  fs.rmSync(app.file("node_modules/.cache"), { recursive: true });
  expectPassed(await jest(app, "typescript"));
});

test("ES modules", async () => {
  const config = { preset: "makeparallel", extensionsToTreatAsEsm: [".ts"], moduleNameMapper: { "^(\\.{1,2}/.*)\\.js$": "$1" } };
  const app = project("esm", config, CASES.replace(/^jest\.mock.*$/m, "").replace("EXTERNAL", '"real"'));
  expectPassed(await jest(app, "typescript", [], ["--experimental-vm-modules"]));
});

test("another transform compiles what has stubs in it, and places stay right", async () => {
  const app = project(
    "with",
    { transform: { "\\.ts$": ["makeparallel/jest", { with: ["./inner.cjs", { banner: "/* inner */" }] }] } },
    `import { parallel } from "makeparallel";
import { Counter } from "./lib/counter";
test("tasks", async () => {
  expect(await parallel((n: number) => new Counter(n).add(1).value)(1)).toBe(2);
  const { stack } = new Error("here");
  expect(stack).toMatch(/\\.test\\.ts:5:/);
});
`,
  );
  app.write(
    "inner.cjs",
    `const esbuild = require("esbuild");
exports.createTransformer = ({ banner }) => ({
  process: (text, file) => {
    if (!banner) throw new Error("no options");
    const { code, map } = esbuild.transformSync(text, { loader: "ts", format: "cjs", sourcefile: file, sourcemap: true, banner });
    return { code, map: JSON.parse(map) };
  },
});
`,
  );
  expectPassed(await jest(app, "typescript"));
});

test("an error in a task fails its test file with code, place and frame", async () => {
  const broken = `import { parallel } from "makeparallel";\nlet total = 0;\ntest("x", () => { parallel((n: number) => { total += n; }); });\n`;
  const app = project("errors", { preset: "makeparallel" }, broken);
  const ended = await jest(app, "typescript");
  expect(ended.code).toBe(1);
  expect(ended.stderr).toMatch(/MP\d{4}[\s\S]*src\/[ab]\.test\.ts:3:45/);
});

test("ts-jest with makeparallel/transformer among its astTransformers", async () => {
  const app = project("ts-jest", {});
  app.write(
    "jest.config.cjs",
    `module.exports = { watchman: false, cacheDirectory: "<rootDir>/jest-cache", transform: { "\\\\.ts$": ["ts-jest", { diagnostics: { exclude: ["**/*.test.ts"] }, astTransformers: { before: [require.resolve("makeparallel/transformer")] } }] } };`,
  );
  expectPassed(await jest(app, "typescript", [], [], "jest.config.cjs"));
});
