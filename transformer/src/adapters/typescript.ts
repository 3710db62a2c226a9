/**
 * `makeparallel/transformer`: the plugin for ts-patch (`tspc`, or a patched `tsc`) and other hosts of `before` transformers.
 *
 * Takes: a program. Once a program, before its first file is emitted, all marked files are analyzed, and the chunks are bundled and written. Then each
 * file's edits are applied to its tree. Diagnostics go to the host: errors as its own, so that its exit code tells; warnings are printed, because
 * `tsc` fails for whatever a plugin adds.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import type * as ts from "typescript";
import type { FileResult, Host, SlicePlan, TypeScript } from "../core";
import type { Bundle } from "../emit/bundle";
import { manifestKey } from "../emit/manifest-key";
import type { BundleOptions, SourceFormat } from "../emit/options";
import { portableRelative } from "../emit/paths";
import { bundleChunksSync } from "../emit/sync-bundler";
import { readManifestFile, writeBundle } from "../emit/write-output";
import { Project } from "../project";
import { findTypeScript } from "./find-typescript";
import { jsxFactoriesOf } from "./jsx-factories";
import { fromEsbuild, toTypeScript } from "./typescript-diagnostics";
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

/** What ts-patch passes as the third argument. */
export interface PluginExtras {
  ts: TypeScript;
  addDiagnostic?(diagnostic: ts.Diagnostic): void;
}

const builds = new WeakMap<ts.Program, ProgramBuild>();

export default function transformer(
  program: ts.Program,
  config?: PluginConfig,
  extras?: PluginExtras,
): ts.TransformerFactory<ts.SourceFile> {
  let build = builds.get(program);
  if (!build) {
    const ts = extras?.ts ?? findTypeScript(program.getCurrentDirectory());
    build = new ProgramBuild(ts, program, config ?? {}, extras?.addDiagnostic);
    builds.set(program, build);
    build.run();
  }
  const ready = build;
  return (context) => (file) => ready.transform(context, file);
}

/** What stays between the programs of a watch, one for each tsconfig file. */
interface Watch {
  project: Project;
  /** The program that the project's host asks. */
  facts: ProgramFacts;
  /** File names of the program, to see when one comes or goes. */
  names: string;
  texts: Map<string, string>;
  /** Hash of the last input of the bundler, and what it gave. */
  bundled: { hash: string; bundle: Bundle } | undefined;
  /** What was changed in each file, as in the manifest. */
  edits: Record<string, string> | undefined;
}

const watches = new Map<string, Watch>();

class ProgramBuild {
  readonly #facts: ProgramFacts;
  readonly #key: string;
  readonly #results = new Map<string, FileResult>();

  constructor(
    private readonly ts: TypeScript,
    private readonly program: ts.Program,
    private readonly config: PluginConfig,
    private readonly addDiagnostic: ((diagnostic: ts.Diagnostic) => void) | undefined,
  ) {
    this.#facts = new ProgramFacts(ts, program);
    this.#key = manifestKey("typescript", this.#facts.configName);
  }

  run(): void {
    const sources = this.#facts.sourceFiles();
    const watch = this.#watch(sources);
    const texts = new Map(sources.map((file) => [path.resolve(file.fileName), file.text]));
    const marked = [...texts].filter(([, text]) => Project.mayContainTask(text)).map(([file]) => file);
    const affected = new Set(marked);
    for (const file of marked) {
      for (const other of this.#analyze(watch.project, file, texts).instrument) affected.add(other);
    }
    // What one file needs of another is known only now; most answers are the same as before, and cached.
    for (const file of affected) this.#results.set(file, this.#analyze(watch.project, file, texts));

    const plan = watch.project.slice({ manifestKey: this.#key }, marked);
    const diagnostics = [...this.#results.values()].flatMap((result) => result.diagnostics).concat(plan.diagnostics);
    for (const diagnostic of diagnostics) this.#report(toTypeScript(this.ts, this.program, diagnostic));
    const { noEmit, emitDeclarationOnly } = this.#facts.options;
    if (noEmit || emitDeclarationOnly) return;
    const outdated = this.#outdated(watch);
    this.#emit(watch, plan);
    for (const file of outdated) this.program.emit(file);
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
    const result = this.#results.get(path.resolve(file.fileName));
    return result ? applyEdits(this.ts, context, file, result.edits) : file;
  }

  #analyze(project: Project, file: string, texts: ReadonlyMap<string, string>): FileResult {
    return project.analyze(file, texts.get(file) ?? "", { module: this.#facts.format(file).module, manifestKey: this.#key });
  }

  /** The project that has seen the earlier programs of this tsconfig, told of what has changed since. */
  #watch(sources: readonly ts.SourceFile[]): Watch {
    const facts = this.#facts;
    const id = `${facts.root}\0${facts.configName}`;
    const names = sources.map((file) => file.fileName).join("\n");
    let watch = watches.get(id);
    if (watch?.names !== names) {
      // A file that comes or goes can change where any import leads.
      const created: Omit<Watch, "project"> = { facts, names, texts: new Map(), bundled: watch?.bundled, edits: watch?.edits };
      const { ts } = this;
      const host: Host = {
        ts,
        root: facts.root,
        jsxFactories: jsxFactoriesOf(facts.options),
        resolve: (specifier, fromFile, kind) => created.facts.resolve(specifier, fromFile, kind),
        read: (file) => created.facts.program.getSourceFile(file)?.text ?? ts.sys.readFile(file),
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
    };
    // Bundled packages may change without the program knowing.
    const hash = options.packages === "bundle" ? undefined : hashOf(plan, options);
    if (hash === undefined || watch.bundled?.hash !== hash) {
      const outcome = bundleChunksSync(plan, options, undefined);
      if ("errors" in outcome) {
        for (const message of outcome.errors)
          this.#report(fromEsbuild(this.ts, this.program, facts.root, message, this.ts.DiagnosticCategory.Error));
        watch.bundled = undefined;
        return;
      }
      for (const message of outcome.bundle.warnings) {
        this.#report(fromEsbuild(this.ts, this.program, facts.root, message, this.ts.DiagnosticCategory.Warning));
      }
      watch.bundled = { hash: hash ?? "", bundle: outcome.bundle };
    }
    const { incremental, composite } = facts.options;
    const { bundle } = watch.bundled;
    if ((incremental || composite) && watch.edits) bundle.manifest.edits = watch.edits;
    writeBundle(facts.chunkFolder, bundle);
  }

  #report(diagnostic: ts.Diagnostic): void {
    const { ts } = this;
    if (diagnostic.category === ts.DiagnosticCategory.Error) {
      if (!this.addDiagnostic) throw new Error(`${format(ts, this.program, [diagnostic], false)}`);
      this.addDiagnostic(diagnostic);
      return;
    }
    ts.sys.write(format(ts, this.program, [diagnostic], ts.sys.writeOutputIsTTY?.() === true));
  }
}

function format(ts: TypeScript, program: ts.Program, diagnostics: readonly ts.Diagnostic[], pretty: boolean): string {
  const host: ts.FormatDiagnosticsHost = {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => program.getCurrentDirectory(),
    getNewLine: () => ts.sys.newLine,
  };
  return pretty ? ts.formatDiagnosticsWithColorAndContext(diagnostics, host) : ts.formatDiagnostics(diagnostics, host);
}

function hashOf(plan: SlicePlan, options: BundleOptions): string {
  const hash = createHash("sha256");
  const data = [...options.resolutions.values()].filter((resolution) => resolution.kind === "data");
  const contents = data.map(({ file }) => [file, fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs]);
  hash.update(JSON.stringify([[...plan.modules.values()], plan.entries, [...plan.classes], [...options.sources], options.host, contents]));
  return hash.digest("hex");
}
