/**
 * The loader of this environment: one in each thread that runs hoisted code, be it a pool worker or the program's own thread (`.local`, the inline
 * backend).
 */
import { classStillLoads, onParallelFunction, onUnknownClass } from "./codec";
import { registerLazyClasses } from "./lazy-classes";
import { ChunkLoader, FsChunkStore, installStackMapping, readManifest } from "./loader";
import { knownManifests } from "./known-manifests";
import type { ChunkStore } from "./worker/chunks";

let loader: ChunkLoader | undefined;

/** @param store where chunk bytes come from; only the first call's is used */
export function environmentLoader(store?: ChunkStore): ChunkLoader {
  if (loader !== undefined) return loader;
  // The program's own thread keeps its `Error.prepareStackTrace`; its task errors are mapped as text (push-site.ts).
  if (store !== undefined) installStackMapping();
  loader = new ChunkLoader(store ?? new FsChunkStore(), {
    // Required when a chunk asks for them: most tasks never do, and a worker that has not loaded the whole interface is 2 MB smaller.
    get api() {
      return require("./index") as object;
    },
    get internal() {
      return require("./stub") as object;
    },
  });
  return loader;
}

onParallelFunction((reference) => (require("./task") as typeof import("./task")).reviveFunction(reference));

onUnknownClass((id, only) => {
  const late = only === undefined ? registerLazyClasses().get(id) : undefined;
  if (late !== undefined) return late;
  for (const manifest of only === undefined ? knownManifests : [only]) {
    if (!(id in readManifest(manifest).classes)) continue;
    const found = environmentLoader().loadClass(manifest, id);
    if (typeof found === "function") return found;
    throw classStillLoads(id, found);
  }
  return undefined;
});
