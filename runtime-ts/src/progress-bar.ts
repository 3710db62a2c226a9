/**
 * `progressBar`: shows on a terminal how far tasks are, while the program's event loop turns.
 *
 * Takes a handle, handles or a map. Draws through cli-progress, which is only loaded for the first bar on a terminal. Where the output is no terminal it writes a
 * line now and then instead, or nothing. A bar ends with what it shows, however that ends.
 */
import type { MultiBar, SingleBar } from "cli-progress";
import { inspect } from "node:util";
import { type AsyncHandle, escape, isHandle } from "./handle";
import { MapHandle } from "./map";
import { checkKeys } from "./options";
import { Settlement } from "./pool/backend";
import { performance } from "./own-clock";

/** Options of `progressBar()`. */
export interface ProgressBarOptions {
  /** What stands before the bar. Default: the function's name. */
  label?: string;
  /** Where it is shown. Default: `process.stderr`. */
  stream?: NodeJS.WritableStream & { isTTY?: boolean };
  /** What is written where `stream` is no terminal: a line for each tenth, at most one a second (default), or nothing. */
  piped?: "lines" | "silent";
}

/** What a bar can show: a handle (also as the promise of an `async` parallel function), handles, or a map. */
export type ProgressTarget = Promise<unknown> | readonly Promise<unknown>[];

/** How far something is. */
interface Progress {
  /** 0..1; NaN: not known. */
  fraction: number;
  /** Tasks, or items, that have ended, and how many there are, if that is known. */
  done: number;
  total: number | undefined;
  /** Without a count, a single task is shown. */
  counted: boolean;
  failed: number;
  cancelled: number;
}

/** Shows progress somewhere. */
interface Display {
  update(progress: Progress): void;
  /** The last update. */
  end(progress: Progress): void;
}

const UNITS = { counted: "{bar} {percent} {count} {time}{state}", single: "{bar} {percent} {time}{state}", open: "{count} {time}{state}" };
/** Length of a bar where there is room. */
const BAR = 30;
/** ms between lines where there is no terminal. */
const LINE_PAUSE = 1_000;

/**
 * Shows how far tasks are: of one handle, what it reports by `reportProgress`; of many, how many have ended, and what the others report; of a map, its items. It is
 * drawn while the event loop turns: not during a blocking `get()`. Like waiting for a handle, it keeps the process alive until the tasks have ended.
 * @param target what is shown
 * @param options what stands before the bar, and where it is drawn
 * @returns `target` itself: `await progressBar(render(doc))`, `await gather(progressBar(handles))`
 * @throws TypeError when `target` holds something that does not come from a parallel function, or for a bad option
 */
export function progressBar<T extends ProgressTarget>(target: T, options: ProgressBarOptions = {}): T {
  checkKeys(options, ["label", "stream", "piped"], "progressBar()");
  const { stream = process.stderr, piped = "lines" } = options;
  if (piped !== "lines" && piped !== "silent") throw new TypeError(`"piped" is "lines" or "silent", not ${inspect(piped)}.`);
  const name = target instanceof MapHandle ? target._outcome.name : isHandle(target) ? target.name : nameOfAll(handlesOf(target));
  const label = options.label ?? name;
  const begun = performance.now();
  let display: Display | undefined;
  if (stream.isTTY === true) display = new TerminalDisplay(label, stream, begun, shapeOf(target), totalOf(target));
  else if (piped === "lines") display = new LineDisplay(label, stream, begun);
  if (display !== undefined) follow(target, escaping(display));
  return target;
}

/** What the stream throws is nobody's who waits for a task. */
function escaping(display: Display): Display {
  return {
    update: (progress) => escape(() => display.update(progress)),
    end: (progress) => escape(() => display.end(progress)),
  };
}

function handlesOf(target: ProgressTarget): readonly AsyncHandle<unknown>[] {
  if (!Array.isArray(target))
    throw new TypeError("progressBar() takes a handle, an array of handles or what map() returns; this is another promise.");
  const strange = target.findIndex((item) => !isHandle(item));
  if (strange >= 0) throw new TypeError(`progressBar() takes handles, and item ${strange} of the array is none.`);
  return target as AsyncHandle<unknown>[];
}

function nameOfAll(handles: readonly AsyncHandle<unknown>[]): string {
  const names = new Set(handles.map(({ name }) => name));
  return names.size === 1 ? [...names][0]! : "tasks";
}

function shapeOf(target: ProgressTarget): keyof typeof UNITS {
  if (target instanceof MapHandle) return Number.isNaN(target.progress) ? "open" : "counted";
  return isHandle(target) ? "single" : "counted";
}

function totalOf(target: ProgressTarget): number | undefined {
  return target instanceof MapHandle ? target._total : isHandle(target) ? 1 : handlesOf(target).length;
}

// ---- following

function follow(target: ProgressTarget, display: Display): void {
  if (target instanceof MapHandle) followMap(target, display);
  else followHandles(isHandle(target) ? [target] : handlesOf(target), !isHandle(target), display);
}

function followHandles(handles: readonly AsyncHandle<unknown>[], counted: boolean, display: Display): void {
  const progress: Progress = { fraction: 0, done: 0, total: handles.length, counted, failed: 0, cancelled: 0 };
  /** What those that have not ended report, added up. */
  let open = 0;
  const show = (): void => {
    // Sums of fractions are not exact: what has ended is counted.
    progress.fraction = progress.done === handles.length ? 1 : Math.min(1, (progress.done + Math.max(0, open)) / handles.length);
    if (progress.done === handles.length) display.end(progress);
    else display.update(progress);
  };
  if (handles.length === 0) show();
  for (const handle of handles) {
    let last = 0;
    const report = (fraction: number): void => {
      open += fraction - last;
      last = fraction;
    };
    handle.onProgress((fraction) => {
      // What was under way when the task ended.
      if (handle._settlement !== 0) return;
      report(fraction);
      show();
    });
    handle._whenSettled(() => {
      report(0);
      progress.done++;
      note(progress, handle);
      show();
    });
  }
}

function followMap(map: MapHandle<unknown>, display: Display): void {
  const progress: Progress = { fraction: map.progress, done: 0, total: undefined, counted: true, failed: 0, cancelled: 0 };
  map._onItems((done, total) => {
    progress.done = done;
    progress.total = total;
    progress.fraction = map.progress;
    if (map._outcome._settlement === 0) display.update(progress);
  });
  map._outcome._whenSettled((outcome) => {
    note(progress, outcome);
    if (outcome._settlement === Settlement.Fulfilled) progress.fraction = 1;
    display.end(progress);
  });
}

function note(progress: Progress, { _settlement }: AsyncHandle<unknown>): void {
  if (_settlement === Settlement.Cancelled) progress.cancelled++;
  else if (_settlement !== Settlement.Fulfilled) progress.failed++;
}

// ---- words

/** Finished, and how: nothing for success. */
function stateOf({ counted, failed, cancelled, total }: Progress): string {
  if (!counted || total === undefined) return failed > 0 ? "failed" : cancelled > 0 ? "cancelled" : "";
  return [failed > 0 ? `${failed} failed` : "", cancelled > 0 ? `${cancelled} cancelled` : ""].filter(Boolean).join(", ");
}

/** In whole percent, rounded down, but for what is a whole percent and not quite so as a binary fraction (0.29). */
function percentOf(fraction: number): string {
  return `${Math.floor(fraction * 100 + 1e-9)}%`;
}

function countOf({ done, total }: Progress): string {
  return total === undefined ? `${done} done` : `${done}/${total}`;
}

function timeSince(begun: number): string {
  const seconds = (performance.now() - begun) / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
}

// ---- a terminal

/** The bars of a stream, which are drawn below each other; there while one of them moves. */
const terminals = new Map<NodeJS.WritableStream, { bars: MultiBar; moving: number }>();

class TerminalDisplay implements Display {
  private readonly bar: SingleBar;
  private readonly terminal: { bars: MultiBar; moving: number };

  constructor(
    private readonly label: string,
    private readonly stream: NodeJS.WritableStream,
    private readonly begun: number,
    shape: keyof typeof UNITS,
    total: number | undefined,
  ) {
    let terminal = terminals.get(stream);
    if (terminal === undefined) {
      const library = require("cli-progress") as typeof import("cli-progress");
      // Nothing is switched off that would have to be switched on again, should the process be killed: neither the cursor nor the wrapping of lines.
      const settings = { stream, hideCursor: false, linewrap: true, barsize: BAR, autopadding: false };
      terminal = { bars: new library.MultiBar(settings, library.Presets.shades_classic), moving: 0 };
      terminals.set(stream, terminal);
      if (terminals.size === 1) process.once("exit", endAll);
    }
    terminal.moving++;
    this.terminal = terminal;
    const nothing: Progress = { fraction: 0, done: 0, total, counted: true, failed: 0, cancelled: 0 };
    const words = this.words(nothing);
    const { columns = 80 } = stream as { columns?: number };
    // A line that is too long is cut at its end, where the figures are. So the bar is shorter where there is less room.
    const figures = shape === "single" ? 14 : 14 + 2 * words.count!.length;
    const barsize = Math.max(3, Math.min(BAR, columns - label.length - figures));
    this.bar = terminal.bars.create(1, 0, words, { format: `{label} ${UNITS[shape]}`, barsize });
  }

  private words(progress: Progress): Record<string, string> {
    const { fraction } = progress;
    const state = stateOf(progress);
    return {
      label: this.label,
      percent: percentOf(Number.isNaN(fraction) ? 0 : fraction).padStart(4),
      count: countOf(progress),
      time: timeSince(this.begun),
      state: state === "" ? "" : ` ${state}`,
    };
  }

  update(progress: Progress): void {
    this.bar.update(Number.isNaN(progress.fraction) ? 0 : progress.fraction, this.words(progress));
  }

  end(progress: Progress): void {
    this.update(progress);
    this.bar.stop();
    if (--this.terminal.moving > 0) return;
    // The last bar of the stream: it draws all of them once more and moves on to the next line.
    terminals.delete(this.stream);
    this.terminal.bars.stop();
    if (terminals.size === 0) process.off("exit", endAll);
  }
}

/** The program ends although a bar moves. */
function endAll(): void {
  for (const { bars } of terminals.values()) bars.stop();
}

// ---- no terminal

class LineDisplay implements Display {
  private tenths = 0;
  private written: number;

  constructor(
    private readonly label: string,
    private readonly stream: NodeJS.WritableStream,
    private readonly begun: number,
  ) {
    this.written = begun;
  }

  update(progress: Progress): void {
    const now = performance.now();
    const tenths = Math.floor(progress.fraction * 10);
    // NaN is no tenth: then only the time counts.
    if (now - this.written < LINE_PAUSE || tenths <= this.tenths) return;
    this.tenths = tenths;
    this.written = now;
    this.write(progress);
  }

  end(progress: Progress): void {
    this.write(progress);
  }

  private write(progress: Progress): void {
    const { fraction, counted } = progress;
    const parts = [
      Number.isNaN(fraction) ? "" : percentOf(fraction),
      counted ? countOf(progress) : "",
      timeSince(this.begun),
      stateOf(progress),
    ];
    this.stream.write(`${this.label}: ${parts.filter(Boolean).join(", ")}\n`);
  }
}
