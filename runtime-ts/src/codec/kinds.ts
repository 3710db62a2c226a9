/**
 * What an object is, by its internal slots rather than by its looks: a prototype can be changed, slots cannot. `instanceof` is not asked, so objects of
 * other realms (vm contexts, jest) are recognised as well.
 */
import { types } from "node:util";
import { BUILT_IN_ERRORS } from "./errors-codec";

export const enum Kind {
  Ordinary = 0,
  Array,
  Map,
  Set,
  Error,
  Date,
  RegExp,
  Boxed,
  ArrayBuffer,
  SharedArrayBuffer,
  View,
  DOMException,
  URL,
  URLSearchParams,
  /** Everything that no payload bytes can stand for. `kindName` says what. */
  Host,
}

/** Views in the order of their numbers in payloads. */
export const VIEW_NAMES = [
  "DataView",
  "Uint8Array",
  "Int8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
  "Float16Array",
] as const;

export type ViewConstructor = {
  new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): ArrayBufferView;
  readonly BYTES_PER_ELEMENT: number;
  readonly prototype: object;
};

/** By number; `undefined` for one that this engine lacks (Float16Array). */
export const VIEW_CONSTRUCTORS: readonly (ViewConstructor | undefined)[] = VIEW_NAMES.map(
  (name) => (globalThis as unknown as Record<string, ViewConstructor | undefined>)[name],
);

const viewTag = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)!.get!;

/** The number of a view's class, from its slots; -1 for one that this version does not know. */
export function viewNumber(view: object): number {
  const name = viewTag.call(view) as (typeof VIEW_NAMES)[number] | undefined;
  return name === undefined ? 0 : VIEW_NAMES.indexOf(name);
}

const builtinPrototypes = new Map<object, Kind>([
  [Array.prototype, Kind.Array],
  [Map.prototype, Kind.Map],
  [Set.prototype, Kind.Set],
  [Date.prototype, Kind.Date],
  [RegExp.prototype, Kind.RegExp],
  [Boolean.prototype, Kind.Boxed],
  [Number.prototype, Kind.Boxed],
  [String.prototype, Kind.Boxed],
  [BigInt.prototype, Kind.Boxed],
  [ArrayBuffer.prototype, Kind.ArrayBuffer],
  [SharedArrayBuffer.prototype, Kind.SharedArrayBuffer],
  [Buffer.prototype, Kind.View],
]);
for (const constructor of VIEW_CONSTRUCTORS) {
  if (constructor === undefined) continue;
  builtinPrototypes.set(constructor.prototype, Kind.View);
  // What all typed arrays inherit from; a DataView inherits from nothing.
  const parent = Object.getPrototypeOf(constructor.prototype) as object;
  if (Object.hasOwn(parent, "subarray")) builtinPrototypes.set(parent, Kind.View);
}
for (const { prototype } of BUILT_IN_ERRORS) builtinPrototypes.set(prototype, Kind.Error);

/** What instances of the built-in with exactly this prototype are, if they can be made anew. */
export function builtinKind(prototype: object): Kind | undefined {
  const kind = builtinPrototypes.get(prototype);
  if (kind !== undefined) return kind;
  return typeof DOMException === "function" && prototype === DOMException.prototype ? Kind.DOMException : undefined;
}

/** The built-in that a class with this prototype extends. */
export function baseKind(prototype: object): Kind {
  for (let p: object | null = prototype; p !== null; p = Object.getPrototypeOf(p)) {
    const kind = builtinKind(p);
    if (kind !== undefined) return kind;
  }
  return Kind.Ordinary;
}

function isDOMException(value: object): boolean {
  return typeof DOMException === "function" && value instanceof DOMException;
}

/** Whether an object that looks like this kind has its slots. */
export function hasKind(value: object, kind: Kind): boolean {
  switch (kind) {
    case Kind.Array:
      return Array.isArray(value);
    case Kind.Map:
      return types.isMap(value);
    case Kind.Set:
      return types.isSet(value);
    case Kind.Date:
      return types.isDate(value);
    case Kind.RegExp:
      return types.isRegExp(value);
    case Kind.Boxed:
      return types.isBoxedPrimitive(value) && !types.isSymbolObject(value);
    case Kind.ArrayBuffer:
      return types.isArrayBuffer(value);
    case Kind.SharedArrayBuffer:
      return types.isSharedArrayBuffer(value);
    case Kind.View:
      return ArrayBuffer.isView(value);
    case Kind.Error:
      // From Node 22 on, a DOMException is a native error too; its message and name are not where an error has them.
      return types.isNativeError(value) && !isDOMException(value);
    case Kind.DOMException:
      return isDOMException(value);
    default:
      return false;
  }
}

/** The built-in prototype's kind for the common case that an object's prototype is one of them, and the object is real. */
export function directKind(value: object, prototype: object): Kind | undefined {
  const kind = builtinPrototypes.get(prototype);
  return kind !== undefined && hasKind(value, kind) ? kind : undefined;
}

const SLOT_KINDS = [
  Kind.Array,
  Kind.View,
  Kind.Map,
  Kind.Set,
  Kind.Date,
  Kind.Error,
  Kind.RegExp,
  Kind.ArrayBuffer,
  Kind.SharedArrayBuffer,
  Kind.Boxed,
  Kind.DOMException,
] as const;

/**
 * Classes of ordinary objects that have been looked at: their chain holds no built-in and no native constructor. Only a changed prototype could make
 * one of their instances anything else.
 */
const ordinary = new WeakSet<object>();

/** Full classification; for objects that are neither plain, nor arrays, nor instances of a built-in's own prototype. */
export function classify(value: object, prototype: object | null): Kind {
  if (prototype !== null && ordinary.has(prototype)) return Kind.Ordinary;
  if (types.isProxy(value)) return Array.isArray(value) ? Kind.Array : Kind.Host;
  for (const kind of SLOT_KINDS) if (hasKind(value, kind)) return kind;
  // A class that extends one of them may have more to it than the text that it travels as.
  if (prototype === URL.prototype && isReadable(() => (value as URL).href)) return Kind.URL;
  if (prototype === URLSearchParams.prototype && isReadable(() => (value as URLSearchParams).toString())) return Kind.URLSearchParams;
  if (uncloneableName(value) !== undefined || isPlatformObject(value)) return Kind.Host;
  if (prototype !== null && baseKind(prototype) === Kind.Ordinary) ordinary.add(prototype);
  return Kind.Ordinary;
}

/** Whether the object, or what one of its first properties holds, is made when it is read. */
export function isMadeOnDemand(value: object): boolean {
  if (types.isProxy(value)) return true;
  for (const key of Object.keys(value).slice(0, 8)) {
    const property = Object.getOwnPropertyDescriptor(value, key);
    if (property?.get !== undefined || types.isProxy(property?.value)) return true;
  }
  return false;
}

/**
 * Classes of the platform that keep their state in private fields. `structuredClone` of Node 20 makes empty objects of them, that of later ones refuses them.
 */
const HIDING: ReadonlySet<string> = new Set([
  "URL",
  "URLSearchParams",
  "Headers",
  "FormData",
  "Request",
  "Response",
  "WebSocket",
  "EventSource",
]);

/** False for what only has the prototype. */
function isReadable(read: () => string): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}

/** The tag alone says nothing: any object can have it. Only a program that has used the global has such an object, so reading it loads nothing. */
function isInstance(value: object, name: string): boolean {
  const constructor = (globalThis as unknown as Record<string, unknown>)[name];
  return typeof constructor === "function" && value instanceof constructor;
}

/** What to call an object that cannot be encoded, or undefined when nothing speaks against it. */
export function uncloneableName(value: object): string | undefined {
  if (types.isProxy(value)) return "Proxy";
  if (types.isPromise(value)) return "Promise";
  if (types.isWeakMap(value)) return "WeakMap";
  if (types.isWeakSet(value)) return "WeakSet";
  if (types.isGeneratorObject(value)) return "generator";
  if (types.isSymbolObject(value)) return "Symbol object";
  if (types.isExternal(value)) return "native pointer";
  if (types.isModuleNamespaceObject(value)) return "module namespace";
  const tag = Object.prototype.toString.call(value).slice(8, -1);
  if (types.isMapIterator(value) || types.isSetIterator(value) || / Iterator$|^Iterator Helper$/.test(tag)) return "iterator";
  if (HIDING.has(tag) && isInstance(value, tag)) return className(value);
  // A class written in native code that is none of the above keeps its state where JavaScript cannot see it
  for (let p: object | null = Object.getPrototypeOf(value); p !== null; p = Object.getPrototypeOf(p)) {
    const constructor: unknown = Object.getOwnPropertyDescriptor(p, "constructor")?.value;
    if (typeof constructor === "function" && !builtinPrototypes.has(p) && p !== Object.prototype && isNative(constructor)) {
      return constructor.name === "Object" || constructor.name === "" ? undefined : constructor.name;
    }
  }
  return undefined;
}

/**
 * Classes of Node's that are written in JavaScript and cloned or transferred by it (Blob, KeyObject, ReadableStream, Histogram) say so by
 * methods under these symbols; keys are native underneath.
 */
function isPlatformObject(value: object): boolean {
  if (types.isKeyObject(value) || types.isCryptoKey(value)) return true;
  for (let p: object | null = value; p !== null; p = Object.getPrototypeOf(p)) if (isMessageable(p)) return true;
  return false;
}

/** Whether the object itself has such a method. */
export function isMessageable(object: object): boolean {
  return Object.getOwnPropertySymbols(object).some((symbol) => symbol.description?.startsWith("messaging_") === true);
}

export function isNative(constructor: Function): boolean {
  return /\{\s*\[native code\]\s*\}\s*$/.test(Function.prototype.toString.call(constructor));
}

/** Name of an object's class, for messages. */
export function className(value: object): string {
  try {
    const constructor: unknown = (value as { constructor?: unknown }).constructor;
    if (typeof constructor === "function" && constructor.name !== "") return constructor.name;
  } catch {
    // a getter or proxy that throws has no name to give
  }
  return "object";
}

/** "a Socket", "an iterator". */
export function article(name: string): string {
  return `${/^[aeiou]/i.test(name) ? "an" : "a"} ${name}`;
}
