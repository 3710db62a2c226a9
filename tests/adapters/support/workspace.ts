/** Projects to build in: a folder with its own package.json, in which `makeparallel`, the compilers and the fixture packages are installed. */
import * as fs from "node:fs";
import * as path from "node:path";
import { ROOT } from "../../support/chunks";
import { type Ended, runNode } from "../../support/children";
import { TS_PATCH, TYPESCRIPT } from "../../support/typescript";

/** Of this process, so that several runs of the tests at a time do not meet. */
const SCRATCH = path.join(ROOT, ".tmp", "adapters", String(process.pid));

afterAll(() => fs.rmSync(SCRATCH, { recursive: true, force: true }));

const PACKAGES = path.join(ROOT, "fixtures", "projects", "packages");

/** `@types/node` for small builds. */
const TYPES = path.join(ROOT, "fixtures", "projects", "types", "node");

/** Options that most projects begins with. */
export const COMPILER_OPTIONS = {
  target: "ES2022",
  module: "Node16",
  lib: ["ES2023", "ESNext.Disposable"],
  types: ["node"],
  skipLibCheck: true,
  strict: true,
  rootDir: "src",
  outDir: "dist",
  plugins: [{ transform: "makeparallel/transformer" }],
};

export interface Workspace {
  root: string;
  file(name: string): string;
  write(name: string, text: string): void;
  read(name: string): string;
}

/**
 * @param name unique among the tests
 * @param files by name; text, or an object for JSON
 * @param at folder to make it in; default: a scratch folder of the repository
 */
export function makeWorkspace(name: string, files: Record<string, string | object>, at = SCRATCH): Workspace {
  const root = path.join(at, name);
  fs.rmSync(root, { recursive: true, force: true });
  fs.mkdirSync(path.join(root, "node_modules"), { recursive: true });
  const link = (target: string, as: string): void => {
    fs.mkdirSync(path.dirname(path.join(root, "node_modules", as)), { recursive: true });
    fs.symlinkSync(target, path.join(root, "node_modules", as), "junction");
  };
  link(ROOT, "makeparallel");
  link(TYPESCRIPT, "typescript");
  link(TS_PATCH, "ts-patch");
  link(path.join(ROOT, "node_modules/esbuild"), "esbuild");
  link(TYPES, "@types/node");
  for (const dependency of fs.readdirSync(PACKAGES))
    fs.cpSync(path.join(PACKAGES, dependency), path.join(root, "node_modules", dependency), { recursive: true });
  const workspace: Workspace = {
    root,
    file: (file) => path.join(root, file),
    write(file, text) {
      fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
      fs.writeFileSync(path.join(root, file), text);
    },
    read: (file) => fs.readFileSync(path.join(root, file), "utf8"),
  };
  for (const [file, contents] of Object.entries(files))
    workspace.write(file, typeof contents === "string" ? contents : JSON.stringify(contents, null, 2));
  return workspace;
}

/** Gives a workspace all types of Node, in the place of those few that tests name. */
export function withNodeTypes(workspace: Workspace): Workspace {
  const types = workspace.file("node_modules/@types/node");
  fs.unlinkSync(types);
  fs.symlinkSync(path.join(ROOT, "node_modules/@types/node"), types, "junction");
  return workspace;
}

export const TSPC = path.join(TS_PATCH, "bin", "tspc.js");

export function tspc(workspace: Workspace, ...args: string[]): Promise<Ended> {
  return runNode(TSPC, args, { cwd: workspace.root, limit: 240_000 });
}

/**
 * Runs an esbuild build in a process of its own.
 *
 * @param options a JavaScript expression for the options besides `plugins`
 */
export function esbuildBuild(workspace: Workspace, options: string, plugin = "makeparallel()"): Promise<Ended> {
  workspace.write(
    "build.mjs",
    `import * as esbuild from "esbuild";
import makeparallel from "makeparallel/esbuild";
const result = await esbuild.build({ ...${options}, plugins: [${plugin}] }).catch((error) => {
  if (!error.errors) throw error;
  process.exitCode = 1;
  return error;
});
if (process.send) process.send(null);
const files = result.outputFiles?.map((file) => file.path);
console.log(JSON.stringify({ errors: result.errors, warnings: result.warnings, files }));
`,
  );
  return runNode(workspace.file("build.mjs"), [], { cwd: workspace.root, limit: 180_000 });
}

/** What went wrong, in short. */
export function esbuildErrors({ stdout, stderr }: Ended): string {
  try {
    const { errors } = JSON.parse(stdout) as { errors: { text: string; location: { file: string; line: number } | null }[] };
    return errors.map(({ text, location }) => `${location ? `${location.file}:${location.line}: ` : ""}${text}`).join("\n");
  } catch {
    return stderr + stdout;
  }
}

/** Files below a folder of the workspace, relative to it, sorted. */
export function listFiles(workspace: Workspace, folder: string): string[] {
  const base = workspace.file(folder);
  if (!fs.existsSync(base)) return [];
  return fs
    .readdirSync(base, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(base, path.join(entry.parentPath ?? entry.path, entry.name)))
    .sort();
}
