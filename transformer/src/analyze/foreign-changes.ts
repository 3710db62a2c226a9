/**
 * What a module does to what it imports.
 *
 * Takes a module. Gives the places where it changes what one of its imports stands for: `config.level = 2`, `state.users.push(name)`, `Settings.zone = "utc"`,
 * and what a statement names that its author includes. Such a statement comes along with every slice that has code of this module and what it changes; of
 * what comes from a package: anything from there, whichever module imports it.
 */
import type * as ts from "typescript";
import type { Module, Unit } from "./module";
import type { Modules, Target } from "./resolve";
import { changesObject } from "./set-up-calls";
import { contains, isContainer, isFrozen, runsAtTopLevel, subjectOf, useOf } from "./syntax";

export interface ForeignChange {
  /** Where it is made. */
  readonly module: Module;
  readonly target: Exclude<Target, { kind: "namespace" }>;
  readonly node: ts.Identifier;
  /** The statement of the top level, if slices can have it. */
  readonly effect: Unit | undefined;
}

export function foreignChangesIn(modules: Modules, module: Module): ForeignChange[] {
  const { ts } = module;
  const found: ForeignChange[] = [];
  const effects = module.units.filter(({ kind }) => kind === "effect");
  for (const [binding, { name }] of module.imports) {
    for (const { node, erased } of binding.references) {
      const subject = name === "*" ? subjectOf(ts, node) : node;
      if (erased || !subject) continue;
      const around = effects.find(({ nodes }) => nodes.some((statement) => contains(statement, node)));
      const effect = around && runsAtTopLevel(ts, node) ? around : undefined;
      const isIncluded = effect !== undefined && module.includedByPragma.has(effect);
      const use = useOf(ts, subject);
      if (use === "write" || (use === "read" && !isIncluded && !isFrozen(ts, node))) continue;
      const target = modules.targetOf(module, binding, node);
      if (!target || target.kind === "namespace") continue;
      const fills = target.kind === "declared" && isContainer(target.module.ts, target.binding.declarations[0]);
      if (use === "call" && !isIncluded && !fills) continue;
      found.push({ module, target, node, effect });
    }
  }
  return found;
}

/** Calls at the module's top level that change an object of another module for certain, and are in no slice: `registry.add(rule)`. */
export function changingCallsIn(modules: Modules, module: Module): ForeignChange[] {
  return module.callsLeftOut.flatMap((call): ForeignChange[] => {
    if (!module.imports.has(call.binding)) return [];
    const target = modules.targetOf(module, call.binding, call.name);
    if (!target || target.kind === "namespace" || !changesObject(modules, call, target)) return [];
    return [{ module, target, node: call.name, effect: undefined }];
  });
}
