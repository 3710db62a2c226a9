import { type MapHandle, parallel } from "makeparallel";
import { is } from "./_same.js";

const square = parallel((n: number) => n * n);
is<MapHandle<number>>()(square.map([1, 2, 3]));
is<number[]>()(await square.map([1, 2, 3]));
for await (const n of square.map(new Set([1]), {
  chunkSize: 10,
  ordered: false,
  concurrency: 2,
  onProgress: (fraction, done, total) => {
    is<number>()(fraction);
    is<number>()(done);
    is<number | undefined>()(total);
  },
}))
  is<number>()(n);
square.map(new Float64Array(8));
square.map(
  (function* () {
    yield 1;
  })(),
);
square.map(
  (async function* () {
    yield 1;
  })(),
);
is<MapHandle<string>>()(parallel(async (n: number) => String(n)).map([1]));
is<MapHandle<any>>()(parallel((text: string) => JSON.parse(text)).map(["1"]));
// More parameters are no obstacle, as long as they are optional.
parallel((n: number, scale: number = 1, ...more: string[]) => n * scale + more.length).map([1]);
parallel((...all: number[]) => all.length).map([1]);
parallel((n?: number) => n).map([1, undefined]);
// A function without parameters can be called once for each of them.
parallel(() => Math.random()).map(["a", "b"]);

// rejected: is not assignable to parameter of type 'MapItems<number>'
square.map(["a"]);
// rejected: is not assignable to parameter of type
square.map(5);
// rejected: 'chunksize' does not exist in type 'MapOptions'
square.map([1], { chunksize: 1 });
const add = parallel((a: number, b: number) => a + b);
// A second parameter would be undefined.
// rejected: map() calls the function with one argument, and this function needs more.
add.map([1, 2]);
