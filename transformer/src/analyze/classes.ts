/**
 * Which classes of the project can travel with a file's tasks.
 *
 * Takes a module with tasks and what they reach. Gives the classes of the module's own top level, those that the slices name, and those that the types of
 * parameters, results and captured variables name, through interfaces, aliases, base classes and fields. A class whose chain of base classes has private
 * state is `guarded`, and so is the whole chain.
 */
import type * as ts from "typescript";
import { classId } from "../hoist/ids";
import { privateState } from "../hoist/classes";
import type { Hoisted } from "./captures";
import type { Module, Unit } from "./module";
import type { Modules } from "./resolve";
import { type Binding, referencesWithin } from "./bindings";
import { functionOf, type TaskSite } from "./sites";
import { unwrap } from "./syntax";

export interface ClassInfo {
  readonly module: Module;
  readonly binding: Binding;
  /** The module's own binding that it is reached through: itself, or the namespace that it is in. */
  readonly root: Binding;
  /** From the root: `["Geometry", "Point"]`. */
  readonly path: readonly string[];
  readonly node: ts.ClassLikeDeclaration;
  readonly id: string;
  guarded: boolean;
  /** No task names it; an instance may reach one all the same, where something that is named is expected. Its own module registers it. */
  widened?: boolean;
}

/** How deep types are followed from a signature. */
const DEPTH = 6;

export function classNode(module: Module, binding: Binding): ts.ClassLikeDeclaration | undefined {
  const { ts } = module;
  for (const declaration of binding.declarations) {
    if (ts.isClassDeclaration(declaration)) return declaration;
    if (ts.isVariableDeclaration(declaration) && declaration.initializer) {
      const value = unwrap(ts, declaration.initializer);
      if (ts.isClassExpression(value)) return value;
    }
    if (ts.isExportAssignment(declaration)) {
      const value = unwrap(ts, declaration.expression);
      if (ts.isClassExpression(value)) return value;
    }
  }
  return undefined;
}

/** Undefined when the binding is no class, or one inside a function. */
export function classInfo(module: Module, binding: Binding): ClassInfo | undefined {
  const node = classNode(module, binding);
  if (!node || binding.ambient) return undefined;
  const path = [binding.name];
  let root = binding;
  while (root.scope.kind === "namespace" && root.scope.owner) {
    root = root.scope.owner;
    path.unshift(root.name);
  }
  if (root.scope.kind !== "module" || !module.unitOf.has(root)) return undefined;
  return { module, binding, root, path, node, id: classId(module, path.join(".")), guarded: false };
}

/** How another module reaches it, given what the root is exported as; undefined when a namespace on the way does not export it. */
export function pathFrom(info: ClassInfo, exported: string): string | undefined {
  for (let binding = info.binding; binding !== info.root; binding = binding.scope.owner as Binding) if (!binding.exported) return undefined;
  return [exported, ...info.path.slice(1)].join(".");
}

export class ClassFinder {
  readonly found = new Map<string, ClassInfo>();
  private readonly visited = new Map<Binding, number>();

  constructor(private readonly modules: Modules) {}

  /** Every class at the top level of the module. */
  ofModule(module: Module): void {
    for (const unit of module.units) if (unit.kind === "declaration") for (const binding of unit.bindings) this.add(module, binding, DEPTH);
  }

  /** Classes that a slice has. */
  ofUnits(units: Iterable<Unit>): void {
    for (const unit of units) {
      if (unit.kind === "declaration") for (const binding of unit.bindings) this.add(unit.module, binding, 2);
    }
  }

  /** Classes that a task's signature and captured variables name. */
  ofTask(site: TaskSite, hoisted: Hoisted | undefined): void {
    const { module } = site;
    const fn = functionOf(site);
    if (fn) {
      const home = fn === site.fn ? module : (this.modules.get(fn.getSourceFile().fileName) ?? module);
      for (const parameter of fn.parameters) if (parameter.type) this.types(home, parameter.type, DEPTH);
      if (fn.type) this.types(home, fn.type, DEPTH);
    }
    if (site.kind === "wrapper") for (const argument of site.call.typeArguments ?? []) this.types(module, argument, DEPTH);
    for (const { binding } of hoisted?.captures ?? []) {
      for (const declaration of binding.declarations) {
        const { type, initializer } = declaration as ts.VariableDeclaration;
        if (type) this.types(module, type, DEPTH);
        if (initializer) this.constructed(module, initializer);
      }
    }
  }

  /**
   * Adds the classes that no task names, but whose instances tasks may get: those beside a class that was found, those that the module imports, and those that
   * extend or implement what was found, in the modules that the given one can reach by imports.
   */
  widen(from: Module): void {
    const named = new Set(this.found.keys());
    for (const [binding, record] of from.imports) {
      if (binding.references.every((use) => use.erased)) continue;
      const target = this.modules.target(from, binding);
      if (target?.kind === "declared") this.add(target.module, target.binding, 1);
      else if (target?.kind === "namespace" && this.modules.follow(from, record.specifier, record.kind)) this.ofModule(target.module);
    }
    if (this.found.size > 0 || this.visited.size > 0) {
      const reachable = this.reachable(from);
      for (let size = -1; size !== this.found.size;) {
        size = this.found.size;
        for (const module of new Set([...this.found.values()].map((info) => info.module))) this.ofModule(module);
        for (const module of reachable) this.addDerived(module);
      }
    }
    for (const info of this.found.values()) if (!named.has(info.id)) info.widened = true;
  }

  /** Modules whose text extends or implements something, among those that the given one reaches by static imports. */
  private reachable(from: Module): Module[] {
    const seen = new Set<Module>([from]);
    for (const module of seen) {
      for (const { specifier, kind } of module.staticImports) {
        const other = this.modules.follow(module, specifier, kind);
        if (other) seen.add(other);
      }
      for (const passed of this.modules.followedFrom(module)) if (!passed.opaque) seen.add(passed);
    }
    return [...seen].filter((module) => /\b(?:extends|implements)\b/.test(module.text));
  }

  /** @returns whether anything was met that was not known before */
  private addDerived(module: Module): boolean {
    const { ts } = module;
    let met = false;
    const add = (binding: Binding): void => {
      for (const part of binding.parts ?? [])
        for (const inner of part.bindings.values()) if (inner.kind === "class" || inner.parts || inner.kind === "type") add(inner);
      if (this.visited.has(binding)) return;
      const info = classInfo(module, binding);
      const extended = binding.declarations.filter((declaration) => ts.isInterfaceDeclaration(declaration));
      const base = info && this.base(info);
      const isDerived = base !== undefined && this.found.has(base.id);
      if (!isDerived && ![...(info ? [info.node] : []), ...extended].some((node) => this.inheritsNamed(module, node))) return;
      if (info) this.add(module, binding, 1);
      else this.visit(module, binding, 1);
      met = true;
    };
    for (const binding of module.scopes.module.bindings.values()) if (!module.imports.has(binding)) add(binding);
    return met;
  }

  /** Whether a class implements, or an interface extends, what has been met on the way from a signature. */
  private inheritsNamed(module: Module, node: ts.ClassLikeDeclaration | ts.InterfaceDeclaration): boolean {
    const { ts } = module;
    return (node.heritageClauses ?? []).some(
      (clause) =>
        (clause.token === ts.SyntaxKind.ImplementsKeyword || ts.isInterfaceDeclaration(node)) &&
        clause.types.some(({ expression }) => {
          const target = this.targetOf(module, expression);
          return target !== undefined && this.visited.has(target.binding);
        }),
    );
  }

  /** What a heritage clause names: `Shape`, `shapes.Shape`, `Namespace.Shape`. */
  private targetOf(module: Module, written: ts.Expression): { module: Module; binding: Binding } | undefined {
    const { ts } = module;
    const expression = unwrap(ts, written);
    if (ts.isPropertyAccessExpression(expression)) {
      const member = expression.name.text;
      const left = unwrap(ts, expression.expression);
      const name = ts.isIdentifier(left) ? module.scopes.byNode.get(left)?.binding : undefined;
      const target = name && name.scope.kind === "module" ? this.modules.target(module, name) : undefined;
      if (target?.kind === "namespace") {
        const exported = this.modules.exported(target.module, member);
        return exported?.kind === "declared" ? exported : undefined;
      }
      const outer = target?.kind === "declared" ? target : this.targetOf(module, left);
      const inner = outer?.binding.parts?.map((part) => part.bindings.get(member)).find((binding) => binding !== undefined);
      return outer && inner && { module: outer.module, binding: inner };
    }
    const binding = ts.isIdentifier(expression) ? module.scopes.byNode.get(expression)?.binding : undefined;
    if (!binding) return undefined;
    if (binding.scope.kind === "namespace") return { module, binding };
    const target = binding.scope.kind === "module" ? this.modules.target(module, binding) : undefined;
    return target?.kind === "declared" ? target : undefined;
  }

  private add(module: Module, binding: Binding, depth: number): void {
    for (const part of binding.parts ?? [])
      for (const inner of part.bindings.values()) if (inner.kind === "class" || inner.parts) this.add(module, inner, depth);
    const info = classInfo(module, binding);
    if (!info) return;
    if (!this.found.has(info.id)) this.found.set(info.id, info);
    this.visit(module, binding, depth);
  }

  /** Follows what a class or type says about its own parts. */
  private visit(module: Module, binding: Binding, depth: number): void {
    const before = this.visited.get(binding);
    if (depth <= 0 || (before !== undefined && before >= depth)) return;
    this.visited.set(binding, depth);
    const { ts } = module;
    const node = classNode(module, binding);
    if (node) {
      for (const clause of node.heritageClauses ?? []) this.types(module, clause, depth - 1);
      for (const member of node.members) {
        if (ts.isPropertyDeclaration(member)) {
          if (member.type) this.types(module, member.type, depth - 1);
          if (member.initializer) this.constructed(module, member.initializer);
        } else if (ts.isConstructorDeclaration(member)) {
          for (const parameter of member.parameters) if (parameter.type) this.types(module, parameter.type, depth - 1);
        }
      }
    }
    for (const declaration of binding.declarations) {
      if (ts.isTypeAliasDeclaration(declaration)) this.types(module, declaration.type, depth - 1);
      if (!ts.isInterfaceDeclaration(declaration)) continue;
      for (const clause of declaration.heritageClauses ?? []) this.types(module, clause, depth - 1);
      for (const member of declaration.members)
        if (ts.isPropertySignature(member) && member.type) this.types(module, member.type, depth - 1);
    }
  }

  /** Names in a type, whatever it is built of. */
  private types(module: Module, node: ts.Node, depth: number): void {
    const { ts } = module;
    for (const reference of referencesWithin(module.scopes, node.getStart(), node.end)) {
      if (!reference.binding) continue;
      if (reference.binding.scope.kind === "namespace") this.add(module, reference.binding, depth);
      if (reference.binding.scope.kind !== "module") continue;
      const { parent } = reference.node;
      let target = this.modules.target(module, reference.binding);
      if (target?.kind === "namespace" && (ts.isQualifiedName(parent) || ts.isPropertyAccessExpression(parent))) {
        target = this.modules.exported(target.module, ts.isQualifiedName(parent) ? parent.right.text : parent.name.text);
      }
      if (target?.kind !== "declared") continue;
      if (classNode(target.module, target.binding) || target.binding.parts) this.add(target.module, target.binding, depth);
      else this.visit(target.module, target.binding, depth);
    }
    this.importTypes(module, node, depth);
  }

  /** `import("./shape").Shape` */
  private importTypes(module: Module, node: ts.Node, depth: number): void {
    const { ts } = module;
    if (!node.getText().includes("import(")) return;
    const visit = (child: ts.Node): void => {
      if (
        ts.isImportTypeNode(child) &&
        ts.isLiteralTypeNode(child.argument) &&
        ts.isStringLiteral(child.argument.literal) &&
        child.qualifier
      ) {
        const other = this.modules.follow(module, child.argument.literal.text);
        const target = other && ts.isIdentifier(child.qualifier) ? this.modules.exported(other, child.qualifier.text) : undefined;
        if (target?.kind === "declared") this.add(target.module, target.binding, depth);
      }
      ts.forEachChild(child, visit);
    };
    visit(node);
  }

  /** Classes after `new` in an initialiser. */
  private constructed(module: Module, node: ts.Node): void {
    const { ts } = module;
    for (const reference of referencesWithin(module.scopes, node.getStart(), node.end)) {
      if (reference.erased || !reference.binding || !ts.isNewExpression(reference.node.parent) || reference.binding.scope.kind !== "module")
        continue;
      const target = this.modules.target(module, reference.binding);
      if (target?.kind === "declared") this.add(target.module, target.binding, 2);
    }
  }

  /** Adds the base classes of what was found, and marks chains that have private state. */
  finish(): ClassInfo[] {
    for (const info of [...this.found.values()]) {
      const chain = this.chain(info);
      if (!chain.some((link) => privateState(link.module, link.node).length > 0)) continue;
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

  private base({ module, node }: ClassInfo): ClassInfo | undefined {
    const { ts } = module;
    const heritage = node.heritageClauses?.find((clause) => clause.token === ts.SyntaxKind.ExtendsKeyword)?.types[0];
    const target = heritage && this.targetOf(module, heritage.expression);
    return target && this.known(classInfo(target.module, target.binding));
  }

  private known(info: ClassInfo | undefined): ClassInfo | undefined {
    return info && (this.found.get(info.id) ?? info);
  }
}
