/**
 * Where imports lead in programs that run from their sources: relative paths to sources, `paths` of the tsconfig, packages of the workspace; all other
 * packages are outside.
 */
import { createRequire, isBuiltin } from "node:module";
import * as path from "node:path";
import type { Resolution } from "../core";
import { resolutionKey } from "../emit/options";
import { isProjectSource } from "./esbuild-modules";
import { probeSource } from "./project-files";

const IN_PACKAGE = /[\\/]node_modules[\\/]/;

export class UnbuiltResolver {
  /** Every answer that was given, for the bundler. */
  readonly resolutions = new Map<string, Resolution>();

  /**
   * @param mapped absolute paths that a specifier stands for, by the host's settings; the first that exists is taken
   * @param imported a file that an import leads to, where that is another one than `require.resolve` gives
   */
  constructor(
    private readonly mapped: (specifier: string, fromFile: string) => readonly string[],
    private readonly imported?: (specifier: string, fromFile: string) => string | undefined,
  ) {}

  /** Files may have come or gone. */
  clear(): void {
    this.resolutions.clear();
  }

  resolve(specifier: string, fromFile: string, kind: "import" | "require"): Resolution {
    if (isBuiltin(specifier) || specifier === "makeparallel" || specifier.startsWith("makeparallel/")) return { kind: "external" };
    const key = resolutionKey(specifier, fromFile, kind);
    let known = this.resolutions.get(key);
    if (known === undefined) {
      const file = this.file(specifier, fromFile, kind);
      if (file === undefined || IN_PACKAGE.test(file) || file.endsWith(".node")) known = { kind: "external" };
      else known = isProjectSource(file) ? { kind: "project", file } : { kind: "data", file };
      this.resolutions.set(key, known);
    }
    return known;
  }

  private file(specifier: string, fromFile: string, kind: "import" | "require"): string | undefined {
    for (const candidate of this.mapped(specifier, fromFile)) {
      const found = probeSource(candidate);
      if (found !== undefined) return found;
    }
    if (specifier.startsWith(".") || path.isAbsolute(specifier)) return probeSource(path.resolve(path.dirname(fromFile), specifier));
    if (IN_PACKAGE.test(fromFile)) return undefined;
    const imported = kind === "import" ? this.imported?.(specifier, fromFile) : undefined;
    if (imported !== undefined) return imported;
    try {
      return createRequire(fromFile).resolve(specifier);
    } catch {
      return undefined;
    }
  }
}
