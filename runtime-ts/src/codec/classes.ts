/**
 * Classes whose instances keep their prototype, and private fields, across threads. The transformer registers each right after its definition.
 */
import { ChunkError } from "../errors";
import { type Foreign, foreignOf } from "./foreign-state";
import { baseKind, type Kind } from "./kinds";

/** Reads and writes the `#private` and the symbol-named fields that one class declares, and what weak collections keep for its instances, in a fixed order. Made by the transformer inside the class body. */
export interface PrivateAccessors {
  /** How they are written after the instance: `.#x`, `[kState]`, " (what `secrets` has for it)". */
  readonly names?: readonly string[];
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
  private guardedChain: ClassEntry[] = [];
  private accessorChain: PrivateAccessors[] = [];
  private foreignCode: Foreign | undefined;
  private hasRemade = false;
  /** A decorator has put it in the place of the class that was written, which has an entry of its own. */
  isRemade = false;
  private chainVersion = -1;
  /** The built-in that it extends, or Kind.Ordinary. */
  readonly base: Kind;

  constructor(
    readonly constructor_: Function,
    readonly id: string,
    readonly accessors: PrivateAccessors | undefined,
    readonly side: Side,
  ) {
    this.base = baseKind(constructor_.prototype as object);
  }

  get prototype(): object {
    return this.constructor_.prototype as object;
  }

  /** Accessors of {@link layers}. */
  get chain(): readonly PrivateAccessors[] {
    this.update();
    return this.accessorChain;
  }

  /** The classes of the prototype chain, this one among them, that have private fields; most derived first. */
  get layers(): readonly ClassEntry[] {
    this.update();
    return this.guardedChain;
  }

  /** Whether its constructor, or one that it extends, came of a decorator: that one runs the author's code also while an instance is revived. */
  get remade(): boolean {
    this.update();
    return this.hasRemade;
  }

  /** What it inherits from code that is not the project's. */
  get foreign(): Foreign {
    this.update();
    return (this.foreignCode ??= foreignOf(this.constructor_.name, this.prototype, (prototype) => byPrototype.has(prototype)));
  }

  private update(): void {
    if (this.chainVersion === version) return;
    this.chainVersion = version;
    this.foreignCode = undefined;
    this.guardedChain = [];
    this.hasRemade = false;
    for (let p: object | null = this.prototype; p !== null; p = Object.getPrototypeOf(p)) {
      const entry = byPrototype.get(p);
      if (entry?.accessors !== undefined) this.guardedChain.push(entry);
      if (entry?.isRemade === true) this.hasRemade = true;
    }
    this.accessorChain = this.guardedChain.map(({ accessors }) => accessors!);
  }
}

/** Prototypes of the classes that any copy of the package in this process has registered. */
const registeredAnywhere = ((process as unknown as Record<symbol, WeakSet<object> | undefined>)[Symbol.for("makeparallel.classes")] ??=
  new WeakSet());

const byPrototype = new Map<object, ClassEntry>();
/**
 * Whose code a class or a value belongs to: the program's, or that of the chunks of one manifest (named by its path). One thread may have a class several
 * times: the program's thread, with the inline backend, the program's own and a chunk's; a worker a chunk's and that of a module which a chunk imports from
 * outside (another project's output, with chunks of its own). What is decoded has to be of the class that the code which gets it knows.
 */
export type Side = "program" | (string & {});
/** By side, then by id. */
const registered = new Map<Side, Map<string, ClassEntry>>();
/** The newest of each id that some chunk defines. */
const inChunks = new Map<string, ClassEntry>();
let decodingSide: Side = "program";
/** Changes with every registration, since one may add to the chains of others. */
let version = 0;
let unknownClassHook: UnknownClassHook | undefined;

/** @param manifest the only one to look into; default all. Answers with the class of a chunk, which it loads. @throws what {@link classStillLoads} gives */
export type UnknownClassHook = (id: string, manifest?: string) => Function | undefined;

/**
 * From now on values are decoded for code of a side.
 * @returns the side before
 */
export function decodeFor(side: Side): Side {
  const outer = decodingSide;
  decodingSide = side;
  return outer;
}

/**
 * Makes instances of a class travel as such. Registering an id again (a module evaluated twice) makes the newer class the one that is revived;
 * instances of the older still encode. A class that a decorator has put in the place of another keeps the other's private fields.
 * @param id the same in every isolate; includes which manifest it belongs to when ids of several may meet
 * @param accessors only for classes that declare `#private` fields themselves
 * @param side whose code defines it
 * @param parent of a decorated class: what it extends (null: nothing), by which the class that was written is found beneath the one that a decorator gave
 */
export function registerClass(
  constructor: Function,
  id: string,
  accessors?: PrivateAccessors,
  side: Side = "program",
  parent?: Function | null,
): void {
  const known = registered.get(side)?.get(id);
  if (known && accessors === undefined) {
    if (known.prototype === constructor.prototype) return;
    if (Object.prototype.isPrototypeOf.call(known.prototype, constructor.prototype as object)) return keep(constructor, id, side);
  }
  const written = parent === undefined ? constructor : writtenBeneath(constructor, parent);
  register(new ClassEntry(written, id, accessors, side));
  if (written.prototype !== constructor.prototype) keep(constructor, id, side);
}

/** What a decorator has made of a class whose own entry is there. */
function keep(constructor: Function, id: string, side: Side): void {
  const entry = new ClassEntry(constructor, id, undefined, side);
  entry.isRemade = true;
  register(entry);
}

function register(entry: ClassEntry): void {
  const { id, side } = entry;
  byPrototype.set(entry.prototype, entry);
  registeredAnywhere.add(entry.prototype);
  const known = registered.get(side);
  if (known) known.set(id, entry);
  else registered.set(side, new Map([[id, entry]]));
  if (side !== "program") inChunks.set(id, entry);
  version++;
}

/**
 * The class that was written, where decorators may have put others in its place.
 * @param parent what it extends; null: nothing
 */
function writtenBeneath(constructor: Function, parent: Function | null): Function {
  const end = parent ?? Function.prototype;
  for (let c: unknown = constructor; typeof c === "function" && c !== Function.prototype; c = Object.getPrototypeOf(c)) {
    if (Object.getPrototypeOf(c) === end) return c;
  }
  return constructor;
}

export function classByPrototype(prototype: object): ClassEntry | undefined {
  return byPrototype.get(prototype);
}

/** Whether instances would keep their class, had they been given to the copy of the package that has registered it (a linked library's own). */
export function isOfAnotherCopy(prototype: object): boolean {
  return registeredAnywhere.has(prototype) && !byPrototype.has(prototype);
}

/** The class registered under `id`, asking the hook when there is none. */
export function classById(id: string): Function | undefined {
  return entryById(id)?.constructor_;
}

/** @internal */
export function entryById(id: string): ClassEntry | undefined {
  const side = decodingSide;
  if (side !== "program") {
    const own = registered.get(side)?.get(id) ?? asked(id, side);
    if (own !== undefined) return own;
  }
  return registered.get("program")?.get(id) ?? inChunks.get(id) ?? asked(id, undefined);
}

function asked(id: string, manifest: string | undefined): ClassEntry | undefined {
  const answer = unknownClassHook?.(id, manifest);
  if (answer === undefined) return undefined;
  const side = manifest ?? "program";
  const known = (): ClassEntry | undefined => registered.get(side)?.get(id) ?? (manifest === undefined ? inChunks.get(id) : undefined);
  // Loading the class's chunk has usually registered it; if not, the hook's answer is enough for classes without private fields.
  if (known() === undefined) registerClass(answer, id, undefined, side);
  return known();
}

/** What the loading of a class's chunk that awaits at its top level leads to, by the error that says so. */
const stillLoading = new WeakMap<object, Promise<unknown>>();

/** @returns the error of a decoder that meets a class before its chunk is there */
export function classStillLoads(id: string, loading: Promise<unknown>): ChunkError {
  const error = new ChunkError(
    `cannot revive an instance of ${id} here: its module awaits at its top level, and this thread has not loaded it yet. Keep the await out of the class's module, or let the task that needs it have one among its own arguments.`,
  );
  // Nobody may be interested.
  loading.catch(() => {});
  stillLoading.set(error, loading);
  return error;
}

/** @returns what has to be waited for before decoding is tried again; undefined: it failed for another reason */
export function loadingBehind(error: unknown): Promise<unknown> | undefined {
  return typeof error === "object" && error !== null ? stillLoading.get(error) : undefined;
}

/** Decodes, and does so again after each chunk that has to be waited for; synchronous when there is none. */
export function whenLoaded<T>(decode: () => T): T | Promise<T> {
  try {
    return decode();
  } catch (error) {
    const loading = loadingBehind(error);
    if (loading === undefined) throw error;
    return loading.then(() => whenLoaded(decode));
  }
}

/** Sets who is asked for a class that is not registered (the loader, which has the chunk that defines it). */
export function onUnknownClass(hook: UnknownClassHook): void {
  unknownClassHook = hook;
}
