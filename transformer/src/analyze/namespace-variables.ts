/**
 * Variables of namespaces, which hold state of a module as its own variables do: `namespace Config { export let level = 1; … }`.
 *
 * Takes a namespace of the top level, which a slice has whole, and the names that other code uses. Gives those of its variables, and of namespaces in it, that code
 * assigns after the module has run and that the other code gets to. Members are told apart by name only, whatever they are read from.
 */
import type * as ts from "typescript";
import type { Binding } from "./bindings";
import type { Module } from "./module";
import { namesUsed, type NamesUsed } from "./static-fields";
import { runsAtTopLevel, useOf } from "./syntax";

export interface NamespaceVariable {
  readonly binding: Binding;
  /** From the top level: `Config.level`. */
  readonly path: string;
  /** Where it is assigned when the code there is called. */
  readonly writes: readonly ts.Node[];
}

/** The variables of a namespace that its own module assigns by their names, in code that is called after it has run. */
export function assignedNamespaceVariables(module: Module, namespace: Binding): NamespaceVariable[] {
  const { ts } = module;
  return membersOf(namespace).flatMap(({ binding, path }): NamespaceVariable[] => {
    if (binding.kind !== "let" && binding.kind !== "var") return [];
    const writes = binding.references
      .filter(({ node, erased }) => !erased && useOf(ts, node) === "write" && !runsAtTopLevel(ts, node))
      .map(({ node }) => node);
    return writes.length === 0 ? [] : [{ binding, path, writes }];
  });
}

/**
 * What of a namespace is used: what other code names, and what that names.
 *
 * @param names that code outside of the namespace uses
 * @param entry a task, which may stand in the namespace
 */
export function namespaceMembersUsed(module: Module, namespace: Binding, names: NamesUsed, entry: ts.Node): Set<Binding> {
  const members = new Set(membersOf(namespace).map(({ binding }) => binding));
  const known: NamesUsed = { members: new Set(names.members), made: new Set(names.made) };
  const used = new Set<Binding>();
  const follow = (node: ts.Node): void => {
    namesUsed(module.ts, node, known);
    for (const { binding, erased } of module.references(node)) if (binding && !erased && members.has(binding)) use(binding);
  };
  const use = (member: Binding): void => {
    if (used.has(member)) return;
    used.add(member);
    // All that a namespace inside has would be too much: its members are found by their names.
    if (member.kind !== "namespace") member.declarations.forEach(follow);
  };
  follow(entry);
  for (let before = -1; before !== used.size;) {
    before = used.size;
    for (const member of members) if (member.exported && known.members.has(member.name)) use(member);
  }
  return used;
}

/** The bindings of a namespace and of those in it. */
function membersOf(namespace: Binding, prefix = namespace.name): { binding: Binding; path: string }[] {
  return (namespace.parts ?? []).flatMap((part) =>
    [...part.bindings.values()].flatMap((binding) => {
      const path = `${prefix}.${binding.name}`;
      return [{ binding, path }, ...(binding.kind === "namespace" ? membersOf(binding, path) : [])];
    }),
  );
}
