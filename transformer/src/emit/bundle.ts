/**
 * Bundles a plan's slices into chunks and describes them in a manifest.
 *
 * Takes: the slice plan and the host's settings. Gives: files by name and the manifest; nothing is written here. esbuild bundles all slices of a
 * build at once, as ES modules with splitting, so that tasks share code; each output is then turned into the chunk format. The same input gives
 * the same bytes, on any machine and in any order of tasks.
 *
 * Not handled here: finding tasks, slicing (analyze/), writing (write-output.ts).
 */
import { createHash } from "node:crypto";
import * as path from "node:path";
import * as esbuild from "esbuild";
import { type Manifest, type ManifestChunk, MANIFEST_FORMAT } from "../../../runtime-ts/src/manifest";
import { PLACE_PROPERTIES } from "../analyze/syntax";
import type { SlicePlan, TypeScript } from "../core";
import { type ChunkOutput, type RawSourceMap, toChunk } from "./chunk-format";
import { withClassDecorators } from "./class-decorators";
import { withComputedImports } from "./computed-imports";
import { withoutInterop, withWholeJson } from "./whole-imports";
import { Externals } from "./externals";
import { digestOf, keepBundle, keptBundle, type KeptMaps } from "./kept-bundles";
import type { BundleOptions } from "./options";
import { fileNamePart, portableRelative, toSlashes } from "./paths";
import { withoutFailingClasses } from "./optional-classes";
import { ChunkOrder } from "./chunk-order";
import { DynamicImports } from "./dynamic-imports";
import { CLASS_PREFIX, EFFECT_PREFIX, formatOf, slicePlugin, TASK_PREFIX } from "./slice-plugin";
import { addWayOut, isImportOfSlice, locateInSource } from "./messages";
import { sloppyInputs, withSloppyNames } from "./sloppy-modules";
import { type FinishedMap, finishMap, type SourceOrigin, SourceTexts } from "./source-maps";

export interface Bundle {
  /** Chunks and their maps, by file name. */
  files: Map<string, Uint8Array>;
  manifest: Manifest;
  warnings: esbuild.Message[];
  /** Absolute paths of the real files that went in. */
  inputs: string[];
}

const DEFAULT_TARGET = "node20";

/** Chunks that were made before, by content of what esbuild gave. In watch mode most are. */
const converted = new Map<string, Promise<ChunkOutput>>();
const CONVERTED_LIMIT = 2000;

/**
 * @param ts gives the compiler API; only called when a chunk needs it
 * @throws esbuild.BuildFailure with errors that name the source position
 */
export async function bundleChunks(original: SlicePlan, options: BundleOptions, ts: () => TypeScript): Promise<Bundle> {
  const manifest: Manifest = { format: MANIFEST_FORMAT, version: options.version, key: options.key, tasks: {}, chunks: {}, classes: {} };
  const files = new Map<string, Uint8Array>();
  if (original.entries.length === 0 && original.classes.size === 0) return { files, manifest, warnings: [], inputs: [] };

  const digest = digestOf(original, options);
  const last = keptBundle(options, digest);
  if (last) return last;

  const plan: SlicePlan = { ...original, modules: new Map() };
  for (const [id, module] of original.modules) {
    const source = portableRelative(options.root, module.file);
    let written = await withComputedImports(ts, module, source);
    written = await withClassDecorators(ts, written, source, options);
    const { module: format, interop } = formatOf(options, module.file);
    if (interop === false) written = await withoutInterop(written, source);
    else if (interop && format === "cjs") written = await withWholeJson(written, source);
    plan.modules.set(id, written);
  }
  const externals = new Externals(options.folder);
  const slices = slicePlugin(plan, options, externals);
  const target = options.host.target ?? DEFAULT_TARGET;
  const build = esbuild.build({
    ...options.host,
    define: withoutPlaces(options.host.define),
    absWorkingDir: options.root,
    bundle: true,
    charset: "utf8",
    chunkNames: "shared-[hash]",
    entryNames: "[name]-[hash]",
    entryPoints: entryPoints(plan),
    format: "esm",
    keepNames: true,
    legalComments: "inline",
    loader: { ".wasm": "binary", ...options.host.loader },
    logLevel: "silent",
    metafile: true,
    outExtension: { ".js": ".cjs" },
    outdir: options.folder,
    platform: "node",
    plugins: [slices.plugin],
    sourcemap: "external",
    sourcesContent: false,
    splitting: true,
    target,
    write: false,
  });
  const result = await build.catch((error: unknown) => {
    const { errors } = error as Partial<esbuild.BuildFailure>;
    const failed = new Set(errors?.flatMap((message) => slices.sliceOfMessage(message) ?? []));
    const fewer = errors && withoutFailingClasses(original, failed);
    if (fewer) return fewer;
    for (const message of errors ?? []) {
      locateInSource(message, slices.fileOfSource, options.root);
      addWayOut(message);
    }
    throw error;
  });
  if ("classes" in result) return bundleChunks(result, options, ts);
  // esbuild only warns of a name that is not there when the other file has no exports at all.
  const lost = result.warnings.filter((message) => message.id === "import-is-undefined" && isImportOfSlice(message));
  for (const message of result.warnings) locateInSource(message, slices.fileOfSource, options.root);
  if (lost.length > 0) throw Object.assign(new Error(lost[0].text), { errors: lost, warnings: [] });

  // A host's ES module bundle makes strict code of everything itself.
  const sloppy: ReadonlySet<string> = options.defaultFormat.module === "cjs" ? sloppyInputs(result.metafile, options.root) : new Set();
  const { files: outputs, outputs: described } = withSloppyNames(result.outputFiles, result.metafile.outputs, sloppy);
  const meta = new Map(Object.entries(described).map((output) => [path.posix.basename(output[0]), output]));
  const order = new ChunkOrder({ ...result.metafile, outputs: described });
  const owners = new DynamicImports(result.metafile, described, outputs, options, slices.fileOfSource);
  const chunkOfEntry = new Map<string, string>();
  const names = [...outputs.keys()].filter((name) => name.endsWith(".cjs")).sort();
  // Code looks for them from the place of its module, which is among the program's output.
  const { emitted } = options.defaultFormat;
  const assets = new Map<string, string>();
  for (const name of [...outputs.keys()].sort()) {
    // Files that esbuild's `file` and `copy` loaders put beside the chunks.
    if (name.endsWith(".cjs") || name.endsWith(".cjs.map")) continue;
    files.set(name, outputs.get(name)!.contents);
    if (emitted !== undefined) assets.set(`./${name}`, `./${portableRelative(path.dirname(emitted), path.join(options.folder, name))}`);
  }
  const texts = new SourceTexts();
  const maps: KeptMaps["maps"] = new Map();
  const origin: SourceOrigin = {
    folder: options.folder,
    base: options.folder,
    fileOfSource: slices.fileOfSource,
    isProjectFile: (file) => !/[\\/]node_modules[\\/]/.test(file),
  };
  for (const name of names) {
    const [nameInMetafile, output] = meta.get(name) as [string, esbuild.Metafile["outputs"][string]];
    const entry = output.entryPoint?.slice(output.entryPoint.indexOf(":") + 1);
    if (entry?.startsWith(EFFECT_PREFIX)) continue;
    const chunk = describe(output, externals);
    chunk.imports = inOrder(chunk, order.of(nameInMetafile));
    const map = JSON.parse(outputs.get(`${name}.map`)!.text) as RawSourceMap;
    const own = new Set(Object.keys(output.inputs).filter((input) => sloppy.has(input)));
    const made = await convert(ts, {
      name,
      code: outputs.get(name)!.text,
      map,
      dynamicImports: owners.of(output),
      assets,
      target,
      sloppy: own,
      keepsDirectives: options.tsconfigIsForAll === true,
    });
    const code = Buffer.from(made.code);
    files.set(name, code);
    const finish = (): FinishedMap => finishMap(made.map, origin, texts);
    const finished = finish();
    files.set(`${name}.map`, Buffer.from(finished.json));
    maps.set(`${name}.map`, { files: finished.files, finish });
    manifest.chunks[name] = { sha256: createHash("sha256").update(code).digest("hex"), ...chunk, async: made.async, map: `${name}.map` };
    if (entry !== undefined) chunkOfEntry.set(entry, name);
  }
  describeEntries(plan, options, chunkOfEntry, manifest);
  const bundle: Bundle = { files, manifest, warnings: result.warnings, inputs: realInputs(result.metafile, options.root) };
  keepBundle(options, slices.hasLooked() || bundle.inputs.length > 0 ? undefined : digest, bundle, { texts, maps });
  return bundle;
}

const PLACES: ReadonlySet<string> = new Set([
  "import.meta",
  ...PLACE_PROPERTIES.map((name) => `import.meta.${name}`),
  "__filename",
  "__dirname",
]);

/**
 * Without what stands for a module's place in the host's output: chunks have their own. It is a variable that the output begins with (`import_meta_url`), which a chunk
 * does not have.
 */
function withoutPlaces(define: Record<string, string> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(define ?? {}).filter(([name, value]) => !PLACES.has(name) || !/^[\w$.]+$/.test(value)));
}

function entryPoints(plan: SlicePlan): { in: string; out: string }[] {
  const points = plan.entries.map((entry) => ({ in: TASK_PREFIX + entry.task.id, out: fileNamePart(entry.task.name) }));
  for (const id of plan.classes.keys()) points.push({ in: CLASS_PREFIX + id, out: fileNamePart(id.slice(id.indexOf("#") + 1)) });
  for (const id of plan.effects) points.push({ in: EFFECT_PREFIX + id, out: "effect" });
  return points.sort((a, b) => (a.in < b.in ? -1 : 1));
}

function describe(output: esbuild.Metafile["outputs"][string], externals: Externals): Pick<ManifestChunk, "imports" | "externals"> {
  const chunk: Pick<ManifestChunk, "imports" | "externals"> = { imports: [], externals: [] };
  const seen = new Set<string>();
  for (const imported of output.imports) {
    if (!imported.external) {
      const name = path.posix.basename(imported.path);
      if (imported.kind !== "dynamic-import" && name.endsWith(".cjs") && !chunk.imports.includes(name)) chunk.imports.push(name);
    } else if (!seen.has(imported.path)) {
      seen.add(imported.path);
      const external = externals.get(imported.path);
      if (external) chunk.externals.push(external);
    }
  }
  return chunk;
}

/**
 * What is loaded before a chunk, but for what it imports from outside after its last import of a chunk: that comes in its own order anyway.
 * @param order of {@link ChunkOrder.of}
 */
function inOrder({ imports, externals }: Pick<ManifestChunk, "imports" | "externals">, order: readonly string[]): string[] {
  const outside = new Set(externals.flatMap(({ request, lazy }) => (lazy ? [] : request)));
  const known = order.map((name) => (outside.has(name) ? name : path.posix.basename(name)));
  const ordered = known.filter((name) => outside.has(name) || imports.includes(name));
  const all = [...ordered, ...imports.filter((name) => !ordered.includes(name))];
  while (outside.has(all.at(-1) ?? "")) all.pop();
  return all;
}

async function convert(ts: () => TypeScript, input: Parameters<typeof toChunk>[1]): Promise<ChunkOutput> {
  const key = createHash("sha256")
    .update(input.name)
    .update(input.code)
    .update(input.map.mappings)
    .update(JSON.stringify([input.target, [...input.sloppy], input.keepsDirectives, [...input.dynamicImports], [...input.assets]]))
    .digest("hex");
  let made = converted.get(key);
  if (!made) {
    if (converted.size >= CONVERTED_LIMIT) converted.clear();
    made = toChunk(ts, input);
    converted.set(key, made);
    made.catch(() => converted.delete(key));
  }
  return made;
}

function describeEntries(plan: SlicePlan, options: BundleOptions, chunkOfEntry: Map<string, string>, manifest: Manifest): void {
  for (const { task, export: name } of [...plan.entries].sort((a, b) => (a.task.id < b.task.id ? -1 : 1))) {
    manifest.tasks[task.id] = {
      name: task.name,
      source: {
        file: toSlashes(path.isAbsolute(task.file) ? portableRelative(options.root, task.file) : task.file),
        line: task.line,
        column: task.column,
      },
      chunk: chunkOfEntry.get(TASK_PREFIX + task.id) as string,
      export: name,
      parameters: task.parameters,
      captures: task.captures,
      factory: task.factory,
      receiver: task.receiver,
      async: task.async,
      generator: task.generator,
    };
  }
  for (const id of [...plan.classes.keys()].sort()) {
    manifest.classes[id] = {
      chunk: chunkOfEntry.get(CLASS_PREFIX + id) as string,
      export: (plan.classes.get(id) as { export: string }).export,
    };
  }
  const sources: [string, string][] = [];
  for (const { file, contents } of plan.modules.values()) {
    if (!contents.includes("__mp_chunk")) continue;
    const emitted = formatOf(options, file).emitted ?? file;
    sources.push([portableRelative(options.root, file), portableRelative(options.folder, emitted)]);
  }
  if (sources.length > 0) manifest.sources = Object.fromEntries(sources.sort((a, b) => (a[0] < b[0] ? -1 : 1)));
}

function realInputs(metafile: esbuild.Metafile, root: string): string[] {
  return Object.keys(metafile.inputs)
    .filter((input) => !/^[A-Za-z-]{2,}:/.test(input))
    .map((input) => path.resolve(root, input));
}
