/** Arguments for any function, from a seed. The same seed makes the same arguments, in any thread. */

export type Schema =
  | { kind: "any" | "number" | "string" | "boolean" | "bigint" | "date" | "regexp" | "undefined" | "null" | "function" }
  | { kind: "literal"; value: string | number }
  | { kind: "typed"; name: string }
  | { kind: "array" | "optional" | "rest"; of: Schema }
  | { kind: "tuple" | "union"; of: Schema[] }
  | { kind: "object"; members: Record<string, Schema> };

export interface FunctionInfo {
  name: string;
  /** Parameters of each overload. */
  signatures: Schema[][];
}

/** A callback: functions cannot be sent, so {@link revive} makes one of it on both sides. */
export class Callback {
  constructor(readonly $callback: number) {}
}

export type Random = () => number;

/** Mulberry32 (Tommy Ettinger, public domain). */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

const pick = <T>(random: Random, values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;

const NUMBERS = [0, -0, 1, -1, 2, 3, 0.5, -1.5, 7, 12, 100, 1e9, 2 ** 31, NaN, Infinity, -Infinity];
const STRINGS = [
  "",
  "a",
  "hello world",
  "Ünïcode 🐇",
  "2024-02-29",
  "2023-12-31T23:59:59.999Z",
  "camelCaseString",
  "12",
  "a.b[0].c",
  "  padded ",
  "\n",
];
const ANY = [
  "number",
  "number",
  "string",
  "string",
  "boolean",
  "date",
  "regexp",
  "undefined",
  "null",
  "array",
  "array",
  "object",
  "typed",
  "bigint",
] as const;

export function generate(random: Random, schema: Schema, depth = 3): unknown {
  switch (schema.kind) {
    case "number":
      return random() < 0.5 ? pick(random, NUMBERS) : random() < 0.7 ? Math.floor(random() * 60) : (random() - 0.5) * 1000;
    case "string":
      return random() < 0.5 ? pick(random, STRINGS) : text(random);
    case "boolean":
      return random() < 0.5;
    case "bigint":
      return BigInt(Math.floor((random() - 0.3) * 1e6));
    case "date":
      return random() < 0.05 ? new Date(NaN) : new Date(Math.floor((random() - 0.2) * 4e12));
    case "regexp":
      return pick(random, [/a/g, /[a-z]+/i, /(\w)(\d)?/]);
    case "undefined":
      return undefined;
    case "null":
      return null;
    case "function":
      return new Callback(Math.floor(random() * 6));
    case "literal":
      return schema.value;
    case "typed":
      return typed(random, schema.name);
    case "array":
      return Array.from({ length: Math.floor(random() * 6) }, () => generate(random, schema.of, depth - 1));
    case "optional":
      return random() < 0.4 ? undefined : generate(random, schema.of, depth);
    case "rest":
      return generate(random, schema.of, depth);
    case "tuple":
      return schema.of.map((part) => generate(random, part, depth - 1));
    case "union":
      return generate(random, pick(random, schema.of), depth);
    case "object": {
      const made: Record<string, unknown> = {};
      for (const [name, member] of Object.entries(schema.members)) {
        if (member.kind === "optional" && random() < 0.5) continue;
        const value = generate(random, member, depth - 1);
        if (!containsCallback(value)) made[name] = value;
      }
      return made;
    }
    case "any":
      return anything(random, depth);
  }
}

function anything(random: Random, depth: number): unknown {
  const kind = pick(random, ANY);
  if (kind === "object") {
    if (depth <= 0) return {};
    return Object.fromEntries(
      Array.from({ length: Math.floor(random() * 4) }, (_, index) => [
        pick(random, ["a", "b", "id", `k${index}`]),
        anything(random, depth - 1),
      ]),
    );
  }
  if (kind === "array")
    return depth <= 0 ? [] : generate(random, { kind, of: { kind: pick(random, ["any", "number", "string"]) } }, depth - 1);
  if (kind === "typed") return typed(random, "Uint8Array");
  return generate(random, { kind }, depth);
}

function typed(random: Random, name: string): unknown {
  const Type = (globalThis as unknown as Record<string, { from(values: number[]): unknown }>)[name] as { from(values: number[]): unknown };
  return Type.from(Array.from({ length: Math.floor(random() * 20) }, () => Math.floor(random() * 256)));
}

function text(random: Random): string {
  return Array.from({ length: Math.floor(random() * 12) }, () => pick(random, [..."abcdeXYZ012 _-.ß🐇"])).join("");
}

function containsCallback(value: unknown): boolean {
  return value instanceof Callback || (Array.isArray(value) && value.some(containsCallback));
}

/** Arguments of one call. */
export function argumentsOf(random: Random, info: FunctionInfo): unknown[] {
  const parameters = pick(random, info.signatures);
  const made: unknown[] = [];
  for (const parameter of parameters) {
    const count = parameter.kind === "rest" ? Math.floor(random() * 3) : 1;
    for (let i = 0; i < count; i++) made.push(generate(random, parameter));
  }
  // Trailing arguments that are not there differ from `undefined` in `arguments.length`, rest parameters and defaults.
  while (made.length > 0 && made[made.length - 1] === undefined && random() < 0.7) made.pop();
  return made;
}

const callbacks: readonly ((...values: unknown[]) => unknown)[] = [
  (value) => value,
  (value) => (typeof value === "number" ? value * 2 : value),
  (value) => Boolean(value),
  (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : 0),
  () => 7,
  (value) => {
    if (typeof value === "string") throw new RangeError(`callback got ${value}`);
    return value;
  },
];

/** The arguments with functions in the place of callbacks. Callbacks stand among the arguments themselves, or in a list that is one. */
export function revive(values: readonly unknown[]): unknown[] {
  return values.map((value) => {
    if (Array.isArray(value)) return value.some(isCallback) ? value.map((part) => (isCallback(part) ? callbackOf(part) : part)) : value;
    return isCallback(value) ? callbackOf(value) : value;
  });
}

/** It may have lost its class on the way. */
function isCallback(value: unknown): value is Callback {
  return typeof value === "object" && value !== null && "$callback" in value;
}

function callbackOf({ $callback }: Callback): unknown {
  return callbacks[$callback];
}
