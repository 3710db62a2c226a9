import { ours, peers, ratio } from "../lib/libraries.mjs";
import { medianTime } from "../lib/statistics.mjs";

const inFlight = 10_000;

export default {
  id: "awaited-many",
  title: "awaited, 10,000 in flight",
  unit: "µs a task",
  libraries: [ours, ...peers],
  async measure({ open, quick }) {
    const pool = await open(2);
    const add = pool.task("add");
    const batch = async () => {
      const pending = [];
      for (let i = 0; i < inFlight; i++) pending.push(add(i));
      const results = await Promise.all(pending);
      if (results[inFlight - 1] !== inFlight) throw new Error("wrong result");
    };
    return (await medianTime(batch, quick ? { warmUp: 1, samples: 2 } : { warmUp: 3, samples: 7 })) / inFlight;
  },
  aim: { text: "≥ 30x the best peer", value: ratio, met: (x) => x >= 30, show: (x) => `${x.toFixed(1)}x` },
};
