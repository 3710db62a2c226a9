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

// Another seed by hand: STRESS_SEED=7 npx jest tests/stress
test.each(threaded)(
  "every outcome on the %s backend is one that may be",
  (backend) => {
    const { status, output } = stress(
      "--seed",
      process.env["STRESS_SEED"] ?? "20",
      "--seconds",
      process.env["STRESS_SECONDS"] ?? "28",
      "--backend",
      backend,
    );
    if (status !== 0) throw new Error(output);
    expect(output).toMatch(/\d+ rounds of \d+ tasks/);
  },
  600_000,
);
