/** Does what a plan says. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import type { ResolvedCommand } from "package-manager-detector" with { "resolution-mode": "import" };
import type { FileChange } from "./plan";

/**
 * Runs a command with this process's terminal.
 * @returns what went wrong, or undefined
 */
export function runCommand({ command, args }: ResolvedCommand, cwd: string, env: NodeJS.ProcessEnv): string | undefined {
  // npm and its kind are scripts on Windows, which only a shell starts; no argument here comes from outside this tool.
  const result = spawnSync(command, args, { cwd, env, stdio: ["ignore", "inherit", "inherit"], shell: process.platform === "win32" });
  if (result.error) return result.error.message;
  return result.status === 0 ? undefined : `it ended with ${result.signal ?? `exit code ${result.status}`}`;
}

export function writeChanges(changes: readonly FileChange[]): void {
  for (const { file, after } of changes) fs.writeFileSync(file, after);
}
