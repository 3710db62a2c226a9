/** Random graphs against structured clone. The seed is printed by the failing test's name; every run tries the same ones. */
import { expectSameGraph, roundTrip } from "./support";

/** mulberry32 */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const VIEWS = [Uint8Array, Int8Array, Uint16Array, Int32Array, Float32Array, Float64Array, BigInt64Array, DataView];

function randomValue(seed: number): unknown {
  const random = generator(seed);
  const int = (n: number): number => Math.floor(random() * n);
  const pick = <T>(list: readonly T[]): T => list[int(list.length)]!;
  const made: object[] = [];
  let budget = 200;
  const string = (): string => {
    const length = pick([0, 1, 3, 12, 13, 40, 41, 63, 64, 200]);
    const top = pick([128, 256, 0x3000, 0x10000]);
    return String.fromCharCode(...Array.from({ length }, () => int(top)));
  };
  const number = (): number =>
    pick([0, -0, int(64), -int(200), int(2 ** 31), -int(2 ** 31), random() * 1e6, NaN, Infinity, 2 ** 40 + int(1000)]);
  const keep = <T extends object>(object: T): T => {
    made.push(object);
    return object;
  };
  const value = (): unknown => {
    if (budget-- <= 0) return int(10);
    switch (int(22)) {
      case 0:
        return undefined;
      case 1:
        return null;
      case 2:
        return random() < 0.5;
      case 3:
      case 4:
        return number();
      case 5:
      case 6:
        return string();
      case 7:
        return pick([0n, BigInt(int(2 ** 31)), -(BigInt(int(2 ** 31)) ** BigInt(int(20)))]);
      case 8:
      case 9:
      case 10: {
        const object = keep({} as Record<string, unknown>);
        const keys = pick([["a", "b"], ["a", "c", "b"], ["id", "name", "x", "y"], [string(), "__proto__", "10", "2"], ["k"]]);
        for (const key of keys)
          Object.defineProperty(object, key, { value: value(), enumerable: true, writable: true, configurable: true });
        return object;
      }
      case 11:
      case 12: {
        const array = keep([] as unknown[]);
        const length = int(12);
        for (let i = 0; i < length; i++) if (random() < 0.9) array[i] = value();
        array.length = Math.max(array.length, length);
        if (random() < 0.2) (array as unknown as Record<string, unknown>)[pick(["x", "index", "-1"])] = value();
        return array;
      }
      case 13: {
        const array = keep(Array.from({ length: int(100) }, number));
        if (random() < 0.3) array.push(value() as number);
        return array;
      }
      case 14: {
        const map = keep(new Map<unknown, unknown>());
        for (let i = int(4); i > 0; i--) map.set(value(), value());
        return map;
      }
      case 15: {
        const set = keep(new Set<unknown>());
        for (let i = int(4); i > 0; i--) set.add(value());
        return set;
      }
      case 16:
        return keep(new Date(number()));
      case 17: {
        const view = pick(VIEWS);
        const memory = new ArrayBuffer(64);
        new Uint8Array(memory).fill(int(256));
        made.push(memory);
        return keep(new (view as any)(memory, 8 * int(3), int(5)) as object);
      }
      case 18:
        return keep(Object(pick([number(), string(), true, 5n])) as object);
      case 19:
        return keep(pick([new TypeError(string()), new Error(string(), { cause: value() })]));
      default:
        return made.length === 0 ? string() : pick(made);
    }
  };
  return Array.from({ length: 1 + int(5) }, value);
}

test.each(Array.from({ length: 6 }, (_, i) => i * 100))("random graphs of seeds %i to +99", (first) => {
  for (let seed = first; seed < first + 100; seed++) {
    const value = randomValue(seed);
    try {
      expectSameGraph(roundTrip(value), structuredClone(value));
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
});
