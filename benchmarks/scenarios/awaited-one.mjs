import { ours, peers, ratio } from "../lib/libraries.mjs";
import { medianTime } from "../lib/statistics.mjs";

const calls = 2_000;

export default {
  id: "awaited-one",
  title: "awaited, one at a time",
  unit: "µs a task",
  libraries: [ours, ...peers],
  async measure({ open, quick }) {
    const pool = await open(2);
    const add = pool.task("add");
    const batch = async () => {
      for (let i = 0; i < calls; i++) if ((await add(i)) !== i + 1) throw new Error("wrong result");
    };
    return (await medianTime(batch, quick ? { warmUp: 1, samples: 2 } : { warmUp: 2, samples: 7 })) / calls;
  },
  aim: { text: "≥ 10x the best peer", value: ratio, met: (x) => x >= 10, show: (x) => `${x.toFixed(1)}x` },
};
