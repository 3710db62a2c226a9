/** Reads chunk files for the loader. The native one reads each file once per process and shares V8's code cache among the workers. */
export interface ChunkStore {
  /**
   * Bytes of a chunk whose SHA-256 has been checked on exactly these bytes.
   * @throws ChunkError when the file is missing or its hash is another one
   */
  read(path: string, sha256: string): { source: Buffer; codeCache: Buffer | undefined };
  /** Offers the code cache made after a first run. */
  offerCodeCache(path: string, sha256: string, cache: Buffer): void;
}
