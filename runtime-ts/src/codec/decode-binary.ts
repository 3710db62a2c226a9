/** The counterpart of encode-binary.ts. */
import type { Decoder } from "./decoder";
import type { ResizableArrayBuffer } from "./encode-binary";
import { Kind, VIEW_CONSTRUCTORS, VIEW_NAMES, hasKind } from "./kinds";
import { ViewFlag } from "./tags";

export function decodeArrayBuffer(d: Decoder): ArrayBuffer {
  const size = d.count();
  const buffer = new ArrayBuffer(size);
  copy(d, buffer, size);
  return buffer;
}

export function decodeResizable(d: Decoder): ArrayBuffer {
  const size = d.count();
  const maxByteLength = d.number();
  if (!(maxByteLength >= size)) d.corrupt("a resizable buffer without its limit");
  d.need(size);
  const buffer = new (ArrayBuffer as unknown as new (size: number, options: { maxByteLength: number }) => ResizableArrayBuffer)(size, {
    maxByteLength,
  });
  copy(d, buffer, size);
  return buffer;
}

function copy(d: Decoder, buffer: ArrayBuffer, size: number): void {
  new Uint8Array(buffer).set(d.bytes.subarray(d.pos, d.pos + size));
  d.pos += size;
}

export function decodeView(d: Decoder): ArrayBufferView {
  const number = d.byte();
  const flags = d.byte();
  const offset = d.uint();
  const length = d.uint();
  if (number >= VIEW_CONSTRUCTORS.length) d.corrupt("an unknown kind of view");
  const constructor = VIEW_CONSTRUCTORS[number];
  if (constructor === undefined) throw new Error(`makeparallel: this Node.js has no ${VIEW_NAMES[number]}`);
  const slot = d.open();
  const buffer = d.value();
  if (typeof buffer !== "object" || buffer === null || !(hasKind(buffer, Kind.ArrayBuffer) || hasKind(buffer, Kind.SharedArrayBuffer))) {
    d.corrupt("a view without its buffer");
  }
  const memory = buffer as ArrayBufferLike;
  const size = number === 0 ? 1 : constructor.BYTES_PER_ELEMENT;
  if (offset % size !== 0 || offset + length * size > memory.byteLength) d.corrupt("a view beyond its buffer");
  const view = flags & ViewFlag.LengthTracking ? new constructor(memory, offset) : new constructor(memory, offset, length);
  d.references[slot] = view;
  return view;
}
