/**
 * Encoding of calls and results: the entry points over encoder.ts.
 */
import type { HandleLike } from "./brands";
import { encodeElements, forgetListing } from "./encode-array";
import type { UsedFields } from "../stub-meta";
import { fieldsToSend, standInFor } from "./encode-instance";
import { Encoder, MetAgain } from "./encoder";
import { clearMove, markForMove } from "./markers";
import { Refusal, isStackOverflow, toTransferError, unreadable } from "./refusal";
import type { Writer } from "./writer";

/** In the place of a receiver: the call has none. */
export const NO_RECEIVER: unique symbol = Symbol("no receiver") as never;

export interface CallEncoding {
  /** AsyncHandles among the values; a placeholder in the payload refers to each by its index here, which is the index in `PushOptions.inputs`. */
  readonly dependencies: readonly HandleLike[] | null;
}

const NO_DEPENDENCIES: CallEncoding = Object.freeze({ dependencies: null });

export interface CallOptions {
  /** Buffers among the arguments are moved. */
  readonly move?: boolean;
  /** A value before all others, see carry.ts. */
  readonly carried?: unknown;
  /** What the task uses of its `this`, the receiver or the captured one. */
  readonly fields?: UsedFields;
}

let idle: Encoder | null = null;
/** The innermost that is at work. */
let active: Encoder | null = null;

function acquire(): Encoder {
  const encoder = idle ?? new Encoder();
  // getters may call other parallel functions meanwhile
  idle = null;
  encoder.outer = active;
  active = encoder;
  return encoder;
}

function release(encoder: Encoder): void {
  active = encoder.outer;
  encoder.outer = null;
  encoder.release();
  idle = encoder;
}

/**
 * Encodes what a task is called with, as one payload: what receiver, captures and arguments share stays shared.
 * @param receiver `this`, or {@link NO_RECEIVER}
 * @param captureNames names of `captures`, for messages
 * @throws TransferError for what cannot cross, and whatever a getter throws; the writer is then to be reset. Nothing has been detached.
 */
export function encodeCall(
  writer: Writer,
  receiver: unknown,
  captures: readonly unknown[] | undefined,
  captureNames: readonly string[] | undefined,
  args: ArrayLike<unknown>,
  options?: CallOptions,
): CallEncoding {
  if (options?.fields === undefined) return encodeWith(writer, receiver, captures, captureNames, args, options, undefined);
  const self = receiver === NO_RECEIVER ? capturedThis(captures, captureNames) : receiver;
  return encodePart(writer, self, options.fields, (fields) => encodeWith(writer, receiver, captures, captureNames, args, options, fields));
}

function capturedThis(captures: readonly unknown[] | undefined, names: readonly string[] | undefined): unknown {
  return names?.[0] === "this" ? captures?.[0] : undefined;
}

/** Leaves out what the task does not use of its `this`, unless something else that it gets leads to the same object. */
function encodePart(
  writer: Writer,
  self: unknown,
  used: UsedFields,
  encode: (fields: readonly string[] | undefined) => CallEncoding,
): CallEncoding {
  const fields = fieldsToSend(self, used);
  if (fields === undefined) return encode(undefined);
  try {
    return encode(fields);
  } catch (error) {
    if (!(error instanceof MetAgain)) throw error;
    for (const taken of writer.transfers ?? []) if (taken instanceof ArrayBuffer) markForMove(taken);
    writer.reset();
    return encode(undefined);
  }
}

function encodeWith(
  writer: Writer,
  receiver: unknown,
  captures: readonly unknown[] | undefined,
  captureNames: readonly string[] | undefined,
  args: ArrayLike<unknown>,
  options: CallOptions | undefined,
  fields: readonly string[] | undefined,
): CallEncoding {
  const e = acquire();
  const hasReceiver = receiver !== NO_RECEIVER;
  const captured = captures === undefined ? 0 : captures.length;
  const carried = options?.carried;
  const first = carried === undefined ? 0 : 1;
  const before = first + captured + (hasReceiver ? 1 : 0);
  try {
    e.begin(writer);
    e.dependencies = null;
    e.uint(before + args.length);
    if (before !== 0) {
      if (first !== 0) {
        e.value(carried);
        e.root = 1;
      }
      if (hasReceiver) {
        if (typeof receiver === "object" && receiver !== null) e.standIn = standInFor(receiver);
        e.fields = fields;
        e.value(receiver);
        e.fields = undefined;
        e.root++;
      }
      for (let i = 0; i < captured; i++) {
        if (i === 0 && !hasReceiver) e.fields = fields;
        e.value(captures![i]);
        e.fields = undefined;
        e.root++;
      }
    }
    if (options !== undefined && options.move === true) e.moveAll = true;
    for (let i = 0; i < args.length; i++) {
      e.value(args[i]);
      e.root++;
    }
    e.finish();
    const { dependencies } = e as { dependencies: HandleLike[] | null };
    return dependencies === null ? NO_DEPENDENCIES : { dependencies };
  } catch (error) {
    if (error instanceof MetAgain) throw error;
    unmark(args);
    const at = e.root;
    let root: string;
    if (at >= before) root = `args[${at - before}]`;
    else if (at < first) root = "carried";
    else if (hasReceiver && at === first) root = "this";
    else root = captureName(captureNames, at - first - (hasReceiver ? 1 : 0));
    throw failure(error, root);
  } finally {
    release(e);
  }
}

/**
 * Encodes a call with one argument, the items of `array` from `start` to `end`. As {@link encodeCall} with `array.slice(start, end)`, without that copy.
 * Paths in errors have the items' places in the whole array.
 * @throws as {@link encodeCall}
 */
export function encodeItemsCall(
  writer: Writer,
  captures: readonly unknown[] | undefined,
  captureNames: readonly string[] | undefined,
  array: unknown[],
  start: number,
  end: number,
  options?: CallOptions,
): CallEncoding {
  if (options?.fields === undefined) return encodeItemsWith(writer, captures, captureNames, array, start, end, options, undefined);
  return encodePart(writer, capturedThis(captures, captureNames), options.fields, (fields) =>
    encodeItemsWith(writer, captures, captureNames, array, start, end, options, fields),
  );
}

function encodeItemsWith(
  writer: Writer,
  captures: readonly unknown[] | undefined,
  captureNames: readonly string[] | undefined,
  array: unknown[],
  start: number,
  end: number,
  options: CallOptions | undefined,
  fields: readonly string[] | undefined,
): CallEncoding {
  const e = acquire();
  const captured = captures === undefined ? 0 : captures.length;
  const first = options?.carried === undefined ? 0 : 1;
  const before = first + captured;
  try {
    e.begin(writer);
    e.dependencies = null;
    e.uint(before + 1);
    if (first !== 0) {
      e.value(options!.carried);
      e.root = 1;
    }
    e.fields = fields;
    for (; e.root < before; e.root++) {
      e.value(captures![e.root - first]);
      e.fields = undefined;
    }
    if (options?.move === true) e.moveAll = true;
    // The slice would be an object of its own, so it takes a number among the references, and one level of depth.
    e.anonymousReference();
    e.depth++;
    encodeElements(e, array, start, end);
    e.finish();
    const { dependencies } = e as { dependencies: HandleLike[] | null };
    return dependencies === null ? NO_DEPENDENCIES : { dependencies };
  } catch (error) {
    if (error instanceof MetAgain) throw error;
    unmark(array.slice(start, end));
    const at = e.root;
    throw failure(error, at === before ? "items" : at < first ? "carried" : captureName(captureNames, at - first));
  } finally {
    release(e);
  }
}

function captureName(names: readonly string[] | undefined, index: number): string {
  return names?.[index] ?? `captures[${index}]`;
}

/** `move()` counts for the call it was made for, even if that fails. */
function unmark(values: ArrayLike<unknown>): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (ArrayBuffer.isView(value)) clearMove(value.buffer as ArrayBuffer);
    else if (value instanceof ArrayBuffer) clearMove(value);
  }
}

function failure(thrown: unknown, root: string): unknown {
  forgetListing();
  const error = unreadable(thrown);
  if (error instanceof Refusal) return toTransferError(error, root);
  if (isStackOverflow(error)) {
    return toTransferError(new Refusal("it nests too deep for the stack that is left, or a getter recurses without end"), root);
  }
  return error;
}

/**
 * Encodes one value, such as a result.
 * @param root what paths in errors begin with
 * @throws TransferError for what cannot cross, and whatever a getter throws
 */
export function encodeValue(writer: Writer, value: unknown, root = "result"): void {
  const e = acquire();
  try {
    e.begin(writer);
    e.value(value);
    e.finish();
  } catch (error) {
    unmark([value]);
    throw failure(error, root);
  } finally {
    release(e);
  }
}
