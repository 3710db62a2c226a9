/**
 * The encoder's output: a growable byte buffer, and the objects that travel beside the bytes.
 */
export interface Writer {
  /** Current buffer. Replaced when it has to grow; starts as the backend's own memory (see `home`). */
  bytes: Uint8Array;
  /** Bytes used. */
  length: number;
  /** What travels beside the bytes; null while there is nothing (the common case). */
  attachments: unknown[] | null;
  /** Those of `attachments` that must be transferred (and so are detached) when the payload is pushed. */
  transfers: (ArrayBuffer | import("node:worker_threads").MessagePort)[] | null;
  /** The backend's own memory, which `bytes` is set back to by {@link reset}. */
  readonly home: Uint8Array;
  /** Makes room for `extra` more bytes: may replace `bytes`. */
  grow(extra: number): void;
  /** Length 0, no attachments, `bytes === home`. */
  reset(): void;
}
