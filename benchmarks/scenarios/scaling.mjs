import { best, isNative, ours, peers } from "../lib/libraries.mjs";
import { median } from "../lib/statistics.mjs";

const tasks = 60;

export default {
  id: "scaling",
  title: "speed-up of arithmetic from 1 to 2 workers (60 tasks of some 10 ms)",
  unit: "times",
  higherIsBetter: true,
  libraries: [ours, ...peers],
  async measure({ open, quick }) {
    const times = { 1: [], 2: [] };
    for (let repeat = 0; repeat < (quick ? 1 : 3); repeat++) {
      for (const threads of [1, 2]) {
        const pool = await open(threads);
        const spin = pool.task("spin");
        await Promise.all(Array.from({ length: 8 }, () => spin(1_000_000)));
        const start = performance.now();
        await Promise.all(Array.from({ length: tasks }, () => spin(10_000_000)));
        times[threads].push(performance.now() - start);
        await pool.close();
      }
    }
    return median(times[1]) / median(times[2]);
  },
  aim: {
    text: "≥ 1.85 on 2 cores",
    value: (results) => best(results, isNative),
    met: (x) => x >= 1.85,
    show: (x) => `${x.toFixed(2)}x`,
  },
};
