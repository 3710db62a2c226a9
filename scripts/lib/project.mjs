/** What the scripts share: where the project is, how a child program is run, and whether Rust is there. */
import { spawn, spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** Absolute path of the repository's root. */
export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");

export const require = createRequire(path.join(root, "package.json"));

/**
 * Absolute path of a program that an installed package brings (`tsc`, `jest`, …), to be run with `node`.
 * @throws Error when the package has no such program
 */
export function binOf(packageName, bin = packageName) {
  const manifestFile = path.join(root, "node_modules", packageName, "package.json");
  const manifest = require(manifestFile);
  const relative = typeof manifest.bin === "string" ? manifest.bin : manifest.bin?.[bin];
  if (!relative) throw new Error(`${packageName} has no program ${bin}`);
  return path.join(path.dirname(manifestFile), relative);
}

/**
 * Runs a program with this process's terminal and waits for its end.
 * @param options `cwd` (default: the root), `env` (added to this process's), `allowFailure`: give the status back instead of ending this process
 * @returns the exit status
 */
export function run(command, args, { cwd = root, env = {}, allowFailure = false } = {}) {
  const result = spawnSync(command, args, { cwd, env: { ...process.env, ...env }, stdio: "inherit" });
  if (result.error) throw result.error;
  const status = result.status ?? 1;
  if (status !== 0 && !allowFailure) {
    console.error(
      `\n${path.basename(command)} ${args.map((arg) => path.relative(root, arg) || arg).join(" ")} failed (${result.signal ?? status}).`,
    );
    process.exit(status);
  }
  return status;
}

/** Runs a Node program: see {@link run}. */
export function runNode(args, options) {
  return run(process.execPath, args, options);
}

/**
 * Runs a program beside others: what it prints comes when it has ended.
 * @returns `output`, of both streams, and `problem`: how it failed, else empty
 */
export function runBeside(command, args) {
  return new Promise((resolve) => {
    let output = "";
    const child = spawn(command, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
    child.on("error", (error) => resolve({ output, problem: error.message }));
    child.on("close", (code, signal) => resolve({ output, problem: code === 0 ? "" : `It failed (${signal ?? code}).` }));
  });
}

/** True if `cargo` can be run. */
export function hasCargo() {
  return spawnSync("cargo", ["--version"], { stdio: "ignore" }).status === 0;
}

/** Says in one line that a step was left out for want of Rust. */
export function sayNoCargo(step) {
  console.log(`cargo is not on the PATH: skipping ${step}; makeparallel runs on its TypeScript backend.`);
}
