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
  map(items: MapItems<A[0]>, options?: MapOptions): MapHandle<Awaited<R>>;
  /** Runs it here, on this thread, now. */
  local(...args: A): R;
  /** Loads its code in every worker, so that the first call does not wait for it. */
  warm(): Promise<void>;
  /** Id of its task: `path/from/root.ts#name`. */
  readonly id: string;
  readonly name: string;
  readonly length: number;
}

/** What a marked generator becomes: a call starts it on another thread and returns a stream of what it yields. */
export interface ParallelStream<A extends unknown[], T, R> {
  (...args: Liftable<A>): StreamHandle<T, R>;
  /** The same generator with other per-call options, on top of its own. */
  with(options: ParallelOptions): ParallelStream<A, T, R>;
  /** Runs it here, on this thread. */
  local(...args: A): Generator<T, R, undefined> | AsyncGenerator<T, R, undefined>;
  /** Loads its code in every worker, so that the first call does not wait for it. */
  warm(): Promise<void>;
  readonly id: string;
  readonly name: string;
  readonly length: number;
}

/** What `map` takes: arrays, typed arrays, and everything that can be iterated, asynchronously as well. */
export type MapItems<T> = Iterable<T> | AsyncIterable<T>;

/** What a decorated method has to return, since callers get a handle. */
type Deferred = Promise<any>;

/** A type that only `any` and `never` are assignable to: functions that return those match it, and would otherwise match a generator's type. */
declare const anyOrNever: unique symbol;

/** The decorator that `@parallel({ … })` makes, for TC39 decorators and `experimentalDecorators`. */
export interface ParallelDecorator {
  <This, A extends any[], R extends Deferred>(
    method: (this: This, ...args: A) => R,
    context: ClassMethodDecoratorContext<This, (this: This, ...args: A) => R>,
  ): void;
  <A extends any[], R extends Deferred>(target: object, key: string | symbol, descriptor: TypedPropertyDescriptor<(...args: A) => R>): void;
}

/** `parallel`: wrapper, wrapper with options, decorator, and decorator with options. */
export interface Parallel {
  /** Decorator on a method (TC39). The method returns a promise or an AsyncHandle. */
  <This, A extends any[], R extends Deferred>(
    method: (this: This, ...args: A) => R,
    context: ClassMethodDecoratorContext<This, (this: This, ...args: A) => R>,
  ): void;
  /** Decorator on a method (`experimentalDecorators`). The method returns a promise or an AsyncHandle. */
  <A extends any[], R extends Deferred>(target: object, key: string | symbol, descriptor: TypedPropertyDescriptor<(...args: A) => R>): void;
  /** Marks a function that always throws: it runs on another thread, and a call returns an AsyncHandle. */
  <A extends unknown[]>(fn: (...args: A) => never): ParallelFunction<A, never>;
  /** Marks a function that always throws, with options. */
  <A extends unknown[]>(options: ParallelOptions, fn: (...args: A) => never): ParallelFunction<A, never>;
  /** Marks a function that returns `any`: it runs on another thread, and a call returns an AsyncHandle. */
  <A extends unknown[]>(fn: (...args: A) => typeof anyOrNever): ParallelFunction<A, any>;
  /** Marks a function that returns `any`, with options. */
  <A extends unknown[]>(options: ParallelOptions, fn: (...args: A) => typeof anyOrNever): ParallelFunction<A, any>;
  /** Marks a generator: it runs on another thread, and a call returns a stream. */
  <A extends unknown[], T, R>(fn: (...args: A) => Generator<T, R, any> | AsyncGenerator<T, R, any>): ParallelStream<A, T, R>;
  /** Marks a generator, with options. */
  <A extends unknown[], T, R>(
    options: ParallelOptions,
    fn: (...args: A) => Generator<T, R, any> | AsyncGenerator<T, R, any>,
  ): ParallelStream<A, T, R>;
  /** Marks a function: it runs on another thread, and a call returns an AsyncHandle. */
  <A extends unknown[], R>(fn: (...args: A) => R): ParallelFunction<A, R>;
  /** Marks a function, with options. */
  <A extends unknown[], R>(options: ParallelOptions, fn: (...args: A) => R): ParallelFunction<A, R>;
  /** Decorator with options. */
  (options: ParallelOptions): ParallelDecorator;
}
