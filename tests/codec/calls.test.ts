/* eslint-disable prefer-rest-params -- decoded values have no static type; an arguments object is tested */
/** Calls: receiver, captures and arguments in one payload; handles and parallel functions in it. */
import {
  HANDLE_BRAND,
  NO_RECEIVER,
  PARALLEL_BRAND,
  decodeCall,
  decodeValue,
  encodeCall,
  encodeItemsCall,
  encodeValue,
  move,
  onParallelFunction,
  registerClass,
  revival,
  takeFlattened,
} from "../../dist/runtime-ts/src/codec";
import { newWriter, payloadOf, type Payload } from "./support";

class Handle {
  get [HANDLE_BRAND](): true {
    return true;
  }
  then(): void {}
}
const encoded = (value: unknown): Payload => {
  const writer = newWriter();
  encodeValue(writer, value);
  return payloadOf(writer);
};

test("receiver, captures and arguments come in order and share their objects", () => {
  const shared = { s: [1] };
  const writer = newWriter();
  const { dependencies } = encodeCall(writer, { me: shared }, [shared, 2], ["shared", "two"], [shared, undefined, "x"]);
  expect(dependencies).toBeNull();
  const [receiver, a, b, c, d, e, ...rest] = decodeCall(payloadOf(writer), null) as any[];
  expect([b, d, e, rest]).toEqual([2, undefined, "x", []]);
  expect([receiver.me, a, c]).toEqual([shared, shared, shared]);
  expect(receiver.me).toBe(a);
  expect(c).toBe(a);
});

test("undefined is a receiver, NO_RECEIVER is none", () => {
  const count = (receiver: unknown): number => {
    const writer = newWriter();
    encodeCall(writer, receiver, undefined, undefined, [1]);
    return decodeCall(payloadOf(writer), null).length;
  };
  expect([count(undefined), count(null), count(NO_RECEIVER)]).toEqual([2, 2, 1]);
});

test("an arguments object is a list of arguments", () => {
  const writer = newWriter();
  (function (..._: unknown[]) {
    encodeCall(writer, NO_RECEIVER, undefined, undefined, arguments);
  })(1, "two");
  expect(decodeCall(payloadOf(writer), null)).toEqual([1, "two"]);
});

test("what a handle's value has lost on its way is told with what the arguments have", () => {
  class One {
    f(): void {}
  }
  class Two {
    f(): void {}
  }
  const writer = newWriter();
  const handles = [new Handle(), new Handle()];
  encodeCall(writer, NO_RECEIVER, undefined, undefined, [...handles, new One()]);
  decodeCall(payloadOf(writer), [encoded([new Two(), new One()]), encoded([1, new Two()])]);
  expect(takeFlattened()).toEqual(["Two", "One"]);
});

test("handles become placeholders, the same handle the same value", () => {
  const [first, second] = [new Handle(), new Handle()];
  const writer = newWriter();
  const { dependencies } = encodeCall(writer, NO_RECEIVER, undefined, undefined, [
    second,
    { deep: [first, second] },
    new Map([["k", first]]),
  ]);
  expect(dependencies).toEqual([second, first]);
  expect(dependencies![0]).toBe(second);
  const inputs = [encoded({ from: "second" }), encoded(undefined)];
  const [a, b, c] = decodeCall(payloadOf(writer), inputs) as any[];
  expect(a).toEqual({ from: "second" });
  expect(b.deep[1]).toBe(a);
  expect([b.deep[0], c.get("k")]).toEqual([undefined, undefined]);
});

test("an input's own references do not mix with the payload's", () => {
  const shared = { x: 1 };
  const writer = newWriter();
  encodeCall(writer, NO_RECEIVER, undefined, undefined, [{ a: 1 }, new Handle(), shared, shared]);
  const list = [1, { y: 2 }];
  const [, input, s, t] = decodeCall(payloadOf(writer), [
    encoded([list, list, "long string over forty characters, not in the window"]),
  ]) as any[];
  expect(input[0]).toEqual(list);
  expect(input[0]).toBe(input[1]);
  expect(s).toEqual({ x: 1 });
  expect(s).toBe(t);
});

test("parallel functions are revived by the runtime", () => {
  const meta = { name: "sum", length: 2, flags: 1 };
  const fn = Object.assign(() => 0, { [PARALLEL_BRAND]: { manifest: "/m.json", id: "a.ts#sum", meta } });
  onParallelFunction((reference) => Object.assign(() => 1, { reference }));
  const writer = newWriter();
  encodeValue(writer, [fn, { fn }]);
  const [a, b] = decodeValue(payloadOf(writer)) as any;
  expect(a.reference).toEqual({ manifest: "/m.json", id: "a.ts#sum", meta });
  expect(b.fn).toBe(a);
});

test("a call with scalars allocates no result of its own", () => {
  const encode = (): unknown => encodeCall(newWriter(), NO_RECEIVER, undefined, undefined, [1, "a"]);
  expect(encode()).toBe(encode());
});

describe("of `this`, only the fields that a task uses", () => {
  class Part {
    used = revival.active ? undefined : 1;
    unused: unknown = revival.active ? undefined : () => 1;
    other?: { part: Part };
    #hidden: unknown = revival.active ? undefined : 2;
    static accessors = {
      get: (o: Part) => [o.#hidden],
      set: (o: Part, [value]: unknown[]) => void (o.#hidden = value),
      names: [".#hidden"],
    };
    hidden(): unknown {
      return this.#hidden;
    }
  }
  class Same extends Part {}
  class Different extends Part {
    override hidden(): unknown {
      return this.unused;
    }
  }
  registerClass(Part, "t#Part", Part.accessors);
  registerClass(Same, "t#Same");
  registerClass(Different, "t#Different");
  const send = (names: string[], receiver: object, args: unknown[] = []): unknown[] => {
    const writer = newWriter();
    encodeCall(writer, receiver, undefined, undefined, args, { fields: { "t#Part": names } });
    return decodeCall(payloadOf(writer), null);
  };

  test("public and private ones", () => {
    const [first] = send(["used"], new Part()) as [Part];
    expect([first.used, first.unused, first.hidden(), first instanceof Part]).toEqual([1, undefined, undefined, true]);
    expect((send(["#hidden"], new Same())[0] as Part).hidden()).toBe(2);
  });

  test("a captured `this`, of a call and of a map's part", () => {
    const writer = newWriter();
    const fields = { "t#Part": ["used"] };
    encodeCall(writer, NO_RECEIVER, [new Part(), 1], ["this", "one"], [2], { fields });
    expect(decodeCall(payloadOf(writer), null)).toEqual([{ used: 1 }, 1, 2]);
    writer.reset();
    encodeItemsCall(writer, [new Part()], ["this"], [1, 2, 3], 1, 3, { fields });
    expect(decodeCall(payloadOf(writer), null)).toEqual([{ used: 1 }, [2, 3]]);
  });

  test("all, where a subclass has something in the place of what is used", () => {
    expect(() => send(["hidden", "#hidden"], new Different())).toThrow(/this\.unused cannot be sent/);
  });

  test("all, where something else leads back to it, and what was to be moved is moved", () => {
    const part = new Part();
    part.other = { part };
    expect(() => send(["other"], part)).toThrow(/this\.unused cannot be sent/);
    part.unused = "kept";
    const [self] = send(["other"], part) as [Part];
    expect([self.other?.part === self, self.unused]).toEqual([true, "kept"]);
    const writer = newWriter();
    const bytes = new ArrayBuffer(8);
    encodeCall(writer, part, undefined, undefined, [[move(bytes)], part], { fields: { "t#Part": ["used"] } });
    expect(writer.transfers).toEqual([bytes]);
  });
});
