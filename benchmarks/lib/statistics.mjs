/** Middle value; of an even number of them, the mean of the two in the middle. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** A generator of numbers in [0, 1) that gives the same ones for the same seed (mulberry32). */
export function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A shuffled copy (Fisher and Yates). */
export function shuffled(items, random) {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}

/** Warm-up lasts at least this long, in ms: every library's workers have started by then, and V8 has optimised what is hot. */
export const WARM_UP_MS = 1000;

/**
 * Runs `action` to warm up, `warmUp` times and for a second at least, then `samples` times.
 * @returns the median duration in µs
 */
export async function medianTime(action, { warmUp, samples }) {
  const until = performance.now() + WARM_UP_MS;
  for (let i = 0; i < warmUp || performance.now() < until; i++) await action();
  const values = [];
  for (let i = 0; i < samples; i++) {
    const start = performance.now();
    await action();
    values.push((performance.now() - start) * 1000);
  }
  return median(values);
}
