import { parallel, type ParallelStream, StreamHandle } from "makeparallel";
import { is } from "./_same.js";

const count = parallel(function* (to: number) {
  for (let n = 0; n < to; n++) yield n;
  return "done";
});
is<StreamHandle<number, string>>()(count(3));
for await (const n of count(3)) is<number>()(n);
const step = await count(1).next();
if (step.done !== true) is<number>()(step.value);
else is<string | undefined>()(step.value);
is<boolean>()(count(3).cancel());
is<StreamHandle<number, string>>()(count.with({ timeout: 1 })(3));

const lines = parallel({ timeout: 1_000 }, async function* (file: string): AsyncGenerator<string> {
  yield file;
});
is<StreamHandle<string, any>>()(lines("a"));
for await (const line of lines("a")) is<string>()(line);
const iterable: AsyncIterable<string> = lines("a");
void iterable;

// `local` runs the generator itself.
is<Generator<number, string, unknown>>()(count.local(3));
for (const n of count.local(1)) is<number>()(n);
is<AsyncGenerator<string>>()(lines.local("a"));

const general: ParallelStream<[to: number], number, string> = count;
void general;

// rejected: Property 'get' does not exist on type 'StreamHandle<number, string>'
count(3).get();
// rejected: Property 'map' does not exist on type 'ParallelStream
count.map([1]);
// rejected: Type 'StreamHandle<number, string>' must have a '[Symbol.iterator]()' method
for (const n of count(3)) void n;
// rejected: Argument of type 'string' is not assignable to parameter of type
count("3");
