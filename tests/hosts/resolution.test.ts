/** Where imports lead: npm workspaces, path aliases, a package's own `imports`. */
import * as fs from "node:fs";
import * as path from "node:path";
import { threaded } from "../support/backends";
import { runNode } from "../support/children";
import { COMPILER_OPTIONS, esbuildBuild, esbuildErrors, makeWorkspace, tspc, type Workspace } from "../adapters/support/workspace";

async function run(workspace: Workspace, file: string): Promise<unknown[]> {
  const printed: unknown[] = [];
  for (const backend of threaded) {
    const ended = await runNode(workspace.file(file), [], {
      env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "2" },
      limit: 60_000,
    });
    printed.push(ended.stderr === "" ? JSON.parse(ended.stdout) : ended.stderr);
  }
  return printed;
}

const each = (value: unknown): unknown[] => threaded.map(() => value);

describe("npm workspaces", () => {
  /** Both packages have a class `Shape` in `src/shapes.ts`. */
  const shapes = (sides: number): string => `export class Shape {
  #size: number;
  constructor(size: number) { this.#size = size; }
  get corners(): number { return ${sides} * this.#size; }
}
`;
  const lib = `import { parallel } from "makeparallel";
import { Shape } from "./shapes.js";
export { Shape };
export const corners = parallel((shape: Shape) => [shape instanceof Shape, shape.corners]);
export const grow = (n: number): number => n + 100;
`;
  const app = `import { parallel } from "makeparallel";
import { corners as cornersInLib, grow, Shape as LibShape } from "@acme/lib";
import { Shape } from "./shapes.js";
const corners = parallel((own: Shape, others: LibShape[]) => [own instanceof Shape, own.corners, others[0] instanceof LibShape, others[0]!.corners]);
const grown = parallel((n: number) => grow(n));
async function main(): Promise<void> {
  const all = [await cornersInLib(new LibShape(1)), await corners(new Shape(1), [new LibShape(2)]), await grown(1)];
  console.log(JSON.stringify(all));
}
void main();
`;
  const EXPECTED = [[true, 3], [true, 4, true, 6], 101];

  function monorepo(name: string, exportsOfLib: object): Workspace {
    const workspace = makeWorkspace(`hosts-workspaces-${name}`, {
      "package.json": { name: "monorepo", private: true, workspaces: ["packages/*"] },
      "packages/lib/package.json": { name: "@acme/lib", version: "1.0.0", type: "module", exports: exportsOfLib },
      "packages/lib/tsconfig.json": { compilerOptions: { ...COMPILER_OPTIONS, declaration: true }, include: ["src"] },
      "packages/lib/src/index.ts": lib,
      "packages/lib/src/shapes.ts": shapes(3),
      "packages/app/package.json": { name: "@acme/app", version: "1.0.0", type: "module", dependencies: { "@acme/lib": "*" } },
      "packages/app/tsconfig.json": { compilerOptions: COMPILER_OPTIONS, include: ["src"] },
      "packages/app/src/main.ts": app,
      "packages/app/src/shapes.ts": shapes(4),
    });
    fs.mkdirSync(workspace.file("node_modules/@acme"), { recursive: true });
    fs.symlinkSync(workspace.file("packages/lib"), workspace.file("node_modules/@acme/lib"), "junction");
    return workspace;
  }

  test("each package is built by tspc, and finds the other's output", async () => {
    const workspace = monorepo("built", { types: "./dist/index.d.ts", default: "./dist/index.js" });
    expect(await tspc(workspace, "-p", "packages/lib")).toMatchObject({ code: 0, stdout: "" });
    expect(await tspc(workspace, "-p", "packages/app")).toMatchObject({ code: 0, stdout: "" });
    expect(await run(workspace, "packages/app/dist/main.js")).toEqual(each(EXPECTED));
  }, 240_000);

  test("esbuild bundles the other package from its sources", async () => {
    const workspace = monorepo("sources", { default: "./src/index.ts" });
    const options = `entryPoints: ["packages/app/src/main.ts"], bundle: true, platform: "node", logLevel: "silent"`;
    const built = await esbuildBuild(workspace, `{ ${options}, format: "esm", outfile: "out/main.mjs" }`);
    if (built.code !== 0) throw new Error(esbuildErrors(built));
    expect(await run(workspace, "out/main.mjs")).toEqual(each(EXPECTED));
  }, 240_000);

  test("tspc takes the other package from its sources by `paths`, as part of the same program", async () => {
    const workspace = monorepo("paths", { types: "./src/index.ts", default: "./dist/index.js" });
    // One program emits both packages; each output is found where its package says.
    workspace.write(
      "tsconfig.json",
      JSON.stringify({
        compilerOptions: {
          ...COMPILER_OPTIONS,
          rootDir: "packages",
          outDir: "out",
          paths: { "@acme/lib": ["./packages/lib/src/index.ts"] },
        },
        include: ["packages/*/src"],
      }),
    );
    workspace.write(
      "packages/lib/package.json",
      JSON.stringify({ name: "@acme/lib", version: "1.0.0", type: "module", exports: "../../out/lib/src/index.js" }),
    );
    workspace.write("out/package.json", JSON.stringify({ type: "module" }));
    fs.mkdirSync(workspace.file("out/node_modules/@acme"), { recursive: true });
    workspace.write("out/lib/package.json", JSON.stringify({ name: "@acme/lib", type: "module", exports: "./src/index.js" }));
    fs.symlinkSync(workspace.file("out/lib"), workspace.file("out/node_modules/@acme/lib"), "junction");
    expect(await tspc(workspace)).toMatchObject({ code: 0, stdout: "" });
    expect(await run(workspace, path.join("out", "app", "src", "main.js"))).toEqual(each(EXPECTED));
  }, 240_000);
});

describe("aliases", () => {
  const files = {
    "package.json": {
      name: "aliases",
      version: "1.0.0",
      type: "module",
      imports: { "#internal/*": "./dist/internal/*" },
    },
    "src/internal/scale.ts": "export const scale = (n: number): number => n * 10;\n",
    "src/lib/offset.ts": "export const offset = 5;\n",
    "src/main.ts": `import { parallel } from "makeparallel";
import { scale } from "#internal/scale.js";
import { offset } from "@lib/offset";
const both = parallel((n: number) => scale(n) + offset);
console.log(JSON.stringify([await both(2), scale(1)]));
`,
  };

  test("tspc: a package's own imports, and paths, which only tasks use and the program need not resolve", async () => {
    const workspace = makeWorkspace("hosts-aliases", {
      ...files,
      "tsconfig.json": { compilerOptions: { ...COMPILER_OPTIONS, paths: { "@lib/*": ["./src/lib/*.ts"] } }, include: ["src"] },
    });
    expect(await tspc(workspace)).toMatchObject({ code: 0, stdout: "" });
    expect(workspace.read("dist/main.js")).not.toContain("@lib");
    expect(await run(workspace, "dist/main.js")).toEqual(each([25, 10]));
  }, 240_000);
});
