/** All that `init` and `doctor` know of a project: facts only, no judgement. */
import * as path from "node:path";
import { type CompilerBuilds, findBuilds } from "./builds";
import { type EsbuildBuilds, findEsbuildBuilds } from "./esbuild-builds";
import { isFile } from "./files";
import { exportedSubpaths, findHosts, type Host } from "./hosts";
import { findInstalled, type Installed, isPatched } from "./installed";
import { findNest, type NestBuild } from "./nest";
import { declared, type DependencyKind, findPackage, type PackageFile } from "./package-json";
import { findPackageManager, type PackageManager } from "./package-manager";
import { type ScriptCall, scriptCalls } from "./scripts";
import { pluginsOf, readTsConfig } from "./tsconfig";
import { readTscCall, type TscCall } from "./tsc-call";
import { parseVersion, type Version } from "./versions";
import { findWorkspace, type Workspace } from "./workspace";

/** A package that the setup needs or asks about. */
export interface Tool {
  name: string;
  declared: { kind: DependencyKind; range: string; inRoot: boolean } | undefined;
  installed: Installed | undefined;
  /** Of what is installed; else the least that the declared range allows. */
  version: Version | undefined;
}

export interface Project {
  package: PackageFile;
  workspace: Workspace | undefined;
  manager: PackageManager;
  node: Version;
  typescript: Tool;
  tsPatch: Tool;
  esbuildTool: Tool;
  /** What makeparallel's own declarations name of Node. */
  nodeTypes: Tool;
  makeparallel: Tool;
  calls: ScriptCall[];
  /** Calls of `tsc` and of `tspc`. */
  tsc: TscCall[];
  tspc: TscCall[];
  nest: NestBuild | undefined;
  /** `tsc` itself runs plugins: now, or after each install. */
  patched: { now: boolean; onInstall: boolean };
  compiler: CompilerBuilds;
  esbuild: EsbuildBuilds;
  hosts: Host[];
  /** Something that compiles by itself is set up: a test runner, a bundler, `node --import makeparallel/register`. */
  runsUnbuilt: boolean;
}

export interface Surroundings {
  /** Folder to look from. */
  cwd: string;
  /** Version of Node to judge by. */
  node: string;
  /** Folder of the makeparallel that runs. */
  self: string;
}

/** Why a folder can't be inspected. */
export class NoProjectError extends Error {}

/** @throws NoProjectError when there is no package.json, or it can't be read */
export async function inspectProject({ cwd, node, self }: Surroundings): Promise<Project> {
  const found = findPackage(cwd);
  if (found === undefined)
    throw new NoProjectError(`There is no package.json in ${cwd} or above it. Run this in a project's folder (a new one: npm init).`);
  if (typeof found === "string") throw new NoProjectError(`${found}. Nothing was changed.`);
  const { folder, json } = found;
  const workspace = findWorkspace(folder);
  const tool = (name: string): Tool => findTool(name, found, workspace);
  const typescript = tool("typescript");
  const calls = scriptCalls(json.scripts ?? {}, folder);
  const compilerCalls = (program: string): TscCall[] => calls.filter((call) => call.program === program).map(readTscCall);
  const tsc = compilerCalls("tsc");
  const tspc = compilerCalls("tspc");
  const esbuild = findEsbuildBuilds(folder, calls);
  const hosts = findHosts(found, calls, exportedSubpaths(path.join(self, "package.json")));
  const nestBuild = findNest(folder, calls);
  // What webpack builds with the plugin, the compiler does not.
  const nest = nestBuild?.builder === "webpack" && hosts.some(({ name, isSetUp }) => name === "webpack" && isSetUp) ? undefined : nestBuild;

  const outputs = [...tsc, ...tspc].filter(({ purpose }) => purpose === "output");
  const others = nest ? [nest.config] : [];
  // Nothing says how it is built: then it is built by a plain `tsc`. So it is where the transformer stands in the configuration already.
  const standard = path.join(folder, "tsconfig.json");
  const hasOtherBuild =
    esbuild.calls.length + esbuild.files.length > 0 || hosts.some(({ kind, isSupported }) => kind === "bundler" && isSupported);
  if (outputs.every(({ configs }) => configs.length === 0) && !nest && (!hasOtherBuild || mentionsPlugin(standard))) others.push(standard);

  return {
    package: found,
    workspace,
    manager: await findPackageManager(folder, workspace?.root === folder),
    node: parseVersion(node) as Version,
    typescript,
    tsPatch: tool("ts-patch"),
    esbuildTool: tool("esbuild"),
    nodeTypes: tool("@types/node"),
    makeparallel: tool("makeparallel"),
    calls,
    tsc,
    tspc,
    nest,
    patched: {
      now: typescript.installed !== undefined && isPatched(typescript.installed),
      onInstall: [json, workspace?.package?.json ?? {}].some(({ scripts }) =>
        ["prepare", "postinstall", "install"].some((name) => /\bts-patch\s+(?:install|i)\b/.test(scripts?.[name] ?? "")),
      ),
    },
    compiler: findBuilds(folder, outputs, others.filter(isFile)),
    esbuild,
    hosts,
    runsUnbuilt: hosts.some(({ isSetUp }) => isSetUp) || calls.some(({ text }) => text.includes("makeparallel/register")),
  };
}

function mentionsPlugin(file: string): boolean {
  try {
    return pluginsOf(readTsConfig(file)).some(({ ours }) => ours !== undefined);
  } catch {
    return false;
  }
}

function findTool(name: string, own: PackageFile, workspace: Workspace | undefined): Tool {
  const here = declared(own.json, name);
  const inRoot = workspace?.package && workspace.root !== own.folder ? declared(workspace.package.json, name) : undefined;
  const installed = findInstalled(own.folder, name);
  const range = here?.range ?? inRoot?.range;
  return {
    name,
    declared: here ? { ...here, inRoot: false } : inRoot ? { ...inRoot, inRoot: true } : undefined,
    installed,
    version: installed?.version ?? (range === undefined ? undefined : parseVersion(range)),
  };
}
