/** What a call of `tsc` or `tspc` does: which configurations it builds, and whether it writes JavaScript. */
import * as path from "node:path";
import { isFolder } from "./files";
import type { ScriptCall } from "./scripts";

export interface TscCall {
  call: ScriptCall;
  /** Absolute paths of the tsconfig files; empty when file names are given, since `tsc` then reads none. */
  configs: string[];
  /** `-b`: references are built too. */
  build: boolean;
  watch: boolean;
  /** `output`: it writes JavaScript unless the configuration says `noEmit`. `check`: it only checks types or writes declarations. */
  purpose: "output" | "check";
  /** `--noEmit false` on the command line. */
  forcesOutput: boolean;
}

const QUESTIONS = new Set(["init", "version", "v", "help", "h", "all", "showconfig", "listfilesonly", "locale", "clean"]);

export function readTscCall(call: ScriptCall): TscCall {
  const { args, folder } = call;
  const has = (...names: string[]): boolean => names.some((name) => flag(args, name) !== undefined);
  const value = (name: string): string | undefined => flag(args, name);
  const isOn = (name: string): boolean => has(name) && value(name) !== "false";
  const build = has("b", "build");
  const positional = args.filter(
    (arg, index) => !arg.startsWith("-") && (build || /\.[cm]?tsx?$/.test(arg)) && !isValue(args, index, build),
  );
  const project = value("p") ?? value("project");
  let configs: string[];
  if (build) configs = (positional.length > 0 ? positional : ["."]).map((name) => configIn(path.resolve(folder, name)));
  else if (project !== undefined) configs = [configIn(path.resolve(folder, project))];
  else configs = positional.length > 0 ? [] : [path.join(folder, "tsconfig.json")];
  const asks = args.some((arg) => /^--?/.test(arg) && QUESTIONS.has(arg.replace(/^--?/, "").toLowerCase()));
  return {
    call,
    configs,
    build,
    watch: has("w", "watch"),
    purpose: asks || isOn("noemit") || isOn("emitdeclarationonly") ? "check" : "output",
    forcesOutput: value("noemit") === "false",
  };
}

function configIn(place: string): string {
  return isFolder(place) ? path.join(place, "tsconfig.json") : place;
}

/** Value of a flag: the next word, or "" when that is another flag or nothing; undefined when the flag is not there. */
function flag(args: readonly string[], name: string): string | undefined {
  const at = args.findIndex((arg) => /^--?/.test(arg) && arg.replace(/^--?/, "").toLowerCase() === name);
  if (at < 0) return undefined;
  const next = args[at + 1];
  return next === undefined || next.startsWith("-") ? "" : next;
}

const SWITCHES = new Set([
  "b",
  "build",
  "v",
  "verbose",
  "d",
  "dry",
  "f",
  "force",
  "w",
  "watch",
  "stopbuildonerrors",
  "clean",
  "noemit",
  "pretty",
  "incremental",
]);

/** Whether the word belongs to the flag before it. */
function isValue(args: readonly string[], index: number, build: boolean): boolean {
  const before = args[index - 1];
  if (before === undefined || !before.startsWith("-")) return false;
  const name = before.replace(/^--?/, "").toLowerCase();
  if (SWITCHES.has(name)) return args[index] === "true" || args[index] === "false";
  return !build || name.length > 1;
}
