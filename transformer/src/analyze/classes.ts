/**
 * Which classes of the project can travel with a file's tasks.
 *
 * Takes a module with tasks and what they reach. Gives the classes of the module's own top level, those that the slices name, and those that the types of
 * parameters, results and captured variables name, through interfaces, aliases, base classes and fields. A class whose chain of base classes has private
 * state, or fields with functions, is `guarded`, and so is the whole chain.
 */
import type * as ts from "typescript";
import type { Hoisted } from "./captures";
import { thisContainer } from "./capture-rules";
import { type ClassInfo, classNode } from "./class-info";
import type { ClassNames, Named } from "./class-names";
import type { Derivations, Derived } from "./derivations";
import type { Module, Unit } from "./module";
import type { Modules } from "./resolve";
import type { Binding } from "./bindings";
import { functionOf, type TaskSite } from "./sites";

/** How deep types are followed from a signature. */
const DEPTH = 6;

/** How deep from a class that only an initialiser names. */
const NEW_DEPTH = 2;

export class ClassFinder {
  readonly found = new Map<string, ClassInfo>();
  private readonly visited = new Map<Binding, number>();
  /** Classes and types of which a task may get a value: what extends them matters wherever it is. */
  private readonly expected = new Map<Binding, Module>();

  constructor(
    private readonly modules: Modules,
    private readonly derivations: Derivations,
    private readonly names: ClassNames,
  ) {}

  /** Every class at the top level of the module. */
  ofModule(module: Module): void {
    for (const unit of module.units) this.ofUnit(unit, DEPTH);
  }

  /** Classes that a slice has. */
  ofUnits(units: Iterable<Unit>): void {
    for (const unit of units) this.ofUnit(unit, 2);
  }

  private ofUnit(unit: Unit, depth: number): void {
    if (unit.kind !== "declaration") return;
    for (const binding of unit.bindings) this.add(unit.module, binding, depth);
    for (const info of this.names.within(unit.module, unit)) if (!this.found.has(info.id)) this.found.set(info.id, { ...info });
  }

  /** Classes that a task's signature and captured variables name. */
  ofTask(site: TaskSite, hoisted: Hoisted | undefined): void {
    const { module } = site;
    this.ofInstance(site, hoisted);
    const fn = functionOf(site);
    if (fn) {
      const home = fn === site.fn ? module : (this.modules.get(fn.getSourceFile().fileName) ?? module);
      for (const parameter of fn.parameters) if (parameter.type) this.addNamed(this.names.inType(home, parameter.type), DEPTH, true);
      if (fn.type) this.addNamed(this.names.inType(home, fn.type), DEPTH, true);
    }
    if (site.kind === "wrapper")
      for (const argument of site.call.typeArguments ?? []) this.addNamed(this.names.inType(module, argument), DEPTH, true);
    for (const { binding } of hoisted?.captures ?? []) {
      for (const declaration of binding.declarations) {
        const { type, initializer } = declaration as ts.VariableDeclaration;
        if (type) this.addNamed(this.names.inType(module, type), DEPTH, true);
        if (initializer) this.addNamed(this.names.inInitializer(module, initializer), DEPTH, true);
      }
    }
  }

  /** The class that a task is a method of, or whose `this` it captures. */
  private ofInstance(site: TaskSite, hoisted: Hoisted | undefined): void {
    const { module } = site;
    const part = hoisted?.capturesThis ? hoisted.fn : undefined;
    const owner = site.kind === "method" ? site.owner : part && thisContainer(module, part)?.parent;
    const bindings = owner ? module.units.flatMap((unit) => (unit.kind === "declaration" ? [...unit.bindings] : [])) : [];
    const own = bindings.find((binding) => classNode(module, binding) === owner);
    if (own) this.add(module, own, DEPTH, true);
  }

  /**
   * Adds the classes that no task names, but whose instances tasks may get: those in code that is loaded later, those beside a class that was found, those that the module imports, and those that
   * extend or implement what was found, in the modules that the given one can reach by imports; of what a task may get also in modules that import it.
   */
  widen(from: Module, later: Iterable<Unit>): void {
    const named = new Set(this.found.keys());
    this.ofUnits(later);
    for (const [binding, record] of from.imports) {
      if (binding.references.every((use) => use.erased)) continue;
      const target = this.modules.target(from, binding);
      if (target?.kind === "declared") this.add(target.module, target.binding, 1);
      else if (target?.kind === "namespace" && this.modules.follow(from, record.specifier, record.kind)) this.ofModule(target.module);
    }
    if (this.found.size > 0 || this.visited.size > 0) this.addDerived(from);
    for (const info of this.found.values()) if (!named.has(info.id)) info.widened = true;
  }

  /** Goes on until nothing new is met: the classes beside what was found, and what derives from it where `from` can reach it. */
  private addDerived(from: Module): void {
    const { derivations } = this;
    derivations.enter(from);
    const modules = new Set<Module>();
    const ids = new Set<string>();
    const bindings = new Set<Binding>();
    const expected = new Set<Binding>();
    const derived: Derived[] = [];
    for (let before = -1; before !== this.found.size + this.visited.size + this.expected.size;) {
      before = this.found.size + this.visited.size + this.expected.size;
      for (const { module } of [...this.found.values()]) {
        if (modules.has(module)) continue;
        modules.add(module);
        this.ofModule(module);
      }
      for (const [binding, module] of this.expected) {
        if (!add(expected, binding)) continue;
        // Also those that have come while this went on: subclasses of subclasses, each in a file of its own.
        derivations.enterImporters(module);
        const info = this.names.infoOf(module, binding);
        const derivers = [...(info ? derivations.extendersOf(info.id) : []), ...derivations.implementersOf(binding)];
        for (const next of derivers) if (derivations.isNear(from, next.module)) this.take(next, true);
      }
      for (const id of this.found.keys()) if (add(ids, id)) derived.push(...derivations.extendersOf(id));
      for (const binding of this.visited.keys()) if (add(bindings, binding)) derived.push(...derivations.implementersOf(binding));
      for (let next = derived.pop(); next; next = derived.pop())
        if (!this.visited.has(next.binding) && derivations.reaches(from, next.module)) this.take(next, false);
    }
  }

  private take({ module, binding, info }: Derived, isExpected: boolean): void {
    if (info) this.add(module, binding, 1, isExpected);
    else this.visit(module, binding, 1, isExpected);
  }

  private add(module: Module, binding: Binding, depth: number, isExpected = false): void {
    for (const part of binding.parts ?? [])
      for (const inner of part.bindings.values()) if (inner.kind === "class" || inner.parts) this.add(module, inner, depth);
    const info = this.names.infoOf(module, binding);
    if (!info) return;
    if (!this.found.has(info.id)) this.found.set(info.id, { ...info });
    this.visit(module, binding, depth, isExpected);
  }

  /** Follows what a class or type says about its own parts. */
  private visit(module: Module, binding: Binding, depth: number, isExpected: boolean): void {
    const before = this.visited.get(binding);
    const isKnown = !isExpected || this.expected.has(binding);
    if (depth <= 0 || (before !== undefined && before >= depth && isKnown)) return;
    this.visited.set(binding, Math.max(depth, before ?? 0));
    if (isExpected) this.expected.set(binding, module);
    this.addNamed(this.names.partsOf(module, binding), depth - 1, isExpected);
  }

  private addNamed(named: Iterable<Named>, depth: number, isExpected: boolean): void {
    for (const { module, binding, as, isBase } of named) {
      const isValue = isExpected && isBase !== true;
      // What its fields hold is in the instance as well.
      if (isExpected && isBase === true && depth > 1) this.addNamed(this.names.partsOf(module, binding), depth - 1, true);
      if (as === "type") this.visit(module, binding, depth, isValue);
      else this.add(module, binding, as === "new" ? NEW_DEPTH : depth, isValue);
    }
  }

  /** Adds the base classes of what was found, and marks chains whose instances are constructed. */
  finish(): ClassInfo[] {
    for (const info of [...this.found.values()]) {
      const chain = this.chain(info);
      if (!chain.some((link) => this.names.isConstructed(link))) continue;
      for (const link of chain) {
        this.found.set(link.id, link);
        link.guarded = true;
      }
    }
    return [...this.found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  private chain(info: ClassInfo): ClassInfo[] {
    const chain = [info];
    for (let link: ClassInfo | undefined = info; link;) {
      const base = this.base(link);
      if (!base || chain.some((other) => other.id === base.id)) break;
      chain.push(base);
      link = base;
    }
    return chain;
  }

  private base(link: ClassInfo): ClassInfo | undefined {
    const info = this.names.baseOf(link);
    return info && (this.found.get(info.id) ?? { ...info });
  }
}

/** @returns whether it was not there before */
function add<Value>(set: Set<Value>, value: Value): boolean {
  if (set.has(value)) return false;
  set.add(value);
  return true;
}
