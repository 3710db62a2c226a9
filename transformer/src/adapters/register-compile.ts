/**
 * Compiles sources for makeparallel/register: stubs in the place of marks, then esbuild, one file at a time, with the nearest tsconfig's settings.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import type * as esbuild from "esbuild";
import { mayContainMark } from "../analyze/marks";
import type { Resolution } from "../core";
import { isBareSpecifier } from "../emit/externals";
import { importedFromWorkspace } from "./package-links";
import { isNodeModule, isOwnCode, packageRoot, probeSource, specifiersIn } from "./project-files";
import type { Report } from "./register-watch";
import { editTextSync } from "./text-edits";
import { compilerOptionsFor, readTsconfig, settingsFor } from "./tsconfig-settings";
import type { UnbuiltProject } from "./unbuilt-project";
import { UnbuiltResolver } from "./unbuilt-resolve";

/** Whether a file is no source of the program. */
export function isForeign(file: string): boolean {
  return /[\\/]node_modules[\\/]/.test(file) || isOwnCode(file);
}

export const TYPESCRIPT_EXTENSIONS = [".ts", ".mts", ".cts", ".tsx"];

export function isTypeScript(file: string): boolean {
  return /\.[cm]?tsx?$/.test(file) && !/\.d\.[cm]?ts$/.test(file);
}

export interface Compiled {
  code: string;
  format: "module" | "commonjs";
}

let compiler: SourceCompiler | undefined;

/**
 * The compiler of this thread.
 * @param entry the program's first file, from which marks are looked for
 * @param report is given the files that are in chunks
 */
export function compilerFor(entry: string | undefined, report: Report | undefined): SourceCompiler {
  return (compiler ??= new SourceCompiler(entry, report));
}

class SourceCompiler {
  readonly #entry: string | undefined;
  readonly #resolver = new UnbuiltResolver(
    (specifier, fromFile) => (isBareSpecifier(specifier) ? (readTsconfig(fromFile)?.paths(specifier) ?? []) : []),
    (specifier, fromFile) => (isNodeModule(fromFile) ? importedFromWorkspace(specifier, fromFile) : undefined),
  );
  readonly #ours = new Map<string, boolean>();
  readonly #warned = new Set<string>();
  #project: UnbuiltProject | undefined;
  #esbuild: typeof esbuild | undefined;

  constructor(
    entry: string | undefined,
    private readonly report: Report | undefined,
  ) {
    this.#entry = entry === undefined ? undefined : path.resolve(entry);
  }

  /** Whether a file is compiled here: all TypeScript, and JavaScript that may have marks. */
  isOurs(file: string): boolean {
    if (isTypeScript(file) || file.endsWith(".jsx")) return true;
    if (!/\.[cm]?js$/.test(file)) return false;
    let ours = this.#ours.get(file);
    if (ours === undefined) {
      const text = readText(file);
      ours = text !== undefined && text.includes("makeparallel") && !text.includes("makeparallel/internal");
      this.#ours.set(file, ours);
    }
    return ours;
  }

  format(file: string): Compiled["format"] {
    return isNodeModule(file) ? "module" : "commonjs";
  }

  /** The source file that a specifier means; undefined when it is for Node to say. */
  find(specifier: string, fromFile: string): string | undefined {
    if (!isBareSpecifier(specifier)) {
      const found = probeSource(path.resolve(path.dirname(fromFile), specifier));
      return found !== undefined && !isForeign(found) && !found.endsWith(".json") ? found : undefined;
    }
    if (specifier.startsWith("node:")) return undefined;
    for (const candidate of readTsconfig(fromFile)?.paths(specifier) ?? []) {
      const found = probeSource(candidate);
      if (found !== undefined && !isForeign(found)) return found;
    }
    return undefined;
  }

  compile(file: string): Compiled {
    const format = this.format(file);
    return { code: this.#transform(file, format).code, format };
  }

  /** Names that a CommonJS source exports, as esbuild sees them, those of `export *` included. */
  exportNames(file: string, seen = new Set<string>()): string[] {
    if (seen.has(file)) return [];
    seen.add(file);
    const { code } = this.#transform(file, "commonjs");
    const annotation = /^0 && \(module\.exports = \{([\s\S]*?)\}\);/m.exec(code)?.[1] ?? "";
    const names = new Set<string>();
    for (const match of annotation.matchAll(/\.\.\.require\("([^"]+)"\)|([\w$]+)\b(?!\s*\()/g)) {
      if (match[2] !== undefined) names.add(match[2]);
      const other = match[1] === undefined ? undefined : this.find(match[1], file);
      if (other !== undefined) for (const name of this.exportNames(other, seen)) names.add(name);
    }
    return [...names];
  }

  #transform(file: string, format: Compiled["format"]): esbuild.TransformResult {
    const text = readText(file) ?? "";
    // Loaded when the first source comes: the hooks are installed in every thread.
    this.#esbuild ??= require("esbuild") as typeof esbuild;
    return this.#esbuild.transformSync(this.#withStubs(file, text), {
      format: format === "module" ? "esm" : "cjs",
      loader: file.endsWith(".tsx") ? "tsx" : isTypeScript(file) ? "ts" : "jsx",
      platform: "node",
      sourcefile: file,
      sourcemap: "inline",
      sourcesContent: false,
      target: `node${process.versions.node}`,
      supported: { "dynamic-import": true },
      tsconfigRaw: { compilerOptions: compilerOptionsFor(readTsconfig(file)) },
      logLevel: "silent",
    });
  }

  #withStubs(file: string, text: string): string {
    if (!mayContainMark(text) && !/\bclass\b/.test(text)) return text;
    const found = this.#unbuilt().file(file, text);
    if (!found) return text;
    this.report?.(found.dependencies);
    if (found.warnings !== undefined && !this.#warned.has(file)) {
      this.#warned.add(file);
      process.stderr.write(`${found.warnings}\n`);
    }
    if (found.edits.length === 0) return text;
    const edited = editTextSync(text, file, found.edits);
    return `${edited.text}\n//# sourceMappingURL=${edited.map.toUrl()}\n`;
  }

  #unbuilt(): UnbuiltProject {
    if (this.#project) return this.#project;
    const { UnbuiltProject: Project } = require("./unbuilt-project") as typeof import("./unbuilt-project");
    const start = this.#entry ?? path.join(process.cwd(), "index.ts");
    this.#project = new Project({
      root: packageRoot(path.dirname(start)),
      resolver: this.#resolver,
      sources: (read, resolve) => (this.#entry === undefined ? [] : reachable(this.#entry, read, resolve)),
      format: (file) => (isNodeModule(file) ? { module: "esm", nodeInterop: true } : { module: "cjs", dynamicImport: "esm" }),
      settings: settingsFor(readTsconfig(start)),
      packages: "external",
      external: [],
      isLoadedByNode: true,
    });
    return this.#project;
  }
}

function readText(file: string): string | undefined {
  try {
    return fs.readFileSync(file, "utf8").replace(/^\uFEFF/, "");
  } catch {
    return undefined;
  }
}

/** The sources that a program's first file leads to. */
function reachable(
  entry: string,
  read: (file: string) => string | undefined,
  resolve: (specifier: string, fromFile: string) => Resolution,
): Set<string> {
  const found = new Set<string>([entry]);
  for (const file of found) {
    for (const specifier of specifiersIn(read(file) ?? "")) {
      const resolution = resolve(specifier, file);
      if (resolution.kind === "project") found.add(resolution.file);
    }
  }
  return found;
}
