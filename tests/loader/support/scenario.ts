/**
 * Small builds with slice plans written by hand, loaded through the real loader, in a process of their own: chunk loading has to be seen with Node's own
 * module system, not jest's.
 */
import * as path from "node:path";
import { makeWorkspace, type Workspace } from "../../adapters/support/workspace";
import { runNode } from "../../support/children";
import { ROOT } from "../../support/chunks";

export interface Scenario {
  /** Source files by name; each is a slice as it is. `#name` of every exported function becomes a task. */
  files: Record<string, string>;
  /** Tasks: `file#export`. Classes: the same under `classes`. */
  tasks: string[];
  classes?: string[];
  format?: "esm" | "cjs";
  /** More bundle options, as JavaScript. */
  options?: string;
  /**
   * Body of an async function whose result is returned as JSON. It sees `load(id)` (the task's function), `loader`, `manifestFile`, `manifest`, `folder`,
   * `root`, `bundle()` (builds again), `fs`, `path`, `loaderModule`.
   */
  run: string;
}

const PRELUDE = `
const fs = require("node:fs");
const path = require("node:path");
const { bundleChunks } = require(${JSON.stringify(path.join(ROOT, "dist/transformer/src/emit/bundle.js"))});
const { writeBundle } = require(${JSON.stringify(path.join(ROOT, "dist/transformer/src/emit/write-output.js"))});
const loaderModule = require(${JSON.stringify(path.join(ROOT, "dist/runtime-ts/src/loader/index.js"))});
const root = __dirname;
const folder = path.join(root, "dist", "parallel-chunks");
const manifestFile = path.join(folder, "test.json");
let manifest;
async function bundle() {
  const spec = JSON.parse(fs.readFileSync(path.join(root, "scenario.json"), "utf8"));
  const modules = new Map(spec.files.map((file) => [file, {
    id: file, file: path.join(root, file), contents: fs.readFileSync(path.join(root, file), "utf8").replace(/from "\\.\\/(\\w+)\\.js"/g, 'from "makeparallel-slice:src/$1.ts"'), loader: "ts",
    wholeImports: fs.readFileSync(path.join(root, file), "utf8").match(/^import \\* as .*;$/gm) ?? [],
  }]));
  const split = (id) => ({ module: id.slice(0, id.indexOf("#")), export: id.slice(id.indexOf("#") + 1) });
  const entries = spec.tasks.map((id) => ({ ...split(id), task: { id, name: split(id).export, file: split(id).module, line: 1, column: 1,
    parameters: [], captures: [], factory: false, receiver: false, async: false, generator: false } }));
  const emitted = path.join(root, "dist", "main.js");
  const built = await bundleChunks({ modules, entries, classes: new Map((spec.classes ?? []).map((id) => [id, split(id)])), effects: [], diagnostics: [] }, {
    root, folder, key: "test", version: "1.2.3", sources: new Map(), defaultFormat: { module: spec.format ?? "esm", emitted }, resolutions: new Map(),
    packages: "external", external: [], dynamicProjectImports: "external", host: {}, ...OPTIONS,
  }, () => require("typescript"));
  writeBundle(folder, built);
  manifest = built.manifest;
  return built;
}
const api = { marker: "api" };
const internal = { marker: "internal", module: (location, key) => ({ location, key }) };
for (const module of [api, internal]) Object.defineProperty(module, "__esModule", { value: true });
const newLoader = () => new loaderModule.ChunkLoader(new loaderModule.FsChunkStore(), { api, internal });
`;

export async function runScenario(name: string, scenario: Scenario): Promise<unknown> {
  const workspace = makeScenario(name, scenario);
  const run = await runNode(workspace.file("scenario.cjs"), [], { cwd: workspace.root });
  if (run.code !== 0) throw new Error(`${run.stderr}${run.stdout}`);
  return JSON.parse(run.stdout.trim().split("\n").at(-1) ?? "null");
}

export function makeScenario(name: string, scenario: Scenario, at?: string): Workspace {
  const workspace = makeWorkspace(
    `loader-${name}`,
    {
      "package.json": { name: "scenario", version: "1.0.0" },
      "scenario.json": { files: Object.keys(scenario.files), tasks: scenario.tasks, classes: scenario.classes, format: scenario.format },
      ...scenario.files,
    },
    at,
  );
  workspace.write(
    "scenario.cjs",
    `${PRELUDE.replace("OPTIONS", `(${scenario.options ?? "{}"})`)}
(async () => {
  await bundle();
  const loader = newLoader();
  const load = async (id) => (await loader.loadTask(manifestFile, id)).fn;
  const result = await (async () => { ${scenario.run} })();
  console.log(JSON.stringify(result ?? null));
})().catch((error) => { console.error(error); process.exitCode = 1; });
`,
  );
  return workspace;
}
