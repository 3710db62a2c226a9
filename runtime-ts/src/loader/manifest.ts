/**
 * Finds and reads manifests.
 *
 * Takes: the emitted file that holds a stub, and the key of its build. Gives: the manifest, checked. Both steps are cached: a path for the life of
 * the thread, a manifest until {@link refreshManifest} sees another file.
 *
 * A manifest is named by its path. Where a module with stubs is evaluated after a rebuild has changed the file (a development server does that in the
 * program's own process), it gets the path with a stamp, `….json?<stamp>`: other tasks than those of the modules from before, so that workers which have
 * these load them anew.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { ChunkError } from "../errors";
import { descriptorAdvice } from "../descriptors";
import { mayNotRead, readAdvice } from "../permissions";
import { CHUNK_FOLDER, type Manifest, MANIFEST_FORMAT } from "../manifest";

const found = new Map<string, string>();

/** The stamp that each manifest had when a module of this thread first asked for it. */
const firstStamps = new Map<string, string>();

/** Path of the file of a manifest, as {@link findManifest} names it. */
export function manifestFile(name: string): string {
  return name.replace(/\.json\?[\d.]+$/, ".json");
}

/**
 * Looks for `parallel-chunks/<key>.json` beside the emitted file, then in each folder above it.
 *
 * @param emitted path or `file:` URL of the emitted file
 * @returns absolute path of the manifest, with a stamp if it has changed since this thread first asked for it
 * @throws ChunkError that says where it was looked for
 */
export function findManifest(emitted: string, key: string): string {
  const file = emitted.startsWith("file:") ? fileURLToPath(emitted) : path.resolve(emitted);
  const start = path.dirname(file);
  const cacheKey = `${start}\0${key}`;
  const known = found.get(cacheKey);
  if (known !== undefined) return stamped(known);

  const name = `${key}.json`;
  let oldBuild: string | undefined;
  for (let folder = start; ; folder = path.dirname(folder)) {
    const chunks = path.join(folder, CHUNK_FOLDER);
    const candidate = path.join(chunks, name);
    // Under Node's permission model a file that may not be read can't be asked for either.
    if (mayNotRead(candidate)) throw new ChunkError(`The manifest ${candidate} cannot be looked for.${readAdvice(chunks)}`);
    if (fs.existsSync(candidate)) {
      found.set(cacheKey, candidate);
      return stamped(candidate);
    }
    if (oldBuild === undefined && fs.existsSync(chunks)) oldBuild = chunks;
    if (folder === path.dirname(folder)) break;
  }
  throw new ChunkError(
    `No manifest ${CHUNK_FOLDER}/${name} beside ${file} or in a folder above it.` +
      (oldBuild === undefined
        ? ` Copy the folder ${CHUNK_FOLDER} along with the build's other output, or build again.`
        : ` ${oldBuild} exists, but holds no manifest of this build: build again, and copy its whole output.`),
  );
}

function stamped(file: string): string {
  // A folder that is named by a hash of all that went into it (the transformer's cache) never changes, but for its times.
  if (path.basename(path.dirname(path.dirname(file))) === path.basename(file, ".json")) return file;
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  // The task says that it is gone, unless the worker has it.
  if (stat === undefined) return file;
  const stamp = stampOf(stat);
  const first = firstStamps.get(file);
  if (first === undefined) firstStamps.set(file, stamp);
  return first === undefined || first === stamp ? file : `${file}?${stamp}`;
}

function stampOf({ mtimeMs, size }: fs.Stats): string {
  return `${mtimeMs}.${size}`;
}

interface CachedManifest {
  manifest: Manifest;
  stamp: string;
}

const manifests = new Map<string, CachedManifest>();

/**
 * @param name as {@link findManifest} gives it
 * @throws ChunkError when it is missing, damaged, or in another version's format
 */
export function readManifest(name: string): Manifest {
  return (manifests.get(name) ?? load(name)).manifest;
}

/**
 * Reads the manifest again if its file has changed since it was read (a rebuild while the program runs).
 *
 * @returns true when it had changed
 */
export function refreshManifest(name: string): boolean {
  const known = manifests.get(name);
  const stat = fs.statSync(manifestFile(name), { throwIfNoEntry: false });
  if (known && stat && stampOf(stat) === known.stamp) return false;
  load(name);
  return true;
}

function load(name: string): CachedManifest {
  const file = manifestFile(name);
  let text: string;
  let stat: fs.Stats;
  try {
    stat = fs.statSync(file);
    text = fs.readFileSync(file, "utf8");
  } catch (cause) {
    throw new ChunkError(`The manifest ${file} cannot be read.${readAdvice(file) || ` ${descriptorAdvice(cause) ?? "Build again."}`}`, {
      cause,
    });
  }
  const entry = { manifest: parse(file, text), stamp: stampOf(stat) };
  manifests.set(name, entry);
  return entry;
}

function parse(file: string, text: string): Manifest {
  let value: Partial<Manifest> | null;
  try {
    value = JSON.parse(text) as Partial<Manifest> | null;
  } catch (cause) {
    throw new ChunkError(`The manifest ${file} is damaged. Build again.`, { cause });
  }
  if (typeof value !== "object" || value === null || typeof value.format !== "number") {
    throw new ChunkError(`${file} is not a manifest of makeparallel. Build again.`);
  }
  if (value.format !== MANIFEST_FORMAT) {
    throw new ChunkError(
      `The manifest ${file} was written by makeparallel ${String(value.version)} in format ${value.format}; the makeparallel that runs reads ` +
        `format ${MANIFEST_FORMAT}. Build again with the version that the program runs with.`,
    );
  }
  if (!value.tasks || !value.chunks || !value.classes) throw new ChunkError(`The manifest ${file} is damaged. Build again.`);
  return value as Manifest;
}
