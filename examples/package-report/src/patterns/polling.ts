import { setTimeout as sleep } from "node:timers/promises";
import { parallel, reportProgress } from "makeparallel";

/** How many primes there are below `limit`, by a sieve, with its progress. */
const countPrimes = parallel((limit: number) => {
  const composite = new Uint8Array(limit);
  let count = 0;
  for (let i = 2; i < limit; i++) {
    if (i % 1_000_000 === 0) reportProgress(i / limit);
    if (composite[i]) continue;
    count++;
    for (let multiple = i * i; multiple < limit; multiple += i) composite[multiple] = 1;
  }
  return count;
});

/** Asks now and then whether the result is there, and goes on with other work while it is not. */
export async function polling(): Promise<string> {
  const handle = countPrimes(20_000_000);
  let looks = 0;
  while (!handle.isReady()) {
    looks++;
    await sleep(5); // the program's other work
  }
  return `${handle.tryGet()} primes below 20,000,000, not ready at ${looks > 0 ? "the first looks" : "no look"}, status ${handle.status}`;
}
