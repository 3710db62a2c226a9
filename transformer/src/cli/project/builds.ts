/**
 * Which tsconfig files a project's JavaScript comes from.
 *
 * Takes: the calls of the compiler. Gives: the configurations that write output and lie in the package, with the calls that use them; solution files
 * are replaced by what they reference.
 */
import * as path from "node:path";
import { foldersUp, isFile } from "./files";
import { hasPlugin, isOn, isSolution, readTsConfig, referencesOf, type TsConfig, TsConfigError } from "./tsconfig";
import type { TscCall } from "./tsc-call";

export interface CompilerBuild {
  config: TsConfig;
  calls: TscCall[];
}

export interface CompilerBuilds {
  builds: CompilerBuild[];
  /** Configurations that can't be read. */
  broken: TsConfigError[];
  /** Configurations with the transformer that write no JavaScript. */
  silent: TsConfig[];
  /** Configurations of other packages that are built along. */
  outside: string[];
}

/**
 * @param folder of the package
 * @param calls that write output
 * @param more configurations that are built without such a call
 */
export function findBuilds(folder: string, calls: readonly TscCall[], more: readonly string[]): CompilerBuilds {
  const builds = new Map<string, CompilerBuild>();
  const broken = new Map<string, TsConfigError>();
  const outside = new Set<string>();
  const silent = new Map<string, TsConfig>();

  const visit = (file: string, call: TscCall | undefined, seen: ReadonlySet<string>): void => {
    if (seen.has(file)) return;
    if (!belongsTo(file, folder)) {
      outside.add(file);
      return;
    }
    let config: TsConfig;
    try {
      config = readTsConfig(file);
    } catch (error) {
      if (!(error instanceof TsConfigError)) throw error;
      broken.set(error.file, error);
      return;
    }
    const followed = new Set([...seen, file]);
    if (isSolution(config)) {
      for (const reference of referencesOf(config)) visit(reference, call, followed);
      return;
    }
    if (call?.build === true) for (const reference of referencesOf(config)) visit(reference, call, followed);
    else for (const reference of referencesOf(config)) if (!belongsTo(reference, folder)) outside.add(reference);
    if ((isOn(config, "noEmit") && call?.forcesOutput !== true) || isOn(config, "emitDeclarationOnly")) {
      if (hasPlugin(config)) silent.set(file, config);
      return;
    }
    const build = builds.get(file) ?? { config, calls: [] };
    if (call && !build.calls.includes(call)) build.calls.push(call);
    builds.set(file, build);
  };

  for (const call of calls) for (const file of call.configs) visit(file, call, new Set());
  for (const file of more) if (isFile(file)) visit(file, undefined, new Set());
  return { builds: [...builds.values()], broken: [...broken.values()], silent: [...silent.values()], outside: [...outside] };
}

/** Whether a file is the package's own: the nearest package.json above it is the one in the folder. */
export function belongsTo(file: string, folder: string): boolean {
  for (const at of foldersUp(path.dirname(file))) {
    if (at === folder) return true;
    if (isFile(path.join(at, "package.json"))) return false;
  }
  return false;
}
