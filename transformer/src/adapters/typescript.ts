/**
 * `makeparallel/transformer`: the plugin for ts-patch (`tspc`, or a patched `tsc`) and other hosts of `before` transformers.
 *
 * Takes: a program. Once a program, before its first file is emitted, all marked files are analyzed, and the chunks are bundled and written. Then each
 * file's edits are applied to its tree. Diagnostics go to the host: errors as its own, so that its exit code tells; warnings are printed, because
 * `tsc` fails for whatever a plugin adds.
 */
import { createHash } from "node:crypto";
import * as path from "node:path";
import type * as ts from "typescript";
import { entryAt } from "./file-entry";
import type { FileResult, Host, SlicePlan, TypeScript } from "../core";
import type { Bundle } from "../emit/bundle";
import { manifestKey } from "../emit/manifest-key";
import { type BundleOptions, hasOwnImport, type SourceFormat } from "../emit/options";
import { portableRelative } from "../emit/paths";
import { bundleChunksSync } from "../emit/sync-bundler";
import { readManifestFile, writeBundle } from "../emit/write-output";
import { Project } from "../project";
import { AnalyzedFiles } from "./analyzed-files";
import { findTypeScript } from "./find-typescript";
import { Importers } from "./importers";
import { jsxFactoriesOf } from "./jsx-factories";
import { decoratorMetadataIn } from "./tsconfig-settings";
import { fromEsbuild, toTypeScript } from "./typescript-diagnostics";
import { type PluginExtras, Reports } from "./typescript-report";
import { applyEdits } from "./typescript-edits";
import { ProgramFacts } from "./typescript-program";
import { packageVersion } from "./version";

/** For ts-jest's `astTransformers`. */
export { factory, name, version } from "./jest-typescript";

/** Options beside `transform` in tsconfig's `plugins`. */
export interface PluginConfig {
  /** `bundle`: packages go into the chunks. Default `external`: they are resolved when the program runs. */
  packages?: "external" | "bundle";
  /** With `packages: "bundle"`: what stays outside all the same (esbuild's patterns). */
  external?: string[];
}

export type { PluginExtras };

const builds = new WeakMap<ts.Program, ProgramBuild>();

/**
 * As a source transformer: `{ "transform": "makeparallel/transformer" }`. With `"transformProgram": true` beside it ts-patch calls this when a program
 * is made, not when one is emitted, so that `noEmit` gives diagnostics in incremental builds and watches, which then emit nothing at all.
 * @param program the compiler's
 * @param config the entry in tsconfig's `plugins`
 * @param extras what ts-patch passes along: the compiler, and where diagnostics go
 * @returns the transformer, or, as a program transformer, the program
 */
export default function transformer(
  program: ts.Program,
  config?: PluginConfig,
  extras?: PluginExtras,
): ts.TransformerFactory<ts.SourceFile>;
export default function transformer(
  program: ts.Program,
  host: ts.CompilerHost | undefined,
  config: PluginConfig,
  extras: { ts: TypeScript },
): ts.Program;
export default function transformer(
  program: ts.Program,
  second: PluginConfig | ts.CompilerHost = {},
  third?: PluginExtras | PluginConfig,
  forPrograms?: { ts: TypeScript },
): ts.TransformerFactory<ts.SourceFile> | ts.Program {
  return forPrograms
    ? transformProgram(program, third as PluginConfig, forPrograms.ts)
    : sourceTransformer(program, second as PluginConfig, third as PluginExtras | undefined);
}

function sourceTransformer(
  program: ts.Program,
  config: PluginConfig,
  extras: PluginExtras | undefined,
): ts.TransformerFactory<ts.SourceFile> {
  let build = builds.get(program);
  if (!build) {
    const ts = extras?.ts ?? findTypeScript(program.getCurrentDirectory());
    build = new ProgramBuild(ts, program, config);
    builds.set(program, build);
    build.run(extras);
  }
  const ready = build;
  ready.reports.emitBegins(extras);
  return (context) => (file) => ready.transform(context, file);
}

function transformProgram(program: ts.Program, config: PluginConfig, ts: TypeScript): ts.Program {
  const diagnostics: ts.Diagnostic[] = [];
  const extras: PluginExtras = { ts, diagnostics, addDiagnostic: (diagnostic) => void diagnostics.push(diagnostic) };
  const { emit, emitBuildInfo } = program as ts.Program & { emitBuildInfo(...rest: unknown[]): ts.EmitResult };
  const withDiagnostics = (result: ts.EmitResult): ts.EmitResult => ({ ...result, diagnostics: [...result.diagnostics, ...diagnostics] });
  return Object.assign(program, {
    emit(
      file?: ts.SourceFile,
      write?: ts.WriteFileCallback,
      token?: ts.CancellationToken,
      only?: boolean,
      custom?: ts.CustomTransformers,
      ...rest: []
    ) {
      const before = [sourceTransformer(program, config, extras), ...(custom?.before ?? [])];
      return withDiagnostics(emit.call(program, file, write, token, only, { ...custom, before }, ...rest));
    },
    // All that is left of an emit with `noEmit`.
    emitBuildInfo(...args: unknown[]) {
      if (program.getCompilerOptions().noEmit) sourceTransformer(program, config, extras);
      return withDiagnostics(emitBuildInfo.apply(program, args));
    },
  });
}

/** What stays between the programs of a watch, one for each tsconfig file. */
interface Watch {
  project: Project;
  /** The program that the project's host asks. */
  facts: ProgramFacts;
  /** File names of the program, to see when one comes or goes, with their formats, and settings that change what code means, since tsconfig files are watched as well. */
  names: string;
  texts: Map<string, string>;
  importers: Importers;
  /** Hash of the last input of the bundler, and what it gave. */
  bundled: { hash: string; bundle: Bundle } | undefined;
  /** What was changed in each file, as in the manifest. */
  edits: Record<string, string> | undefined;
}

const watches = new Map<string, Watch>();

class ProgramBuild {
  readonly #facts: ProgramFacts;
  readonly #key: string;
  #results: ReadonlyMap<string, FileResult> = new Map();
  readonly reports: Reports;

  constructor(
    private readonly ts: TypeScript,
    private readonly program: ts.Program,
    private readonly config: PluginConfig,
  ) {
    this.reports = new Reports(ts, program);
    this.#facts = new ProgramFacts(ts, program);
    this.#key = manifestKey("typescript", this.#facts.configName);
  }

  run(extras: PluginExtras | undefined): void {
    const outdated = this.#build();
    this.reports.complete(extras);
    this.reports.isOwnEmit = true;
    for (const file of outdated) this.program.emit(file);
    this.reports.isOwnEmit = false;
  }

  /** @returns files that have to be emitted although TypeScript may not see it */
  #build(): ts.SourceFile[] {
    const sources = this.#facts.sourceFiles();
    const watch = this.#watch(sources);
    const texts = new Map(sources.map((file) => [path.resolve(file.fileName), file.text]));
    const marked = [...texts].filter(([, text]) => Project.mayContainTask(text)).map(([file]) => file);
    const files = new AnalyzedFiles({
      project: () => watch.project,
      root: this.#facts.root,
      manifestKey: this.#key,
      read: (file) => texts.get(file),
      format: (file) => ({ module: this.#facts.format(file).module }),
    });
    files.analyze(marked);
    this.#results = files.results;

    const plan = files.slice();
    const diagnostics = [...this.#results.values()].flatMap((result) => result.diagnostics).concat(plan.diagnostics);
    for (const diagnostic of diagnostics) this.reports.add(toTypeScript(this.ts, this.program, diagnostic));
    const { noEmit, emitDeclarationOnly } = this.#facts.options;
    if (noEmit || emitDeclarationOnly) return [];
    const outdated = this.#outdated(watch);
    this.#emit(watch, plan);
    return outdated;
  }

  /**
   * Files that have to be emitted again because what is changed in them differs from the last build, while TypeScript, when it builds incrementally, only
   * emits those whose own text or imported types changed.
   */
  #outdated(watch: Watch): ts.SourceFile[] {
    const { options, root, chunkFolder } = this.#facts;
    const { incremental, composite } = options;
    if (!incremental && !composite && options.watch !== true) return [];
    const edits: Record<string, string> = {};
    for (const [file, result] of [...this.#results].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (result.edits.length > 0)
        edits[portableRelative(root, file)] = createHash("sha256").update(JSON.stringify(result.edits)).digest("hex").slice(0, 16);
    }
    const before = watch.edits ?? readManifestFile(chunkFolder, this.#key)?.edits ?? {};
    watch.edits = edits;
    const changed = [...new Set([...Object.keys(edits), ...Object.keys(before)])].filter((file) => edits[file] !== before[file]);
    return changed.map((file) => this.program.getSourceFile(path.join(root, file))).filter((file) => file !== undefined);
  }

  transform(context: ts.TransformationContext, file: ts.SourceFile): ts.SourceFile {
    this.reports.fileIsEmitted(file);
    const result = this.#results.get(path.resolve(file.fileName));
    return result ? applyEdits(this.ts, context, file, result.edits) : file;
  }

  /** The project that has seen the earlier programs of this tsconfig, told of what has changed since. */
  #watch(sources: readonly ts.SourceFile[]): Watch {
    const facts = this.#facts;
    const id = `${facts.root}\0${facts.configName}`;
    const jsxFactories = jsxFactoriesOf(facts.options);
    const decoratorMetadata = decoratorMetadataIn(facts.options);
    const names = [
      ...sources.map(({ fileName }) => `${fileName} ${facts.format(fileName).module}`),
      JSON.stringify([jsxFactories, decoratorMetadata, facts.standardDecorators, facts.writesConstants]),
    ].join("\n");
    let watch = watches.get(id);
    if (watch?.names !== names) {
      // A file that comes or goes can change where any import leads.
      const created: Omit<Watch, "project"> = {
        facts,
        names,
        texts: new Map(),
        importers: new Importers(() => []),
        bundled: watch?.bundled,
        edits: watch?.edits,
      };
      const { ts } = this;
      const host: Host = {
        ts,
        root: facts.root,
        jsxFactories,
        standardDecorators: facts.standardDecorators,
        decoratorMetadata: decoratorMetadata && {
          ...decoratorMetadata,
          typeAt: (file, start, end) => created.facts.typeAt(file, start, end),
        },
        constantAt: facts.writesConstants ? (file, start, end) => created.facts.constantAt(file, start, end) : undefined,
        resolve: (specifier, fromFile, kind) => created.facts.resolve(specifier, fromFile, kind),
        moduleFormat: (file) => created.facts.format(file).module,
        hasOwnImport: (file) => hasOwnImport(created.facts.format(file)),
        read: (file) => created.facts.program.getSourceFile(file)?.text ?? ts.sys.readFile(file),
        importersOf: (file) => created.importers.of(file),
      };
      watch = Object.assign(created, { project: new Project(host) });
      watches.set(id, watch);
    }
    // The same answers hold, as no file has come or gone.
    for (const [key, resolution] of watch.facts.resolutions) if (!facts.resolutions.has(key)) facts.resolutions.set(key, resolution);
    watch.facts = facts;
    for (const { fileName, text } of sources) {
      const file = path.resolve(fileName);
      const known = watch.texts.get(file);
      if (known !== undefined && known !== text) watch.project.invalidate(file);
      watch.texts.set(file, text);
    }
    const { texts } = watch;
    watch.importers = new Importers(() => [...texts].map(([file, text]) => ({ file, text })));
    return watch;
  }

  #emit(watch: Watch, plan: SlicePlan): void {
    const facts = this.#facts;
    const formats = new Map<string, SourceFormat>();
    for (const { file } of plan.modules.values()) formats.set(file, facts.format(file));
    const options: BundleOptions = {
      root: facts.root,
      folder: facts.chunkFolder,
      key: this.#key,
      version: packageVersion(),
      sources: formats,
      defaultFormat: { module: "cjs" },
      resolutions: facts.resolutions,
      packages: this.config.packages ?? "external",
      external: this.config.external ?? [],
      dynamicProjectImports: "external",
      host: facts.esbuildOptions(),
      standardDecorators: facts.standardDecorators,
    };
    // Bundled packages may change without the program knowing.
    const hash = options.packages === "bundle" ? undefined : hashOf(plan, options, watch.texts);
    if (hash === undefined || watch.bundled?.hash !== hash) {
      const outcome = bundleChunksSync(plan, options, undefined);
      if ("errors" in outcome) {
        for (const message of outcome.errors)
          this.reports.add(fromEsbuild(this.ts, this.program, facts.root, message, this.ts.DiagnosticCategory.Error));
        watch.bundled = undefined;
        return;
      }
      for (const message of outcome.bundle.warnings) {
        this.reports.add(fromEsbuild(this.ts, this.program, facts.root, message, this.ts.DiagnosticCategory.Warning));
      }
      watch.bundled = { hash: hash ?? "", bundle: outcome.bundle };
    }
    const { incremental, composite } = facts.options;
    const { bundle } = watch.bundled;
    if ((incremental || composite) && watch.edits) bundle.manifest.edits = watch.edits;
    writeBundle(facts.chunkFolder, bundle);
  }
}

function hashOf(plan: SlicePlan, options: BundleOptions, texts: ReadonlyMap<string, string>): string {
  const hash = createHash("sha256");
  const data = [...options.resolutions.values()].filter((resolution) => resolution.kind === "data");
  const contents = data.map(({ file }) => [file, entryAt(file)?.mtimeMs]);
  hash.update(JSON.stringify([[...plan.modules.values()], plan.entries, [...plan.classes], [...options.sources], options.host, contents]));
  // The maps hold whole files. Where nothing else has changed, the bundler makes only these anew.
  for (const { file } of plan.modules.values()) hash.update(texts.get(file) ?? "").update("\0");
  return hash.digest("hex");
}
