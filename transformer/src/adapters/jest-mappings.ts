/** jest's settings about where modules are, for finding what tasks need. Mocks are not among them: a worker is outside jest. */
import * as path from "node:path";
import type { Tsconfig } from "./tsconfig-settings";

/** What is used of jest's project configuration. */
export interface JestConfig {
  rootDir: string;
  moduleNameMapper?: [RegExp | string, string | string[]][];
  modulePaths?: string[];
  roots?: string[];
  modulePathIgnorePatterns?: string[];
}

/** Paths that a specifier may stand for by `moduleNameMapper`, `modulePaths`, and the tsconfig's `paths`. */
export function jestMappings(
  config: JestConfig,
  tsconfig: (file: string) => Tsconfig | undefined,
): (specifier: string, fromFile: string) => string[] {
  const mappings = (config.moduleNameMapper ?? []).map(([pattern, target]) => ({ pattern: new RegExp(pattern), targets: [target].flat() }));
  return (specifier, fromFile) => {
    for (const { pattern, targets } of mappings) {
      const match = pattern.exec(specifier);
      if (!match) continue;
      const replaced = targets.map((target) => target.replace(/\$(\d+)/g, (_, index: string) => match[Number(index)] ?? ""));
      return replaced
        .map((target) => (target.startsWith(".") ? path.resolve(config.rootDir, target) : target))
        .filter((target) => path.isAbsolute(target));
    }
    if (specifier.startsWith(".") || path.isAbsolute(specifier)) return [];
    const below = (config.modulePaths ?? []).map((folder) => path.resolve(config.rootDir, folder, specifier));
    return [...below, ...(tsconfig(fromFile)?.paths(specifier) ?? [])];
  };
}
