/** What the adapter reads from the host build's options: entries, formats, output places, and the settings that chunks share. */
import * as fs from "node:fs";
import * as path from "node:path";
import type * as esbuild from "esbuild";
import { entryAt } from "./file-entry";
import { CHUNK_FOLDER } from "../../../runtime-ts/src/manifest";
import { manifestKey } from "../emit/manifest-key";
import type { HostBuildOptions } from "../emit/options";
import { portableRelative, toSlashes } from "../emit/paths";
import { findUp, packageRoot } from "./project-files";

export class EsbuildSettings {
  readonly cwd: string;
  /** Package root: ids are relative to it. */
  readonly root: string;
  readonly key: string;
  readonly chunkFolder: string;
  /** Folder that outputs go to. */
  readonly outFolder: string;

  constructor(readonly options: esbuild.BuildOptions) {
    this.cwd = path.resolve(options.absWorkingDir ?? process.cwd());
    this.root = packageRoot(this.cwd);
    const { outdir, outfile } = options;
    this.outFolder = path.resolve(this.cwd, outdir ?? (outfile === undefined ? "." : path.dirname(outfile)));
    this.chunkFolder = path.join(this.outFolder, CHUNK_FOLDER);
    const output = outdir ?? outfile;
    const entries = this.#entryPatterns().map((entry) => toSlashes(path.isAbsolute(entry) ? portableRelative(this.root, entry) : entry));
    this.key = manifestKey(
      "esbuild",
      output === undefined ? "" : portableRelative(this.root, path.resolve(this.cwd, output)),
      this.bundlesFormat ?? "",
      ...entries.sort(),
    );
  }

  /** Format of all outputs; undefined when each file keeps its own. */
  get bundlesFormat(): "esm" | "cjs" | "iife" | undefined {
    const { format, bundle, platform } = this.options;
    if (this.#tsupFormat !== undefined) return this.#tsupFormat;
    return format ?? (bundle ? (platform === "node" ? "cjs" : platform === "neutral" ? "esm" : "iife") : undefined);
  }

  /**
   * What tsup makes in the end; undefined in other builds. It has esbuild write ES modules where it turns them into CommonJS itself (code splitting, tree
   * shaking), and tells the program its format by this name.
   */
  get #tsupFormat(): "esm" | "cjs" | "iife" | undefined {
    const named = this.options.define?.["TSUP_FORMAT"];
    return named === '"esm"' || named === '"cjs"' || named === '"iife"' ? (JSON.parse(named) as "esm" | "cjs" | "iife") : undefined;
  }

  /**
   * Whether chunks are added to the build's `outputFiles` rather than written. tsup takes all of those for modules of the program: it would shake, minify
   * and convert chunks, which are none, and they would no longer be what the manifest says.
   */
  get keepsOutputs(): boolean {
    return this.options.write === false && this.#tsupFormat === undefined;
  }

  /** How to have the plugin asked before others are. */
  get beforeOthers(): string {
    return this.#tsupFormat === undefined
      ? "Put makeparallel() first in `plugins`."
      : "tsup has SWC load all files where the tsconfig file has `emitDecoratorMetadata`: name one without it in tsup's `tsconfig`, or build with tspc.";
  }

  /** Format in which a file is emitted. */
  formatOf(file: string, text: string): "esm" | "cjs" {
    const { bundlesFormat } = this;
    if (bundlesFormat !== undefined) return bundlesFormat === "esm" ? "esm" : "cjs";
    if (/\.m[jt]s$/.test(file)) return "esm";
    if (/\.c[jt]s$/.test(file)) return "cjs";
    return /^\s*(import|export)\b/m.test(text) ? "esm" : "cjs";
  }

  /** How its imports of CommonJS read: by Node's rules in files that are ES modules to Node. */
  isNodeModule(file: string): boolean {
    if (/\.m[jt]s$/.test(file)) return true;
    if (/\.c[jt]s$/.test(file)) return false;
    for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
      try {
        return (JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8")) as { type?: string }).type === "module";
      } catch {
        if (folder === path.dirname(folder)) return false;
      }
    }
  }

  /** Absolute paths of the entry files. */
  entryFiles(): string[] {
    return this.#entryPatterns().flatMap((entry) =>
      entry.includes("*") ? expand(path.resolve(this.cwd, entry)) : [resolveEntry(path.resolve(this.cwd, entry))],
    );
  }

  #entryPatterns(): string[] {
    const { entryPoints } = this.options;
    if (entryPoints === undefined) return [];
    if (!Array.isArray(entryPoints)) return Object.values(entryPoints);
    return entryPoints.map((entry) => (typeof entry === "string" ? entry : entry.in));
  }

  /** Whether packages go into the chunks: as into the bundle. */
  get packages(): "external" | "bundle" {
    return this.options.bundle && this.options.packages !== "external" ? "bundle" : "external";
  }

  /** esbuild looks for it beside each file, but slices are no files: they get that of the first entry. */
  #tsconfig(): string | undefined {
    const { tsconfig, tsconfigRaw } = this.options;
    if (tsconfig !== undefined) return path.resolve(this.cwd, tsconfig);
    if (tsconfigRaw !== undefined) return undefined;
    const [entry] = this.entryFiles();
    return findUp(entry === undefined ? this.cwd : path.dirname(entry), ["tsconfig.json", "jsconfig.json"]);
  }

  /** esbuild settings that change what code means. */
  chunkOptions(): HostBuildOptions {
    const { options } = this;
    return {
      alias: options.alias,
      conditions: options.conditions,
      define: options.define,
      inject: options.inject?.map((file) => path.resolve(this.cwd, file)),
      jsx: options.jsx,
      jsxDev: options.jsxDev,
      jsxFactory: options.jsxFactory,
      jsxFragment: options.jsxFragment,
      jsxImportSource: options.jsxImportSource,
      jsxSideEffects: options.jsxSideEffects,
      loader: options.loader,
      mainFields: options.mainFields,
      nodePaths: options.nodePaths,
      preserveSymlinks: options.preserveSymlinks,
      pure: options.pure,
      resolveExtensions: options.resolveExtensions,
      supported: options.supported,
      target: options.target,
      tsconfig: this.#tsconfig(),
      tsconfigRaw: options.tsconfigRaw,
    };
  }
}

function resolveEntry(file: string): string {
  if (entryAt(file)?.isFile()) return file;
  const candidates = [".tsx", ".ts", ".mts", ".cts", ".jsx", ".js", ".mjs", ".cjs"].map((extension) => file + extension);
  return candidates.find((candidate) => fs.existsSync(candidate)) ?? file;
}

/** esbuild's own patterns: `*` within a path segment, `**` across segments. */
function expand(pattern: string): string[] {
  const fixed = pattern.slice(0, pattern.indexOf("*"));
  const folder = fixed.slice(0, fixed.lastIndexOf(path.sep) + 1);
  const source = pattern
    .split(/(\*\*|\*)/)
    .map((part) => (part === "**" ? ".*" : part === "*" ? "[^/\\\\]*" : part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")))
    .join("");
  const matcher = new RegExp(`^${source}$`);
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath ?? entry.path, entry.name))
    .filter((file) => matcher.test(file));
}
