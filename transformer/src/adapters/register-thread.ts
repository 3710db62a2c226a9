/** The hooks for a Node without `registerHooks`: this module runs in Node's hooks thread, and its hooks may be asynchronous. */
import { hooks } from "./register-hooks";

type Next = (...args: unknown[]) => unknown;

let current: ReturnType<typeof hooks> | undefined;

export function initialize({ entry }: { entry: string | undefined }): void {
  current = hooks(entry);
}

export async function resolve(specifier: string, context: object, next: Next): Promise<unknown> {
  return current!.resolve(specifier, context, next);
}

export async function load(url: string, context: object, next: Next): Promise<unknown> {
  return current!.load(url, context, next);
}
