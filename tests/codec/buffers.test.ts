/** Buffers that are moved or shared, and what travels beside the bytes. */
import { createSecretKey } from "node:crypto";
import { NO_RECEIVER, decodeCall, decodeValue, encodeCall, encodeValue, move, share, sharedArray } from "../../dist/runtime-ts/src/codec";
import { newWriter, payloadOf, roundTrip } from "./support";

const encodeArgs = (args: unknown[], options?: { move?: boolean }): ReturnType<typeof newWriter> => {
  const writer = newWriter();
  encodeCall(writer, NO_RECEIVER, undefined, undefined, args, options);
  return writer;
};

test("move() hands the buffer over as an attachment and leaves detaching to the backend", () => {
  const data = new Float64Array([1, 2, 3]);
  const writer = encodeArgs([move(data), "x"]);
  expect(writer.transfers).toEqual([data.buffer]);
  expect(writer.attachments).toEqual([data.buffer]);
  expect(writer.length).toBeLessThan(32);
  expect(data.length).toBe(3);
  const [received] = decodeCall(payloadOf(writer), null) as [Float64Array];
  expect(received).toBeInstanceOf(Float64Array);
  expect(received.buffer).toBe(data.buffer);
});

test("move() counts for one call", () => {
  const data = new Uint8Array(4);
  encodeArgs([move(data)]);
  expect(encodeArgs([data]).transfers).toBeNull();
});

test("two views of one moved buffer move it once", () => {
  const memory = new ArrayBuffer(16);
  const writer = encodeArgs([move(new Uint8Array(memory, 0, 8)), { rest: move(new DataView(memory, 8)) }, memory]);
  expect(writer.transfers).toEqual([memory]);
  const [first, second, whole] = decodeCall(payloadOf(writer), null) as [Uint8Array, { rest: DataView }, ArrayBuffer];
  expect([first.buffer, second.rest.buffer]).toEqual([whole, whole]);
  expect(first.buffer).toBe(whole);
});

test("move() works in results", () => {
  const writer = newWriter();
  const pixels = new Uint8ClampedArray(100);
  encodeValue(writer, { width: 5, pixels: move(pixels) });
  expect(writer.transfers).toEqual([pixels.buffer]);
  expect(decodeValue(payloadOf(writer))).toEqual({ width: 5, pixels });
});

test("move() refuses what cannot be moved", () => {
  const gone = new ArrayBuffer(8);
  const goneView = new Uint8Array(gone);
  structuredClone(gone, { transfer: [gone] });
  const transferError = expect.objectContaining({ name: "TransferError", code: "MP_TRANSFER" });
  for (const x of [gone, goneView, new SharedArrayBuffer(8), new Uint8Array(new SharedArrayBuffer(8)), [1], "x", null, {}]) {
    expect(() => {
      try {
        move(x as ArrayBuffer);
      } catch (error) {
        expect(error).toEqual(transferError);
        throw error;
      }
    }).toThrow();
  }
});

test("a detached buffer is refused with its path", () => {
  const gone = new Uint8Array(8);
  structuredClone(gone.buffer, { transfer: [gone.buffer] });
  expect(() => encodeArgs([{ a: gone }])).toThrow(expect.objectContaining({ path: "args[0].a" }));
  expect(() => encodeArgs([gone.buffer])).toThrow(/detached/);
  const view = new DataView(new ArrayBuffer(8));
  structuredClone(view.buffer, { transfer: [view.buffer] });
  expect(() => encodeArgs([1, view])).toThrow(expect.objectContaining({ path: "args[1]" }));
});

test("a DataView out of the bounds of its buffer is refused with its path", () => {
  const buffer = new (ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer & { resize(length: number): void })(
    16,
    {
      maxByteLength: 32,
    },
  );
  const view = new DataView(buffer, 8, 8);
  buffer.resize(4);
  expect(() => encodeArgs([{ view }])).toThrow(
    "args[0].view cannot be sent to another thread: it is a DataView out of the bounds of its buffer",
  );
});

test("marked, then detached before the call", () => {
  const data = move(new Uint8Array(8));
  structuredClone(data.buffer, { transfer: [data.buffer] });
  expect(() => encodeArgs([data])).toThrow(/detached/);
});

test("the move option moves every buffer among the arguments, and copies what must not move", () => {
  const a = new Uint8Array(8);
  const b = new ArrayBuffer(8);
  const pooled = Buffer.from("pooled");
  const shared = new SharedArrayBuffer(4);
  const writer = encodeArgs([{ a, list: [b, a, pooled, shared] }], { move: true });
  expect(writer.transfers).toEqual([a.buffer, b]);
  const [{ list }] = decodeCall(payloadOf(writer), null) as [{ list: unknown[] }];
  expect(Buffer.from(list[2] as Uint8Array).toString()).toBe("pooled");
  expect(list[3]).toBe(shared);
});

test("memory that cannot leave is refused by move(), copied by the option", () => {
  const { buffer } = new WebAssembly.Memory({ initial: 1 });
  expect(() => encodeArgs([{ memory: move(buffer) }])).toThrow(expect.objectContaining({ path: "args[0].memory" }));
  const writer = encodeArgs([buffer], { move: true });
  expect(writer.transfers).toBeNull();
  expect((decodeCall(payloadOf(writer), null)[0] as ArrayBuffer).byteLength).toBe(65_536);
  const page = new Uint8Array(65_536);
  expect(encodeArgs([move(page)]).transfers).toEqual([page.buffer]);
  expect(page.length).toBe(65_536);
});

test("the move option does not move captures", () => {
  const captured = new Uint8Array(8);
  const writer = newWriter();
  encodeCall(writer, NO_RECEIVER, [captured], ["captured"], [new Uint8Array(4)], { move: true });
  expect(writer.transfers).toHaveLength(1);
  expect(writer.transfers).not.toContain(captured.buffer);
});

test("a small Buffer marked for moving is copied, since Node's pool cannot leave", () => {
  const writer = encodeArgs([move(Buffer.from("abc"))]);
  expect(writer.transfers).toBeNull();
});

test("shared memory stays shared, also under views", () => {
  const memory = new SharedArrayBuffer(16);
  const value = { memory, ints: new Int32Array(memory, 4, 2), bytes: new Uint8Array(memory) };
  const copy = roundTrip(value);
  expect(copy.memory).toBe(memory);
  expect(copy.ints.buffer).toBe(memory);
  expect([copy.ints.byteOffset, copy.ints.length]).toEqual([4, 2]);
  new Uint8Array(memory)[4] = 7;
  expect(copy.ints[0]).toBe(7);
});

test("share() copies into shared memory of the same type", () => {
  const source = new Float32Array([1.5, 2.5, 3.5]).subarray(1);
  const shared = share(source);
  expect(shared).toBeInstanceOf(Float32Array);
  expect([...shared]).toEqual([2.5, 3.5]);
  expect(Object.prototype.toString.call(shared.buffer)).toBe("[object SharedArrayBuffer]");
  source[0] = 9;
  expect(shared[0]).toBe(2.5);
  expect(share(shared)).toBe(shared);
  expect(share(new Uint8Array([1, 2]).buffer).byteLength).toBe(2);
  expect(share(new DataView(new ArrayBuffer(3), 1))).toBeInstanceOf(DataView);
  expect(share(Buffer.from("hi")).length).toBe(2);
  expect(() => share([1] as never)).toThrow(expect.objectContaining({ code: "MP_TRANSFER" }));
});

test("sharedArray() refuses what is no class of a typed array, and bad lengths", () => {
  expect(() => sharedArray(Array as never, 3)).toThrow(/class of a typed array, such as Float64Array, not \[Function: Array\]/);
  expect(() => sharedArray(DataView as never, 3)).toThrow(TypeError);
  for (const bad of [-1, 1.5, NaN, "3"]) expect(() => sharedArray(Int8Array, bad as number)).toThrow(/whole number >= 0/);
});

test("sharedArray() is zeroed shared memory", () => {
  const array = sharedArray(Float64Array, 3);
  expect([...array]).toEqual([0, 0, 0]);
  expect(roundTrip(array).buffer).toBe(array.buffer);
});

test("host objects travel as attachments where the writer takes them", () => {
  const { port1 } = new MessageChannel();
  const module_ = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  const value = { port1, again: port1, blob: new Blob(["x"]), key: createSecretKey(Buffer.from("k")), module_ };
  const writer = newWriter(true);
  encodeValue(writer, value);
  expect(writer.transfers).toEqual([port1]);
  expect(writer.attachments).toHaveLength(4);
  expect(decodeValue(payloadOf(writer))).toEqual(value);
  port1.close();
});

test("a megabyte of each crosses a small writer", () => {
  const size = 1 << 20;
  const ascii = "a".repeat(size);
  const wide = "ž".repeat(size);
  const numbers = Array.from({ length: 1e5 }, (_, i) => i + 0.5);
  const copy = roundTrip({ ascii, wide, numbers, bytes: new Uint8Array(size).fill(5) });
  expect(copy.ascii === ascii && copy.wide === wide).toBe(true);
  expect(copy.numbers).toEqual(numbers);
  expect(copy.bytes.every((x) => x === 5)).toBe(true);
});
