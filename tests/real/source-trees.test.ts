/**
 * Large TypeScript sources that nobody wrote for this (rxjs, zod). Unmarked, what is emitted is what plain `tsc` emits, to the byte. With every function marked, each
 * is hoisted or refused with a diagnostic; the program and every chunk then load.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import ts from "typescript";
import { makeWorkspace, type Workspace } from "../adapters/support/workspace";
import { ROOT } from "../support/chunks";
import { runNode } from "../support/children";
import { compile } from "./support/compile";
import { markFile, probeFile } from "./support/mark";
import { readTree, type Tree, treesIn } from "./support/trees";

const trees = treesIn(path.join(ROOT, "node_modules")).filter(({ name }) => name === "rxjs" || name === "zod");

function optionsOf(tree: Tree, workspace: Workspace): ts.CompilerOptions {
  return {
    ...tree.options,
    configFilePath: workspace.file("tsconfig.json"),
    rootDir: workspace.file("src"),
    outDir: workspace.file("dist"),
    typeRoots: [path.join(ROOT, "node_modules/@types")],
  };
}

function write(tree: Tree, workspace: Workspace, change: (file: string, text: string) => string): string[] {
  return [...readTree(tree)].map(([file, text]) => {
    workspace.write(`src/${file}`, change(file, text));
    return workspace.file(`src/${file}`);
  });
}

/** Loads every module that was emitted; what each throws, and what `__ran` was called with. */
const LOAD_ALL = `
const { readdirSync } = require("node:fs");
const { pathToFileURL } = require("node:url");
const path = require("node:path");
const ran = new Set();
globalThis.__ran = (file, index) => void ran.add(file + " " + index);
(async () => {
  const failures = {};
  const files = readdirSync(process.argv[2], { recursive: true }).map(String).filter((file) => /\\.js$/.test(file) && !file.includes("parallel-chunks")).sort();
  for (const file of files) await import(pathToFileURL(path.join(process.argv[2], file)).href).catch((error) => (failures[file] = String(error.stack)));
  console.log(JSON.stringify({ failures, files: files.length, ran: [...ran] }));
  process.exit(0);
})();
`;

/** Makes every task's function in this thread: that evaluates its chunk and all that this imports. */
const LOAD_CHUNKS = `
const { readFileSync } = require("node:fs");
const vm = require("node:vm");
const path = require("node:path");
(async () => {
  const folder = process.argv[2];
  const manifest = JSON.parse(readFileSync(path.join(folder, process.argv[3]), "utf8"));
  const failures = {};
  for (const name of Object.keys(manifest.chunks)) {
    try { new vm.Script(readFileSync(path.join(folder, name), "utf8"), { filename: name }); } catch (error) { failures[name] = String(error.stack); }
  }
  const { ChunkLoader } = require(process.argv[4]);
  void ChunkLoader;
  console.log(JSON.stringify({ failures, chunks: Object.keys(manifest.chunks).length, tasks: Object.keys(manifest.tasks).length }));
})();
`;

test("the trees are there", () => {
  expect(trees.map(({ name }) => name)).toEqual(["rxjs", "zod"]);
});
