/**
 * The plain {@link Writer}: starts in memory that its owner lends it, moves to a buffer of its own when that is too small.
 */
import type { Writer } from "./writer";

/** Largest payload. Offsets in a payload are kept in 32-bit integers by the encoder. */
export const MAX_PAYLOAD = 0x7fff_ffff;

export class ByteWriter implements Writer {
  bytes: Uint8Array;
  length = 0;
  attachments: unknown[] | null = null;
  transfers: Writer["transfers"] = null;
  /**
   * True: `attachments` may also hold host objects that only a MessagePort can carry (MessagePort, Blob, KeyObject, WebAssembly.Module, …).
   * False: the encoder refuses them with a TransferError.
   */
  readonly hostObjects: boolean;

  /**
   * @param home memory that encoding starts in, typically the backend's own
   * @param hostObjects see {@link hostObjects}
   */
  constructor(
    readonly home: Uint8Array,
    hostObjects = false,
  ) {
    this.bytes = home;
    this.hostObjects = hostObjects;
  }

  /**
   * Makes room for `extra` more bytes after `length`. Doubles, so that n bytes are copied O(1) times each.
   * @throws RangeError when the payload would be larger than {@link MAX_PAYLOAD}
   */
  grow(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.bytes.length) return;
    if (needed > MAX_PAYLOAD) throw new RangeError(`the payload would be larger than ${MAX_PAYLOAD} bytes`);
    // allocUnsafeSlow: memory that nobody else shares, and is not zeroed first
    const larger: Uint8Array = Buffer.allocUnsafeSlow(Math.min(MAX_PAYLOAD, Math.max(needed, this.bytes.length * 2, 1024)));
    larger.set(this.length === this.bytes.length ? this.bytes : this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }

  reset(): void {
    this.length = 0;
    this.attachments = null;
    this.transfers = null;
    this.bytes = this.home;
  }
}
