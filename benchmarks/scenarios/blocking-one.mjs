import { ours, ratio } from "../lib/libraries.mjs";
import { medianTime } from "../lib/statistics.mjs";

const calls = 2_000;

export default {
  id: "blocking-one",
  title: "blocking, one at a time",
  unit: "µs a task",
  libraries: [ours, "synckit"],
  async measure({ open, quick }) {
    const pool = await open(2);
    const add = pool.blocking("add");
    const batch = () => {
      for (let i = 0; i < calls; i++) if (add(i) !== i + 1) throw new Error("wrong result");
    };
    return (await medianTime(batch, quick ? { warmUp: 1, samples: 2 } : { warmUp: 2, samples: 7 })) / calls;
  },
  aim: { text: "≥ 80x synckit", value: ratio, met: (x) => x >= 80, show: (x) => `${x.toFixed(1)}x` },
};
