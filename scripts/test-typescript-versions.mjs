/**
 * Tests the transformer with each TypeScript that it supports. Arguments: versions (`5.4`, `7.0`); default all.
 *
 * Each compiler, its ts-patch, and the Node that these need are installed into a cache folder (`.tmp/typescript-versions`), once. The project has to be built.
 * With TypeScript 7, which has no compiler API, a project that has nothing else installed is built as docs/typescript-versions.md says.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { binOf, root } from "./lib/project.mjs";

const VERSIONS = [
  { typescript: "5.4", tsPatch: "3" },
  { typescript: "5.5", tsPatch: "3" },
  { typescript: "5.6", tsPatch: "3" },
  { typescript: "5.7", tsPatch: "3" },
  { typescript: "5.8", tsPatch: "3" },
  { typescript: "5.9", tsPatch: "3" },
  { typescript: "6.0", tsPatch: "4", node: [22, 15] },
  { typescript: "7.0" },
];

/** What is run with each: types, all options of the compiler, project references, JSX, and the programs that use every construct. */
const TESTS = ["tests/types", "tests/hosts/options", "tests/hosts/project-references", "tests/hosts/jsx", "tests/adapters/exec"];
const NAMED = "^(?!.*(?:esbuild-|inline)).*$";

const cache = path.join(root, ".tmp/typescript-versions");
const asked = process.argv.slice(2);
const unknown = asked.filter((version) => !VERSIONS.some(({ typescript }) => typescript === version));
if (unknown.length > 0) {
  console.error(`Not a version of the matrix: ${unknown.join(", ")}. It has ${VERSIONS.map(({ typescript }) => typescript).join(", ")}.`);
  process.exit(1);
}

const results = [];
for (const version of VERSIONS) {
  if (asked.length > 0 && !asked.includes(version.typescript)) continue;
  console.log(`\n━━ TypeScript ${version.typescript}`);
  const passed = version.tsPatch ? testWithCompiler(version) : testWithoutApi(version);
  results.push([version.typescript, passed]);
}
console.log("");
for (const [version, passed] of results) console.log(`TypeScript ${version}: ${passed ? "passed" : "FAILED"}`);
process.exit(results.every(([, passed]) => passed) ? 0 : 1);

/** Installs packages into a folder of the cache, unless that has been done. */
function install(name, packages) {
  const folder = path.join(cache, name);
  const mark = path.join(folder, "installed");
  const wanted = packages.join("\n");
  if (fs.existsSync(mark) && fs.readFileSync(mark, "utf8") === wanted) return folder;
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, "package.json"), JSON.stringify({ name, version: "1.0.0", private: true, type: "module" }));
  const status = runIn(folder, "npm", ["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", ...packages]);
  if (status !== 0) throw new Error(`npm could not install ${packages.join(", ")}.`);
  fs.writeFileSync(mark, wanted);
  return folder;
}

/** A Node that is new enough: this one, or one from the registry. */
function nodeFor(least) {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (!least || major > least[0] || (major === least[0] && minor >= least[1])) return process.execPath;
  const platform = process.platform === "win32" ? "win" : process.platform;
  const name = `node-${platform}-${process.arch}`;
  const folder = install(`node-${least[0]}`, [`${name}@^${least.join(".")}.0`]);
  return path.join(folder, "node_modules", name, "bin", process.platform === "win32" ? "node.exe" : "node");
}

function testWithCompiler({ typescript, tsPatch, node }) {
  const folder = install(`typescript-${typescript}`, [`typescript@~${typescript}.0`, `ts-patch@^${tsPatch}`]);
  const env = {
    MAKEPARALLEL_TEST_TYPESCRIPT: path.join(folder, "node_modules/typescript"),
    MAKEPARALLEL_TEST_TS_PATCH: path.join(folder, "node_modules/ts-patch"),
  };
  return runIn(root, nodeFor(node), [binOf("jest"), "--testNamePattern", NAMED, ...TESTS], env) === 0;
}

/** The packed package beside TypeScript 7 and esbuild, and nothing else: types are checked by `tsc`, JavaScript is written by esbuild. */
function testWithoutApi({ typescript }) {
  fs.mkdirSync(cache, { recursive: true });
  const packed = spawnSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", cache], { cwd: root, encoding: "utf8" });
  if (packed.status !== 0) throw new Error(packed.stderr);
  const tarball = path.join(cache, JSON.parse(packed.stdout)[0].filename);
  const { devDependencies, dependencies } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));
  const name = `typescript-${typescript}`;
  // The tarball's name stays the same when it changes.
  fs.rmSync(path.join(cache, name), { recursive: true, force: true });
  const node = `@types/node@${devDependencies["@types/node"]}`;
  const folder = install(name, [tarball, `typescript@~${typescript}.0`, `esbuild@${dependencies.esbuild}`, node]);
  fs.cpSync(path.join(root, "fixtures/projects-hosts/typescript-7"), folder, { recursive: true });
  const apis = fs.readdirSync(path.join(folder, "node_modules/@typescript")).filter((entry) => !/^typescript-/.test(entry));
  if (apis.length > 0) throw new Error(`A compiler API was installed along: ${apis.join(", ")}`);
  const steps = [
    [path.join("node_modules", "typescript", "bin", "tsc"), "-p", ".", "--noEmit"],
    ["esbuild.mjs"],
    ...["native", "typescript"].map((backend) => ["dist/main.js", backend]),
  ];
  const built = steps.every(([file, ...args]) => {
    const backend = file === "dist/main.js" ? args[0] : undefined;
    return runIn(folder, process.execPath, [file, ...args], backend ? { MAKEPARALLEL_BACKEND: backend } : {}) === 0;
  });
  return built && isSetUpByInit(folder);
}

/** The same project before it was set up: `doctor` says what is wrong, `init` mends it, what `npm run build` then makes runs, and `doctor` is content. */
function isSetUpByInit(folder) {
  for (const name of ["esbuild.mjs", "dist"]) fs.rmSync(path.join(folder, name), { recursive: true, force: true });
  const manifest = path.join(folder, "package.json");
  fs.writeFileSync(manifest, JSON.stringify({ ...JSON.parse(fs.readFileSync(manifest, "utf8")), scripts: { build: "tsc" } }, null, 2));
  const main = path.join("node_modules", "makeparallel", "dist", "transformer", "src", "cli", "main.js");
  const cli = (...args) => spawnSync(process.execPath, [main, ...args], { cwd: folder, encoding: "utf8" });
  const before = cli("doctor");
  const init = cli("init", "--no-install");
  const steps = [
    ["doctor names MP4007", before.status === 1 && before.stdout.includes("MP4007")],
    ["init sets esbuild up", init.status === 0 && fs.existsSync(path.join(folder, "esbuild.mjs"))],
    ["init has nothing left to do", cli("init", "--no-install").stdout.includes("Nothing to change")],
    ["npm run build", runIn(folder, "npm", ["run", "build"]) === 0],
    ["the program runs", runIn(folder, process.execPath, ["dist/main.js", "native"], { MAKEPARALLEL_BACKEND: "native" }) === 0],
    ["doctor is content", cli("doctor").status === 0],
  ];
  for (const [step, passed] of steps) if (!passed) console.error(`Failed: ${step}\n${before.stdout}${init.stdout}${init.stderr}`);
  return steps.every(([, passed]) => passed);
}

function runIn(cwd, command, args, env = {}) {
  const shell = process.platform === "win32" && command === "npm";
  const { status, error } = spawnSync(command, args, { cwd, env: { ...process.env, ...env }, stdio: "inherit", shell });
  if (error) throw error;
  return status;
}
