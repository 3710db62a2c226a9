/**
 * What an environment notes while the root traces: pushes, runs and pulls, as rows of eight numbers in the ring of its telemetry.ts memory.
 *
 * Takes: calls from the places where tasks are pushed, settled and looked at, each behind a look at {@link isTracing}. Gives: events that the root
 * takes out and makes a file of (trace.ts). One thread writes, the root reads; an event that finds the ring full is counted as dropped.
 */
import { processNow } from "./clock";
import type { Run, Settlement } from "./pool/backend";
import { C, control, EVENT, EVENTS, telemetry } from "./telemetry";

/** What an event tells. Words: kind, flow (number of the push in its environment), time and duration in ms on the process's clock, function, and three more. */
export const enum Kind {
  /** Time: the call that queued it. Then: items, if it is a chunk of a map. */
  Push = 1,
  /** Time: the run. Then: settlement, queue wait in ms, worker (see `Run`). */
  Run = 2,
  /** Settled without a run, at that time. Then: settlement. */
  NoRun = 3,
  /** Time: the first look at the outcome; its duration is that of a blocking wait, or of the callback. */
  Pull = 4,
}

/** True while the root traces. */
export function isTracing(): boolean {
  return control[C.Tracing] !== 0;
}

/** How the root makes room in its own ring. */
let makeRoom: (() => void) | undefined;

export function onFullRing(callback: () => void): void {
  makeRoom = callback;
}

let lastFlow = 0;

/** A call has queued a task. @param from when the call began, on the process's clock @param items of a chunk @returns its flow */
export function tracePush(fn: number, from: number, items = 0): number {
  const flow = ++lastFlow;
  write(Kind.Push, flow, from, processNow() - from, fn, items, 0, 0);
  return flow;
}

/** A task's run has ended, or it has been settled without one. */
export function traceRun(flow: number, fn: number, settlement: Settlement, elapsed: number, run: Run | null): void {
  if (run === null) write(Kind.NoRun, flow, processNow(), 0, fn, settlement, 0, 0);
  else write(Kind.Run, flow, run.started, elapsed, fn, settlement, run.waited, run.worker);
}

/** Somebody has looked at the outcome. @param from when that began */
export function tracePull(flow: number, fn: number, from: number): void {
  write(Kind.Pull, flow, from, processNow() - from, fn, 0, 0, 0);
}

function write(kind: Kind, flow: number, time: number, duration: number, fn: number, a: number, b: number, c: number): void {
  if (!isTracing()) return;
  const written = Atomics.load(control, C.Written);
  if (((written - Atomics.load(control, C.Taken)) | 0) >= EVENTS) {
    makeRoom?.();
    if (((written - Atomics.load(control, C.Taken)) | 0) >= EVENTS) {
      Atomics.add(control, C.Dropped, 1);
      return;
    }
  }
  const { events } = telemetry();
  const at = (written & (EVENTS - 1)) * EVENT;
  events[at] = kind;
  events[at + 1] = flow;
  events[at + 2] = time;
  events[at + 3] = duration;
  events[at + 4] = fn;
  events[at + 5] = a;
  events[at + 6] = b;
  events[at + 7] = c;
  // Publishes the event.
  Atomics.store(control, C.Written, (written + 1) | 0);
}
