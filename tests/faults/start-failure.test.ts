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
});
