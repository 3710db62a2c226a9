/** Errors keep their class, cause and own properties; whatever is thrown arrives as something. */
import { runInNewContext } from "node:vm";
import { readFileSync } from "node:fs";
import { registerClass } from "../../dist/runtime-ts/src/codec";
import * as errors from "../../dist/runtime-ts/src/errors";
import { roundTrip, roundTripError } from "./support";

test.each([Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError])("%p", (constructor) => {
  const source = Object.assign(new constructor("msg", { cause: { deep: [1] } }), { code: "E_X", detail: { a: 1 } });
  for (const copy of [roundTrip(source), roundTripError(source)]) {
    expect(Object.getPrototypeOf(copy)).toBe(constructor.prototype);
    expect([copy.message, copy.name, copy.stack, copy.cause, copy.code, copy.detail]).toEqual([
      "msg",
      constructor.name,
      source.stack,
      { deep: [1] },
      "E_X",
      { a: 1 },
    ]);
    expect(Object.keys(copy)).toEqual(["code", "detail"]);
    expect(Object.getOwnPropertyDescriptor(copy, "message")).toMatchObject({ enumerable: false, writable: true, configurable: true });
    expect(Object.getOwnPropertyDescriptor(copy, "cause")).toMatchObject({ enumerable: false });
    expect(Object.prototype.toString.call(copy)).toBe("[object Error]");
  }
});

const { SuppressedError } = globalThis as { SuppressedError?: new (error: unknown, suppressed: unknown, message?: string) => Error };

(SuppressedError === undefined ? test.skip : test)("SuppressedError", () => {
  const copy = roundTripError(new SuppressedError!(new TypeError("a"), 5, "both")) as Error & { error: Error; suppressed: unknown };
  expect(copy).toBeInstanceOf(SuppressedError);
  expect([copy.name, copy.message, copy.suppressed, copy.error.message]).toEqual(["SuppressedError", "both", 5, "a"]);
  expect(copy.error).toBeInstanceOf(TypeError);
});

test("causes nest 20,000 deep, also those of the project's classes", () => {
  class Wrapped extends RangeError {
    constructor(
      readonly level: number,
      cause: unknown,
    ) {
      super(`level ${level}`, { cause });
    }
  }
  registerClass(Wrapped, "errors#Wrapped");
  const made = [
    (level: number, cause: unknown) => new Wrapped(level, cause),
    (level: number, cause: unknown) => new errors.DependencyError(`level ${level}`, { task: "f", cause }),
    (level: number, cause: unknown) => new AggregateError([cause], `level ${level}`),
    (level: number, cause: unknown) => Object.assign(new SyntaxError(`level ${level}`), { from: cause }),
  ];
  let source: unknown = "first";
  const limit = Error.stackTraceLimit;
  // Their stacks would take most of the time.
  Error.stackTraceLimit = 0;
  for (let level = 0; level < 20_000; level++) source = made[level % made.length]!(level, source);
  Error.stackTraceLimit = limit;
  for (const copy of [roundTrip(source), roundTripError(source)]) {
    let at = copy as Error & { level: number; errors: unknown[]; from: unknown };
    for (let level = 19_999; level >= 0; level--) {
      const of = [Wrapped, errors.DependencyError, AggregateError, SyntaxError][level % made.length]!;
      if (Object.getPrototypeOf(at) !== of.prototype || at.message !== `level ${level}`)
        throw new Error(`wrong at ${level}: ${at.message}`);
      if (at instanceof Wrapped && at.level !== level) throw new Error(`wrong field at ${level}`);
      at = (at instanceof AggregateError ? at.errors[0] : at instanceof SyntaxError ? at.from : at.cause) as typeof at;
    }
    expect(at).toBe("first");
  }
});

test("AggregateError, and errors that refer to each other", () => {
  const source = new AggregateError([new TypeError("a"), 5], "all");
  source.cause = source;
  const copy = roundTrip(source);
  expect(copy).toBeInstanceOf(AggregateError);
  expect(copy.errors[0]).toBeInstanceOf(TypeError);
  expect(copy.errors[1]).toBe(5);
  expect(copy.cause).toBe(copy);
});

test("DOMException", () => {
  const source = Object.assign(new DOMException("stop", "AbortError"), { url: "/users", tries: 3 });
  const copy = roundTrip({ source }).source;
  expect(copy).toBeInstanceOf(DOMException);
  expect([copy.name, copy.message, copy.code, copy.stack]).toEqual(["AbortError", "stop", 20, source.stack]);
  expect([copy.url, copy.tries]).toEqual(["/users", 3]);
});

test("a changed or missing message, name and stack", () => {
  const named = Object.assign(new TypeError("x"), { name: "HttpError" });
  expect(roundTrip(named).name).toBe("HttpError");
  expect(roundTrip(named)).toBeInstanceOf(TypeError);
  const bare = new Error();
  expect(Object.prototype.hasOwnProperty.call(roundTrip(bare), "message")).toBe(false);
  bare.stack = undefined;
  expect(roundTrip(bare).stack).toBeUndefined();
});

test("what a field or an assignment has made enumerable stays so", () => {
  class FormError extends Error {
    override name = "FormError";
    override cause = { form: 1 };
    errors = ["a", "b"];
  }
  registerClass(FormError, "errors#FormError");
  const source = Object.assign(new FormError("x"), { message: "changed" });
  const described = (error: object): unknown => Object.entries(Object.getOwnPropertyDescriptors(error)).filter(([key]) => key !== "stack");
  for (const copy of [roundTrip(source), roundTripError(source), roundTripError(Object.assign(source, { refused: () => 1 }))]) {
    expect(copy).toBeInstanceOf(FormError);
    expect(Object.keys(copy).sort()).toEqual(["cause", "errors", "name"]);
    expect(JSON.stringify(copy.errors)).toBe('["a","b"]');
  }
  delete (source as { refused?: unknown }).refused;
  expect(described(roundTrip(source))).toEqual(described(source));
});

test("an enumerable message stays so, and what has no message of its own gets none", () => {
  class Fielded extends Error {
    override message = "field";
  }
  class Described extends Error {
    readonly code: number = 5;
    override get message(): string {
      return `described ${this.code}`;
    }
  }
  class Silent extends Error {
    readonly tag: string = "Silent";
  }
  class KnownFielded extends Fielded {}
  class KnownDescribed extends Described {}
  class KnownSilent extends Silent {}
  for (const known of [KnownFielded, KnownDescribed, KnownSilent]) registerClass(known, `errors#${known.name}`);
  const declared = (error: Error): unknown => {
    const own = Object.getOwnPropertyDescriptor(error, "message");
    return own && [own.value, own.enumerable];
  };
  const refused = { refused: () => 1 };
  const sourcesOf = (make: () => Error): [Error, Error][] => {
    const [plain, partly] = [make(), Object.assign(make(), refused)];
    return [
      [plain, roundTrip(plain)],
      [plain, roundTripError(plain) as Error],
      [partly, roundTripError(partly) as Error],
    ];
  };
  const assigned = (): Error => Object.assign(new Error(), { message: "assigned" });
  for (const make of [assigned, () => new Fielded(), () => new KnownFielded(), () => new Error("usual"), () => new Error()]) {
    for (const [source, copy] of sourcesOf(make)) {
      expect(declared(copy)).toEqual(declared(source));
      expect(Object.keys(copy)).toEqual(Object.keys(source).filter((key) => key !== "refused"));
    }
  }
  for (const make of [() => new Silent(), () => new KnownSilent(), () => new KnownDescribed()])
    for (const [, copy] of sourcesOf(make)) expect(declared(copy)).toBeUndefined();
  for (const [, copy] of sourcesOf(() => new KnownDescribed())) expect(copy.message).toBe("described 5");
  // The class that describes it stays behind: its message comes along, as its name would.
  for (const [, copy] of sourcesOf(() => new Described())) expect(declared(copy)).toEqual(["described 5", false]);
});

test("what is not enumerable comes along as far as it can", () => {
  const hide = (error: Error, values: Record<string, unknown>): Error => {
    for (const [key, value] of Object.entries(values)) Object.defineProperty(error, key, { value, configurable: true, writable: true });
    return error;
  };
  const other = hide(new Error("other"), { code: 5 });
  const source = hide(new TypeError("x"), { issues: [{ path: ["a"] }], internals: { make: () => 1 }, toString: () => "", other });
  hide(other, { back: source });
  for (const copy of [roundTrip(source), roundTripError(source)] as (Error & {
    issues: unknown;
    other: Error & { code: number; back: Error };
  })[]) {
    expect(copy.issues).toEqual([{ path: ["a"] }]);
    expect(Object.keys(copy)).toEqual([]);
    expect(Object.getOwnPropertyNames(copy).sort()).toEqual(["issues", "message", "other", "stack"]);
    expect(copy.other.code).toBe(5);
    expect(copy.other.back).toBe(copy);
  }
  // One property that can't cross takes no other along, seen or not.
  const partly = roundTripError(Object.assign(source, { refused: () => 1 })) as Error & { issues: unknown };
  expect(partly.issues).toEqual([{ path: ["a"] }]);
  expect(partly).not.toHaveProperty("refused");
});

test("of what an error holds, the parts that cannot cross stay behind, and nothing else", () => {
  class Socket {
    readonly write = (): void => {};
  }
  const request: Record<string, unknown> = { url: "/a", transform: [() => 1], agent: new Socket() };
  request.self = request;
  const issues = [
    { message: "too big", requirement: (n: number) => n < 10 },
    { message: "no text", path: ["a"] },
  ];
  const copy = roundTripError(Object.assign(new Error("bad"), { issues, request, socket: new Socket(), hooks: { end: () => 1 } }));
  expect(copy.issues).toEqual([{ message: "too big" }, { message: "no text", path: ["a"] }]);
  expect(copy.request).toEqual({ url: "/a" });
  expect(Object.keys(copy)).toEqual(["issues", "request"]);
});

test("an unregistered subclass becomes the nearest built-in and keeps its name", () => {
  class HttpError extends RangeError {
    override name = "HttpError";
    status = 404;
  }
  const copy = roundTrip(new HttpError("gone")) as HttpError;
  expect(Object.getPrototypeOf(copy)).toBe(RangeError.prototype);
  expect([copy.name, copy.status, copy.message]).toEqual(["HttpError", 404, "gone"]);
});

test("a registered subclass is revived without running its constructor", () => {
  class QueryError extends Error {
    constructor(readonly query: string) {
      super(`bad query ${query.length}`);
    }
    get short(): string {
      return this.query.slice(0, 3);
    }
  }
  registerClass(QueryError, "errors#QueryError");
  const copy = roundTripError(new QueryError("select"));
  expect(copy).toBeInstanceOf(QueryError);
  expect([copy.message, copy.short, copy.query]).toEqual(["bad query 6", "sel", "select"]);
});

test("makeparallel's own errors revive as themselves", () => {
  const sources = [
    new errors.TimeoutError("t", { task: "f" }),
    new errors.CancelledError("c", { cause: "why" }),
    new errors.WorkerCrashedError("w", { exitCode: 3 }),
    new errors.DependencyError("d", { cause: new TypeError("inner") }),
    new errors.TransferError("x", { path: "args[0].f" }),
    new errors.ChunkError("k"),
  ];
  for (const source of sources) {
    const copy = roundTripError(source);
    expect(Object.getPrototypeOf(copy)).toBe(Object.getPrototypeOf(source));
    expect({ ...copy, name: copy.name, message: copy.message }).toEqual({ ...source, name: source.name, message: source.message });
    expect(copy.cause).toEqual(source.cause);
  }
});

test("system errors and errors of another realm", () => {
  const system = (() => {
    try {
      return readFileSync("/no/such/file");
    } catch (error) {
      return error;
    }
  })();
  expect(roundTripError(system)).toMatchObject({ code: "ENOENT", syscall: "open", path: "/no/such/file" });
  const foreign = runInNewContext("Object.assign(new TypeError('far'), { code: 7 })") as Error;
  const copy = roundTripError(foreign);
  expect(copy).toBeInstanceOf(TypeError);
  expect(copy).toMatchObject({ message: "far", code: 7 });
});

describe("thrown values that cannot cross", () => {
  test.each<[string, unknown, RegExp]>([
    ["a function", function foo() {}, /threw a function \(foo\).*could not be carried/],
    ["a symbol", Symbol("sym"), /threw Symbol\(sym\)/],
    ["an object with a closure", { a: 1, f() {} }, /threw an Object.*error\.f/],
    ["a promise", Promise.resolve(), /threw a Promise/],
    [
      "a revoked proxy",
      (() => {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        return proxy;
      })(),
      /could not be carried/,
    ],
    [
      "an object whose getter throws",
      {
        get x(): never {
          throw new Error("from getter");
        },
      },
      /from getter/,
    ],
    [
      "an object whose getter throws nothing",
      {
        get x(): never {
          throw undefined;
        },
      },
      /could not be carried/,
    ],
  ])("%s", (_, thrown, message) => {
    const copy = roundTripError(thrown);
    expect(copy).toBeInstanceOf(Error);
    expect(copy.message).toMatch(message);
  });

  test("values that can cross stay what they are", () => {
    for (const thrown of [undefined, null, 0, "text", { code: 1 }, [1]]) expect(roundTripError(thrown)).toEqual(thrown);
  });

  test("an error keeps what can cross", () => {
    const source = Object.assign(new TypeError("msg", { cause: Object.assign(new RangeError("inner"), { g() {} }) }), {
      ok: { a: 1 },
      f() {},
      port: Symbol(),
    });
    const copy = roundTripError(source);
    expect(Object.getPrototypeOf(copy)).toBe(TypeError.prototype);
    expect([copy.message, copy.stack, copy.ok]).toEqual(["msg", source.stack, { a: 1 }]);
    expect(Object.keys(copy)).toEqual(["ok"]);
    expect(copy.cause).toBeInstanceOf(RangeError);
    expect(copy.cause.message).toBe("inner");
    expect(roundTripError(new Error("e", { cause: () => 1 })).cause.message).toMatch(/function/);
    expect(roundTripError(new AggregateError([1, () => 1], "m")).errors[0]).toBe(1);
  });

  test("hostile errors", () => {
    const message = Object.defineProperty(new Error("x"), "message", {
      get() {
        throw new Error("no message");
      },
      enumerable: true,
    });
    const stack = Object.defineProperty(new Error("y"), "stack", {
      get() {
        throw new Error("no stack");
      },
    });
    const name = Object.defineProperty(new Error("z"), "name", {
      get() {
        throw new Error("no name");
      },
    });
    expect(roundTripError(message)).toBeInstanceOf(Error);
    expect(roundTripError(stack).message).toBe("y");
    expect(roundTripError(name).message).toBe("z");
  });

  test("a chain of causes too long for the stack", () => {
    let error: unknown = new Error("first");
    for (let i = 0; i < 50_000; i++) error = new Error(`e${i}`, { cause: error });
    expect(roundTripError(error).message).toBe("e49999");
  });
});
