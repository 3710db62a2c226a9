/** Projects of users to try the command line tool on: copies of fixtures/projects-init, with links to what is installed in this repository. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { type Ended, runNode } from "../../support/children";
import { ROOT } from "../../support/chunks";

export const FIXTURES = path.join(ROOT, "fixtures", "projects-init");
const MAIN = path.join(ROOT, "dist", "transformer", "src", "cli", "main.js");
/** Outside the repository, whose own packages would be found from anywhere inside it. */
const SCRATCH = fs.mkdtempSync(path.join(os.tmpdir(), "makeparallel-cli-"));
const LEFT_OUT = new Set(["node_modules", "dist", "lib"]);

export interface UserProject {
  /** Of the copy. */
  root: string;
  /** Folder that the tool is run in. */
  folder: string;
  file(name: string): string;
  read(name: string): string;
  write(name: string, text: string): void;
  remove(name: string): void;
  /** All files of the project, by name, without what is installed or built. */
  files(): Record<string, string>;
  makeparallel(args: string[], env?: NodeJS.ProcessEnv): Promise<Ended>;
  /** Runs a script of package.json as a package manager would. */
  script(name: string): Promise<Ended>;
  node(args: string[]): Promise<Ended>;
  /** What package managers were asked to do. */
  asked(): string[];
}

export interface ProjectOptions {
  /** Folder to run in, relative to the root. */
  folder?: string;
  /** More links in node_modules: name to a place relative to the root. */
  links?: Record<string, string>;
  /** Packages that are there from the start. */
  installed?: string[];
  /** `typescript` as a copy, which may be patched. */
  ownTypeScript?: boolean;
}

let count = 0;

/** A copy of a fixture. */
export function fixtureProject(name: string, options: ProjectOptions = {}): UserProject {
  const root = freshFolder(name);
  fs.cpSync(path.join(FIXTURES, name, "project"), root, { recursive: true });
  return set(root, options);
}

/** A project out of texts, or objects for JSON. */
export function inlineProject(files: Record<string, string | object>, options: ProjectOptions = {}): UserProject {
  const root = freshFolder("inline");
  for (const [file, contents] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), typeof contents === "string" ? contents : `${JSON.stringify(contents, null, 2)}\n`);
  }
  return set(root, options);
}

function freshFolder(name: string): string {
  const root = path.join(SCRATCH, `${name}-${count++}`);
  fs.rmSync(root, { recursive: true, force: true });
  // So that nothing above, such as this repository's own files, is taken for the project's.
  fs.mkdirSync(path.join(root, ".git"), { recursive: true });
  fs.writeFileSync(path.join(root, ".git", "HEAD"), "ref: refs/heads/main\n");
  return root;
}

function set(
  root: string,
  { folder = ".", links = {}, installed = ["typescript", "@types/node", "esbuild"], ownTypeScript = false }: ProjectOptions,
): UserProject {
  const at = path.join(root, folder);
  const link = (target: string, as: string): void => {
    const place = path.join(root, "node_modules", as);
    fs.mkdirSync(path.dirname(place), { recursive: true });
    fs.symlinkSync(target, place, "junction");
  };
  for (const name of installed) {
    if (name === "typescript" && ownTypeScript)
      fs.cpSync(path.join(ROOT, "node_modules", name), path.join(root, "node_modules", name), { recursive: true });
    else link(name === "makeparallel" ? ROOT : path.join(ROOT, "node_modules", name), name);
  }
  for (const name of ["express", "@nestjs/common", "@nestjs/core"])
    fs.cpSync(path.join(FIXTURES, "packages", name), path.join(root, "node_modules", name), { recursive: true });
  for (const [name, place] of Object.entries(links)) link(path.join(root, place), name);

  const programs = path.join(root, ".git", "programs");
  fs.mkdirSync(programs);
  const log = path.join(root, ".git", "asked");
  fs.writeFileSync(log, "");
  for (const name of ["npm", "npx", "yarn", "pnpm", "bun", "bunx"]) {
    const text = `#!/bin/sh\nexec "${process.execPath}" "${path.join(__dirname, "package-manager.cjs")}" ${name} "$@"\n`;
    fs.writeFileSync(path.join(programs, name), text, { mode: 0o755 });
  }
  for (const name of ["tsc", "tspc", "esbuild"]) fs.symlinkSync(path.join(ROOT, "node_modules", ".bin", name), path.join(programs, name));
  const env = {
    PATH: `${programs}${path.delimiter}${path.dirname(process.execPath)}${path.delimiter}/usr/bin${path.delimiter}/bin`,
    PACKAGE_MANAGER_LOG: log,
  };

  return {
    root,
    folder: at,
    file: (name) => path.join(at, name),
    read: (name) => fs.readFileSync(path.join(at, name), "utf8"),
    write(name, text) {
      fs.mkdirSync(path.dirname(path.join(at, name)), { recursive: true });
      fs.writeFileSync(path.join(at, name), text);
    },
    remove: (name) => fs.rmSync(path.join(at, name), { recursive: true }),
    files: () => Object.fromEntries(listed(root)),
    makeparallel: (args, more = {}) => runNode(MAIN, args, { cwd: at, env: { ...env, ...more } }),
    script(name) {
      const json = JSON.parse(fs.readFileSync(path.join(at, "package.json"), "utf8")) as { scripts: Record<string, string> };
      const run = `process.exit(require("node:child_process").spawnSync("sh", ["-c", process.argv[1]], { stdio: "inherit" }).status ?? 1)`;
      return runNode("-e", [run, json.scripts[name] as string], { cwd: at, env, limit: 60_000 });
    },
    node: (args) => runNode(args[0] as string, args.slice(1), { cwd: at, env }),
    asked: () => fs.readFileSync(log, "utf8").split("\n").filter(Boolean),
  };
}

function* listed(root: string, below = ""): Generator<[string, string]> {
  for (const entry of fs.readdirSync(path.join(root, below), { withFileTypes: true })) {
    const name = path.posix.join(below, entry.name);
    if (entry.isDirectory()) {
      if (!LEFT_OUT.has(entry.name) && entry.name !== ".git") yield* listed(root, name);
    } else if (entry.isFile() && !entry.name.endsWith(".tsbuildinfo")) yield [name, fs.readFileSync(path.join(root, name), "utf8")];
  }
}

export function removeProjects(): void {
  fs.rmSync(SCRATCH, { recursive: true, force: true });
}
