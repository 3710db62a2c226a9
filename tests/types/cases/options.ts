import { AsyncHandle, parallel, type ParallelFunction, type ParallelOptions } from "makeparallel";
import { is } from "./_same.js";

const all: ParallelOptions = {
  timeout: 5_000,
  priority: 10,
  signal: new AbortController().signal,
  after: [AsyncHandle.of(1), AsyncHandle.of("a")],
  retry: { attempts: 3, backoff: "exponential", delay: 10, maxDelay: 100, jitter: 0.5, when: (error) => error instanceof RangeError },
  memoize: { max: 10, ttl: 1_000 },
  transfer: "move",
  name: "work",
  grace: 100,
};
const work = parallel(all, (n: number) => n);
is<ParallelFunction<[n: number], number>>()(work);
is<ParallelFunction<[n: number], number>>()(work.with({ retry: 2, memoize: true, timeout: 1 }));
const empty = parallel({}, () => "");
is<ParallelFunction<[], string>>()(empty);
is<AsyncHandle<any>>()(parallel({ timeout: 1 }, (text: string) => JSON.parse(text))(""));
is<AsyncHandle<never>>()(
  parallel({ timeout: 1 }, (): never => {
    throw new Error();
  })(),
);
// The parameter of a callback in the options has its type.
parallel(
  {
    retry: {
      attempts: 2,
      when: (error) => {
        is<unknown>()(error);
        return true;
      },
    },
  },
  () => 1,
);

// rejected: 'timout' does not exist in type 'ParallelOptions'
work.with({ timout: 1 });
// rejected: 'timout' does not exist in type 'ParallelOptions'
parallel({ timout: 1 }, (n: number) => n);
// rejected: Type 'string' is not assignable to type 'number'
work.with({ timeout: "5s" });
// rejected: '"quadratic"' is not assignable to type
work.with({ retry: { attempts: 1, backoff: "quadratic" } });
// rejected: Property 'attempts' is missing
work.with({ retry: { delay: 1 } });
// rejected: Type 'false' is not assignable to type 'true | MemoizeOptions'
work.with({ memoize: false });
// rejected: Type 'Promise<number>' is missing the following properties from type 'AsyncHandle<unknown>'
work.with({ after: [Promise.resolve(1)] });
// rejected: Type '"steal"' is not assignable to type
work.with({ transfer: "steal" });
