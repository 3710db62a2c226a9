/**
 * What a module does to what it imports.
 *
 * Takes a module. Gives the places where it changes what one of its imports stands for: `config.level = 2`, `state.users.push(name)`, `Settings.zone = "utc"`,
 * and what a statement names that its author includes. Such a statement comes along with every slice that has code of this module and what it changes; of
 * what comes from a package: anything from there, whichever module imports it.
 */
import type * as ts from "typescript";
import type { TypeScript } from "../core";
import type { Module, Unit } from "./module";
import { type Modules, type Thing, thingOf } from "./resolve";
import { changesForCertain } from "./set-up-calls";
import { accessedName, contains, isAccess, isContainer, isFrozen, runsAtTopLevel, subjectOf, useOf, wrapped } from "./syntax";

export interface ForeignChange {
  /** Where it is made. */
  readonly module: Module;
  readonly target: Thing;
  readonly node: ts.Identifier;
  /** What of the top level makes it, a statement or a declaration, if slices can have it. */
  readonly effect: Unit | undefined;
  /** What instances have of a class of the project: `Shape.prototype.area = …`. */
  readonly isOfInstances: boolean;
}

export function foreignChangesIn(modules: Modules, module: Module): ForeignChange[] {
  const { ts } = module;
  const found: ForeignChange[] = [];
  const effects = module.units.filter(({ kind }) => kind === "effect" || kind === "declaration");
  for (const [binding, { name }] of module.imports) {
    const isNamespace = name === "*" || modules.target(module, binding)?.kind === "namespace";
    for (const { node, erased } of binding.references) {
      const subject = isNamespace ? subjectOf(ts, node) : node;
      if (erased || !subject) continue;
      const around = effects.find(({ nodes }) => nodes.some((part) => contains(part, node)));
      const isIncluded = around !== undefined && module.includedByPragma.has(around);
      const use = useOf(ts, subject);
      // A statement that a call alone is made in is no unit; a declaration is one, and does not come along for a call either.
      const isEffect = around !== undefined && (around.kind === "effect" || use !== "call" || isIncluded);
      const effect = isEffect && runsAtTopLevel(ts, node) ? around : undefined;
      if (use === "write" || (use === "read" && !(isIncluded && effect) && !isFrozen(ts, node))) continue;
      const given = modules.targetOf(module, binding, node);
      if (!given || given.kind === "namespace") continue;
      const target = thingOf(given);
      const fills = target.kind === "declared" && isContainer(target.module.ts, target.binding.declarations[0]);
      if (use === "call" && !(isIncluded && effect) && !fills) continue;
      found.push({ module, target, node, effect, isOfInstances: target.kind === "declared" && isOfPrototype(ts, node) });
    }
  }
  return found;
}

function isOfPrototype(ts: TypeScript, name: ts.Node): boolean {
  let node = wrapped(ts, name);
  for (; isAccess(ts, node.parent) && node.parent.expression === node; node = wrapped(ts, node.parent))
    if (accessedName(ts, node.parent) === "prototype") return true;
  return false;
}

/** Calls at the module's top level that change an object of another module for certain, and are in no slice: `registry.add(rule)`. */
export function changingCallsIn(modules: Modules, module: Module): ForeignChange[] {
  return module.callsLeftOut.flatMap((call): ForeignChange[] => {
    if (!module.imports.has(call.binding)) return [];
    const target = modules.targetOf(module, call.binding, call.name);
    if (!target || target.kind === "namespace" || target.kind === "member" || !changesForCertain(modules, module, call, target)) return [];
    return [{ module, target, node: call.name, effect: undefined, isOfInstances: false }];
  });
}
