/**
 * `npm run test:matrix:vitest`: a project whose suite runs under vitest, with the plugin makeparallel/vite and the packed package, on each backend and in each of
 * vitest's pools.
 *
 * vitest is installed into a cache folder (`.tmp/vitest`), once, because nothing else here needs it. The project has to be built.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { root } from "./lib/project.mjs";

const VITEST = "4";
const RUNS = [
  { backend: "native", pool: "forks" },
  { backend: "typescript", pool: "threads" },
  { backend: "inline", pool: "forks" },
];
/** ms for one run. */
const LIMIT = 120_000;

const folder = path.join(root, ".tmp/vitest");
fs.mkdirSync(folder, { recursive: true });
install();
fs.cpSync(path.join(root, "fixtures/projects-hosts/vitest"), folder, { recursive: true });
const manifest = JSON.parse(fs.readFileSync(path.join(folder, "node_modules/vitest/package.json"), "utf8"));
const failed = RUNS.filter(({ backend, pool }) => {
  console.log(`\n━━ vitest ${manifest.version}, pool ${pool}, backend ${backend}`);
  const env = { ...process.env, MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "2" };
  const bin = path.join(folder, "node_modules/vitest", manifest.bin.vitest ?? manifest.bin);
  const { status, signal } = spawnSync(process.execPath, [bin, "run", "--pool", pool], {
    cwd: folder,
    env,
    stdio: "inherit",
    timeout: LIMIT,
  });
  if (signal) console.error(`It did not end by itself (${signal}).`);
  return status !== 0;
});
for (const { backend, pool } of failed) console.error(`FAILED: pool ${pool}, backend ${backend}`);
process.exit(failed.length === 0 ? 0 : 1);

/** vitest once; the package itself each time, since its tarball changes under the same name. */
function install() {
  const packed = npm(["pack", "--json", "--ignore-scripts", "--pack-destination", folder], root);
  const tarball = path.join(folder, JSON.parse(packed)[0].filename);
  const { devDependencies } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));
  const wanted = [`vitest@${VITEST}`, `vite@${devDependencies.vite}`, `typescript@${devDependencies.typescript}`];
  const mark = path.join(folder, "installed");
  if (!fs.existsSync(mark) || fs.readFileSync(mark, "utf8") !== wanted.join("\n")) {
    fs.rmSync(path.join(folder, "node_modules"), { recursive: true, force: true });
    fs.writeFileSync(
      path.join(folder, "package.json"),
      JSON.stringify({ name: "vitest-project", version: "1.0.0", private: true, type: "module" }),
    );
    npm(["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", ...wanted], folder);
    fs.writeFileSync(mark, wanted.join("\n"));
  }
  npm(["install", "--no-save", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", tarball], folder);
}

function npm(args, cwd) {
  const { status, stdout, stderr } = spawnSync("npm", args, { cwd, encoding: "utf8", shell: process.platform === "win32" });
  if (status !== 0) throw new Error(`npm ${args[0]} failed:\n${stderr}`);
  return stdout;
}
