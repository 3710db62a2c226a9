/** `makeparallel/transformer` as `tspc` runs it: diagnostics, exit codes, options of the compiler, watching, incremental builds. */
import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { runNode } from "../support/children";
import { typescriptIs } from "../support/typescript";
import { COMPILER_OPTIONS, esbuildBuild, listFiles, makeWorkspace, tspc, TSPC, type Workspace } from "./support/workspace";

const main = `import { parallel } from "makeparallel";
import { factor } from "./factor.js";

export const scale = parallel((n: number) => n * factor());

if (require.main === module) void scale(2).then((value) => console.log(value));
`;
const factor = "export const factor = (): number => 10;\n";

function project(
  name: string,
  options: { compilerOptions?: object; files?: Record<string, string | object>; at?: string } = {},
): Workspace {
  return makeWorkspace(
    `tspc-${name}`,
    {
      "package.json": { name: "project", version: "1.0.0" },
      "tsconfig.json": {
        compilerOptions: {
          ...COMPILER_OPTIONS,
          ...options.compilerOptions,
        },
        include: ["src"],
      },
      "src/main.ts": main,
      "src/factor.ts": factor,
      ...options.files,
    },
    options.at,
  );
}

async function run(workspace: Workspace, file = "dist/main.js"): Promise<string> {
  const ended = await runNode(workspace.file(file), [], { env: { MAKEPARALLEL_BACKEND: "typescript", MAKEPARALLEL_THREADS: "1" } });
  return ended.stdout.trim() + ended.stderr;
}

const chunksOf = (workspace: Workspace, folder = "dist"): string[] =>
  listFiles(workspace, `${folder}/parallel-chunks`).filter((name) => name.endsWith(".cjs"));

const broken = `import { parallel } from "makeparallel";
export function count(): unknown {
  let total = 0;
  return parallel((n: number) => { total += n; return total; });
}
`;

test("without esModuleInterop, what is imported whole is there when the module's own code runs, and places stay right", async () => {
  const line = `import * as path from "node:path"; import { parallel } from "makeparallel"; const at = path.posix.join("a", "b"); const task = parallel((text: string) => { if (text === "") throw new Error(at); return at + text; });`;
  const template = 'const text = `\nimport * as path from "node:path";`;';
  const workspace = project("no-interop", {
    compilerOptions: {
      module: "CommonJS",
      moduleResolution: "node10",
      esModuleInterop: false,
      ...(typescriptIs(6) && { ignoreDeprecations: "6.0" }),
    },
    files: {
      "src/main.ts": `${line}
${template}
const same = parallel(() => [text, path.sep]);
void task("!").then(async (value) => {
  const error = (await task("").catch((caught: unknown) => caught)) as Error;
  console.log(JSON.stringify([value, (await same())[0] === text, /main\\.ts:(\\d+:\\d+)/.exec(error.stack!)?.[1]]));
});
`,
    },
  });
  const built = await tspc(workspace);
  expect(built.stdout + built.stderr).toBe("");
  expect(JSON.parse(await run(workspace))).toEqual(["a/b!", true, `1:${line.indexOf("new Error") + 1}`]);
});

test("the compiler in another tool's process: all errors arrive with the first emit, whatever the tool's own -w means", async () => {
  const workspace = project("in-process", { files: { "src/a.ts": broken } });
  workspace.write(
    "tool.cjs",
    `const ts = require("typescript");
const transformer = require("makeparallel/transformer").default;
const { options, fileNames } = ts.getParsedCommandLineOfConfigFile("tsconfig.json", {}, ts.sys);
const program = ts.createProgram(fileNames, options);
const errors = [];
const before = [transformer(program, {}, { ts, addDiagnostic: (error) => errors.push(error), diagnostics: errors })];
program.emit(program.getSourceFile(fileNames.find((name) => name.endsWith("main.ts"))), () => {}, undefined, false, { before });
console.log(errors.map(({ file, code }) => file.fileName.split("/").at(-1) + " " + code).join());
`,
  );
  const ended = await runNode(workspace.file("tool.cjs"), ["-w"], { cwd: workspace.root, limit: 60_000 });
  expect(ended.stdout + ended.stderr).toBe("a.ts 991005\n");
});

test("an error fails the build, with code, place and way out, and does not hide the next", async () => {
  const workspace = project("errors", { files: { "src/a.ts": broken, "src/b.ts": broken } });
  const built = await tspc(workspace);
  expect(built.code).not.toBe(0);
  const errors = built.stdout.split("\n").filter((line) => /error/.test(line));
  expect(errors).toHaveLength(2);
  expect(errors[0]).toMatch(/^src\/a\.ts\(4,\d+\): error TS99\d+: MP\d{4}: .*total/);
  expect(errors[1]).toMatch(/^src\/b\.ts\(4,/);
});

test("--pretty prints the code frame and the related places", async () => {
  const workspace = project("pretty", { files: { "src/a.ts": broken } });
  const built = await tspc(workspace, "--pretty");
  expect(built.code).not.toBe(0);
  const text = built.stdout.replace(/\u001b\[[0-9;]*m/g, "");
  expect(text).toMatch(/src\/a\.ts:4:\d+ - error TS99\d+: MP\d{4}/);
  expect(text).toContain("return parallel((n: number) => { total += n; return total; });");
});

test("a warning about a module that the tasks of several files reach is given once", async () => {
  const task = (name: string): string =>
    `import { parallel } from "makeparallel";\nimport { isKnown } from "./names.js";\nexport const ${name} = parallel((s: string) => isKnown(s));\n`;
  const workspace = project("once", {
    files: {
      "src/b.ts": task("b"),
      "src/a.ts": task("a"),
      "src/names.ts": `const known = new Set<string>();
export function learn(s: string): void { known.add(s); }
export function isKnown(s: string): boolean { return known.has(s); }
`,
      "src/main.ts": `import { learn } from "./names.js";\nimport "./b.js";\nimport "./a.js";\nlearn("x");\n`,
    },
  });
  const built = await tspc(workspace, "--noEmit");
  const bundled = await esbuildBuild(
    workspace,
    `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outdir: "out", logLevel: "warning" }`,
  );
  expect([built.code, bundled.code]).toEqual([0, 0]);
  for (const text of [built.stdout, bundled.stderr])
    expect(text.match(/MP2005: [^\n]*/g)).toEqual([expect.stringContaining("which `a` uses, reads `known`")]);
});

test("a warning is printed and leaves the exit code alone", async () => {
  const workspace = project("warnings", {
    files: {
      "src/a.ts": `import { parallel } from "makeparallel";
let cache = 0;
export const bump = (): number => ++cache;
export const read = parallel(() => cache);
`,
    },
  });
  const built = await tspc(workspace);
  expect(built.stdout).toMatch(/src\/a\.ts\(\d+,\d+\): warning TS99\d+: MP\d{4}/);
  expect(built.code).toBe(0);
});

test("noEmit gives the diagnostics and writes nothing", async () => {
  const workspace = project("no-emit", { files: { "src/a.ts": broken } });
  const built = await tspc(workspace, "--noEmit");
  expect(built.stdout).toMatch(/error TS99\d+: MP\d{4}/);
  expect(fs.existsSync(workspace.file("dist"))).toBe(false);
});

test("emitDeclarationOnly writes no chunks; declarations do not mention the stubs", async () => {
  const workspace = project("declarations");
  expect((await tspc(workspace, "--declaration", "--emitDeclarationOnly")).code).toBe(0);
  expect(listFiles(workspace, "dist")).toEqual(["factor.d.ts", "main.d.ts"]);
  expect(workspace.read("dist/main.d.ts")).not.toContain("__mp");
});

test("a file without marks is emitted as without the plugin, and a project without marks gets no chunks", async () => {
  const files = { "src/main.ts": `import { factor } from "./factor.js";\nexport class A { x = factor(); }\n` };
  const plain = project("plain", { files, compilerOptions: { plugins: [] } });
  const plugged = project("plugged", { files });
  expect((await tspc(plain)).code).toBe(0);
  expect((await tspc(plugged)).code).toBe(0);
  expect(listFiles(plugged, "dist")).toEqual(["factor.js", "main.js"]);
  for (const file of listFiles(plain, "dist")) expect(plugged.read(`dist/${file}`)).toBe(plain.read(`dist/${file}`));
});

test.each([
  ["verbatimModuleSyntax in an ES module project", { verbatimModuleSyntax: true }, "module"],
  ["isolatedModules", { isolatedModules: true }, "commonjs"],
  ["CommonJS without esModuleInterop", { module: "CommonJS", moduleResolution: "Node10", esModuleInterop: false }, "commonjs"],
  ["importHelpers off, target ES2017", { target: "ES2017" }, "commonjs"],
])("%s", async (title, compilerOptions, type) => {
  const workspace = project(title.replace(/\W+/g, "-"), {
    compilerOptions,
    files: {
      "package.json": { name: "project", version: "1.0.0", type },
      "src/main.ts": `import { parallel, type AsyncHandle } from "makeparallel";
import { factor } from "./factor.js";
import type { Unused } from "./types.js";
import * as path from "path";
const scale = parallel((n: number) => n * factor() + path.basename("a/bc").length);
const handle: AsyncHandle<number> = scale(2);
export type Again = Unused;
void handle.then((value) => console.log(value));
`,
      "src/types.ts": "export interface Unused { a: number }\n",
    },
  });
  const built = await tspc(workspace);
  expect(built.stdout).toBe("");
  expect(built.code).toBe(0);
  expect(await run(workspace)).toBe("22");
});

test("a nameless class whose instances travel, for a target without static blocks", async () => {
  const workspace = project("nameless-class", {
    compilerOptions: { target: "ES2021" },
    files: {
      "src/main.ts": `import { parallel } from "makeparallel";
import Square from "./main.js";
class Shape { side = 2; }
export default class extends Shape { area() { return this.side ** 2; } }
const area = parallel((square: Square) => [square.area(), square.constructor.name]);
void Promise.resolve().then(() => area(new Square())).then((value) => console.log(JSON.stringify([...value, Square.name])));
`,
    },
  });
  const built = await tspc(workspace);
  expect(built.stdout + built.stderr).toBe("");
  expect(JSON.parse(await run(workspace))).toEqual([4, "default", "default"]);
});

test("without outDir the chunks stand beside the common root of the files", async () => {
  const workspace = project("in-place", { compilerOptions: { outDir: undefined } });
  expect((await tspc(workspace)).code).toBe(0);
  expect(chunksOf(workspace, "src")).toHaveLength(1);
  expect(await run(workspace, "src/main.js")).toBe("20");
});

test("source maps lead from stubs to the places of what they replace", async () => {
  const workspace = project("maps", {
    compilerOptions: { sourceMap: true },
    files: {
      "src/main.ts": `/** @parallel */
export async function tagged(f: unknown): Promise<unknown> {
  return f;
}
tagged(() => 1);
`,
    },
  });
  expect((await tspc(workspace)).stdout).toBe("");
  const ended = await runNode(workspace.file("dist/main.js"), [], {
    execArgv: ["--enable-source-maps"],
    env: { MAKEPARALLEL_BACKEND: "typescript" },
  });
  expect(ended.stderr).toContain("TransferError");
  expect(ended.stderr).toMatch(/tagged \(.*src\/main\.ts:2:/);
  expect(ended.stderr).toMatch(/src\/main\.ts:5:1/);
});

test("packages: bundle puts packages into the chunks; what cannot be bundled is an error at its import", async () => {
  const workspace = project("packages", {
    compilerOptions: { plugins: [{ transform: "makeparallel/transformer", packages: "bundle" }] },
    files: {
      "src/main.ts": `import { parallel } from "makeparallel";
import { answer } from "fixture-cjs-plain";
const get = parallel(() => answer);
void get().then((value) => console.log(value));
`,
    },
  });
  expect((await tspc(workspace)).stdout).toBe("");
  expect(workspace.read("dist/main.js")).not.toContain("fixture-cjs-plain");
  fs.rmSync(workspace.file("node_modules/fixture-cjs-plain/index.js"));
  expect(await run(workspace)).toBe("42");
  const built = await tspc(workspace);
  expect(built.stdout).toMatch(
    /^src\/main\.ts\(2,24\): error TS99\d+: The chunks could not be bundled: Could not resolve "fixture-cjs-plain"/,
  );
  expect(built.code).not.toBe(0);
});

test("two builds into one folder keep each other's chunks", async () => {
  const workspace = project("two-configs", {
    files: {
      "tsconfig.other.json": { extends: "./tsconfig.json", include: ["src/other.ts"] },
      "src/other.ts": main.replace("factor()", "factor() * 3"),
    },
  });
  expect((await tspc(workspace)).code).toBe(0);
  expect((await tspc(workspace, "-p", "tsconfig.other.json")).code).toBe(0);
  expect((await tspc(workspace)).code).toBe(0);
  expect(listFiles(workspace, "dist/parallel-chunks").filter((name) => name.endsWith(".json"))).toHaveLength(2);
  expect(await run(workspace)).toBe("20");
  expect(await run(workspace, "dist/other.js")).toBe("60");
});

test("the same project gives the same bytes in any folder", async () => {
  const elsewhere = fs.mkdtempSync(path.join(os.tmpdir(), "makeparallel-tspc-"));
  const outputs = [];
  for (const at of [undefined, elsewhere]) {
    const workspace = project("bytes", { at, compilerOptions: { sourceMap: true } });
    expect((await tspc(workspace)).stdout).toBe("");
    outputs.push(listFiles(workspace, "dist").map((file) => [file, workspace.read(`dist/${file}`)]));
  }
  fs.rmSync(elsewhere, { recursive: true });
  expect(outputs[1]).toEqual(outputs[0]);
  expect(outputs[0].map(([, text]) => text).join("")).not.toContain(os.tmpdir());
});

test("--incremental: an edit of what a task uses rebuilds its chunk though the task's own file is not emitted again", async () => {
  const workspace = project("incremental", { compilerOptions: { incremental: true } });
  expect((await tspc(workspace)).code).toBe(0);
  expect(await run(workspace)).toBe("20");
  // TypeScript knows from the second build on that an edit of a body does not concern importers.
  workspace.write("src/factor.ts", factor.replace("10", "20"));
  expect((await tspc(workspace)).code).toBe(0);
  const before = chunksOf(workspace);
  const emitted = fs.statSync(workspace.file("dist/main.js")).mtimeMs;

  workspace.write("src/factor.ts", factor.replace("10", "50"));
  expect((await tspc(workspace)).code).toBe(0);
  expect(await run(workspace)).toBe("100");
  expect(fs.statSync(workspace.file("dist/main.js")).mtimeMs).toBe(emitted);
  // One task, one chunk: the old one is gone.
  expect(chunksOf(workspace)).toHaveLength(before.length);
  expect(chunksOf(workspace)).not.toEqual(before);
});

test("--incremental: a class file changes when another file's new task begins to use its instances, though it is not edited", async () => {
  const shape = `export class Shape {
  #size: number;
  constructor(size: number) { this.#size = size; }
  area(): number { return this.#size ** 2; }
}
`;
  const workspace = project("instrumented", {
    compilerOptions: { incremental: true },
    files: { "src/shape.ts": shape, "src/main.ts": `import { Shape } from "./shape.js";\nconsole.log(new Shape(3).area());\n` },
  });
  expect((await tspc(workspace)).code).toBe(0);
  expect(workspace.read("dist/shape.js")).not.toContain("__mp");
  workspace.write(
    "src/main.ts",
    `import { parallel } from "makeparallel";\nimport { Shape } from "./shape.js";\nconst area = parallel((shape: Shape) => shape.area());\nvoid area(new Shape(3)).then((value) => console.log(value));\n`,
  );
  expect((await tspc(workspace)).code).toBe(0);
  expect(await run(workspace)).toBe("9");
  workspace.write("src/main.ts", `import { Shape } from "./shape.js";\nconsole.log(new Shape(3).area());\n`);
  expect((await tspc(workspace)).code).toBe(0);
  expect(workspace.read("dist/shape.js")).not.toContain("__mp");
});

test("nothing is written by a build that changes nothing", async () => {
  const workspace = project("unchanged");
  expect((await tspc(workspace)).code).toBe(0);
  const times = (): [string, number][] =>
    listFiles(workspace, "dist/parallel-chunks").map((file) => [file, fs.statSync(workspace.file(`dist/parallel-chunks/${file}`)).mtimeMs]);
  const before = times();
  expect((await tspc(workspace)).code).toBe(0);
  expect(times()).toEqual(before);
});

describe("tspc --watch", () => {
  let child: ChildProcess;
  afterEach(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill();
    await ended;
  });

  /** Resolves when the compiler has gone to rest with a last line that matches. */
  function watch(workspace: Workspace): { rests(times: number, last?: RegExp): Promise<string>; count(): number } {
    child = spawn(process.execPath, [TSPC, "--watch", "--preserveWatchOutput"], { cwd: workspace.root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let wake = (): void => {};
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      wake();
    });
    const count = (): number => output.split("Watching for file changes").length - 1;
    return {
      count,
      async rests(times, last = /Found 0 errors\. Watching for file changes\.\s*$/) {
        while (count() < times || !last.test(output)) {
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        return output;
      },
    };
  }

  test("follows edits of tasks and of what they use, shows errors and their end, and does not wake itself", async () => {
    const workspace = project("watch", { compilerOptions: { sourceMap: true } });
    const compiler = watch(workspace);
    await compiler.rests(1);
    expect(await run(workspace)).toBe("20");

    workspace.write("src/factor.ts", factor.replace("10", "11"));
    await compiler.rests(2);
    expect(await run(workspace)).toBe("22");

    workspace.write("src/main.ts", main.replace("n * factor()", "n * factor() + 1"));
    await compiler.rests(3);
    expect(await run(workspace)).toBe("23");

    workspace.write("src/broken.ts", broken);
    expect(await compiler.rests(4, /Found 1 error\. Watching for file changes\.\s*$/)).toMatch(/error TS99\d+: MP\d{4}/);
    fs.rmSync(workspace.file("src/broken.ts"));
    await compiler.rests(5);

    const settled = compiler.count();
    workspace.write("src/main.ts", "console.log(1);\n");
    await compiler.rests(settled + 1);
    expect(chunksOf(workspace)).toEqual([]);

    // A write of ours into a watched folder would have started more builds than there were edits.
    workspace.write("src/factor.ts", factor);
    await compiler.rests(settled + 2);
    expect(compiler.count()).toBe(settled + 2);
  }, 90_000);
});
