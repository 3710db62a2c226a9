/** What a trace holds until it is saved: made by trace.ts, read by trace-file.ts. */
import { EVENT, type Telemetry } from "./telemetry";

/** Rows of a block. */
export const BLOCK = 4096;
/** Numbers of a row: an event, and the index of its source. */
export const ROW = EVENT + 1;

/** One environment whose events are in the trace. */
export interface TraceSource {
  telemetry: Telemetry;
  /** -1: the program's thread. */
  seat: number;
  seatOf: (worker: number) => number;
}

/** A worker's start or end. */
export interface TracedWorkerEvent {
  name: "spawn" | "exit";
  time: number;
  seat: number;
  args: Record<string, unknown>;
}

/** What has been recorded. */
export interface Recording {
  /** On the process's clock. */
  started: number;
  ended: number;
  /** Milliseconds since the epoch at `started`. */
  date: number;
  sources: TraceSource[];
  blocks: Float64Array[];
  rows: number;
  dropped: number;
  workers: TracedWorkerEvent[];
}
