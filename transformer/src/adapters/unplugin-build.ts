/**
 * The half of the bundler plugins that knows no bundler.
 *
 * Takes: files as the host loads them, and the host's resolution. All project files with marks that the entries reach are analyzed before the first of
 * them is handed out, because a class may have to change for a task elsewhere. Gives: edited text with a map, messages, and the chunks of a build.
 */
import { createHash } from "node:crypto";
import * as path from "node:path";
import type * as esbuild from "esbuild";
import type { SourceMap } from "magic-string" with { "resolution-mode": "import" };
import { CHUNK_FOLDER } from "../../../runtime-ts/src/manifest";
import type { DecoratorMetadataSettings, Diagnostic, Edit, FileResult, SlicePlan, TypeScript } from "../core";
import { renderDiagnostic } from "../diagnostics/render";
import { type Bundle, bundleChunks } from "../emit/bundle";
import { manifestKey } from "../emit/manifest-key";
import { fromBundler } from "../emit/messages";
import type { BundleOptions, SourceFormat } from "../emit/options";
import { portableRelative } from "../emit/paths";
import { Project } from "../project";
import { AnalyzedFiles } from "./analyzed-files";
import { type CachedPlan, cachedPlan, isCached, KEY, PLACE, withManifest, writeCached } from "./cached-chunks";
import { isProjectSource } from "./esbuild-modules";
import { findTypeScript } from "./find-typescript";
import { Importers } from "./importers";
import { jsxFactoriesOfBuild } from "./jsx-factories";
import { findUp, isNodeModule, packageRoot, projectSources } from "./project-files";
import { editText } from "./text-edits";
import { decoratorMetadataIn, readTsconfig } from "./tsconfig-settings";
import type { UnpluginOptions } from "./plugin-types";
import { type HostFacts, type HostMessage, type HostOutput, placeIn } from "./unplugin-host";
import { UnpluginModules } from "./unplugin-modules";
import { packageVersion } from "./version";

export interface Transformed {
  /** Undefined: the text stays as it is. */
  edited: { text: string; map: SourceMap } | undefined;
  hasTasks: boolean;
  messages: HostMessage[];
  /** Files whose change changes this result, or the chunks that come of it. */
  watch: string[];
  /** Files that are not there, and would change it if they came. */
  missing: string[];
}

export class UnpluginBuild {
  /** Package root: ids are relative to it. */
  readonly root: string;
  readonly key: string;
  readonly #modules: UnpluginModules;
  readonly #project: Project;
  /** Entries that are known to be analyzed in this build. */
  readonly #reached = new Set<string>();
  readonly #files: AnalyzedFiles;
  /** With what each file was handed out, to see which was handed out too early. */
  readonly #handed = new Map<string, string>();
  /** What was said about each file when it was handed out last: the host keeps it as long as it keeps the file. */
  readonly #said = new Map<string, readonly string[]>();
  /** Files with marks that the chunks of the last bundle have whole. */
  readonly #inChunks = new Set<string>();
  #importers = new Importers(() => []);
  #sources: readonly string[] | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly host: HostFacts,
    private readonly options: UnpluginOptions,
  ) {
    this.root = packageRoot(host.cwd);
    const entries = host.entries.map((entry) => portableRelative(this.root, entry)).sort();
    this.key = this.#isDevelopment ? KEY : manifestKey(host.name, ...host.identity, ...entries);
    const modules = new UnpluginModules(host, (file) => this.#project.invalidate(file));
    this.#modules = modules;
    const typescript = (): TypeScript => findTypeScript(this.root);
    this.#project = new Project({
      get ts() {
        // Loading the compiler takes longer than many a build without marks.
        return typescript();
      },
      root: this.root,
      jsxFactories: jsxFactoriesOfBuild(host.settings),
      decoratorMetadata: this.#decoratorMetadata(),
      resolve: (specifier, fromFile, kind) => modules.resolve(specifier, fromFile, kind),
      read: (file) => modules.read(file),
      importersOf: (file) => this.#importers.of(file),
    });
    this.#files = new AnalyzedFiles({
      project: () => this.#project,
      root: this.root,
      manifestKey: this.key,
      read: (file) => modules.read(file),
      format: () => ({ module: "esm", location: host.location ?? PLACE }),
    });
  }

  get #isDevelopment(): boolean {
    return this.host.location === undefined;
  }

  /** Another build begins: files may have changed. What is unchanged may not be loaded again by the host, so that nothing else is forgotten. */
  nextBuild(): void {
    this.#modules.nextBuild();
    this.#reached.clear();
    this.#files.results.clear();
    for (const file of this.#files.marked) if (!this.#isMarked(file)) this.#files.marked.delete(file);
  }

  /** @returns undefined for files that nothing is to be done about */
  async transform(file: string, text: string): Promise<Transformed | undefined> {
    if (!isProjectSource(file)) return undefined;
    const isMarked = Project.mayContainTask(text);
    // A class may have to be changed because a task somewhere takes its instances.
    if (!isMarked && !/\bclass\b/.test(text)) {
      const taken = this.#exclusive(async () => this.#takeUnmarked(file, text));
      // No build waits for that: the analysis of another file may be waiting for the host, which may be loading this one.
      if (!this.#isDevelopment) return undefined;
      const messages = await taken;
      return messages.length > 0 ? { edited: undefined, hasTasks: false, messages, watch: [], missing: [] } : undefined;
    }
    return this.#exclusive(async () => {
      const messages = isMarked ? [] : this.#takeUnmarked(file, text);
      if (this.#isDevelopment) this.nextBuild();
      if (this.#modules.give(file, text)) this.#forgetResults();
      await this.#analyzeFrom([...this.#entries(), file]);
      const result = this.#files.results.get(file);
      this.#handed.set(file, editsKey(result));
      if (!result) return { edited: undefined, hasTasks: false, messages, watch: [], missing: [] };
      const transformed = await this.#transformed(file, text, result);
      return { ...transformed, messages: [...messages, ...transformed.messages] };
    });
  }

  /** Tasks may use the file: chunks hold what the host hands over. In a build they are made when all files have been; in development that may be too late. */
  #takeUnmarked(file: string, text: string): HostMessage[] {
    const used = [...this.#files.results].find(([, { dependencies }]) => dependencies.includes(file));
    if (!this.#modules.note(file, text)) return [];
    this.#forgetResults();
    return this.#isDevelopment && used ? [this.#tooLate(file, used[0])] : [];
  }

  /**
   * The chunks of the build.
   * @param loaded the build's modules; what is not among them has left it
   * @returns no bundle when there are errors
   */
  async bundle(
    output: HostOutput,
    loaded: Iterable<string> | undefined,
  ): Promise<{ bundle: Bundle | undefined; folder: string; messages: HostMessage[]; watch: string[] }> {
    return this.#exclusive(async () => {
      const folder = path.join(output.folder, CHUNK_FOLDER);
      if (loaded) {
        const files = new Set([...loaded].filter((file) => isProjectSource(file)));
        for (const file of this.#files.marked) if (!files.has(file)) this.#files.marked.delete(file);
        // A host that keeps modules has shown none of them to this build.
        const marked = [...files].filter((file) => this.#isMarked(file));
        if (marked.length > 0) await this.#analyzeFrom([...this.#entries(), ...marked]);
        for (const file of this.#files.marked) if (!files.has(file)) this.#files.marked.delete(file);
      }
      const early = [...this.#handed].filter(
        ([file, key]) => this.#files.results.has(file) && key !== editsKey(this.#files.results.get(file)),
      );
      if (loaded && this.host.hasHiddenEntries) await this.#narrow([...loaded].filter((file) => isProjectSource(file)));
      let plan = await this.#sliceAll(output);
      const messages = [...this.#messages(plan.diagnostics), ...early.map(([file]) => this.#tooEarly(file))];
      this.#sayRest(messages);
      if (messages.some(({ severity }) => severity === "error")) return { bundle: undefined, folder, messages, watch: [] };
      try {
        let bundle: Bundle;
        for (;;) {
          this.#inChunks.clear();
          bundle = await bundleChunks(plan, { ...this.#bundleOptions(plan, output), folder, key: output.key ?? this.key }, () =>
            findTypeScript(this.root),
          );
          // A task may import a file by `import()`.
          const others = [...this.#inChunks].filter((file) => !this.#files.marked.has(file));
          if (others.length === 0) break;
          await this.#files.analyzeAsking(others, () => this.#modules.settle());
          plan = await this.#sliceAll(output);
          this.#sayRest(messages);
          if (messages.some(({ severity }) => severity === "error")) return { bundle: undefined, folder, messages, watch: [] };
        }
        return {
          bundle,
          folder,
          messages: [...messages, ...bundle.warnings.map((warning) => this.#ofEsbuild(warning, "warning"))],
          watch: bundle.inputs,
        };
      } catch (error) {
        return { bundle: undefined, folder, messages: [...messages, ...this.#failure(error)], watch: [] };
      }
    });
  }

  /** Takes what was concluded from files that are not in the program out of its chunks. */
  async #narrow(files: readonly string[]): Promise<void> {
    this.#importersAre(files);
    await this.#files.analyzeAsking([...this.#files.marked], () => this.#modules.settle());
  }

  /** The slices of all tasks. A file that only chunks have is none of the host's modules, but its tasks are the program's all the same. */
  async #sliceAll(output: HostOutput): Promise<SlicePlan> {
    for (;;) {
      const plan = this.#withKeyOf(output, this.#files.slice());
      const files = new Set([...plan.modules.values()].map(({ file }) => file));
      const others = [...files].filter((file) => !this.#files.marked.has(file) && this.#isMarked(file));
      if (others.length === 0) return plan;
      await this.#files.analyzeAsking(others, () => this.#modules.settle());
    }
  }

  /** Tasks of tasks are looked up in the output's own manifest. */
  #withKeyOf({ key }: HostOutput, plan: SlicePlan): SlicePlan {
    if (key === undefined || key === this.key) return plan;
    const modules = [...plan.modules].map(([id, each]) => [id, { ...each, contents: each.contents.replaceAll(this.key, key) }] as const);
    return { ...plan, modules: new Map(modules) };
  }

  /** Adds what is to be said about files that the host has not handed over again since it became true, or hands over to nobody. */
  #sayRest(messages: HostMessage[]): void {
    for (const file of this.#files.marked) {
      const said = new Set([...(this.#said.get(file) ?? []), ...messages.map(({ text }) => text)]);
      messages.push(...this.#messages(this.#files.results.get(file)?.diagnostics ?? []).filter(({ text }) => !said.has(text)));
    }
  }

  #forgetResults(): void {
    this.#files.results.clear();
    this.#reached.clear();
  }

  async #transformed(file: string, text: string, result: FileResult): Promise<Transformed> {
    const messages = this.#messages(result.diagnostics);
    this.#said.set(
      file,
      messages.map(({ text }) => text),
    );
    const inChunk = [file, ...result.dependencies];
    const watch = [...result.dependencies, ...result.consulted, ...this.#modules.dataOf(inChunk)];
    const missing = this.#isDevelopment ? [] : this.#modules.missingOf(inChunk);
    const hasTasks = result.tasks.length > 0;
    // Changed for the sake of tasks elsewhere.
    if (!hasTasks) watch.push(...this.#files.marked);
    if (messages.some(({ severity }) => severity === "error") || result.edits.length === 0)
      return { edited: undefined, hasTasks, messages, watch, missing };
    let { edits } = result;
    if (this.#isDevelopment) {
      const cached = await this.#cached();
      messages.push(...cached.messages);
      edits = withManifest(edits, cached.plan);
    } else if (hasTasks && this.host.isWatching?.()) {
      edits = withRevision(edits, this.key, revisionOf(inChunk.map((name) => this.#modules.read(name) ?? "")));
    }
    return { edited: await this.#edit(file, text, edits), hasTasks, messages, watch, missing };
  }

  #edit(file: string, text: string, edits: readonly Edit[]): Promise<{ text: string; map: SourceMap }> {
    return editText(text, path.basename(file), edits);
  }

  /** Writes the chunks of all that is known by now into the cache, if they are not there. */
  async #cached(): Promise<{ plan: CachedPlan; messages: HostMessage[] }> {
    const plan = this.#files.slice();
    const options = this.#bundleOptions(plan, undefined);
    const cached = cachedPlan(plan, options);
    if (isCached(cached)) return { plan: cached, messages: [] };
    try {
      const bundle = await bundleChunks(cached.plan, { ...options, folder: cached.folder, key: cached.key }, () =>
        findTypeScript(this.root),
      );
      writeCached(cached, bundle);
      return { plan: cached, messages: bundle.warnings.map((warning) => this.#ofEsbuild(warning, "warning")) };
    } catch (error) {
      return { plan: cached, messages: this.#failure(error) };
    }
  }

  #entries(): readonly string[] {
    // A development server's entries come one by one; a class may be asked for before the task that takes it.
    return this.#isDevelopment || this.host.hasHiddenEntries ? (this.#sources ??= projectSources(this.host.cwd)) : this.host.entries;
  }

  async #analyzeFrom(entries: readonly string[]): Promise<void> {
    const fresh = entries.filter((entry) => !this.#reached.has(entry));
    if (fresh.length === 0) return;
    const files = await this.#modules.reachable(fresh, !this.#isDevelopment);
    const before = this.#reached.size;
    for (const file of [...fresh, ...files]) {
      this.#reached.add(file);
      if (isProjectSource(file) && this.#isMarked(file)) this.#files.marked.add(file);
    }
    if (this.#reached.size > before) this.#importersAre([...this.#reached]);
    const unknown = [...this.#files.marked].filter((file) => !this.#files.results.has(file)).sort();
    if (unknown.length > 0) await this.#files.analyzeAsking(unknown, () => this.#modules.settle());
  }

  /** What is known of tasks was concluded from another set of files. */
  #importersAre(files: readonly string[]): void {
    this.#importers = new Importers(() => files.map((file) => ({ file, text: this.#modules.read(file) ?? "" })));
    if (this.#files.results.size === 0) return;
    this.#files.results.clear();
    this.#project.invalidate(path.join(this.root, "\0"));
  }

  #isMarked(file: string): boolean {
    return this.#modules.isMarked(file);
  }

  #bundleOptions(plan: SlicePlan, output: HostOutput | undefined): Omit<BundleOptions, "folder" | "key"> {
    const { host, options } = this;
    const emitted = output && path.join(output.folder, "index.js");
    const module = output?.module ?? "esm";
    const sources = new Map<string, SourceFormat>();
    for (const { file } of plan.modules.values()) {
      sources.set(file, { module, dynamicImport: "esm", nodeInterop: output?.nodeInterop === true || isNodeModule(file), emitted });
    }
    return {
      root: this.root,
      version: packageVersion(),
      sources,
      defaultFormat: { module, dynamicImport: "esm", emitted },
      resolutions: this.#modules.resolutions,
      packages: options.packages ?? (this.#isDevelopment ? "external" : "bundle"),
      external: options.external ?? [],
      dynamicProjectImports: "bundle",
      host: { tsconfig: this.#tsconfig(), ...host.settings },
      resolve: async (specifier, importer, kind) => {
        // Given by the option, packages go in whatever the host does with its own.
        if (options.packages === "bundle") return undefined;
        const found = await host.resolve(
          specifier,
          importer,
          kind === "import-statement" || kind === "dynamic-import" ? "import" : "require",
        );
        if (!found) return undefined;
        return found.external ? { external: true, path: found.specifier ?? specifier } : { path: found.file };
      },
      load: (file) => this.#loadForChunk(file, output?.key ?? this.key),
    };
  }

  /** esbuild looks for it beside each file, but slices are no files. */
  #tsconfig(): string | undefined {
    const { tsconfig } = this.options;
    if (tsconfig !== undefined) return path.resolve(this.host.cwd, tsconfig);
    const [entry] = this.host.entries;
    return findUp(entry === undefined ? this.host.cwd : path.dirname(entry), ["tsconfig.json", "jsconfig.json"]);
  }

  /** What compiles TypeScript here beside the plugin (ts-loader, SWC, Oxc, Rollup's plugin) goes by the tsconfig file. */
  #decoratorMetadata(): DecoratorMetadataSettings | undefined {
    const tsconfig = this.#tsconfig();
    try {
      return tsconfig === undefined ? undefined : decoratorMetadataIn(readTsconfig(tsconfig, tsconfig)?.config.compilerOptions);
    } catch {
      // The bundler says what is wrong with it.
      return undefined;
    }
  }

  /** A project module that a chunk has whole: its own marks become stubs there too. */
  async #loadForChunk(file: string, key: string): Promise<esbuild.OnLoadResult | undefined> {
    const text = this.#modules.read(file);
    if (isProjectSource(file) && this.#isMarked(file)) this.#inChunks.add(file);
    const result = this.#files.results.get(file);
    if (!isProjectSource(file) || text === undefined || !result || result.edits.length === 0) return undefined;
    const edited = await this.#edit(file, text, result.edits);
    // What the host makes of its own output's place (webpack replaces a name) it makes nowhere else.
    const { location } = this.host;
    const placed = location === undefined ? edited.text : edited.text.replaceAll(location, "import.meta.url");
    const contents = placed.replaceAll(this.key, key);
    const extension = path.extname(file);
    const loader = extension.endsWith("x") ? (extension.slice(1) as "tsx" | "jsx") : extension.endsWith("ts") ? "ts" : "js";
    return { contents: `${contents}\n//# sourceMappingURL=${edited.map.toUrl()}\n`, loader, resolveDir: path.dirname(file) };
  }

  /** One after the other: what the core asks is answered between two runs of it. */
  async #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#last.then(work, work);
    this.#last = run.catch(() => {});
    return run;
  }

  #messages(diagnostics: readonly Diagnostic[]): HostMessage[] {
    const read = (file: string): string | undefined => this.#modules.read(file);
    return diagnostics.map((diagnostic) => ({
      severity: diagnostic.severity,
      code: diagnostic.code,
      text: renderDiagnostic(diagnostic, { root: this.host.cwd, read }),
      file: diagnostic.at.file,
      ...placeIn(read(diagnostic.at.file) ?? "", diagnostic.at),
    }));
  }

  #tooLate(file: string, user: string): HostMessage {
    const [name, task] = [file, user].map((each) => path.relative(this.host.cwd, each));
    const text =
      `Another plugin changes ${name}, but tasks of ${task} have it as it is on disk: in development, chunks are made before the files that ` +
      "tasks import go through the plugins. A build for production has them changed.";
    return { severity: "warning", code: "", text, file, line: 1, column: 0 };
  }

  #tooEarly(file: string): HostMessage {
    const name = path.relative(this.host.cwd, file);
    const text = `${name} was built before it was known that its classes travel to workers; build again.`;
    return { severity: "warning", code: "", text, file, line: 1, column: 0 };
  }

  #failure(error: unknown): HostMessage[] {
    const { errors } = error as Partial<esbuild.BuildFailure>;
    if (!Array.isArray(errors)) throw error;
    return errors.map((message) => this.#ofEsbuild(message, "error"));
  }

  #ofEsbuild({ text, location }: esbuild.Message, severity: "error" | "warning"): HostMessage {
    const place = location ? ` (${location.file}:${location.line}:${location.column + 1})` : "";
    const file = location ? path.resolve(this.root, location.file) : this.root;
    return {
      severity,
      code: "",
      text: `${fromBundler(text, severity === "error")}${place}`,
      file,
      line: location?.line ?? 1,
      column: location?.column ?? 0,
    };
  }
}

/** Of all that the chunks of a file's tasks are made of. */
function revisionOf(texts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(`${text.length}:${text}`);
  return hash.digest("hex").slice(0, 16);
}

/** The runtime ignores what comes after the key. */
function withRevision(edits: readonly Edit[], key: string, revision: string): Edit[] {
  const written = JSON.stringify(key);
  const replaced = (text: string): string => text.replaceAll(`, ${written})`, `, ${written}, "${revision}")`);
  return edits.map((edit) => ({ ...edit, parts: edit.parts.map((part) => (typeof part === "string" ? replaced(part) : part)) }));
}

function editsKey(result: FileResult | undefined): string {
  return result === undefined || result.edits.length === 0 ? "" : JSON.stringify(result.edits);
}
