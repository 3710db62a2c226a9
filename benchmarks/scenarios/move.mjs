import { best, ours, peers } from "../lib/libraries.mjs";
import { WARM_UP_MS, median } from "../lib/statistics.mjs";

const LARGE = 1_000_000;

/** A Float64Array handed over (not copied) to a task that reads one element of it. 8 MB should take no longer than 8 kB. */
export default {
  id: "move",
  title: "Float64Array moved into a task",
  unit: "µs a call",
  libraries: [ours, ...peers],
  forms: () => [
    { form: "8 MB", length: LARGE },
    { form: "8 kB", length: 1_000 },
  ],
  async measure({ open, quick, form }) {
    const pool = await open(2);
    const first = pool.move("first");
    let time = 0;
    const one = async (i) => {
      // Both forms make the large array, so that the calls come at the same distance: workers that have gone to sleep meanwhile cost the same.
      const large = new Float64Array(LARGE).fill(i);
      const array = form.length === LARGE ? large : large.slice(0, form.length);
      const start = performance.now();
      const result = await first(array);
      time = (performance.now() - start) * 1000;
      if (result !== i) throw new Error("wrong result");
      if (array.length !== 0) throw new Error("the array was copied, not moved");
    };
    const until = performance.now() + WARM_UP_MS;
    for (let i = 0; i < 20 || performance.now() < until; i++) await one(i);
    const times = [];
    for (let i = 0; i < (quick ? 50 : 300); i++) {
      await one(i);
      times.push(time);
    }
    return median(times);
  },
  aim: {
    text: "8 MB in constant time (≤ 1.5x the time of 8 kB, or ≤ 20 µs more)",
    value: (results) => {
      const native = (form) => best(results, (result) => result.library === ours && result.variant === "native" && result.form === form);
      const [large, small] = [native("8 MB"), native("8 kB")];
      return large === undefined || small === undefined ? undefined : { large, small };
    },
    met: ({ large, small }) => large <= small * 1.5 || large - small <= 20,
    show: ({ large, small }) => `${(large / small).toFixed(2)}x (${large.toFixed(1)} and ${small.toFixed(1)} µs)`,
  },
};
