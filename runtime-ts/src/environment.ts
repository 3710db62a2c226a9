/**
 * The loader of this environment: one in each thread that runs hoisted code, be it a pool worker or the program's own thread (`.local`, the inline
 * backend).
 */
import { onParallelFunction, onUnknownClass } from "./codec";
import { ChunkLoader, FsChunkStore } from "./loader";
import type { ChunkStore } from "./worker/chunks";

let loader: ChunkLoader | undefined;

/** @param store where chunk bytes come from; only the first call's is used */
export function environmentLoader(store?: ChunkStore): ChunkLoader {
  if (loader !== undefined) return loader;
  // Required late: these modules and the ones that use this one need each other.
  const api = require("./index") as object;
  const internal = require("./stub") as object;
  loader = new ChunkLoader(store ?? new FsChunkStore(), { api, internal });
  return loader;
}

void onParallelFunction;
void onUnknownClass;
