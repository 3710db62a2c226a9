/**
 * Code that sees something as it is before later statements of its module change it: `const before = level; level = 2`.
 *
 * Takes the units that slices have. Gives pairs that must share a slice module, where code runs in the order of the source: one that looks at something while it is
 * evaluated, and one that has the later change with it. In a slice module of its own, the first would be evaluated after all changes.
 *
 * What an evaluated unit looks at is taken widely, as all that the names lead to which stand in it: a pair too many costs the evaluation of a declaration that some
 * task of the build has anyway, a pair too few gives another value than in the program.
 */
import type * as ts from "typescript";
import type { Binding } from "../analyze/bindings";
import { components } from "../analyze/components";
import type { Graph } from "../analyze/graph";
import type { Module, Unit } from "../analyze/module";
import { remembered } from "../analyze/remembered";
import { isFunctionLike, mayRunWith, unwrap } from "../analyze/syntax";

/** Where something is changed for the last time while a module is evaluated. */
interface LastChange {
  position: number;
  /** Shares a slice module with the statement that does it. */
  with: Unit;
}

export function* snapshotsIn(graph: Graph, units: ReadonlySet<Unit>): Iterable<[Unit, Unit]> {
  const changes = lastChanges(graph, units);
  const changedBehind = changesReached(graph, units, new Set([...changes.values()].flatMap((ofModule) => [...ofModule.keys()])));
  for (const unit of units) {
    const ofModule = changes.get(unit.module);
    const position = unit.nodes[0]?.pos;
    if (!ofModule || position === undefined || (unit.kind !== "declaration" && unit.kind !== "effect")) continue;
    if (![...ofModule.values()].some((change) => change.position > position)) continue;
    for (const seen of seenBy(graph, unit, changedBehind)) {
      const change = ofModule.get(seen);
      if (change && change.position > position && change.with !== unit) yield [unit, change.with];
    }
  }
}

/** By module: what its top level changes. */
function lastChanges(graph: Graph, units: ReadonlySet<Unit>): Map<Module, Map<Unit, LastChange>> {
  const found = new Map<Module, Map<Unit, LastChange>>();
  const noteAt = (module: Module, changed: Unit, position: number, shared: Unit): void => {
    const ofModule = remembered(found, module, () => new Map<Unit, LastChange>());
    const known = ofModule.get(changed);
    if (!known || known.position < position) ofModule.set(changed, { position, with: shared });
  };
  const note = (changed: Unit, by: Unit, nodes: readonly ts.Node[], shared: Unit): void => {
    for (const node of nodes) if (!isFunction(by.module, node)) noteAt(by.module, changed, node.pos, shared);
  };
  const foreign = new Set<Module>();
  for (const unit of units) {
    note(unit, unit, ownChanges(unit), unit);
    for (const other of unit.together) note(unit, other, other.nodes, unit);
    for (const assigned of graph.assigns(unit)) note(assigned, unit, unit.nodes, assigned);
    if (unit.kind === "effect") foreign.add(unit.module);
  }
  for (const module of foreign) {
    for (const { effect, target } of graph.foreignChanges(module)) {
      const changed = target.kind === "declared" ? target.module.unitOf.get(target.binding) : target.unit;
      if (!changed || !effect || !units.has(effect)) continue;
      note(changed, effect, effect.nodes, effect);
      // All of the other module has run by then.
      noteAt(changed.module, changed, Infinity, changed);
    }
  }
  return found;
}

/** A function changes nothing by being declared, though its code may. */
function isFunction({ ts }: Module, node: ts.Node): boolean {
  if (ts.isFunctionDeclaration(node)) return true;
  return ts.isVariableDeclaration(node) && node.initializer !== undefined && isFunctionLike(ts, unwrap(ts, node.initializer));
}

/** Parts of a declaration that find something there already, be it `undefined`. */
function ownChanges({ module: { ts }, nodes }: Unit): ts.Node[] {
  return nodes.filter(
    (node, index) =>
      index > 0 ||
      ts.isEnumDeclaration(node) ||
      ts.isModuleDeclaration(node) ||
      (ts.isVariableDeclaration(node) && (ts.getCombinedNodeFlags(node) & ts.NodeFlags.BlockScoped) === 0),
  );
}

/** By unit: those of the changed units that it is or that its names lead to. */
function changesReached(graph: Graph, units: ReadonlySet<Unit>, changed: ReadonlySet<Unit>): Map<Unit, ReadonlySet<Unit>> {
  const found = new Map<Unit, ReadonlySet<Unit>>();
  if (changed.size === 0) return found;
  const next = (unit: Unit): Unit[] => graph.dependencies(unit).flatMap((dependency) => graph.unitsOf(dependency));
  for (const component of components([...units], next)) {
    const reached = new Set(component.filter((unit) => changed.has(unit)));
    for (const unit of component) for (const needed of next(unit)) for (const each of found.get(needed) ?? []) reached.add(each);
    for (const unit of component) found.set(unit, reached);
  }
  return found;
}

/** Changed units that a unit's code may come to while it is evaluated. */
function seenBy(graph: Graph, unit: Unit, changedBehind: ReadonlyMap<Unit, ReadonlySet<Unit>>): Set<Unit> {
  const { ts } = unit.module;
  const atOnce = new Set<Binding | undefined>();
  for (const { node, binding } of graph.references(unit)) {
    const part = unit.nodes.find(({ pos, end }) => pos <= node.pos && node.end <= end);
    if (part && mayRunWith(ts, node, part)) atOnce.add(binding);
  }
  const seen = new Set<Unit>();
  for (const dependency of graph.dependencies(unit))
    if (atOnce.has(dependency.binding))
      for (const needed of graph.unitsOf(dependency)) for (const each of changedBehind.get(needed) ?? []) seen.add(each);
  return seen;
}
