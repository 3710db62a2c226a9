/** Child processes with a hard time limit, so that a hang is a failure. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
  /** ms */
  took: number;
  /** It did not end in time and was killed. */
  hung: boolean;
}

export interface RunOptions {
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  execArgv?: string[];
  /** ms; default 20,000 */
  limit?: number;
  /** Called with all that has been written to stdout so far. */
  onOutput?: (stdout: string, child: import("node:child_process").ChildProcess) => void;
}

/** Runs `node file args`. */
export function runNode(file: string, args: string[] = [], options: RunOptions = {}): Promise<Ended> {
  const started = performance.now();
  const child = spawn(process.execPath, [...(options.execArgv ?? []), file, ...args], {
    env: { ...cleanEnvironment(), ...options.env },
    cwd: options.cwd,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  let hung = false;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    options.onOutput?.(stdout, child);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const limit = setTimeout(() => {
    hung = true;
    child.kill("SIGKILL");
  }, options.limit ?? 20_000);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(limit);
      resolve({ code, signal, stdout, stderr, hung, took: performance.now() - started });
    });
  });
}

function cleanEnvironment(): NodeJS.ProcessEnv {
  const env = { ...process.env };
  for (const name of Object.keys(env))
    if (name.startsWith("MAKEPARALLEL_") || name.startsWith("JEST_") || name === "NODE_OPTIONS") delete env[name];
  return env;
}

/** A folder that is removed after the tests of this file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), "makeparallel-"));
  folders.push(folder);
  return folder;
}

const folders: string[] = [];

/** For `afterAll`. */
export function removeTemporaryFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}
