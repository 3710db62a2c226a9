/**
 * Names in clauses of imports and exports. They need not be identifiers: `export { apply as "weird-name" }`.
 */

import type { Namespace } from "../analyze/resolve";
import { hashOf } from "./ids";

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;

/** A name as a module exports it. */
export function exportName(name: string): string {
  return IDENTIFIER.test(name) ? name : JSON.stringify(name);
}

/** An exported name as a member of the module's namespace. */
export function memberAccess(name: string): string {
  return IDENTIFIER.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`;
}

/** One element of a clause: `name`, or `name as other`. */
export function renamed(name: string, other: string): string {
  return name === other ? exportName(name) : `${exportName(name)} as ${exportName(other)}`;
}

/** The id of the slice module that `import()` gives. */
export function idOfLoaded({ module, isCommonJs }: Namespace): string {
  return `${module.path}#${hashOf(isCommonJs ? "import cjs" : "import")}`;
}

/** Before the id of a slice module, where one is imported. */
export const SLICE_PREFIX = "makeparallel-slice:";

/** What slices import a slice module as, in quotes. */
export function sliceSpecifier(id: string): string {
  return JSON.stringify(SLICE_PREFIX + id);
}
