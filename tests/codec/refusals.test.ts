/** What cannot cross is refused with its path; nothing has been detached, and the next payload is unharmed. */
import { EventEmitter } from "node:events";
import { createServer, Socket } from "node:net";
import { Readable } from "node:stream";
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import { HANDLE_BRAND, NO_RECEIVER, encodeCall, encodeValue, move, registerClass } from "../../dist/runtime-ts/src/codec";
import { TransferError } from "../../dist/runtime-ts/src/errors";
import { newWriter, roundTripCall } from "./support";

function refusal(f: () => unknown): InstanceType<typeof TransferError> {
  try {
    f();
  } catch (error) {
    expect(error).toBeInstanceOf(TransferError);
    return error as InstanceType<typeof TransferError>;
  }
  throw new Error("nothing was refused");
}

const callPath = (...args: unknown[]): string => refusal(() => encodeCall(newWriter(), NO_RECEIVER, undefined, undefined, args)).path;

const f = (): void => {};
const longKey = "k".repeat(50);
class Registered {
  #secret: unknown;
  open: unknown;
  constructor(secret: unknown, open?: unknown) {
    this.#secret = secret;
    this.open = open;
  }
  static accessors = { get: (o: Registered) => [o.#secret], set: (o: Registered, v: unknown[]) => void (o.#secret = v[0]) };
}
registerClass(Registered, "refusals#Registered", Registered.accessors);

/** Objects that are made when they are read, without end. */
const endless = {
  chain: (): object => new Proxy({ next: 1 }, { get: (_, key) => (key === "next" ? endless.chain() : undefined) }),
  tree: (): object => new Proxy({ a: 1, b: 1, c: 1 }, { get: (_, key) => ("abc".includes(String(key)) ? endless.tree() : undefined) }),
};

test.each(Object.entries(endless))("a graph without end is refused: %s", (_, make) => {
  const { message, path } = refusal(() => encodeCall(newWriter(), NO_RECEIVER, undefined, undefined, [1, { deep: make() }]));
  expect(message).toBe(
    "args[1] cannot be sent to another thread: it has no end: its proxies or getters have given hundreds of thousands of objects, one inside of the other",
  );
  expect(path).toBe("args[1]");
});

test("a URL and its parameters arrive as such", () => {
  const url = new URL("https://user@example.org:8080/path?b=2&a=%20x#top");
  const back = roundTripCall([url, { again: url, query: url.searchParams }]) as [URL, { again: URL; query: URLSearchParams }];
  expect(back[0]).toBeInstanceOf(URL);
  expect(back[0].href).toBe(url.href);
  expect(back[1].again).toBe(back[0]);
  expect(back[1].query).toBeInstanceOf(URLSearchParams);
  expect([...back[1].query]).toEqual([...url.searchParams]);
  expect(back[1].query.get("a")).toBe(" x");
});

test("what only has the name of such a class is a plain object", () => {
  expect(roundTripCall([{ [Symbol.toStringTag]: "Headers", a: 1 }])).toEqual([{ a: 1 }]);
});

test("a function inside of an instance is refused as a part of it, since nobody who passes a package's object knows its insides", () => {
  class Rule {
    constructor(readonly apply: unknown) {}
  }
  class Renderer {
    readonly rules: unknown[];
    constructor(apply: unknown) {
      this.rules = [new Rule(apply)];
    }
  }
  const message = (value: unknown): string => refusal(() => encodeCall(newWriter(), NO_RECEIVER, undefined, undefined, [value])).message;
  const wayOut = "Pass what the task needs of it, and make the instance in the task";
  expect(message({ own: new Renderer(f) })).toBe(
    `args[0].own.rules[0].apply cannot be sent to another thread: it is a function (f) that belongs to a Renderer. ${wayOut}`,
  );
  expect(message(new Rule(Rule))).toBe(
    `args[0].apply cannot be sent to another thread: it is a class (Rule) that belongs to a Rule. ${wayOut}`,
  );
});

test("a deep list of proxies is no graph without end", () => {
  let list: object | null = null;
  for (let i = 0; i < 20_000; i++) list = new Proxy({ next: list }, {});
  const writer = newWriter();
  encodeValue(writer, list);
  expect(writer.length).toBeGreaterThan(20_000);
});

test.each<[string, unknown[]]>([
  ["args[0]", [f]],
  ["args[1]", [1, Symbol("s")]],
  ["args[0].user.onClick", [{ user: { onClick: f } }]],
  ['args[0]["on click"]', [{ "on click": f }]],
  ["args[0][3]", [[1, 2, 3, f]]],
  ["args[0][12]", [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, f]]],
  ["args[0][7].x", [[0.5, 2, 3, 4, 5, 6, , { x: f }]]],
  ["args[0][3000]", [Object.assign([], { 3000: f })]],
  ["args[0].name", [Object.assign([1, 2], { name: f })]],
  ['args[0].get("key")', [new Map([["key", f]])]],
  ["args[0].get(5).x[1]", [new Map([[5, { x: [1, f] }]])]],
  ["args[0] (map value 0)", [new Map([[{}, f]])]],
  [
    "args[0] (map value 1)",
    [
      new Map<string, unknown>([
        ["a", 1],
        [longKey, f],
      ]),
    ],
  ],
  [
    "args[0] (map key 1)",
    [
      new Map<unknown, unknown>([
        [1, 1],
        [f, 1],
      ]),
    ],
  ],
  ["args[0] (set element 2)", [new Set([1, 2, f])]],
  ["args[0].cause", [new Error("x", { cause: f })]],
  ["args[0].errors[1]", [new AggregateError([1, f])]],
  ["args[0].retry", [Object.assign(new Error("x"), { retry: f })]],
  ["args[0] (private field 1 of Registered).x", [new Registered({ x: f })]],
  ["args[0].open", [new Registered(1, f)]],
  [`args[0].k70`, [Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, i === 70 ? f : i]))]],
])("%s", (path, args) => {
  expect(callPath(...args)).toBe(path);
});

test.each<[string, () => unknown]>([
  ["function", () => f],
  ["class", () => class Named {}],
  ["symbol", () => Symbol.iterator],
  ["WeakMap", () => new WeakMap()],
  ["WeakSet", () => new WeakSet()],
  ["WeakRef", () => new WeakRef({})],
  ["FinalizationRegistry", () => new FinalizationRegistry(f)],
  ["Promise", () => Promise.resolve()],
  ["generator", () => (function* () {})()],
  ["generator", () => (async function* () {})()],
  ["iterator", () => [1].values()],
  ["iterator", () => new Map().entries()],
  // Node 22 has them.
  ["iterator", () => ([1].values() as { map?: (f: (n: number) => number) => unknown }).map?.((n) => n) ?? [1].values()],
  ["Proxy", () => new Proxy(new Map(), {})],
  ["Symbol object", () => Object(Symbol())],
  ["Socket", () => new Socket()],
  ["Server", () => createServer(f)],
  ["Readable", () => Readable.from([1])],
  ["EventEmitter", () => new EventEmitter().on("x", f)],
  ["ReadableStream", () => new ReadableStream()],
  ["NumberFormat", () => new Intl.NumberFormat()],
  ["Memory", () => new WebAssembly.Memory({ initial: 1 })],
  ["Module", () => new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0))],
  ["MessagePort", () => new MessageChannel().port1],
  ["Blob", () => new Blob(["x"])],
  ["Headers; pass its entries", () => new Headers({ a: "b" })],
  ["FormData", () => new FormData()],
  ["Request", () => new Request("http://localhost/")],
  ["Response; read it first", () => new Response("x")],
  ["URL", () => Object.create(URL.prototype) as unknown],
  ["Locator", () => new (class Locator extends URL {})("http://localhost/")],
  ["AsyncHandle inside a result", () => ({ [HANDLE_BRAND]: true, __proto__: { constructor: class AsyncHandle {} } })],
])("a result that is a %s says so", (name, make) => {
  const error = refusal(() => encodeValue(newWriter(), { value: make() }));
  expect(error.path).toBe("result.value");
  expect(error.message).toContain(name);
  expect(error.code).toBe("MP_TRANSFER");
});

test("a MessagePort that has left this thread is refused by its path; another is not hurt by the look", () => {
  const carrier = new MessageChannel();
  const { port1: sent, port2: kept } = new MessageChannel();
  carrier.port1.postMessage(null, [sent]);
  const other = new MessageChannel();
  const encode = (value: unknown): unknown => encodeCall(newWriter(true), NO_RECEIVER, undefined, undefined, [value]);
  const { path, message } = refusal(() => encode({ ports: [other.port1, sent] }));
  expect(path).toBe("args[0].ports[1]");
  expect(message).toMatch(/closed, or has been handed over/);
  encode([other.port1, other.port1]);
  other.port2.postMessage("still there");
  expect(receiveMessageOnPort(other.port1)).toEqual({ message: "still there" });
  for (const port of [kept, carrier.port1, other.port1]) port.close();
  expect(refusal(() => encode(other.port1)).path).toBe("args[0]");
});

test("receiver and captures are named", () => {
  const encode = (receiver: unknown, captures: unknown[], args: unknown[]): unknown =>
    encodeCall(newWriter(), receiver, captures, ["config", "list"], args);
  expect(refusal(() => encode({ socket: new Socket() }, [1, 2], [])).path).toBe("this.socket");
  expect(refusal(() => encode({}, [{ onClick: f }, 2], [])).path).toBe("config.onClick");
  expect(refusal(() => encode({}, [1, [f]], [])).path).toBe("list[0]");
  expect(refusal(() => encode({}, [1, 2], [1, f])).path).toBe("args[1]");
  expect(refusal(() => encode(NO_RECEIVER, [1, f], [])).path).toBe("list");
});

test("beyond the recursion's depth the path names the argument and the end", () => {
  let nested: unknown = { onClick: f };
  for (let i = 0; i < 10_000; i++) nested = { nested };
  const { path } = refusal(() => encodeCall(newWriter(), NO_RECEIVER, undefined, undefined, [1, nested, 3]));
  expect(path).toMatch(/^args\[1\]….*\.onClick$/);
});

test("an error that a getter throws is passed on as it is", () => {
  const mine = new Error("mine");
  const value = {
    a: [
      {
        get b(): never {
          throw mine;
        },
      },
    ],
  };
  expect(() => encodeValue(newWriter(), value)).toThrow(mine);
});

test("endless recursion in a getter is refused, not fatal", () => {
  const endless = (): unknown => endless() ?? 1;
  const value = {
    get a(): unknown {
      return endless();
    },
  };
  expect(refusal(() => encodeValue(newWriter(), value)).message).toMatch(/stack/);
});

test("a chain of causes too long for the stack is refused, not fatal", () => {
  // A DOMException is made whole, so its cause has to be there first.
  let error: Error = new Error("first");
  for (let i = 0; i < 50_000; i++) error = Object.defineProperty(new DOMException(`e${i}`), "cause", { value: error });
  expect(refusal(() => encodeValue(newWriter(), { error })).message).toMatch(/stack/);
});

test("after a refusal nothing is detached, marks are gone and the next payload is whole", () => {
  const inside = new ArrayBuffer(8);
  const after = new Uint8Array(4);
  const writer = newWriter();
  const shared = { a: 1 };
  refusal(() => encodeCall(writer, NO_RECEIVER, undefined, undefined, [move(inside), shared, { f }, move(after)]));
  expect([inside.byteLength, after.byteLength]).toEqual([8, 4]);
  writer.reset();
  encodeCall(writer, NO_RECEIVER, undefined, undefined, [inside, after]);
  expect([writer.attachments, writer.transfers]).toEqual([null, null]);
  expect(roundTripCall([shared, [shared], { a: 2 }])).toEqual([{ a: 1 }, [{ a: 1 }], { a: 2 }]);
});
