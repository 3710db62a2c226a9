#!/usr/bin/env node
/** `npx makeparallel`: the command line tool. Reads the arguments and calls the command. */
import * as fs from "node:fs";
import * as path from "node:path";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { packageVersion } from "../adapters/version";
import { doctor } from "./doctor";
import { explain } from "./explain";
import { help } from "./help";
import { init } from "./init";
import type { OwnPackage } from "./init/make-plan";
import { Output, type Sink } from "./output";

/** What every command gets. */
export interface CommandContext {
  out: Output;
  err: Output;
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** Folder of this package, and what its package.json says. */
  self: string;
  own: OwnPackage;
}

const OPTIONS: Record<string, NonNullable<ParseArgsConfig["options"]>> = {
  init: { "dry-run": { type: "boolean" }, install: { type: "boolean", default: true } },
  doctor: { json: { type: "boolean" } },
  explain: {},
};

/**
 * Runs a command line.
 * @returns the exit code: 0, 1 when something is wrong with the project or the question, 2 when the command line is not understood
 */
export async function run(
  argv: readonly string[],
  io: { stdout: Sink; stderr: Sink; cwd: string; env: NodeJS.ProcessEnv },
): Promise<number> {
  const out = new Output(io.stdout, io.env);
  const err = new Output(io.stderr, io.env);
  const command = argv.find((arg) => !arg.startsWith("-")) ?? "";
  const wrong = (message: string): number => {
    err.line(`${err.paint("red", "✗")} ${message}`);
    err.line();
    help(err, Object.hasOwn(OPTIONS, command) ? command : undefined);
    return 2;
  };
  if (command !== "" && command !== "help" && !Object.hasOwn(OPTIONS, command)) return wrong(`There is no command "${command}".`);

  let values: Record<string, unknown>;
  let positionals: string[];
  try {
    ({ values, positionals } = parseArgs({
      args: [...argv],
      options: { help: { type: "boolean", short: "h" }, version: { type: "boolean", short: "v" }, ...OPTIONS[command] },
      allowPositionals: true,
      allowNegative: true,
    }));
  } catch (error) {
    return wrong((error as Error).message);
  }
  if (values["version"] === true) {
    out.line(packageVersion());
    return 0;
  }
  if (values["help"] === true || command === "help") {
    help(out, command === "help" ? positionals[1] : command);
    return 0;
  }
  if (command === "") return wrong("Say what to do.");
  const most = command === "explain" ? Infinity : 1;
  if (positionals.length > most) return wrong(`${command} takes no argument "${positionals[1]}".`);

  const self = ownFolder();
  const context: CommandContext = { out, err, cwd: io.cwd, env: io.env, self, own: ownPackage(self) };
  if (command === "init") return init(context, { dryRun: values["dry-run"] === true, install: values["install"] !== false });
  if (command === "doctor") return doctor(context, { json: values["json"] === true });
  return explain(context, positionals.slice(1));
}

function ownFolder(): string {
  for (let folder = __dirname; ; folder = path.dirname(folder)) {
    const file = path.join(folder, "package.json");
    if (fs.existsSync(file) && (JSON.parse(fs.readFileSync(file, "utf8")) as { name?: string }).name === "makeparallel") return folder;
    if (folder === path.dirname(folder)) throw new Error("makeparallel: its own package.json is missing; install the package again.");
  }
}

function ownPackage(folder: string): OwnPackage {
  const { version = "0.0.0", dependencies = {} } = JSON.parse(
    fs.readFileSync(path.join(folder, "package.json"), "utf8"),
  ) as Partial<OwnPackage>;
  return { version, dependencies };
}

if (require.main === module) {
  // Whoever reads it, as `head` does, may have had enough. What was begun is finished all the same.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
  run(process.argv.slice(2), { stdout: process.stdout, stderr: process.stderr, cwd: process.cwd(), env: process.env }).then(
    (code) => {
      process.exitCode = code;
    },
    (error: unknown) => {
      console.error(error);
      process.exitCode = 70;
    },
  );
}
