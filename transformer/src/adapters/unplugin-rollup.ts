/**
 * The hooks of Rollup and Rolldown. Chunks go out as assets when the bundle is generated, so that a build in memory has them too.
 */
import * as path from "node:path";
import { type Manifest, CHUNK_FOLDER } from "../../../runtime-ts/src/manifest";
import { manifestKey } from "../emit/manifest-key";
import { manifestText, readManifestFile, removeStale } from "../emit/write-output";
import { builtLibrary } from "./built-library";
import { UnpluginBuild } from "./unplugin-build";
import type { UnpluginOptions } from "./plugin-types";
import type { HostFacts, HostMessage, HostOutput, HostResolution } from "./unplugin-host";
import { isInstalled } from "./package-links";

/** What is used of the contexts of Rollup's, Rolldown's and Vite's hooks. */
export interface RollupContext {
  resolve(
    specifier: string,
    importer: string | undefined,
    options: object,
  ): Promise<{ id: string; external?: boolean | "absolute" | "relative" } | null>;
  addWatchFile(file: string): void;
  emitFile(file: { type: "asset"; fileName: string; source: Uint8Array | string }): string;
  error(error: object | string): never;
  warn(warning: object | string): void;
  getModuleIds(): Iterable<string>;
  /** Of the output that Rolldown builds for; Rollup has none. */
  outputOptions?: OutputOptions;
}

interface InputOptions {
  input?: string | string[] | Record<string, string>;
  plugins?: readonly { name?: string }[] | unknown;
}

export interface OutputOptions {
  dir?: string;
  file?: string;
  format?: string;
  interop?: unknown;
}

/** Where stubs look from. Bundlers turn `import.meta.url` into something that works in CommonJS, if they know that the output is for Node. */
const PLACES = { rollup: "import.meta.url", rolldown: `typeof __filename === "string" ? __filename : import.meta.url` };

interface Previous {
  folder: string;
  manifest: Partial<Manifest> | undefined;
  bundle: { files: ReadonlyMap<string, unknown>; manifest: Manifest };
}

interface State {
  build: Promise<UnpluginBuild> | undefined;
  /** The hooks' context of the moment, which resolves. */
  context: RollupContext;
  /** What was there before the bundles that are being written, by their keys: Rollup may write all outputs at a time. */
  previous: Map<string, Previous>;
}

export function rollupHooks(options: UnpluginOptions, framework: string) {
  const name = framework === "rolldown" ? "rolldown" : "rollup";
  const states = new WeakMap<object, State>();
  let last: State | undefined;

  /**
   * Rolldown builds anew for each output, also several at a time with the same plugin (tsdown), and its contexts say for which one. Rollup builds once for all
   * outputs.
   */
  const enter = (self: unknown, begins: boolean): State => {
    const context = self as RollupContext;
    const { outputOptions } = context;
    const known = outputOptions ? states.get(outputOptions) : last;
    const state = known ?? (begins || !last ? { build: undefined, context, previous: new Map() } : last);
    if (outputOptions && !known) states.set(outputOptions, state);
    last = state;
    state.context = context;
    return state;
  };

  const start = async (state: State, input: InputOptions): Promise<UnpluginBuild> => {
    const cwd = process.cwd();
    const facts: HostFacts = {
      name,
      cwd,
      ...(await entryFiles(state.context, input.input, cwd)),
      // Another output of the same folder has a manifest of its own.
      identity: [formatOf(state.context.outputOptions)],
      location: PLACES[name],
      settings: {},
      resolve: (specifier, fromFile, kind) => resolveBy(state.context, specifier, fromFile, kind, input.plugins),
    };
    return new UnpluginBuild(facts, options);
  };

  return {
    async buildStart(this: unknown, input?: InputOptions): Promise<void> {
      const state = enter(this, true);
      if (state.build) (await state.build).nextBuild();
      else await (state.build = start(state, input ?? {}));
    },
    async transform(this: unknown, code: string, id: string) {
      const state = enter(this, true);
      const build = await (state.build ??= start(state, {}));
      return transformIn(this as RollupContext, build, code, id);
    },
    rollup: {
      ...outputHooks(),
      renderChunk: {
        order: "pre" as const,
        async handler(this: unknown, code: string, _chunk: unknown, output: OutputOptions) {
          const build = await enter(this, false).build;
          return build && withOutputKey(this as RollupContext, build, code, output);
        },
      },
    },
    rolldown: outputHooks(),
  };

  function outputHooks() {
    return {
      resolveId: { order: "pre" as const, filter: OWN_FILTER, handler: externalSelf },
      async generateBundle(this: unknown, output: OutputOptions): Promise<void> {
        const state = enter(this, false);
        const build = await state.build;
        if (!build) return;
        const outcome = await emitChunks(this as RollupContext, build, output);
        if (!outcome) return;
        const { folder, bundle } = outcome;
        state.previous.set(bundle.manifest.key, { folder, manifest: readManifestFile(folder, bundle.manifest.key), bundle });
      },
      async writeBundle(this: unknown, output: OutputOptions): Promise<void> {
        const state = enter(this, false);
        const build = await state.build;
        if (!build) return;
        const key = outputKey(this as RollupContext, build, output);
        // Rollup itself removes nothing.
        const previous = state.previous.get(key);
        if (previous?.manifest) removeStale(previous.folder, previous.manifest, previous.bundle);
        state.previous.delete(key);
      },
    };
  }
}

const IN_PACKAGE = /[\\/]node_modules[\\/]/;

export const OWN_FILTER = { id: /^makeparallel(?:$|\/)/ };

/**
 * makeparallel itself stays outside: a process must have one instance of it, and it finds its workers beside it. Other plugins are asked all the same, because
 * some note what stays outside, to copy it beside the output (Nitro).
 */
export async function externalSelf(
  this: unknown,
  source: string,
  importer?: string,
  options: object = {},
): Promise<{ id: string; external: true } | null> {
  if (!OWN_FILTER.id.test(source)) return null;
  const isInstalled = importer !== undefined && IN_PACKAGE.test(importer);
  const library = isInstalled ? builtLibrary(source, importer, "") : undefined;
  if (library) throw new Error(`makeparallel: ${library.text}. ${library.fix}`);
  await (this as RollupContext).resolve(source, importer, { ...options, skipSelf: true });
  return { id: source, external: true };
}

function hostOutput({ dir, file, format = "es", interop }: OutputOptions): HostOutput {
  const folder = path.resolve(dir ?? (file === undefined ? "dist" : path.dirname(file)));
  if (!isEsm(format) && format !== "cjs" && format !== "commonjs") {
    throw new Error(`makeparallel: output of format "${format}" can't start Node's worker threads. Set the format to "es" or "cjs".`);
  }
  return { folder, module: isEsm(format) ? "esm" : "cjs", nodeInterop: interop === undefined || interop === "default" };
}

/** What tells the builds that Rolldown makes for several outputs apart; nothing where one build has all outputs. */
export function formatOf(output: OutputOptions | undefined): string {
  if (!output) return "";
  const { format = "es" } = output;
  return isEsm(format) ? "esm" : format;
}

function isEsm(format: string): boolean {
  return format === "es" || format === "esm" || format === "module";
}

/**
 * Rollup transforms files once for outputs of both formats. These may go into one folder, but their tasks import packages in different ways, so that each format
 * has a manifest of its own.
 */
export function outputKey(context: RollupContext, build: UnpluginBuild, output: OutputOptions): string {
  const format = formatOf(output);
  return context.outputOptions || format === "esm" ? build.key : manifestKey(build.key, format);
}

/** A chunk of the program with the key of its output. Keys have one length, so that its source map stays as it is. */
export function withOutputKey(context: RollupContext, build: UnpluginBuild, code: string, output: OutputOptions) {
  const key = outputKey(context, build, output);
  return key === build.key || !code.includes(build.key) ? null : { code: code.replaceAll(build.key, key), map: null };
}

/** Bundles and emits the chunks; reports what is wrong. */
export async function emitChunks(context: RollupContext, build: UnpluginBuild, output: OutputOptions) {
  const loaded = [...context.getModuleIds()].map((id) => id.replace(/\?.*$/, ""));
  const { bundle, folder, messages } = await build.bundle({ ...hostOutput(output), key: outputKey(context, build, output) }, loaded);
  report(context, messages);
  if (!bundle || bundle.files.size === 0) return undefined;
  const files = new Map<string, Uint8Array | string>(bundle.files);
  files.set(`${bundle.manifest.key}.json`, manifestText(bundle.manifest));
  for (const [name, source] of files) context.emitFile({ type: "asset", fileName: `${CHUNK_FOLDER}/${name}`, source });
  return { folder, bundle };
}

export async function transformIn(context: RollupContext, build: UnpluginBuild, code: string, id: string, refuse?: string) {
  const transformed = await build.transform(path.normalize(id), code);
  if (!transformed) return undefined;
  for (const file of [...transformed.watch, ...transformed.missing]) context.addWatchFile(file);
  if (refuse !== undefined && transformed.hasTasks) context.error(asError({ message: refuse, id }));
  report(context, transformed.messages);
  const { edited } = transformed;
  return edited && { code: edited.text, map: edited.map };
}

/** Warnings each by itself; errors together, because the first one ends the build. */
export function report(context: RollupContext, messages: readonly HostMessage[]): void {
  for (const message of messages) if (message.severity !== "error") context.warn(asLog(message, message.text));
  const errors = messages.filter(({ severity }) => severity === "error");
  if (errors.length > 0) context.error(asError(asLog(errors[0], errors.map(({ text }) => text).join("\n\n"))));
}

/** Vite's development throws what it is given as it is, and who imports a file has to get an error. */
function asError(log: Record<string, unknown> & { message: string }): Error {
  return Object.assign(new Error(log.message), log);
}

function asLog({ code, file, line, column }: HostMessage, message: string): Record<string, unknown> & { message: string } {
  return { message, pluginCode: code, id: file, loc: { file, line, column } };
}

export async function resolveBy(
  context: RollupContext,
  specifier: string,
  fromFile: string,
  kind: "import" | "require",
  plugins: unknown,
): Promise<HostResolution> {
  const ask = (isRequire: boolean): ReturnType<RollupContext["resolve"]> =>
    context.resolve(specifier, fromFile, {
      skipSelf: true,
      custom: { "node-resolve": { isRequire } },
      kind: kind === "require" ? "require-call" : "import-statement",
    });
  // For an import, @rollup/plugin-commonjs loads the module that it resolves, and that waits for this answer if it is one of the project.
  const loads =
    kind === "import" && Array.isArray(plugins) && plugins.some((plugin: { name?: string } | null) => plugin?.name === "commonjs");
  let found = await ask(kind === "require" || loads);
  // An installed package may give imports another build, or nothing to `require`. It is no such module.
  if (loads && !found?.external && isInstalled(specifier, fromFile)) {
    const given = await ask(false);
    if (given) found = { ...given, id: given.id.replace(/^\0(.*)\?commonjs-[\w-]+$/, "$1") };
  }
  // What nobody resolves stays outside.
  if (!found) return { external: true };
  if (found.external) return { external: true, specifier: path.isAbsolute(found.id) ? specifier : found.id };
  const file = found.id.replace(/\?.*$/, "");
  return file.includes("\0") || !path.isAbsolute(file) ? undefined : { file: path.normalize(file) };
}

/** Absolute paths of a build's entries, and whether some are none of the project. */
export async function entryFiles(
  context: RollupContext,
  input: unknown,
  cwd: string,
): Promise<Pick<HostFacts, "entries" | "hasHiddenEntries">> {
  const names = typeof input === "string" ? [input] : Object.values((input as Record<string, string> | undefined) ?? {});
  const found: string[] = [];
  for (const name of names) {
    const resolved = await context.resolve(name, undefined as unknown as string, { skipSelf: true, isEntry: true });
    const file = resolved?.id ?? path.resolve(cwd, name);
    if (path.isAbsolute(file)) found.push(path.normalize(file.replace(/\?.*$/, "")));
  }
  return { entries: found, hasHiddenEntries: found.length < names.length || found.some((file) => IN_PACKAGE.test(file)) };
}
