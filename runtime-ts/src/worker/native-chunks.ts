/** The chunk store in Rust: each file is read and checked once per process; its bytes and its code cache are shared by all workers. */
import { descriptorAdvice } from "../descriptors";
import { ChunkError } from "../errors";
import { mayNotRead, readAdvice } from "../permissions";
import type { NativeBinding } from "../pool/native-binding";
import type { ChunkStore } from "./chunks";

export class NativeChunkStore implements ChunkStore {
  constructor(private readonly binding: NativeBinding) {}

  read(path: string, sha256: string): { source: Buffer; codeCache: Buffer | undefined } {
    // Rust reads it, which Node's permission model does not see.
    if (mayNotRead(path)) throw new ChunkError(`The chunk ${path} can't be read.${readAdvice(path)}`);
    try {
      const { source, codeCache } = this.binding.readChunk(path, sha256);
      return { source, codeCache };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new ChunkError(
        reason.startsWith("changed: ")
          ? `The chunk ${path} has changed since it was built: its SHA-256 is ${reason.slice(9)}, the manifest says ${sha256}. Build again, and deploy the chunks together with the program.`
          : `The chunk ${path} can't be read: ${reason.replace(/^unreadable: /, "")}. ${descriptorAdvice(error) ?? "The folder of chunks belongs to the build's output."}`,
        { cause: error },
      );
    }
  }

  offerCodeCache(path: string, sha256: string, cache: Buffer): void {
    this.binding.offerCodeCache(path, sha256, cache);
  }
}
