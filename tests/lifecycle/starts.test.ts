/** The pauses between attempts to start workers. */

import { Starts } from "../../dist/runtime-ts/src/pool/starts";

test("a pause is over when its end is told: there is no other attempt", async () => {
  // Timers count whole milliseconds from where one has begun, the clock does not: so many begin at all parts of one.
  const pauses = Array.from({ length: 400 }, () => {
    const end = performance.now() + 0.01;
    while (performance.now() < end);
    return new Promise<boolean>((resolve) => {
      const starts = new Starts(
        () => 0,
        () => resolve(starts.paused),
      );
      starts.failed(1, true);
      expect(starts.paused).toBe(true);
    });
  });
  // A pause keeps no program alive.
  const alive = setInterval(() => {}, 1_000);
  const still = await Promise.all(pauses);
  clearInterval(alive);
  expect(still.filter(Boolean)).toEqual([]);
});
