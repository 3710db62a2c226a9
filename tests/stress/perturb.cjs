/**
 * Loaded into every thread before anything else (`node --require`): makes threads stop at random around their operations on shared memory, mostly for some µs, sometimes for ms. What goes
 * wrong only when another thread gets in between two of them, which is as good as never otherwise, then happens within minutes.
 *
 * `STRESS_PERTURB`: how likely a stop is, for loads, of which there are many more than of the rest, a fiftieth of that.
 */
"use strict";

const LIKELY = Number(process.env.STRESS_PERTURB ?? 0.01);
const LOADS = 50;
/** One stop of so many is a long one. */
const LONG = 20;
/** ms */
const LONGEST = 3;
const SHORT = 0.05;

// The clock as it is now: tests and tasks may replace the global one.
const now = performance.now.bind(performance);

function stop() {
  const ms = Math.random() * (Math.random() * LONG < 1 ? LONGEST : SHORT);
  for (const end = now() + ms; now() < end;);
}

for (const name of ["load", "store", "add", "sub", "or", "exchange", "compareExchange", "notify"]) {
  const operation = Atomics[name];
  const likely = name === "load" ? LIKELY / LOADS : LIKELY;
  Atomics[name] = (...operands) => {
    if (Math.random() < likely) stop();
    const result = operation(...operands);
    if (Math.random() < likely) stop();
    return result;
  };
}
