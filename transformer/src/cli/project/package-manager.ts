/** The package manager that a project uses, and its commands as a person would type them. */
import * as path from "node:path";
import type { Agent, ResolvedCommand } from "package-manager-detector" with { "resolution-mode": "import" };
import { isFile } from "./files";

export interface PackageManager {
  /** `npm`, `yarn`, `yarn@berry`, `pnpm`, `bun`, … */
  agent: Agent;
  /** Why: `package-lock.json`, `the field packageManager`, or `nothing says which` (npm then). */
  because: string;
  /** Adds packages. Inside a workspace's root this says so, since some managers refuse otherwise. */
  add(packages: readonly string[], dev: boolean): ResolvedCommand;
  /** Installs what package.json names. */
  install(): ResolvedCommand;
  /** Runs a program of an installed package. */
  execute(program: readonly string[]): ResolvedCommand;
}

/**
 * @param folder of the package
 * @param isWorkspaceRoot whether it holds the `workspaces`
 */
export async function findPackageManager(folder: string, isWorkspaceRoot: boolean): Promise<PackageManager> {
  const { detect, resolveCommand } = await import("package-manager-detector");
  let evidence = "nothing says which";
  const found = await detect({ cwd: folder, strategies: ["packageManager-field", "devEngines-field", "lockfile"], onUnknown: () => null });
  const agent: Agent = found?.agent ?? "npm";
  if (found) evidence = evidenceOf(folder, found.name);
  const resolve = (command: "add" | "install" | "execute-local", args: string[]): ResolvedCommand => {
    const resolved = resolveCommand(agent, command, args) ?? resolveCommand("npm", command, args);
    if (!resolved) throw new Error(`No command of ${agent} for ${command}.`);
    return resolved;
  };
  const rootFlag = !isWorkspaceRoot ? [] : agent.startsWith("pnpm") ? ["-w"] : agent === "yarn" ? ["-W"] : [];
  return {
    agent,
    because: evidence,
    add: (packages, dev) => resolve("add", [...(dev ? ["-D"] : []), ...rootFlag, ...packages]),
    install: () => resolve("install", []),
    execute: (program) => resolve("execute-local", [...program]),
  };
}

const LOCK_FILES: Record<string, string[]> = {
  npm: ["package-lock.json", "npm-shrinkwrap.json"],
  yarn: ["yarn.lock"],
  pnpm: ["pnpm-lock.yaml", "pnpm-workspace.yaml"],
  bun: ["bun.lock", "bun.lockb"],
  deno: ["deno.lock"],
};

function evidenceOf(folder: string, name: string): string {
  for (let at = path.resolve(folder); ; at = path.dirname(at)) {
    const lock = LOCK_FILES[name]?.find((file) => isFile(path.join(at, file)));
    if (lock !== undefined) return lock;
    if (at === path.dirname(at)) return "package.json says so";
  }
}

/** A command as it is typed. */
export function commandLine({ command, args }: ResolvedCommand): string {
  return [command, ...args].map((word) => (/[\s<>|&;*]/.test(word) ? `"${word}"` : word)).join(" ");
}
