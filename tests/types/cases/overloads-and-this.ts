// options: {"lib": ["es2022", "esnext.disposable", "esnext.decorators"]}
import { AsyncHandle, type AsyncHandle as Handle, handleOf, parallel, type ParallelFunction } from "makeparallel";
import { is } from "./_same.js";

// A tagged function keeps its own overloads, type predicates left out: they cannot be promises.
function parse(text: string): Promise<string>;
function parse(text: string, radix: number): Promise<number>;
/** @parallel */
async function parse(text: string, radix?: number): Promise<string | number> {
  return radix === undefined ? text : Number.parseInt(text, radix);
}
is<Promise<string>>()(parse("1"));
is<Promise<number>>()(parse("1", 10));
is<Handle<number>>()(handleOf(parse("1", 10)));

// rejected: Argument of type 'number' is not assignable to parameter of type 'string'
parse(1);

// The wrapper sees one signature of an overloaded function: the last, as `Parameters` and `ReturnType` do.
declare function pick(key: "number"): number;
declare function pick(key: "text"): string;
const picked = parallel(pick);
is<ParallelFunction<[key: "text"], string>>()(picked);

// rejected: Argument of type '"number"' is not assignable to parameter of type
picked("number");

// Methods with a type for `this` keep it.
class Account {
  balance = 0;
  @parallel async add(this: Account, n: number): Promise<number> {
    return this.balance + n;
  }
  @parallel async with<K extends keyof this>(key: K): Promise<this[K]> {
    return this[key];
  }
  @parallel async chain(): Promise<this> {
    return this;
  }
}
class Savings extends Account {
  rate = 1;
}
is<Promise<number>>()(new Savings().add(1));
is<Promise<number>>()(new Savings().with("rate"));
is<Promise<Savings>>()(new Savings().chain());
const { add } = new Account();

// rejected: The 'this' context of type 'void' is not assignable to method's 'this' of type 'Account'
add(1);

// Abstract classes, and interfaces that methods have to fit.
interface Store {
  load(key: string): PromiseLike<string>;
}
abstract class Base implements Store {
  abstract load(key: string): AsyncHandle<string>;
}
class Files extends Base {
  @parallel load(key: string): AsyncHandle<string> {
    return AsyncHandle.of(key);
  }
}
is<AsyncHandle<string>>()(new Files().load(""));

class Broken implements Store {
  // rejected: Property 'load' in type 'Broken' is not assignable to the same property in base type 'Store'
  @parallel load(key: string): AsyncHandle<number> {
    return AsyncHandle.of(key.length);
  }
}
void Broken;

// Results that never come, and those that are nothing.
const stop = parallel((text: string): never => {
  throw new Error(text);
});
is<never>()(stop("").get());
is<AsyncHandle<void>>()(parallel(async (n: number): Promise<void> => void n)(1));
const settled = await stop("");
is<never>()(settled);
