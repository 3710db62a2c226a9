/**
 * One build by esbuild that has, or may have, marks.
 *
 * Takes: the host's build. Project files with marks are analyzed when the first of them is loaded, all of them together; each gets its edits as text,
 * with a map. After the build, the chunks are bundled with the host's settings and written beside its output (or added to `outputFiles`).
 */
import * as path from "node:path";
import type * as esbuild from "esbuild";
import type { Diagnostic, Position, TypeScript } from "../core";
import { type Bundle, bundleChunks } from "../emit/bundle";
import { fromBundler } from "../emit/messages";
import type { BundleOptions, SourceFormat } from "../emit/options";
import { manifestText, writeBundle } from "../emit/write-output";
import { portableRelative } from "../emit/paths";
import { Project } from "../project";
import { AnalyzedFiles } from "./analyzed-files";
import { EsbuildModules, isProjectSource } from "./esbuild-modules";
import type { EsbuildPluginOptions } from "./esbuild";
import type { Questions } from "./esbuild-questions";
import type { EsbuildSettings } from "./esbuild-settings";
import { entryAt } from "./file-entry";
import { findTypeScript } from "./find-typescript";
import { Importers } from "./importers";
import { jsxFactoriesOfBuild } from "./jsx-factories";
import { editText } from "./text-edits";
import { packageVersion } from "./version";

export class HostBuild {
  readonly #settings: EsbuildSettings;
  readonly #modules: EsbuildModules;
  #project: Project | undefined;
  /** Of this build; see {@link #prepare}. */
  #prepared: Promise<void> | undefined;
  #files: AnalyzedFiles;
  #importers = new Importers(() => []);
  /** Files that were handed out as they are in this build. */
  #plain = new Set<string>();
  /** Files that esbuild has asked about. */
  readonly #asked = new Set<string>();
  /** A mark was met in some build, be it outside of the project's folder. */
  #hasMet = false;

  constructor(
    build: esbuild.PluginBuild,
    private readonly options: EsbuildPluginOptions,
    settings: EsbuildSettings,
    private readonly questions: Questions,
  ) {
    this.#settings = settings;
    this.#modules = new EsbuildModules(build, (file) => this.#project?.invalidate(file));
    this.#files = this.#noFiles();
  }

  #noFiles(): AnalyzedFiles {
    const settings = this.#settings;
    return new AnalyzedFiles({
      project: () => this.#core(),
      root: settings.root,
      manifestKey: settings.key,
      read: (file) => this.#modules.read(file),
      format: (file, text) => ({ module: settings.formatOf(file, text) }),
    });
  }

  /** A build begins, perhaps another one of the same setup. */
  start(): void {
    this.#prepared = undefined;
    this.#files = this.#noFiles();
    this.#plain = new Set();
    this.#modules.nextBuild();
  }

  async load({ path: file }: esbuild.OnLoadArgs): Promise<esbuild.OnLoadResult | undefined> {
    if (!isProjectSource(file)) return undefined;
    this.#asked.add(file);
    const text = this.#modules.read(file);
    if (text === undefined) return undefined;
    const isMarked = this.#modules.isMarked(file);
    // A class may have to be changed because a task somewhere takes its instances.
    if (!isMarked && (!/\bclass\b/.test(text) || !this.#mayHaveMarks())) {
      this.#plain.add(file);
      return undefined;
    }
    this.#hasMet ||= isMarked;
    await (this.#prepared ??= this.#prepare());
    if (isMarked && !this.#files.results.has(file)) await this.#analyze([file]);
    const result = this.#files.results.get(file);
    if (!result) {
      this.#plain.add(file);
      return undefined;
    }
    const { errors, warnings } = this.#messages(result.diagnostics);
    // What only the chunk holds is no part of the host's build any more, but a change of it has to start one.
    const inChunk = [file, ...result.dependencies];
    const watchFiles = [...result.dependencies, ...this.#modules.dataOf(inChunk), ...this.#modules.missingOf(inChunk)];
    if (errors.length > 0) return { errors, warnings, watchFiles };
    const edited = result.edits.length === 0 ? undefined : await editText(text, path.basename(file), result.edits);
    return {
      contents: edited ? `${edited.text}\n//# sourceMappingURL=${edited.map.toUrl()}\n` : text,
      loader: loaderOf(file, this.#settings.options.loader),
      resolveDir: path.dirname(file),
      warnings,
      watchFiles,
    };
  }

  /** Whether this build has put stubs into a file. */
  hasStubs(file: string): boolean {
    return (this.#files.results.get(file)?.edits.length ?? 0) > 0;
  }

  #mayHaveMarks(): boolean {
    return this.#hasMet || this.questions.hasMarks;
  }

  #core(): Project {
    if (this.#project) return this.#project;
    const modules = this.#modules;
    const { root } = this.#settings;
    let ts: TypeScript | undefined;
    this.#project = new Project({
      get ts() {
        // Loading the compiler takes longer than many a build without marks.
        return (ts ??= findTypeScript(root));
      },
      root,
      jsxFactories: jsxFactoriesOfBuild(this.#settings.chunkOptions()),
      resolve: (specifier, fromFile, kind) => modules.resolve(specifier, fromFile, kind),
      read: (file) => modules.read(file),
      importersOf: (file) => this.#importers.of(file),
    });
    return this.#project;
  }

  /** Analyzes all marked files, so that those which must change because of others are known before any is handed out. */
  async #prepare(): Promise<void> {
    const files = await this.#modules.reachable(this.#settings.entryFiles(), this.#settings.options.bundle === true);
    this.#importers = new Importers(() => [...files].map((file) => ({ file, text: this.#modules.read(file) ?? "" })));
    const marked = [...files].filter((file) => this.#modules.isMarked(file)).sort();
    await this.#analyze(marked);
  }

  #analyze(files: readonly string[]): Promise<void> {
    return this.#files.analyzeAsking(files, () => this.#modules.settle());
  }

  async end(result: esbuild.BuildResult): Promise<esbuild.OnEndResult | undefined> {
    if (result.errors.length > 0) return undefined;
    const settings = this.#settings;
    const taken = this.#takenByOthers(result.metafile);
    if (taken.length > 0) return { errors: taken };
    const plan = this.#files.slice();
    const { errors, warnings } = this.#messages(plan.diagnostics);
    for (const [file, { edits }] of this.#files.results) {
      if (edits.length === 0) continue;
      const name = path.relative(settings.cwd, file);
      if (this.#plain.has(file)) {
        warnings.push({ text: `${name} was built before it was known that its classes travel to workers; build again.` });
      } else if (!this.questions.asks(file)) {
        errors.push({
          text: `The classes of ${name} travel to tasks of another folder: build in a folder that holds both (\`absWorkingDir\`), or mark its package a workspace.`,
        });
      }
    }
    if (errors.length === 0 && plan.entries.length > 0 && !result.metafile && settings.options.outfile === undefined) {
      errors.push({
        text: "All tasks lie outside of the project's folder: set `metafile: true`, so that makeparallel learns which outputs they are in.",
      });
    }
    if (errors.length > 0) return { errors, warnings };

    const files = [...plan.modules.values()].map(({ file }) => file);
    let bundle: Bundle;
    try {
      bundle = await bundleChunks(plan, this.#bundleOptions(result, files), () => findTypeScript(settings.root));
    } catch (error) {
      const failure = error as esbuild.BuildFailure;
      if (!Array.isArray(failure.errors)) throw error;
      return {
        errors: failure.errors.map((message) => ({ ...message, text: fromBundler(message.text, true) })),
        warnings,
      };
    }
    // Hosts that watch by themselves (tsup) take the files to be watched from here.
    if (result.metafile) addInputs(result.metafile, settings.cwd, [...files, ...bundle.inputs]);
    if (settings.keepsOutputs) addOutputs(result, settings.chunkFolder, bundle);
    else writeBundle(settings.chunkFolder, bundle);
    return { warnings: [...warnings, ...bundle.warnings] };
  }

  /** Files with parallel functions that another plugin loaded: esbuild asks those behind it no more. */
  #takenByOthers(metafile: esbuild.Metafile | undefined): esbuild.PartialMessage[] {
    const { cwd } = this.#settings;
    const unasked = Object.keys(metafile?.inputs ?? {})
      .map((input) => path.resolve(cwd, input))
      .filter((file) => isProjectSource(file) && !this.#asked.has(file) && this.questions.asks(file) && this.#modules.isMarked(file));
    if (unasked.length === 0) return [];
    // Where their imports lead makes no difference to that, and nobody answers any more.
    this.#files.analyze(unasked);
    return unasked
      .filter((file) => (this.#files.results.get(file)?.tasks.length ?? 0) > 0)
      .map((file) => ({
        text: `${path.relative(cwd, file)} has parallel functions, but another plugin loaded it before makeparallel was asked, so that they are as they were.`,
        notes: [{ text: this.#settings.beforeOthers }],
      }));
  }

  #bundleOptions(result: esbuild.BuildResult, files: readonly string[]): BundleOptions {
    const settings = this.#settings;
    const outputOf = outputsBySource(result, settings.cwd);
    const { outfile } = settings.options;
    const onlyOutput = path.resolve(settings.cwd, outfile ?? path.join(settings.outFolder, "index.js"));
    const anyOutput = outputOf.values().next().value ?? onlyOutput;
    const sources = new Map<string, SourceFormat>();
    const bundlesFormat = settings.bundlesFormat;
    for (const file of files) {
      const module = settings.formatOf(file, this.#modules.read(file) ?? "");
      sources.set(file, {
        module,
        dynamicImport: "esm",
        nodeInterop: settings.isNodeModule(file),
        emitted: outputOf.get(file) ?? anyOutput,
      });
    }
    return {
      root: settings.root,
      folder: settings.chunkFolder,
      key: settings.key,
      version: packageVersion(),
      sources,
      defaultFormat: { module: bundlesFormat === "esm" ? "esm" : "cjs", dynamicImport: "esm", emitted: anyOutput },
      resolutions: this.#modules.resolutions,
      packages: this.options.packages ?? settings.packages,
      external: [...(settings.options.external ?? []), ...(this.options.external ?? [])],
      dynamicProjectImports: settings.options.bundle ? "bundle" : "external",
      givesWholeCommonJs: settings.options.splitting === true,
      host: settings.chunkOptions(),
      tsconfigIsForAll: settings.options.tsconfig !== undefined || settings.options.tsconfigRaw !== undefined,
      load: async (file) => this.#loadForChunk(file),
      resolve: async (specifier) => (this.#modules.isLeftOutside(specifier) ? { path: specifier, external: true } : undefined),
    };
  }

  /** A project module that a chunk has whole: its own marks become stubs there too. */
  async #loadForChunk(file: string): Promise<esbuild.OnLoadResult | undefined> {
    const text = this.#modules.read(file);
    const result = this.#files.results.get(file);
    if (!isProjectSource(file) || text === undefined || !result || result.edits.length === 0) return undefined;
    const edited = await editText(text, path.basename(file), result.edits);
    return {
      contents: `${edited.text}\n//# sourceMappingURL=${edited.map.toUrl()}\n`,
      loader: loaderOf(file, this.#settings.options.loader),
      resolveDir: path.dirname(file),
    };
  }

  #messages(diagnostics: readonly Diagnostic[]): { errors: esbuild.PartialMessage[]; warnings: esbuild.PartialMessage[] } {
    const errors: esbuild.PartialMessage[] = [];
    const warnings: esbuild.PartialMessage[] = [];
    for (const diagnostic of diagnostics) {
      const notes = diagnostic.related.map(({ at, message }) => ({ text: message, location: this.#location(at) }));
      if (diagnostic.fix !== "") notes.push({ text: diagnostic.fix, location: undefined });
      const message = {
        id: diagnostic.code,
        text: `${diagnostic.code}: ${diagnostic.message}`,
        location: this.#location(diagnostic.at),
        notes,
      };
      (diagnostic.severity === "error" ? errors : warnings).push(message);
    }
    return { errors, warnings };
  }

  #location({ file, start, length }: Position): Partial<esbuild.Location> | undefined {
    const text = this.#modules.read(file);
    if (text === undefined) return undefined;
    const before = text.slice(0, start);
    const lineStart = before.lastIndexOf("\n") + 1;
    const lineEnd = text.indexOf("\n", start);
    const lineText = text.slice(lineStart, lineEnd < 0 ? undefined : lineEnd);
    return {
      file: path.relative(this.#settings.cwd, file),
      line: before.split("\n").length,
      // esbuild counts columns in bytes.
      column: Buffer.byteLength(text.slice(lineStart, start)),
      length: Buffer.byteLength(text.slice(start, Math.min(start + length, lineStart + lineText.length))),
      lineText,
    };
  }
}

function loaderOf(file: string, loaders: Record<string, esbuild.Loader> | undefined): esbuild.Loader {
  const extension = path.extname(file);
  const configured = loaders?.[extension];
  if (configured !== undefined) return configured;
  return extension.endsWith("x") ? (extension.slice(1) as "tsx" | "jsx") : extension.endsWith("ts") ? "ts" : "js";
}

/** The output that each source went to; the first by name when there are several. */
function outputsBySource(result: esbuild.BuildResult, cwd: string): Map<string, string> {
  const outputs = new Map<string, string>();
  for (const [output, { inputs, entryPoint }] of Object.entries(result.metafile?.outputs ?? {}).sort((a, b) => (a[0] < b[0] ? -1 : 1))) {
    if (output.endsWith(".map")) continue;
    for (const input of [...Object.keys(inputs), ...(entryPoint === undefined ? [] : [entryPoint])]) {
      const file = path.resolve(cwd, input);
      if (!outputs.has(file)) outputs.set(file, path.resolve(cwd, output));
    }
  }
  return outputs;
}

/** Files that only chunks hold are inputs of the build, too. */
function addInputs({ inputs }: esbuild.Metafile, cwd: string, files: readonly string[]): void {
  for (const file of new Set(files)) {
    const bytes = entryAt(file)?.size;
    if (bytes !== undefined) inputs[portableRelative(cwd, file)] ??= { bytes, imports: [] };
  }
}

function addOutputs(result: esbuild.BuildResult, folder: string, bundle: Bundle): void {
  const files = new Map(bundle.files);
  if (files.size > 0) files.set(`${bundle.manifest.key}.json`, Buffer.from(manifestText(bundle.manifest)));
  for (const [name, contents] of files) {
    const hash = bundle.manifest.chunks[name]?.sha256 ?? "";
    result.outputFiles?.push({
      path: path.join(folder, name),
      contents,
      hash,
      get text() {
        return Buffer.from(contents).toString("utf8");
      },
    });
  }
}
