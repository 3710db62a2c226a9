/** `makeparallel/esbuild` in tools that run esbuild and go on with what it gave: tsup. */
import { runNode } from "../support/children";
import { esbuildBuild, esbuildErrors, listFiles, makeWorkspace, type Workspace } from "./support/workspace";

const main = `import { parallel } from "makeparallel";
import { factor } from "./factor";
import { once } from "once-installed";

const scale = parallel(async (n: number) => {
  const { twice } = await import("twice-installed");
  return [once(n) * factor(), twice(n)];
});
void scale(2).then((value) => console.log(JSON.stringify(value)));
`;

function project(name: string): Workspace {
  return makeWorkspace(`esbuild-hosts-${name}`, {
    "package.json": { name: "project", version: "1.0.0" },
    "src/main.ts": main,
    "src/factor.ts": "export const factor = (): number => 10;\n",
    "src/packages.d.ts": "declare module 'once-installed';\ndeclare module 'twice-installed';\n",
    "node_modules/once-installed/index.js": "exports.once = (n) => n;\n",
    "node_modules/twice-installed/index.js": "exports.twice = (n) => 2 * n;\n",
  });
}

/** What tsup does: it leaves dependencies outside by a plugin, takes what esbuild gives, and writes all that looks like a module after changing it. */
async function tsup(workspace: Workspace, formats: string[], esbuildFormat: (format: string) => string): Promise<string[]> {
  workspace.write(
    "tsup.mjs",
    `import fs from "node:fs";
import path from "node:path";
import * as esbuild from "esbuild";
import makeparallel from "makeparallel/esbuild";
const external = { name: "external", setup: (build) => build.onResolve({ filter: /-installed$/ }, () => ({ external: true })) };
const inputs = new Set();
await Promise.all(${JSON.stringify(formats.map((format) => [format, esbuildFormat(format)]))}.map(async ([format, given]) => {
  const { outputFiles, metafile } = await esbuild.build({
    entryPoints: ["src/main.ts"], format: given, bundle: true, platform: "node", plugins: [external, makeparallel()],
    define: { TSUP_FORMAT: JSON.stringify(format) }, outdir: "out", outExtension: { ".js": format === "cjs" ? ".cjs" : ".mjs" },
    sourcemap: "external", write: false, splitting: given === "esm", metafile: true,
  });
  for (const file of outputFiles) {
    let { text } = file;
    if (given !== format && /\\.cjs$/.test(file.path)) text = esbuild.transformSync(text, { format: "cjs", platform: "node" }).code;
    if (/\\.[cm]js$/.test(file.path)) text += "//# sourceMappingURL=" + path.basename(file.path) + ".map";
    fs.mkdirSync(path.dirname(file.path), { recursive: true });
    fs.writeFileSync(file.path, text);
  }
  for (const input of Object.keys(metafile.inputs)) inputs.add(input);
}));
console.log(JSON.stringify([...inputs].sort()));
`,
  );
  const { stdout, stderr } = await runNode(workspace.file("tsup.mjs"), [], { cwd: workspace.root, limit: 180_000 });
  expect(stderr).toBe("");
  return JSON.parse(stdout) as string[];
}

async function run(workspace: Workspace, file: string): Promise<string> {
  const ended = await runNode(workspace.file(file), [], { env: { MAKEPARALLEL_BACKEND: "typescript", MAKEPARALLEL_THREADS: "1" } });
  return (ended.stdout + ended.stderr).trim();
}

test.each([
  ["as esbuild writes it", (format: string) => format],
  ["converted from ES modules, as with code splitting and tree shaking", () => "esm"],
])("tsup's output in two formats runs, CommonJS %s", async (_how, esbuildFormat) => {
  const workspace = project(esbuildFormat("cjs"));
  const inputs = await tsup(workspace, ["cjs", "esm"], esbuildFormat);
  expect(await run(workspace, "out/main.cjs")).toBe("[20,4]");
  expect(await run(workspace, "out/main.mjs")).toBe("[20,4]");
  // Only chunks hold it: tsup watches what is named here.
  expect(inputs).toContain("src/factor.ts");
  // What the host's plugin leaves outside is outside of chunks.
  for (const file of listFiles(workspace, "out/parallel-chunks").filter((name) => name.endsWith(".cjs")))
    expect(workspace.read(`out/parallel-chunks/${file}`)).not.toContain("2 * n");
});

test.each([
  ["", "Put makeparallel() first in `plugins`."],
  [`define: { TSUP_FORMAT: '"cjs"' }, `, "tsup has SWC load all files where the tsconfig file has `emitDecoratorMetadata`"],
])("a file with tasks that another plugin loads first fails the build (%s)", async (settings, way) => {
  const workspace = project(`taken-${settings.length}`);
  const loads = `{ name: "loads", setup: (build) => build.onLoad({ filter: /\\.ts$/ }, async ({ path }) =>
    ({ contents: (await import("node:fs")).readFileSync(path, "utf8"), loader: "ts" })) }`;
  const built = await esbuildBuild(
    workspace,
    `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", ${settings}outdir: "out", external: ["*-installed"], logLevel: "silent" }`,
    `${loads}, makeparallel()`,
  );
  expect(esbuildErrors(built)).toContain("src/main.ts has parallel functions, but another plugin loaded it before makeparallel was asked");
  expect(built.stdout).toContain(way);
});
