import { gather } from "makeparallel";

/**
 * The n-th Fibonacci number. The tag makes each call run on another core; the type stays what it is.
 *
 * @parallel
 */
export async function fibonacci(n: number): Promise<bigint> {
  let a = 0n;
  let b = 1n;
  for (let i = 0; i < n; i++) [a, b] = [b, a + b];
  return a;
}

/** Four times fibonacci(50,000): 10,450 digits each. */
export async function fourFibonaccis(): Promise<string> {
  const results = await gather([fibonacci(50_000), fibonacci(50_000), fibonacci(50_000), fibonacci(50_000)]);
  const digits = results.map((result) => result.toString());
  return `${digits.map((d) => d.length).join(", ")} digits, all equal: ${new Set(digits).size === 1}, ends with ${digits[0]?.slice(-12)}`;
}
