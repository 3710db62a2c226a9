/** `tspc -b`: projects that refer to each other, each with chunks of its own. */
import * as fs from "node:fs";
import { threaded } from "../support/backends";
import { runNode } from "../support/children";
import { COMPILER_OPTIONS, listFiles, makeWorkspace, tspc, type Workspace } from "../adapters/support/workspace";

const core = `import { parallel } from "makeparallel";
import { factor } from "./factor.js";
export const scale = parallel((n: number) => n * factor());
export const move = parallel((point: Point, by: number) => new Point(point.x + by));
export class Point {
  #x: number;
  constructor(x: number) { this.#x = x; }
  get x(): number { return this.#x; }
}
export class Unused { name = "no task names it"; }
export { factor };
`;
const factor = "export const factor = (): number => 10;\n";
/** A task of its own that calls a task of the other project, uses its functions, and takes its instances. */
const app = `import { parallel } from "makeparallel";
import { factor, move, Point, scale, Unused } from "../core/index.js";
const twice = parallel((n: number) => scale(n).get() * 2 + factor());
const shift = parallel((point: Point) => new Point(move(point, 1).get().x + factor()));
const unused = parallel((value: Unused) => value instanceof Unused && value.name);
async function main(): Promise<void> {
  const shifted = await shift(new Point(4));
  console.log(JSON.stringify([await scale(2), await twice(3), shifted instanceof Point, shifted.x, await unused(new Unused())]));
}
void main();
`;

const composite = (references: string[] = []): object => ({
  compilerOptions: { ...COMPILER_OPTIONS, composite: true, rootDir: ".", outDir: undefined },
  references: references.map((path) => ({ path })),
});

function solution(name: string): Workspace {
  const project = (folder: string, references: string[] = []): object => {
    const config = composite(references) as { compilerOptions: Record<string, unknown> };
    config.compilerOptions["outDir"] = `../../dist/${folder}`;
    return config;
  };
  return makeWorkspace(`hosts-references-${name}`, {
    "package.json": { name: "solution", version: "1.0.0", type: "module" },
    "tsconfig.json": { files: [], references: [{ path: "src/core" }, { path: "src/app" }] },
    "src/core/tsconfig.json": project("core"),
    "src/core/index.ts": core,
    "src/core/factor.ts": factor,
    "src/app/tsconfig.json": project("app", ["../core"]),
    "src/app/main.ts": app,
  });
}

async function run(workspace: Workspace): Promise<unknown[]> {
  const printed: unknown[] = [];
  for (const backend of threaded) {
    const ended = await runNode(workspace.file("dist/app/main.js"), [], {
      env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "2" },
    });
    printed.push(ended.stderr === "" ? JSON.parse(ended.stdout) : ended.stderr);
  }
  return printed;
}

const state = (workspace: Workspace, folder = "dist"): [string, number][] =>
  listFiles(workspace, folder).map((file) => [file, fs.statSync(workspace.file(`${folder}/${file}`)).mtimeMs]);

test("tasks and classes are used across projects; a second run does nothing; an edit rebuilds what depends on it", async () => {
  const workspace = solution("edits");
  expect(await tspc(workspace, "-b")).toMatchObject({ code: 0, stdout: "", stderr: "" });
  expect(await run(workspace)).toEqual(threaded.map(() => [20, 70, true, 15, "no task names it"]));

  const before = state(workspace);
  const again = await tspc(workspace, "-b", "--verbose");
  expect(again.stdout).not.toContain("Building project");
  expect(state(workspace)).toEqual(before);

  // The types stay as they are, so only core is built; app's chunks import its output.
  workspace.write("src/core/factor.ts", factor.replace("10", "11"));
  const edited = await tspc(workspace, "-b", "--verbose");
  expect(edited.stdout.match(/Building project/g)).toHaveLength(1);
  expect(await run(workspace)).toEqual(threaded.map(() => [22, 77, true, 16, "no task names it"]));
  const chunks = (files: [string, number][]): [string, number][] => files.filter(([file]) => file.startsWith("app/parallel-chunks"));
  expect(chunks(state(workspace))).toEqual(chunks(before));

  // A task that comes and goes in the project that is referred to.
  workspace.write(
    "src/core/index.ts",
    core.replace("n * factor()", "n * factor() + 1") + "export const added = parallel(() => factor());\n",
  );
  workspace.write("src/app/main.ts", app.replace("import { factor,", "import { added, factor,").replace("await scale(2)", "await added()"));
  expect(await tspc(workspace, "-b")).toMatchObject({ code: 0, stdout: "" });
  expect(await run(workspace)).toEqual(threaded.map(() => [11, 79, true, 16, "no task names it"]));
  expect(listFiles(workspace, "dist/core/parallel-chunks").filter((file) => /^added-.*cjs$/.test(file))).toHaveLength(1);
  workspace.write("src/core/index.ts", core);
  workspace.write("src/app/main.ts", app);
  expect(await tspc(workspace, "-b")).toMatchObject({ code: 0, stdout: "" });
  expect(await run(workspace)).toEqual(threaded.map(() => [22, 77, true, 16, "no task names it"]));
  expect(listFiles(workspace, "dist/core/parallel-chunks").filter((file) => /^added-/.test(file))).toEqual([]);
}, 300_000);

test("an error in a referenced project is reported by each build until it is repaired, and then no more", async () => {
  const workspace = solution("errors");
  workspace.write(
    "src/core/index.ts",
    `${core}export function count(): unknown {\n  let total = 0;\n  return parallel((n: number) => { total += n; return total; });\n}\n`,
  );
  const built = await tspc(workspace, "-b");
  expect(built.code).not.toBe(0);
  expect(built.stdout.match(/error TS99\d+: MP\d{4}/g)).toHaveLength(1);
  expect(built.stdout).toMatch(/src\/core\/index\.ts\(14,/);
  const again = await tspc(workspace, "-b");
  expect(again.stdout.match(/error TS99\d+: MP\d{4}/g)).toHaveLength(1);
  expect(again.code).not.toBe(0);
  workspace.write("src/core/index.ts", core);
  expect(await tspc(workspace, "-b")).toMatchObject({ code: 0, stdout: "" });
  expect(await run(workspace)).toEqual(threaded.map(() => [20, 70, true, 15, "no task names it"]));
}, 300_000);
