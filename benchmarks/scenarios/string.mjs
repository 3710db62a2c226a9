import { ours, peers, ratio } from "../lib/libraries.mjs";
import { medianTime } from "../lib/statistics.mjs";

export default {
  id: "string",
  title: "a string of 1 MB, there and back, one at a time",
  unit: "µs an echo",
  libraries: [ours, ...peers],
  async measure({ open, quick }) {
    const pool = await open(2);
    const echo = pool.task("echo");
    let text = "";
    for (let i = 0; text.length < 1_048_576; i++) text += `line ${i} of a text that is sent\n`;
    text = Buffer.from(text).toString("latin1"); // flat, as a string that was read from somewhere is
    const one = async () => {
      const result = await echo(text);
      if (result.length !== text.length) throw new Error("wrong result");
    };
    return medianTime(one, quick ? { warmUp: 10, samples: 30 } : { warmUp: 50, samples: 200 });
  },
  aim: { text: "no aim set", value: ratio, show: (x) => `${x.toFixed(1)}x` },
};
