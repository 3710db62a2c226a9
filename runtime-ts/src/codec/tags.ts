/**
 * The payload's vocabulary. A payload is a sequence of values; each begins with one byte.
 *
 *     0x00..0x3f  a tag of the list below
 *     0x40..0x7f  the integer 0..63
 *     0x80..0xbf  a Latin-1 string of 0..63 characters, which follow
 *     0xc0..0xff  a plain object of shape 0..63 of this payload; the values follow in the order of the shape's keys
 *
 * Counts are LEB128, other integers little-endian. Every object takes the next reference number when its encoding begins, before its
 * children, on both sides. Both sides of a payload are always the same version of this file: nothing here is a storage format.
 */
export const enum Tag {
  Undefined = 0,
  Null,
  True,
  False,
  /** 4 bytes. */
  Int32,
  /** 8 bytes. */
  Float64,
  /** 8 bytes, two's complement. */
  BigInt64,
  /** Sign byte, count, hexadecimal digits in ASCII. */
  BigIntHex,
  /** Count, one byte a character. */
  Latin1,
  /** Count, two bytes a UTF-16 unit: lone surrogates survive. */
  Utf16,
  /** Reference number of an object that has been encoded before. */
  Reference,

  /** Byte count and {@link ShapeTable} definition, then values. Gives the definition the next shape number. */
  ObjectNewShape,
  /** Shape number, then values: for numbers over 63. */
  ObjectShape,
  /** Count, then key and value in turn: for objects used as dictionaries. */
  ObjectPairs,
  /** In the place of a value: the key was gone when its turn came. */
  Absent,

  /** Length, elements. */
  Array,
  /** Length, number of leading int32 elements (4 bytes, fixed width), those, then the other elements with tags. */
  ArrayInt32,
  /** The same with doubles. */
  ArrayFloat64,
  /** In the place of an element: a run of holes, with its count. */
  Holes,
  /** An array, then a count of key and value pairs: named properties. */
  ArrayNamed,

  Map,
  Set,
  Date,
  /** Source, flags. */
  RegExp,
  /** Text. */
  URL,
  /** Text. */
  URLSearchParams,
  BooleanObject,
  NumberObject,
  StringObject,
  BigIntObject,
  /** Byte length, bytes. */
  ArrayBuffer,
  /** Byte length, maximal byte length, bytes. */
  ResizableArrayBuffer,
  /** View kind, flags, byte offset, length in elements, then the buffer as a value. */
  View,
  /** Index of an attachment. */
  Attachment,
  Error,
  /** Class, base, …: see encode-instance.ts. */
  Instance,
  /** Index of an input: an AsyncHandle's value. */
  Dependency,
  /** Manifest, id, name, length, flags. */
  ParallelFunction,

  /** An object whose body comes after all values, because it is nested too deep to be encoded by recursion. */
  DeferredObject,
  DeferredArray,
  DeferredMap,
  DeferredSet,
  DeferredInstance,

  /** Name of a class, before a value that is its instance no more. */
  Flattened,

  /** Number of its class; as {@link Tag.DeferredObject}. */
  DeferredError,

  /** Number of a function that the instance around it has been made with: see function-fields.ts. */
  Made,
}

export const SMALL_INT = 0x40;
export const SHORT_STRING = 0x80;
export const SMALL_SHAPE = 0xc0;
/** First value that a one-byte form cannot hold. */
export const SMALL_LIMIT = 64;

/** Nesting from which objects are deferred. Far below what either side's stack holds, even when a task is already deep in recursion. */
export const DEPTH_LIMIT = 300;

/** Bits of {@link Tag.View}'s flags. */
export const enum ViewFlag {
  /** The view follows the length of its resizable buffer. */
  LengthTracking = 1,
}
