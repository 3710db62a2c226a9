/**
 * What emitted stubs call: `import * as __mp from "makeparallel/internal"`. The transformer and this file are released together; nobody else
 * uses it.
 */
import { registerClass, revival, type PrivateAccessors } from "./codec";
import { knownManifests } from "./known-manifests";
import { lazyClasses } from "./lazy-classes";
import { findManifest } from "./loader";
import { CHUNK_FOLDER } from "./manifest";
import type { ParallelOptions } from "./options";
import { resolveOptions } from "./options";
import type { StubMeta } from "./stub-meta";
import { classIdOf } from "./static-tasks";
import { makeParallelFunction, markStub, StubTask } from "./task";

export type { StubMeta } from "./stub-meta";

export { onClass } from "./static-tasks";
export { revival };

const IN_CHUNK_FOLDER = new RegExp(`[\\\\/]${CHUNK_FOLDER}[\\\\/][^\\\\/]+$`);

/** One emitted module with stubs, or one chunk. */
export class StubModule {
  private found: string | undefined;
  /** Chunks lie in the folder of the manifest; the program's files never do. */
  private readonly inChunk: boolean;

  constructor(
    private readonly location: string,
    private readonly key: string,
  ) {
    this.inChunk = IN_CHUNK_FOLDER.test(location);
  }

  /** Absolute path of the manifest, with a stamp after a rebuild. Looked for on first use: a module that is only loaded touches no file. */
  get manifest(): string {
    if (this.found === undefined) {
      this.found = this.key === "" ? this.location : findManifest(this.location, this.key);
      knownManifests.add(this.found);
    }
    return this.found;
  }

  /** A tagged function's or decorated method's task. `options` are evaluated once, on the first call. */
  task(id: string, meta: StubMeta, options?: () => ParallelOptions): StubTask {
    return new StubTask(this, id, meta, options === undefined ? undefined : resolveOptions(options()));
  }

  /** What stands in for `parallel` at a wrapper's site: takes the options and the thunk that reads the captured locals. */
  wrapper(id: string, meta: StubMeta): (...args: unknown[]) => unknown {
    return (...args) => {
      const options = args.length > 1 ? (args[0] as ParallelOptions) : undefined;
      const captures = args[args.length - 1] as (() => readonly unknown[]) | undefined;
      const task = new StubTask(this, id, meta, options === undefined ? undefined : resolveOptions(options));
      return makeParallelFunction(task, captures);
    };
  }

  /** Makes a stub that is a function of the program's own (a tagged declaration's, a method's) usable as the parallel function that it stands for. `name`: its own one, where the stub had to get another. */
  tagged<F extends Function>(stub: F, name?: string): F {
    if (name !== undefined) Object.defineProperty(stub, "name", { value: name, configurable: true });
    return markStub(stub);
  }

  /** `this` of a static method, in the form in which it travels. */
  classOf(receiver: unknown): unknown {
    return classIdOf(receiver);
  }

  /** Makes instances of a class travel with their prototype. A thunk is for a class of another module, which may not be evaluated yet. */
  class(constructor: Function, id: string, accessors?: PrivateAccessors, parent?: Function | null): void {
    // Only a thunk has no prototype.
    if (constructor.prototype === undefined) lazyClasses.push({ thunk: constructor as () => Function, id });
    else registerClass(constructor, id, accessors, this.inChunk ? this.manifest : "program", parent);
  }
}

/**
 * @param location `import.meta.url` or `__filename` of the emitted file
 * @param key of the build's manifest; empty when `location` is the manifest itself (in chunks)
 */
export function module(location: string, key: string): StubModule {
  return new StubModule(location, key);
}

/** What legacy decorators get of a method, and TC39 ones. */
type TakenArguments = [target: object, key: PropertyKey, descriptor: PropertyDescriptor] | [method: Function, context: object];

/**
 * A decorator, of either kind, with which a slice takes a method's body out of its class and puts the stub there.
 * @param take gets the body
 */
export function taken(take: (method: Function) => void, stub: Function): (...args: TakenArguments) => Function | PropertyDescriptor {
  return (...[target, , descriptor]) => {
    if (descriptor === undefined) {
      take(target as Function);
      return stub;
    }
    take(descriptor.value as Function);
    return { ...descriptor, value: stub };
  };
}

/** What TC39 decorators of fields and auto-accessors get. */
interface FieldContext {
  readonly kind: "field" | "accessor";
}

type Initializer = (this: unknown, value: unknown) => unknown;

/**
 * A decorator of a field whose class is constructed to be revived: the initialiser that it gives may not be able to take the `undefined` that fields begin with then.
 * That of a field does not run. An accessor's does, since its getter and setter may rest on what it makes (a signal); what it throws does not count.
 */
export function spared(decorator: (...args: unknown[]) => unknown): (...args: unknown[]) => unknown {
  const spare = (initializer: Initializer, { kind }: FieldContext): Initializer =>
    function (value) {
      if (!revival.active) return initializer.call(this, value);
      if (kind === "field") return value;
      try {
        return initializer.call(this, value);
      } catch {
        return value;
      }
    };
  return function (this: unknown, ...args) {
    const given = decorator.apply(this, args);
    const context = args[1] as FieldContext | PropertyKey;
    // Legacy decorators have a name there, and no initialisers.
    if (typeof context !== "object") return given;
    if (typeof given === "function") return spare(given as Initializer, context);
    const { init } = (given ?? {}) as { init?: Initializer };
    return init === undefined ? given : { ...(given as object), init: spare(init, context) };
  };
}
