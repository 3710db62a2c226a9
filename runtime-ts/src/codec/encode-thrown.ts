/**
 * Thrown values that cannot cross as they are. An error object loses what can't of its properties; anything else becomes an Error that describes it.
 */
import { readStack } from "./encode-error";
import { Kind, article, className, hasKind } from "./kinds";
import { encodeValue } from "./encode";
import { hidden } from "./errors-codec";
import { crosses, obstacle } from "./trial";
import type { Writer } from "./writer";

/**
 * Encodes a thrown value. Never throws: what cannot cross becomes an Error that says what was thrown and why it could not be carried; of an error
 * object, everything that can cross is kept.
 */
export function encodeError(writer: Writer, thrown: unknown): void {
  const start = writer.length;
  const { attachments, transfers } = writer;
  const attached = attachments?.length ?? 0;
  const transferred = transfers?.length ?? 0;
  const rewind = (): void => {
    writer.length = start;
    writer.attachments = attachments;
    writer.transfers = transfers;
    if (attachments !== null) attachments.length = attached;
    if (transfers !== null) transfers.length = transferred;
  };
  let why: unknown;
  try {
    encodeValue(writer, thrown, "error");
    return;
  } catch (error) {
    why = error;
    rewind();
  }
  try {
    encodeValue(writer, degrade(thrown, why, 0), "error");
  } catch (error) {
    rewind();
    encodeValue(writer, replacement(thrown, error), "error");
  }
}

/** Causes of causes that are looked at. */
const MAX_CAUSES = 16;

/**
 * @param why what encoding it has thrown
 * @returns a value that can be encoded
 */
function degrade(thrown: unknown, why: unknown, depth: number): unknown {
  if (typeof thrown !== "object" || thrown === null || !hasKind(thrown, Kind.Error)) return replacement(thrown, why);
  const error = thrown as Error & { errors?: unknown };
  // Same prototype, so that it is encoded as the same class; only the properties are chosen. Private fields it has none, though.
  const copy = new Error() as Error & Record<string, unknown>;
  const message = text(() => error.message);
  copy.stack = readStack(error) ?? `${text(() => error.name)}: ${message}`;
  const prototype: object | null = Object.getPrototypeOf(error);
  Object.setPrototypeOf(copy, prototype);
  if (!crosses(copy)) {
    // its class has private fields, or its own `name` throws: what is left is an Error of that name
    Object.setPrototypeOf(copy, Error.prototype);
    hidden(
      copy,
      "name",
      text(() => error.name),
    );
    if (message !== "") hidden(copy, "message", message);
  }
  const parts = new Map<object, unknown>();
  for (const key of Object.getOwnPropertyNames(error)) {
    if (key === "stack") continue;
    const descriptor = Object.getOwnPropertyDescriptor(error, key)!;
    if (key === "message") {
      Object.defineProperty(copy, key, { value: message, enumerable: descriptor.enumerable === true, writable: true, configurable: true });
      continue;
    }
    if (!("value" in descriptor)) continue;
    const value: unknown = descriptor.value;
    if (key === "cause" || key === "errors") {
      Object.defineProperty(copy, key, { ...descriptor, value: carried(value, depth), writable: true, configurable: true });
    } else {
      // What is not enumerable may be a library's internals: it comes whole or not at all.
      const left = descriptor.enumerable ? partOf(value, MAX_LEVELS, parts) : crosses(value) ? value : undefined;
      if (left !== undefined || value === undefined)
        Object.defineProperty(copy, key, { ...descriptor, value: left, writable: true, configurable: true });
    }
  }
  return copy;
}

/** Levels of an error's property that are looked through. */
const MAX_LEVELS = 8;

/**
 * What can cross of arrays and plain objects: an issue that a validator reports without the function that found it.
 *
 * @param known what has come of the objects that were looked at before; a circle ends there
 * @returns undefined when nothing is left
 */
function partOf(value: unknown, levels: number, known: Map<object, unknown>): unknown {
  if (crosses(value)) return value;
  if (typeof value !== "object" || value === null || levels === 0) return undefined;
  if (known.has(value)) return known.get(value);
  known.set(value, undefined);
  let part: unknown;
  try {
    if (Array.isArray(value)) {
      const elements = value.map((element: unknown) => partOf(element, levels - 1, known));
      if (elements.some((element) => element !== undefined)) part = elements;
    } else if (isPlain(value)) {
      const entries = Object.entries(Object.getOwnPropertyDescriptors(value)).flatMap(([key, descriptor]): [string, unknown][] => {
        const left: unknown = descriptor.enumerable && "value" in descriptor ? partOf(descriptor.value, levels - 1, known) : undefined;
        return left === undefined ? [] : [[key, left]];
      });
      if (entries.length > 0) part = Object.fromEntries(entries);
    }
  } catch {
    // A proxy that can't be read.
  }
  known.set(value, part);
  return part;
}

/** Of this realm or another. */
function isPlain(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The value, or what is left of it. */
function carried(value: unknown, depth: number): unknown {
  const why = obstacle(value);
  if (why === undefined) return value;
  if (depth >= MAX_CAUSES) return replacement(value, why);
  if (Array.isArray(value)) return value.map((element: unknown) => carried(element, depth + 1));
  return degrade(value, why, depth + 1);
}

function text(read: () => unknown): string {
  try {
    return String(read());
  } catch {
    return "(unreadable)";
  }
}

/** Says what was thrown (or was an error's cause) and why it could not be carried. Its stack would only show the codec. */
function replacement(value: unknown, why: unknown): Error {
  const reason = text(() => (why instanceof Error ? why.message : why));
  const error = new Error(`the task threw ${describe(value)}, which could not be carried to the caller: ${reason}`);
  error.stack = `Error: ${error.message}`;
  return error;
}

function describe(value: unknown): string {
  switch (typeof value) {
    case "function":
      return `a function (${text(() => value.name) || "anonymous"})`;
    case "symbol":
      return value.toString();
    case "object":
      return value === null ? "null" : article(className(value));
    default:
      return text(() => value);
  }
}
