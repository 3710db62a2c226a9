/**
 * Marks in programs that run from their sources (makeparallel/jest, makeparallel/register).
 *
 * Takes: one file after the other, as the host asks for them, and where else to look for marks, because a class may have to change for a task in a file that
 * comes later. Gives: edits that name a manifest in the cache folder, whose chunks are there when the call returns.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { entryAt } from "./file-entry";
import type { DecoratorMetadataSettings, Diagnostic, Edit, Resolution, SlicePlan, TypeScript } from "../core";
import { renderDiagnostics } from "../diagnostics/render";
import { type BundleOptions, hasOwnImport, type HostBuildOptions, type SourceFormat } from "../emit/options";
import { bundleChunksSync } from "../emit/sync-bundler";
import { Project } from "../project";
import { AnalyzedFiles } from "./analyzed-files";
import { type CachedPlan, cachedPlan, isCached, KEY, PLACE, withManifest, writeCached } from "./cached-chunks";
import { isProjectSource } from "./esbuild-modules";
import { findTypeScript } from "./find-typescript";
import { Importers } from "./importers";
import { jsxFactoriesOfBuild } from "./jsx-factories";
import type { UnbuiltResolver } from "./unbuilt-resolve";
import { packageVersion } from "./version";

export interface UnbuiltHost {
  /** Absolute path of the package root: ids are relative to it. */
  root: string;
  resolver: UnbuiltResolver;
  /** Files that may have marks. */
  sources(read: (file: string) => string | undefined, resolve: (specifier: string, fromFile: string) => Resolution): Iterable<string>;
  /** How a file is compiled. */
  format(file: string): SourceFormat;
  settings: HostBuildOptions;
  /** Given where the program gets decorators' metadata. */
  decoratorMetadata?: DecoratorMetadataSettings | undefined;
  /** What compiles TC39 decorators of the program, where it is not esbuild. */
  standardDecorators?: BundleOptions["standardDecorators"];
  packages: "external" | "bundle";
  external: readonly string[];
  isLoadedByNode?: BundleOptions["isLoadedByNode"];
}

export interface UnbuiltFile {
  edits: readonly Edit[];
  /** Files of the project that the result depends on. */
  dependencies: readonly string[];
  /** Rendered; errors have been thrown. */
  warnings: string | undefined;
}

interface Text {
  text: string | undefined;
  modified: number;
  size: number;
}

export class UnbuiltProject {
  readonly #project: Project;
  readonly #texts = new Map<string, Text>();
  readonly #files: AnalyzedFiles;
  #importers = new Importers(() => []);
  #isPrepared = false;
  #cached: CachedPlan | undefined;

  constructor(private readonly host: UnbuiltHost) {
    const { root } = host;
    this.#project = new Project({
      get ts(): TypeScript {
        return findTypeScript(root);
      },
      root,
      jsxFactories: jsxFactoriesOfBuild(host.settings),
      decoratorMetadata: host.decoratorMetadata,
      standardDecorators: host.standardDecorators,
      resolve: (specifier, fromFile, kind) => host.resolver.resolve(specifier, fromFile, kind),
      moduleFormat: (file) => host.format(file).module,
      hasOwnImport: (file) => hasOwnImport(host.format(file)),
      read: (file) => this.#read(file),
      importersOf: (file) => this.#importers.of(file),
      importersFor: "classes",
    });
    this.#files = new AnalyzedFiles({
      project: () => this.#project,
      root,
      manifestKey: KEY,
      read: (file) => this.#read(file),
      format: () => ({ module: "esm", location: PLACE }),
    });
  }

  /** Files may have changed since they were looked at. */
  refresh(): void {
    let changed = false;
    for (const [file, known] of this.#texts) {
      const stat = entryAt(file);
      if ((stat?.mtimeMs ?? -1) === known.modified && (stat?.size ?? -1) === known.size) continue;
      this.#texts.delete(file);
      if (this.#read(file) !== known.text) {
        this.#project.invalidate(file);
        changed = true;
      }
    }
    if (!changed && this.#isPrepared) return;
    this.host.resolver.clear();
    this.#project.invalidate(path.join(this.host.root, "\0"));
    this.#isPrepared = false;
    this.#files.results.clear();
    this.#cached = undefined;
  }

  /**
   * @param text as the host has it
   * @returns undefined for a file that stays as it is
   * @throws Error whose message shows all errors in this file, with code frames
   */
  file(file: string, text: string): UnbuiltFile | undefined {
    if (!isProjectSource(file)) return undefined;
    const isMarked = Project.mayContainTask(text);
    // A class may have to be changed because a task somewhere takes its instances.
    if (!isMarked && !/\bclass\b/.test(text)) return undefined;
    if (this.#read(file) !== text) this.#give(file, text);
    this.#prepare();
    // A file that had to change for a task elsewhere has a result already, but its own tasks are not in the chunks.
    if (isMarked && !this.#files.marked.has(file)) this.#add(file);
    const result = this.#files.results.get(file);
    if (!result) return undefined;
    const errors = result.diagnostics.filter(({ severity }) => severity === "error");
    if (errors.length > 0) throw new Error(`makeparallel can't transform ${file}\n\n${this.#render(errors)}`);
    if (result.edits.length === 0 && result.diagnostics.length === 0) return undefined;
    const edits = result.edits.length === 0 ? [] : withManifest(result.edits, this.#chunks(file));
    const others = result.diagnostics.filter(({ severity }) => severity !== "error");
    return { edits, dependencies: result.dependencies, warnings: others.length === 0 ? undefined : this.#render(others) };
  }

  #read(file: string): string | undefined {
    let known = this.#texts.get(file);
    if (!known) {
      const stat = entryAt(file);
      const text = stat?.isFile() ? fs.readFileSync(file, "utf8").replace(/^\uFEFF/, "") : undefined;
      known = { text, modified: stat?.mtimeMs ?? -1, size: stat?.size ?? -1 };
      this.#texts.set(file, known);
    }
    return known.text;
  }

  #give(file: string, text: string): void {
    const stat = entryAt(file);
    this.#texts.set(file, { text, modified: stat?.mtimeMs ?? -1, size: stat?.size ?? -1 });
    this.#project.invalidate(file);
    this.#isPrepared = false;
    this.#files.results.clear();
    this.#cached = undefined;
  }

  #prepare(): void {
    if (this.#isPrepared) return;
    this.#isPrepared = true;
    const read = (file: string): string | undefined => this.#read(file);
    const { resolver } = this.host;
    const sources = [...this.host.sources(read, (specifier, from) => resolver.resolve(specifier, from, "import"))];
    this.#importers = new Importers(() => sources.map((file) => ({ file, text: read(file) ?? "" })));
    for (const file of sources) {
      if (isProjectSource(file) && this.#isMarked(file)) this.#files.marked.add(file);
    }
    for (const file of this.#files.marked) if (!this.#isMarked(file)) this.#files.marked.delete(file);
    this.#files.analyze([...this.#files.marked].sort());
  }

  /** A file that was not found before it was asked for. */
  #add(file: string): void {
    this.#cached = undefined;
    this.#files.analyze([file]);
  }

  /** Sees to it that the chunks are in the cache. */
  #chunks(file: string): CachedPlan {
    if (this.#cached !== undefined && fs.existsSync(this.#cached.folder)) return this.#cached;
    try {
      return (this.#cached = this.#write(this.#files.marked));
    } catch (error) {
      // Another file may be at fault, one that this program never asks for.
      const needed = [file, ...(this.#files.results.get(file)?.dependencies ?? [])].filter((other) => this.#files.marked.has(other));
      if (needed.length === this.#files.marked.size) throw error;
      return this.#write(needed);
    }
  }

  #write(files: Iterable<string>): CachedPlan {
    const { host } = this;
    const plan = this.#files.slice(files);
    const options = this.#bundleOptions(plan);
    const cached = cachedPlan(plan, options);
    if (isCached(cached)) return cached;
    const outcome = bundleChunksSync(cached.plan, { ...options, folder: cached.folder, key: cached.key }, undefined);
    if ("errors" in outcome) {
      const texts = outcome.errors.map(({ text, location }) =>
        location ? `${location.file}:${location.line}:${location.column + 1}: ${text}` : text,
      );
      throw new Error(`makeparallel: the chunks of ${host.root} could not be bundled.\n${texts.join("\n")}`);
    }
    writeCached(cached, outcome.bundle);
    return cached;
  }

  #bundleOptions(plan: SlicePlan): Omit<BundleOptions, "folder" | "key"> {
    const { host } = this;
    const sources = new Map<string, SourceFormat>();
    for (const { file } of plan.modules.values()) sources.set(file, host.format(file));
    return {
      root: host.root,
      version: packageVersion(),
      sources,
      defaultFormat: { module: "cjs" },
      resolutions: host.resolver.resolutions,
      packages: host.packages,
      external: host.external,
      dynamicProjectImports: "bundle",
      ...(host.isLoadedByNode && { isLoadedByNode: true }),
      host: host.settings,
      standardDecorators: host.standardDecorators,
    };
  }

  #isMarked(file: string): boolean {
    const text = this.#read(file);
    // What has been transformed already says where its chunks are.
    return text !== undefined && Project.mayContainTask(text) && !text.includes("makeparallel/internal");
  }

  #render(diagnostics: readonly Diagnostic[]): string {
    return renderDiagnostics(diagnostics, { root: process.cwd(), read: (file) => this.#read(file) });
  }
}
