/**
 * The decoder's core, the counterpart of encoder.ts.
 *
 * Takes an Encoded payload, whose bytes may be reused afterwards: everything is copied out. Throws an Error for bytes that no encoder has written;
 * every count is checked against what is left before anything is allocated for it.
 */
import { reviveParallelFunction } from "./brands";
import { decodeArray } from "./decode-array";
import { decodeArrayBuffer, decodeResizable, decodeView } from "./decode-binary";
import { decodeError, errorShell, fillError } from "./decode-error";
import { decodeInstance, shellOf } from "./decode-instance";
import type { ClassEntry } from "./classes";
import { isStackOverflow } from "./refusal";
import { DecodedShape, DecodedShapes } from "./shapes";
import { SHORT_STRING, SMALL_INT, SMALL_SHAPE, Tag } from "./tags";
import type { Encoded } from "../pool/backend";

/** Native string methods of Buffer, which work on any Uint8Array. */
const { latin1Slice, ucs2Slice } = Buffer.prototype as unknown as Record<
  "latin1Slice" | "ucs2Slice",
  (this: Uint8Array, start: number, end: number) => string
>;
const { fromCharCode } = String;

/** Stands in `references` for a view, or a revived value, that does not exist before what it consists of has been decoded. */
const OPEN: unique symbol = Symbol("open") as never;
/** What {@link Tag.Absent} decodes to. */
export const ABSENT: unique symbol = Symbol("absent") as never;
/** Substrings up to this length are copies; longer ones would keep the whole window alive. */
const COPIED_SUBSTRING = 12;
const FIRST_WINDOW = 128;
const LARGEST_WINDOW = 8192;

/** Longer lists are given back to the collector after the payload. */
const KEPT_REFERENCES = 1024;

const NO_BYTES = new Uint8Array(0);

/** Definitions seen in this isolate. */
const knownShapes = new DecodedShapes();

/** For doubles while there is no DataView. */
const scratchBytes = new Uint8Array(8);
const scratchDouble = new Float64Array(scratchBytes.buffer);
const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
/** Doubles of one payload that are read without a DataView, whose making costs as much as ten of them. */
const SCRATCH_DOUBLES = 8;

export class Decoder {
  bytes: Uint8Array = NO_BYTES;
  pos = 0;
  end = 0;
  attachments: readonly unknown[] | null = null;
  /** Payloads that {@link Tag.Dependency} refers to. */
  inputs: readonly Encoded[] | null = null;
  /** Objects by number. Kept between payloads, with `referenceCount` telling how many are this payload's: growing an array anew is slow. */
  readonly references: unknown[] = [];
  referenceCount = 0;
  readonly classes: ClassEntry[] = [];

  /** Classes whose instances have become plain objects. */
  flattened: string[] | undefined;

  /** What {@link Tag.Made} refers to. */
  functions: readonly Function[] | undefined;

  private lazyView: DataView | null = null;
  private doubles = 0;
  private readonly shapes: DecodedShape[] = [];
  private shapeCount = 0;
  private readonly deferred: { shell: object; functions: readonly Function[] | undefined }[] = [];
  private text = "";
  private textStart = 0;
  private textEnd = 0;
  private window = FIRST_WINDOW;

  begin(payload: Encoded, inputs: readonly Encoded[] | null): void {
    if (payload.bytes !== this.bytes) {
      this.bytes = payload.bytes;
      this.lazyView = null;
      this.doubles = 0;
    }
    this.pos = payload.start;
    this.end = payload.end;
    this.attachments = payload.attachments;
    this.inputs = inputs;
    if (this.end > this.bytes.length) this.corrupt("its end lies beyond its bytes");
  }

  /** Fills the deferred objects. */
  finish(): void {
    // the list grows while it is worked off
    for (let i = 0; i < this.deferred.length; i++) {
      const { shell, functions } = this.deferred[i]!;
      this.functions = functions;
      this.fill(shell);
    }
    if (this.pos > this.end) this.corrupt("it ends too early");
  }

  /** Forgets the payload. Always called. */
  release(): void {
    if (this.referenceCount !== 0) {
      if (this.references.length > KEPT_REFERENCES) this.references.length = 0;
      else this.references.fill(undefined, 0, this.referenceCount);
      this.referenceCount = 0;
      this.shapeCount = 0;
      if (this.shapes.length > KEPT_REFERENCES) this.shapes.length = 0;
      if (this.deferred.length !== 0) this.deferred.length = 0;
    }
    // Known before the first object exists, whose making may fail.
    if (this.classes.length !== 0) this.classes.length = 0;
    this.flattened = undefined;
    this.functions = undefined;
    if (this.textEnd !== 0) {
      this.text = "";
      this.textStart = this.textEnd = 0;
      this.window = FIRST_WINDOW;
    }
    this.attachments = null;
    this.inputs = null;
    // a large buffer is not kept alive
    if (this.bytes.length > 1 << 20) {
      this.bytes = NO_BYTES;
      this.lazyView = null;
    }
  }

  corrupt(what: string): never {
    throw new Error(`makeparallel: corrupt payload at byte ${this.pos}: ${what}`);
  }

  get view(): DataView {
    return (this.lazyView ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength));
  }

  /** Checks that `size` more bytes are there. */
  need(size: number): void {
    if (size > this.end - this.pos) this.corrupt("it ends too early");
  }

  byte(): number {
    if (this.pos >= this.end) this.corrupt("it ends too early");
    return this.bytes[this.pos++]!;
  }

  uint(): number {
    const first = this.byte();
    if (first < 128) return first;
    let n = first & 127;
    let factor = 128;
    for (let i = 0; i < 4; i++) {
      const next = this.byte();
      n += (next & 127) * factor;
      if (next < 128) return n;
      factor *= 128;
    }
    return this.corrupt("a count is too long");
  }

  /** A count of things of which each takes a byte at least. */
  count(): number {
    const n = this.uint();
    if (n > this.end - this.pos) this.corrupt("a count is larger than what follows");
    return n;
  }

  value(): unknown {
    if (this.pos >= this.end) this.corrupt("it ends too early");
    const tag = this.bytes[this.pos++]!;
    if (tag >= SMALL_SHAPE) return this.object(tag - SMALL_SHAPE);
    if (tag >= SHORT_STRING) return this.latin1(tag - SHORT_STRING);
    if (tag >= SMALL_INT) return tag - SMALL_INT;
    switch (tag) {
      case Tag.Undefined:
        return undefined;
      case Tag.Null:
        return null;
      case Tag.True:
        return true;
      case Tag.False:
        return false;
      case Tag.Int32:
        return this.int32();
      case Tag.Float64:
        return this.float64();
      default:
        return this.rare(tag);
    }
  }

  private int32(): number {
    const { bytes, pos } = this;
    this.need(4);
    this.pos = pos + 4;
    return bytes[pos]! | (bytes[pos + 1]! << 8) | (bytes[pos + 2]! << 16) | (bytes[pos + 3]! << 24);
  }

  private float64(): number {
    const pos = this.pos;
    this.need(8);
    this.pos = pos + 8;
    if (this.lazyView !== null) return this.lazyView.getFloat64(pos, true);
    if (++this.doubles > SCRATCH_DOUBLES || !LITTLE_ENDIAN) return this.view.getFloat64(pos, true);
    const bytes = this.bytes;
    scratchBytes[0] = bytes[pos]!;
    scratchBytes[1] = bytes[pos + 1]!;
    scratchBytes[2] = bytes[pos + 2]!;
    scratchBytes[3] = bytes[pos + 3]!;
    scratchBytes[4] = bytes[pos + 4]!;
    scratchBytes[5] = bytes[pos + 5]!;
    scratchBytes[6] = bytes[pos + 6]!;
    scratchBytes[7] = bytes[pos + 7]!;
    return scratchDouble[0]!;
  }

  private latin1(length: number): string {
    const pos = this.pos;
    this.need(length);
    this.pos = pos + length;
    if (length <= 1) return length === 0 ? "" : fromCharCode(this.bytes[pos]!);
    if (length > COPIED_SUBSTRING) return latin1Slice.call(this.bytes, pos, pos + length);
    // One native call makes a window of the payload a string; short strings are cut out of it, which is three times faster than a call each
    if (pos < this.textStart || pos + length > this.textEnd) {
      this.textStart = pos;
      this.textEnd = Math.min(this.end, pos + this.window);
      this.text = latin1Slice.call(this.bytes, pos, this.textEnd);
      if (this.window < LARGEST_WINDOW) this.window *= 4;
    }
    const start = pos - this.textStart;
    return this.text.substring(start, start + length);
  }

  /** A value that must be a string. */
  string(): string {
    const text = this.value();
    return typeof text === "string" ? text : this.corrupt("a string is missing");
  }

  number(): number {
    const n = this.value();
    return typeof n === "number" ? n : this.corrupt("a number is missing");
  }

  private rare(tag: number): unknown {
    switch (tag) {
      case Tag.BigInt64: {
        this.need(8);
        this.pos += 8;
        return this.view.getBigInt64(this.pos - 8, true);
      }
      case Tag.BigIntHex: {
        const negative = this.byte() === 1;
        const digits = this.slice(latin1Slice, this.count());
        if (!/^[0-9a-f]+$/.test(digits)) this.corrupt("a bigint has no digits");
        return negative ? -BigInt(`0x${digits}`) : BigInt(`0x${digits}`);
      }
      case Tag.Latin1:
        return this.slice(latin1Slice, this.count());
      case Tag.Utf16:
        return this.slice(ucs2Slice, this.uint() * 2);
      case Tag.Absent:
        return ABSENT;
      case Tag.ObjectNewShape:
        return this.object(this.newShape());
      case Tag.ObjectShape:
        return this.object(this.uint());
      case Tag.ObjectPairs:
        return this.pairs(this.register({}), false);
      case Tag.Reference: {
        const number = this.uint();
        if (number >= this.referenceCount) this.corrupt("a reference to nothing");
        const value = this.references[number];
        if (value === OPEN) this.corrupt("an object refers to itself before it exists");
        return value;
      }
      default:
        return this.container(tag);
    }
  }

  private container(tag: number): unknown {
    switch (tag) {
      case Tag.Array:
      case Tag.ArrayInt32:
      case Tag.ArrayFloat64:
      case Tag.ArrayNamed:
        return decodeArray(this, tag, null);
      case Tag.Map:
        return this.map(this.register(new Map()));
      case Tag.Set:
        return this.set(this.register(new Set()));
      case Tag.Date:
        return this.register(new Date(this.number()));
      case Tag.RegExp:
        return this.register(this.regExp());
      case Tag.URL:
        return this.register(this.url());
      case Tag.URLSearchParams:
        return this.register(new URLSearchParams(this.string()));
      case Tag.BooleanObject:
      case Tag.NumberObject:
      case Tag.StringObject:
      case Tag.BigIntObject:
        return this.boxed(tag);
      case Tag.ArrayBuffer:
        return this.register(decodeArrayBuffer(this));
      case Tag.ResizableArrayBuffer:
        return this.register(decodeResizable(this));
      case Tag.View:
        return decodeView(this);
      case Tag.Attachment: {
        const index = this.uint();
        const { attachments } = this;
        if (attachments === null || index >= attachments.length) this.corrupt("an attachment is missing");
        return this.register(attachments![index]);
      }
      case Tag.Error:
        return decodeError(this);
      case Tag.Instance:
        return decodeInstance(this, null);
      case Tag.Dependency:
        return this.dependency();
      case Tag.ParallelFunction:
        return this.parallelFunction();
      case Tag.Made: {
        const index = this.uint();
        const { functions } = this;
        if (functions === undefined || index >= functions.length) this.corrupt("a function that its instance was not made with");
        return this.register(functions![index]);
      }
      case Tag.DeferredObject:
        return this.defer({});
      case Tag.DeferredArray:
        return this.defer([]);
      case Tag.DeferredMap:
        return this.defer(new Map());
      case Tag.DeferredSet:
        return this.defer(new Set());
      case Tag.DeferredInstance:
        return this.defer(shellOf(this));
      case Tag.DeferredError:
        return this.defer(errorShell(this));
      case Tag.Flattened:
        this.flattens(this.string());
        return this.value();
      default:
        return this.corrupt(`unknown tag ${tag}`);
    }
  }

  private slice(native: (this: Uint8Array, start: number, end: number) => string, size: number): string {
    this.need(size);
    this.pos += size;
    return native.call(this.bytes, this.pos - size, this.pos);
  }

  /** Gives an object the next reference number. */
  register<T>(object: T): T {
    this.references[this.referenceCount++] = object;
    return object;
  }

  /** The same before it exists; the caller puts it into `references`. */
  open(): number {
    this.references[this.referenceCount] = OPEN;
    return this.referenceCount++;
  }

  /** Reads a definition. @returns its number in this payload */
  newShape(): number {
    const size = this.count();
    const start = this.pos;
    let shape = knownShapes.find(this.bytes, start, start + size);
    if (shape === undefined) {
      const length = this.count();
      const keys: string[] = [];
      for (let i = 0; i < length; i++) keys.push(this.string());
      if (this.pos !== start + size) this.corrupt("a shape of another size");
      const definition = new Uint8Array(size);
      definition.set(this.bytes.subarray(start, start + size));
      shape = new DecodedShape(keys, definition);
      knownShapes.add(shape);
    }
    this.pos = start + size;
    this.shapes[this.shapeCount] = shape;
    return this.shapeCount++;
  }

  shape(number: number): DecodedShape {
    return number < this.shapeCount ? this.shapes[number]! : this.corrupt("an unknown shape");
  }

  private object(number: number): unknown {
    const shape = number < this.shapeCount ? this.shapes[number]! : this.shape(number);
    const object: Record<string, unknown> = {};
    this.references[this.referenceCount++] = object;
    const { keys } = shape;
    const count = keys.length;
    if (shape.assignable) {
      // Plain assignments cost 15 ns each whatever the shape. A literal with computed keys costs 6 where one site sees one shape, 85 otherwise.
      for (let i = 0; i < count; i++) {
        const value = this.value();
        if (value !== ABSENT) object[keys[i]!] = value;
      }
    } else {
      this.assign(object, shape, true);
    }
    return object;
  }

  /** Own properties of `object`, in whichever form they were written. @param own true: setters of the prototype must not see them */
  properties(object: object, own: boolean): void {
    const tag = this.byte();
    if (tag === Tag.ObjectPairs) {
      this.pairs(object, own);
      return;
    }
    let number = tag - SMALL_SHAPE;
    if (tag === Tag.ObjectNewShape) number = this.newShape();
    else if (tag === Tag.ObjectShape) number = this.uint();
    else if (number < 0) this.corrupt("an object is missing");
    this.assign(object, this.shape(number), own);
  }

  private assign(object: object, shape: DecodedShape, own: boolean): void {
    const { keys } = shape;
    for (let i = 0; i < keys.length; i++) {
      const value = this.value();
      const key = keys[i]!;
      if (value === ABSENT) continue;
      if (key !== "__proto__" && (!own || !(key in object))) (object as Record<string, unknown>)[key] = value;
      else define(object, key, value);
    }
  }

  /** Count, then key and value in turn. */
  pairs<T extends object>(object: T, own: boolean): T {
    const count = this.count();
    for (let i = 0; i < count; i++) {
      const key = this.string();
      const value = this.value();
      if (value === ABSENT) continue;
      if (key !== "__proto__" && (!own || !(key in object))) (object as Record<string, unknown>)[key] = value;
      else define(object, key, value);
    }
    return object;
  }

  map(map: Map<unknown, unknown>): Map<unknown, unknown> {
    const size = this.count();
    for (let i = 0; i < size; i++) {
      const key = this.value();
      if (key !== ABSENT) mapSet.call(map, key, this.value());
    }
    return map;
  }

  set(set: Set<unknown>): Set<unknown> {
    const size = this.count();
    for (let i = 0; i < size; i++) {
      const element = this.value();
      if (element !== ABSENT) setAdd.call(set, element);
    }
    return set;
  }

  regExp(): RegExp {
    const source = this.string();
    return new RegExp(source, this.string());
  }

  private url(): URL {
    const text = this.string();
    return URL.canParse(text) ? new URL(text) : this.corrupt("a URL is none");
  }

  private boxed(tag: number): unknown {
    const primitive = this.value();
    if (tag === Tag.BigIntObject ? typeof primitive !== "bigint" : typeof primitive === "object") this.corrupt("a boxed value is missing");
    return this.register(Object(primitive) as unknown);
  }

  /** Notes once that an instance of the class has come as a plain object. */
  flattens(name: string): void {
    if (this.flattened?.includes(name) !== true) (this.flattened ??= []).push(name);
  }

  private dependency(): unknown {
    const index = this.uint();
    const { inputs } = this;
    if (inputs === null || index >= inputs.length) this.corrupt("an input is missing");
    const slot = this.open();
    return (this.references[slot] = decodeInput(inputs![index]!, this));
  }

  private parallelFunction(): unknown {
    const slot = this.open();
    const manifest = this.string();
    const id = this.string();
    const name = this.string();
    const length = this.number();
    const flags = this.number();
    const captures = this.value() as unknown[] | undefined;
    const options = this.value() as Record<string, unknown> | undefined;
    return (this.references[slot] = reviveParallelFunction({ manifest, id, meta: { name, length, flags }, captures, options }));
  }

  private defer(shell: object): object {
    this.deferred.push({ shell, functions: this.functions });
    return this.register(shell);
  }

  private fill(shell: object): void {
    const at = this.pos;
    const tag = this.byte();
    if (Array.isArray(shell) && (tag === Tag.Array || tag === Tag.ArrayInt32 || tag === Tag.ArrayFloat64 || tag === Tag.ArrayNamed)) {
      decodeArray(this, tag, shell);
    } else if (shell instanceof Map && tag === Tag.Map) this.map(shell);
    else if (shell instanceof Set && tag === Tag.Set) this.set(shell);
    else if (tag === Tag.Instance) decodeInstance(this, shell);
    else if (tag === Tag.Error && shell instanceof Error) fillError(this, shell);
    else {
      this.pos = at;
      this.properties(shell, false);
    }
  }
}

const { set: mapSet } = Map.prototype;
const { add: setAdd } = Set.prototype;

function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

/** An input is a payload of its own, with a decoder of its own, which tells that of the call what has come flattened. */
function decodeInput(payload: Encoded, call: Decoder): unknown {
  const decoder = acquire();
  try {
    decoder.begin(payload, null);
    const value = decoder.value();
    decoder.finish();
    for (const name of decoder.flattened ?? []) call.flattens(name);
    return value;
  } catch (error) {
    throw explain(error, decoder);
  } finally {
    release(decoder);
  }
}

let idle: Decoder | null = null;

/** A decoder for one payload: reviving may decode others meanwhile. */
export function acquire(): Decoder {
  const decoder = idle ?? new Decoder();
  idle = null;
  return decoder;
}

export function release(decoder: Decoder): void {
  decoder.release();
  idle = decoder;
}

/** Whether what a decoding threw says that there was too little stack for it: further down there may be enough. */
export function lackedStack(error: unknown): boolean {
  return isStackOverflow(error) || (error instanceof Error && isStackOverflow(error.cause));
}

/** Bytes that nest endlessly exhaust the stack. */
export function explain(error: unknown, decoder: Decoder): unknown {
  if (isStackOverflow(error)) {
    return new Error(`makeparallel: corrupt payload at byte ${decoder.pos}, or too little stack left to decode it: it nests too deep`, {
      cause: error,
    });
  }
  return error;
}
