/** What travels between the environments of a TypeScript pool as messages. All go to or from the root, which passes them on. */
import { MessagePort } from "node:worker_threads";
import type { Encoded } from "./backend";
import type { Parcel } from "./ledger";

/** A payload (or result) that does not fit into its slot, or has attachments. */
export interface ParcelMessage extends Parcel {
  kind: "parcel" | "result";
  /** Environment that it is for. */
  to: number;
  slot: number;
  /** Of the slot's state word. */
  generation: number;
  inputs: Encoded[] | null;
}

export type Message =
  | ParcelMessage
  /** To the root: stop the worker that runs a dropped task if it still does after `grace` ms. */
  | { kind: "stop"; slot: number; word: number; grace: number }
  /** To the root: after `ms`, the task in the slot has used up its time, if it is still the same. */
  | { kind: "watch"; slot: number; generation: number; ms: number; grace: number }
  | { kind: "warm"; id: number; index: number }
  | { kind: "warmed"; id: number; error: Parcel | undefined }
  /** To the root: the worker could not start. */
  | { kind: "failed"; error: Parcel };

/** What of a message moves instead of being copied. */
export function parcelTransfers(message: ParcelMessage): unknown[] {
  const transfers: unknown[] = [...(message.transfers ?? [])];
  message.transfers = null;
  // The bytes have been made for this parcel. Buffer pools never appear here, see takeParcel.
  transfers.push(message.bytes.buffer);
  // Inputs may be needed again: their buffers are copied, but a port can only be moved.
  for (const input of message.inputs ?? [])
    for (const item of input.attachments ?? []) if (item instanceof MessagePort) transfers.push(item);
  return transfers;
}
