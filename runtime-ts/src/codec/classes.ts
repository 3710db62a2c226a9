/**
 * Classes whose instances keep their prototype, and private fields, across threads. The transformer registers each right after its definition.
 */
import { baseKind, type Kind } from "./kinds";

/** Reads and writes the `#private` fields that one class declares, in a fixed order. Made by the transformer inside the class body. */
export interface PrivateAccessors {
  get(instance: object): unknown[];
  set(instance: object, values: unknown[]): void;
}

/**
 * While `active`, classes with private fields can be constructed without running their code: the transformer makes field initialisers yield
 * `undefined` and constructors return right after `super()`.
 */
export const revival: { active: boolean } = { active: false };

export class ClassEntry {
  /** The registered classes of the prototype chain that have private fields, most derived first; made on first use. */
  private accessorChain: PrivateAccessors[] | undefined;
  private chainVersion = -1;
  /** The built-in that it extends, or Kind.Ordinary. */
  readonly base: Kind;

  constructor(
    readonly constructor_: Function,
    readonly id: string,
    readonly accessors: PrivateAccessors | undefined,
  ) {
    this.base = baseKind(constructor_.prototype as object);
  }

  get prototype(): object {
    return this.constructor_.prototype as object;
  }

  get chain(): readonly PrivateAccessors[] {
    if (this.accessorChain === undefined || this.chainVersion !== version) {
      this.chainVersion = version;
      this.accessorChain = [];
      for (let p: object | null = this.prototype; p !== null; p = Object.getPrototypeOf(p)) {
        const accessors = byPrototype.get(p)?.accessors;
        if (accessors !== undefined) this.accessorChain.push(accessors);
      }
    }
    return this.accessorChain;
  }
}

const byPrototype = new Map<object, ClassEntry>();
/**
 * By id, apart for the program and for chunks: on the program's own thread (the inline backend, `local`) a class exists twice, and what a task decodes
 * has to be of its chunk's class, what the program decodes of its own.
 */
const registered = { program: new Map<string, ClassEntry>(), chunk: new Map<string, ClassEntry>() };
export type Side = keyof typeof registered;
let decodingSide: Side = "program";
/** Changes with every registration, since one may add to the chains of others. */
let version = 0;
let unknownClassHook: ((id: string) => Function | undefined) | undefined;

/**
 * From now on values are decoded for code of a side.
 * @returns the side before
 */
export function decodeFor(side: Side): Side {
  const outer = decodingSide;
  decodingSide = side;
  return outer;
}

function known(id: string): ClassEntry | undefined {
  const { program, chunk } = registered;
  return decodingSide === "program" ? (program.get(id) ?? chunk.get(id)) : (chunk.get(id) ?? program.get(id));
}

/**
 * Makes instances of a class travel as such. Registering an id again (a module evaluated twice) makes the newer class the one that is revived;
 * instances of the older still encode.
 * @param id the same in every isolate; includes which manifest it belongs to when ids of several may meet
 * @param accessors only for classes that declare `#private` fields themselves
 * @param side whose code defines it
 */
export function registerClass(constructor: Function, id: string, accessors?: PrivateAccessors, side: Side = "program"): void {
  const entry = new ClassEntry(constructor, id, accessors);
  byPrototype.set(entry.prototype, entry);
  registered[side].set(id, entry);
  version++;
}

export function classByPrototype(prototype: object): ClassEntry | undefined {
  return byPrototype.get(prototype);
}

/** The class registered under `id`, asking the hook when there is none. */
export function classById(id: string): Function | undefined {
  return entryById(id)?.constructor_;
}

/** @internal */
export function entryById(id: string): ClassEntry | undefined {
  const found = known(id);
  if (unknownClassHook === undefined) return found;
  // A chunk's code needs the class of its own side, whose base classes it knows; the program's is the second best.
  const otherSide = decodingSide === "chunk" && !registered.chunk.has(id);
  if (found !== undefined && !otherSide) return found;
  const answer = unknownClassHook(id);
  if (answer === undefined) return found;
  // Loading the class's chunk has usually registered it; if not, the hook's answer is enough for classes without private fields.
  if (known(id) === undefined) registerClass(answer, id);
  return known(id);
}

/** Sets who is asked for a class that is not registered (the loader, which has the chunk that defines it). */
export function onUnknownClass(hook: (id: string) => Function | undefined): void {
  unknownClassHook = hook;
}
