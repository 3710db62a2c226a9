/** `doctor`: each thing that can be wrong with a setup is found, under its code, with a fix. */
import * as fs from "node:fs";
import * as path from "node:path";
import { FINDINGS } from "../../dist/transformer/src/cli/doctor/catalogue";
import { hasMark } from "../../dist/transformer/src/cli/doctor/output-checks";
import { checkShipping } from "../../dist/transformer/src/cli/doctor/shipping-checks";
import { runNode } from "../support/children";
import { ROOT } from "../support/chunks";
import { inlineProject, removeProjects, type ProjectOptions, type UserProject } from "./support/project";

interface Found {
  code: keyof typeof FINDINGS;
  severity: string;
  message: string;
  fix: string;
}

const CLI = path.join(ROOT, "dist/transformer/src/cli");
const INSTALLED: ProjectOptions = { installed: ["typescript", "ts-patch", "makeparallel", "esbuild", "@types/node"] };
const PACKAGE = {
  name: "app",
  scripts: { build: "tspc" },
  dependencies: { makeparallel: "^0.1.0" },
  devDependencies: { typescript: "^5.9.0", "ts-patch": "^3.3.0" },
};
const OPTIONS = { target: "ES2022", module: "CommonJS", outDir: "dist", rootDir: "src", strict: true, skipLibCheck: true };
const PLUGINS = [{ transform: "makeparallel/transformer" }];
const FILES = { "package.json": PACKAGE, "tsconfig.json": { compilerOptions: { ...OPTIONS, plugins: PLUGINS }, include: ["src"] } };
const MAIN = `import { parallel } from "makeparallel";\nexport const twice = parallel((n: number) => n * 2);\n/** @parallel */\nexport async function half(n: number) { return n / 2; }\n`;

afterAll(removeProjects);

const found = new Set<string>();

async function findings(project: UserProject): Promise<Found[]> {
  const { stdout, stderr, code } = await project.makeparallel(["doctor", "--json"]);
  expect(stderr).toBe("");
  const all = JSON.parse(stdout) as Found[];
  expect(code).toBe(all.some(({ severity }) => severity === "error") ? 1 : 0);
  for (const one of all) {
    found.add(one.code);
    expect(one.fix).not.toBe("");
    expect(one.severity).toBe(FINDINGS[one.code].severity);
  }
  return all;
}

/** The findings but for those that a project that has not been built has, or a machine without the native backend. */
async function codes(project: UserProject): Promise<string[]> {
  return (await findings(project)).map(({ code }) => code).filter((code) => code !== "MP4025" && code !== "MP4021");
}

function versionOnly(project: UserProject, name: string, version: string): void {
  fs.rmSync(project.file(`node_modules/${name}`), { recursive: true, force: true });
  project.write(`node_modules/${name}/package.json`, JSON.stringify({ name, version, main: "index.js" }));
  project.write(`node_modules/${name}/index.js`, `exports.version = ${JSON.stringify(version)};`);
}

describe("setup", () => {
  const project = (files: Record<string, string | object> = {}, options = INSTALLED): UserProject =>
    inlineProject({ ...FILES, ...files }, options);

  test("nothing is wrong with a right one", async () => {
    const right = project();
    expect(await codes(right)).toEqual([]);
    expect((await findings(right)).map(({ code }) => code)).toContain("MP4025");
  });

  test("files that can't be read", async () => {
    expect(await codes(project({ "package.json": "{" }))).toEqual(["MP4002"]);
    expect(await codes(project({ "tsconfig.json": "{ nonsense" }))).toEqual(["MP4002"]);
    expect(await codes(project({ "tsconfig.json": { extends: "./absent.json" } }))).toEqual(["MP4002"]);
  });

  test("makeparallel is absent, or among the devDependencies", async () => {
    expect(await codes(project({}, { installed: ["typescript", "ts-patch"] }))).toEqual(["MP4003"]);
    expect(
      await codes(
        project({ "package.json": { ...PACKAGE, dependencies: {}, devDependencies: { ...PACKAGE.devDependencies, makeparallel: "*" } } }),
      ),
    ).toEqual(["MP4004"]);
  });

  test("another package brings a copy of its own", async () => {
    const twice = project();
    twice.write("node_modules/reports/node_modules/makeparallel/package.json", '{ "name": "makeparallel", "version": "0.0.9" }');
    const [finding] = await findings(twice);
    expect(finding).toMatchObject({
      code: "MP4005",
      message: expect.stringContaining("0.0.9 in node_modules/reports/node_modules/makeparallel"),
    });
  });

  test("links to one copy are one copy", async () => {
    const linked = project();
    fs.mkdirSync(linked.file("node_modules/reports/node_modules"), { recursive: true });
    fs.symlinkSync(ROOT, linked.file("node_modules/reports/node_modules/makeparallel"), "junction");
    expect(await codes(linked)).toEqual([]);
  });

  test("a copy in pnpm's store counts when a package leads to it, not when it is a leftover", async () => {
    const stored = project();
    const store = "node_modules/.pnpm";
    // pnpm keeps files beside the packages.
    stored.write(`${store}/lock.yaml`, "lockfileVersion: '9.0'\n");
    stored.write(`${store}/makeparallel@0.0.9/node_modules/makeparallel/package.json`, '{ "name": "makeparallel", "version": "0.0.9" }');
    expect(await codes(stored)).toEqual([]);
    fs.mkdirSync(stored.file(`${store}/reports@1.0.0/node_modules`), { recursive: true });
    fs.symlinkSync(
      stored.file(`${store}/makeparallel@0.0.9/node_modules/makeparallel`),
      stored.file(`${store}/reports@1.0.0/node_modules/makeparallel`),
      "junction",
    );
    expect(await codes(stored)).toEqual(["MP4005"]);
  });

  test("TypeScript is absent, too old, or has no API", async () => {
    expect(await codes(project({ "package.json": { ...PACKAGE, devDependencies: {} } }, { installed: ["makeparallel"] }))).toEqual([
      "MP4006",
    ]);
    const old = project();
    versionOnly(old, "typescript", "5.2.2");
    expect(await codes(old)).toEqual(["MP4006"]);
    versionOnly(old, "typescript", "7.0.2");
    expect(await codes(old)).toEqual(["MP4007"]);
  });

  test("ts-patch is absent, or of another TypeScript", async () => {
    expect(
      await codes(
        project({ "package.json": { ...PACKAGE, devDependencies: { typescript: "*" } } }, { installed: ["typescript", "makeparallel"] }),
      ),
    ).toEqual(["MP4008"]);
    const mismatch = project();
    versionOnly(mismatch, "ts-patch", "4.0.1");
    expect(await codes(mismatch)).toEqual(["MP4009"]);
    versionOnly(mismatch, "ts-patch", "3.2.0");
    expect(await codes(mismatch)).toEqual(["MP4009"]);
    versionOnly(mismatch, "ts-patch", "3.3.0");
    versionOnly(mismatch, "typescript", "6.0.2");
    expect((await findings(mismatch))[0]).toMatchObject({
      code: "MP4009",
      message: "ts-patch 3.3.0 is installed, and TypeScript 6.0.2 needs ts-patch 4.0.1 or later of its major version.",
    });
  });

  test.each([
    ["20.18.0", "6.0.2", "4.0.1", ["MP4001", "MP4010"]],
    ["20.19.0", "6.0.2", "4.0.1", ["MP4010"]],
    ["22.14.0", "6.0.2", "4.0.1", ["MP4010"]],
    ["22.15.0", "6.0.2", "4.0.1", []],
    ["20.19.0", "5.9.3", "3.3.0", []],
  ])("Node %s with TypeScript %s and ts-patch %s: %j", async (node, typescript, tsPatch, expected) => {
    const versions = project();
    versionOnly(versions, "typescript", typescript);
    versionOnly(versions, "ts-patch", tsPatch);
    const program = `
      const { checkSetup } = require("./doctor/setup-checks");
      const { inspectProject } = require("./project/inspect");
      const [cwd, node, self] = process.argv.slice(1);
      inspectProject({ cwd, node, self }).then((found) => console.log(JSON.stringify(checkSetup(found).map(({ code }) => code))));`;
    const { stdout } = await runNode("-e", [program, versions.root, node, ROOT], { cwd: CLI });
    const all = JSON.parse(stdout) as string[];
    for (const code of all) found.add(code);
    expect(all).toEqual(expected);
  });

  test("the transformer is absent, commented out, replaced, or wrong", async () => {
    const config = (text: string | object): UserProject => project({ "tsconfig.json": text });
    expect(await codes(config({ compilerOptions: OPTIONS }))).toEqual(["MP4011"]);
    const [commented] = await findings(config(`{ "compilerOptions": {\n// "plugins": [{ "transform": "makeparallel/transformer" }]\n} }`));
    expect(commented).toMatchObject({ code: "MP4011", message: expect.stringContaining("commented out") });
    const replaced = project({
      "tsconfig.base.json": FILES["tsconfig.json"],
      "tsconfig.json": { extends: "./tsconfig.base.json", compilerOptions: { plugins: [] } },
    });
    expect(await codes(replaced)).toEqual(["MP4011"]);
    for (const transform of ["makeparallel", "makeparallel/transform", "./node_modules/makeparallel/transformer.js"]) {
      expect(await codes(config({ compilerOptions: { ...OPTIONS, plugins: [{ transform }] } }))).toEqual(["MP4012"]);
    }
  });

  test("built with plain tsc; a check with tsc is none of its business", async () => {
    expect(await codes(project({ "package.json": { ...PACKAGE, scripts: { build: "tsc", check: "tsc --noEmit" } } }))).toEqual(["MP4013"]);
    expect(await codes(project({ "package.json": { ...PACKAGE, scripts: { build: "tspc", check: "tsc --noEmit" } } }))).toEqual([]);
    expect(await codes(project({ "package.json": { ...PACKAGE, scripts: { build: "tspc src/main.ts" } } }))).toEqual(["MP4013"]);
    expect(await codes(project({ "package.json": { ...PACKAGE, scripts: { build: "nest build" } } }))).toEqual(["MP4013"]);
    const nest = { "package.json": { ...PACKAGE, scripts: { build: "nest build --webpack" } } };
    expect(await codes(project(nest))).toEqual(["MP4022"]);
    const plugin = `const { makeparallel } = require("makeparallel/webpack");\nmodule.exports = (options) => ({ ...options, plugins: [makeparallel()] });\n`;
    expect(await codes(project({ ...nest, "webpack.config.js": plugin }))).toEqual([]);
  });

  test("esbuild without the plugin", async () => {
    const build = 'import { build } from "esbuild";\nawait build({ platform: "node" });\n';
    expect(
      await codes(
        project({
          "package.json": { ...PACKAGE, scripts: { build: "node build.mjs" } },
          "tsconfig.json": { compilerOptions: { noEmit: true } },
          "build.mjs": build,
        }),
      ),
    ).toEqual(["MP4014"]);
    expect(
      await codes(
        project({
          "package.json": { ...PACKAGE, scripts: { build: "esbuild a.ts" } },
          "tsconfig.json": { compilerOptions: { noEmit: true } },
        }),
      ),
    ).toEqual(["MP4014"]);
  });

  test("tools without an adapter, isolatedModules, and nothing that builds", async () => {
    expect(await codes(project({ ".swcrc": "{}" }))).toEqual(["MP4022"]);
    expect(await codes(project({ "tsconfig.json": { compilerOptions: { ...OPTIONS, plugins: PLUGINS, isolatedModules: true } } }))).toEqual(
      ["MP4024"],
    );
    expect(await codes(project({ "tsconfig.json": { compilerOptions: { ...OPTIONS, plugins: PLUGINS, noEmit: true } } }))).toEqual([
      "MP4026",
      "MP4023",
    ]);
  });

  /** What `checkSetup` finds in each of many projects, by one child: one for each would take longer than all the rest. */
  async function setUps(all: readonly Record<string, string | object>[]): Promise<{ code: string; fix: string }[][]> {
    const program = `
      const { checkSetup } = require("./doctor/setup-checks");
      const { inspectProject } = require("./project/inspect");
      const [self, ...folders] = process.argv.slice(1);
      const look = async (cwd) => checkSetup(await inspectProject({ cwd, node: process.versions.node, self }));
      Promise.all(folders.map(look)).then((found) => console.log(JSON.stringify(found)));`;
    const { stdout, stderr } = await runNode("-e", [program, ROOT, ...all.map((files) => project(files).root)], { cwd: CLI });
    expect(stderr).toBe("");
    const judged = JSON.parse(stdout) as { code: string; fix: string }[][];
    for (const { code } of judged.flat()) found.add(code);
    return judged;
  }

  test("tools that are not set up, or in the wrong order; what a configuration that writes nothing says", async () => {
    const build = (plugins: string): string =>
      `import { build } from "esbuild";\nimport makeparallel from "makeparallel/esbuild";\nawait build({ plugins: [${plugins}] });\n`;
    const scripts = (own: object): Record<string, object> => ({ "package.json": { ...PACKAGE, scripts: { build: "tspc", ...own } } });
    const unbuilt = (own: object): Record<string, object> => ({
      "package.json": { ...PACKAGE, scripts: own, devDependencies: { typescript: "^5.9.0", jest: "^30.0.0" } },
      "tsconfig.json": { compilerOptions: OPTIONS },
    });
    const silent = { "tsconfig.json": { compilerOptions: { ...OPTIONS, plugins: PLUGINS, noEmit: true } } };
    const vite = { "vite.config.ts": "export default {};" };
    const cases: [files: Record<string, string | object>, codes: string[], fix?: string][] = [
      [silent, ["MP4026", "MP4023"], "Remove noEmit (or emitDeclarationOnly) from the configuration that builds."],
      [{ "build.mjs": build("makeparallel()") }, []],
      [{ "build.mjs": build("\n    // other\n    makeparallel({}),\n    other({ filter: [1] }),\n  ") }, []],
      [{ "build.mjs": build("other, makeparallel()") }, ["MP4030"]],
      [{ "build.mjs": build('other("a"), makeparallel()') }, ["MP4030"]],
      [{ "jest.config.js": 'module.exports = { preset: "ts-jest" };' }, ["MP4031"]],
      [{ "jest.config.js": 'module.exports = { preset: "makeparallel/jest-preset" };' }, []],
      [{ "jest.config.js": 'module.exports = { roots: ["<rootDir>/dist"] };' }, []],
      [
        scripts({ start: "tsx src/main.ts", tools: "makeparallel doctor" }),
        ["MP4031"],
        "Run it by `node --import makeparallel/register <file>`.",
      ],
      [scripts({ dev: "node --watch src/main.ts" }), ["MP4031"], "Run it by `node --watch --import makeparallel/register <file>`."],
      [scripts({ dev: "tsx watch src/main.ts" }), ["MP4031"], "Run it by `node --watch --import makeparallel/register <file>`."],
      [scripts({ dev: "node --import makeparallel/register src/main.ts" }), []],
      [scripts({ start: "node dist/main.js", generate: "tsx scripts/generate.ts" }), []],
      // Vite beside another build may be for the browser; alone it is what has to be set up.
      [vite, []],
      [{ ...vite, "tsconfig.json": { compilerOptions: { ...OPTIONS, noEmit: true } } }, ["MP4031"]],
      [
        { "tsconfig.json": { compilerOptions: { ...OPTIONS, noEmit: true } }, ...scripts({ build: "vite build --ssr src/main.ts" }) },
        ["MP4031"],
        'Create vite.config.mjs with: import makeparallel from "makeparallel/vite"; export default { plugins: [makeparallel()] };',
      ],
      [
        { "tsconfig.json": { compilerOptions: { ...OPTIONS, noEmit: true } }, ...scripts({ build: "next build" }) },
        ["MP4031"],
        'Create next.config.mjs with: import makeparallel from "makeparallel/webpack"; export default { webpack(config) { ' +
          "config.plugins.push(makeparallel()); return config; } }; Call `next dev --webpack` and `next build --webpack`: Turbopack runs no plugins. " +
          "docs/adapters.md says what to do there.",
      ],
      // A script may name the configuration, which may be made of several files.
      [
        {
          ...unbuilt({ build: "webpack --config config/server.js" }),
          "config/server.js": `module.exports = require("./base")({ entry: "./src/main" });`,
          "config/base.js": `const { makeparallel } = require("makeparallel/webpack");\nmodule.exports = (own) => ({ ...own, plugins: [makeparallel()] });`,
        },
        [],
      ],
      [
        {
          ...unbuilt({ build: "webpack --config=config/server.js" }),
          "config/server.js": "module.exports = {};",
          "webpack.config.js": `require("makeparallel/webpack");`,
        },
        ["MP4031"],
        'Add to its configuration: const { makeparallel } = require("makeparallel/webpack"); and plugins: [makeparallel()]',
      ],
      // What compiles by itself needs no transformer in the tsconfig.json, nor ts-patch.
      [{ ...unbuilt({ test: "jest" }), "jest.config.js": 'module.exports = { preset: "makeparallel" };' }, []],
      [unbuilt({ start: "node --import makeparallel/register src/main.ts" }), []],
      [unbuilt({ test: "jest" }), ["MP4011", "MP4031"], undefined],
      [
        { ...unbuilt({ build: "tsc", test: "jest" }), "jest.config.js": 'module.exports = { preset: "makeparallel" };' },
        ["MP4011", "MP4013"],
      ],
      [scripts({ build: "babel src -d dist", check: "tspc --noEmit" }), ["MP4022"]],
    ];
    const judged = await setUps(cases.map(([files]) => files));
    expect(judged.map((all) => all.map(({ code }) => code))).toEqual(cases.map(([, expected]) => expected));
    for (const [index, [, , fix]] of cases.entries()) if (fix !== undefined) expect(judged[index]![0]!.fix).toBe(fix);
  });

  test("esbuild's own program was left out of the installation", async () => {
    const broken = project({
      "broken.cjs": `
        const Module = require("node:module");
        const load = Module._load;
        const esbuild = { transformSync() { throw new Error('The package "@esbuild/x" could not be found'); } };
        Module._load = (request, ...rest) => (request === "esbuild" ? esbuild : load(request, ...rest));`,
    });
    const { stdout, code } = await broken.makeparallel(["doctor", "--json"], { NODE_OPTIONS: `--require ${broken.file("broken.cjs")}` });
    const [finding] = JSON.parse(stdout) as Found[];
    found.add("MP4027");
    expect(finding).toMatchObject({
      code: "MP4027",
      message: 'esbuild, which bundles the chunks, does not run: The package "@esbuild/x" could not be found',
      fix: expect.stringContaining("--omit=optional"),
    });
    expect(code).toBe(1);
  });
});

describe("output", () => {
  let project: UserProject;

  beforeEach(async () => {
    project = inlineProject({ ...FILES, "src/main.ts": MAIN }, INSTALLED);
    expect(await project.script("build")).toMatchObject({ code: 0, stderr: "" });
  });

  const chunkFiles = (): string[] => fs.readdirSync(project.file("dist/parallel-chunks")).filter((name) => name.endsWith(".cjs"));
  const manifest = (): string =>
    path.join(
      "dist/parallel-chunks",
      fs.readdirSync(project.file("dist/parallel-chunks")).find((name) => name.endsWith(".json")) as string,
    );

  test("nothing is wrong with a right one", async () => {
    expect(await findings(project).then((all) => all.filter(({ code }) => code !== "MP4021"))).toEqual([]);
    const { stdout } = await project.makeparallel(["doctor"]);
    expect(stdout).toMatch(/Nothing is wrong|MP4021/);
  });

  test("nor with one that a watching webpack has written", async () => {
    const main = project.read("dist/main.js");
    const watched = main.replace(/(\.module\([^)]*?"[0-9a-f]+")\)/, '$1, "361f7dd273b8b142")');
    expect(watched).not.toBe(main);
    project.write("dist/main.js", watched);
    expect(await codes(project)).toEqual([]);
  });

  test("the folder of the chunks was not copied", async () => {
    project.remove("dist/parallel-chunks");
    expect(await codes(project)).toEqual(["MP4016"]);
  });

  test("a manifest is damaged, or of another format", async () => {
    const name = manifest();
    const text = project.read(name);
    project.write(name, "{");
    expect(await codes(project)).toEqual(["MP4017"]);
    project.write(name, text.replace(/"format":\s*\d+/, '"format": 99'));
    expect((await findings(project))[0]).toMatchObject({ code: "MP4017", message: expect.stringContaining("format 99") });
  });

  test("a chunk is missing", async () => {
    project.remove(`dist/parallel-chunks/${chunkFiles()[0]}`);
    expect(await codes(project)).toEqual(["MP4018"]);
  });

  test("a chunk was changed afterwards", async () => {
    const name = `dist/parallel-chunks/${chunkFiles()[0]}`;
    project.write(name, `${project.read(name)}\n`);
    expect(await codes(project)).toEqual(["MP4019"]);
  });

  test("the source is newer, or gone", async () => {
    const later = new Date(Date.now() + 60_000);
    fs.utimesSync(project.file("src/main.ts"), later, later);
    expect((await findings(project))[0]).toMatchObject({ code: "MP4020", message: expect.stringMatching(/^src\/main\.ts is newer/) });
    // So is what a task calls into, which the maps of chunks name.
    project.write("src/rate.ts", "export const rate = 3;\n");
    fs.utimesSync(project.file("src/rate.ts"), later, later);
    const map = `dist/parallel-chunks/${chunkFiles()[0]}.map`;
    project.write(map, project.read(map).replace("../../src/main.ts", "../../src/rate.ts"));
    expect((await findings(project))[0]).toMatchObject({ message: expect.stringMatching(/^src\/main\.ts, src\/rate\.ts are newer/) });
  });

  test("it was built by plain tsc", async () => {
    expect(await project.node(["node_modules/typescript/bin/tsc"])).toMatchObject({ code: 0 });
    expect(await findings(project)).toContainEqual(
      expect.objectContaining({ code: "MP4015", message: "dist/main.js has marked functions that were not transformed." }),
    );
  });

  test("printed for people: severity, code, what, where, fix; exit code 1", async () => {
    project.remove(`dist/parallel-chunks/${chunkFiles()[0]}`);
    const { code, stdout } = await project.makeparallel(["doctor"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /\nerror MP4018: A chunk is missing\n {2}dist\/parallel-chunks\/\w+\.json names [^\n]+\n {2}[^]*Fix: Build again\.\n[^]*1 error.*explain MP4018/,
    );
  });
});

describe("what is shipped", () => {
  const CJS = 'const __mp = require("makeparallel/internal");';
  const ESM = 'import * as __mp from "makeparallel/internal";';
  const PROGRAM = ["dist/main.js", CJS] as const;

  function shipping([name, text]: readonly [string, string], json: object, files: Record<string, string> = {}): string[] {
    const project = inlineProject({ "package.json": json, ...files });
    const chunks = ["dist/parallel-chunks/898c74212a.json", "dist/parallel-chunks/twice-3H6XDPXQ.cjs"].map((file) => project.file(file));
    const own = { folder: project.root, file: project.file("package.json"), json } as Parameters<typeof checkShipping>[1];
    const all = checkShipping([{ file: project.file(name), text, chunks }], own);
    for (const { code } of all) found.add(code);
    return all.map(({ code }) => code);
  }

  test.each([
    ["dist/main.js", CJS, { type: "module" }, ["MP4028"]],
    ["dist/main.cjs", CJS, { type: "module" }, []],
    ["dist/main.js", CJS, {}, []],
    ["dist/main.js", ESM, { type: "commonjs" }, ["MP4028"]],
    ["dist/main.mjs", ESM, { type: "commonjs" }, []],
    // Node looks at what it is.
    ["dist/main.js", ESM, {}, []],
    ["dist/main.js", ESM, { type: "module" }, []],
  ])("%s with %j, and package.json says %j", (name, text, json, expected) => {
    expect(shipping([name, text], json)).toEqual(expected);
  });

  test("the nearest package.json says the format", () => {
    expect(shipping(PROGRAM, { type: "module" }, { "dist/package.json": '{ "type": "commonjs" }' })).toEqual([]);
  });

  test.each([
    [["dist"], []],
    [["dist/**"], []],
    [["dist/*.js"], ["MP4029"]],
    [["dist/*.js", "./dist/parallel-chunks/"], []],
    [["dist/**/*.{js,json}"], ["MP4029"]],
    [["dist", "!dist/parallel-chunks"], ["MP4029"]],
    [["lib"], []],
  ])('"files": %j', (files, expected) => {
    expect(shipping(PROGRAM, { files })).toEqual(expected);
  });

  test.each([
    [".gitignore", "node_modules\ndist\n", []],
    [".gitignore", "# parallel-chunks\n*.map\n", []],
    [".gitignore", "parallel-chunks\n", ["MP4029"]],
    [".npmignore", "*.cjs\n", ["MP4029"]],
    // At the root only, here.
    [".dockerignore", "*.cjs\n", []],
    [".dockerignore", "*\n!dist/*.js\n", ["MP4029"]],
    [".dockerignore", "*\n!dist\n", []],
  ])("%s with %j", (file, text, expected) => {
    expect(shipping(PROGRAM, {}, { [file]: text })).toEqual(expected);
  });
});

test("the native backend is absent", async () => {
  const project = inlineProject(FILES, INSTALLED);
  const copy = project.file(".git/makeparallel");
  fs.mkdirSync(copy);
  for (const part of ["package.json", "dist/runtime-ts", "dist/transformer"])
    fs.cpSync(path.join(ROOT, part), path.join(copy, part), { recursive: true });
  fs.symlinkSync(path.join(ROOT, "node_modules"), path.join(copy, "node_modules"), "junction");
  const { stdout, code } = await runNode(path.join(copy, "dist/transformer/src/cli/main.js"), ["doctor", "--json"], { cwd: project.root });
  expect(JSON.parse(stdout)[0]).toMatchObject({ code: "MP4021", message: expect.stringMatching(/there is no binary for \S+-\S+/) });
  expect(code).toBe(0);
  found.add("MP4021");
});

test("a worktree or a submodule of git, where .git is a file", async () => {
  const project = inlineProject(FILES, INSTALLED);
  fs.rmSync(project.file(".git"), { recursive: true, force: true });
  fs.writeFileSync(project.file(".git"), "gitdir: ../elsewhere/.git/worktrees/here\n");
  expect(await codes(project)).toEqual([]);
});

describe("marks in output", () => {
  test.each([
    ['const { parallel } = require("makeparallel");\nexports.f = parallel(() => 1);'],
    ['const makeparallel_1 = require("makeparallel");\nexports.f = (0, makeparallel_1.parallel)(() => 1);'],
    ['var import_makeparallel = require("makeparallel");\nvar f = (0, import_makeparallel.parallel)(() => 1);'],
    ['import { parallel as task, gather } from "makeparallel";\nexport const f = task({ timeout: 1 }, () => 1);'],
    ['import * as mp from "makeparallel";\nexport const f = mp.parallel(() => 1);'],
    [
      'import { parallel } from "makeparallel";\n__decorate([\n    parallel,\n    __metadata("design:type", Function)\n], A.prototype, "m", null);',
    ],
    ['import { parallel } from "makeparallel";\nclass A { static { _m_decorators = [parallel]; } }'],
    ["/** Sums.\n * @parallel */\nexport async function f() {}"],
  ])("%j has one", (text) => {
    expect(hasMark(text)).toBe(true);
  });

  test.each([
    ['import { gather } from "makeparallel";\nconst parallel = 1;\ngather([]);'],
    ['import { parallel } from "async";\nparallel([() => 1]);'],
    ['import * as __mp from "makeparallel/internal";\nimport { AsyncHandle } from "makeparallel";\n__mp_m().wrapper("a", {})(undefined);'],
    ['import { AsyncHandle } from "makeparallel";\nconsole.log("parallel(", AsyncHandle);'],
    ['/** parallel */ const a = "@parallel"; function f() {}'],
  ])("%j has none", (text) => {
    expect(hasMark(text)).toBe(false);
  });
});

test("every code of the catalogue was met above", () => {
  expect(Object.keys(FINDINGS).filter((code) => !found.has(code))).toEqual([]);
});
