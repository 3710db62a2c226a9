/** Bytes that no encoder has written give an Error: no hang, no crash, no allocation out of proportion. */
import { decodeCall, decodeValue, encodeValue, registerClass } from "../../dist/runtime-ts/src/codec";
import { newWriter, payloadOf, roundTrip } from "./support";

class Registered {
  a = [1];
}
registerClass(Registered, "corrupt#Registered");

const value = {
  list: [1, 2.5, "x", null, { id: 1, name: "n" }, { id: 2, name: "m" }],
  numbers: Array.from({ length: 20 }, (_, i) => i / 2),
  ints: Array.from({ length: 20 }, (_, i) => i * 1000),
  map: new Map<unknown, unknown>([["k", new Set([1n, 2n ** 80n])]]),
  date: new Date(5),
  pattern: /a/g,
  boxed: new String("s"),
  wide: "žž".repeat(30),
  long: "l".repeat(100),
  bytes: new Float64Array([1, 2]),
  error: new TypeError("t", { cause: 1 }),
  instance: new Registered(),
  holes: [1, , , 4],
  again: null as unknown,
};
value.again = value.list;

function payload(): { bytes: Uint8Array; start: number; end: number; attachments: null } {
  const writer = newWriter();
  encodeValue(writer, value);
  return { ...payloadOf(writer), attachments: null };
}

function survives(decode: () => unknown): boolean {
  try {
    decode();
    return true;
  } catch (error) {
    if (!(error instanceof Error)) throw new Error("what was thrown is no Error", { cause: error });
    return false;
  }
}

test("a payload cut short anywhere is an error", () => {
  const whole = payload();
  for (let end = 0; end < whole.end; end++) {
    expect(() => decodeValue({ ...whole, end })).toThrow(/corrupt payload/);
    // the same when there is nothing behind it
    expect(() => decodeValue({ ...whole, bytes: whole.bytes.slice(0, end), end })).toThrow(/corrupt payload/);
  }
});

test("any byte changed to any value ends soon", () => {
  const whole = payload();
  const started = performance.now();
  let decoded = 0;
  for (let at = 0; at < whole.end; at++) {
    const original = whole.bytes[at]!;
    for (let bits = 0; bits < 256; bits += at % 32 === 0 ? 1 : 43) {
      whole.bytes[at] = bits;
      if (survives(() => decodeValue(whole))) decoded++;
    }
    whole.bytes[at] = original;
  }
  expect(decoded).toBeGreaterThan(0);
  expect(performance.now() - started).toBeLessThan(30_000);
  expect(roundTrip(value).list).toEqual(value.list);
});

test("random bytes", () => {
  let state = 12345;
  const random = (): number => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 16;
  for (let i = 0; i < 4_000; i++) {
    const bytes = Uint8Array.from({ length: 1 + (random() % 60) }, () => random() & (random() % 2 === 0 ? 63 : 255));
    survives(() => decodeValue({ bytes, start: 0, end: bytes.length, attachments: null }));
    survives(() => decodeCall({ bytes, start: 0, end: bytes.length, attachments: null }, null));
  }
});

test("endless nesting is an error, not an overflow of the process", () => {
  // tag 15 is an array; each holds one more
  const bytes = new Uint8Array(2_000_000);
  for (let i = 0; i < bytes.length; i += 2) bytes.set([15, 1], i);
  expect(() => decodeValue({ bytes, start: 0, end: bytes.length, attachments: null })).toThrow(/nests too deep/);
});

test("a count is checked before memory is taken for it", () => {
  for (let tag = 0; tag < 64; tag++) {
    // 2 GiB, as a count
    const bytes = Uint8Array.of(tag, 0xff, 0xff, 0xff, 0xff, 0x07, 1, 2, 3);
    const before = process.memoryUsage().arrayBuffers;
    survives(() => decodeValue({ bytes, start: 0, end: bytes.length, attachments: null }));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 26);
  }
});

test("an end beyond the bytes is an error", () => {
  expect(() => decodeValue({ bytes: new Uint8Array(4), start: 0, end: 8, attachments: null })).toThrow(/corrupt/);
});
