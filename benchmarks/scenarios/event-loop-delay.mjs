import { monitorEventLoopDelay } from "node:perf_hooks";
import { ours, peers, ratio } from "../lib/libraries.mjs";
import { WARM_UP_MS } from "../lib/statistics.mjs";

/** Calls in flight, each of which makes the next when it ends. */
const inFlight = 200;
/** About a ms, so that the workers are busy all the time and the results are as many a second whatever a call costs. */
const rounds = 1_000_000;

export default {
  id: "event-loop-delay",
  title: "delay of the caller's event loop under full load, 99th percentile (timer of 1 ms)",
  unit: "ms",
  libraries: [ours, ...peers],
  async measure({ open, quick }) {
    const pool = await open(2);
    const spin = pool.task("spin");
    let loaded = true;
    const streams = Array.from({ length: inFlight }, async () => {
      while (loaded) await spin(rounds);
    });
    await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS));
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    await new Promise((resolve) => setTimeout(resolve, quick ? 1_000 : 4_000));
    delay.disable();
    loaded = false;
    await Promise.all(streams);
    return delay.percentile(99) / 1e6;
  },
  aim: { text: "reported beside piscina", value: ratio, show: (x) => `${x.toFixed(1)}x` },
};
