/**
 * `parallel` as it is when the transformer has not replaced it: it says so when something is called.
 */
import { NotTransformedError } from "./errors";
import type { Parallel } from "./types";

function notTransformed(name: string): never {
  throw new NotTransformedError(
    `${name === "" ? "This function" : name} is marked as parallel, but this program was built without the makeparallel transformer, so there is no code for a worker to run. ` +
      `Add { "plugins": [{ "transform": "makeparallel/transformer" }] } to the compilerOptions of tsconfig.json and build with "tspc" (npm i -D ts-patch), ` +
      `or use the plugin of what bundles it ("makeparallel/esbuild", "makeparallel/vite", "makeparallel/webpack", …), or start it with "node --import makeparallel/register" (the same with tsx). ` +
      "`npx makeparallel doctor` says what is missing.",
    name === "" ? {} : { task: name },
  );
}

function refusing(fn: unknown): unknown {
  const name = typeof fn === "function" ? fn.name : "";
  const stub = (): never => notTransformed(name);
  Object.defineProperty(stub, "name", { value: name, configurable: true });
  for (const member of ["with", "map", "local", "warm"]) Object.defineProperty(stub, member, { value: stub, configurable: true });
  return stub;
}

function decorate(first: unknown, second: unknown, descriptor: PropertyDescriptor | undefined): unknown {
  if (typeof second === "object") return refusing(first);
  return { ...descriptor, value: refusing(descriptor?.value ?? { name: String(second) }) };
}

/** Marks a function or method as parallel; see the README. */
export const parallel = function parallel(...args: unknown[]): unknown {
  if (args.length >= 2 && isDecoratorCall(args)) return decorate(args[0], args[1], args[2] as PropertyDescriptor | undefined);
  const fn = args.length >= 2 ? args[1] : args[0];
  if (typeof fn === "function") return refusing(fn);
  if (args.length === 1 && typeof fn === "object" && fn !== null) {
    return (...site: unknown[]) => decorate(site[0], site[1], site[2] as PropertyDescriptor | undefined);
  }
  throw new TypeError("parallel() takes a function, or options and a function, or stands before a method as @parallel.");
} as Parallel;

function isDecoratorCall(args: unknown[]): boolean {
  const context = args[1];
  if (typeof context === "string" || typeof context === "symbol") return true;
  return typeof args[0] === "function" && typeof context === "object" && context !== null && "kind" in context;
}
