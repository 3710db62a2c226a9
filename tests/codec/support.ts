/**
 * Round trips through a payload, and a comparison of object graphs that is stricter than jest's.
 */
import { types } from "node:util";
import { ByteWriter, NO_RECEIVER, decodeCall, decodeValue, encodeCall, encodeError, encodeValue } from "../../dist/runtime-ts/src/codec";

export interface Payload {
  bytes: Uint8Array;
  start: number;
  end: number;
  attachments: readonly unknown[] | null;
}

/** Small, so that growing is exercised everywhere. */
export const newWriter = (hostObjects = false): InstanceType<typeof ByteWriter> => new ByteWriter(new Uint8Array(16), hostObjects);

export function payloadOf(writer: InstanceType<typeof ByteWriter>): Payload {
  return { bytes: writer.bytes, start: 0, end: writer.length, attachments: writer.attachments };
}

/** Encodes, moves the payload to another offset of memory that is overwritten after decoding, and decodes. */
export function roundTrip<T>(value: T, hostObjects = false): T {
  const writer = newWriter(hostObjects);
  encodeValue(writer, value);
  return decodeElsewhere(payloadOf(writer), (payload) => decodeValue(payload)) as T;
}

export function roundTripError(thrown: unknown): any {
  const writer = newWriter();
  encodeError(writer, thrown);
  return decodeElsewhere(payloadOf(writer), (payload) => decodeValue(payload));
}

export function roundTripCall(args: unknown[], options?: { move?: boolean }): unknown[] {
  const writer = newWriter();
  encodeCall(writer, NO_RECEIVER, undefined, undefined, args, options);
  return decodeElsewhere(payloadOf(writer), (payload) => decodeCall(payload, null));
}

function decodeElsewhere<T>(payload: Payload, decode: (payload: Payload) => T): T {
  const size = payload.end - payload.start;
  const moved = new Uint8Array(size + 8).fill(0xee);
  moved.set(payload.bytes.subarray(payload.start, payload.end), 3);
  const result = decode({ bytes: moved, start: 3, end: 3 + size, attachments: payload.attachments });
  // what was decoded must not be a view of it
  moved.fill(0xdd);
  return result;
}

/** Throws an Error that names the first place where two graphs differ: values, types, prototypes, key order, holes, identity. */
export function expectSameGraph(actual: unknown, expected: unknown): void {
  const pairs = new Map<unknown, unknown>();
  const fail = (path: string, what: string): never => {
    throw new Error(`at ${path}: ${what}`);
  };
  const visit = (a: any, b: any, path: string): void => {
    if (typeof a !== typeof b) fail(path, `${typeof a} instead of ${typeof b}`);
    if (typeof a !== "object" || a === null || b === null) {
      if (!Object.is(a, b)) fail(path, `${String(a)} instead of ${String(b)}`);
      return;
    }
    if (pairs.has(b)) {
      if (pairs.get(b) !== a) fail(path, "another identity");
      return;
    }
    pairs.set(b, a);
    // constructors by name: jest runs tests in a realm of its own, and structuredClone gives objects of the outer one
    const classOf = (x: object): string => Object.getPrototypeOf(x)?.constructor?.name;
    if (classOf(a) !== classOf(b)) fail(path, `a ${classOf(a)} instead of a ${classOf(b)}`);
    if (types.isMap(b)) return visitEntries([...a], [...b], path);
    if (types.isSet(b)) return visitEntries([...a], [...b], path);
    if (types.isDate(b)) return visit(a.getTime(), b.getTime(), `${path}.getTime()`);
    if (types.isRegExp(b)) return visit(`${a} ${a.lastIndex}`, `${b} ${b.lastIndex}`, path);
    if (types.isBoxedPrimitive(b)) return visit(a.valueOf(), b.valueOf(), `${path}.valueOf()`);
    if (types.isAnyArrayBuffer(b)) {
      visit(a.maxByteLength, b.maxByteLength, `${path}.maxByteLength`);
      return visit(Buffer.from(a).toString("hex"), Buffer.from(b as ArrayBuffer).toString("hex"), path);
    }
    if (ArrayBuffer.isView(b)) {
      visit(a.byteOffset, b.byteOffset, `${path}.byteOffset`);
      visit(a.byteLength, b.byteLength, `${path}.byteLength`);
      return visit(a.buffer, b.buffer, `${path}.buffer`);
    }
    if (types.isNativeError(b)) {
      for (const key of ["message", "stack", "name", "cause"] as const) visit((a as any)[key], (b as any)[key], `${path}.${key}`);
    }
    if (Array.isArray(b)) visit(a.length, b.length, `${path}.length`);
    const keys = (x: object): string => JSON.stringify(Object.keys(x));
    if (keys(a) !== keys(b)) fail(path, `keys ${keys(a)} instead of ${keys(b)}`);
    for (const key of Object.keys(b)) {
      const descriptor = Object.getOwnPropertyDescriptor(a, key)!;
      if (!("value" in descriptor && descriptor.writable && descriptor.enumerable && descriptor.configurable))
        fail(`${path}.${key}`, "no plain property");
      visit(a[key], b[key], `${path}.${key}`);
    }
  };
  const visitEntries = (a: unknown[], b: unknown[], path: string): void => {
    if (a.length !== b.length) fail(path, `${a.length} entries instead of ${b.length}`);
    b.forEach((entry, i) => visit(a[i], entry, `${path}<${i}>`));
  };
  visit(actual, expected, "value");
}
