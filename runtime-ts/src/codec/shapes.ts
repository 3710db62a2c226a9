/**
 * Key lists of plain objects. A payload holds each list once; objects refer to it by number.
 *
 * The encoder finds an object's list by guessing (the list that followed the previous one last time) and comparing; a wrong guess costs a walk
 * through a trie of keys. The decoder recognises definitions it has seen in earlier payloads by their bytes, so that keys are made into strings
 * once a process and objects of one shape share a hidden class.
 */

/** Objects with more keys are dictionaries, written with their keys. */
export const MAX_SHAPE_KEYS = 48;
/** Trie nodes kept before the table starts afresh: bounds memory for programs whose objects never look alike. */
const MAX_NODES = 4096;
/** New nodes in one payload before it is taken to hold dictionaries. */
const MAX_NEW_NODES = 512;

export class Shape {
  /** What the encoder writes the first time in a payload; made on first use. */
  definition: Uint8Array | null = null;
  /** The payload (see Encoder.epoch) in which `id` is valid. */
  epoch = 0;
  id = 0;
  /** The guess for the object after one of this shape. */
  next: Shape | null = null;
  children: Map<string, Shape> | null = null;

  constructor(readonly keys: readonly string[]) {}
}

export class ShapeTable {
  root = new Shape([]);
  private nodes = 0;
  private epoch = 0;
  private fresh = 0;

  /** @returns the shape of this key list, or null when the object is better written as a dictionary */
  find(keys: readonly string[], epoch: number): Shape | null {
    if (keys.length > MAX_SHAPE_KEYS) return null;
    if (epoch !== this.epoch) {
      this.epoch = epoch;
      this.fresh = 0;
      if (this.nodes > MAX_NODES) {
        this.root = new Shape([]);
        this.nodes = 0;
      }
    }
    let shape = this.root;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i]!;
      const children: Map<string, Shape> = (shape.children ??= new Map());
      let child = children.get(key);
      if (child === undefined) {
        if (this.fresh >= MAX_NEW_NODES) return null;
        this.fresh++;
        this.nodes++;
        child = new Shape(keys.slice(0, i + 1));
        children.set(key, child);
      }
      shape = child;
    }
    return shape;
  }
}

/** A definition as the decoder keeps it. */
export class DecodedShape {
  /** True: every key may be set by assignment. `__proto__` may not. */
  readonly assignable: boolean;

  constructor(
    readonly keys: readonly string[],
    readonly definition: Uint8Array,
  ) {
    this.assignable = !keys.includes("__proto__");
  }
}

/** Definitions kept before the cache starts afresh. */
const MAX_CACHED = 2048;

export class DecodedShapes {
  private readonly byHash = new Map<number, DecodedShape[]>();
  private count = 0;

  find(bytes: Uint8Array, start: number, end: number): DecodedShape | undefined {
    const candidates = this.byHash.get(hash(bytes, start, end));
    if (candidates === undefined) return undefined;
    for (let c = 0; c < candidates.length; c++) {
      if (sameBytes(candidates[c]!.definition, bytes, start, end)) return candidates[c];
    }
    return undefined;
  }

  add(shape: DecodedShape): void {
    if (this.count++ > MAX_CACHED) {
      this.byHash.clear();
      this.count = 0;
    }
    const key = hash(shape.definition, 0, shape.definition.length);
    const candidates = this.byHash.get(key);
    if (candidates === undefined) this.byHash.set(key, [shape]);
    else candidates.push(shape);
  }
}

/** FNV-1a. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  let h = 0x811c9dc5 | 0;
  for (let i = start; i < end; i++) h = Math.imul(h ^ bytes[i]!, 0x01000193);
  return h;
}

function sameBytes(a: Uint8Array, b: Uint8Array, start: number, end: number): boolean {
  if (a.length !== end - start) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[start + i]) return false;
  return true;
}
