/** Scopes, bindings and references: what scopes.ts finds, and how names are looked up in it. */
import type * as ts from "typescript";

export type BindingKind =
  "var" | "let" | "const" | "parameter" | "function" | "class" | "enum" | "enumMember" | "namespace" | "import" | "catch" | "type";

/** What a name in a scope stands for. Merged declarations (overloads, class and interface, enum parts) are one binding. */
export interface Binding {
  readonly name: string;
  kind: BindingKind;
  readonly scope: Scope;
  /** Declaring nodes: `VariableDeclaration`, `BindingElement`, `Parameter`, `FunctionDeclaration`, `ImportSpecifier`, … */
  readonly declarations: ts.Node[];
  value: boolean;
  type: boolean;
  /** `declare …`: nothing is emitted for it, it means a global. */
  ambient: boolean;
  /** Exported from the namespace that holds it. */
  exported: boolean;
  readonly references: Reference[];
  /** Scopes of the merged parts, of a namespace or an enum. */
  parts?: Scope[];
}

export type ScopeKind = "module" | "function" | "body" | "block" | "class" | "namespace" | "enum" | "type";

export interface Scope {
  readonly kind: ScopeKind;
  readonly node: ts.Node;
  readonly parent: Scope | undefined;
  readonly bindings: Map<string, Binding>;
  /** The namespace's or enum's own binding. */
  owner?: Binding;
}

export type Space = "value" | "type" | "both";

export interface Reference {
  readonly node: ts.Identifier;
  readonly name: string;
  readonly scope: Scope;
  /** `both`: an export specifier, or the right side of `import a = b.c`. */
  readonly space: Space;
  /** True where nothing is emitted: type annotations and `typeof x` in them. */
  readonly erased: boolean;
  binding: Binding | undefined;
}

export interface ScopeTree {
  readonly module: Scope;
  readonly references: Reference[];
  /** By identifier node. */
  readonly byNode: Map<ts.Node, Reference>;
  /** Every name that occurs in the file, declared or not: a fresh name must not be among them. */
  readonly names: Set<string>;
  /** The binding that a declaring node declares. */
  readonly declared: Map<ts.Node, Binding>;
}

/** What a name means at a place: the nearest scope that has it wins. */
export function lookup(start: Scope, name: string, space: Space): Binding | undefined {
  for (let scope: Scope | undefined = start; scope; scope = scope.parent) {
    const own = scope.bindings.get(name);
    if (own && means(own, space)) return own;
    for (const part of scope.owner?.parts ?? []) {
      const merged = part.bindings.get(name);
      if (merged && merged.exported && means(merged, space)) return merged;
    }
  }
  return undefined;
}

function means(binding: Binding, space: Space): boolean {
  // An import's meaning is only known to the other file: `import type` can still be asked for by value in `typeof`.
  if (space === "both" || binding.kind === "import") return true;
  return space === "value" ? binding.value : binding.type;
}

/** References whose identifiers lie in `[start, end)`, by binary search. */
export function referencesWithin(tree: ScopeTree, start: number, end: number): Reference[] {
  const { references } = tree;
  let low = 0;
  let high = references.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((references[middle] as Reference).node.end <= start) low = middle + 1;
    else high = middle;
  }
  const found: Reference[] = [];
  for (let index = low; index < references.length && (references[index] as Reference).node.end <= end; index++)
    found.push(references[index] as Reference);
  return found;
}
