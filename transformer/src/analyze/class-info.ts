/** A class of the project, where it stands, and what leads to it. */
import type * as ts from "typescript";
import { classId } from "../hoist/ids";
import type { Binding } from "./bindings";
import type { Module, Unit } from "./module";
import type { Modules, Target } from "./resolve";
import { hasModifier, isFunctionLike, unwrap } from "./syntax";

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

/**
 * Classes in a unit's expressions that are made once, when the module runs, though no name of it is theirs: `static Limit = class extends Error {}`,
 * `const errors = { NotFound: class extends Error {} }`, `register(class {})`. Their own module registers them.
 */
export function classesWithin(module: Module, unit: Unit): ClassInfo[] {
  const { ts } = module;
  const [root] = unit.bindings;
  const found: ClassInfo[] = [];
  if (!root || unit.kind !== "declaration" || root.ambient) return found;
  const known = new Set(unit.bindings.map((binding) => classNode(module, binding)));
  const taken = new Set<string>();
  const visit = (node: ts.Node, path: readonly string[]): void => {
    if (isFunctionLike(ts, node) || ts.isIterationStatement(node, false)) return;
    if (ts.isPropertyDeclaration(node) && !hasModifier(ts, node, ts.SyntaxKind.StaticKeyword)) return;
    let within = path;
    const name = ts.isPropertyAssignment(node) || ts.isPropertyDeclaration(node) ? node.name : undefined;
    if (name && "text" in name) within = [...path, name.text];
    if (ts.isClassExpression(node) && !known.has(node)) {
      const own = within === path && node.name ? [...path, node.name.text] : within;
      let id = own.join("/");
      for (let index = 2; taken.has(id) || own.length === 1; index++) {
        if (!taken.has(`${own.join("/")}~${index}`)) {
          id = `${own.join("/")}~${index}`;
          break;
        }
      }
      taken.add(id);
      found.push({ module, binding: ofExpression(root, node), root, path: own, node, id: classId(module, id), guarded: false });
    }
    ts.forEachChild(node, (child) => visit(child, within));
  };
  for (const node of unit.nodes) if (/\bclass\b/.test(module.text.slice(node.pos, node.end))) visit(node, [root.name]);
  return found;
}

/** No scope has it: it stands for the class where a binding is asked for. */
function ofExpression(root: Binding, node: ts.ClassExpression): Binding {
  const { scope } = root;
  const meaning = { value: true, type: true, ambient: false, exported: false };
  return { name: node.name?.text ?? "", kind: "class", scope, declarations: [node], references: [], ...meaning };
}

/** How another module reaches it, given what the root is exported as; undefined when a namespace on the way does not export it. */
export function pathFrom(info: ClassInfo, exported: string): string | undefined {
  for (let binding = info.binding; binding !== info.root; binding = binding.scope.owner as Binding) if (!binding.exported) return undefined;
  return [exported, ...info.path.slice(1)].join(".");
}

/** What a heritage clause names: `Shape`, `shapes.Shape`, `Namespace.Shape`. */
export function targetOf(modules: Modules, module: Module, written: ts.Expression): { module: Module; binding: Binding } | undefined {
  const { ts } = module;
  const expression = unwrap(ts, written);
  if (ts.isPropertyAccessExpression(expression)) {
    const member = expression.name.text;
    const left = unwrap(ts, expression.expression);
    const name = ts.isIdentifier(left) ? module.scopes.byNode.get(left)?.binding : undefined;
    const target = name && name.scope.kind === "module" ? modules.target(module, name) : undefined;
    if (target?.kind === "namespace") return declaredAt(modules.member(target, member));
    return memberOf(declaredAt(target) ?? targetOf(modules, module, left), member);
  }
  const binding = ts.isIdentifier(expression) ? module.scopes.byNode.get(expression)?.binding : undefined;
  if (!binding) return undefined;
  if (binding.scope.kind === "namespace") return { module, binding };
  return binding.scope.kind === "module" ? declaredAt(modules.target(module, binding)) : undefined;
}

/** What declares a target, members of namespaces among them. */
function declaredAt(target: Target | undefined): { module: Module; binding: Binding } | undefined {
  if (target?.kind === "member") return memberOf(declaredAt(target.whole), target.name);
  return target?.kind === "declared" ? target : undefined;
}

/** What a namespace declares under a name. */
function memberOf(outer: { module: Module; binding: Binding } | undefined, name: string): { module: Module; binding: Binding } | undefined {
  const inner = outer?.binding.parts?.map((part) => part.bindings.get(name)).find((binding) => binding !== undefined);
  return outer && inner && { module: outer.module, binding: inner };
}
