/** Random rounds on each backend for half a minute, and what tells a wrong outcome from a right one. */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { threaded } from "../support/backends";
import { ROOT } from "../support/chunks";

const RUN = path.join(ROOT, "tests", "stress", "run.mjs");

function stress(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [RUN, ...args], {
    encoding: "utf8",
    env: { ...process.env, NODE_OPTIONS: "" },
  });
  return { status, output: stdout + stderr };
}

// The native backend's protocol is not in JavaScript: loom and the sanitizers look at that.
const ways = threaded.flatMap((backend) =>
  backend === "native"
    ? [{ way: "the native backend", backend, seconds: "28", more: [] }]
    : [
        { way: "the typescript backend", backend, seconds: "16", more: [] },
        { way: "the typescript backend, whose threads stop at random,", backend, seconds: "12", more: ["--perturb", "0.01"] },
      ],
);

// Another seed by hand: STRESS_SEED=7 npx jest tests/stress
test.each(ways)(
  "every outcome on $way is one that may be",
  ({ backend, seconds, more }) => {
    const { status, output } = stress(
      "--seed",
      process.env["STRESS_SEED"] ?? "20",
      "--seconds",
      process.env["STRESS_SECONDS"] ?? seconds,
      "--backend",
      backend,
      ...more,
    );
    if (status !== 0) throw new Error(output);
    expect(output).toMatch(/\d+ rounds of \d+ tasks/);
  },
  600_000,
);
