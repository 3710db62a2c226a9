/** Programs in other languages that a scenario is compared with: built when their toolchain is there, in no other case. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { benchmarkFolder, buildFolder } from "./folders.mjs";

const sources = path.join(benchmarkFolder, "other");
const suffix = process.platform === "win32" ? ".exe" : "";

const programs = {
  go: {
    file: path.join(buildFolder, `go-fork-join${suffix}`),
    command: ["go", "build", "-o", path.join(buildFolder, `go-fork-join${suffix}`), "."],
  },
  rayon: {
    file: path.join(buildFolder, "rayon", "release", `fork-join${suffix}`),
    command: ["cargo", "build", "--release", "--target-dir", path.join(buildFolder, "rayon")],
  },
};

/** Builds all of them; says which can't be. */
export function buildOtherLanguages() {
  for (const [name, { file, command }] of Object.entries(programs)) {
    fs.rmSync(file, { force: true });
    const [tool, ...rest] = command;
    const { error, status, stderr } = spawnSync(tool, rest, { cwd: path.join(sources, name), encoding: "utf8" });
    if (error !== undefined) console.log(`Without ${name}: ${tool} is not installed here.`);
    else if (status !== 0) console.log(`Without ${name}: ${stderr.trim().split("\n").pop()}`);
  }
}

/**
 * Runs one of them.
 * @returns the number that it prints
 * @throws Error when it could not be built here
 */
export function runOtherLanguage(name, ...args) {
  const { file } = programs[name];
  if (!fs.existsSync(file)) throw new Error(`there is no ${name} program: its toolchain is not installed here, or it could not be built`);
  const { status, stdout, stderr } = spawnSync(file, args.map(String), { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return Number(stdout);
}
