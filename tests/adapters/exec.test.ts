/**
 * The programs of fixtures/exec, built in every way and run under every backend. All programs of one way are one build, so that their tasks share a
 * manifest and chunks, as a real project's do.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { all, threaded, type BackendName } from "../support/backends";
import { ROOT } from "../support/chunks";
import { runNode } from "../support/children";
import { typescriptIs } from "../support/typescript";
import { esbuildBuild, esbuildErrors, makeWorkspace, tspc, withNodeTypes, type Workspace } from "./support/workspace";

const FIXTURES = path.join(ROOT, "fixtures", "exec");

/** `legacy`: with `experimentalDecorators`, for the programs that have decorators. */
type Way = "tspc-cjs" | "tspc-esm" | "esbuild-cjs" | "esbuild-esm" | "tspc-cjs-legacy" | "esbuild-esm-legacy";
const ways: readonly Way[] = ["tspc-cjs", "tspc-esm", "esbuild-cjs", "esbuild-esm", "tspc-cjs-legacy", "esbuild-esm-legacy"];

interface Fixture {
  name: string;
  only: readonly Way[];
  /** The oldest TypeScript whose syntax it is. */
  typescript?: [major: number, minor: number];
}

const fixtures = fs
  .readdirSync(FIXTURES)
  .map((name): Fixture => {
    const file = path.join(FIXTURES, name, "fixture.json");
    return { name, only: ways, ...(fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, "utf8")) as Partial<Fixture>) : {}) };
  })
  .filter(({ typescript: least }) => least === undefined || typescriptIs(...least));

/** The best backend runs what was built in every way. What the others show does not depend on the tool. */
function backendsOf(way: Way): readonly BackendName[] {
  if (way === "tspc-cjs") return all;
  return way === "esbuild-esm" || way === "tspc-cjs-legacy" ? threaded : threaded.slice(0, 1);
}

/** Decorators beside ours have another signature there, so such programs can only be meant for one kind. */
function hasDecorators(name: string): boolean {
  const folder = path.join(FIXTURES, name);
  return fs
    .readdirSync(folder)
    .some((file) => /\.ts$/.test(file) && /^\s*@parallel\b/m.test(fs.readFileSync(path.join(folder, file), "utf8")));
}

function programsOf(way: Way): Fixture[] {
  return fixtures.filter(({ name, only }) => only.includes(way) && (!way.endsWith("legacy") || hasDecorators(name)));
}

function tsconfig(legacy: boolean): object {
  return {
    compilerOptions: {
      experimentalDecorators: legacy,
      emitDecoratorMetadata: legacy,
      target: "ES2022",
      module: "Node16",
      moduleResolution: "Node16",
      lib: ["ES2023", "ESNext.Disposable"],
      types: ["node"],
      strict: true,
      resolveJsonModule: true,
      rootDir: "src",
      outDir: "dist",
      sourceMap: true,
      plugins: [{ transform: "makeparallel/transformer" }],
    },
    include: ["src"],
  };
}

async function build(way: Way): Promise<Workspace> {
  const [tool, format, decorators] = way.split("-") as ["tspc" | "esbuild", "cjs" | "esm", "legacy"?];
  const workspace = withNodeTypes(
    makeWorkspace(`exec-${way}`, {
      "package.json": { name: `exec-${way}`, version: "1.0.0", type: format === "esm" ? "module" : "commonjs" },
      "tsconfig.json": tsconfig(decorators !== undefined),
    }),
  );
  const chosen = programsOf(way);
  for (const { name } of chosen) fs.cpSync(path.join(FIXTURES, name), workspace.file(`src/${name}`), { recursive: true });
  if (tool === "tspc") {
    const built = await tspc(workspace);
    if (built.code !== 0) throw new Error(`tspc failed:\n${built.stdout}${built.stderr}`);
  } else {
    const entries = JSON.stringify(chosen.map(({ name }) => `src/${name}/main.ts`));
    const extension = format === "esm" ? "mjs" : "cjs";
    const built = await esbuildBuild(
      workspace,
      `{ entryPoints: ${entries}, bundle: true, platform: "node", format: "${format}", target: "node20", keepNames: true, outdir: "dist", outbase: "src", outExtension: { ".js": ".${extension}" }, sourcemap: true, splitting: ${format === "esm"}, logLevel: "silent" }`,
    );
    if (built.code !== 0) throw new Error(`esbuild failed:\n${esbuildErrors(built)}`);
  }
  return workspace;
}

describe.each(ways)("built as %s", (way) => {
  let workspace: Workspace;
  beforeAll(async () => {
    workspace = await build(way);
  }, 120_000);

  const extension = way.startsWith("tspc") ? "js" : way.startsWith("esbuild-cjs") ? "cjs" : "mjs";
  const chosen = programsOf(way);
  const cases = backendsOf(way).flatMap((backend) => chosen.map(({ name }) => [name, backend] as const));

  test.each(cases)("%s (%s)", async (name, backend) => {
    const run = await runNode(workspace.file(`dist/${name}/main.${extension}`), [], {
      env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "2" },
      limit: 50_000,
    });
    expect({ code: run.code, stderr: run.stderr, hung: run.hung }).toEqual({ code: 0, stderr: "", hung: false });
    const expected = fs
      .readFileSync(path.join(FIXTURES, name, "expected.json"), "utf8")
      .replaceAll('"BACKEND:false"', String(backend === "inline"));
    expect(JSON.parse(run.stdout.trim().split("\n").at(-1) ?? "null")).toEqual(JSON.parse(expected));
  });
});
