// options: {"lib": ["es2022", "esnext.disposable", "esnext.decorators"]}
import { AsyncHandle, handleOf, parallel } from "makeparallel";
import { is } from "./_same.js";

class Table {
  rate = 2;
  constructor(private readonly name: string) {}

  @parallel process(data: number[]): AsyncHandle<number[]> {
    return AsyncHandle.of(data.map((n) => n * this.rate));
  }
  @parallel async total(data: number[]) {
    return data.length + this.name.length;
  }
  @parallel({ timeout: 100, retry: 2 }) async count(): Promise<void> {}
  @parallel static async make(name: string): Promise<Table> {
    return new Table(name);
  }
  @parallel async identity<T>(value: T): Promise<T> {
    return value;
  }
  @parallel async self(): Promise<this> {
    return this;
  }
  @parallel maybe(n: number): Promise<string> | AsyncHandle<number> {
    return n > 0 ? Promise.resolve("") : AsyncHandle.of(n);
  }
  @parallel async fails(): Promise<never> {
    throw new Error(this.name);
  }
  either(a: string): Promise<string>;
  either(a: number): Promise<number>;
  @parallel async either(a: string | number): Promise<string | number> {
    return a;
  }
  @parallel async *lines(file: string): AsyncGenerator<string> {
    yield file;
  }
  @parallel({ timeout: 1 }) async *numbers(): AsyncIterableIterator<number> {
    yield 1;
  }
  @parallel protected async hidden(this: Table, n: number): Promise<number> {
    return n;
  }
}

class Derived extends Table {
  @parallel override async total(data: number[]) {
    return (await super.total(data)) + 1;
  }
  async both() {
    return this.hidden(1);
  }
}

const table = new Derived("");
is<AsyncHandle<number[]>>()(table.process([1]));
is<Promise<number>>()(table.total([1]));
is<AsyncHandle<number>>()(handleOf(table.total([1])));
is<Promise<void>>()(table.count());
is<Promise<Table>>()(Table.make(""));
is<Promise<"a">>()(table.identity("a" as const));
is<Promise<Derived>>()(table.self());
is<Promise<never>>()(table.fails());
for await (const line of table.lines("")) is<string>()(line);

class Wrong {
  // rejected: A method marked with @parallel has to return a Promise or an AsyncHandle
  @parallel sync(n: number): number {
    return n;
  }

  // rejected: A method marked with @parallel has to return a Promise or an AsyncHandle
  @parallel({ timeout: 1 }) withOptions(n: number): number {
    return n;
  }

  // rejected: A method marked with @parallel has to return a Promise or an AsyncHandle
  @parallel nothing(): void {}

  // rejected: A method marked with @parallel has to return a Promise or an AsyncHandle
  @parallel sometimes(n: number): number | Promise<number> {
    return n;
  }

  // rejected: A method marked with @parallel has to return a Promise or an AsyncHandle
  @parallel *generator(): Generator<number> {
    yield 1;
  }

  // rejected: A method marked with @parallel has to return a Promise or an AsyncHandle
  @parallel static twice(n: number): number {
    return 2 * n;
  }

  // rejected: 'timout' does not exist in type 'ParallelOptions'
  // rejected: This expression is not callable
  @parallel({ timout: 1 }) async typo(): Promise<void> {}
}
void Wrong;

class OnOthers {
  // rejected: @parallel stands before methods
  @parallel field = 1;

  // rejected: @parallel stands before methods
  @parallel get value(): Promise<number> {
    return Promise.resolve(1);
  }
}
void OnOthers;

// rejected: @parallel stands before methods
@parallel
class OnClass {}
void OnClass;
