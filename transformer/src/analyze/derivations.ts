/**
 * Which classes and interfaces extend or implement which, in all modules that marked files can reach, and in those that import the classes' modules.
 *
 * Takes modules as they are asked about. Gives, for a class, those that extend it, and for a binding that types have named, those that implement or extend
 * it. Each module is looked through once, however many marked files reach it; whether a given file does is only walked when something was found.
 * Valid as long as no module changes.
 */
import type * as ts from "typescript";
import type { Binding } from "./bindings";
import { type ClassInfo, classInfo, targetOf } from "./class-info";
import { possibleDeriversOf } from "./importers";
import type { Module } from "./module";
import type { Modules } from "./resolve";

export interface Derived {
  readonly module: Module;
  readonly binding: Binding;
  /** Undefined for an interface. */
  readonly info: ClassInfo | undefined;
}

export class Derivations {
  private readonly entered = new Set<Module>();
  private readonly indexed = new Set<Module>();
  /** Modules of which the importers are known, and those importers. */
  private readonly asked = new Set<Module>();
  private readonly importing = new Set<Module>();
  /** What imports lead to, and how many modules names of this one had led to by then. */
  private readonly imported = new Map<Module, { readonly all: Set<Module>; met: number }>();
  private readonly closures = new Map<Module, Set<Module>>();
  /** By the id of the base class. */
  private readonly extending = new Map<string, Derived[]>();
  /** By what a heritage clause names. */
  private readonly naming = new Map<Binding, Derived[]>();

  constructor(private readonly modules: Modules) {}

  /** Looks through what the module can reach by imports. */
  enter(from: Module): void {
    const queue = [from];
    for (let module = queue.pop(); module; module = queue.pop()) {
      if (this.entered.has(module)) continue;
      this.entered.add(module);
      queue.push(...this.next(module));
      if (/\b(?:extends|implements)\b/.test(module.text)) this.index(module);
    }
  }

  /** Looks through the modules that import the given one: a base class knows nothing of its subclasses. */
  enterImporters(of: Module): void {
    if (this.asked.has(of)) return;
    this.asked.add(of);
    for (const module of possibleDeriversOf(this.modules, of)) {
      this.importing.add(module);
      this.index(module);
    }
  }

  /** Whether what a module derives from another one's classes counts for a marked file: either of the two leads to it. */
  isNear(from: Module, module: Module): boolean {
    return this.importing.has(module) || this.reaches(from, module);
  }

  /** Classes that extend the one with the given id. */
  extendersOf(id: string): readonly Derived[] {
    return this.extending.get(id) ?? [];
  }

  /** Classes that implement, and interfaces that extend, what the binding declares. */
  implementersOf(binding: Binding): readonly Derived[] {
    return this.naming.get(binding) ?? [];
  }

  /** Whether a module reaches another one by imports. */
  reaches(from: Module, other: Module): boolean {
    let closure = this.closures.get(from);
    if (!closure) {
      closure = new Set([from]);
      for (const module of closure) for (const next of this.next(module)) closure.add(next);
      this.closures.set(from, closure);
    }
    return closure.has(other);
  }

  private next(module: Module): Iterable<Module> {
    let imported = this.imported.get(module);
    if (!imported) {
      imported = { all: new Set(), met: 0 };
      for (const { specifier, kind } of module.staticImports) {
        const other = this.modules.follow(module, specifier, kind);
        if (other) imported.all.add(other);
      }
      this.imported.set(module, imported);
    }
    // Names in types lead further, as they are met.
    const followed = this.modules.followedFrom(module);
    if (followed.size === imported.met) return imported.all;
    imported.met = followed.size;
    for (const passed of followed) if (!passed.opaque) imported.all.add(passed);
    return imported.all;
  }

  private index(module: Module): void {
    if (this.indexed.has(module)) return;
    this.indexed.add(module);
    const { ts } = module;
    const add = (binding: Binding): void => {
      for (const part of binding.parts ?? [])
        for (const inner of part.bindings.values()) if (inner.kind === "class" || inner.parts || inner.kind === "type") add(inner);
      const info = classInfo(module, binding);
      const derived: Derived = { module, binding, info };
      const interfaces = binding.declarations.filter((declaration) => ts.isInterfaceDeclaration(declaration));
      for (const node of [...(info ? [info.node] : []), ...interfaces]) this.indexNode(derived, node);
    };
    for (const binding of module.scopes.module.bindings.values()) if (!module.imports.has(binding)) add(binding);
  }

  private indexNode(derived: Derived, node: ts.ClassLikeDeclaration | ts.InterfaceDeclaration): void {
    const { module } = derived;
    const { ts } = module;
    for (const clause of node.heritageClauses ?? []) {
      const isBaseClass = clause.token === ts.SyntaxKind.ExtendsKeyword && !ts.isInterfaceDeclaration(node);
      for (const { expression } of clause.types) {
        const target = targetOf(this.modules, module, expression);
        if (!target) continue;
        if (!isBaseClass) push(this.naming, target.binding, derived);
        else {
          const base = classInfo(target.module, target.binding);
          if (base) push(this.extending, base.id, derived);
        }
      }
    }
  }
}

function push<Key>(map: Map<Key, Derived[]>, key: Key, derived: Derived): void {
  const known = map.get(key);
  if (known) known.push(derived);
  else map.set(key, [derived]);
}
