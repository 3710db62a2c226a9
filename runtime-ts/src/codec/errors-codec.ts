/**
 * What is known of error classes on both sides: the built-in ones by number, and makeparallel's own.
 */
import * as own from "../errors";

type ErrorConstructor_ = { readonly prototype: Error; readonly name: string };

/** What `using` throws when more than one thing fails; Node 24 has it. */
const suppressed = (globalThis as { SuppressedError?: ErrorConstructor_ }).SuppressedError;

/** The engine's own. */
export const BUILT_IN_ERRORS: readonly ErrorConstructor_[] = [
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
  AggregateError,
  ...(suppressed === undefined ? [] : [suppressed]),
];

/** In the order of their numbers in payloads. Subclasses come after what they extend. */
export const ERROR_CLASSES: readonly ErrorConstructor_[] = [
  ...BUILT_IN_ERRORS,
  own.ParallelError,
  own.TimeoutError,
  own.CancelledError,
  own.WorkerCrashedError,
  own.DependencyError,
  own.TransferError,
  own.NotTransformedError,
  own.QueueFullError,
  own.ChunkError,
];

const numbers = new Map<object, number>(ERROR_CLASSES.map((constructor, number) => [constructor.prototype, number]));
const numbersByName = new Map<string, number>(BUILT_IN_ERRORS.map((constructor, number) => [constructor.name, number]));

/** The number of the nearest class of {@link ERROR_CLASSES} in an error's prototype chain. */
export function errorNumber(error: object): number {
  let name: string | undefined;
  for (let p: object | null = Object.getPrototypeOf(error); p !== null; p = Object.getPrototypeOf(p)) {
    const number = numbers.get(p);
    if (number !== undefined) return number;
    // an error of another realm (a vm context) has none of our prototypes: its own class is known by name
    if (name === undefined) {
      const constructor: unknown = Object.getOwnPropertyDescriptor(p, "constructor")?.value;
      if (typeof constructor === "function" && numbersByName.has(constructor.name)) name = constructor.name;
    }
  }
  return name === undefined ? 0 : numbersByName.get(name)!;
}

/** Parts of an error that are present; a byte of flags in the payload, then the parts in this order. */
export const enum ErrorPart {
  Message = 1,
  Stack = 2,
  Name = 4,
  Cause = 8,
  Errors = 16,
  Properties = 32,
  /** Own properties that are not enumerable. */
  Hidden = 64,
}

/** As the constructors of errors define them: not enumerable. */
export function hidden(error: object, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, writable: true, enumerable: false, configurable: true });
}
