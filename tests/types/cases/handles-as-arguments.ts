import { AsyncHandle, parallel, type ParallelFunction } from "makeparallel";
import { is } from "./_same.js";

interface Doc {
  title: string;
}
const load = parallel((file: string): Doc => ({ title: file }));
const render = parallel((doc: Doc, scale?: number) => doc.title.repeat(scale ?? 1));
const total = parallel((...lengths: number[]) => lengths.length);
const either = parallel((value: string | number) => value);
const flag = parallel((on: boolean) => on);
const later = parallel(async (doc: Promise<Doc>) => (await doc).title);

is<AsyncHandle<string>>()(render(load("a"), 2));
is<AsyncHandle<string>>()(render({ title: "a" }, AsyncHandle.of(2)));
total(1, AsyncHandle.of(2), 3);
either(AsyncHandle.of("a"));
either(AsyncHandle.of(1));
flag(AsyncHandle.of(true));
flag(AsyncHandle.of<boolean>(Math.random() > 0.5));
later(load("a"));
// A subtype's handle will do.
render(AsyncHandle.of({ title: "a", pages: 3 }));
// A parallel function is a value like others.
const applied = parallel((f: ParallelFunction<[number], number>, n: number) => f(n));
is<AsyncHandle<number>>()(
  applied(
    parallel((n: number) => n),
    1,
  ),
);
const called = parallel(async (f: (n: number) => PromiseLike<number>) => f(1));
is<AsyncHandle<number>>()(called(parallel((n: number) => n + 1)));

// rejected: Argument of type 'AsyncHandle<number>' is not assignable to parameter of type
render(AsyncHandle.of(1));
// rejected: Argument of type 'Promise<{ title: string; }>' is not assignable to parameter of type
render(Promise.resolve({ title: "a" }));
// rejected: Argument of type 'AsyncHandle<string>' is not assignable to parameter of type
total(1, AsyncHandle.of("2"));
// rejected: Argument of type
applied(
  parallel((s: string) => s.length),
  1,
);
// `local` runs here and takes values.
// rejected: Argument of type 'AsyncHandle<Doc>' is not assignable to parameter of type 'Doc'
render.local(load("a"));
