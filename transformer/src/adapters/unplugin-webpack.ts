/**
 * The hooks of webpack and Rspack. Chunks go out as assets, after everything that changes assets: their hashes are in the manifest.
 */
import * as path from "node:path";
import { CHUNK_FOLDER } from "../../../runtime-ts/src/manifest";
import { manifestText } from "../emit/write-output";
import { builtLibrary } from "./built-library";
import { packageRoot } from "./project-files";
import { UnpluginBuild } from "./unplugin-build";
import type { UnpluginOptions } from "./plugin-types";
import type { HostFacts, HostMessage, HostOutput, HostResolution } from "./unplugin-host";
import { definitionsOf } from "./webpack-definitions";
import { isExternal } from "./webpack-externals";
import { portableRelative } from "../emit/paths";

/** What is used of a compiler. Both hosts have it. */
export interface Compiler {
  context: string;
  outputPath: string;
  watchMode: boolean;
  options: {
    name?: string;
    entry?: unknown;
    externals?: unknown;
    target?: unknown;
    output: { module?: boolean; path?: string };
    devtool?: unknown;
    plugins?: unknown;
    optimization?: { nodeEnv?: string | false };
  };
  platform?: { node?: boolean | null };
  webpack: {
    ExternalsPlugin: new (type: string, externals: unknown[]) => { apply(compiler: unknown): void };
    DefinePlugin: new (definitions: Record<string, string>) => { apply(compiler: unknown): void };
    BannerPlugin: new (options: object) => { apply(compiler: unknown): void };
    Compilation: { PROCESS_ASSETS_STAGE_REPORT: number };
    sources: { RawSource: new (source: string | Buffer) => unknown };
  };
  resolverFactory: {
    get(
      type: "normal",
      options: object,
    ): {
      resolve(
        context: object,
        folder: string,
        request: string,
        resolveContext: object,
        done: (error: Error | null, file?: string | false) => void,
      ): void;
    };
  };
  hooks: {
    thisCompilation: { tap(name: string, run: (compilation: Compilation) => void): void };
  };
}

interface HostModule {
  resource?: string;
  /** What the import of an external module says. */
  userRequest?: string;
  modules?: Iterable<{ resource?: string }>;
}

interface Compilation {
  modules: Iterable<HostModule>;
  moduleGraph: { getIncomingConnections(module: HostModule): Iterable<{ originModule?: HostModule | null }> };
  fileDependencies: { add(file: string): void; addAll?(files: Iterable<string>): void };
  errors: Error[] & { push(error: Error): void };
  warnings: Error[] & { push(error: Error): void };
  getAssets(): readonly { name: string }[];
  emitAsset(name: string, source: unknown, info?: object): void;
  hooks: {
    /** All modules are there, each still its own: later some are joined. */
    finishModules: { tap(name: string, run: (modules: Iterable<HostModule>) => void): void };
    processAssets: { tapPromise(options: { name: string; stage: number }, run: () => Promise<void>): void };
  };
}

interface LoaderContext {
  addWatchFile(file: string): void;
  getNativeBuildContext?(): { loaderContext?: { addMissingDependency(file: string): void } } | null;
  error(message: string): void;
  warn(message: string): void;
}

const NAME = "makeparallel";
const INTERNAL = "makeparallel/internal";

/** Replaced by an expression for the emitted file's place; what webpack makes of `__filename` and `import.meta.url` means the source. */
const PLACE = "__makeparallel_place__";

const BROWSER =
  "makeparallel: this file has parallel functions, but the build's target is not Node, and nothing else has Node's worker threads. " +
  'Set `target: "node"`, or import the file from server code only.';

export function webpackHooks(options: UnpluginOptions) {
  let build: UnpluginBuild | undefined;
  let refuse = false;

  const setup = (compiler: Compiler): void => {
    const { webpack, options: settings } = compiler;
    refuse = !isForNode(compiler);
    if (!refuse) {
      // `node-commonjs` works in either module format.
      new webpack.ExternalsPlugin("node-commonjs", [/^makeparallel(?:$|\/)/]).apply(compiler);
      definePlace(compiler);
    }
    const cwd = compiler.context;
    const outputPath = (): string => settings.output.path ?? compiler.outputPath;
    const facts: HostFacts = {
      name: "webpack",
      cwd,
      entries: [],
      identity: [settings.name ?? "", portableRelative(packageRoot(cwd), outputPath())],
      location: PLACE,
      isWatching: () => compiler.watchMode,
      settings: {},
      resolve: (specifier, fromFile, kind) => resolveBy(compiler, specifier, fromFile, kind),
    };
    let isFirst = true;
    let above = "";
    compiler.hooks.thisCompilation.tap(NAME, (compilation) => {
      if (isFirst) {
        // Entries are normalized by now, and what depends on the mode is set.
        isFirst = false;
        const define = definitionsOf(settings);
        build = new UnpluginBuild({ ...facts, settings: { define }, ...entriesOf(settings.entry, cwd) }, options);
      } else {
        build?.nextBuild();
      }
      compilation.hooks.finishModules.tap(NAME, (modules) => {
        if (!refuse) refuseLibraries(compilation, modules);
      });
      compilation.hooks.processAssets.tapPromise({ name: NAME, stage: webpack.Compilation.PROCESS_ASSETS_STAGE_REPORT }, async () => {
        if (!build || refuse) return;
        // While a server develops, entries come and go; where their chunks are stays as it is.
        above = aboveAll(compilation, above);
        const folder = path.join(outputPath(), above);
        await emit(compiler, compilation, build, above, { folder, module: settings.output.module ? "esm" : "cjs", nodeInterop: false });
      });
    });
  };

  return {
    async transform(this: unknown, code: string, id: string) {
      const context = this as LoaderContext;
      const transformed = await build?.transform(path.normalize(id.replace(/\?.*$/, "")), code);
      if (!transformed) return undefined;
      for (const file of transformed.watch) context.addWatchFile(file);
      const loader = context.getNativeBuildContext?.()?.loaderContext;
      for (const file of transformed.missing) loader?.addMissingDependency(file);
      if (refuse) {
        if (transformed.hasTasks) context.error(BROWSER);
        return undefined;
      }
      for (const { severity, text } of transformed.messages) (severity === "error" ? context.error : context.warn)(text);
      const { edited } = transformed;
      return edited && { code: edited.text, map: edited.map };
    },
    webpack: (compiler: unknown) => setup(compiler as Compiler),
    rspack: (compiler: unknown) => setup(compiler as Compiler),
  };
}

function isForNode({ platform, options: { target } }: Compiler): boolean {
  if (typeof platform?.node === "boolean") return platform.node;
  return [target].flat().some((name) => typeof name === "string" && /node|electron-main|electron\d*-main/.test(name));
}

/** An expression that in the emitted file means that file. Modules that are evaluated (`devtool: "eval"`) may not say `import.meta` themselves. */
function definePlace(compiler: Compiler): void {
  const { webpack, options } = compiler;
  if (!options.output.module) {
    new webpack.DefinePlugin({ [PLACE]: "__filename" }).apply(compiler);
  } else {
    new webpack.BannerPlugin({ banner: `const ${PLACE} = import.meta.url;`, raw: true, entryOnly: false, test: /\.[cm]?js$/ }).apply(
      compiler,
    );
  }
}

/** Packages with built tasks, which would not find their chunks in a bundle. */
function refuseLibraries({ errors, moduleGraph }: Compilation, modules: Iterable<HostModule>): void {
  const said = new Set<string>();
  for (const module of modules) {
    if (module.userRequest !== INTERNAL) continue;
    for (const { originModule } of moduleGraph.getIncomingConnections(module)) {
      const importer = originModule?.resource?.replace(/\?.*$/, "");
      const isInstalled = importer !== undefined && /[\\/]node_modules[\\/]/.test(importer);
      const library = isInstalled ? builtLibrary(INTERNAL, importer, "", "externals") : undefined;
      if (!library || said.has(library.text)) continue;
      said.add(library.text);
      errors.push(Object.assign(new Error(`makeparallel: ${library.text}. ${library.fix}`), { stack: "" }));
    }
  }
}

/**
 * The way from the output's folder to the one that all emitted scripts are in or below: `""`, `"../"`, … Stubs look for their chunks beside their file and
 * above it, and Next.js emits its pages beside the output's folder (`../app/page.js`).
 */
function aboveAll(compilation: Compilation, before: string): string {
  let above = before;
  for (const { name } of compilation.getAssets()) {
    const [, up] = /^((?:\.\.\/)*).*\.[cm]?js(?:\?|$)/.exec(name) ?? [];
    if (up !== undefined && up.length > above.length) above = up;
  }
  return above;
}

async function emit(compiler: Compiler, compilation: Compilation, build: UnpluginBuild, above: string, output: HostOutput): Promise<void> {
  const loaded = new Set<string>();
  for (const module of compilation.modules) {
    for (const { resource } of [module, ...(module.modules ?? [])]) if (resource !== undefined) loaded.add(resource.replace(/\?.*$/, ""));
  }
  const { bundle, messages, watch } = await build.bundle(output, loaded);
  for (const message of messages) {
    const list = message.severity === "error" ? compilation.errors : compilation.warnings;
    // A cache on disk has what was said about a module as well.
    if (!list.some((known) => known.message.includes(message.text))) list.push(asError(compiler, message));
  }
  for (const file of watch) compilation.fileDependencies.add(file);
  if (!bundle || bundle.files.size === 0) return;
  const { RawSource } = compiler.webpack.sources;
  const asset = (name: string, contents: Uint8Array | string): void => {
    const source = new RawSource(typeof contents === "string" ? contents : Buffer.from(contents));
    compilation.emitAsset(`${above}${CHUNK_FOLDER}/${name}`, source, { minimized: true });
  };
  for (const [name, contents] of bundle.files) asset(name, contents);
  asset(`${build.key}.json`, manifestText(bundle.manifest));
}

function asError(compiler: Compiler, { text, file }: HostMessage): Error {
  return Object.assign(new Error(text), { file: path.relative(compiler.context, file), stack: "" });
}

async function resolveBy(compiler: Compiler, specifier: string, fromFile: string, kind: "import" | "require"): Promise<HostResolution> {
  const dependencyType = kind === "import" ? "esm" : "commonjs";
  const resolver = compiler.resolverFactory.get("normal", { dependencyType });
  const folder = path.dirname(fromFile);
  const resolve = (request: string, from = folder): Promise<string | undefined> =>
    new Promise((done) => {
      resolver.resolve({}, from, request, {}, (error, file) => done(error || !file ? undefined : file.replace(/\?.*$/, "")));
    });
  if (await isExternal(compiler.options.externals, { request: specifier, context: folder, dependencyType, issuer: fromFile, resolve }))
    return { external: true };
  const file = await resolve(specifier);
  return file === undefined ? { external: true } : { file };
}

/** Entries as normalized: `{ main: { import: ["./src/main.ts"] } }`, or a function, whose entries come one by one. */
function entriesOf(entry: unknown, cwd: string): { entries: string[]; identity?: string[] } {
  if (typeof entry !== "object" || entry === null) return { entries: [] };
  const names = Object.values(entry as Record<string, { import?: string[] }>).flatMap((description) => description.import ?? []);
  return { entries: names.filter((name) => name.startsWith(".") || path.isAbsolute(name)).map((name) => path.resolve(cwd, name)) };
}
