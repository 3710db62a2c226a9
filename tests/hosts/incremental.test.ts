/** `--incremental`: what a build finds out is kept in a .tsbuildinfo file, and later builds emit only what has changed. */
import * as fs from "node:fs";
import { runNode } from "../support/children";
import { COMPILER_OPTIONS, listFiles, makeWorkspace, tspc, type Workspace } from "../adapters/support/workspace";

const main = `import { parallel } from "makeparallel";
import { factor } from "./factor.js";
export const scale = parallel((n: number) => n * factor());
void scale(2).then((value) => console.log(value));
`;
const factor = "export const factor = (): number => 10;\n";
const broken = `
export function count(): unknown {
  let total = 0;
  return parallel((n: number) => { total += n; return total; });
}
`;

function project(name: string, compilerOptions: object = {}): Workspace {
  return makeWorkspace(`hosts-incremental-${name}`, {
    "package.json": { name: "incremental", version: "1.0.0" },
    "tsconfig.json": {
      compilerOptions: { ...COMPILER_OPTIONS, incremental: true, tsBuildInfoFile: "./.cache/info.tsbuildinfo", ...compilerOptions },
      include: ["src"],
    },
    "src/main.ts": main,
    "src/factor.ts": factor,
    "src/other.ts": "export const other = 1;\n",
  });
}

async function run(workspace: Workspace): Promise<string> {
  const env = { MAKEPARALLEL_BACKEND: "typescript", MAKEPARALLEL_THREADS: "1" };
  const ended = await runNode(workspace.file("dist/main.js"), [], { env, limit: 60_000 });
  return ended.stdout.trim() + ended.stderr;
}

const state = (workspace: Workspace): [string, number][] =>
  listFiles(workspace, "dist").map((file) => [file, fs.statSync(workspace.file(`dist/${file}`)).mtimeMs]);

test("a build that changes nothing writes nothing; chunks that were deleted come back with the next build that emits", async () => {
  const workspace = project("output");
  expect(await tspc(workspace)).toMatchObject({ code: 0, stdout: "" });
  const before = state(workspace);
  expect(await tspc(workspace)).toMatchObject({ code: 0, stdout: "" });
  expect(state(workspace)).toEqual(before);

  fs.rmSync(workspace.file("dist/parallel-chunks"), { recursive: true });
  expect(await run(workspace)).toMatch(/No manifest .*Copy the folder parallel-chunks .* or build again/);
  workspace.write("src/other.ts", "export const other = 2;\n");
  expect(await tspc(workspace)).toMatchObject({ code: 0, stdout: "" });
  expect(await run(workspace)).toBe("20");

  fs.rmSync(workspace.file("dist"), { recursive: true });
  fs.rmSync(workspace.file(".cache"), { recursive: true });
  expect(await tspc(workspace)).toMatchObject({ code: 0, stdout: "" });
  expect(listFiles(workspace, "dist")).toEqual(before.map(([file]) => file));
  expect(await run(workspace)).toBe("20");
}, 300_000);

test("an error stays until it is mended, wherever that is done, and not longer", async () => {
  const workspace = project("errors");
  // All files are emitted in this build: the error must not stick to those that it is not in.
  workspace.write("src/main.ts", main + broken);
  for (let build = 0; build < 2; build++) {
    const failed = await tspc(workspace);
    expect(failed.code).not.toBe(0);
    expect(failed.stdout.match(/MP1005/g)).toHaveLength(1);
  }
  workspace.write("src/main.ts", main);
  expect(await tspc(workspace)).toMatchObject({ code: 0, stdout: "" });
  expect(await run(workspace)).toBe("20");
}, 300_000);

test("noEmit, with transformProgram: each build says what is wrong, and nothing is written", async () => {
  const plugins = [{ transform: "makeparallel/transformer", transformProgram: true }];
  const workspace = project("no-emit", { noEmit: true, plugins });
  workspace.write("src/main.ts", main + broken);
  for (let build = 0; build < 2; build++) expect((await tspc(workspace)).stdout.match(/MP1005/g)).toHaveLength(1);
  workspace.write("src/main.ts", main);
  expect(await tspc(workspace)).toMatchObject({ code: 0, stdout: "" });
  expect(fs.existsSync(workspace.file("dist"))).toBe(false);
  // The same entry emits as the usual one does.
  expect(await tspc(workspace, "--noEmit", "false")).toMatchObject({ code: 0, stdout: "" });
  expect(await run(workspace)).toBe("20");
}, 300_000);
