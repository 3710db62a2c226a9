/**
 * The project that builds are measured on: the sources of viem, 1,494 files, in a folder of the benchmark's own.
 *
 * The package comes from the npm registry, pinned by a lock file; nothing of it is part of an install of this repository.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { benchmarkFolder } from "../lib/folders.mjs";

const repository = path.resolve(benchmarkFolder, "..");
const locked = path.join(benchmarkFolder, "builds", "project");
const cache = path.join(benchmarkFolder, ".cache");

const compilerOptions = {
  target: "ES2022",
  module: "NodeNext",
  lib: ["ES2023", "DOM", "DOM.Iterable"],
  types: ["node"],
  strict: true,
  skipLibCheck: true,
  // Checking the types of this project takes minutes, the same with and without the plugin, beside which any plugin's time would vanish.
  noCheck: true,
  isolatedModules: true,
  verbatimModuleSyntax: true,
  sourceMap: true,
  rootDir: "src",
};

/**
 * Makes the project afresh.
 * @param name folder of the project, among others
 * @returns `{ root, files, write, tasks }`: its folder, how many source files it has, and what changes it
 */
export function makeProject(name) {
  const packages = install();
  const root = path.join(cache, name);
  fs.rmSync(root, { recursive: true, force: true });
  const files = copySources(path.join(packages, "viem"), path.join(root, "src"));
  fs.writeFileSync(path.join(root, "package.json"), `${JSON.stringify({ name: "project", version: "1.0.0", type: "module" })}\n`);
  link(packages, path.join(root, "node_modules"));
  const write = (file, text) => {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), text);
  };
  const config = (plugins, outDir) => `${JSON.stringify({ compilerOptions: { ...compilerOptions, outDir, plugins }, include: ["src"] })}\n`;
  write("tsconfig.plain.json", config([], "dist/plain"));
  write("tsconfig.ours.json", config([{ transform: "makeparallel/transformer" }], "dist/ours"));
  const { exports } = JSON.parse(fs.readFileSync(path.join(packages, "viem", "package.json"), "utf8"));
  const entries = Object.values(exports).flatMap((target) => target.import?.replace(/^\.\/_esm\//, "./") ?? []);
  const main = entries.map((entry, index) => `export * as part${index} from ${JSON.stringify(entry)};`);
  const project = { root, files: files.length, write, tasks: [] };
  write("src/main.ts", `${main.join("\n")}\n`);
  project.mark = (count) => markFunctions(project, files, main, count);
  return project;
}

/** Installs the pinned packages, if they are not there. */
function install() {
  const folder = path.join(cache, "packages");
  const lock = fs.readFileSync(path.join(locked, "package-lock.json"), "utf8");
  const done = path.join(folder, "installed.json");
  if (!fs.existsSync(done) || fs.readFileSync(done, "utf8") !== lock) {
    fs.mkdirSync(folder, { recursive: true });
    for (const file of ["package.json", "package-lock.json"]) fs.copyFileSync(path.join(locked, file), path.join(folder, file));
    console.log("Installing the project that is built (viem) …");
    const { status, error } = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"],
      shell: process.platform === "win32",
    });
    if (status !== 0) throw new Error("viem could not be installed from the npm registry.", { cause: error });
    fs.writeFileSync(done, lock);
  }
  return path.join(folder, "node_modules");
}

function copySources(from, to) {
  const files = [];
  for (const entry of fs.readdirSync(from, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    const relative = path.relative(from, file);
    // Folders with an underscore hold what was built of them.
    if (!entry.isFile() || !/\.ts$/.test(entry.name) || /\.d\.ts$/.test(entry.name) || /^_|node_modules/.test(relative)) continue;
    fs.mkdirSync(path.dirname(path.join(to, relative)), { recursive: true });
    fs.copyFileSync(file, path.join(to, relative));
    files.push(relative.split(path.sep).join("/"));
  }
  return files.sort();
}

function link(packages, to) {
  fs.mkdirSync(to, { recursive: true });
  for (const name of fs.readdirSync(packages)) {
    if (!name.startsWith(".") && name !== "viem") fs.symlinkSync(path.join(packages, name), path.join(to, name), "junction");
  }
  for (const name of ["esbuild", "typescript", "ts-patch", "@types"])
    fs.symlinkSync(path.join(repository, "node_modules", name), path.join(to, name), "junction");
  fs.symlinkSync(repository, path.join(to, "makeparallel"), "junction");
}

/**
 * Marks functions: each of the project's exported functions in turn gets a module that wraps it, as a program would that moves work of a library to
 * the workers. The tasks' slices are whatever of the library the functions reach.
 */
function markFunctions(project, files, main, count) {
  const functions = files
    .filter((file) => file.startsWith("utils/"))
    .flatMap((file) => {
      const text = fs.readFileSync(path.join(project.root, "src", file), "utf8");
      return [...text.matchAll(/^export (?:async )?function (\w+)/gm)].map(([, name]) => ({ file, name }));
    })
    .filter(({ name }, index, all) => all.findIndex((other) => other.name === name) === index);
  const tasks = Array.from({ length: count }, (_, index) => ({
    ...functions[index % functions.length],
    module: `tasks/task${index}.ts`,
    index,
  }));
  for (const { file, name, module, index } of tasks) project.write(`src/${module}`, taskText({ file, name, index }));
  const all = tasks.map(({ index }) => `export * from "./tasks/task${index}.js";`);
  project.write("src/main.ts", `${[...main, ...all].join("\n")}\n`);
  project.tasks = tasks;
}

/** @param edit counts edits: each gives the task another body */
export function taskText({ file, name, index }, edit = 0) {
  return `import { parallel } from "makeparallel";
import { ${name} } from "../${file.replace(/\.ts$/, ".js")}";

export const task${index} = parallel((...args: Parameters<typeof ${name}>) => {
  const edit = ${edit};
  return edit < 0 ? undefined : ${name}(...args);
});
`;
}
