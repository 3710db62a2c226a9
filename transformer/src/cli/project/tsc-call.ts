/** What a call of `tsc` or `tspc` does: which configurations it builds, and whether it writes JavaScript. */
import * as fs from "node:fs";
import * as path from "node:path";
import { isFile, isFolder } from "./files";
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
  if (build) configs = (positional.length > 0 ? positional : ["."]).flatMap((name) => expanded(folder, name)).map(configIn);
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

/**
 * What a shell makes of `packages/*`: the places that match, by name. Those that hold no project are left out; a pattern that matches nothing stays as it is.
 * @returns absolute paths
 */
function expanded(folder: string, name: string): string[] {
  if (!/[*?]/.test(name)) return [path.resolve(folder, name)];
  let places = [path.isAbsolute(name) ? path.parse(name).root : folder];
  for (const segment of name.split(/[\\/]/)) {
    if (segment === "") continue;
    if (!/[*?]/.test(segment)) places = places.map((place) => path.join(place, segment));
    else {
      const source = segment.replace(/[.+^${}()|[\]\\]/g, "\\$&");
      const pattern = new RegExp(`^${source.replace(/\*+/g, ".*").replaceAll("?", ".")}$`);
      places = places.flatMap((place) => namesIn(place, pattern).map((found) => path.join(place, found)));
    }
  }
  const projects = places.filter((place) => isFile(configIn(place)));
  return projects.length > 0 ? projects : [path.resolve(folder, name)];
}

/** Hidden ones match no pattern. */
function namesIn(folder: string, pattern: RegExp): string[] {
  if (!isFolder(folder)) return [];
  return fs
    .readdirSync(folder)
    .filter((name) => !name.startsWith(".") && pattern.test(name))
    .sort();
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
