/**
 * The esbuild plugin that feeds slices into a chunk build.
 *
 * Takes: the plan's slice modules and entries. Gives esbuild: virtual modules for tasks, classes and slices, and a decision for every import in
 * them: another slice, a data file, a package to bundle, or an external under a request key (externals.ts).
 */
import * as path from "node:path";
import type * as esbuild from "esbuild";
import type { SliceExport, SliceModule, SlicePlan } from "../core";
import { type Externals, isBareSpecifier, isBuiltin, matchesExternal } from "./externals";
import { PlainFiles } from "./plain-files";
import { exportName, SLICE_PREFIX, sliceSpecifier } from "../hoist/module-names";
import { portableRelative } from "./paths";
import { type BundleOptions, resolutionKey, type SourceFormat } from "./options";

export const TASK_PREFIX = "makeparallel-task:";
export const CLASS_PREFIX = "makeparallel-class:";
/** Entries that nobody loads: that a module is one sees to it that it shares no chunk with others. */
export const EFFECT_PREFIX = "makeparallel-effect:";

const SLICE = "makeparallel-slice";
const ENTRY = "makeparallel-entry";

/** Modules that the loader gives itself. */
const OWN_MODULES = new Set(["makeparallel", "makeparallel/internal"]);

export interface SlicePlugin {
  plugin: esbuild.Plugin;
  /** The real file behind a source that esbuild's metafile or map names, if it is a slice. */
  fileOfSource(source: string): string | undefined;
  /** The slice that a message of esbuild's is about. */
  sliceOfMessage(message: esbuild.PartialMessage): string | undefined;
  /** Whether anything but the plan and the options decided where an import leads. */
  hasLooked(): boolean;
}

export function slicePlugin(plan: SlicePlan, options: BundleOptions, externals: Externals): SlicePlugin {
  const virtual = new Map<string, SliceModule>();
  const byRelativePath = new Map<string, string>();
  const pathOfSlice = new Map<string, string>();
  for (const module of [...plan.modules.values()].sort((a, b) => (a.id < b.id ? -1 : 1))) {
    const name = virtualPath(module, formatOf(options, module.file));
    virtual.set(name, module);
    byRelativePath.set(portableRelative(options.root, module.file), module.file);
    pathOfSlice.set(module.id, name);
  }
  const entries = entrySources(plan);
  let hasLooked = false;
  const lookup = new Lookup(options.host.resolveExtensions);
  const importers = { file: (args: { importer: string; namespace: string }) => importerFile(args, virtual) };

  const plugin: esbuild.Plugin = {
    name: "makeparallel-slices",
    setup(build) {
      build.onResolve({ filter: /^makeparallel-(task|class|effect):/ }, (args) =>
        entries.has(args.path) ? { path: args.path, namespace: ENTRY } : undefined,
      );
      build.onResolve({ filter: /^makeparallel-slice:/ }, (args) => {
        const name = pathOfSlice.get(args.path.slice(SLICE_PREFIX.length));
        return name === undefined ? undefined : { path: name, namespace: SLICE };
      });
      build.onResolve({ filter: /.*/ }, async (args) => {
        if (args.kind === "entry-point" || args.pluginData === RESOLVING) return undefined;
        return resolveImport(args, importers.file(args), options, externals, build, lookup, () => (hasLooked = true));
      });
      build.onLoad({ filter: /.*/, namespace: ENTRY }, (args) => ({ contents: entries.get(args.path) as string, loader: "js" }));
      build.onLoad({ filter: /.*/, namespace: SLICE }, (args) => {
        const module = virtual.get(args.path) as SliceModule;
        return { contents: module.contents, loader: module.loader, resolveDir: path.dirname(module.file) };
      });
      if (options.load) {
        const load = options.load;
        build.onLoad({ filter: /\.[cm]?[jt]sx?$/, namespace: "file" }, async (args) => load(args.path));
      }
    },
  };
  return {
    plugin,
    fileOfSource(source) {
      // Modules with a map of their own are named as that map names them.
      return source.startsWith(`${SLICE}:`) ? virtual.get(source.slice(SLICE.length + 1))?.file : byRelativePath.get(source);
    },
    hasLooked: () => hasLooked,
    sliceOfMessage({ location }) {
      return location?.file?.startsWith(`${SLICE}:`) ? virtual.get(location.file.slice(SLICE.length + 1))?.id : undefined;
    },
  };
}

/** Marks `build.resolve` calls that come from this plugin, so that it does not answer itself. */
const RESOLVING = Symbol("makeparallel resolving");

/**
 * The extension tells esbuild by which rules the module imports CommonJS: after `.mts`, `default` is `module.exports` as in Node. The id alone
 * would do for everything else.
 */
function virtualPath(module: SliceModule, format: SourceFormat): string {
  const id = module.id.replace(/\.[cm]?[jt]sx?(?=$|[#?])/, "");
  return `${id}${(format.nodeInterop ?? format.module === "esm") ? ".mts" : ".ts"}`;
}

export function formatOf(options: Pick<BundleOptions, "sources" | "defaultFormat">, file: string): SourceFormat {
  return options.sources.get(file) ?? options.defaultFormat;
}

function entrySources(plan: SlicePlan): Map<string, string> {
  const sources = new Map<string, string>();
  const reexport = ({ module, export: name, before = [] }: SliceExport): string =>
    [...before.map((id) => `import ${sliceSpecifier(id)};`), `export { ${exportName(name)} } from ${sliceSpecifier(module)};`].join("\n");
  for (const entry of plan.entries) sources.set(TASK_PREFIX + entry.task.id, reexport(entry));
  for (const [id, entry] of plan.classes) sources.set(CLASS_PREFIX + id, reexport(entry));
  for (const id of plan.effects) sources.set(EFFECT_PREFIX + id, `import ${sliceSpecifier(id)};`);
  return sources;
}

function importerFile(args: { importer: string; namespace: string }, virtual: Map<string, SliceModule>): string {
  return args.namespace === SLICE ? (virtual.get(args.importer) as SliceModule).file : args.importer;
}

async function resolveImport(
  args: esbuild.OnResolveArgs,
  importer: string,
  options: BundleOptions,
  externals: Externals,
  build: esbuild.PluginBuild,
  lookup: Lookup,
  looks: () => void,
): Promise<esbuild.OnResolveResult | undefined> {
  const { path: specifier, kind } = args;
  if (OWN_MODULES.has(specifier)) return { path: specifier, external: true };
  if (kind !== "import-statement" && kind !== "dynamic-import" && kind !== "require-call" && kind !== "require-resolve") return undefined;

  const external = (): esbuild.OnResolveResult => ({ path: externalKey(args, importer, options, externals), external: true });
  if (isBuiltin(specifier)) return external();

  const known = options.resolutions.get(
    resolutionKey(specifier, importer, kind === "import-statement" || kind === "dynamic-import" ? "import" : "require"),
  );
  // To esbuild a path that a plugin gives is nothing but a path: only what it finds itself has the `type` of its package.json, by which imports of CommonJS
  // mean what they mean to Node.
  const inside = async (result: esbuild.OnResolveResult): Promise<esbuild.OnResolveResult | undefined> => {
    const found = await lookup.ask(build, args, importer);
    return found.path === result.path && found.namespace === "file" ? undefined : result;
  };
  if (known?.kind === "data") return { path: known.file };
  if (known?.kind === "project") return options.dynamicProjectImports === "bundle" ? inside({ path: known.file }) : external();
  if (specifier.endsWith(".node")) return external();
  if (options.packages === "external") {
    if (args.namespace !== SLICE) return isBareSpecifier(specifier) ? external() : undefined;
    // What is imported at the top of a slice is another slice, so what is left is a package, or a call that names a file: a bundler has that in its bundle.
    if (kind === "import-statement" || options.dynamicProjectImports !== "bundle") return external();
  }
  if (matchesExternal(specifier, options.external)) return external();
  looks();
  const staysOutside = (file: string | undefined): boolean =>
    file !== undefined && (file.endsWith(".node") || (options.packages === "external" && /[\\/]node_modules[\\/]/.test(file)));
  const asked = await options.resolve?.(specifier, importer, kind);
  if (asked?.external)
    return { path: externalKey({ ...args, path: asked.path ?? specifier }, importer, options, externals), external: true };
  if (asked && staysOutside(asked.path)) return external();
  if (asked && isBareSpecifier(specifier)) return inside(asked);
  if (asked) return asked.path === path.resolve(args.resolveDir, specifier) ? undefined : asked;
  if (args.namespace === "file" && lookup.files.has(specifier, args.resolveDir)) return undefined;
  const found = await lookup.ask(build, args, importer);
  if (found.errors.length > 0) {
    // As esbuild itself has it: what is missing behind `require` in a `try` may be missing.
    return kind === "import-statement" ? { errors: found.errors, warnings: found.warnings } : external();
  }
  return found.external || staysOutside(found.path) ? external() : undefined;
}

/** What one build has found out about where imports lead. */
class Lookup {
  readonly files: PlainFiles;
  readonly #answers = new Map<string, Promise<esbuild.ResolveResult>>();

  constructor(extensions: string[] | undefined) {
    this.files = new PlainFiles(extensions);
  }

  /** Asks esbuild, once for all files of a folder, since a question costs it milliseconds (see {@link PlainFiles}). */
  ask(
    build: esbuild.PluginBuild,
    { path: specifier, kind, resolveDir }: esbuild.OnResolveArgs,
    importer: string,
  ): Promise<esbuild.ResolveResult> {
    const key = `${kind}\0${resolveDir}\0${specifier}`;
    let answer = this.#answers.get(key);
    if (!answer) {
      answer = build.resolve(specifier, { kind, importer, resolveDir, pluginData: RESOLVING });
      this.#answers.set(key, answer);
    }
    return answer;
  }
}

function externalKey(args: esbuild.OnResolveArgs, importer: string, options: BundleOptions, externals: Externals): string {
  const format = args.namespace === SLICE ? formatOf(options, importer) : undefined;
  const { path: specifier, kind } = args;
  let from = path.dirname(importer);
  if (format?.emitted) from = path.dirname(format.emitted);
  else if (isBareSpecifier(specifier) && !format && options.defaultFormat.emitted) from = path.dirname(options.defaultFormat.emitted);

  if (kind === "require-call" || kind === "require-resolve") return externals.add(specifier, from, "require", true);
  const effective = format ?? options.defaultFormat;
  if (kind === "dynamic-import") {
    if ((effective.dynamicImport ?? effective.module) === "esm") return externals.add(specifier, from, "import", true);
    return externals.add(specifier, from, "require", true, effective.interop === false ? "none" : undefined);
  }
  if (effective.module === "esm") return externals.add(specifier, from, "import", false);
  return externals.add(specifier, from, "require", false, effective.nodeInterop ? "node" : undefined);
}
