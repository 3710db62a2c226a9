/** Whether a value can be encoded, found out by doing it: what an error holds is looked at piece by piece, so that one that can't cross does not take the others along. */
import { ByteWriter } from "./byte-writer";
import { encodeValue } from "./encode";

/** What encoding the value alone throws; undefined when it crosses. */
export function obstacle(value: unknown): unknown {
  try {
    encodeValue(new ByteWriter(new Uint8Array(64)), value, "error");
    return undefined;
  } catch (error) {
    return error ?? new Error("its encoding failed");
  }
}

export function crosses(value: unknown): boolean {
  return obstacle(value) === undefined;
}
