/**
 * Hoisted means the same: functions of real packages, called inline and as tasks on the same generated arguments.
 *
 * `DIFFERENTIAL_SEED=n` takes other arguments; the seed is in the name of what failed. `DIFFERENTIAL_ROUNDS=n` runs longer.
 */
import ts from "typescript";
import { esbuildBuild, esbuildErrors, TSPC, type Workspace } from "../adapters/support/workspace";
import { threaded, type BackendName } from "../support/backends";
import { runNode } from "../support/children";
import type { Report } from "./program/differential";
import { type Library, makeProject } from "./support/differential-project";

const SEED = Number(process.env["DIFFERENTIAL_SEED"] ?? 1);
const ROUNDS = Number(process.env["DIFFERENTIAL_ROUNDS"] ?? 4);

const PACKAGES: readonly Library[] = [
  {
    name: "date-fns",
    skip: /^(is(Today|Tomorrow|Yesterday|Future|Past|This\w+)|\w*(Of|In)?(Today|Tomorrow|Yesterday)|\w+ToNow\w*|\w*ToNow|setDefaultOptions|eachMinuteOfInterval|each\w+OfInterval)$/,
  },
  { name: "remeda", skip: /^(random\w*|shuffle|sample|debounce|funnel|range|times|repeat|padStart|padEnd)$/ },
  { name: "gl-matrix", namespaces: ["mat2", "mat3", "mat4", "quat", "vec2", "vec3", "vec4"], skip: /^random$/ },
  { name: "fastest-levenshtein" },
];

const SOURCES: readonly Library[] = [
  {
    name: "@noble/hashes",
    sources: { folder: "src", files: ["sha2.ts", "sha3.ts", "legacy.ts", "blake2.ts", "blake3.ts", "utils.ts", "hkdf.ts"] },
    skip: /^(random\w*|wrap\w*|nextTick|asyncLoop|ahash\w*|shake\w*|blake3\w*|hkdf|expand|_\w*)$/,
  },
  {
    name: "zod",
    sources: { folder: "src", files: ["v4/core/util.ts", "v3/helpers/util.ts"], leaveOut: /tests|benchmarks/ },
    // objectClone makes objects that only look like typed arrays: refused, where the structured clone algorithm takes them for plain objects.
    skip: /^(randomString|allowsEval|captureStackTrace|objectClone)$/,
  },
];

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.esnext.disposable.d.ts"],
  strict: true,
  skipLibCheck: true,
};

function tsconfig(plugin: object): object {
  return {
    compilerOptions: {
      target: "ES2022",
      module: "NodeNext",
      moduleResolution: "NodeNext",
      lib: ["ES2023", "DOM", "ESNext.Disposable"],
      types: ["node"],
      skipLibCheck: true,
      allowImportingTsExtensions: true,
      rewriteRelativeImportExtensions: true,
      noCheck: true,
      rootDir: "src",
      outDir: "dist",
      plugins: [{ transform: "makeparallel/transformer", ...plugin }],
    },
    include: ["src"],
  };
}

type Way = "tspc" | "esbuild";

async function build(way: Way, workspace: Workspace): Promise<void> {
  const built =
    way === "tspc"
      ? await runNode(TSPC, [], { cwd: workspace.root, limit: 300_000 })
      : await esbuildBuild(
          workspace,
          `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", format: "esm", target: "node20", outdir: "dist", logLevel: "silent" }`,
        );
  if (built.code !== 0) throw new Error(way === "tspc" ? built.stdout + built.stderr : esbuildErrors(built));
}

const projects: readonly {
  name: string;
  way: Way;
  libraries: readonly Library[];
  plugin: object;
  backends: readonly BackendName[];
  classesTravel: boolean;
}[] = [
  { name: "packages, external", way: "tspc", libraries: PACKAGES, plugin: {}, backends: threaded, classesTravel: false },
  { name: "packages, bundled", way: "esbuild", libraries: PACKAGES, plugin: {}, backends: threaded.slice(0, 1), classesTravel: false },
  { name: "TypeScript sources", way: "tspc", libraries: SOURCES, plugin: {}, backends: threaded, classesTravel: true },
  {
    name: "TypeScript sources in one file",
    way: "esbuild",
    libraries: SOURCES,
    plugin: {},
    backends: threaded.slice(-1),
    classesTravel: true,
  },
];

describe.each(projects)("functions of $name ($way)", ({ name, way, libraries, plugin, backends, classesTravel }) => {
  let workspace: Workspace;
  let functions = 0;
  beforeAll(async () => {
    ({ workspace, functions } = makeProject(
      `differential-${name.replace(/\W+/g, "-")}`,
      libraries,
      { "package.json": { name: "differential", version: "1.0.0", type: "module" }, "tsconfig.json": tsconfig(plugin) },
      { ...options, allowImportingTsExtensions: true },
    ));
    await build(way, workspace);
  }, 400_000);

  test.each(backends)(
    `give the same as tasks (%s, seed ${SEED})`,
    async (backend) => {
      const run = await runNode(workspace.file("dist/main.js"), [String(SEED), String(ROUNDS), classesTravel ? "1" : "0"], {
        env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "2" },
        limit: 120_000,
      });
      if (run.code !== 0) throw new Error(`exit code ${run.code}\n${run.stdout}${run.stderr}`);
      const report = JSON.parse(run.stdout.trim().split("\n").at(-1)!) as Report;
      expect(report.differences.slice(0, 20)).toEqual([]);
      expect(report.cases).toBeGreaterThan(functions * ROUNDS * 0.8);
    },
    240_000,
  );
});
