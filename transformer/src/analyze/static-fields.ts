/**
 * Static fields that hold state of a module as its variables do: `static get() { return (Pool.instance ??= new Pool()); }`.
 *
 * Takes a class of the top level. Gives its static fields that are assigned after the module has run, and whether code of a slice, which has the class whole,
 * gets to them. Members are told apart by name only, whatever they are called on. Fields that a class inherits are not followed.
 */
import type * as ts from "typescript";
import type { TypeScript } from "../core";
import type { Binding } from "./bindings";
import { classNode } from "./class-info";
import type { Module } from "./module";
import { accessedName, contains, forEachThis, hasModifier, isAccess, isAssignmentTarget, runsAtTopLevel, wrapped } from "./syntax";

export interface StaticField {
  readonly declaration: ts.PropertyDeclaration;
  readonly owner: ts.ClassLikeDeclaration;
  readonly className: string;
  readonly name: string;
  /** Where the class's module reads or assigns it, the place of the whole access. */
  readonly accesses: readonly ts.Node[];
  /** Those of them that assign it when they are called. */
  readonly writes: readonly ts.Node[];
}

/** The static fields of a class that its own module assigns after it has run. */
export function assignedStaticFields(module: Module, binding: Binding): StaticField[] {
  const { ts } = module;
  const owner = classNode(module, binding);
  if (!owner) return [];
  const fields = owner.members.filter(
    (member): member is ts.PropertyDeclaration => ts.isPropertyDeclaration(member) && hasModifier(ts, member, ts.SyntaxKind.StaticKeyword),
  );
  if (fields.length === 0) return [];
  const subjects = binding.references.filter(({ erased }) => !erased).map(({ node }): ts.Node => node);
  for (const member of owner.members) {
    const isStatic = hasModifier(ts, member, ts.SyntaxKind.StaticKeyword) || ts.isClassStaticBlockDeclaration(member);
    if (isStatic) forEachThis(ts, member, (node) => void subjects.push(node));
  }
  const accesses = subjects.flatMap((subject) => {
    const access = wrapped(ts, subject).parent;
    return isAccess(ts, access) && access.expression === wrapped(ts, subject) ? [access] : [];
  });
  return fields.flatMap((declaration): StaticField[] => {
    const name = declaration.name.getText();
    const own = accesses.filter((access) => accessedName(ts, access) === name);
    const writes = own.filter((access) => isAssignmentTarget(ts, wrapped(ts, access)) && !runsAtTopLevel(ts, access));
    return writes.length === 0 ? [] : [{ declaration, owner, className: binding.name, name, accesses: own, writes }];
  });
}

/** What code uses, by the names that it has for it. */
export interface NamesUsed {
  /** Members that it reads, calls or takes apart. */
  readonly members: Set<string>;
  /** Classes of which it makes instances. */
  readonly made: Set<string>;
}

/** @param into what is found is added to this */
export function namesUsed(ts: TypeScript, root: ts.Node, into: NamesUsed = { members: new Set(), made: new Set() }): NamesUsed {
  const visit = (node: ts.Node): void => {
    const name = isAccess(ts, node) ? accessedName(ts, node) : undefined;
    if (name !== undefined) into.members.add(name);
    if (ts.isBindingElement(node) && ts.isObjectBindingPattern(node.parent)) into.members.add((node.propertyName ?? node.name).getText());
    // A subclass makes them too.
    if (ts.isNewExpression(node) || ts.isExpressionWithTypeArguments(node)) into.made.add(node.expression.getText().replace(/^.*\./, ""));
    ts.forEachChild(node, visit);
  };
  visit(root);
  return into;
}

/**
 * The members of a class that code outside of it gets to: what it names, what these name, and what runs without being named. Instances that arrive from
 * another thread are made without the constructor.
 *
 * @param names that the code outside uses
 * @param entry a member that is called in any case
 */
export function membersUsed(ts: TypeScript, { owner, className }: StaticField, names: NamesUsed, entry: ts.Node): Set<ts.ClassElement> {
  const { members: known, made } = { members: new Set(names.members), made: new Set(names.made) };
  made.delete("this");
  const used = new Set<ts.ClassElement>();
  const isUsed = (member: ts.ClassElement): boolean => {
    if (member === entry || ts.isClassStaticBlockDeclaration(member)) return true;
    if (member.name && known.has(member.name.getText())) return true;
    const isField = ts.isPropertyDeclaration(member);
    if (ts.isConstructorDeclaration(member) || (isField && !hasModifier(ts, member, ts.SyntaxKind.StaticKeyword)))
      return made.has(className) || made.has("this");
    return isField ? !holdsFunction(ts, member) : member.name !== undefined && ts.isComputedPropertyName(member.name);
  };
  for (let before = -1; before !== used.size;) {
    before = used.size;
    for (const member of owner.members) {
      if (used.has(member) || !isUsed(member)) continue;
      used.add(member);
      namesUsed(ts, member, { members: known, made });
    }
  }
  return used;
}

function holdsFunction(ts: TypeScript, { initializer }: ts.PropertyDeclaration): boolean {
  return initializer !== undefined && (ts.isArrowFunction(initializer) || ts.isFunctionExpression(initializer));
}

/** Whether the access stands outside of the class, or in a member of these. */
export function isReached({ owner }: StaticField, access: ts.Node, members: ReadonlySet<ts.ClassElement>): boolean {
  return !contains(owner, access) || [...members].some((member) => contains(member, access));
}
