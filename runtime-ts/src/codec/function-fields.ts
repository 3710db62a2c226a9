/**
 * Functions that the fields of an instance hold since it was made: `handler = () => this.count`.
 *
 * The transformer leaves the initialisers of such fields as they are while an instance is revived (its analyze/function-fields.ts), so that every instance
 * has functions of its own, with its own `this`, before its content comes. What travels is the number of the function. Whether an instance still has what it
 * was made with is told by comparing it with one that has just been made: the same code in the same place.
 */
import type { ClassEntry } from "./classes";
import { makeShell } from "./shells";

interface Place {
  /** 0: the instance's properties; from 1 on, the private fields of its layers. */
  readonly holder: number;
  readonly path: readonly string[];
  readonly fn: Function;
}

/** Those of an instance that has just been made, in an order that is the same on both sides. */
export function functionsIn(entry: ClassEntry, instance: object): Function[] {
  return placesOf(entry).length === 0 ? [] : placesIn(entry, instance).map(({ fn }) => fn);
}

/** @returns the number of the function, if the instance has been made with it; else -1 */
export function functionNumber(entry: ClassEntry, instance: object, fn: Function): number {
  const places = placesOf(entry);
  if (places.length === 0) return -1;
  const holders = holdersOf(entry, instance);
  return places.findIndex((place) => place.path.reduce(ownValue, holders[place.holder]) === fn && isSameCode(place.fn, fn));
}

/** By the classes that were asked, of which there are others when one has been registered since. */
const known = new WeakMap<ClassEntry["layers"], readonly Place[]>();

function placesOf(entry: ClassEntry): readonly Place[] {
  const { layers } = entry;
  let places = known.get(layers);
  if (places === undefined) {
    places = layers.length === 0 ? [] : placesIn(entry, makeShell(entry));
    known.set(layers, places);
  }
  return places;
}

function placesIn(entry: ClassEntry, instance: object): Place[] {
  const places: Place[] = [];
  const walk = (object: unknown, holder: number, path: readonly string[]): void => {
    for (const key of Object.keys(object as object)) {
      const value = ownValue(object, key);
      if (typeof value === "function") places.push({ holder, path: [...path, key], fn: value });
      else if (isPlain(value)) walk(value, holder, [...path, key]);
    }
  };
  holdersOf(entry, instance).forEach((object, holder) => walk(object, holder, []));
  return places;
}

function holdersOf(entry: ClassEntry, instance: object): object[] {
  return [instance, ...entry.chain.map((accessors) => accessors.get(instance))];
}

function isPlain(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === Array.prototype;
}

/** Runs no getter. */
function ownValue(object: unknown, key: string): unknown {
  return typeof object === "object" && object !== null ? Object.getOwnPropertyDescriptor(object, key)?.value : undefined;
}

/** A bound function has no code to show; it has the name of the one that it binds. */
function isSameCode(one: Function, other: Function): boolean {
  const { toString } = Function.prototype;
  return (
    toString.call(one) === toString.call(other) && one.name === other.name && Reflect.ownKeys(one).length === Reflect.ownKeys(other).length
  );
}
