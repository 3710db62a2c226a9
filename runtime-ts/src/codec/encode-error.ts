/**
 * Errors: class, message, stack, name where it differs from the class's, cause, errors, and own enumerable properties, those of these names too. (Structured
 * clone keeps the built-in classes, message, stack and cause only.)
 */
import type { Encoder } from "./encoder";
import { ERROR_CLASSES, ErrorPart, errorNumber } from "./errors-codec";
import { located } from "./refusal";
import { Tag } from "./tags";

const hasOwn = Object.prototype.hasOwnProperty;

const isEnumerable = Object.prototype.propertyIsEnumerable;

/** Has an own property as an error's constructor defines it. What a class's field or an assignment made is enumerable: one more property. */
function hasPart(error: Error, key: string): boolean {
  return hasOwn.call(error, key) && !isEnumerable.call(error, key);
}

export function encodeError(e: Encoder, error: object): void {
  e.tag(Tag.Error);
  const number = errorNumber(error);
  e.uint(number);
  encodeErrorParts(e, error as Error, ERROR_CLASSES[number]!.prototype.name);
}

/**
 * @param name what the revived error's prototype says its name is
 */
export function encodeErrorParts(e: Encoder, error: Error & { errors?: unknown }, inheritedName: string): void {
  const message: unknown = hasPart(error, "message") ? error.message : undefined;
  const stack = readStack(error);
  const keys = Object.keys(error).filter((key) => key !== "stack");
  const name: unknown = keys.includes("name") ? inheritedName : error.name;
  let flags = 0;
  if (message !== undefined) flags |= ErrorPart.Message;
  if (stack !== undefined) flags |= ErrorPart.Stack;
  if (typeof name === "string" && name !== inheritedName) flags |= ErrorPart.Name;
  if (hasPart(error, "cause")) flags |= ErrorPart.Cause;
  if (hasPart(error, "errors")) flags |= ErrorPart.Errors;
  if (keys.length !== 0) flags |= ErrorPart.Properties;
  e.tag(flags);
  e.depth++;
  if (flags & ErrorPart.Message) e.string(String(message));
  if (flags & ErrorPart.Stack) e.string(stack!);
  if (flags & ErrorPart.Name) e.string(name as string);
  if (flags & ErrorPart.Cause) part(e, error.cause, ".cause");
  if (flags & ErrorPart.Errors) part(e, error.errors, ".errors");
  if (flags & ErrorPart.Properties) e.namedValues(error as unknown as Record<string, unknown>, keys);
  e.depth--;
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
}
