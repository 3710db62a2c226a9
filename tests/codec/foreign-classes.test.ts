/** Registered classes that extend what is not the project's: packages' classes, Node's own, classes made inside functions. */
import { EventEmitter } from "node:events";
import { Readable } from "node:stream";
import { decodeCall, encodeCall, registerClass, revival } from "../../dist/runtime-ts/src/codec";
import { privateStateOf } from "../../dist/runtime-ts/src/codec/foreign-state";
import { newWriter, payloadOf, roundTrip, roundTripError } from "./support";

let ids = 0;
/** What the transformer writes after a class without private fields. */
function registered<T extends new (...args: any[]) => object>(constructor: T): T {
  registerClass(constructor, `foreign#${ids++}`);
  return constructor;
}

/** A base whose code must not run without its arguments. */
class Needy {
  static made = 0;
  constructor(readonly options: { size: number }) {
    this.size = options.size;
    Needy.made++;
  }
  size: number;
}
class Counter extends Needy {
  #count = revival.active ? undefined : 1;
  constructor(options: { size: number }) {
    super(...((revival.active ? [] : [options]) as [{ size: number }]));
    if (revival.active) return;
    this.#count = 5;
  }
  get count(): number | undefined {
    return this.#count;
  }
  static accessors = { get: (o: Counter) => [o.#count], set: (o: Counter, v: unknown[]) => void (o.#count = v[0] as number) };
}
registerClass(Counter, "foreign#Counter", Counter.accessors);
class Limited extends Counter {
  #limit = revival.active ? undefined : 9;
  get limit(): number | undefined {
    return this.#limit;
  }
  static limits = { get: (o: Limited) => [o.#limit], set: (o: Limited, v: unknown[]) => void (o.#limit = v[0] as number) };
}
registerClass(Limited, "foreign#Limited", Limited.limits);

test("own private fields are kept around a base whose constructor does not run", () => {
  const value = new Limited({ size: 3 });
  const before = Needy.made;
  const copy = roundTrip(value);
  expect(Needy.made).toBe(before);
  expect([copy.count, copy.limit, copy.size, copy.options]).toEqual([5, 9, 3, { size: 3 }]);
  expect([copy instanceof Limited, Object.getPrototypeOf(Limited), Object.getPrototypeOf(Counter)]).toEqual([true, Counter, Needy]);
  expect(revival.active).toBe(false);
});

test("private fields below and above a mixin", () => {
  class Base {
    #secret = revival.active ? undefined : "base";
    get secret(): string | undefined {
      return this.#secret;
    }
    static accessors = { get: (o: Base) => [o.#secret], set: (o: Base, v: unknown[]) => void (o.#secret = v[0] as string) };
  }
  registerClass(Base, "foreign#Base", Base.accessors);
  let mixed = 0;
  const withName = (base: typeof Base) =>
    class extends base {
      title = `title ${++mixed}`;
    };
  class Top extends withName(Base) {
    #top = revival.active ? undefined : "top";
    get top(): string | undefined {
      return this.#top;
    }
    static tops = { get: (o: Top) => [o.#top], set: (o: Top, v: unknown[]) => void (o.#top = v[0] as string) };
  }
  registerClass(Top, "foreign#Top", Top.tops);
  const copy = roundTrip(new Top());
  expect([copy.secret, copy.title, copy.top, copy instanceof Top, mixed]).toEqual(["base", "title 1", "top", true, 1]);
});

test("every built-in can stand around private fields, a DOMException too", () => {
  class Fault extends DOMException {
    #detail = revival.active ? undefined : 7;
    extra = revival.active ? undefined : [1];
    get detail(): number | undefined {
      return this.#detail;
    }
    static accessors = { get: (o: Fault) => [o.#detail], set: (o: Fault, v: unknown[]) => void (o.#detail = v[0] as number) };
  }
  registerClass(Fault, "foreign#Fault", Fault.accessors);
  class Pattern extends RegExp {
    #label = revival.active ? undefined : "l";
    get label(): string | undefined {
      return this.#label;
    }
    static accessors = { get: (o: Pattern) => [o.#label], set: (o: Pattern, v: unknown[]) => void (o.#label = v[0] as string) };
  }
  registerClass(Pattern, "foreign#Pattern", Pattern.accessors);
  const fault = new Fault("gone", "AbortError");
  (fault as { self?: unknown }).self = fault;
  const copy = roundTrip([fault, new Pattern("a+", "gi")] as const);
  expect([copy[0].message, copy[0].name, copy[0].code, copy[0].detail, copy[0].extra]).toEqual(["gone", "AbortError", 20, 7, [1]]);
  expect([copy[0] instanceof Fault, (copy[0] as { self?: unknown }).self === copy[0], copy[0].stack]).toEqual([true, true, fault.stack]);
  expect([copy[1].test("A"), copy[1].flags, copy[1].label]).toEqual([true, "gi", "l"]);
  expect(roundTripError(fault)).toBeInstanceOf(Fault);
});

const weak = new WeakMap<object, number>();
const kState = Symbol("state");
class Vault {
  #n = 1;
  get n(): number {
    return this.#n;
  }
}
class Branded {
  #twice(): number {
    return 2;
  }
  get two(): number {
    return this.#twice();
  }
}
class Hidden {
  constructor() {
    weak.set(this, 1);
  }
}
class Marked {
  [kState] = 4;
}

test.each<[string, object, RegExp]>([
  ["a private field", new (registered(class A extends Vault {}))(), /A\d* extends Vault, whose private state \(#n\) only Vault could copy/],
  ["a private method", new (registered(class A extends Branded {}))(), /A\d* extends Branded, whose private state \(#twice\)/],
  ["a WeakMap", new (registered(class A extends Hidden {}))(), /A\d* extends Hidden, whose private state \(kept by weak\.set\(this\)\)/],
  ["a symbol", new (registered(class A extends Marked {}))(), /it keeps state under Symbol\(state\), and A\d* extends a class that is not/],
  ["a promise", new (registered(class A extends Promise<void> {}))(() => {}), /A\d* extends Promise, whose state nothing outside/],
  ["a WeakMap itself", new (registered(class A extends WeakMap {}))(), /A\d* extends WeakMap, whose state/],
  ["a formatter", new (registered(class A extends Intl.Collator {}))(), /A\d* extends Collator, whose state/],
  ["a URL", new (registered(class A extends URL {}))("http://a"), /A\d* extends URL, whose private state \(#/],
  ["an event target", new (registered(class A extends EventTarget {}))(), /it keeps state under Symbol\(/],
  ["a blob", new (registered(class A extends Blob {}))(["x"]), /A\d* extends Blob, whose state/],
  ["a stream", new (registered(class A extends Readable {}))(), /A\d* is a stream, which is bound to its thread/],
  ["an emitter", new (registered(class A extends EventEmitter {}))().on("tick", () => {}), /it has listeners \(of tick\)/],
])("%s of a foreign base is refused at the call, with the class's name", (_, value, message) => {
  expect(() => roundTrip({ deep: value })).toThrow(expect.objectContaining({ code: "MP_TRANSFER", path: expect.stringContaining("deep") }));
  expect(() => roundTrip({ deep: value })).toThrow(message);
});

test("`this` of a class made inside a function travels as what it extends, and is refused where it has members of its own", () => {
  class Known {
    x = 1;
  }
  registered(Known);
  const send = (receiver: object): unknown => {
    const writer = newWriter();
    encodeCall(writer, receiver, undefined, undefined, []);
    return decodeCall(payloadOf(writer), null)[0];
  };
  const make = (): object[] => {
    class Alike extends Known {
      y = 2;
    }
    class Other extends Known {
      title(): string {
        return "other";
      }
    }
    class Hiding extends Known {
      #hidden = 1;
      static read = (o: Hiding): number => o.#hidden;
    }
    return [new Alike(), new Other(), new Hiding()];
  };
  const [alike, other, hiding] = make() as [object, object, object];
  expect(send(alike)).toEqual(Object.assign(new Known(), { y: 2 }));
  expect(Object.getPrototypeOf(send(alike))).toBe(Known.prototype);
  expect(() => send(other)).toThrow(
    /this cannot be sent to another thread: its class, Other, extends Known and is made inside a function or an expression/,
  );
  expect(() => send(hiding)).toThrow(/its class, Hiding, extends Known/);
  expect(send(new Known())).toBeInstanceOf(Known);
  expect(roundTrip(alike)).toEqual({ x: 1, y: 2 });
});

test("what a decorator puts in a class's place keeps that class's private fields, and neither constructor runs", () => {
  let constructed = 0;
  class Written {
    #secret = revival.active ? 0 : 2;
    constructor() {
      if (revival.active) return;
      this.#secret = 7;
    }
    get secret(): number {
      return this.#secret;
    }
    static accessors = { get: (o: Written) => [o.#secret], set: (o: Written, v: unknown[]) => void (o.#secret = v[0] as number) };
  }
  class Given extends Written {
    constructor() {
      super();
      constructed++;
    }
  }
  const value = new Given();
  // Standard decorators: the static block knows what was given. Legacy ones: it comes first, and a statement follows.
  for (const register of [
    () => registerClass(Given, "foreign#Decorated", Written.accessors, "program", null),
    () => {
      registerClass(Written, "foreign#Decorated2", Written.accessors, "program", null);
      registerClass(Given, "foreign#Decorated2");
    },
  ]) {
    register();
    constructed = 0;
    const copy = roundTrip(value);
    expect(copy).toBeInstanceOf(Given);
    expect((copy as Given).secret).toBe(7);
    expect(constructed).toBe(0);
  }
});

test("foreign bases without hidden state travel", () => {
  const Emitter = registered(
    class Emitter extends EventEmitter {
      own = 1;
    },
  );
  const copy = roundTrip(new Emitter());
  expect([copy.own, copy.emit("nothing"), copy instanceof Emitter]).toEqual([1, false, true]);
  class HttpError extends Error {
    status = 404;
  }
  const NotFound = registered(class NotFound extends HttpError {});
  const error = roundTrip(new NotFound("no", { cause: 1 }));
  expect([error.message, error.status, error.cause, error instanceof NotFound]).toEqual(["no", 404, 1, true]);
});

test("an error whose package keeps private state arrives by its name, message and stack", () => {
  class Coded extends Error {
    #code = 3;
    get code(): number {
      return this.#code;
    }
  }
  const Failure = registered(
    class Failure extends Coded {
      override name = "Failure";
      hint = "h";
    },
  );
  const thrown = new Failure("broken");
  const error = roundTripError(thrown);
  expect([error instanceof Error, error.name, error.message, error.hint, error.stack]).toEqual([
    true,
    "Failure",
    "broken",
    "h",
    thrown.stack,
  ]);
});

test.each<[string, string[]]>([
  ["class A { #a = 1; #b; static #c = 2; static get #d() { return 1; } }", ["#a", "#b"]],
  ["class A{#a=1;static#c=2;get#d(){return this.#a}async*#e(){}}", ["#a", "#d", "#e"]],
  ["class A { x = #a in y; z = this.#b; m(o) { return #c in o || o.#d; } }", []],
  [
    "class A extends f({ x: 1 }) { t = '#no'; /* #no */ r = /#no[/]#no/; s = `#no ${{ a: `#no` }} #no`; // #no\n #yes\n other() {} }",
    ["#yes"],
  ],
  ["class A { constructor(a = {}) { _A_x.set(this, void 0); } }", ["kept by _A_x.set(this)"]],
  ["class A { constructor() { __privateAdd(this, _x, 1); } }", ["kept by __privateAdd(this)"]],
  ["class A { constructor() { _classPrivateFieldInitSpec(this, _x, 1); } }", ["kept by _classPrivateFieldInitSpec(this)"]],
  ["class A { constructor() { _class_private_field_init(this, _x, {}); } }", ["kept by _class_private_field_init(this)"]],
  ["class A { constructor() { _A_instances.add(this); } }", ["kept by _A_instances.add(this)"]],
  ["function A() { state.set(this, 1); }", ["kept by state.set(this)"]],
  ["class A { constructor() { all.set(this.id, this); all.add(this); } cached() { cache.set(this, 1); } }", []],
])("private state in the text %s", (text, found) => {
  expect(privateStateOf(text)).toEqual(found);
});
