/** Classes that derive from what a task expects keep their class, wherever they are and however their files name each other. */
import { runNode } from "../support/children";
import { classGraph } from "./support/class-graph";
import { esbuildBuild, esbuildErrors, makeWorkspace, tspc } from "./support/workspace";

/** The last two pairs have failed: classes behind an interface that extends the expected one, and subclasses of subclasses. */
const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 43, 98, 104, 105];

const tsconfig = {
  compilerOptions: {
    target: "ES2022",
    module: "Node16",
    strict: true,
    skipLibCheck: true,
    types: [],
    rootDir: "src",
    outDir: "dist",
    plugins: [{ transform: "makeparallel/transformer" }],
  },
  include: ["src"],
};

test.each(["tspc", "esbuild"])("random programs of classes and interfaces, built by %s", async (host) => {
  const files = SEEDS.flatMap((seed) => Object.entries(classGraph(seed)).map(([name, text]) => [`src/${seed}/${name}`, text] as const));
  const workspace = makeWorkspace(`class-graphs-${host}`, {
    "package.json": { name: "project", version: "1.0.0", type: "module" },
    "tsconfig.json": tsconfig,
    ...Object.fromEntries(files),
  });
  if (host === "tspc") {
    const { code, stdout, stderr } = await tspc(workspace);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "", stderr: "" });
  } else {
    const entries = JSON.stringify(SEEDS.map((seed) => `src/${seed}/main.ts`));
    const built = await esbuildBuild(
      workspace,
      `{ entryPoints: ${entries}, bundle: true, platform: "node", format: "esm", keepNames: true, outdir: "dist", outbase: "src", logLevel: "silent" }`,
    );
    expect([built.code, esbuildErrors(built)]).toEqual([0, ""]);
  }
  const printed: string[] = [];
  for (const seed of SEEDS) {
    const { stdout, stderr } = await runNode(workspace.file(`dist/${seed}/main.js`), [], { env: { MAKEPARALLEL_THREADS: "1" } });
    printed.push(stdout + stderr);
  }
  // Each is the number of instances alone.
  expect(printed.filter((text) => !/^\d+\n$/.test(text))).toEqual([]);
  expect(printed.reduce((sum, text) => sum + Number(text), 0)).toBeGreaterThan(SEEDS.length);
});
