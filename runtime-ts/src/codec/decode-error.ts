/** The counterpart of encode-error.ts. */
import { ERROR_CLASSES, ErrorPart, hidden } from "./errors-codec";
import type { Decoder } from "./decoder";
import { limitStackTraces } from "../stack-trace-limit";

/** Makes an error object (with an error's slots) without capturing a stack, which would be costly and wrong. */
export function makeError(prototypeOf: { readonly prototype: object }): Error {
  const limit = Error.stackTraceLimit;
  limitStackTraces(0);
  try {
    return Reflect.construct(Error, [], prototypeOf as Function) as Error;
  } finally {
    limitStackTraces(limit);
  }
}

export function decodeError(d: Decoder): Error {
  const number = d.uint();
  if (number === ERROR_CLASSES.length) return decodeDOMException(d);
  const error = makeError(classOf(d, number));
  d.register(error);
  decodeErrorParts(d, error);
  return error;
}

/** The empty error that a deferred tag stands for. */
export function errorShell(d: Decoder): Error {
  return makeError(classOf(d, d.uint()));
}

/** @param into a deferred error */
export function fillError(d: Decoder, into: Error): void {
  if (Object.getPrototypeOf(into) !== classOf(d, d.uint()).prototype) d.corrupt("a deferred error of another class");
  decodeErrorParts(d, into);
}

function classOf(d: Decoder, number: number): { readonly prototype: object } {
  return ERROR_CLASSES[number] ?? d.corrupt("an unknown error class");
}

export function decodeErrorParts(d: Decoder, error: Error): void {
  const flags = d.byte();
  hidden(error, "stack", undefined);
  if (flags & ErrorPart.Message) hidden(error, "message", d.string());
  if (flags & ErrorPart.Stack) hidden(error, "stack", d.string());
  if (flags & ErrorPart.Name) hidden(error, "name", d.string());
  if (flags & ErrorPart.Cause) hidden(error, "cause", d.value());
  if (flags & ErrorPart.Errors) hidden(error, "errors", d.value());
  if (flags & ErrorPart.Properties) d.pairs(error, true);
  if (flags & ErrorPart.Hidden) for (const [key, value] of Object.entries(d.pairs({}, true))) hidden(error, key, value);
}

function decodeDOMException(d: Decoder): Error {
  const slot = d.open();
  const message = d.string();
  const name = d.string();
  const stack = d.value();
  const hasCause = d.value() === true;
  const exception = new DOMException(message, name);
  d.references[slot] = exception;
  if (typeof stack === "string") hidden(exception, "stack", stack);
  if (hasCause) hidden(exception, "cause", d.value());
  d.pairs(exception, true);
  return exception;
}
