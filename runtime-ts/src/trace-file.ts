/**
 * Makes a trace file of what has been recorded: Chrome's trace-event format, as JSON.
 *
 * Takes the rows of trace.ts. Gives, on one time line in microseconds since the start of the recording: a track for the program's thread and one for each worker; on
 * them slices for pushes, runs and pulls; an arrow from each push to its runs and to the pull (a flow: `s`, `t`, `f`); instants for workers that start and
 * end; counters of the tasks that are queued and running.
 *
 * Slices on a track have to nest. Those of one thread do, but for two: asynchronous tasks, which take turns, and a task that was given up while it still
 * ran. What does not nest goes to a second track of the same worker.
 */
import { threadId } from "node:worker_threads";
import { Settlement } from "./pool/backend";
import { Kind } from "./trace-events";
import { BLOCK, type Recording, ROW } from "./trace-recording";

/** Thread ids in the file: Perfetto takes 0 for the idle thread of Linux. */
const FIRST_TID = 1;
/** Tracks that a thread's slices may need. */
const LANES = 1000;

/** Points of a counter, at most about so many. */
const COUNTER_POINTS = 4000;

const OUTCOMES: Record<number, string> = {
  [Settlement.Fulfilled]: "fulfilled",
  [Settlement.Rejected]: "rejected",
  [Settlement.Cancelled]: "cancelled",
  [Settlement.TimedOut]: "timed out",
  [Settlement.Crashed]: "crashed",
  [Settlement.DependencyFailed]: "dependency failed",
};

/** A slice; times in whole nanoseconds, so that rounding changes no order. */
interface Slice {
  seat: number;
  lane: number;
  start: number;
  end: number;
  category: "push" | "task" | "pull";
  name: string;
  args: Record<string, unknown>;
}

/** What belongs to one push. */
interface Flow {
  id: string;
  push: Slice;
  runs: Slice[];
  pull: Slice | undefined;
}

/** @returns the parts of the file's text */
export function traceFile(recording: Recording): string {
  const { slices, flows, queued, running } = readRows(recording);
  const lanes = assignLanes(slices);
  const lines: string[] = [];
  const write = (event: Record<string, unknown>): void => void lines.push(JSON.stringify(event));
  const pid = process.pid;

  write({ ph: "M", name: "process_name", pid, tid: FIRST_TID, args: { name: `makeparallel ${process.title}` } });
  const seats = new Set([-1, ...recording.sources.map(({ seat }) => seat), ...recording.workers.map(({ seat }) => seat), ...lanes.keys()]);
  for (const seat of seats) {
    for (let lane = 0; lane < (lanes.get(seat) ?? 1); lane++) {
      const tid = tidOf(seat, lane);
      const thread = seat >= 0 ? `worker ${seat}` : threadId === 0 ? "main" : `thread ${threadId}`;
      write({ ph: "M", name: "thread_name", pid, tid, args: { name: lane === 0 ? thread : `${thread} (${lane + 1})` } });
      write({ ph: "M", name: "thread_sort_index", pid, tid, args: { sort_index: tid } });
    }
  }
  // In the order of time, outer slices first.
  for (const { seat, lane, start, end, category, name, args } of slices)
    write({ ph: "X", cat: category, name, pid, tid: tidOf(seat, lane), ts: micros(start), dur: micros(end - start), args });
  for (const flow of flows) writeFlow(flow, write, pid);
  for (const { name, time, seat, args } of recording.workers)
    write({ ph: "i", s: "t", cat: "worker", name: `worker ${name}`, pid, tid: tidOf(seat, 0), ts: micros(nanos(recording, time)), args });
  writeCounter("queued tasks", queued, recording, write, pid);
  writeCounter("running tasks", running, recording, write, pid);

  const about = {
    producer: "makeparallel",
    recordedAt: new Date(recording.date).toISOString(),
    events: recording.rows,
    droppedEvents: recording.dropped,
  };
  return `{"displayTimeUnit":"ms","otherData":${JSON.stringify(about)},"traceEvents":[\n${lines.join(",\n")}\n]}\n`;
}

function tidOf(seat: number, lane: number): number {
  return FIRST_TID + (seat + 1) * LANES + lane;
}

function nanos({ started }: Recording, time: number): number {
  return Math.max(0, Math.round((time - started) * 1e6));
}

function micros(ns: number): number {
  return ns / 1000;
}

/** One more (or less) from a time on. */
interface Step {
  time: number;
  by: number;
}

function readRows(recording: Recording): { slices: Slice[]; flows: Flow[]; queued: Step[]; running: Step[] } {
  const slices: Slice[] = [];
  const flows = new Map<string, Flow>();
  const queued: Step[] = [];
  const running: Step[] = [];
  const names = recording.sources.map(() => [] as { id: string; name: string }[]);
  // A flow's push is in the same source as its run, and before it.
  for (let row = 0; row < recording.rows; row++) {
    const block = recording.blocks[Math.floor(row / BLOCK)]!;
    const at = (row % BLOCK) * ROW;
    const [kind, number, time, duration, fn, a, b, c, sourceIndex] = block.subarray(at, at + ROW) as unknown as number[];
    const source = recording.sources[sourceIndex!]!;
    const { id, name } = (names[sourceIndex!]![fn!] ??= source.telemetry.function(fn!));
    const key = `${sourceIndex}.${number}`;
    const start = nanos(recording, time!);
    const end = nanos(recording, time! + duration!);
    const flow = flows.get(key);
    switch (kind as Kind) {
      case Kind.Push: {
        const items = a! > 0 ? { items: a } : {};
        const push: Slice = { seat: source.seat, lane: 0, start, end, category: "push", name: `push ${name}`, args: { id, ...items } };
        slices.push(push);
        flows.set(key, { id: key, push, runs: [], pull: undefined });
        break;
      }
      case Kind.Run: {
        // Its push was before the recording.
        if (flow === undefined) break;
        const { items } = flow.push.args;
        const seat = source.seatOf(c!);
        const outcome = OUTCOMES[a!];
        const args: Record<string, unknown> = { id, outcome, "queue wait (ms)": b };
        if (items !== undefined) args["items"] = items;
        if (flow.runs.length > 0) args["run"] = flow.runs.length + 1;
        const run: Slice = { seat, lane: 0, start, end, category: "task", name, args };
        slices.push(run);
        flow.runs.push(run);
        queued.push({ time: Math.max(flow.push.start, nanos(recording, time! - b!)), by: 1 }, { time: start, by: -1 });
        running.push({ time: start, by: 1 }, { time: end, by: -1 });
        break;
      }
      case Kind.NoRun: {
        if (flow === undefined) break;
        flow.push.args["outcome"] = OUTCOMES[a!];
        if (a! === Settlement.Cancelled || a! === Settlement.TimedOut) queued.push({ time: flow.push.end, by: 1 }, { time: start, by: -1 });
        break;
      }
      case Kind.Pull: {
        if (flow === undefined || flow.pull !== undefined) break;
        flow.pull = { seat: source.seat, lane: 0, start, end, category: "pull", name: `pull ${name}`, args: { id } };
        slices.push(flow.pull);
        break;
      }
    }
  }
  slices.sort((x, y) => x.start - y.start || y.end - x.end);
  return { slices, flows: [...flows.values()], queued, running };
}

/** Puts each slice on the first track of its thread on which it nests. Gives the number of tracks of each thread. */
function assignLanes(slices: readonly Slice[]): Map<number, number> {
  /** By thread and track: the ends of the slices that are open, the innermost last. */
  const open = new Map<number, number[][]>();
  for (const slice of slices) {
    let lanes = open.get(slice.seat);
    if (lanes === undefined) open.set(slice.seat, (lanes = []));
    let lane = 0;
    for (; ; lane++) {
      const ends = (lanes[lane] ??= []);
      while (ends.length > 0 && ends[ends.length - 1]! <= slice.start) ends.pop();
      if (ends.length > 0 && ends[ends.length - 1]! < slice.end && lane < LANES - 1) continue;
      ends.push(slice.end);
      break;
    }
    slice.lane = lane;
  }
  return new Map(Array.from(open, ([seat, lanes]) => [seat, lanes.length]));
}

/** The arrow of one push, if there is anything that it leads to. Its points lie inside of the slices that it connects. */
function writeFlow({ id, push, runs, pull }: Flow, write: (event: Record<string, unknown>) => void, pid: number): void {
  const points = [{ slice: push, ts: push.start }, ...runs.map((slice) => ({ slice, ts: slice.start }))];
  // The end of a blocking wait is when the result was there.
  if (pull !== undefined) points.push({ slice: pull, ts: Math.max(pull.start, pull.end - 1) });
  if (points.length < 2) return;
  const last = points.length - 1;
  points.forEach(({ slice, ts }, i) => {
    const ph = i === 0 ? "s" : i === last ? "f" : "t";
    const event: Record<string, unknown> = { ph, cat: "flow", name: "task", id, pid, tid: tidOf(slice.seat, slice.lane), ts: micros(ts) };
    if (ph === "f") event["bp"] = "e";
    write(event);
  });
}

function writeCounter(
  name: string,
  steps: Step[],
  recording: Recording,
  write: (event: Record<string, unknown>) => void,
  pid: number,
): void {
  steps.sort((x, y) => x.time - y.time || y.by - x.by);
  const pause = ((recording.ended - recording.started) * 1e6) / COUNTER_POINTS;
  let value = 0;
  let due = -1;
  write({ ph: "C", name, pid, tid: FIRST_TID, ts: 0, args: { tasks: 0 } });
  steps.forEach(({ time, by }, i) => {
    value += by;
    const next = steps[i + 1]?.time;
    // One point for what happens at one time, and few enough of them; the last one always.
    if (next === time || (next !== undefined && time < due)) return;
    due = time + pause;
    write({ ph: "C", name, pid, tid: FIRST_TID, ts: micros(time), args: { tasks: value } });
  });
}
