import { parallel } from "makeparallel";

const sumOfSquares = parallel((n: number) => {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += i * i;
  return sum;
});

/** Push, do something else, pull. */
export async function quickStart(): Promise<string> {
  const handle = sumOfSquares(10_000_000); // runs on another core from here on
  const meanwhile = sumOfSquares.local(1_000); // and this runs here
  const pulled = handle.get(); // blocks until it is there; `await handle` works as well
  const awaited = await sumOfSquares(1_000);
  return `pulled ${pulled.toExponential(6)}, awaited ${awaited} (the same here: ${meanwhile === awaited})`;
}
