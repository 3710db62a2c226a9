// since: 5.5
// options: {"isolatedDeclarations": true, "declaration": true, "noEmit": false}
import { AsyncHandle, parallel, type ParallelFunction, type ParallelStream } from "makeparallel";

export const twice: ParallelFunction<[n: number], number> = parallel((n: number) => n * 2);
export const parse: ParallelFunction<[text: string], unknown> = parallel({ timeout: 1 }, (text: string): unknown => JSON.parse(text));
export const count: ParallelStream<[to: number], number, void> = parallel(function* (to: number) {
  yield to;
});
/** @parallel */
export async function tagged(n: number): Promise<number> {
  return n;
}
export class Table {
  @parallel rows(): AsyncHandle<number> {
    return AsyncHandle.of(1);
  }
}

// rejected: Variable must have an explicit type annotation with --isolatedDeclarations
export const inferred = parallel((n: number) => n);
