/**
 * The encoder's core: numbers, strings, plain objects, arrays, references. Everything rarer is in the encode-*.ts files, which write through
 * the methods here.
 *
 * Takes any value; gives bytes (see tags.ts) and attachments in a Writer. Throws a Refusal for what cannot cross, and whatever a getter throws; the
 * caller (index.ts) then resets the writer. It detaches nothing.
 */
import type { HandleLike } from "./brands";
import type { ClassEntry } from "./classes";
import { encodeArray } from "./encode-array";
import { encodeFunction, encodeObject } from "./encode-object";
import { isMadeOnDemand } from "./kinds";
import { Refusal, located, propertySegment } from "./refusal";
import { ShapeTable, type Shape } from "./shapes";
import { DEPTH_LIMIT, SHORT_STRING, SMALL_INT, SMALL_LIMIT, SMALL_SHAPE, Tag } from "./tags";
import { ByteWriter } from "./byte-writer";
import type { Writer } from "./writer";

const objectPrototype = Object.prototype;
const hasOwn = Object.prototype.hasOwnProperty;

/** Native string methods of Buffer, which work on any Uint8Array. */
const { latin1Write, ucs2Write } = Buffer.prototype as unknown as Record<
  "latin1Write" | "ucs2Write",
  (this: Uint8Array, text: string, offset: number, length: number) => number
>;

/** Strings up to this length are written by a loop, which is faster than a call into native code. */
const LOOP_LENGTH = 40;
/**
 * Asks whether a string has a character beyond Latin-1. On a string that the engine keeps as one byte a character, the class cannot match and the
 * compiled expression fails without looking at the text: 50 ns for a megabyte.
 */
const BEYOND_LATIN1 = /[\u0100-\uffff]/;

/** References up to this number are searched one by one, which beats hashing; beyond it there is a Map. */
const LINEAR_MEMO = 8;

/**
 * A proxy or a getter may give a new object at each look, and a graph of those has no end. (`structuredClone` refuses proxies, and ends in a stack overflow with getters.) Every such graph is
 * endlessly deep, so it comes to be deferred again and again: from this number of objects on, so many deferred ones that were made on demand end it.
 */
const ENDLESS_OBJECTS = 250_000;
const ENDLESS_DEFERRED = 300;

/** Thrown when an object of which not all was sent is met again. */
export class MetAgain {}

const NO_BYTES = new Uint8Array(0);

/** Payload numbers, unique in this isolate: what a {@link Shape} compares to know whether its `id` belongs to this payload. */
let lastEpoch = 0;

export class Encoder {
  writer: Writer | null = null;
  bytes: Uint8Array = NO_BYTES;
  view: DataView = new DataView(NO_BYTES.buffer);
  pos = 0;
  limit = 0;
  depth = 0;

  /** Handles found, in the order of their placeholder's index; undefined: handles are refused here. */
  dependencies: HandleLike[] | null | undefined = undefined;
  /** What the next object travels as an instance of, when its own class is not known. */
  standIn: ClassEntry | undefined;
  /** Of the next instance, the fields that travel; undefined: all. */
  fields: readonly string[] | undefined;
  /** The instance that is being encoded, the innermost, and its class. */
  owner: object | undefined;
  ownerEntry: ClassEntry | undefined;
  /** Classes that this payload has said of. */
  private flattened: string[] | undefined;
  /** Number of the object of which not all is sent, if there is one. */
  private partial = -1;
  /** True: every ArrayBuffer is moved. */
  moveAll = false;
  /** Classes of this payload in the order of their numbers. */
  readonly classes: ClassEntry[] = [];

  private readonly shapes = new ShapeTable();
  /** Shape of the object encoded last; its `next` is the guess for the coming one. */
  private last: Shape = this.shapes.root;
  private epoch = 0;
  private shapeCount = 0;
  private readonly first: unknown[] = new Array<unknown>(LINEAR_MEMO).fill(undefined);
  private references = 0;
  private readonly memo = new Map<unknown, number>();
  private readonly deferred: { value: object; root: number; owner: object | undefined; ownerEntry: ClassEntry | undefined }[] = [];
  /** Deferred objects that a proxy or a getter has made, counted from {@link ENDLESS_OBJECTS} on. */
  private onDemand = 0;
  /** Index of the top-level value that is being encoded; for paths. */
  root = 0;

  /** The encoding that this one interrupts: getters may call parallel functions. */
  outer: Encoder | null = null;
  /** Where the payload belongs, while it is kept elsewhere: see {@link park}. */
  private parkedFrom: Writer | null = null;

  /** Starts appending to `writer`. */
  begin(writer: Writer): void {
    for (let other = this.outer; other !== null; other = other.outer) if (other.writer === writer) other.park();
    this.writer = writer;
    if (this.bytes !== writer.bytes) this.attach(writer.bytes);
    this.pos = writer.length;
    // In use: see `Backend.writer`. The true length follows at the end.
    writer.length = this.pos + 1;
  }

  /**
   * Goes on in memory of its own, and comes back at the end: what begins now needs the writer, and will have done with it by then. (A result whose getter
   * waits for a task, which runs on this thread meanwhile and has a result of its own.)
   */
  private park(): void {
    const { writer, pos } = this;
    this.parkedFrom = writer;
    const own = new ByteWriter(new Uint8Array(0), (writer as ByteWriter).hostObjects);
    own.grow(Math.max(256, 2 * pos));
    own.bytes.set(this.bytes.subarray(0, pos));
    own.attachments = writer!.attachments;
    own.transfers = writer!.transfers;
    this.writer = own;
    this.attach(own.bytes);
    writer!.reset();
  }

  /** Ends the payload: writes deferred bodies and hands the length over. */
  finish(): void {
    if (this.deferred.length !== 0) this.drain();
    this.writer!.length = this.pos;
    if (this.parkedFrom !== null) this.comeBack(this.parkedFrom);
  }

  private comeBack(writer: Writer): void {
    const own = this.writer!;
    writer.reset();
    writer.grow(own.length);
    writer.bytes.set(own.bytes.subarray(0, own.length));
    writer.length = own.length;
    writer.attachments = own.attachments;
    writer.transfers = own.transfers;
  }

  /** What an object whose class is not known travels as an instance of, if it is the one that was announced. */
  takeStandIn(): ClassEntry | undefined {
    const { standIn } = this;
    if (standIn !== undefined) this.standIn = undefined;
    return standIn;
  }

  /** What travels of the object that was met last, if not all. It must not be met again, as somebody may use more of it there. */
  takeFields(): readonly string[] | undefined {
    const { fields } = this;
    if (fields !== undefined) {
      this.fields = undefined;
      this.partial = this.references - 1;
    }
    return fields;
  }

  /** Forgets everything about the payload. Always called, whether it went well or not. */
  release(): void {
    if (this.references !== 0) {
      this.first.fill(undefined);
      this.references = 0;
      if (this.memo.size !== 0) this.memo.clear();
      this.classes.length = 0;
      this.deferred.length = 0;
      this.onDemand = 0;
      this.shapeCount = 0;
      this.epoch = 0;
      this.flattened = undefined;
    }
    this.depth = 0;
    this.root = 0;
    this.dependencies = undefined;
    this.moveAll = false;
    this.standIn = undefined;
    this.fields = undefined;
    this.owner = this.ownerEntry = undefined;
    this.partial = -1;
    // a grown buffer is not kept alive
    if (this.writer !== null && this.bytes !== this.writer.home) this.attach(NO_BYTES);
    this.writer = null;
    this.parkedFrom = null;
  }

  private attach(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.limit = bytes.length;
  }

  /** Makes room for `size` bytes at `pos`. */
  reserve(size: number): void {
    if (this.pos + size > this.limit) this.grow(size);
  }

  private grow(size: number): void {
    const writer = this.writer!;
    writer.length = this.pos;
    try {
      writer.grow(size);
    } catch (error) {
      throw new Refusal(`there is no memory for its encoded form (${error instanceof Error ? error.message : String(error)})`);
    }
    this.attach(writer.bytes);
  }

  tag(tag: number): void {
    if (this.pos >= this.limit) this.grow(16);
    this.bytes[this.pos++] = tag;
  }

  /** A count: LEB128. @param n integer below 2^32 */
  uint(n: number): void {
    this.reserve(5);
    while (n > 127) {
      this.bytes[this.pos++] = (n & 127) | 128;
      n >>>= 7;
    }
    this.bytes[this.pos++] = n;
  }

  value(value: unknown): void {
    switch (typeof value) {
      case "number":
        return this.number(value);
      case "string":
        return this.string(value);
      case "boolean":
        return this.tag(value ? Tag.True : Tag.False);
      case "object":
        return value === null ? this.tag(Tag.Null) : this.object(value);
      case "undefined":
        return this.tag(Tag.Undefined);
      case "bigint":
        return this.bigint(value);
      case "function":
        return encodeFunction(this, value);
      default:
        throw new Refusal("it is a symbol, and symbols are unique to their thread");
    }
  }

  number(value: number): void {
    if (this.pos + 9 > this.limit) this.grow(9);
    const bytes = this.bytes;
    const pos = this.pos;
    const integer = value | 0;
    if (integer === value && (integer !== 0 || 1 / value > 0)) {
      if (integer >= 0 && integer < SMALL_LIMIT) {
        bytes[pos] = SMALL_INT + integer;
        this.pos = pos + 1;
        return;
      }
      bytes[pos] = Tag.Int32;
      bytes[pos + 1] = integer;
      bytes[pos + 2] = integer >> 8;
      bytes[pos + 3] = integer >> 16;
      bytes[pos + 4] = integer >> 24;
      this.pos = pos + 5;
      return;
    }
    bytes[pos] = Tag.Float64;
    this.view.setFloat64(pos + 1, value, true);
    this.pos = pos + 9;
  }

  string(text: string): void {
    const length = text.length;
    if (length > LOOP_LENGTH) return this.longString(text);
    if (this.pos + LOOP_LENGTH + 1 > this.limit) this.grow(LOOP_LENGTH + 1);
    const bytes = this.bytes;
    const start = this.pos + 1;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 255) return this.utf16(text);
      bytes[start + i] = code;
    }
    bytes[start - 1] = SHORT_STRING + length;
    this.pos = start + length;
  }

  private longString(text: string): void {
    if (BEYOND_LATIN1.test(text)) return this.utf16(text);
    const length = text.length;
    this.reserve(length + 6);
    if (length < SMALL_LIMIT) {
      this.bytes[this.pos++] = SHORT_STRING + length;
    } else {
      this.bytes[this.pos++] = Tag.Latin1;
      this.uint(length);
    }
    latin1Write.call(this.bytes, text, this.pos, length);
    this.pos += length;
  }

  private utf16(text: string): void {
    const length = text.length;
    this.reserve(length * 2 + 6);
    this.bytes[this.pos++] = Tag.Utf16;
    this.uint(length);
    ucs2Write.call(this.bytes, text, this.pos, length * 2);
    this.pos += length * 2;
  }

  bigint(value: bigint): void {
    if (BigInt.asIntN(64, value) === value) {
      this.reserve(9);
      this.bytes[this.pos] = Tag.BigInt64;
      this.view.setBigInt64(this.pos + 1, value, true);
      this.pos += 9;
      return;
    }
    // Radix 16 converts in linear time both ways
    const digits = (value < 0n ? -value : value).toString(16);
    this.reserve(digits.length + 7);
    this.bytes[this.pos++] = Tag.BigIntHex;
    this.bytes[this.pos++] = value < 0n ? 1 : 0;
    this.uint(digits.length);
    latin1Write.call(this.bytes, digits, this.pos, digits.length);
    this.pos += digits.length;
  }

  private object(value: object): void {
    if (this.isKnown(value)) return;
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === objectPrototype) this.plain(value as Record<string, unknown>);
    else if (Array.isArray(value) && prototype === Array.prototype) encodeArray(this, value);
    else encodeObject(this, value, prototype as object | null);
  }

  /** Says once what class the object is no instance of any more. @param name empty: nothing to say */
  flattens(name: string): void {
    if (name === "" || this.flattened?.includes(name) === true) return;
    (this.flattened ??= []).push(name);
    this.tag(Tag.Flattened);
    this.string(name);
  }

  /** Takes the next reference number for an object that the decoder counts and nothing can refer to. */
  anonymousReference(): void {
    this.isKnown({});
  }

  /** Writes a reference if the object has been encoded before; else gives it the next number. */
  isKnown(value: object): boolean {
    const count = this.references;
    if (count < LINEAR_MEMO) {
      const first = this.first;
      for (let i = 0; i < count; i++) {
        if (first[i] === value) {
          this.reference(i);
          return true;
        }
      }
      if (count === 0) this.epoch = ++lastEpoch;
      first[count] = value;
    } else {
      const memo = this.memo;
      if (count === LINEAR_MEMO) for (let i = 0; i < count; i++) memo.set(this.first[i], i);
      const known = memo.get(value);
      if (known !== undefined) {
        this.reference(known);
        return true;
      }
      memo.set(value, count);
    }
    this.references = count + 1;
    return false;
  }

  /** Takes back the number of the object that got the last one: something else is written in its place. */
  forgetLast(value: object): void {
    const count = --this.references;
    if (count < LINEAR_MEMO) this.first[count] = undefined;
    this.memo.delete(value);
  }

  private reference(number: number): void {
    if (number === this.partial) throw new MetAgain();
    this.tag(Tag.Reference);
    this.uint(number);
  }

  /**
   * Whether the object whose encoding begins is nested too deep; then a deferred tag has been written in its place.
   * @param tag the deferred form
   */
  defers(value: object, tag: Tag): boolean {
    if (this.depth < DEPTH_LIMIT) return false;
    if (this.references > ENDLESS_OBJECTS && isMadeOnDemand(value) && ++this.onDemand > ENDLESS_DEFERRED)
      throw new Refusal("it has no end: its proxies or getters have given hundreds of thousands of objects, one inside of the other", true);
    this.tag(tag);
    this.deferred.push({ value, root: this.root, owner: this.owner, ownerEntry: this.ownerEntry });
    return true;
  }

  private drain(): void {
    // the list grows while it is worked off
    for (let i = 0; i < this.deferred.length; i++) {
      const { value, root, owner, ownerEntry } = this.deferred[i]!;
      this.root = root;
      this.owner = owner;
      this.ownerEntry = ownerEntry;
      const prototype: unknown = Object.getPrototypeOf(value);
      // Not always the same: where only every other object is made on demand, those that are deferred next are not always of the other kind.
      this.depth = i & 7;
      try {
        if (prototype === objectPrototype) this.plain(value as Record<string, unknown>);
        else if (Array.isArray(value) && prototype === Array.prototype) encodeArray(this, value);
        else encodeObject(this, value, prototype as object | null);
      } catch (error) {
        throw located(error, "…");
      }
    }
  }

  /** An object that becomes a plain one: own enumerable string keys. */
  plain(object: Record<string, unknown>): void {
    if (this.depth >= DEPTH_LIMIT && this.defers(object, Tag.DeferredObject)) return;
    this.properties(object);
  }

  /** Own enumerable string-keyed properties, as one of the object tags. */
  properties(object: Record<string, unknown>): void {
    // for-in reads through V8's enum cache, which makes both passes cheaper than Object.keys and a lookup by name
    let shape = this.last.next ?? this.last;
    let keys = shape.keys;
    let count = keys.length;
    let i = 0;
    for (const key in object) {
      if (!hasOwn.call(object, key)) continue;
      if (i === count || key !== keys[i]) {
        i = -1;
        break;
      }
      i++;
    }
    if (i !== count) {
      const found = Object.keys(object);
      const other = this.shapes.find(found, this.epoch);
      if (other === null) {
        this.tag(Tag.ObjectPairs);
        this.namedValues(object, found);
        return;
      }
      this.last.next = other;
      shape = other;
      keys = shape.keys;
      count = keys.length;
    }
    this.last = shape;
    this.shapeHeader(shape);
    this.depth++;
    i = 0;
    try {
      for (const key in object) {
        if (!hasOwn.call(object, key)) continue;
        if (key !== keys[i]) {
          // a getter has removed or added keys meanwhile
          const at = keys.indexOf(key, i);
          if (at < 0) continue;
          for (; i < at; i++) this.tag(Tag.Absent);
        }
        this.value(object[key]);
        i++;
      }
      for (; i < count; i++) this.tag(Tag.Absent);
    } catch (error) {
      throw located(error, propertySegment(keys[i]!));
    }
    this.depth--;
  }

  private shapeHeader(shape: Shape): void {
    this.reserve(16);
    if (shape.epoch === this.epoch) {
      if (shape.id < SMALL_LIMIT) {
        this.bytes[this.pos++] = SMALL_SHAPE + shape.id;
      } else {
        this.bytes[this.pos++] = Tag.ObjectShape;
        this.uint(shape.id);
      }
      return;
    }
    shape.epoch = this.epoch;
    shape.id = this.shapeCount++;
    const definition = (shape.definition ??= this.define(shape));
    const size = definition.length;
    this.reserve(size + 6);
    this.bytes[this.pos++] = Tag.ObjectNewShape;
    this.uint(size);
    const bytes = this.bytes;
    const pos = this.pos;
    if (size < 64) for (let i = 0; i < size; i++) bytes[pos + i] = definition[i]!;
    else bytes.set(definition, pos);
    this.pos = pos + size;
  }

  /** Encodes the definition in place, copies it out and takes it back. */
  private define(shape: Shape): Uint8Array {
    const start = this.pos;
    this.uint(shape.keys.length);
    for (const key of shape.keys) this.string(key);
    const definition = new Uint8Array(this.pos - start);
    definition.set(this.bytes.subarray(start, this.pos));
    this.pos = start;
    return definition;
  }

  /** Count, then key and value in turn. */
  namedValues(object: Record<string, unknown>, keys: readonly string[]): void {
    this.uint(keys.length);
    this.depth++;
    let i = 0;
    try {
      for (; i < keys.length; i++) {
        const key = keys[i]!;
        this.string(key);
        if (hasOwn.call(object, key)) this.value(object[key]);
        else this.tag(Tag.Absent);
      }
    } catch (error) {
      throw located(error, propertySegment(keys[i]!));
    }
    this.depth--;
  }
}
