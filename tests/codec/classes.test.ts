/** Instances of registered classes. The accessors and the revival checks are what the transformer writes into such classes. */
import { classById, decodeValue, encodeValue, onUnknownClass, registerClass, revival } from "../../dist/runtime-ts/src/codec";
import { newWriter, payloadOf, roundTrip } from "./support";

class Plain {
  static constructed = 0;
  constructor(
    public a: unknown,
    public b = 2,
  ) {
    Plain.constructed++;
  }
  get sum(): unknown {
    return `${this.a}+${this.b}`;
  }
}
registerClass(Plain, "t#Plain");

class Account {
  static constructed = 0;
  #balance = revival.active ? undefined : 100;
  #log: unknown[] | undefined = revival.active ? undefined : [];
  owner: unknown;
  constructor(owner: unknown) {
    if (revival.active) return;
    Account.constructed++;
    this.owner = owner;
    this.#log!.push(this);
  }
  deposit(n: number): this {
    this.#balance! += n;
    return this;
  }
  get balance(): number {
    return this.#balance!;
  }
  get log(): unknown[] {
    return this.#log!;
  }
  static accessors = {
    get: (o: Account) => [o.#balance, o.#log],
    set: (o: Account, [balance, log]: unknown[]) => void ((o.#balance = balance as number), (o.#log = log as unknown[])),
  };
}
registerClass(Account, "t#Account", Account.accessors);

class Middle extends Account {
  extra = revival.active ? undefined : "extra";
}
registerClass(Middle, "t#Middle");

class Savings extends Middle {
  #rate = revival.active ? undefined : 0.5;
  constructor(owner: unknown, rate: number) {
    super(owner);
    if (revival.active) return;
    this.#rate = rate;
  }
  get interest(): number {
    return this.balance * this.#rate!;
  }
  static savings = { get: (o: Savings) => [o.#rate], set: (o: Savings, v: unknown[]) => void (o.#rate = v[0] as number) };
}
registerClass(Savings, "t#Savings", Savings.savings);

test("prototype and fields are kept, the constructor does not run", () => {
  const before = Plain.constructed;
  const copy = roundTrip(new Plain({ x: 1 }));
  expect(copy).toBeInstanceOf(Plain);
  expect(Object.getPrototypeOf(copy)).toBe(Plain.prototype);
  expect({ ...copy }).toEqual({ a: { x: 1 }, b: 2 });
  expect(copy.sum).toBe("[object Object]+2");
  expect(Plain.constructed).toBe(before + 1);
});

test("private fields are kept, with cycles through them", () => {
  const account = new Account("me").deposit(5);
  const before = Account.constructed;
  const copy = roundTrip({ account, same: account });
  expect(copy.account).toBeInstanceOf(Account);
  expect(copy.same).toBe(copy.account);
  expect(copy.account.balance).toBe(105);
  expect(copy.account.owner).toBe("me");
  expect(copy.account.log[0]).toBe(copy.account);
  expect(Account.constructed).toBe(before);
  expect(revival.active).toBe(false);
});

test("private fields of every class of the chain are kept", () => {
  const copy = roundTrip(new Savings({ name: "you" }, 0.25).deposit(100));
  expect(copy).toBeInstanceOf(Savings);
  expect([copy.balance, copy.interest, copy.extra, copy.owner]).toEqual([200, 50, "extra", { name: "you" }]);
});

test("own properties do not run into accessors of the prototype", () => {
  const calls: string[] = [];
  class Guarded {
    get value(): unknown {
      return calls.push("get");
    }
    set value(_: unknown) {
      calls.push("set");
    }
  }
  registerClass(Guarded, "t#Guarded");
  const instance = Object.defineProperty(new Guarded(), "value", { value: 7, enumerable: true, writable: true, configurable: true });
  const copy = roundTrip([instance, instance, Object.assign(new Guarded(), {})]);
  expect(calls).toEqual([]);
  expect(Object.getOwnPropertyDescriptor(copy[0], "value")).toEqual({ value: 7, enumerable: true, writable: true, configurable: true });
  expect(Object.keys(copy[2]!)).toEqual([]);
});

test("subclasses of built-ins keep the built-in's content and their own", () => {
  const define = <T extends new (...args: any[]) => object>(constructor: T, id: string): T => {
    registerClass(constructor, id);
    return constructor;
  };
  const List = define(
    class List extends Array<unknown> {
      label = "l";
    },
    "t#List",
  );
  const Dictionary = define(
    class Dictionary extends Map<unknown, unknown> {
      label = "m";
    },
    "t#Dictionary",
  );
  const Bag = define(
    class Bag extends Set<unknown> {
      label = "s";
    },
    "t#Bag",
  );
  const Failure = define(
    class Failure extends RangeError {
      status = 5;
    },
    "t#Failure",
  );
  const Bytes = define(
    class Bytes extends Uint8Array {
      label = "b";
    },
    "t#Bytes",
  );
  const Moment = define(
    class Moment extends Date {
      zone = "z";
    },
    "t#Moment",
  );
  const Pattern = define(
    class Pattern extends RegExp {
      label = "r";
    },
    "t#Pattern",
  );
  const Memory = define(
    class Memory extends ArrayBuffer {
      label = "a";
    },
    "t#Memory",
  );
  const list = new List();
  list[0] = 1;
  list[2] = "x";
  list[3] = list;
  const values = {
    list,
    map: new Dictionary([["k", list]]),
    set: new Bag([1, 2]),
    error: new Failure("boom", { cause: 1 }),
    bytes: new Bytes([1, 2, 3]),
    moment: new Moment(77),
    pattern: new Pattern("a+", "g"),
    memory: new Memory(3),
  };
  const copy = roundTrip(values);
  for (const key of Object.keys(values) as (keyof typeof values)[]) {
    expect(Object.getPrototypeOf(copy[key])).toBe(Object.getPrototypeOf(values[key]));
  }
  expect(copy.list.length).toBe(4);
  expect(1 in copy.list).toBe(false);
  expect(copy.list[3]).toBe(copy.list);
  expect(copy.map.get("k")).toBe(copy.list);
  expect([...copy.set]).toEqual([1, 2]);
  expect([copy.error.message, copy.error.status, copy.error.cause, copy.error.stack]).toEqual(["boom", 5, 1, values.error.stack]);
  expect([...copy.bytes]).toEqual([1, 2, 3]);
  expect([copy.moment.getTime(), copy.moment.zone]).toEqual([77, "z"]);
  expect(["aa".match(copy.pattern)![0], copy.pattern.label]).toEqual(["aa", "r"]);
  expect([copy.memory.byteLength, copy.memory.label]).toEqual([3, "a"]);
  expect([copy.list.label, copy.map.label, copy.set.label, copy.bytes.label]).toEqual(["l", "m", "s", "b"]);
});

test("a subclass of a built-in with private fields", () => {
  class Counter extends Map<string, number> {
    #total: number | undefined = revival.active ? undefined : 0;
    add(key: string): this {
      this.#total!++;
      return this.set(key, (this.get(key) ?? 0) + 1);
    }
    get total(): number {
      return this.#total!;
    }
    static accessors = { get: (o: Counter) => [o.#total], set: (o: Counter, v: unknown[]) => void (o.#total = v[0] as number) };
  }
  registerClass(Counter, "t#Counter", Counter.accessors);
  const copy = roundTrip(new Counter().add("a").add("a").add("b"));
  expect([copy.total, [...copy]]).toEqual([
    3,
    [
      ["a", 2],
      ["b", 1],
    ],
  ]);
});

test("an unregistered subclass of a registered class becomes a plain object, as with structured clone", () => {
  class Unknown extends Plain {}
  const copy = roundTrip(new Unknown(1));
  expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
  expect(copy).toEqual({ a: 1, b: 2 });
});

test("an object that only pretends to extend a built-in is refused", () => {
  class Pretender extends Map {}
  registerClass(Pretender, "t#Pretender");
  expect(() => roundTrip(Object.create(Pretender.prototype))).toThrow(/not made by its constructor/);
});

test("an object without the private fields of its class is refused, with its place", () => {
  const pretender = Object.create(Account.prototype) as Account;
  expect(() => roundTrip({ deep: [pretender] })).toThrow(
    /deep\[0\] cannot be sent .*not made by its constructor \(Cannot read private member/,
  );
});

test("instances nest 100,000 deep", () => {
  let account: Account | undefined;
  for (let i = 0; i < 100_000; i++)
    account = i % 2 === 0 ? new Account(account) : (Object.assign(Object.create(Plain.prototype), { owner: account }) as Account);
  let copy: any = roundTrip(account);
  let count = 0;
  for (; copy !== undefined; copy = copy.owner) {
    if (copy instanceof Account && copy.log[0] !== copy) throw new Error(`wrong private field at ${count}`);
    count++;
  }
  expect(count).toBe(100_000);
});

test("instances of classes that extend built-in collections nest 20,000 deep", () => {
  class OwnMap extends Map<string, unknown> {}
  class OwnSet extends Set<unknown> {}
  class OwnArray extends Array<unknown> {}
  const classes = [OwnMap, OwnSet, OwnArray];
  classes.forEach((constructor) => registerClass(constructor, `t#${constructor.name}`));
  let source: unknown = "first";
  for (let i = 0; i < 20_000; i++)
    source = [() => new OwnMap([["k", source]]), () => new OwnSet([source]), () => OwnArray.of(source)][i % 3]!();
  let at: unknown = roundTrip(source);
  for (let i = 19_999; i >= 0; i--) {
    if (Object.getPrototypeOf(at) !== classes[i % 3]!.prototype) throw new Error(`wrong at ${i}`);
    at = [...(at as Iterable<unknown>)][0];
    if (i % 3 === 0) at = (at as [string, unknown])[1];
  }
  expect(at).toBe("first");
});

test("a class that is not registered here is asked for", () => {
  class Late {
    x = 1;
  }
  registerClass(Late, "t#Late-elsewhere");
  const writer = newWriter();
  encodeValue(writer, new Late());
  const payload = payloadOf(writer);
  const id = Buffer.from(payload.bytes.subarray(0, payload.end)).indexOf("t#Late-elsewhere");
  payload.bytes.set(Buffer.from("t#Late-anywhere!"), id);
  expect(() => decodeValue(payload)).toThrow(expect.objectContaining({ code: "MP_CHUNK" }));
  const asked: string[] = [];
  onUnknownClass((wanted) => {
    asked.push(wanted);
    return Late;
  });
  expect(decodeValue(payload)).toBeInstanceOf(Late);
  expect(decodeValue(payload)).toBeInstanceOf(Late);
  expect(asked).toEqual(["t#Late-anywhere!"]);
  expect(classById("t#Late-anywhere!")).toBe(Late);
  onUnknownClass(() => undefined);
});

test("an instance that can't be made does no harm to what comes after it", () => {
  class Impossible {
    constructor() {
      throw new Error("never");
    }
  }
  registerClass(Impossible, "t#Impossible", { get: () => [], set: () => undefined });
  const value = Object.create(Impossible.prototype) as Impossible;
  expect(() => roundTrip(value)).toThrow("never");
  expect(roundTrip(new Account("after")).owner).toBe("after");
});

test("frozen, sealed and non-extensible instances arrive as such", () => {
  class Money {
    #cents: number;
    self: unknown = revival.active ? undefined : this;
    constructor(cents: number) {
      if (revival.active) return;
      this.#cents = cents;
    }
    get cents(): number {
      return this.#cents;
    }
    static accessors = { get: (o: Money) => [o.#cents], set: (o: Money, v: unknown[]) => void (o.#cents = v[0] as number) };
  }
  registerClass(Money, "t#Money", Money.accessors);
  class Day extends Date {}
  registerClass(Day, "t#Day");
  class Failure extends Error {}
  registerClass(Failure, "t#Failure");
  const values = [
    Object.freeze(new Money(1)),
    Object.seal(new Money(2)),
    Object.preventExtensions(new Money(3)),
    new Money(4),
    Object.freeze(new Day(5)),
    // Its stack is added to.
    Object.freeze(new Failure("6")),
  ];
  const copies = roundTrip(values);
  const levels = (value: object): boolean[] => [Object.isExtensible(value), Object.isSealed(value), Object.isFrozen(value)];
  expect(copies.map(levels)).toEqual([...values.slice(0, -1).map(levels), [true, false, false]]);
  expect(copies.slice(0, 4).map((copy) => (copy as Money).self === copy && (copy as Money).cents)).toEqual([1, 2, 3, 4]);
});

describe("functions that fields hold", () => {
  class Button {
    #tag = (): string => `<${this.label}>`;
    click = (): string => `${this.#tag()} clicked`;
    handlers: Record<string, unknown> = { click: (): unknown => this, times: 2 };
    label: string;
    children: unknown[];
    constructor(label: string) {
      if (revival.active) return;
      this.label = label;
      this.children = [this.click];
    }
    static accessors = { get: (o: Button) => [o.#tag], set: (o: Button, v: unknown[]) => void (o.#tag = v[0] as () => string) };
  }
  registerClass(Button, "t#Button", Button.accessors);
  class BirthDate extends Date {
    format = (): string => `on ${this.getTime()}`;
  }
  registerClass(BirthDate, "t#BirthDate", { get: () => [], set: () => undefined });

  test("are the copy's own", () => {
    const button = new Button("ok");
    button.handlers.times = 3;
    const [copy, again] = roundTrip([button, button.click]) as [Button, unknown];
    expect([copy.click(), (copy.handlers.click as () => unknown)(), copy.handlers.times]).toEqual(["<ok> clicked", copy, 3]);
    expect(copy.click).not.toBe(button.click);
    expect([copy.children[0], again]).toEqual([copy.click, copy.click]);
    expect(roundTrip(new BirthDate(7)).format()).toBe("on 7");
  });

  test("another function in the place is refused, and one without its instance", () => {
    for (const other of [(): string => "else", Object.assign(new Button("x").click, { extra: 1 })]) {
      const button = Object.assign(new Button("ok"), { click: other, children: [] });
      expect(() => roundTrip(button)).toThrow("it is a function");
    }
    expect(() => roundTrip({ click: new Button("ok").click })).toThrow("it is a function");
    expect(() => roundTrip(Object.assign(new Button("ok"), { children: [new Button("other").click] }))).toThrow("it is a function");
  });

  test("nested beyond the depth from which instances are deferred", () => {
    let button = new Button("0");
    for (let n = 1; n < 1000; n++) {
      const outer = new Button(String(n));
      outer.children = [button];
      button = outer;
    }
    let copy = roundTrip(button);
    for (let n = 999; n > 0; n--, copy = copy.children[0] as Button) expect(copy.click()).toBe(`<${n}> clicked`);
  });

  test("a number that its instance has no function for is corrupt", () => {
    const writer = newWriter();
    const button = new Button("ok");
    button.children = [];
    encodeValue(writer, button);
    const payload = payloadOf(writer);
    // its tag, and the last of three: #tag
    const at = Buffer.from(payload.bytes).indexOf(Buffer.of(45, 2));
    expect(at).toBeGreaterThan(0);
    payload.bytes[at + 1] = 3;
    expect(() => decodeValue(payload)).toThrow(/corrupt payload.*not made with/);
  });
});
