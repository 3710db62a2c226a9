/**
 * The types of marked functions. They are true without the transformer: plain `tsc` sees what the program gets at run time.
 */
import type { AsyncHandle } from "./handle";
import type { MapHandle, MapOptions } from "./map";
import type { ParallelOptions } from "./options";
import type { StreamHandle } from "./stream";

/** Each argument may be a handle of its type instead: the task waits for it, and the value does not pass through the caller. */
export type Liftable<A extends readonly unknown[]> = { [K in keyof A]: A[K] | AsyncHandle<Awaited<A[K]>> };

/** What a marked function becomes: called like the function that it came from, it queues a task and returns its handle. */
export interface ParallelFunction<A extends unknown[], R> {
  (...args: Liftable<A>): AsyncHandle<Awaited<R>>;
  /** The same function with other per-call options, on top of its own. */
  with(options: ParallelOptions): ParallelFunction<A, R>;
  /**
   * Runs the function over many items, in chunks, so that a million cheap items do not cost a million queue operations. The function gets one
   * item a call.
   */
  map(items: MapArgument<A>, options?: MapOptions): MapHandle<Awaited<R>>;
  /** Runs it here, on this thread, now. */
  local(...args: A): R;
  /** Loads its code in every worker, so that the first call does not wait for it. A worker that ends meanwhile, as all do at a shutdown, is not waited for. */
  warm(): Promise<void>;
  /** Id of its task: `path/from/root.ts#name`. */
  readonly id: string;
  /** For people: the option `name`, or the name of the function. */
  readonly name: string;
  /** Parameters before the first one that may be left out, as of any function. */
  readonly length: number;
}

/**
 * What a marked generator becomes: a call starts it on another thread and returns a stream of what it yields.
 * @typeParam G what the generator function itself returns
 */
export interface ParallelStream<A extends unknown[], T, R, G = Generator<T, R, any> | AsyncGenerator<T, R, any>> {
  (...args: Liftable<A>): StreamHandle<T, R>;
  /** The same generator with other per-call options, on top of its own. */
  with(options: ParallelOptions): ParallelStream<A, T, R, G>;
  /** Runs it here, on this thread. */
  local(...args: A): G;
  /** Loads its code in every worker, so that the first call does not wait for it. A worker that ends meanwhile, as all do at a shutdown, is not waited for. */
  warm(): Promise<void>;
  /** Id of its task: `path/from/root.ts#name`. */
  readonly id: string;
  /** For people: the option `name`, or the name of the function. */
  readonly name: string;
  /** Parameters before the first one that may be left out, as of any function. */
  readonly length: number;
}

/** What `map` takes: arrays, typed arrays, and everything that can be iterated, asynchronously as well. */
export type MapItems<T> = Iterable<T> | AsyncIterable<T>;

/** What `map` takes for a function of these parameters; a text, which nothing is assignable to, when one argument is not enough to call it. */
export type MapArgument<A extends unknown[]> = A extends []
  ? MapItems<unknown>
  : [Exclude<A[0], undefined>] extends A
    ? MapItems<A[0]>
    : "map() calls the function with one argument, and this function needs more.";

/** What a decorated method has to return: its callers get a handle, or, for a generator, an asynchronous stream. */
type Deferred = PromiseLike<any> | AsyncIterable<any>;

/** A type that only `any` and `never` are assignable to: functions that return those match it, and would otherwise match a generator's type. */
declare const anyOrNever: unique symbol;

/** What must follow such a function in a call: nothing, or, when one of its parameters is `never`, something that nobody has. */
type Nothing<A extends readonly unknown[]> = number extends A["length"] ? [] : true extends NeverIn<A>[number] ? [never] : [];
type NeverIn<A extends readonly unknown[]> = { [K in keyof A]: [A[K]] extends [never] ? true : false };

/** The decorator that `@parallel({ … })` makes, for TC39 decorators and `experimentalDecorators`. */
export interface ParallelDecorator {
  // What is refused is refused by the type that the decorator returns: the compiler shows it, and with it the reason. Names of types would hide the text.
  // The method's type is one parameter, not taken apart, so that type parameters, overloads and `this` types of methods do not matter.
  <M extends (this: any, ...args: any[]) => Deferred>(method: M, context: ClassMethodDecoratorContext<any, M>): void;
  <M extends (...args: any[]) => Deferred>(target: object, key: string | symbol, descriptor: TypedPropertyDescriptor<M>): void;
  (
    method: (...args: any[]) => unknown,
    context: ClassMethodDecoratorContext<any, any>,
  ): { error: "A method marked with @parallel has to return a Promise or an AsyncHandle" };
  (value: any, context: DecoratorContext): { error: "@parallel stands before methods; other functions are wrapped: parallel(...)" };
  (
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<any>,
  ): { error: "A method marked with @parallel has to return a Promise or an AsyncHandle" };
}

/** `parallel`: wrapper, wrapper with options, decorator, and decorator with options. */
export interface Parallel {
  /** Decorator on a method (TC39). The method returns a promise or an AsyncHandle. */
  <M extends (this: any, ...args: any[]) => Deferred>(method: M, context: ClassMethodDecoratorContext<any, M>): void;
  /** Decorator on a method (`experimentalDecorators`). The method returns a promise or an AsyncHandle. */
  <M extends (...args: any[]) => Deferred>(target: object, key: string | symbol, descriptor: TypedPropertyDescriptor<M>): void;
  /** What else it may stand before is refused. Without these, the wrapper's signatures would take decorated methods, since a decorator may ignore its context. */
  (
    method: (...args: any[]) => unknown,
    context: ClassMethodDecoratorContext<any, any>,
  ): { error: "A method marked with @parallel has to return a Promise or an AsyncHandle" };
  (value: any, context: DecoratorContext): { error: "@parallel stands before methods; other functions are wrapped: parallel(...)" };
  (
    target: object,
    key: string | symbol,
    descriptor: TypedPropertyDescriptor<any>,
  ): { error: "A method marked with @parallel has to return a Promise or an AsyncHandle" };
  /**
   * Marks a function that always throws: it runs on another thread, and a call returns an AsyncHandle.
   *
   * The compiler gives a parameter without a type the one that the first signature has for it, before the function's own type is known. Therefore the
   * default: `b = 1` is then `never | number`, where `unknown[]` would make it `unknown`. A type that the place asks for still comes first. Type
   * parameters would be `never` as well: `Nothing` leaves functions that have them to the signatures below.
   */
  <A extends unknown[] = never[]>(fn: (...args: A) => never, ...nothing: Nothing<A>): ParallelFunction<A, never>;
  <A extends unknown[] = never[]>(options: ParallelOptions, fn: (...args: A) => never, ...nothing: Nothing<A>): ParallelFunction<A, never>;
  /** Marks a function that always throws: it runs on another thread, and a call returns an AsyncHandle. */
  <A extends unknown[]>(fn: (...args: A) => never): ParallelFunction<A, never>;
  /** Marks a function that always throws, with options. */
  <A extends unknown[]>(options: ParallelOptions, fn: (...args: A) => never): ParallelFunction<A, never>;
  /** Marks a function that returns `any`: it runs on another thread, and a call returns an AsyncHandle. */
  <A extends unknown[]>(fn: (...args: A) => typeof anyOrNever): ParallelFunction<A, any>;
  /** Marks a function that returns `any`, with options. */
  <A extends unknown[]>(options: ParallelOptions, fn: (...args: A) => typeof anyOrNever): ParallelFunction<A, any>;
  /** Marks a generator: it runs on another thread, and a call returns a stream. */
  <A extends unknown[], T, R, N>(fn: (...args: A) => Generator<T, R, N>): ParallelStream<A, T, R, Generator<T, R, N>>;
  <A extends unknown[], T, R, N>(fn: (...args: A) => AsyncGenerator<T, R, N>): ParallelStream<A, T, R, AsyncGenerator<T, R, N>>;
  /** Marks a generator, with options. */
  <A extends unknown[], T, R, N>(
    options: ParallelOptions,
    fn: (...args: A) => Generator<T, R, N>,
  ): ParallelStream<A, T, R, Generator<T, R, N>>;
  <A extends unknown[], T, R, N>(
    options: ParallelOptions,
    fn: (...args: A) => AsyncGenerator<T, R, N>,
  ): ParallelStream<A, T, R, AsyncGenerator<T, R, N>>;
  /** Marks a function: it runs on another thread, and a call returns an AsyncHandle. */
  <A extends unknown[], R>(fn: (...args: A) => R): ParallelFunction<A, R>;
  /** Marks a function, with options. */
  <A extends unknown[], R>(options: ParallelOptions, fn: (...args: A) => R): ParallelFunction<A, R>;
  /** Decorator with options. */
  (options: ParallelOptions): ParallelDecorator;
}
