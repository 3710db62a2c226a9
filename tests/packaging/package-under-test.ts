/** Packs the built package as `npm publish` would, and sets projects up that use it. */
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

export const root = path.resolve(__dirname, "../..");

/** A folder of its own, with links resolved, removed when the test file ends. */
export function temporaryFolder(): string {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "makeparallel-test-")));
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Packed {
  tarball: string;
  files: string[];
}

/** Runs `npm pack` in this checkout. */
export function pack(folder: string): Packed {
  const output = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], { cwd: root, encoding: "utf8" });
  const [{ filename, files }] = JSON.parse(output) as [{ filename: string; files: { path: string }[] }];
  return { tarball: path.join(folder, filename), files: files.map((file) => file.path) };
}

/** Links a package and what it depends on from this checkout's node_modules, as an installation would bring them. */
export function linkPackage(project: string, name: string): void {
  const target = path.join(project, "node_modules", name);
  if (fs.existsSync(target)) return;
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.symlinkSync(path.join(root, "node_modules", name), target, "junction");
}

/**
 * Makes a project that has the packed package unpacked in its node_modules (no install script has run) with its dependencies beside it.
 * @param files contents by relative path
 */
export function makeProject(folder: string, tarball: string, files: Record<string, string>): string {
  fs.mkdirSync(path.join(folder, "node_modules/makeparallel"), { recursive: true });
  execFileSync("tar", ["-xzf", tarball, "-C", path.join(folder, "node_modules/makeparallel"), "--strip-components=1"]);
  const manifest = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8")) as { dependencies: Record<string, string> };
  for (const name of [...Object.keys(manifest.dependencies), "typescript", "ts-patch", "@types/node"]) linkPackage(folder, name);
  writeFiles(folder, files);
  return folder;
}

export function writeFiles(folder: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), text);
  }
}

export interface Run {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a Node program. The variables of this process that choose a backend are not passed on. */
export function runNode(cwd: string, args: string[], env: Record<string, string> = {}): Run {
  const inherited = { ...process.env };
  for (const name of Object.keys(inherited)) if (name.startsWith("MAKEPARALLEL_")) delete inherited[name];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd,
    env: { ...inherited, ...env },
    encoding: "utf8",
    timeout: 120_000,
  });
  return { status, stdout, stderr };
}

export const tspc = path.join(root, "node_modules/ts-patch/bin/tspc.js");
export const tsc = path.join(root, "node_modules/typescript/bin/tsc");

/** True if this checkout has a native binary; the packages made of it then have one too. */
export function hasNativeBinary(files: readonly string[]): boolean {
  return files.some((file) => file.endsWith(".node"));
}
