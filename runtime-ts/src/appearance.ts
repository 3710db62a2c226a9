/**
 * What handles are to code that looks at them from outside: `console.log`, `JSON.stringify`, `instanceof Promise`.
 *
 * A handle holds its pool. Node would print all of that for `console.log(handle)`, `JSON.stringify` would run in a circle, and an assertion that fails would show
 * pages of it. Handles are no promises of the engine's own, which are twice the size; `instanceof` is made to hold all the same, since a
 * tagged `async` function has the type `Promise` and a promise is what its callers test for.
 */
import type { InspectOptionsStylized } from "node:util";

/** The name of the method that Node's `inspect` calls, and Bun's and Deno's. */
export const INSPECT: unique symbol = Symbol.for("nodejs.util.inspect.custom") as never;

export type Inspect = (value: unknown, options?: object) => string;

/**
 * @param name of the class; bundlers give it another one
 * @param facts what is shown of the object
 * @param depth levels that may still be shown
 */
export function show(name: string, facts: object, depth: number, options: InspectOptionsStylized, inspect: Inspect): string {
  if (depth < 0) return options.stylize(`[${name}]`, "special");
  return `${name} ${inspect(facts, { ...options, depth: options.depth === null ? null : depth })}`;
}

/** The engine's own, whatever has been put in the place of the global one: a library such as bluebird looks into what seems to be an instance of its class, and does not call `then`. */
const promisePrototype = Object.getPrototypeOf((async () => {})()) as object;

/** Gives a class its name back, and makes `instanceof Promise` true for its objects if it has a promise's methods. */
export function appearsAs(type: { readonly prototype: object }, name: string, promise: boolean): void {
  Object.defineProperty(type, "name", { value: name, configurable: true });
  if (promise) Object.setPrototypeOf(type.prototype, promisePrototype);
}
