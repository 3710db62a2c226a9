import { ours, peers, ratio } from "../lib/libraries.mjs";
import { medianTime } from "../lib/statistics.mjs";

const batchSize = 200;

export default {
  id: "records",
  title: "100 records of 7 fields, there and back",
  unit: "µs an echo",
  libraries: [ours, ...peers],
  async measure({ open, quick }) {
    const pool = await open(2);
    const echo = pool.task("echo");
    const records = Array.from({ length: 100 }, (_, i) => ({
      id: i,
      name: `customer ${i}`,
      email: `customer${i}@example.org`,
      active: i % 3 === 0,
      balance: i * 1.25,
      tags: ["new", "paid"],
      created: new Date(1_700_000_000_000 + i * 1_000),
    }));
    const batch = async () => {
      const pending = [];
      for (let i = 0; i < batchSize; i++) pending.push(echo(records));
      const results = await Promise.all(pending);
      if (results[batchSize - 1][99].email !== records[99].email) throw new Error("wrong result");
    };
    return (await medianTime(batch, quick ? { warmUp: 1, samples: 2 } : { warmUp: 3, samples: 7 })) / batchSize;
  },
  aim: { text: "no aim set", value: ratio, show: (x) => `${x.toFixed(1)}x` },
};
