/** A build after an edit makes anew the chunks that depend on what was edited, and no others. */
import * as fs from "node:fs";
import { runNode } from "../support/children";
import { COMPILER_OPTIONS, listFiles, makeWorkspace, type Workspace } from "../adapters/support/workspace";
import { watch } from "./support/watch";

const task = (name: string, body: string): string => `import { parallel } from "makeparallel";
import { ${name}Helper } from "./${name}Helper.js";
export const ${name} = parallel((n: number) => ${name}Helper(n) + ${body});
`;
const helper = (name: string, body: string): string => `export const ${name}Helper = (n: number): number => n * ${body};\n`;

function project(name: string): Workspace {
  const names = ["first", "second", "third"];
  return makeWorkspace(`hosts-rebundling-${name}`, {
    "package.json": { name: "rebundled", version: "1.0.0" },
    "tsconfig.json": { compilerOptions: COMPILER_OPTIONS, include: ["src"] },
    "src/main.ts": names.map((each) => `export * from "./${each}.js";\n`).join(""),
    ...Object.fromEntries(
      names.flatMap((each) => [
        [`src/${each}.ts`, task(each, "1")],
        [`src/${each}Helper.ts`, helper(each, "2")],
      ]),
    ),
  });
}

/** Edits, and the tasks whose chunks they concern. */
const edits: { file: string; text: string; concerns: string[] }[] = [
  { file: "src/second.ts", text: task("second", "100"), concerns: ["second"] },
  { file: "src/thirdHelper.ts", text: helper("third", "200"), concerns: ["third"] },
  // Not part of any slice.
  { file: "src/first.ts", text: `${task("first", "1")}export const unrelated = 1;\n`, concerns: [] },
];

/** Chunks and their maps, with when each was written. */
function written(workspace: Workspace, folder: string): Map<string, number> {
  const files = listFiles(workspace, folder).filter((file) => !file.endsWith(".json"));
  expect(files.length).toBeGreaterThan(5);
  return new Map(files.map((file) => [file, fs.statSync(workspace.file(`${folder}/${file}`)).mtimeMs]));
}

/** Names of the tasks whose chunks are not those of before. */
function made(before: Map<string, number>, after: Map<string, number>): string[] {
  const changed = [...after].filter(([file, time]) => file.endsWith(".cjs") && before.get(file) !== time).map(([file]) => file);
  return changed.map((file) => file.replace(/-\w+\.cjs$/, ""));
}

/** Whether the maps have the project's files as they are now, whatever was made anew. */
function expectCurrentMaps(workspace: Workspace, folder: string): void {
  const maps = listFiles(workspace, folder).filter((file) => file.endsWith(".map"));
  const texts = maps.flatMap((file) => (JSON.parse(workspace.read(`${folder}/${file}`)) as { sourcesContent: string[] }).sourcesContent);
  for (const { file } of edits) expect(texts).toContain(workspace.read(file));
}

test("tspc -w", async () => {
  const workspace = project("tspc");
  const compiler = watch(workspace);
  try {
    await compiler.rests(1);
    for (const { file, text, concerns } of edits) {
      const before = written(workspace, "dist/parallel-chunks");
      const builds = compiler.count();
      workspace.write(file, text);
      await compiler.rests(builds + 1);
      const after = written(workspace, "dist/parallel-chunks");
      expect(after.size).toBe(before.size);
      expect(made(before, after)).toEqual(concerns);
    }
    expectCurrentMaps(workspace, "dist/parallel-chunks");
  } finally {
    await compiler.stop();
  }
}, 300_000);

test("an esbuild context", async () => {
  const workspace = project("esbuild");
  // The child edits and looks itself: what is written between two builds is known then.
  workspace.write(
    "context.mjs",
    `import fs from "node:fs";
import Module from "node:module";
// What the plugin asks of esbuild, beside the build that it is part of.
let linked = [];
const { _load } = Module;
Module._load = (request, ...rest) => {
  const loaded = _load(request, ...rest);
  if (request !== "esbuild") return loaded;
  return { ...loaded, build: (options) => (linked.push(options.entryPoints.length), loaded.build(options)) };
};
const esbuild = await import("esbuild");
const { default: makeparallel } = await import("makeparallel/esbuild");
const context = await esbuild.context({
  entryPoints: ["src/main.ts"], bundle: true, platform: "node", format: "esm", outdir: "out", logLevel: "silent", plugins: [makeparallel()],
});
const chunks = () => new Map(fs.readdirSync("out/parallel-chunks").filter((file) => file.endsWith(".cjs")).map((file) => [file, fs.statSync("out/parallel-chunks/" + file).mtimeMs]));
const made = [];
const links = [];
await context.rebuild();
links.push(linked);
for (const { file, text } of ${JSON.stringify(edits)}) {
  const before = chunks();
  fs.writeFileSync(file, text);
  linked = [];
  await context.rebuild();
  links.push(linked);
  made.push([...chunks()].filter(([file, time]) => before.get(file) !== time).map(([file]) => file.replace(/-\\w+\\.cjs$/, "")));
}
await context.dispose();
console.log(JSON.stringify({ made, links, chunks: chunks().size }));
`,
  );
  // One of them is shared: the helper that keeps the names of functions.
  const { stdout, stderr } = await runNode(workspace.file("context.mjs"), [], { cwd: workspace.root, limit: 180_000 });
  expect(stderr).toBe("");
  // Where no slice has changed, nothing is linked; else all slices are (docs/build-speed.md says why).
  const links = [[3], ...edits.map(({ concerns }) => (concerns.length > 0 ? [3] : []))];
  expect(JSON.parse(stdout)).toEqual({ made: edits.map(({ concerns }) => concerns), links, chunks: 4 });
  expectCurrentMaps(workspace, "out/parallel-chunks");
}, 200_000);

test("an esbuild context, after edits of what only esbuild reads", async () => {
  const workspace = makeWorkspace("hosts-rebundling-read", {
    "package.json": { name: "rebundled", version: "1.0.0" },
    "tsconfig.json": { compilerOptions: COMPILER_OPTIONS },
    "node_modules/installed/package.json": { name: "installed", version: "1.0.0", main: "index.js" },
    "node_modules/installed/index.js": `exports.answer = "of the package";\n`,
    "src/data.json": `{ "answer": "of the data" }\n`,
    "src/main.ts": `import { parallel } from "makeparallel";
import { answer } from "installed";
import data from "./data.json";
export const ofPackage = parallel(() => answer);
export const ofData = parallel(() => data.answer);
export class Fields { a = 1; }
export const ofClass = parallel((fields: Fields) => { class Own { a; } return [fields.a, new Own()]; });
`,
  });
  const steps = [
    ["node_modules/installed/index.js", `exports.answer = "of another package";\n`, "ofPackage"],
    ["src/data.json", `{ "answer": "of other data" }\n`, "ofData"],
    ["tsconfig.json", JSON.stringify({ compilerOptions: { ...COMPILER_OPTIONS, useDefineForClassFields: false } }), "ofClass"],
  ];
  workspace.write(
    "context.mjs",
    `import fs from "node:fs";
import * as esbuild from "esbuild";
import makeparallel from "makeparallel/esbuild";
const context = await esbuild.context({
  entryPoints: ["src/main.ts"], bundle: true, platform: "node", format: "esm", outdir: "out", logLevel: "silent", plugins: [makeparallel()],
});
const chunks = () => fs.readdirSync("out/parallel-chunks").filter((file) => file.endsWith(".cjs"));
await context.rebuild();
const made = [];
for (const [file, text] of ${JSON.stringify(steps)}) {
  const before = chunks();
  fs.writeFileSync(file, text);
  await context.rebuild();
  made.push(chunks().filter((name) => !before.includes(name)).map((name) => name.replace(/-\\w+\\.cjs$/, "")));
}
await context.dispose();
console.log(JSON.stringify(made));
`,
  );
  const { stdout, stderr } = await runNode(workspace.file("context.mjs"), [], { cwd: workspace.root, limit: 180_000 });
  expect(stderr).toBe("");
  const made = JSON.parse(stdout) as string[][];
  steps.forEach(([, , name], index) => expect(made[index]).toContain(name));
}, 200_000);
