/**
 * Errors: class, message, stack, name where it differs from the class's, cause, errors, and own properties, enumerable ones of these names too. (Structured
 * clone keeps the built-in classes, message, stack and cause only.)
 */
import type { Encoder } from "./encoder";
import { ERROR_CLASSES, ErrorPart, errorNumber } from "./errors-codec";
import { located } from "./refusal";
import { Tag } from "./tags";
import { crosses } from "./trial";

const hasOwn = Object.prototype.hasOwnProperty;

const isEnumerable = Object.prototype.propertyIsEnumerable;

/** Has an own property as an error's constructor defines it. What a class's field or an assignment made is enumerable: one more property. */
function hasPart(error: Error, key: string): boolean {
  return hasOwn.call(error, key) && !isEnumerable.call(error, key);
}

export function encodeError(e: Encoder, error: object): void {
  const number = errorNumber(error);
  if (e.defers(error, Tag.DeferredError)) return e.uint(number);
  e.tag(Tag.Error);
  e.uint(number);
  const revived = ERROR_CLASSES[number]!.prototype;
  encodeErrorParts(e, error as Error, revived.name, inheritedMessage(error as Error, revived));
}

/**
 * @param inheritedName what the revived error's prototype says its name is
 * @param described the message of an error that has none of its own, where the revived error's prototype does not give it
 */
export function encodeErrorParts(e: Encoder, error: Error & { errors?: unknown }, inheritedName: string, described?: string): void {
  const message: unknown = hasPart(error, "message") ? error.message : described;
  const stack = readStack(error);
  const keys = Object.keys(error).filter((key) => key !== "stack");
  const name: unknown = keys.includes("name") ? inheritedName : error.name;
  const hidden = hiddenKeys(error);
  let flags = 0;
  if (message !== undefined) flags |= ErrorPart.Message;
  if (stack !== undefined) flags |= ErrorPart.Stack;
  if (typeof name === "string" && name !== inheritedName) flags |= ErrorPart.Name;
  if (hasPart(error, "cause")) flags |= ErrorPart.Cause;
  if (hasPart(error, "errors")) flags |= ErrorPart.Errors;
  if (keys.length !== 0) flags |= ErrorPart.Properties;
  if (hidden.length !== 0) flags |= ErrorPart.Hidden;
  e.tag(flags);
  e.depth++;
  if (flags & ErrorPart.Message) e.string(String(message));
  if (flags & ErrorPart.Stack) e.string(stack!);
  if (flags & ErrorPart.Name) e.string(name as string);
  if (flags & ErrorPart.Cause) part(e, error.cause, ".cause");
  if (flags & ErrorPart.Errors) part(e, error.errors, ".errors");
  if (flags & ErrorPart.Properties) e.namedValues(error as unknown as Record<string, unknown>, keys);
  if (flags & ErrorPart.Hidden) e.namedValues(error as unknown as Record<string, unknown>, hidden);
  e.depth--;
}

/** What a class that stays behind says as the message of its errors: a getter, usually. */
function inheritedMessage(error: Error, revived: Error): string | undefined {
  if (hasOwn.call(error, "message")) return undefined;
  try {
    const { message }: { message: unknown } = error;
    return typeof message === "string" && message !== revived.message ? message : undefined;
  } catch {
    return undefined;
  }
}

/** Own properties that have a part of their own. */
const PARTS: ReadonlySet<string> = new Set(["message", "stack", "name", "cause", "errors"]);
/** No trial inside of a trial: errors may refer to each other. */
let onTrial = false;

/**
 * Own data properties that are not enumerable, where libraries like to put what an error is about (`issues` of a ZodError). Beside them are their
 * internals, which may hold functions: what can't cross stays behind.
 */
function hiddenKeys(error: Error): string[] {
  if (onTrial) return [];
  return Object.getOwnPropertyNames(error).filter((key) => {
    if (PARTS.has(key) || isEnumerable.call(error, key)) return false;
    const descriptor = Object.getOwnPropertyDescriptor(error, key);
    if (descriptor === undefined || !("value" in descriptor) || typeof descriptor.value === "function") return false;
    onTrial = true;
    try {
      return crosses(descriptor.value);
    } finally {
      onTrial = false;
    }
  });
}

function part(e: Encoder, value: unknown, segment: string): void {
  try {
    e.value(value);
  } catch (error) {
    throw located(error, segment);
  }
}

/** Formatting a stack runs the program's `Error.prepareStackTrace`, which may do anything. */
export function readStack(error: Error): string | undefined {
  try {
    const stack: unknown = error.stack;
    return typeof stack === "string" ? stack : undefined;
  } catch {
    return undefined;
  }
}

export function encodeDOMException(e: Encoder, exception: DOMException): void {
  const stack = readStack(exception);
  e.tag(Tag.Error);
  e.uint(ERROR_CLASSES.length);
  e.string(exception.message);
  e.string(exception.name);
  e.value(stack);
  const hasCause = hasOwn.call(exception, "cause");
  e.value(hasCause);
  if (hasCause) part(e, exception.cause, ".cause");
  e.namedValues(
    exception as unknown as Record<string, unknown>,
    Object.keys(exception).filter((key) => key !== "stack" && key !== "cause"),
  );
}
