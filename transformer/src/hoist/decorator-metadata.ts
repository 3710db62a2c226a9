/** Writes what `emitDecoratorMetadata` tells into a slice: one more decorator, and what it calls. */
import type { Binding } from "../analyze/bindings";
import type { DecoratedElement } from "../analyze/decorator-metadata";
import type { Edit } from "../core";
import { insertion } from "./classes";

/** @param nameOf what a binding is called in the slice */
export function metadataEdit({ position, entries }: DecoratedElement, nameOf: (binding: Binding) => string): Edit {
  const list = entries.map(([key, value]) => {
    const text = value.map((part) => (typeof part === "string" ? part : part.binding ? nameOf(part.binding) : part.name)).join("");
    return `[${JSON.stringify(key)}, ${text}]`;
  });
  return insertion(position, "members", ` @__mp_metadata(${list.join(", ")}) `);
}

/** Without `reflect-metadata`, or something of its kind, there is nothing to tell it to, as in the program. From the last to the first, as decorators go. */
export const METADATA_HELPER =
  'function __mp_metadata(...entries) { return typeof Reflect.metadata !== "function" ? () => {} : (target, key) => { ' +
  "for (const [name, value] of entries.reverse()) Reflect.metadata(name, value)(target, key); }; }";

/** A name that may be no value at all: an interface of a package, or a global of the browser's. */
export const TYPE_HELPER_TEXT =
  'function __mp_type(get) { try { const type = get(); return typeof type === "function" ? type : Object; } catch { return Object; } }';
