/**
 * A machine without Rust: a copy of this checkout without anything that was built, and a PATH on which there is nothing but node.
 */
import fs from "node:fs";
import path from "node:path";
import { root, runNode, temporaryFolder, tspc, writeFiles } from "./package-under-test";

const program = `
import { asCompleted, gather, parallel, stats } from "makeparallel";

const square = parallel((n: number) => n * n);
const slow = parallel((n: number) => { const end = Date.now() + 20; while (Date.now() < end); return n; });
const fail = parallel((message: string) => { throw new RangeError(message); });

async function main(): Promise<void> {
  console.log(square(7).get());
  console.log(await gather([slow(1), slow(2), slow(3)]));
  console.log((await square.map(Array.from({ length: 10_000 }, (_, i) => i))).length);
  for await (const n of asCompleted([slow(4)])) console.log(n);
  try { fail("as it should").get(); } catch (error) { console.log(error instanceof RangeError, (error as Error).message); }
  console.log(stats().backend);
}
void main();
`;

describe("without cargo and without a native binary", () => {
  const folder = temporaryFolder();
  const checkout = path.join(folder, "checkout");
  const onlyNode = path.join(folder, "bin");
  const hidden = { PATH: onlyNode, Path: onlyNode, HOME: folder, USERPROFILE: folder };

  beforeAll(() => {
    const leftOut = new Set(["node_modules", "dist", "target", ".git", ".tmp", "coverage"].map((name) => path.join(root, name)));
    fs.cpSync(root, checkout, {
      recursive: true,
      filter: (source) =>
        source === root ||
        (!leftOut.has(source) &&
          !source.endsWith(".node") &&
          path.basename(source) !== "node_modules" &&
          path.basename(source) !== "build"),
    });
    fs.symlinkSync(path.join(root, "node_modules"), path.join(checkout, "node_modules"), "junction");
    fs.mkdirSync(onlyNode);
    fs.symlinkSync(process.execPath, path.join(onlyNode, "node"));
  });

  test("the build succeeds, and says in one line that the native backend is left out", () => {
    const run = runNode(checkout, ["scripts/build.mjs"], hidden);
    expect(run.stderr).toBe("");
    expect(run.status).toBe(0);
    const lines = run.stdout.split("\n").filter((line) => line.trim() !== "");
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/cargo/);
    expect(lines[0]).toMatch(/TypeScript backend/i);
    expect(filesBelow(path.join(checkout, "dist")).filter((file) => file.endsWith(".node"))).toEqual([]);
  });

  test("everything runs on the TypeScript backend, which is said once", () => {
    const project = path.join(folder, "project");
    writeFiles(project, {
      "package.json": JSON.stringify({ name: "uses-it", type: "commonjs" }),
      "tsconfig.json": JSON.stringify({
        compilerOptions: {
          target: "ES2022",
          module: "Node16",
          strict: true,
          types: ["node"],
          typeRoots: [path.join(root, "node_modules/@types")],
          outDir: "out",
          rootDir: "src",
          plugins: [{ transform: "makeparallel/transformer" }],
        },
        include: ["src"],
      }),
      "src/main.ts": program,
    });
    fs.mkdirSync(path.join(project, "node_modules"));
    fs.symlinkSync(checkout, path.join(project, "node_modules/makeparallel"), "junction");
    fs.symlinkSync(path.join(root, "node_modules/typescript"), path.join(project, "node_modules/typescript"), "junction");
    fs.symlinkSync(path.join(root, "node_modules/ts-patch"), path.join(project, "node_modules/ts-patch"), "junction");

    expect(runNode(project, [tspc], hidden)).toEqual({ status: 0, stdout: "", stderr: "" });
    const run = runNode(project, ["out/main.js"], hidden);
    expect(run.stdout).toBe("49\n[ 1, 2, 3 ]\n10000\n4\ntrue as it should\ntypescript\n");
    expect(run.status).toBe(0);
    const said = run.stderr.split("\n").filter((line) => line.trim() !== "");
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/native/i);
    expect(said[0]).toMatch(/TypeScript backend/i);
  });

  test("asking for the native backend by name is an error that says how to get it", () => {
    const run = runNode(path.join(folder, "project"), ["out/main.js"], { ...hidden, MAKEPARALLEL_BACKEND: "native" });
    expect(run.status).not.toBe(0);
    expect(run.stderr).toMatch(
      /its binary can't be used: [^\n]*[^.]\. Use backend: "typescript", or install makeparallel on this platform/,
    );
  });
});

function filesBelow(folder: string): string[] {
  return fs.readdirSync(folder, { recursive: true }) as string[];
}
