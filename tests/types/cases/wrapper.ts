import { AsyncHandle, parallel, type ParallelFunction } from "makeparallel";
import { is } from "./_same.js";

const add = parallel((a: number, b: number) => a + b);
is<ParallelFunction<[a: number, b: number], number>>()(add);
is<AsyncHandle<number>>()(add(1, 2));
is<number>()(add(1, 2).get());
is<number | undefined>()(add(1, 2).tryGet());
is<number>()(await add(1, 2));
is<string>()(add.id);
is<Promise<void>>()(add.warm());
is<number>()(add.local(1, 2));

// Results
is<AsyncHandle<string>>()(parallel(async (n: number) => String(n))(1));
is<AsyncHandle<string>>()(parallel((n: number) => AsyncHandle.of(String(n)))(1));
is<AsyncHandle<string | number>>()(parallel(async (n: number) => (n > 0 ? n : Promise.resolve("no")))(1));
is<AsyncHandle<void>>()(parallel((n: number): void => void n)(1));
is<AsyncHandle<void>>()(parallel(async () => {})());
is<AsyncHandle<undefined>>()(parallel(() => undefined)());
is<AsyncHandle<any>>()(parallel((text: string) => JSON.parse(text))("1"));
is<AsyncHandle<unknown>>()(parallel((text: string): unknown => JSON.parse(text))("1"));
is<AsyncHandle<never>>()(
  parallel((): never => {
    throw new Error("always");
  })(),
);
is<AsyncHandle<boolean>>()(parallel((n: number) => n > 1)(1));
is<AsyncHandle<number[]>>()(parallel((items: number[]) => items.map((n) => n))([]));
is<AsyncHandle<IterableIterator<number>>>()(parallel((items: Set<number>): IterableIterator<number> => items.values())(new Set()));
// `local` gives what the function itself gives
is<Promise<number>>()(parallel(async (n: number) => n).local(1));

// Parameters
const rest = parallel((first: string, ...others: number[]) => first + others.length);
rest("a");
rest("a", 1, 2, 3);
const optional = parallel((a: number, b?: string, c: boolean = true) => `${a}${b}${c}`);
optional(1);
optional(1, "b");
optional(1, undefined, false);
const destructured = parallel(({ a, b }: { a: number; b: string }, [c]: [boolean]) => `${a}${b}${c}`);
destructured({ a: 1, b: "" }, [true]);
const inferred = parallel((a: number, b = 1, seen = new Set<string>(), ...rest: bigint[]) => (b > a ? "x" : "y") + seen.size + rest.length);
is<AsyncHandle<string>>()(inferred(1));
is<AsyncHandle<string>>()(inferred(1, undefined, new Set(["a"]), 1n));
const inferredWithOptions = parallel({ name: "scale" }, async function (x: number, factor = 2) {
  return x * factor;
});
is<AsyncHandle<number>>()(inferredWithOptions(1, 3));
const none = parallel(() => 1);
none();
// A parameter without a type takes the one that the place asks for.
const asked: ParallelFunction<[number], string> = parallel((n) => n.toFixed(2));
void asked;
const union = parallel((value: string | number | null) => value);
union(null);
declare function named(x: bigint): bigint;
const wrapped = parallel(named);
is<ParallelFunction<[x: bigint], bigint>>()(wrapped);

// A parallel function can stand where a function with a promise is asked for.
const asFunction: (a: number, b: number) => Promise<number> = add;
void asFunction;

// rejected: Argument of type 'string' is not assignable to parameter of type 'number | AsyncHandle<number>'
add("1", 2);
// rejected: Expected 2 arguments, but got 1
add(1);
// rejected: is not assignable to parameter of type 'number | AsyncHandle<number | undefined> | undefined'
inferred(1, "2");
// rejected: Expected 2 arguments, but got 3
add(1, 2, 3);
// rejected: Argument of type 'number' is not assignable to parameter of type 'string | AsyncHandle<string>'
rest(1);
// rejected: Type 'AsyncHandle<number>' is not assignable to type 'number'
export const notAwaited: number = add(1, 2);
// rejected: Property 'toFixed' does not exist on type 'AsyncHandle<number>'
add(1, 2).toFixed();
// rejected: Cannot assign to 'id' because it is a read-only property
add.id = "";
// rejected: No overload matches this call
parallel(42);
// rejected: No overload matches this call
parallel("text", () => 1);

// What the runtime keeps in a handle is nobody's business.
// rejected: Property '_settlement' does not exist
void AsyncHandle.of(1)._settlement;

// rejected: Property 'settle' does not exist
AsyncHandle.of(1).settle();

const wider: AsyncHandle<number | string> = AsyncHandle.of<number>(1);
// rejected: not assignable
const narrower: AsyncHandle<number> = wider;
void narrower;
