/**
 * `npx makeparallel init`: sets an existing project up.
 *
 * Looks at the project, says what it found, installs what is missing and changes tsconfig.json, package.json and plain build scripts. Packages come first: when
 * that fails, no file has been touched. What it can't do safely it prints, line by line. A second run finds nothing to do.
 */
import type { CommandContext } from "../main";
import { isFolder } from "../project/files";
import { inspectProject, NoProjectError, type Project } from "../project/inspect";
import { commandLine } from "../project/package-manager";
import { runCommand, writeChanges } from "./apply";
import { makePlan } from "./make-plan";
import type { Plan } from "./plan";
import { printChanges, printFound, printRest } from "./report";

export interface InitOptions {
  dryRun: boolean;
  install: boolean;
}

/** @returns the exit code: 1 when the setup could not be completed */
export async function init(context: CommandContext, options: InitOptions): Promise<number> {
  const { out } = context;
  const look = async (): Promise<{ project: Project; plan: Plan }> => {
    const project = await inspectProject({ cwd: context.cwd, node: process.versions.node, self: context.self });
    return { project, plan: makePlan(project, context.own) };
  };
  let found: { project: Project; plan: Plan };
  try {
    found = await look();
  } catch (error) {
    if (!(error instanceof NoProjectError)) throw error;
    context.err.line(`${context.err.paint("red", "✗")} ${error.message}`);
    return 1;
  }
  const { project, plan } = found;
  const { folder, json } = project.package;
  if (!isFolder(folder)) return 1;
  out.line(`${out.paint("bold", `makeparallel init`)}: ${json.name ?? "a project without a name"} in ${folder}`);
  if (options.dryRun) out.line("Dry run: nothing is written, nothing is installed.");
  printFound(out, plan);
  printChanges(out, plan, folder, options.install);
  printRest(out, plan);

  const isChange = plan.files.length + plan.installs.length + plan.afterwards.length > 0;
  if (!options.dryRun && isChange) {
    const problem = (await apply(context, options, folder, plan, look)) ?? (await finish(context, options, folder, plan, look));
    if (problem !== undefined) {
      out.line();
      out.line(`${out.paint("red", "✗")} ${problem}`);
      return 1;
    }
  }
  out.line();
  const isOpen = plan.problems.length > 0;
  if (isOpen) out.line(`${out.paint("red", "✗")} The setup is not complete: see above.`);
  else if (!isChange)
    out.line(
      plan.todos.length > 0 ? "Nothing to change; see above for what is left to do by hand." : "Nothing to change: this project is set up.",
    );
  else if (options.dryRun) out.line("Run it without --dry-run to do this.");
  else out.line(`${out.paint("green", "✓")} Done. Build the project, then \`npx makeparallel doctor\` checks the result.`);
  return isOpen ? 1 : 0;
}

/** Installs. @returns what went wrong */
async function apply(
  context: CommandContext,
  options: InitOptions,
  folder: string,
  plan: Plan,
  look: () => Promise<{ plan: Plan }>,
): Promise<string | undefined> {
  if (!options.install) return undefined;
  for (const command of plan.installs) {
    context.out.line();
    context.out.line(context.out.paint("dim", `$ ${commandLine(command)}`));
    const problem = runCommand(command, folder, context.env);
    if (problem === undefined) continue;
    // pnpm fails when it has left an install script out (esbuild's, which is not needed), after it has installed everything.
    const { installs } = (await look()).plan;
    if (installs.some((open) => commandLine(open) === commandLine(command)))
      return `\`${commandLine(command)}\` failed: ${problem}. No file was changed by init; run it yourself, then init again.`;
    context.out.line(
      `${context.out.paint("yellow", "!")} \`${commandLine(command)}\`: ${problem}. What it was to install is there, so init goes on.`,
    );
  }
  return undefined;
}

/** Writes the files, and runs what comes after. @returns what went wrong */
async function finish(
  context: CommandContext,
  options: InitOptions,
  folder: string,
  plan: Plan,
  look: () => Promise<{ plan: Plan }>,
): Promise<string | undefined> {
  // The package manager has rewritten package.json by now.
  const { files } = plan.installs.length > 0 && options.install ? (await look()).plan : plan;
  writeChanges(files);
  if (!options.install) return undefined;
  for (const command of plan.afterwards) {
    context.out.line();
    context.out.line(context.out.paint("dim", `$ ${commandLine(command)}`));
    const problem = runCommand(command, folder, context.env);
    if (problem !== undefined) return `The files are changed, but \`${commandLine(command)}\` failed: ${problem}. Run it yourself.`;
  }
  return undefined;
}
