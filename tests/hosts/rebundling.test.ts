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
import * as esbuild from "esbuild";
import makeparallel from "makeparallel/esbuild";
const context = await esbuild.context({
  entryPoints: ["src/main.ts"], bundle: true, platform: "node", format: "esm", outdir: "out", logLevel: "silent", plugins: [makeparallel()],
});
const chunks = () => new Map(fs.readdirSync("out/parallel-chunks").filter((file) => file.endsWith(".cjs")).map((file) => [file, fs.statSync("out/parallel-chunks/" + file).mtimeMs]));
const made = [];
await context.rebuild();
for (const { file, text } of ${JSON.stringify(edits)}) {
  const before = chunks();
  fs.writeFileSync(file, text);
  await context.rebuild();
  made.push([...chunks()].filter(([file, time]) => before.get(file) !== time).map(([file]) => file.replace(/-\\w+\\.cjs$/, "")));
}
await context.dispose();
console.log(JSON.stringify({ made, chunks: chunks().size }));
`,
  );
  // One of them is shared: the helper that keeps the names of functions.
  const { stdout, stderr } = await runNode(workspace.file("context.mjs"), [], { cwd: workspace.root, limit: 180_000 });
  expect(stderr).toBe("");
  expect(JSON.parse(stdout)).toEqual({ made: edits.map(({ concerns }) => concerns), chunks: 4 });
}, 200_000);
