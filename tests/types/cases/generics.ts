import { AsyncHandle, parallel, type ParallelFunction } from "makeparallel";
import { is } from "./_same.js";

// TypeScript carries type parameters only into plain function types; in a wrapper they become their constraints, which is less, but true.
const first = parallel(<T extends { id: string }>(items: T[]) => items[0]);
is<AsyncHandle<{ id: string } | undefined>>()(first([{ id: "a" }]));
// rejected: Type 'number' is not assignable to type 'string'
first([{ id: 1 }]);

const table = { a: 1, b: "x" };
const look = parallel(<K extends keyof typeof table>(name: K, times: number) => `${name}${times}`);
is<ParallelFunction<[name: "a" | "b", times: number], string>>()(look);
const lookUp = parallel({ name: "look" }, <K extends keyof typeof table>(name: K) => table[name]);
is<AsyncHandle<number | string>>()(lookUp("a"));
const withDefault = parallel(<T extends string>(name: T, times = 2) => name.repeat(times));
is<AsyncHandle<string>>()(withDefault("a"));
is<AsyncHandle<string>>()(withDefault("a", 3));

// Who wants them says so; the cast is checked.
const typed = parallel(<T>(items: T[]) => items.length) as <T>(items: T[]) => AsyncHandle<number>;
is<AsyncHandle<number>>()(typed([1]));

// A tagged declaration keeps its own type parameters.
/** @parallel */
export async function pick<T, K extends keyof T>(value: T, key: K): Promise<T[K]> {
  return value[key];
}
is<Promise<number>>()(pick({ a: 1, b: "" }, "a"));

// Inside a generic function, what depends on its parameters stays usable.
export function scaler<T extends number>(factor: T) {
  const scale = parallel((n: T) => [n * factor, n] as const);
  const handle: AsyncHandle<readonly [number, T]> = scale(factor);
  void scale.with({ timeout: 1 });
  return handle;
}
export async function through<T>(value: T): Promise<Awaited<T>> {
  const same = parallel((x: T) => x);
  return await same.with({ priority: 1 })(value as T);
}

export function each<A extends unknown[], R>(f: ParallelFunction<A, R>, ...args: A): AsyncHandle<Awaited<R>> {
  return f.with({ timeout: 1 })(...(args as never));
}
is<AsyncHandle<number>>()(
  each(
    parallel((a: number, b: string) => a + b.length),
    1,
    "",
  ),
);

// The last overload is the one that inference sees, as everywhere in TypeScript.
declare function overloaded(x: string): string;
declare function overloaded(x: number): number;
const last = parallel(overloaded);
is<ParallelFunction<[x: number], number>>()(last);
/** @parallel */
export async function both(x: string): Promise<string>;
export async function both(x: number): Promise<number>;
export async function both(x: string | number): Promise<string | number> {
  return x;
}
is<Promise<string>>()(both(""));
