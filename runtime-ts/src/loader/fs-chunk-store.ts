/** Chunk bytes straight from the file system, for the backends without a native store. Keeps code caches of this thread only. */
import * as fs from "node:fs";
import { descriptorAdvice } from "../descriptors";
import { ChunkError } from "../errors";
import { readAdvice } from "../permissions";
import type { ChunkStore } from "../worker/chunks";

export class FsChunkStore implements ChunkStore {
  readonly #caches = new Map<string, Buffer>();

  /** @throws ChunkError when the file is missing or its hash is another one */
  read(path: string, sha256: string): { source: Buffer; codeCache: Buffer | undefined } {
    let source: Buffer;
    try {
      source = fs.readFileSync(path);
    } catch (cause) {
      throw new ChunkError(
        `The chunk ${path} cannot be read.${readAdvice(path) || ` ${descriptorAdvice(cause) ?? "Copy the whole output of the build, or build again."}`}`,
        { cause },
      );
    }
    // Loaded only here: a native worker has this module, through the loader, but hashes in Rust.
    const { createHash } = require("node:crypto") as typeof import("node:crypto");
    const actual = createHash("sha256").update(source).digest("hex");
    if (actual !== sha256) {
      throw new ChunkError(
        `The chunk ${path} is not the one that the build wrote (SHA-256 ${actual.slice(0, 12)}…, the manifest says ${sha256.slice(0, 12)}…). Build again.`,
      );
    }
    return { source, codeCache: this.#caches.get(sha256) };
  }

  offerCodeCache(_path: string, sha256: string, cache: Buffer): void {
    this.#caches.set(sha256, cache);
  }
}
