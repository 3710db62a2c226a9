import { ours, peers, ratio } from "../lib/libraries.mjs";

export default {
  id: "cold-start",
  title: "cold start: library imported, pool made, first result awaited",
  unit: "ms",
  libraries: [ours, ...peers],
  async measure({ open }) {
    const start = performance.now();
    const pool = await open(2);
    if ((await pool.task("add")(1)) !== 2) throw new Error("wrong result");
    return performance.now() - start;
  },
  aim: { text: "no aim set", value: ratio, show: (x) => `${x.toFixed(2)}x` },
};
