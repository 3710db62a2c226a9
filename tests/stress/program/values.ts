/** Values that travel: made from a small specification on either side, and compared by a digest where they are large. */
import { Random } from "./random";
import type { ValueSpec } from "./plan";

/** A class of the program: it keeps its prototype and its private field on the way. */
export class Point {
  #secret: number;

  constructor(
    public x: number,
    secret: number,
  ) {
    this.#secret = secret;
  }

  get secret(): number {
    return this.#secret;
  }
}

export class StressError extends Error {
  override readonly name = "StressError";

  constructor(
    message: string,
    readonly task: number,
  ) {
    super(message);
  }
}

/** The value of a specification; the same each time. */
export function make({ kind, size, seed }: ValueSpec): unknown {
  const random = new Random(seed);
  switch (kind) {
    case "number":
      return random.pick([random.next(), random.int(-1e9, 1e9), -0, NaN, Infinity, 2 ** 53]);
    case "bigint":
      return BigInt(random.seed()) ** BigInt(1 + (size % 9));
    case "nothing":
      return random.pick([undefined, null, true, ""]);
    case "text":
      return Array.from({ length: size }, () => random.pick(["a", "é", "語", "😀", "\0"])).join("");
    case "bytes":
      return bytes(size, seed);
    case "instance":
      return new Point(random.int(0, 1e6), seed);
    case "collection":
      return new Map<unknown, unknown>([
        ["set", new Set([1, "two", random.next()])],
        [new Date(random.int(0, 1e9)), /x+/giu],
        ["point", new Point(1, seed)],
      ]);
    case "nested":
      return nested(random, Math.min(size, 200));
  }
}

function nested(random: Random, size: number): unknown {
  if (size <= 1) return random.pick<unknown>([1, "x", null, undefined, random.next(), [], {}]);
  const parts = Array.from({ length: random.int(1, 4) }, () => nested(random, Math.floor(size / 2)));
  return random.chance(0.5) ? parts : Object.fromEntries(parts.map((part, i) => [`k${i}`, part]));
}

function bytes(size: number, seed: number): Uint8Array {
  const result = new Uint8Array(size);
  for (let i = 0; i < size; i += 97) result[i] = (seed + i) & 255;
  return result;
}

/** A number that tells values apart. Follows no cycles: the values here have none. */
export function digest(value: unknown): number {
  let hash = 17;
  const add = (number: number): void => void (hash = (Math.imul(hash, 31) + number) | 0);
  const text = (string: string): void => {
    for (let i = 0; i < string.length; i++) add(string.charCodeAt(i));
  };
  const visit = (item: unknown): void => {
    if (typeof item !== "object" || item === null) {
      text(typeof item + (Object.is(item, -0) ? "-0" : String(item)));
    } else if (ArrayBuffer.isView(item)) {
      const view = new Uint8Array(item.buffer, item.byteOffset, item.byteLength);
      text(item.constructor.name);
      for (let i = 0; i < view.length; i++) add(view[i]!);
    } else if (item instanceof Map) {
      text("Map");
      for (const [key, inner] of item) {
        visit(key);
        visit(inner);
      }
    } else if (item instanceof Set) {
      text("Set");
      for (const inner of item) visit(inner);
    } else if (item instanceof Date || item instanceof RegExp) {
      text(String(Number(item)) + String(item));
    } else if (item instanceof Point) {
      text(`Point ${item.x} ${item.secret}`);
    } else {
      text(Array.isArray(item) ? `[${item.length}` : "{");
      for (const [key, inner] of Object.entries(item)) {
        text(key);
        visit(inner);
      }
    }
  };
  visit(value);
  return hash;
}
