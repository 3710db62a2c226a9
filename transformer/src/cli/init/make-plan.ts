/** Puts the steps together: from what a project is to what `init` does to it. */
import * as path from "node:path";
import type { TypeScript } from "../../core";
import { findTypeScript } from "../../adapters/find-typescript";
import { shown } from "../project/files";
import type { Project } from "../project/inspect";
import { commandLine } from "../project/package-manager";
import { isOn, optionOf } from "../project/tsconfig";
import { isAtLeast, showVersion } from "../project/versions";
import { UnsafeEditError } from "../edit/json";
import { NODE, tsPatchFor, TYPESCRIPT, TYPESCRIPT_WITHOUT_API } from "../requirements";
import { planEsbuild } from "./esbuild-step";
import { planPackages } from "./packages-step";
import { Draft, emptyPlan, type Plan } from "./plan";
import { outputCalls, planScripts } from "./scripts-step";
import { planTsConfigs } from "./tsconfig-step";
import { planWithoutApi } from "./without-api-step";

/** What the makeparallel that runs says of itself. */
export interface OwnPackage {
  version: string;
  dependencies: Record<string, string>;
}

export function makePlan(project: Project, own: OwnPackage): Plan {
  const plan = emptyPlan();
  const { folder, file, text } = project.package;
  describe(plan, project);

  if (!isAtLeast(project.node, NODE))
    plan.problems.push(`Node ${showVersion(project.node)} is too old: makeparallel needs ${showVersion(NODE)} or later.`);
  for (const { file: broken, reason } of project.compiler.broken)
    plan.problems.push(`${shown(broken, folder)} was left as it is: ${reason}.`);
  if (plan.problems.length > 0) return plan;

  const { version } = project.typescript;
  if (version && !isAtLeast(version, TYPESCRIPT)) {
    plan.problems.push(
      `TypeScript ${showVersion(version)} is too old: makeparallel needs ${showVersion(TYPESCRIPT)} or later. Update it first.`,
    );
    return plan;
  }
  if (!version && project.typescript.declared) {
    const install = commandLine(project.manager.install());
    plan.problems.push(
      `package.json names typescript as "${project.typescript.declared.range}", and it is not installed: run \`${install}\`, then init again.`,
    );
    return plan;
  }

  const usesEsbuild = project.esbuild.calls.length + project.esbuild.files.length > 0;
  const builds = project.compiler.builds;
  const hasApi = (version?.[0] ?? 5) < TYPESCRIPT_WITHOUT_API;
  const compiles = builds.length > 0;
  if (!compiles && !usesEsbuild) sayNoBuild(plan, project);

  const draft = new Draft(file, text);
  try {
    if (compiles && hasApi) {
      const need = tsPatchFor(version?.[0] ?? 5);
      if (isAtLeast(project.node, need.node)) {
        planTsConfigs(plan, folder, builds);
        planScripts(plan, project, draft);
        sayBuildCommand(plan, project);
      } else {
        plan.problems.push(
          `TypeScript ${showVersion(version ?? [6, 0, 0])} is patched by ts-patch ${need.major}, which needs Node ${showVersion(need.node)} or later; this is ` +
            `${showVersion(project.node)}. Update Node, or stay with TypeScript 5.9, or build with esbuild (makeparallel/esbuild).`,
        );
        return plan;
      }
    } else if (compiles) planWithoutApi(plan, project, draft);
    if (usesEsbuild) planEsbuild(plan, project, compilerApi(folder));
  } catch (error) {
    if (!(error instanceof UnsafeEditError)) throw error;
    plan.problems.push(`${shown(file, folder)} was left as it is: ${error.message}.`);
  }
  const change = draft.change();
  if (change) plan.files.push(change);

  const transforms = compiles || usesEsbuild;
  if (transforms || project.hosts.some(({ isSupported }) => isSupported)) {
    planPackages(
      plan,
      project,
      {
        typescript: compiles,
        compiler: compiles && hasApi,
        esbuild: compiles && !hasApi,
      },
      { version: own.version, esbuild: own.dependencies["esbuild"] ?? "latest" },
    );
  }
  addNotes(plan, project, transforms);
  return plan;
}

function describe(plan: Plan, project: Project): void {
  const { manager, typescript, compiler, esbuild, nest, workspace, package: own } = project;
  const { folder } = own;
  plan.found.push(["Package manager", `${manager.agent} (${manager.because})`]);
  if (workspace) plan.found.push(["Workspace", workspace.root === folder ? "this is its root" : workspace.root]);
  const major = typescript.version?.[0];
  const way =
    major === undefined
      ? ""
      : major >= TYPESCRIPT_WITHOUT_API
        ? ", which has no compiler API"
        : compiler.builds.length > 0
          ? `, with ts-patch ${tsPatchFor(major).major}`
          : "";
  plan.found.push([
    "TypeScript",
    typescript.version ? `${showVersion(typescript.version)}${typescript.installed ? "" : " (declared)"}${way}` : "none",
  ]);
  const config = compiler.builds[0]?.config;
  if (config) {
    const module = optionOf(config, "module")?.value;
    plan.found.push([
      "Modules",
      `${typeof module === "string" ? module : "module is not set"}, package type ${own.json.type ?? "commonjs"}`,
    ]);
    const legacy = isOn(config, "experimentalDecorators");
    plan.found.push([
      "Decorators",
      legacy ? `legacy (experimentalDecorators)${isOn(config, "emitDecoratorMetadata") ? ", with metadata" : ""}` : "standard (TC39)",
    ]);
  }
  const builds = [
    ...compiler.builds.map(({ config: { file }, calls }) => {
      const scripts = [...new Set(calls.map(({ call }) => call.script))].map((name) => `scripts.${name}`);
      if (nest && scripts.length === 0) scripts.push("nest build");
      return `${shown(file, folder)}${scripts.length > 0 ? ` (${scripts.join(", ")})` : ""}`;
    }),
    ...esbuild.files.map(({ file }) => `${shown(file, folder)} (esbuild)`),
    ...esbuild.calls.map(({ script }) => `scripts.${script} (esbuild)`),
  ];
  if (builds.length > 0) plan.found.push(["Builds", builds.join(", ")]);
}

function sayNoBuild(plan: Plan, project: Project): void {
  const { folder } = project.package;
  if (project.hosts.some(({ isSupported }) => isSupported)) return;
  if (project.workspace?.root === folder) {
    plan.problems.push(
      "This is the root of a workspace, and nothing here builds it. Run init in the packages that have parallel functions.",
    );
  } else if (project.hosts.length === 0) {
    plan.problems.push("Nothing was found that builds this project: no tsconfig.json that writes JavaScript, and no build by esbuild.");
  } else {
    plan.problems.push(
      `What builds this project (${project.hosts.map(({ name }) => name).join(", ")}) has no adapter in this version; see below.`,
    );
  }
}

function sayBuildCommand(plan: Plan, project: Project): void {
  if (project.nest || project.patched.onInstall || outputCalls(project).length + project.tspc.length > 0) return;
  const [build] = project.compiler.builds;
  const name = build ? path.basename(build.config.file) : "tsconfig.json";
  plan.todos.push({
    title: "No script of package.json builds this project",
    lines: [`Build with \`tspc${name === "tsconfig.json" ? "" : ` -p ${name}`}\` (from ts-patch) in place of \`tsc\`.`],
  });
}

/** @param transforms whether something else than the tools of the notes builds the project */
function addNotes(plan: Plan, project: Project, transforms: boolean): void {
  const { folder } = project.package;
  for (const file of project.compiler.outside) {
    plan.notes.push(`${shown(file, folder)} is another package that is built along. If it has parallel functions, run init there as well.`);
  }
  const root = project.workspace?.package;
  if (root && root.folder !== folder) {
    for (const [name, text] of Object.entries(root.json.scripts ?? {})) {
      if (/\btsc\s+(?:-b|--build)\b/.test(text))
        plan.notes.push(
          `scripts.${name} of the workspace's root builds with \`${text}\`: there, too, it has to be \`tspc\` for this package's tasks.`,
        );
    }
  }
  for (const { name, evidence, advice, isSupported, isSetUp } of project.hosts) {
    if (isSetUp) continue;
    // It is what builds the project: nothing works before that is done.
    if (isSupported && !transforms) plan.todos.push({ title: `${name} (${evidence}): ${advice[0]}`, lines: advice.slice(1) });
    else plan.notes.push([`${name} (${evidence}): ${advice[0]}`, ...advice.slice(1)].join("\n"));
  }
}

function compilerApi(folder: string): TypeScript | undefined {
  try {
    return findTypeScript(folder);
  } catch {
    return undefined;
  }
}
