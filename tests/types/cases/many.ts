import { AsyncHandle, asCompleted, gather, handleOf, parallel, scope, Scope, type Settled, waitAny } from "makeparallel";
import { is } from "./_same.js";

const length = parallel((text: string) => text.length);
const upper = parallel(async (text: string) => text.toUpperCase());

// gather
is<[number, string]>()(await gather([length("a"), upper("b")]));
is<number[]>()(await gather(["a", "b"].map((text) => length(text))));
is<number[]>()(await gather(new Set([length("a")])));
is<[PromiseSettledResult<number>, PromiseSettledResult<string>]>()(await gather([length("a"), upper("b")], { onError: "settle" }));
is<Settled<number>[]>()(await gather(new Set([length("a")]), { onError: "settle" }));
is<number[]>()(await gather([length("a"), length("b")], { onError: "skip" }));
is<(number | string)[]>()(await gather([length("a"), upper("b")], { onError: "skip" }));
is<[number, string]>()(await gather([length("a"), upper("b")], { onError: "throw" }));
is<[]>()(await gather([]));
declare const mode: "throw" | "skip";
is<number[]>()(await gather([length("a")], { onError: mode }));
// rejected: No overload matches this call
gather([length("a")], { onError: "ignore" });
// rejected: No overload matches this call
gather([1, 2]);

// asCompleted
for await (const result of asCompleted([length("a"), length("b")])) is<number>()(result);
for await (const result of asCompleted([length("a"), upper("b")])) is<number | string>()(result);
// rejected: is not assignable to
asCompleted([1]);

// waitAny
const { ready, pending } = await waitAny([length("a"), length("b")], { count: 1, timeout: 100 });
is<AsyncHandle<number>[]>()(ready);
is<AsyncHandle<number>[]>()(pending);
const mixed = await waitAny([length("a"), upper("b")]);
is<(AsyncHandle<number> | AsyncHandle<string>)[]>()(mixed.ready);
// rejected: 'number' does not exist in type
waitAny([length("a")], { number: 1 });

// scope
is<string>()(
  await scope(async (s) => {
    is<Scope>()(s);
    is<AsyncHandle<number>>()(s.add(length("a")));
    is<AsyncHandle<number>>()(s.run(length, "a"));
    s.run(length, AsyncHandle.of("a"));
    // rejected: is not assignable to
    s.run(length, 1);
    return "x";
  }),
);
{
  await using s = scope();
  s.add(upper("a"));
}

// handles
declare function declared(n: number): Promise<number>;
is<AsyncHandle<number>>()(handleOf(declared(1)));
const handle = length("a");
const promise: Promise<number> = handle;
void promise;
is<"waiting" | "queued" | "running" | "fulfilled" | "rejected" | "cancelled">()(handle.status);
is<AsyncHandle<number>>()(
  handle
    .onProgress((fraction) => is<number>()(fraction))
    .onComplete((value) => is<number>()(value))
    .onError((error) => is<unknown>()(error)),
);
is<Promise<string>>()(handle.then((n) => String(n)));
is<Promise<number | null>>()(handle.catch(() => null));
is<boolean>()(handle.cancel("late"));
is<boolean>()(handle.wait(10));
is<AsyncHandle<{ a: number }>>()(AsyncHandle.of({ a: 1 }));
// rejected: Constructor of class 'AsyncHandle<R>' is private
new AsyncHandle();
