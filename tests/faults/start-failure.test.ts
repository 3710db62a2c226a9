import { types } from "node:util";
import { descriptorAdvice } from "../../runtime-ts/src/descriptors";
import { startFailure } from "../../runtime-ts/src/pool/start-failure";

describe("what is advised when no worker can be started", () => {
  test.each([
    ["EAGAIN", /no more threads.*ulimit -u/],
    ["Worker initialization failure: EMFILE", /no more files.*ulimit -n/],
    ["EMFILE: too many open files, open '/app/worker.js'", /no more files.*ulimit -n/],
    ["something else", /"env" and "resourceLimits"/],
  ])("%s", (message, advice) => {
    const cause = new Error(message);
    const failure = startFailure(cause);
    expect(failure.message).toMatch(advice);
    expect(failure.message.startsWith(message)).toBe(true);
    expect(failure.cause).toBe(cause);
  });

  test("what Node has rebuilt of a thread's error is one again, with its message", () => {
    const rebuilt = Object.create(RangeError.prototype, {
      message: { value: "no more", configurable: true },
      code: { value: "EMFILE", enumerable: true, configurable: true },
    }) as RangeError;
    const { cause } = startFailure(rebuilt);
    expect(types.isNativeError(cause)).toBe(true);
    expect(cause).toBeInstanceOf(RangeError);
    expect(cause).toMatchObject({ message: "no more", code: "EMFILE" });
  });
});

test.each([
  [new Error("EMFILE: too many open files, open '/app/chunk.cjs'"), true],
  [new Error("unreadable: Too many open files (os error 24)"), true],
  [new Error("ENFILE: file table overflow, open '/app/chunk.cjs'"), true],
  [new Error("unreadable: Too many open files in system (os error 23)"), true],
  [new Error("ENOENT: no such file or directory, open '/app/chunk.cjs'"), false],
  [undefined, false],
])("a file that could not be opened for want of descriptors: %s is %s", (error, lacking) => {
  expect(descriptorAdvice(error) !== undefined).toBe(lacking);
});
