/**
 * Options of the compiler: one program, built by `tspc` under each of them and run on each backend with workers; what it prints is always the same.
 *
 * All of them are one `tspc -b`, so the compiler starts once.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { ROOT } from "../support/chunks";
import { typescriptIs } from "../support/typescript";
import { makeWorkspace } from "../adapters/support/workspace";
import { buildAll, folderOf, onEach, type Results, runAll, writePackage } from "./support/solution";

const FIXTURE = path.join(ROOT, "fixtures", "projects-hosts", "options");

const EXPECTED = {
  areas: [0, 9],
  grown: [true, 9, false],
  spread: { b: 2, sum: 8 },
  packages: ["a/b", "bus"],
  levels: [10, 40],
  scaled: [8, 12],
  counted: 21,
  streamed: [0, 1, 2],
  processed: [3, 5],
  described: "processor unit",
};

interface Variant {
  options: object;
  /** `type` in package.json; default `commonjs`. */
  type?: "module" | "commonjs";
  /** New extensions of the files, and of what they import. */
  extensions?: [source: string, output: string];
  /** The TypeScript that brought it. */
  since?: [major: number, minor: number];
  /** The emitted program, relative to the variant's folder. */
  output?: string;
}

/** Still there in 6.x, on request. */
const deprecated = typescriptIs(6) ? { ignoreDeprecations: "6.0" } : {};
const node10 = { module: "CommonJS", moduleResolution: "Node10", ...deprecated };
const esnext = { module: "ESNext", moduleResolution: "Bundler" };

const all: Record<string, Variant> = {
  "module Node16, CommonJS": { options: {} },
  "module Node16, ES modules": { options: {}, type: "module" },
  "module NodeNext, .mts": {
    options: { module: "NodeNext", moduleResolution: "NodeNext" },
    extensions: ["mts", "mjs"],
    output: "dist/main.mjs",
  },
  "module NodeNext, .cts": {
    options: { module: "NodeNext", moduleResolution: "NodeNext" },
    type: "module",
    extensions: ["cts", "cjs"],
    output: "dist/main.cjs",
  },
  "module Preserve": { options: { module: "Preserve", moduleResolution: "Bundler" }, type: "module" },
  "module ESNext": { options: esnext, type: "module" },
  "module CommonJS": { options: node10 },
  "esModuleInterop off": { options: { ...node10, esModuleInterop: false } },
  "esModuleInterop on": { options: { ...node10, esModuleInterop: true } },
  "moduleDetection force": { options: { ...node10, moduleDetection: "force" } },
  "moduleDetection legacy": { options: { ...node10, moduleDetection: "legacy" } },
  isolatedModules: { options: { isolatedModules: true } },
  verbatimModuleSyntax: { options: { verbatimModuleSyntax: true }, type: "module" },
  "importHelpers, ES2017, CommonJS": { options: { ...node10, target: "ES2017", importHelpers: true } },
  "importHelpers, ES2017, ES modules": { options: { target: "ES2017", importHelpers: true }, type: "module" },
  "target ES2015": { options: { target: "ES2015" } },
  "target ES2018": { options: { target: "ES2018" } },
  "target ES2021": { options: { target: "ES2021" } },
  "target ESNext": { options: { target: "ESNext" }, type: "module" },
  "useDefineForClassFields on, ES2021": { options: { target: "ES2021", useDefineForClassFields: true } },
  "useDefineForClassFields off, ES2022": { options: { useDefineForClassFields: false } },
  experimentalDecorators: { options: { experimentalDecorators: true } },
  "experimentalDecorators with metadata, ES2017": {
    options: { target: "ES2017", experimentalDecorators: true, emitDecoratorMetadata: true },
    type: "module",
  },
  inlineSourceMap: { options: { inlineSourceMap: true, inlineSources: true } },
  "sourceMap with sourceRoot": { options: { sourceMap: true, sourceRoot: "../src", inlineSources: true } },
  "removeComments, preserveConstEnums": { options: { removeComments: true, preserveConstEnums: true } },
  "newLine CRLF, stripInternal": { options: { newLine: "crlf", stripInternal: true, declaration: true } },
  "declaration, declarationMap": { options: { declaration: true, declarationMap: true, sourceMap: true } },
  // 6.0 insists on it where there is an outDir.
  ...(typescriptIs(6) ? {} : { "no rootDir": { options: { rootDir: undefined } } }),
  "rootDir above src": { options: { rootDir: "." }, output: "dist/src/main.js" },
  "no outDir": { options: { rootDir: undefined, outDir: undefined }, output: "src/main.js" },
  declarationDir: { options: { declaration: true, declarationDir: "types" } },
  rewriteRelativeImportExtensions: {
    since: [5, 7],
    options: { rewriteRelativeImportExtensions: true, allowImportingTsExtensions: true },
    extensions: ["ts", "ts"],
    type: "module",
  },
};

const variants = Object.fromEntries(Object.entries(all).filter(([, { since = [5, 0] }]) => typescriptIs(...since)));

function sources([source, output]: [string, string]): Record<string, string> {
  const files: Record<string, string> = {};
  for (const file of fs.readdirSync(FIXTURE)) {
    const text = fs.readFileSync(path.join(FIXTURE, file), "utf8").replace(/(from "\.\/\w+\.)js"/g, `$1${output}"`);
    files[`src/${file.replace(/ts$/, source)}`] = text;
  }
  return files;
}

describe("one program under many options", () => {
  let printed: Results;

  beforeAll(async () => {
    const workspace = makeWorkspace("hosts-options", { "package.json": { name: "options", private: true } });
    fs.symlinkSync(path.join(ROOT, "node_modules", "tslib"), workspace.file("node_modules/tslib"), "junction");
    const outputs: Record<string, string> = {};
    for (const [title, { options, type, extensions = ["ts", "js"], output = "dist/main.js" }] of Object.entries(variants)) {
      writePackage(workspace, title, options, sources(extensions), type);
      outputs[title] = `${folderOf(title)}/${output}`;
    }
    await buildAll(workspace, Object.keys(variants));
    printed = await runAll(workspace, outputs);
  }, 240_000);

  test.each(Object.keys(variants))("%s", (title) => {
    expect(printed[title]).toEqual(onEach({ ...EXPECTED, fields: expect.arrayContaining(["factor", "kind"]) as unknown }));
  });
});
