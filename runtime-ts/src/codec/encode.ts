/**
 * Encoding of calls and results: the entry points over encoder.ts.
 */
import type { HandleLike } from "./brands";
import { encodeElements, forgetListing } from "./encode-array";
import { standInFor } from "./encode-instance";
import { Encoder } from "./encoder";
import { clearMove } from "./markers";
import { Refusal, isStackOverflow, toTransferError, unreadable } from "./refusal";
import type { Writer } from "./writer";

/** In the place of a receiver: the call has none. */
export const NO_RECEIVER: unique symbol = Symbol("no receiver") as never;

export interface CallEncoding {
  /** AsyncHandles among the values; a placeholder in the payload refers to each by its index here, which is the index in `PushOptions.inputs`. */
  readonly dependencies: readonly HandleLike[] | null;
}

const NO_DEPENDENCIES: CallEncoding = Object.freeze({ dependencies: null });

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
 * @param options `move`: buffers among the arguments are moved; `carried`: a value before all others, see carry.ts
 * @throws TransferError for what cannot cross, and whatever a getter throws; the writer is then to be reset. Nothing has been detached.
 */
export function encodeCall(
  writer: Writer,
  receiver: unknown,
  captures: readonly unknown[] | undefined,
  captureNames: readonly string[] | undefined,
  args: ArrayLike<unknown>,
  options?: { move?: boolean; carried?: unknown },
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
        e.value(receiver);
        e.root++;
      }
      for (let i = 0; i < captured; i++) {
        e.value(captures![i]);
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
  options?: { move?: boolean; carried?: unknown },
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
    for (; e.root < before; e.root++) e.value(captures![e.root - first]);
    if (options?.move === true) e.moveAll = true;
    // The slice would be an object of its own, so it takes a number among the references, and one level of depth.
    e.anonymousReference();
    e.depth++;
    encodeElements(e, array, start, end);
    e.finish();
    const { dependencies } = e as { dependencies: HandleLike[] | null };
    return dependencies === null ? NO_DEPENDENCIES : { dependencies };
  } catch (error) {
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
