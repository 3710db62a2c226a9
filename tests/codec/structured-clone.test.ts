/** Whatever structured clone carries comes out of a payload as it comes out of structured clone. */
import { runInNewContext } from "node:vm";
import { takeFlattened } from "../../dist/runtime-ts/src/codec";
import { expectSameGraph, roundTrip, roundTripCall } from "./support";

class Foreign {
  inner: unknown;
  constructor(public a: number) {}
  method(): void {}
}
class OtherForeign extends Foreign {}

test("a call tells which classes have lost their methods, each once", () => {
  const one = new Foreign(1);
  one.inner = [new OtherForeign(2), new OtherForeign(3), one];
  const [list] = roundTripCall([[one, new Foreign(4), Object.assign(Object.create({ a: 1 }) as object, { b: 1 })]]) as [Foreign[]];
  expect(takeFlattened()).toEqual(["Foreign", "OtherForeign"]);
  expect(takeFlattened()).toBeUndefined();
  expect(list).toEqual([{ a: 1, inner: [{ a: 2 }, { a: 3 }, list[0]] }, { a: 4 }, { b: 1 }]);
  // Nobody has asked for these.
  roundTripCall([one]);
  roundTripCall([{ plain: 1 }, new Point(1, 2)]);
  expect(takeFlattened()).toBeUndefined();
  let deep: object = new Foreign(0);
  for (let i = 0; i < 2000; i++) deep = Object.assign(new OtherForeign(i), { inner: deep });
  let depth = 0;
  for (let at = roundTripCall([deep])[0] as Foreign; at.inner; at = at.inner as Foreign) depth++;
  expect([depth, takeFlattened()]).toEqual([2000, ["OtherForeign", "Foreign"]]);
});

const cyclic: Record<string, unknown> = { name: "root" };
cyclic.self = cyclic;
cyclic.list = [cyclic, { back: cyclic }];
cyclic.map = new Map<unknown, unknown>([[cyclic, cyclic]]);

const shared = { shared: true };
const buffer = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]).buffer;

const sparse: unknown[] = [1, , 3];
sparse[10] = "x";
const manyHoles: unknown[] = [];
manyHoles[5] = 1;
manyHoles[200] = { deep: [] };
manyHoles[1000] = 3;
manyHoles.length = 1500;
const enormous: unknown[] = [];
enormous[7] = "a";
enormous[4_000_000_000] = "b";
const trailingHoles = [1, 2, 3, 4, 5, 6, 7, 8];
trailingHoles.length = 12;

const named = (array: unknown[], names: Record<string, unknown>): unknown[] => Object.assign(array, names);
const numbered = (length: number, f: (i: number) => unknown): unknown[] => Array.from({ length }, (_, i) => f(i));

class Point {
  #hidden = 1;
  constructor(
    public x: number,
    public y: number,
  ) {}
  get sum(): number {
    return this.x + this.y + this.#hidden;
  }
}

const withGetter = {
  a: 1,
  get computed(): number[] {
    return [this.a, 2];
  },
};
const withHidden = Object.defineProperty({ visible: 1 }, "hidden", { value: 2, enumerable: false });
const withSymbol = { [Symbol("s")]: 1, plain: 2 };
const nullPrototype = Object.assign(Object.create(null) as object, { a: 1, b: { c: 2 } });
const protoKey = JSON.parse('{"__proto__": {"x": 1}, "y": 2}') as object;
const manyKeys = Object.fromEntries(numbered(200, (i) => [`key${i}`, i]) as [string, unknown][]);
const removesOther = {
  a: 1,
  get b(): number {
    delete (this as Record<string, unknown>).c;
    return 2;
  },
  c: 3,
  d: 4,
};

class Inheriting extends Point {}
const subclassed = [
  new (class extends Array<number> {})(3),
  new (class extends Map<unknown, unknown> {})([[1, 2]]),
  new (class extends Set<unknown> {})([1]),
  new (class extends Date {})(5),
  new (class extends Uint8Array {})([1, 2]),
];

const imitations = [Uint8Array, Float64Array, DataView, ArrayBuffer, Map, Set, Date, RegExp, Error, Array, Boolean].map((base) =>
  Object.assign(Object.create(base.prototype as object) as object, { own: 1, key: "two" }),
);

const cases: Record<string, () => unknown> = {
  undefined: () => undefined,
  null: () => null,
  booleans: () => [true, false],
  integers: () => [0, 1, 63, 64, -1, 127, 128, 255, 65_535, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53)],
  doubles: () => [-0, NaN, Infinity, -Infinity, 0.1, 1e308, 5e-324, Math.PI],
  "minus zero alone": () => -0,
  "minus zero among integers": () => [1, 2, 3, -0, 5, 6, 7, 8],
  bigints: () => [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n, -(2n ** 63n) - 1n, 2n ** 64n, 3n ** 5000n, -(7n ** 999n)],
  "strings of all lengths": () => numbered(300, (i) => "abcdefghij".repeat(30).slice(0, i)),
  "latin-1 strings": () => ["é", "\u0000", "\u00ff".repeat(100), "naïve café", "\u00ff\u0100"],
  "utf-16 strings": () => ["ž", "日本語".repeat(50), "😀", "\ud800", "\udc00x\ud800", "a".repeat(39) + "ž", "a".repeat(100) + "ž"],
  "boxed primitives": () => [new Number(-0), new String("ž"), new Boolean(false), Object(5n), new String("")],
  dates: () => [new Date(0), new Date(NaN), new Date(-1), new Date(8.64e15)],
  "regular expressions": () => {
    const sticky = /a+b/giy;
    sticky.lastIndex = 3;
    return [sticky, /\u{1f600}/u, new RegExp("/"), new RegExp("")];
  },
  maps: () =>
    new Map<unknown, unknown>([
      ["a", 1],
      [NaN, NaN],
      [{ k: 1 }, new Map([[-0, 0]])],
      [undefined, null],
    ]),
  sets: () => new Set<unknown>([1, "1", NaN, {}, new Set([[]])]),
  "empty containers": () => [{}, [], new Map(), new Set(), "", new Uint8Array(0), new ArrayBuffer(0)],
  "plain objects": () => ({ a: 1, "b c": [], "": "", 2: "two", 1: "one", nested: { deep: { er: null } } }),
  "objects of one shape": () => numbered(150, (i) => ({ id: i, name: `n${i}`, tags: ["a", i], at: { x: i, y: i / 2 } })),
  "objects of alternating shapes": () => numbered(150, (i) => (i % 3 === 0 ? { a: i } : i % 3 === 1 ? { a: i, b: 1 } : { b: i, a: [] })),
  "more shapes than one byte holds": () => numbered(400, (i) => ({ [`k${i % 200}`]: i, fixed: true })),
  "a dictionary": () => manyKeys,
  "an object with a __proto__ key": () => protoKey,
  "objects with a __proto__ key twice": () => [protoKey, protoKey, JSON.parse('{"__proto__": 5}')],
  "a dictionary with a __proto__ key": () =>
    Object.defineProperty({ ...manyKeys }, "__proto__", { value: { x: 1 }, enumerable: true, writable: true, configurable: true }),
  "an object without prototype": () => nullPrototype,
  getters: () => withGetter,
  "hidden and symbol properties": () => [withHidden, withSymbol],
  "frozen objects": () => Object.freeze([Object.freeze({ a: 1 })]),
  "instances of unregistered classes": () => [new Point(1, 2), new Inheriting(3, 4)],
  "instances of subclasses of built-ins": () => subclassed,
  "objects that only inherit from built-ins": () => imitations,
  "arrays of numbers": () => [
    [1, 2, 3],
    numbered(10, (i) => i),
    numbered(10, (i) => i / 2),
    numbered(5000, (i) => i - 2500),
    numbered(9000, (i) => i + 0.5),
  ],
  "an array that turns from integers to doubles": () => numbered(9000, (i) => (i < 5000 ? i : i + 0.25)),
  "an array that turns from numbers to others": () => [
    numbered(20, (i) => (i < 9 ? i : `s${i}`)),
    numbered(20, (i) => (i < 9 ? i / 3 : { i })),
  ],
  "sparse arrays": () => [sparse, manyHoles, trailingHoles, new Array(5), new Array(100)],
  "an enormous sparse array": () => enormous,
  "undefined elements are no holes": () => [undefined, , undefined],
  "arrays with named properties": () => [
    named([1, 2], { x: 1 }),
    named(
      numbered(500, (i) => i),
      { y: [1] },
    ),
    "abc".match(/(?<g>b)/),
    named([], { "-1": 0, "01": 1 }),
  ],
  "a long array with holes and names": () => named(Object.assign(new Array(300), { 150: "m" }) as unknown[], { z: 26 }),
  cycles: () => cyclic,
  "shared objects": () => [shared, shared, { shared }, new Map([[shared, shared]])],
  "more shared objects than are searched one by one": () => {
    const all = numbered(50, (i) => ({ i }));
    return [...all, ...all, all];
  },
  "an array that holds itself": () => {
    const array: unknown[] = [1];
    array.push(array);
    return array;
  },
  "a set that holds itself": () => {
    const set = new Set<unknown>();
    return set.add(set);
  },
  "typed arrays": () => [
    new Uint8Array([1, 2]),
    new Int8Array([-1]),
    new Uint8ClampedArray([255]),
    new Int16Array([-2]),
    new Uint16Array([3]),
    new Int32Array([-4]),
    new Uint32Array([5]),
    new Float32Array([0.5]),
    new Float64Array([0.1, -0, NaN]),
    new BigInt64Array([-6n]),
    new BigUint64Array([7n]),
  ],
  "views that share a buffer": () => [new Uint8Array(buffer, 3, 5), new Float64Array(buffer, 8), new DataView(buffer, 1, 2), buffer],
  "a Buffer with memory of its own": () => Buffer.alloc(10_000, 7),
  "array buffers": () => [buffer, buffer],
  "resizable buffers": () => {
    const resizable = new (ArrayBuffer as any)(8, { maxByteLength: 64 }) as ArrayBuffer;
    return [resizable, new Uint8Array(resizable, 2, 4), new Uint16Array(resizable)];
  },
  "errors inside values": () => ({ e: new RangeError("x"), list: [new TypeError("y", { cause: { z: 1 } })] }),
  "objects of another realm": () =>
    runInNewContext("({ a: [1, , 2], m: new Map([[1, { b: 2 }]]), d: new Date(5), s: new Set([1]), r: /x/g, n: [1,2,3,4,5,6,7,8] })"),
};

describe("a value comes back as structured clone gives it", () => {
  test.each(Object.keys(cases))("%s", (name) => {
    const value = cases[name]!();
    expectSameGraph(roundTrip(value), structuredClone(value));
  });

  test("an object whose getter removes a later key", () => {
    const make = (): object => Object.defineProperties({}, Object.getOwnPropertyDescriptors(removesOther));
    expectSameGraph(roundTrip([make(), make()]), structuredClone([make(), make()]));
  });

  test("all of them at once, sharing", () => {
    const all = Object.values(cases).map((make) => make());
    expectSameGraph(roundTrip([all, all]), structuredClone([all, all]));
  });
});

test("a view that follows its resizable buffer still does", () => {
  const source = new (ArrayBuffer as any)(8, { maxByteLength: 64 }) as ArrayBuffer;
  const [follows, fixed] = roundTrip([new Uint8Array(source), new Uint8Array(source, 0, 8)]) as [Uint8Array, Uint8Array];
  expect(follows.buffer).toBe(fixed.buffer);
  (follows.buffer as any).resize(16);
  expect([follows.length, fixed.length]).toEqual([16, 8]);
  expect(source.byteLength).toBe(8);
});

test("a Buffer of Node's pool is sent without its neighbours", () => {
  const copy = roundTrip(Buffer.from("secret"));
  expect(Object.getPrototypeOf(copy)).toBe(Uint8Array.prototype);
  expect(Buffer.from(copy).toString()).toBe("secret");
  expect(copy.buffer.byteLength).toBe(6);
});

test("objects nest 100,000 deep, where structured clone gives up", () => {
  const kinds: ((inner: unknown) => unknown)[] = [
    (x) => ({ x }),
    (x) => [x],
    (x) => new Map([["x", x]]),
    (x) => new Set([x]),
    (x) => [1, 2, 3, 4, 5, 6, x],
  ];
  let nested: unknown = "core";
  for (let i = 0; i < 100_000; i++) nested = kinds[i % kinds.length]!(nested);
  expect(() => structuredClone(nested)).toThrow();
  let copy: any = roundTrip(nested);
  for (let i = 99_999; i >= 0; i--) {
    const k = i % kinds.length;
    copy = k === 0 ? copy.x : k === 1 ? copy[0] : k === 2 ? copy.get("x") : k === 3 ? [...copy][0] : copy[6];
  }
  expect(copy).toBe("core");
});

test("a __proto__ key deep inside is a key", () => {
  let nested: unknown = protoKey;
  for (let i = 0; i < 2_000; i++) nested = { ["__proto__"]: nested };
  let copy: any = roundTrip(nested);
  for (let i = 0; i < 2_000; i++) {
    expect(Object.keys(copy)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
    copy = Object.getOwnPropertyDescriptor(copy, "__proto__")!.value;
  }
  expect(Object.keys(copy)).toEqual(["__proto__", "y"]);
});

test("a deep list keeps its cycle", () => {
  const first: any = {};
  let last = first;
  for (let i = 0; i < 5_000; i++) last = last.next = { i };
  last.next = first;
  let node: any = roundTrip(first);
  const start = node;
  for (let i = 0; i < 5_001; i++) node = node.next;
  expect(node).toBe(start);
});

test("getters run once each, also of arrays' elements", () => {
  const calls: string[] = [];
  const object = {
    get a() {
      return calls.push("a");
    },
    get b() {
      return calls.push("b");
    },
  };
  const array = [1, 2, 3, 4, 5, 6, 7];
  for (const i of [0, 3]) Object.defineProperty(array, i, { get: () => (calls.push(`[${i}]`), i === 3 ? "x" : 9), enumerable: true });
  expect(roundTripCall([object, array])).toEqual([{ a: 1, b: 2 }, [9, 2, 3, "x", 5, 6, 7]]);
  expect(calls).toEqual(["a", "b", "[0]", "[3]"]);
});

test("a getter may encode other values meanwhile", () => {
  const object = {
    a: 1,
    get b() {
      return roundTrip({ inner: [1, { c: 2 }] });
    },
    c: { d: 1 },
  };
  expect(roundTrip([object, object])).toEqual([
    { a: 1, b: { inner: [1, { c: 2 }] }, c: { d: 1 } },
    { a: 1, b: { inner: [1, { c: 2 }] }, c: { d: 1 } },
  ]);
});

test("enumerable properties of Object.prototype are not taken for an object's own", () => {
  Object.defineProperty(Object.prototype, "polluted", { value: 1, enumerable: true, configurable: true, writable: true });
  try {
    expect(Object.keys(roundTrip({ a: 1 }))).toEqual(["a"]);
  } finally {
    delete (Object.prototype as any).polluted;
  }
});
