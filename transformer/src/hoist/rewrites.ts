/**
 * Small rewrites inside code that moves into a slice: what the module is called (`import.meta`, `__dirname`), and names that had to change.
 */
import type * as ts from "typescript";
import type { Edit } from "../core";
import type { Module } from "../analyze/module";
import type { Binding } from "../analyze/bindings";
import { contains, isImportMeta, wrapped } from "../analyze/syntax";
import { replace } from "./stubs";

/** What a chunk's `import.meta` has. Of other properties the host may know something: what it defines (`import.meta.env.MODE`), it defines in chunks too. */
const OF_THE_PLACE: ReadonlySet<string> = new Set(["url", "filename", "dirname", "resolve"]);

/** `import.meta`, `__filename` and `__dirname` mean the original module's emitted file. */
export function placeEdits(module: Module): Edit[] {
  const { ts } = module;
  if (!/import\.meta|__dirname|__filename/.test(module.text)) return [];
  const meta = `__mp_chunk.meta(${JSON.stringify(module.path)})`;
  const edits: Edit[] = [];
  const visit = (node: ts.Node): void => {
    if (isImportMeta(ts, node)) {
      const { parent } = wrapped(ts, node);
      if (!ts.isPropertyAccessExpression(parent) || OF_THE_PLACE.has(parent.name.text)) edits.push(replace(node, "expression", [meta]));
    }
    ts.forEachChild(node, visit);
  };
  visit(module.source);
  for (const reference of module.scopes.references) {
    if (reference.binding && !reference.binding.ambient) continue;
    if (reference.erased || (reference.name !== "__dirname" && reference.name !== "__filename")) continue;
    edits.push(rename(module, reference.node, `${meta}.${reference.name.slice(2)}`));
  }
  return edits;
}

/** Constants in the place of members of enums that do not exist at run time. */
export function constantEdits(module: Module, within: (node: ts.Node) => boolean): Edit[] {
  if (!module.constantAt) return [];
  return module.scopes.references.flatMap((reference) => {
    const constant = within(reference.node) ? module.constantOf(reference) : undefined;
    return constant ? [{ start: constant.start, end: constant.end, kind: "expression", parts: [constant.text] }] : [];
  });
}

/** Gives a reference another text; `{ x }` becomes `{ x: text }`. */
export function rename(module: Module, node: ts.Identifier, text: string): Edit {
  const { ts } = module;
  const shorthand = ts.isShorthandPropertyAssignment(node.parent) && node.parent.name === node;
  return replace(node, "expression", [shorthand ? `${node.text}: ${text}` : text]);
}

/** Renames bindings, declarations included, within the given parts. */
export function renameEdits(module: Module, parts: readonly ts.Node[], names: ReadonlyMap<Binding, string>): Edit[] {
  const { ts } = module;
  const edits: Edit[] = [];
  const inside = (node: ts.Node): boolean => parts.some((part) => contains(part, node));
  for (const [binding, name] of names) {
    for (const reference of binding.references)
      if (!reference.erased && inside(reference.node) && !module.constantOf(reference)) edits.push(rename(module, reference.node, name));
    for (const declaration of binding.declarations) {
      const own = (declaration as ts.NamedDeclaration).name;
      if (own && ts.isIdentifier(own) && inside(own)) edits.push(replace(own, "expression", [name]));
    }
  }
  return edits;
}
