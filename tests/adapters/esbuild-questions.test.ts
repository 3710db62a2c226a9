/** `makeparallel/esbuild`: which files esbuild asks the plugin about. Each question is a message between two processes. */
import * as path from "node:path";
import { runNode } from "../support/children";
import { makeWorkspace, type Workspace } from "./support/workspace";

const marked = `import { parallel } from "makeparallel";\nexport const twice = parallel((n: number) => n * 2);\n`;

function project(name: string, files: Record<string, string | object>): Workspace {
  return makeWorkspace(`questions-${name}`, {
    "package.json": { name: "asked", version: "1.0.0" },
    "src/main.ts": `import "./plain";\nimport "./words";\nimport "./shape";\nimport "installed";\n`,
    "src/plain.ts": "export const plain = 1;\n",
    // Prose is no mark, and neither is an import of another entry point.
    "src/words.ts": `// Runs in parallel.\nexport const words = "makeparallel/esbuild";\n`,
    "src/shape.ts": "export class Shape { size = 1; }\n",
    "node_modules/installed/package.json": { name: "installed", main: "index.js" },
    "node_modules/installed/index.js": `exports.note = "@parallel";\n`,
    ...files,
  });
}

interface Outcome {
  asked: string[];
  errors: string[];
  metafile: boolean;
  chunks: number;
}

/**
 * @param steps JavaScript that builds: `options` and `esbuild` are there, `outcome(result)` notes what came of a build
 * @param execArgv flags of Node
 */
async function build(workspace: Workspace, steps: string, execArgv: string[] = []): Promise<Outcome[]> {
  workspace.write(
    "build.mjs",
    `import fs from "node:fs";
import path from "node:path";
import * as esbuild from "esbuild";
import makeparallel from "makeparallel/esbuild";
const plugin = makeparallel();
let asked = [];
const watched = {
  name: plugin.name,
  setup: (build) => plugin.setup({ ...build, onLoad: (options, load) => build.onLoad(options, (args) => (asked.push(args.path), load(args))) }),
};
const options = { entryPoints: ["src/main.ts"], bundle: true, platform: "node", outfile: "out/app.cjs", logLevel: "silent", plugins: [watched] };
const outcomes = [];
const outcome = async (building) => {
  const result = await building.catch((error) => error);
  if (!result.warnings) throw result;
  const folder = "out/parallel-chunks";
  outcomes.push({
    asked: asked.map((file) => path.relative("src", file).split(path.sep).join("/")).sort(),
    errors: result.errors.map(({ text }) => text),
    metafile: result.metafile !== undefined,
    chunks: fs.existsSync(folder) ? fs.readdirSync(folder).filter((file) => file.endsWith(".cjs")).length : 0,
  });
  asked = [];
};
${steps}
console.log(JSON.stringify(outcomes));
`,
  );
  const { stdout, stderr } = await runNode(workspace.file("build.mjs"), [], { cwd: workspace.root, limit: 180_000, execArgv });
  expect(stderr).toBe("");
  return JSON.parse(stdout) as Outcome[];
}

const once = "await outcome(esbuild.build(options));";

test("none in a build without marks, which gives no metafile that nobody wanted", async () => {
  expect(await build(project("none", {}), once)).toEqual([{ asked: [], errors: [], metafile: false, chunks: 0 }]);
});

test("those with marks and those with classes in a build with marks", async () => {
  const workspace = project("some", { "src/plain.ts": marked });
  expect(await build(workspace, once)).toEqual([{ asked: ["plain.ts", "shape.ts"], errors: [], metafile: true, chunks: 1 }]);
});

test("the same where the native addon may not be loaded", async () => {
  const [none] = await build(project("none-without", {}), once, ["--no-addons"]);
  expect(none).toEqual({ asked: [], errors: [], metafile: false, chunks: 0 });
  const [some] = await build(project("some-without", { "src/plain.ts": marked }), once, ["--no-addons"]);
  expect(some).toEqual({ asked: ["plain.ts", "shape.ts"], errors: [], metafile: true, chunks: 1 });
});

test("those outside of the project's folder, whatever is in them", async () => {
  const workspace = project("outside", {
    "packages/app/package.json": { name: "app", version: "1.0.0" },
    "packages/app/src/main.ts": `export * from "../../../src/plain";\nexport * from "./own";\n`,
    "packages/app/src/own.ts": "export const own = 1;\n",
    "src/plain.ts": marked,
  });
  const inside = once.replace("options)", '{ ...options, absWorkingDir: path.resolve("packages/app") })');
  const [outcome] = await build(workspace, inside);
  expect(outcome).toMatchObject({ asked: ["plain.ts"], errors: [], metafile: false });
  const built = await runNode(workspace.file("packages/app/out/app.cjs"), [], { env: { MAKEPARALLEL_BACKEND: "inline" }, limit: 60_000 });
  expect(built.code).toBe(0);
});

test("all sources of the project in a context, where the first mark may come later", async () => {
  const workspace = project("context", {});
  const steps = `const context = await esbuild.context(options);
await outcome(context.rebuild());
fs.writeFileSync("src/plain.ts", ${JSON.stringify(marked)});
await outcome(context.rebuild());
fs.writeFileSync("src/plain.ts", "export {};");
await outcome(context.rebuild());
await context.dispose();`;
  const all = ["main.ts", "plain.ts", "shape.ts", "words.ts"];
  const outcomes = await build(workspace, steps);
  expect(outcomes.map(({ asked }) => asked)).toEqual([all, all, all]);
  expect(outcomes.map(({ chunks }) => chunks)).toEqual([0, 1, 0]);
});

test("a mark that another plugin writes while the build runs is an error", async () => {
  const workspace = project("written", { "src/main.ts": `import "./generated/late";\n`, "src/generated/note.txt": "" });
  const late = `options.plugins.push({ name: "late", setup(build) {
  build.onStart(() => fs.writeFileSync("src/generated/late.ts", ${JSON.stringify(marked)}));
} });
${once}`;
  const [{ errors }] = await build(workspace, late);
  expect(errors).toEqual([expect.stringContaining(path.join("src", "generated", "late.ts"))]);
  expect(errors[0]).toContain("build again");
});

test("the chunks of an earlier build go with its last mark", async () => {
  const workspace = project("gone", { "src/plain.ts": marked });
  const steps = `${once}\nfs.writeFileSync("src/plain.ts", "export {};");\n${once}`;
  expect((await build(workspace, steps)).map(({ chunks }) => chunks)).toEqual([1, 0]);
});
