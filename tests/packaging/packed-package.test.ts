import fs from "node:fs";
import path from "node:path";
import {
  hasNativeBinary,
  linkPackage,
  makeProject,
  pack,
  root,
  runNode,
  temporaryFolder,
  tsc,
  tspc,
  type Packed,
} from "./package-under-test";

const program = `
import { parallel, stats } from "makeparallel";

const square = parallel((n: number) => n * n);

class Counter {
  constructor(private step: number) {}
  @parallel async count(times: number): Promise<number> { return this.step * times; }
}

/** @parallel */
async function shout(text: string): Promise<string> { return text.toUpperCase(); }

async function main(): Promise<void> {
  console.log(square(7).get(), await new Counter(3).count(5), await shout("done"), stats().backend);
}
void main();
`;

const tsconfig = (compilerOptions: object) =>
  JSON.stringify({
    compilerOptions: {
      target: "ES2022",
      strict: true,
      types: ["node"],
      outDir: "out",
      rootDir: "src",
      skipLibCheck: false,
      // The language's own say nothing about the package, and take a third of the time.
      skipDefaultLibCheck: true,
      ...compilerOptions,
    },
    include: ["src"],
  });

const plugins = [{ transform: "makeparallel/transformer" }];

const esbuildScript = (format: string) => `
import * as esbuild from "esbuild";
import makeparallel from "makeparallel/esbuild";
await esbuild.build({ entryPoints: ["src/main.ts"], bundle: true, platform: "node", format: "${format}", outdir: "out", logLevel: "warning",
  outExtension: { ".js": "${format === "esm" ? ".mjs" : ".cjs"}" }, plugins: [makeparallel()] });
`;

describe("the packed package", () => {
  const folder = temporaryFolder();
  let packed: Packed;

  beforeAll(() => {
    packed = pack(folder);
  });

  test("holds what package.json names, and no sources, tests or build notes", () => {
    const { exports } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8")) as { exports: Record<string, unknown> };
    const named = JSON.stringify(exports).match(/\.\/[^"]+\.(?:m?js|json|d\.m?ts)(?=")/g) ?? [];
    expect(named.length).toBeGreaterThan(10);
    for (const file of named) expect(packed.files).toContain(file.slice(2));
    expect(packed.files).toEqual(expect.arrayContaining(["LICENSE", "README.md", "CHANGELOG.md"]));
    const own = packed.files.filter((file) => !file.startsWith("examples/"));
    expect(own.filter((file) => /tsbuildinfo|(?<!\.d)\.ts$|\.test\.|^scripts\/|^tests\//.test(file))).toEqual([]);
  });

  test("holds every page that one of its pages links to, so that the README can be followed where it is installed", () => {
    const pages = packed.files.filter((file) => file.endsWith(".md"));
    const links = pages.flatMap((page) => {
      const text = fs.readFileSync(path.join(root, page), "utf8").replace(/^```[^]*?^```/gm, "");
      return [...text.matchAll(/\]\((?![a-z]+:|#)([^)#\s]+)/g)].map(([, target]) => path.posix.join(path.posix.dirname(page), target!));
    });
    expect(links.length).toBeGreaterThan(25);
    const dead = links.filter((target) => !packed.files.some((file) => file === target || file.startsWith(`${target}/`)));
    expect(dead).toEqual([]);
    // The example is whole, and nothing that was built in its folder comes along.
    const example = packed.files.filter((file) => file.startsWith("examples/"));
    expect(example).toEqual(expect.arrayContaining(["examples/package-report/package.json", "examples/package-report/src/main.ts"]));
    expect(example.filter((file) => !/^examples\/package-report\/(?:src\/.*\.ts|[\w.]+)$/.test(file))).toEqual([]);
  });

  test("its declarations show no member that is not for users", () => {
    const shown = packed.files.filter(
      (file) => file.endsWith(".d.ts") && fs.readFileSync(path.join(root, file), "utf8").includes("@internal"),
    );
    expect(shown).toEqual([]);
  });

  test("has no install script, and holds the native binary when this checkout has built one", () => {
    const { scripts } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8")) as { scripts: Record<string, string> };
    expect(Object.keys(scripts).filter((name) => /^(?:pre|post)?install$|^prepare$/.test(name))).toEqual([]);
    const built =
      fs.existsSync(path.join(root, "dist/native")) &&
      fs.readdirSync(path.join(root, "dist/native")).some((file) => file.endsWith(".node"));
    expect(hasNativeBinary(packed.files)).toBe(built);
  });

  const backends = () => (hasNativeBinary(packed.files) ? ["native", "typescript", "inline"] : ["typescript", "inline"]);

  function expectItRuns(project: string, file: string): void {
    for (const backend of backends()) {
      const run = runNode(project, [file], { MAKEPARALLEL_BACKEND: backend });
      expect(run).toEqual({ status: 0, stdout: `49 15 DONE ${backend}\n`, stderr: "" });
    }
    // Without being told, it takes the best one that it has.
    expect(runNode(project, [file]).stdout).toBe(`49 15 DONE ${backends()[0]}\n`);
  }

  test.each([
    ["CommonJS", "commonjs"],
    ["ES modules", "module"],
  ])("works in a project built by tspc, %s", (_, type) => {
    const project = makeProject(path.join(folder, `tspc-${type}`), packed.tarball, {
      "package.json": JSON.stringify({ name: "uses-it", type }),
      "tsconfig.json": tsconfig({ module: "NodeNext", plugins }),
      "src/main.ts": program,
    });
    expect(runNode(project, [tspc])).toEqual({ status: 0, stdout: "", stderr: "" });
    expectItRuns(project, "out/main.js");
  });

  test.each([
    ["cjs", "out/main.cjs"],
    ["esm", "out/main.mjs"],
  ])("works in a project built by esbuild, %s", (format, file) => {
    const project = makeProject(path.join(folder, `esbuild-${format}`), packed.tarball, {
      "package.json": JSON.stringify({ name: "uses-it", type: "commonjs" }),
      "build.mjs": esbuildScript(format),
      "src/main.ts": program,
    });
    expect(runNode(project, ["build.mjs"])).toEqual({ status: 0, stdout: "", stderr: "" });
    expectItRuns(project, file);
  });

  test("says so when a bundler has put it into the program", () => {
    const project = makeProject(path.join(folder, "bundled"), packed.tarball, {
      "package.json": JSON.stringify({ name: "uses-it", type: "commonjs" }),
      "tsconfig.json": tsconfig({ module: "CommonJS", plugins }),
      "src/main.ts": program,
      "bundle.mjs": `
        import * as esbuild from "esbuild";
        await esbuild.build({ entryPoints: ["out/main.js"], bundle: true, platform: "node", outfile: "out/all.js", logLevel: "silent" });
      `,
    });
    expect(runNode(project, [tspc])).toEqual({ status: 0, stdout: "", stderr: "" });
    expect(runNode(project, ["bundle.mjs"])).toEqual({ status: 0, stdout: "", stderr: "" });
    const run = runNode(project, ["out/all.js"]);
    expect(run.stderr).toMatch(/ParallelError: square: makeparallel has been bundled into the program \(in .*out\), where its workers/);
    expect(run.stderr).not.toMatch(/native backend is not available/);
  });

  test("is one instance in a process, however it is loaded", () => {
    const project = makeProject(path.join(folder, "instances"), packed.tarball, {
      "main.mjs": `
        import { createRequire } from "node:module";
        import * as esm from "makeparallel";
        import * as internal from "makeparallel/internal";
        import plugin from "makeparallel/esbuild";
        const require = createRequire(import.meta.url);
        const cjs = require("makeparallel");
        const names = Object.keys(cjs).filter((name) => name !== "__esModule");
        const missing = names.filter((name) => esm[name] !== cjs[name]);
        console.log(names.length > 20, missing.length, internal.module === require("makeparallel/internal").module, plugin === require("makeparallel/esbuild").default);
      `,
    });
    expect(runNode(project, ["main.mjs"])).toEqual({ status: 0, stdout: "true 0 true true\n", stderr: "" });
  });

  test.each([
    ["Node16 from an ES module", { module: "Node16" }, "main.mts"],
    ["Node16 from CommonJS", { module: "Node16" }, "main.cts"],
    ["bundler", { module: "ESNext", moduleResolution: "bundler" }, "main.ts"],
    // As TypeScript 6 has it where nothing else is said.
    ["no types named", { module: "NodeNext", types: [] }, "main.ts"],
    ["node10", { module: "CommonJS", moduleResolution: "node10", esModuleInterop: true }, "main.ts"],
  ])("has types that plain tsc resolves: %s", (name, options, file) => {
    // The transformer's are once enough: they bring TypeScript's own along, which take long to check.
    const project = makeProject(path.join(folder, `types-${name.replaceAll(" ", "-")}`), packed.tarball, {
      "package.json": JSON.stringify({ name: "uses-it" }),
      "tsconfig.json": tsconfig({ ...options, noEmit: true }),
      [`src/${file}`]: `
        import { AsyncHandle, parallel } from "makeparallel";
        import makeparallel from "makeparallel/esbuild";
        import vite, { type RollupPlugin } from "makeparallel/vite";
        import rollup from "makeparallel/rollup";
        import rolldown from "makeparallel/rolldown";
        import webpack, { type WebpackPlugin } from "makeparallel/webpack";
        import rspack, { type UnpluginOptions } from "makeparallel/rspack";
        ${name === "bundler" ? 'import transformer from "makeparallel/transformer";' : "const transformer = {};"}
        import jest from "makeparallel/jest";
        import preset from "makeparallel/jest-preset";
        import "makeparallel/register";
        const options: UnpluginOptions = { packages: "bundle", external: ["a"] };
        export const plugins: RollupPlugin[] = [vite(options), rollup(), rolldown()];
        export const compilerPlugins: WebpackPlugin[] = [webpack(options), rspack()];
        export const others: object[] = [transformer, jest, preset];
        const f = parallel((n: number, text: string) => [text.repeat(n)]);
        export const handle: AsyncHandle<string[]> = f(2, "a");
        // @ts-expect-error: an argument of the wrong type
        f("2", "a");
        export const name: string = makeparallel().name;
      `,
    });
    expect(runNode(project, [tsc, "-p", "."])).toEqual({ status: 0, stdout: "", stderr: "" });
  });

  test("its plugins are what the bundlers' own types ask for", () => {
    const project = makeProject(path.join(folder, "types-plugins"), packed.tarball, {
      "package.json": JSON.stringify({ name: "uses-it", type: "module" }),
      // The bundlers' own declarations do not pass without it.
      "tsconfig.json": tsconfig({ module: "NodeNext", lib: ["ES2022", "DOM", "ESNext.Disposable"], noEmit: true, skipLibCheck: true }),
      "src/main.ts": `
        import esbuild from "makeparallel/esbuild";
        import vite from "makeparallel/vite";
        import rollup from "makeparallel/rollup";
        import rolldown from "makeparallel/rolldown";
        import webpack from "makeparallel/webpack";
        import rspack from "makeparallel/rspack";
        export const forEsbuild: import("esbuild").BuildOptions = { plugins: [esbuild()] };
        export const forVite: import("vite").UserConfig = { plugins: [vite()] };
        export const forRollup: import("rollup").RollupOptions = { plugins: [rollup()] };
        export const forRolldown: import("rolldown").RolldownOptions = { plugins: [rolldown()] };
        export const forWebpack: import("webpack").Configuration = { plugins: [webpack()] };
        export const forRspack: import("@rspack/core").Configuration = { plugins: [rspack()] };
      `,
    });
    for (const name of ["vite", "rollup", "rolldown", "webpack", "@rspack/core"]) linkPackage(project, name);
    expect(runNode(project, [tsc, "-p", "."])).toEqual({ status: 0, stdout: "", stderr: "" });
  });
});
