/**
 * Buffers and views. A view is sent as its place in its buffer, and the buffer as an object of its own, so that views that share a buffer still do
 * afterwards.
 */
import type { Encoder } from "./encoder";
import { Kind, VIEW_CONSTRUCTORS, VIEW_NAMES, hasKind, viewNumber } from "./kinds";
import { clearMove, isDetached, isMarkedForMove, isMovable, isPooled } from "./markers";
import { Refusal } from "./refusal";
import { Tag, ViewFlag } from "./tags";

/** ArrayBuffer of ES2024. */
export interface ResizableArrayBuffer extends ArrayBuffer {
  readonly resizable?: boolean;
  readonly maxByteLength?: number;
  resize?(length: number): void;
}

const DETACHED = "its memory has been moved away (it is detached)";

export function encodeArrayBuffer(e: Encoder, buffer: ResizableArrayBuffer): void {
  const marked = isMarkedForMove(buffer);
  if (marked) clearMove(buffer);
  if (isDetached(buffer)) throw new Refusal(DETACHED);
  const movable = (marked || e.moveAll) && isMovable(buffer);
  if (marked && !movable)
    throw new Refusal("its memory cannot be moved (it belongs to a WebAssembly.Memory, or is marked as untransferable)");
  if (movable) {
    const writer = e.writer!;
    (writer.transfers ??= []).push(buffer);
    return attachment(e, buffer);
  }
  const size = buffer.byteLength;
  if (buffer.resizable === true) {
    e.tag(Tag.ResizableArrayBuffer);
    e.uint(size);
    e.number(buffer.maxByteLength!);
  } else {
    e.tag(Tag.ArrayBuffer);
    e.uint(size);
  }
  bytes(e, new Uint8Array(buffer));
}

function bytes(e: Encoder, source: Uint8Array): void {
  e.reserve(source.length);
  e.bytes.set(source, e.pos);
  e.pos += source.length;
}

export function encodeSharedArrayBuffer(e: Encoder, buffer: SharedArrayBuffer): void {
  attachment(e, buffer);
}

/** Puts a value beside the bytes. */
export function attachment(e: Encoder, value: unknown): void {
  const attachments = (e.writer!.attachments ??= []);
  e.tag(Tag.Attachment);
  e.uint(attachments.length);
  attachments.push(value);
}

export function encodeView(e: Encoder, view: ArrayBufferView): void {
  const number = viewNumber(view);
  if (number < 0) throw new Refusal("it is a kind of typed array that this version does not know");
  const buffer = view.buffer as ResizableArrayBuffer;
  if (hasKind(buffer, Kind.ArrayBuffer) && isDetached(buffer)) throw new Refusal(DETACHED);
  // First: whatever else is asked of a view out of its bounds throws as well.
  const offset = readOffset(view);
  e.tag(Tag.View);
  e.tag(number);
  if (isPooled(view, buffer)) {
    // Small Buffers of Node are slices of a common pool. Sending all of it would be slow and would hand over strangers' bytes.
    e.tag(0);
    e.uint(0);
    e.uint(view.byteLength);
    e.anonymousReference();
    e.tag(Tag.ArrayBuffer);
    e.uint(view.byteLength);
    bytes(e, view as Uint8Array);
    return;
  }
  const size = number === 0 ? 1 : VIEW_CONSTRUCTORS[number]!.BYTES_PER_ELEMENT;
  e.tag(isLengthTracking(view, buffer, size) ? ViewFlag.LengthTracking : 0);
  e.uint(offset);
  e.uint(view.byteLength / size);
  e.value(buffer);
}

/** A view out of the bounds of its shrunk buffer throws (DataView) or says 0. */
function readOffset(view: ArrayBufferView): number {
  try {
    return view.byteOffset;
  } catch {
    throw new Refusal(`it is a ${VIEW_NAMES[0]} out of the bounds of its buffer`);
  }
}

/**
 * No property tells whether a view follows its resizable buffer's length. One that ends where the buffer ends is asked by growing the buffer
 * for a moment; when it can't grow, following is assumed, which shows only if it is shrunk later.
 */
function isLengthTracking(view: ArrayBufferView, buffer: ResizableArrayBuffer, size: number): boolean {
  if (buffer.resizable !== true || buffer.resize === undefined) return false;
  const length = buffer.byteLength;
  const slack = length - (view.byteOffset + view.byteLength);
  if (slack >= size || slack < 0) return false;
  if (length + size > buffer.maxByteLength!) return true;
  const before = view.byteLength;
  buffer.resize(length + size);
  const follows = view.byteLength !== before;
  buffer.resize(length);
  return follows;
}
