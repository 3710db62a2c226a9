/**
 * Rules of capturing that need no state: which functions can be hoisted along, which assignments a copy would miss, what `this` is, how a namespace's
 * members are written from outside.
 */
import type * as ts from "typescript";
import type { TypeScript } from "../core";
import type { Binding, Reference } from "./bindings";
import type { Module } from "./module";
import {
  accessedName,
  contains,
  forEachThis,
  hasModifier,
  isAccess,
  isAssignmentTarget,
  isContainer,
  isFunctionLike,
  runsWith,
  unwrap,
  useOf,
  wrapped,
} from "./syntax";

/** The function, constructor, field or static block whose `this` an arrow function or expression at `node` sees; undefined at the top level. */
export function thisContainer(module: Module, node: ts.Node): ts.Node | undefined {
  const { ts } = module;
  if (isFunctionLike(ts, node) && !ts.isArrowFunction(node)) return undefined;
  for (let child = node, current = node.parent; current && !ts.isSourceFile(current); child = current, current = current.parent) {
    if (ts.isPropertyDeclaration(current) && current.initializer === child) return current;
    if (ts.isClassStaticBlockDeclaration(current) || ts.isModuleDeclaration(current)) return current;
    if (isFunctionLike(ts, current) && !ts.isArrowFunction(current)) return current;
  }
  return undefined;
}

/**
 * What is done to the instance at a `this`: a field is assigned, or (`deep`) an object in a field is changed.
 * @param owner the class, for the types of its fields
 */
export function changeOfThis(module: Module, node: ts.Node, owner: ts.Node): { access: ts.Node; name: string; deep: boolean } | undefined {
  const { ts } = module;
  const access = wrapped(ts, node).parent;
  const use = useOf(ts, node);
  if (!isAccess(ts, access) || use === "read" || use === "write") return undefined;
  const name = ts.isPropertyAccessExpression(access) ? access.name.text : `[${access.argumentExpression.getText()}]`;
  if (use === "call") {
    const field = ts.isClassLike(owner)
      ? owner.members.find((member) => ts.isPropertyDeclaration(member) && member.name.getText() === name)
      : undefined;
    return isAccess(ts, wrapped(ts, access).parent) && isContainer(ts, field) ? { access, name, deep: true } : undefined;
  }
  const outer = wrapped(ts, access);
  const deep = useOf(ts, access) !== "write" && !(ts.isDeleteExpression(outer.parent) && outer.parent.expression === outer);
  return { access, name, deep };
}

/**
 * Whether an assignment only runs a setter (`Sheet.created = 1`, where `Sheet` has a static one) that leaves its own object as it is. What else the setter
 * changes is somebody else's, and found where that is read.
 * @param declaration of the variable or class
 * @param subject where its name stands, or the member of a namespace that is it
 */
export function assignsBySetter(ts: TypeScript, declaration: ts.Node | undefined, subject: ts.Node): boolean {
  const access = wrapped(ts, subject).parent;
  if (declaration === undefined || !isAccess(ts, access) || !isAssignmentTarget(ts, wrapped(ts, access))) return false;
  const name = accessedName(ts, access);
  const setter = membersOf(ts, declaration).find((member) => member.name.getText() === name);
  if (!setter?.body) return false;
  let changes = false;
  forEachThis(ts, setter, (node) => void (changes ||= useOf(ts, node) !== "read" || !isAccess(ts, wrapped(ts, node).parent)));
  const visit = (node: ts.Node): void => {
    changes ||= node.kind === ts.SyntaxKind.SuperKeyword;
    ts.forEachChild(node, visit);
  };
  visit(setter.body);
  return !changes;
}

/** The setters of a class itself, or of an object literal. */
function membersOf(ts: TypeScript, declaration: ts.Node): ts.SetAccessorDeclaration[] {
  if (ts.isVariableDeclaration(declaration)) {
    const value = declaration.initializer && unwrap(ts, declaration.initializer);
    if (value === undefined) return [];
    if (ts.isObjectLiteralExpression(value)) return value.properties.filter((member) => ts.isSetAccessorDeclaration(member));
    return membersOf(ts, value);
  }
  if (!ts.isClassLike(declaration)) return [];
  return declaration.members.filter(
    (member): member is ts.SetAccessorDeclaration =>
      ts.isSetAccessorDeclaration(member) && hasModifier(ts, member, ts.SyntaxKind.StaticKeyword),
  );
}

/** Whether a class is made once, when the module runs, so that a slice can have it. */
export function isAtTopLevel(module: Module, node: ts.Node): boolean {
  const { ts } = module;
  let statement = node;
  while (!ts.isSourceFile(statement.parent)) statement = statement.parent;
  return statement === node || runsWith(ts, node, statement);
}

/** How a namespace's exported binding is written from outside; undefined when something on the way is not exported. */
export function qualifiedName(binding: Binding): { text: string; root: Binding } | undefined {
  const names: string[] = [];
  let current = binding;
  while (current.scope.kind === "namespace" || current.scope.kind === "enum") {
    if (!current.exported || !current.scope.owner) return undefined;
    names.unshift(current.name);
    current = current.scope.owner;
  }
  return current.scope.kind === "module" ? { text: [current.name, ...names].join("."), root: current } : undefined;
}

/** The constant of the module that holds a class expression, by whose own name, which only the class knows, it is meant: `const Point = class P {}`. */
export function nameOutside(module: Module, binding: Binding): Binding | undefined {
  const { ts } = module;
  const [declaration] = binding.declarations;
  if (!declaration || !ts.isClassExpression(declaration)) return undefined;
  const { parent } = wrapped(ts, declaration);
  const constant = ts.isVariableDeclaration(parent) ? module.scopes.declared.get(parent) : undefined;
  return constant?.kind === "const" && constant.scope.kind === "module" ? constant : undefined;
}

/** The nodes to hoist when a local binding is a function: its declarations, or its `const f = () => …`. */
export function functionOf(module: Module, binding: Binding): ts.Node[] | undefined {
  const { ts } = module;
  if (binding.kind === "function") {
    const declarations = binding.declarations.filter((node) => ts.isFunctionDeclaration(node));
    return declarations.length === binding.declarations.length
      ? declarations.filter((node) => (node as ts.FunctionDeclaration).body)
      : undefined;
  }
  const declaration = binding.declarations[0];
  if (binding.declarations.length !== 1 || !declaration || !ts.isVariableDeclaration(declaration) || !declaration.initializer)
    return undefined;
  const value = unwrap(ts, declaration.initializer);
  return ts.isArrowFunction(value) || ts.isFunctionExpression(value) ? [declaration] : undefined;
}

/**
 * Assignments to a local variable that its captured value would miss. A loop's own `i++` is none: each round has its own variable, and the increment makes
 * the next round's.
 */
export function writes(module: Module, binding: Binding): Reference[] {
  const { ts } = module;
  const list = binding.declarations[0]?.parent;
  const loop =
    list && ts.isVariableDeclarationList(list) && list.flags & ts.NodeFlags.Let && ts.isForStatement(list.parent) ? list.parent : undefined;
  return binding.references.filter((reference) => {
    if (reference.erased || useOf(ts, reference.node) !== "write") return false;
    return !(loop?.incrementor && contains(loop.incrementor, reference.node));
  });
}

/** What a variable of the module holds that does its work only where all have the same one, in words. */
export function sharedThing(module: Module, binding: Binding): string | undefined {
  const { ts } = module;
  if (isSharedMemory(module, binding)) {
    // `Atomics.wait` on memory that nobody else has is a way to sleep.
    const sleepsOnly = binding.references.every(({ node }) => {
      const { parent } = wrapped(ts, node);
      return ts.isCallExpression(parent) && parent.expression.getText() === "Atomics.wait";
    });
    return sleepsOnly ? undefined : "shared memory";
  }
  const value = initialValue(ts, binding);
  if (!value || !ts.isNewExpression(value)) return undefined;
  const name = value.expression.getText();
  return name === "AbortController" || name === "AsyncLocalStorage" ? `an \`${name}\`` : undefined;
}

/** An `AsyncLocalStorage`, carried or not: what its methods do lasts as long as a call, and says nothing of the module. */
export function isAsyncStorage({ ts }: Module, binding: Binding): boolean {
  const value = initialValue(ts, binding);
  const made = value && ts.isCallExpression(value) ? value.arguments.at(-1) : value;
  return made !== undefined && ts.isNewExpression(made) && made.expression.getText() === "AsyncLocalStorage";
}

/** What a variable is declared with. */
function initialValue(ts: TypeScript, { declarations: [declaration] }: Binding): ts.Expression | undefined {
  const initializer = declaration && ts.isVariableDeclaration(declaration) ? declaration.initializer : undefined;
  return initializer && unwrap(ts, initializer);
}

/** Memory that all threads see: changing it is what it is for. */
export function isSharedMemory(module: Module, binding: Binding): boolean {
  const { ts } = module;
  const declaration = binding.declarations[0];
  if (!declaration) return false;
  if (ts.isParameter(declaration) || ts.isVariableDeclaration(declaration)) {
    if (declaration.type && /\bSharedArrayBuffer\b/.test(declaration.type.getText())) return true;
  }
  if (!ts.isVariableDeclaration(declaration) || !declaration.initializer) return false;
  const value = unwrap(ts, declaration.initializer);
  if (ts.isCallExpression(value)) return /(^|\.)(share|sharedArray)$/.test(value.expression.getText());
  if (!ts.isNewExpression(value)) return false;
  if (value.expression.getText() === "SharedArrayBuffer") return true;
  const first = value.arguments?.[0] && unwrap(ts, value.arguments[0]);
  if (first && ts.isNewExpression(first)) return first.expression.getText() === "SharedArrayBuffer";
  const source = first && ts.isIdentifier(first) ? module.scopes.byNode.get(first)?.binding : undefined;
  return source !== undefined && source !== binding && isSharedMemory(module, source);
}
