/**
 * Chunks of programs that are not built: they run from their sources, so their chunks go into a cache folder.
 *
 * Takes: a slice plan. Gives: a manifest file whose folder's name is a hash of all that went in. So processes that work at the same time (test workers)
 * share what they have in common and never take a chunk away from each other, and compiled sources, which name the manifest, can be cached as well.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import * as esbuild from "esbuild";
import { entryAt } from "./file-entry";
import { CHUNK_FOLDER } from "../../../runtime-ts/src/manifest";
import type { Edit, SlicePlan } from "../core";
import type { Bundle } from "../emit/bundle";
import type { BundleOptions } from "../emit/options";
import { portableRelative } from "../emit/paths";
import { writeBundle } from "../emit/write-output";
import { packageVersion } from "./version";

/** Stand in edits and slices for the place that stubs look from and for the manifest's key, which are only known when all files are analyzed. */
export const PLACE = "__mp_cached_place";
export const KEY = "__mp_cached_key";

/** ms; manifests that no program has asked for in this time are removed. */
const KEPT = 14 * 24 * 60 * 60_000;

export function withManifest(edits: readonly Edit[], { place, key }: Pick<CachedPlan, "place" | "key">): Edit[] {
  const replaced = (text: string): string => text.replaceAll(PLACE, () => JSON.stringify(place)).replaceAll(KEY, key);
  return edits.map((edit) => ({ ...edit, parts: edit.parts.map((part) => (typeof part === "string" ? replaced(part) : part)) }));
}

/** The cache folder of a package. */
export function cacheFolder(root: string): string {
  return path.join(root, "node_modules", ".cache", "makeparallel");
}

export interface CachedPlan {
  /** The plan with its key in it. */
  plan: SlicePlan;
  /** Absolute path of a file that would find the manifest as an emitted file does. */
  place: string;
  /** Absolute path of the folder of the manifest and the chunks. */
  folder: string;
  key: string;
}

/** Where a plan's chunks are, or go. */
export function cachedPlan(plan: SlicePlan, options: Omit<BundleOptions, "folder" | "key">): CachedPlan {
  const key = hashOf(plan, options);
  const base = path.join(cacheFolder(options.root), key);
  const modules = new Map([...plan.modules].map(([id, module]) => [id, { ...module, contents: module.contents.replaceAll(KEY, key) }]));
  return { plan: { ...plan, modules }, place: path.join(base, "program"), folder: path.join(base, CHUNK_FOLDER), key };
}

/** Whether its chunks are there. Marks them as used, where that may be: an image's file system is read-only, a container's user not the one that has built it. */
export function isCached(cached: CachedPlan): boolean {
  const manifest = path.join(cached.folder, `${cached.key}.json`);
  if (!fs.existsSync(manifest)) return false;
  try {
    const now = new Date();
    fs.utimesSync(manifest, now, now);
  } catch {
    // Nobody removes it either.
  }
  return true;
}

export function writeCached({ folder }: CachedPlan, bundle: Bundle): void {
  try {
    writeBundle(folder, bundle);
  } catch (cause) {
    throw new Error(
      `makeparallel: the chunks can't be written into ${folder}: ${String(cause)}. A program without a build needs a node_modules/.cache that it may write to, or that has them from an earlier run.`,
      { cause },
    );
  }
  removeOld(path.dirname(path.dirname(folder)));
}

function removeOld(cache: string): void {
  const oldest = Date.now() - KEPT;
  for (const name of fs.readdirSync(cache)) {
    const manifest = entryAt(path.join(cache, name, CHUNK_FOLDER, `${name}.json`));
    if (!manifest || manifest.mtimeMs >= oldest) continue;
    try {
      fs.rmSync(path.join(cache, name), { recursive: true, force: true });
    } catch {
      // Another user's, or in use: it stays.
    }
  }
}

function hashOf(plan: SlicePlan, options: Omit<BundleOptions, "folder" | "key">): string {
  const { root } = options;
  const hash = createHash("sha256");
  const add = (value: unknown): void => void hash.update(JSON.stringify(value)).update("\0");
  add([packageVersion(), esbuild.version, options.packages, options.external, options.host, options.defaultFormat, options.isLoadedByNode]);
  for (const [id, module] of [...plan.modules].sort((a, b) => (a[0] < b[0] ? -1 : 1))) {
    add([id, portableRelative(root, module.file), module.contents, module.loader, options.sources.get(module.file)]);
  }
  add(plan.entries);
  add([...plan.classes]);
  for (const [question, answer] of [...options.resolutions].sort((a, b) => (a[0] < b[0] ? -1 : 1))) {
    if (answer.kind !== "data") continue;
    add([question.slice(question.lastIndexOf("\0")), portableRelative(root, answer.file)]);
    hash.update(fs.existsSync(answer.file) ? fs.readFileSync(answer.file) : "");
  }
  return hash.digest("hex").slice(0, 20);
}
