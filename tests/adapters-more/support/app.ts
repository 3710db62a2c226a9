/** The project of fixtures/projects-more/app, in a folder in which the hosts are installed, and what it prints when all its tasks work. */
import * as fs from "node:fs";
import * as path from "node:path";
import { ROOT } from "../../support/chunks";
import { type Ended, runNode } from "../../support/children";
import { type BackendName, threaded } from "../../support/backends";
import { makeWorkspace, type Workspace } from "../../adapters/support/workspace";

const APP = path.join(ROOT, "fixtures", "projects-more", "app");

const HOSTS = ["vite", "rollup", "rolldown", "webpack", "ts-loader", "@rspack/core", "jest", "ts-jest"];

/** @param name unique among the tests */
export function makeApp(name: string, files: Record<string, string | object> = {}, type: "module" | "commonjs" = "module"): Workspace {
  const sources: Record<string, string> = {};
  for (const entry of fs.readdirSync(APP, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    sources[path.relative(APP, file)] = fs.readFileSync(file, "utf8");
  }
  const manifest = { name: "app", version: "1.0.0", private: true, type };
  const workspace = makeWorkspace(`more-${name}`, { "package.json": manifest, ...sources, ...files });
  for (const host of HOSTS) {
    const link = workspace.file(`node_modules/${host}`);
    fs.mkdirSync(path.dirname(link), { recursive: true });
    fs.symlinkSync(path.join(ROOT, "node_modules", host), link, "junction");
  }
  return workspace;
}

export function node(
  workspace: Workspace,
  file: string,
  backend: BackendName,
  execArgv: string[] = [],
  args: string[] = [],
): Promise<Ended> {
  return runNode(workspace.file(file), args, {
    cwd: workspace.root,
    execArgv,
    limit: 60_000,
    env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "2", NO_COLOR: "1" },
  });
}

/** Runs a script that has to succeed, and gives what it prints. */
export async function script(workspace: Workspace, name: string, text: string, ...args: string[]): Promise<string> {
  const ended = await build(workspace, name, text, ...args);
  if (ended.code !== 0) throw new Error(ended.stderr + ended.stdout);
  return ended.stdout + ended.stderr;
}

export function build(workspace: Workspace, name: string, text: string, ...args: string[]): Promise<Ended> {
  workspace.write(name, text);
  return node(workspace, name, "typescript", [], args);
}

export const RESULTS = {
  wrapper: 152,
  captured: 42,
  tag: "2880067194370816120",
  method: [3, 6, 9],
  instance: [true, 42],
  nested: "56",
  many: [152, 162, 172],
  settled: 1,
};

/** Runs what was built on each backend with workers. */
export async function expectApp(workspace: Workspace, file: string, execArgv = ["--enable-source-maps"]): Promise<void> {
  for (const backend of threaded) {
    const ended = await node(workspace, file, backend, execArgv);
    expect({ backend, stderr: ended.stderr, code: ended.code }).toEqual({ backend, stderr: "", code: 0 });
    const [results, error] = ended.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);
    expect(results).toEqual(RESULTS);
    expect(error).toEqual({ name: "RangeError", message: "boom 7 in b", place: "src/main.ts:10" });
  }
}
