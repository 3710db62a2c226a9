import { best, isNative, ours, peers, ratio } from "../lib/libraries.mjs";
import { medianTime } from "../lib/statistics.mjs";

const million = 1_000_000;
const sample = 20_000;

/**
 * A cheap function over a million numbers. makeparallel's `map` takes the function of one number; the peers have no `map`, so they appear twice: with
 * a task for each number (on a sample, the full million would take them a minute), and in the form that their user would write by hand, a
 * function of an array and chunks of a size that suits it.
 */
export default {
  id: "map-million",
  title: "map over a million numbers",
  unit: "µs an item",
  libraries: [ours, ...peers],
  forms: (library) =>
    library === ours
      ? [{ form: "fn.map" }]
      : [
          { form: "a task a number, sample of 20,000" },
          { form: "hand-chunked by 1,000", chunk: 1_000 },
          { form: "hand-chunked by 10,000", chunk: 10_000 },
        ],
  async measure({ open, quick, library, form }) {
    const pool = await open(2);
    const numbers = Array.from({ length: million }, (_, i) => i);
    const repeats = quick ? { warmUp: 1, samples: 1 } : { warmUp: 2, samples: 5 };
    const check = (results, length) => {
      if (results.length !== length || results[length - 1] !== Math.sqrt(length - 1) * 2) throw new Error("wrong results");
    };

    if (library === ours) {
      const root = pool.task("root");
      return (await medianTime(async () => check(await root.map(numbers), million), repeats)) / million;
    }
    if (form.chunk === undefined) {
      const root = pool.task("root");
      const some = numbers.slice(0, sample);
      return (await medianTime(async () => check(await Promise.all(some.map((n) => root(n))), sample), repeats)) / sample;
    }
    const rootEach = pool.task("rootEach");
    const chunked = async () => {
      const chunks = [];
      for (let i = 0; i < million; i += form.chunk) chunks.push(rootEach(numbers.slice(i, i + form.chunk)));
      check((await Promise.all(chunks)).flat(), million);
    };
    return (await medianTime(chunked, repeats)) / million;
  },
  aim: {
    text: "≥ 500x the best peer that is given the same function of one number",
    value: (results) => ratio(results, (result) => result.library !== ours && result.form.startsWith("a task")),
    met: (x) => x >= 500,
    show: (x) => `${x.toFixed(0)}x`,
    note: (results) => {
      const native = best(results, isNative);
      const hand = best(results, (result) => result.form.startsWith("hand"));
      return native === undefined || hand === undefined ? undefined : `${(hand / native).toFixed(2)}x the best hand-chunked peer`;
    },
  },
};
