/** Which packages have to be installed. */
import type { Project, Tool } from "../project/inspect";
import { usesPlugAndPlay } from "../project/installed";
import { isAtLeast } from "../project/versions";
import { tsPatchFor, TYPESCRIPT_RANGE } from "../requirements";
import type { Plan } from "./plan";

export interface PackageNeeds {
  /** The project's own TypeScript has a part in its build; the plugins of bundlers bring a compiler API along. */
  typescript: boolean;
  /** The compiler builds, so that ts-patch is needed. */
  compiler: boolean;
  /** esbuild's package is imported by a build script that this tool writes or asks for. */
  esbuild: boolean;
}

/** @param own version of the makeparallel that runs, and the range of esbuild that it works with */
export function planPackages(plan: Plan, project: Project, needs: PackageNeeds, own: { version: string; esbuild: string }): void {
  const { manager, makeparallel, typescript, tsPatch, esbuildTool, nodeTypes, node } = project;
  const regular: string[] = [];
  const dev: string[] = [];
  if (!makeparallel.declared || makeparallel.declared.inRoot) regular.push(`makeparallel@^${own.version}`);
  // Without them the declarations of makeparallel are errors of the build, unless it skips those of libraries.
  if (isMissing(nodeTypes) && (needs.typescript || !isMissing(typescript))) dev.push(`@types/node@^${node[0]}`);
  if (needs.typescript && isMissing(typescript)) dev.push(`typescript@${TYPESCRIPT_RANGE}`);
  if (needs.compiler) {
    const need = tsPatchFor(typescript.version?.[0] ?? 5);
    const { version } = tsPatch;
    // What is found without being declared belongs to somebody else, and may go. A range without a number ("latest", "catalog:") is taken at its word until
    // something is installed.
    const fits = tsPatch.declared !== undefined && (!version || (version[0] === need.major && isAtLeast(version, need.least)));
    if (!fits) dev.push(`ts-patch@${need.range}`);
  }
  if (needs.esbuild && isMissing(esbuildTool)) dev.push(`esbuild@${own.esbuild}`);

  if (regular.length > 0) plan.installs.push(manager.add(regular, false));
  if (dev.length > 0) plan.installs.push(manager.add(dev, true));
  const used = [makeparallel, typescript, ...(needs.compiler ? [tsPatch] : [])];
  const absent = used.filter((tool) => tool.declared && !tool.installed);
  // Adding packages installs what is declared as well.
  if (plan.installs.length === 0 && absent.length > 0 && !usesPlugAndPlay(project.package.folder)) plan.installs.push(manager.install());
  if (makeparallel.declared?.kind === "devDependencies") {
    plan.notes.push("makeparallel is among the devDependencies, but the built program loads it: move it to dependencies.");
  }
}

function isMissing(tool: Tool): boolean {
  return !tool.declared && !tool.installed;
}
