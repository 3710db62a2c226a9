import awaitedMany from "../scenarios/awaited-many.mjs";
import awaitedOne from "../scenarios/awaited-one.mjs";
import blockingOne from "../scenarios/blocking-one.mjs";
import coldStart from "../scenarios/cold-start.mjs";
import eventLoopDelay from "../scenarios/event-loop-delay.mjs";
import forkJoin from "../scenarios/fork-join.mjs";
import idleMemory from "../scenarios/idle-memory.mjs";
import largeChunk from "../scenarios/large-chunk.mjs";
import mapMillion from "../scenarios/map-million.mjs";
import move from "../scenarios/move.mjs";
import records from "../scenarios/records.mjs";
import scaling from "../scenarios/scaling.mjs";
import string from "../scenarios/string.mjs";

/**
 * In the order of the table. A scenario has:
 *
 * - `id`, `title`, `unit`, and `higherIsBetter` where that is so
 * - `libraries`: names of the adapters that take part
 * - `forms(library)`: ways in which a library takes part, when there is more than one
 * - `prepare()`: what is needed once, before the first measurement
 * - `measure({ open, quick, library, variant, form })`: one value, measured in a fresh process; `open(threads)` makes the library's pool
 * - `derive(results)`: makes other rows of the medians, where what was measured is not what is shown
 * - `aim`: `value(results)`, and, where an aim is set, `met(value)`
 */
export const scenarios = [
  awaitedMany,
  awaitedOne,
  blockingOne,
  mapMillion,
  records,
  move,
  string,
  coldStart,
  largeChunk,
  scaling,
  forkJoin,
  eventLoopDelay,
  idleMemory,
];
