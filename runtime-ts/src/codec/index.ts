/**
 * The codec: values to payloads and back. See tags.ts for the format, encoder.ts and decoder.ts for the two sides.
 */
export { ByteWriter, MAX_PAYLOAD } from "./byte-writer";
export { HANDLE_BRAND, PARALLEL_BRAND, STAYS_BRAND, onParallelFunction, type HandleLike, type ParallelFunctionReference } from "./brands";
export {
  classById,
  classByPrototype,
  classStillLoads,
  decodeFor,
  loadingBehind,
  onUnknownClass,
  registerClass,
  revival,
  type PrivateAccessors,
  whenLoaded,
} from "./classes";
export { decodeCall, decodeCallFor, decodeItems, decodeValue } from "./decode";
export { lackedStack } from "./decoder";
export { NO_RECEIVER, encodeCall, encodeItemsCall, encodeValue, type CallEncoding } from "./encode";
export { unreachable } from "./encode-instance";
export { encodeError } from "./encode-thrown";
export { explainFlattened, takeFlattened } from "./flattened";
export { move, share, sharedArray } from "./markers";
export type { Writer } from "./writer";
