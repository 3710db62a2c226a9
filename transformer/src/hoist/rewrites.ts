/**
 * Small rewrites inside code that moves into a slice: what the module is called (`import.meta`, `__dirname`), and names that had to change.
 */
import type * as ts from "typescript";
import type { Edit } from "../core";
import type { Graph } from "../analyze/graph";
import type { Module, Unit } from "../analyze/module";
import type { Binding } from "../analyze/bindings";
import { contains, isImportMeta, PLACE_PROPERTIES, wrapped } from "../analyze/syntax";
import { idOfLoaded, sliceSpecifier } from "./module-names";
import { replace } from "./stubs";

/** What a chunk's `import.meta` has. Of other properties the host may know something: what it defines (`import.meta.env.MODE`), it defines in chunks too. */
const OF_THE_PLACE: ReadonlySet<string> = new Set([...PLACE_PROPERTIES, "resolve"]);

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

/** `import()` of a module of the project gives what slices have of it. */
export function loadEdits(graph: Graph, module: Module, within: (node: ts.Node) => boolean): Edit[] {
  return module.loaded.filter(within).flatMap((specifier) => {
    const load = graph.loadAt(module, specifier);
    return load ? [replace(specifier, "expression", [sliceSpecifier(idOfLoaded(load.given))])] : [];
  });
}

/** Constants in the place of members of enums that do not exist at run time. */
export function constantEdits(module: Module, within: (node: ts.Node) => boolean): Edit[] {
  if (!module.constantAt) return [];
  return module.scopes.references.flatMap((reference) => {
    const constant = within(reference.node) ? module.constantOf(reference) : undefined;
    return constant ? [{ start: constant.start, end: constant.end, kind: "expression", parts: [constant.text] }] : [];
  });
}

/** `parse` in the place of `import { parse } from "./tool"`, where that is `export = Tool`: it is read anew at each use, as in CommonJS. */
export function memberEdits(graph: Graph, units: readonly Unit[]): Edit[] {
  return units.flatMap((unit) => {
    const { module } = unit;
    const { ts } = module;
    const names = new Map<Binding, string>();
    for (const { binding, target } of graph.dependencies(unit)) if (target.kind === "member") names.set(binding, target.name);
    return graph.references(unit).flatMap(({ node, binding }) => {
      const name = binding && names.get(binding);
      if (binding === undefined || name === undefined || ts.isExportSpecifier(node.parent)) return [];
      const { parent } = node;
      const isCalled =
        (ts.isCallExpression(parent) && parent.expression === node) || (ts.isTaggedTemplateExpression(parent) && parent.tag === node);
      const member = `${binding.name}.${name}`;
      return [rename(module, node, isCalled ? `(0, ${member})` : member)];
    });
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
