import { setTimeout as sleep } from "node:timers/promises";
import { best, isNative, ours, peers } from "../lib/libraries.mjs";

const few = 2;
const many = 10;

/**
 * Resident memory of one idle worker: what a process with 10 workers, each of which has run a task, holds beyond one with 2, divided by 8. What the
 * library itself takes on the main thread cancels out.
 */
export default {
  id: "idle-memory",
  title: "memory of one idle worker",
  unit: "MB",
  libraries: [ours, "bare", ...peers],
  forms: () => [
    { form: "few", threads: few },
    { form: "many", threads: many },
  ],
  async measure({ open, library, form }) {
    const pool = await open(form.threads);
    if (library === "bare") {
      for (const worker of pool.workers) await pool.ask(worker, "ping");
    } else {
      if (library === ours) await pool.task("add").warm();
      const add = pool.task("add");
      for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: form.threads * 4 }, (_, n) => add(n)));
    }
    await sleep(500);
    return process.memoryUsage.rss() / 1e6;
  },
  /** One row for each pair of measurements. */
  derive(results) {
    return results
      .filter((result) => result.form === "few")
      .map((small) => {
        const large = results.find(
          (result) => result.library === small.library && result.variant === small.variant && result.form === "many",
        );
        const both = small.value !== undefined && large?.value !== undefined;
        return {
          ...small,
          form: "",
          value: both ? (large.value - small.value) / (many - few) : undefined,
          failures: [...small.failures, ...(large?.failures ?? [])],
        };
      });
  },
  aim: {
    text: "≤ 1 MB over a bare Worker",
    value: (results) => {
      const native = best(results, isNative);
      const bare = best(results, (result) => result.library === "bare");
      return native === undefined || bare === undefined ? undefined : native - bare;
    },
    met: (x) => x <= 1,
    show: (x) => `${x >= 0 ? "+" : ""}${x.toFixed(2)} MB`,
  },
};
