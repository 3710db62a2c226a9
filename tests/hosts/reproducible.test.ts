/** The same sources give the same bytes: twice, in another folder, with the files in another order. */
import * as fs from "node:fs";
import { runNode } from "../support/children";
import { COMPILER_OPTIONS, listFiles, makeWorkspace, TSPC, type Workspace } from "../adapters/support/workspace";

const sources: Record<string, string> = {
  "src/shape.ts": `export class Shape {
  #side: number;
  constructor(side: number) { this.#side = side; }
  get area(): number { return this.#side ** 2; }
}
export class Square extends Shape {}
`,
  "src/units.ts": `export const factor = (): number => 10;\nexport enum Unit { Metre = 1, Mile = 1609 }\n`,
  "src/area.ts": `import { parallel } from "makeparallel";
import { Shape } from "./shape.js";
import { factor } from "./units.js";
export const area = parallel((shape: Shape) => shape.area * factor());
export const areas = parallel(async (shapes: Shape[]) => shapes.map((shape) => shape.area * factor()));
`,
  "src/length.ts": `import { parallel } from "makeparallel";
import { factor, Unit } from "./units.js";
/** @parallel */
export async function metres(n: number): Promise<number> { return n * factor() * Unit.Mile; }
export class Meter {
  unit = Unit.Metre;
  @parallel async read(n: number): Promise<number> { return n * this.unit; }
}
`,
  "src/main.ts": `export * from "./area.js";\nexport * from "./length.js";\n`,
};

function project(name: string, order: (files: string[]) => string[]): Workspace {
  const files = order(Object.keys(sources));
  return makeWorkspace(name, {
    "package.json": { name: "reproducible", version: "1.0.0", type: "module" },
    "tsconfig.json": { compilerOptions: { ...COMPILER_OPTIONS, module: "NodeNext", sourceMap: true, declaration: true }, files },
    ...Object.fromEntries(files.map((file) => [file, sources[file]])),
    "build.mjs": `import * as esbuild from "esbuild";
import makeparallel from "makeparallel/esbuild";
await esbuild.build({
  entryPoints: ${JSON.stringify(files.filter((file) => !file.includes("units")))},
  bundle: true, platform: "node", format: "esm", outdir: "dist", sourcemap: true, plugins: [makeparallel()],
});
`,
  });
}

const written = (workspace: Workspace): Record<string, string> =>
  Object.fromEntries(listFiles(workspace, "dist").map((file) => [file, workspace.read(`dist/${file}`)]));

test.each([
  ["tspc", TSPC],
  ["esbuild", "build.mjs"],
])(
  "%s",
  async (host, script) => {
    const first = project(`reproducible-${host}`, (files) => files);
    const other = project(`reproducible-${host}-elsewhere/in/a/longer/path`, (files) => [...files].reverse());
    const build = async (workspace: Workspace): Promise<Record<string, string>> => {
      fs.rmSync(workspace.file("dist"), { recursive: true, force: true });
      const ended = await runNode(script === TSPC ? TSPC : workspace.file(script), [], { cwd: workspace.root, limit: 180_000 });
      expect(ended.stdout + ended.stderr).toBe("");
      return written(workspace);
    };
    const expected = await build(first);
    const chunks = Object.keys(expected).filter((file) => file.startsWith("parallel-chunks/"));
    expect(chunks.filter((file) => file.endsWith(".cjs")).length).toBeGreaterThan(4);
    expect(chunks.filter((file) => file.endsWith(".json"))).toHaveLength(1);
    expect(await build(first)).toEqual(expected);
    expect(await build(other)).toEqual(expected);
  },
  300_000,
);
