/**
 * Which fields of its instance a task uses.
 *
 * Takes a class and the code that has its instance as `this`. Gives the names that this code says after `this`, also in the methods and accessors that it
 * uses there, so that only those fields travel: the others may hold a connection, a logger, or much. Gives nothing, and the whole instance travels, where that is not
 * certain: the instance itself goes somewhere (`f(this)`), a class that it extends is not the project's, decorators of the project may do more.
 */
import type * as ts from "typescript";
import { type ClassInfo, classInfo, targetOf } from "./class-info";
import { thisContainer } from "./capture-rules";
import type { Hoisted } from "./captures";
import { boundInConstructor, functionsIn } from "./function-fields";
import type { Module } from "./module";
import type { Modules } from "./resolve";
import type { TaskSite } from "./sites";
import { hasModifier, isFunctionLike, wrapped } from "./syntax";

export interface InstanceFields {
  /** Id of the class. A subclass may have something of its own in the place of what is used. */
  readonly of: string;
  readonly names: readonly string[];
  /** The class's module, and those of the classes that it extends. */
  readonly modules: readonly Module[];
}

/**
 * @param classes that are known to travel: subclasses among them that have something of their own in the place of what the task uses are listed as well
 * @returns undefined when there is no instance, or all of it travels
 */
export function instanceFields(
  modules: Modules,
  site: TaskSite,
  hoisted: Hoisted | undefined,
  classes: readonly ClassInfo[] = [],
): InstanceFields[] | undefined {
  const { module } = site;
  const { ts } = module;
  const parts = site.kind === "method" ? (site.isStatic ? [] : [site.fn]) : hoisted?.capturesThis ? hoisted.parts : [];
  const [owner, ...others] = new Set(parts.map((part) => (site.kind === "method" ? site.owner : thisContainer(module, part)?.parent)));
  if (!owner || others.length > 0 || !ts.isClassLike(owner)) return undefined;
  const bindings = module.units.flatMap((unit) => (unit.kind === "declaration" ? [...unit.bindings] : []));
  const own = bindings.map((binding) => classInfo(module, binding)).find((info) => info?.node === owner);
  const fields = own && fieldsUsed(modules, own, own, parts);
  if (!fields) return undefined;
  const found = [fields];
  for (const info of classes) {
    const chain = info.id === own.id || !info.node.heritageClauses ? undefined : chainOf(modules, info);
    const above = chain?.findIndex(({ id }) => id === own.id) ?? -1;
    const overrides = chain?.slice(0, Math.max(above, 0)).some((link) => fields.names.some((name) => membersOf(link, name).length > 0));
    const other = overrides && fieldsUsed(modules, info, own, parts);
    if (other) found.push(other);
  }
  return found;
}

/** What code of `owner` uses of an instance whose class is `of`. */
function fieldsUsed(modules: Modules, of: ClassInfo, owner: ClassInfo, parts: readonly ts.Node[]): InstanceFields | undefined {
  const chain = chainOf(modules, of);
  const level = chain?.findIndex(({ id }) => id === owner.id) ?? -1;
  if (!chain || level < 0) return undefined;
  const fields = new Fields(chain);
  for (const part of parts) fields.code(part, level);
  if (fields.all) return undefined;
  return { of: of.id, names: [...fields.names].sort(), modules: [...new Set(chain.map((link) => link.module))] };
}

/** A class and what it extends; undefined when that is not all the project's, or decorators of the project have a hand in it. */
function chainOf(modules: Modules, of: ClassInfo): ClassInfo[] | undefined {
  let link: ClassInfo | undefined = of;
  const chain: ClassInfo[] = [];
  while (link && !chain.some(({ id }) => id === link?.id)) {
    if (!hasForeignDecoratorsOnly(modules, link)) return undefined;
    chain.push(link);
    const { ts } = link.module;
    const heritage = link.node.heritageClauses?.find((clause) => clause.token === ts.SyntaxKind.ExtendsKeyword)?.types[0];
    if (!heritage) return chain;
    const target = targetOf(modules, link.module, heritage.expression);
    link = target && classInfo(target.module, target.binding);
  }
  return undefined;
}

/** Those of a package know nothing of the class's own fields. */
function hasForeignDecoratorsOnly(modules: Modules, { module, node }: ClassInfo): boolean {
  const { ts } = module;
  return (ts.getDecorators(node) ?? []).every(({ expression }) => {
    let name: ts.Expression = expression;
    while (ts.isCallExpression(name) || ts.isPropertyAccessExpression(name)) name = name.expression;
    const binding = ts.isIdentifier(name) ? module.scopes.byNode.get(name)?.binding : undefined;
    return binding?.scope.kind === "module" && modules.target(module, binding)?.kind === "external";
  });
}

class Fields {
  readonly names = new Set<string>();
  all = false;
  private readonly seen = new Set<ts.Node>();

  constructor(private readonly chain: readonly ClassInfo[]) {}

  /** @param level of the class, in the chain, in which the code stands */
  code(fn: ts.Node, level: number): void {
    if (this.seen.has(fn)) return;
    this.seen.add(fn);
    const { ts } = this.chain[level]!.module;
    const visit = (node: ts.Node): void => {
      if (node.kind === ts.SyntaxKind.ThisKeyword && !ts.isTypeNode(node.parent)) return this.use(node, level);
      if (node.kind === ts.SyntaxKind.SuperKeyword) {
        if (!ts.isPropertyAccessExpression(node.parent)) this.all = true;
        else this.member(node.parent.name.text, isCallee(ts, node.parent), level + 1);
        return;
      }
      if (ts.isClassLike(node)) {
        // What it extends, and computed names, are the only places in it that have the `this` around it.
        if (/\b(?:this|super)\b/.test(node.getText())) this.all = true;
        return;
      }
      if (isFunctionLike(ts, node) && !ts.isArrowFunction(node)) {
        if (node.name && ts.isComputedPropertyName(node.name)) visit(node.name);
        return;
      }
      ts.forEachChild(node, visit);
    };
    ts.forEachChild(fn, visit);
  }

  private use(node: ts.Node, level: number): void {
    const { ts } = this.chain[level]!.module;
    const outer = wrapped(ts, node);
    const { parent } = outer;
    if (ts.isPropertyAccessExpression(parent) && parent.expression === outer) {
      // A subclass may have a private name of its own that is written in the same way.
      this.member(parent.name.text, isCallee(ts, parent), ts.isPrivateIdentifier(parent.name) ? level : 0);
    } else if (ts.isElementAccessExpression(parent) && ts.isStringLiteralLike(parent.argumentExpression)) {
      this.member(parent.argumentExpression.text, isCallee(ts, parent), 0);
    } else if (ts.isVariableDeclaration(parent) && ts.isObjectBindingPattern(parent.name)) {
      for (const { dotDotDotToken, propertyName, name } of parent.name.elements) {
        const key = propertyName ?? name;
        if (dotDotDotToken || !(ts.isIdentifier(key) || ts.isStringLiteral(key))) this.all = true;
        else this.member(key.text, false, 0);
      }
    } else this.all = true;
  }

  /** A name after `this`: a field, or what the class has for it, whose code is looked through as well. */
  private member(name: string, isCalled: boolean, from: number): void {
    this.names.add(name);
    for (let level = from; level < this.chain.length; level++) {
      const { module } = this.chain[level]!;
      const found = membersOf(this.chain[level]!, name);
      for (const member of found) {
        const { ts } = module;
        const isMark = (decorator: ts.Decorator): boolean =>
          module.sites.some((site) => site.kind === "method" && site.decorator === decorator);
        if (!(ts.getDecorators(member as ts.MethodDeclaration) ?? []).every(isMark)) this.all = true;
        if (isFunctionLike(ts, member) && !ts.isConstructorDeclaration(member)) this.code(member, level);
        if (ts.isPropertyDeclaration(member)) for (const fn of functionsIn(ts, member)) this.code(fn, level);
      }
      const bound = boundInConstructor(module.ts, this.chain[level]!.node).get(name);
      if (bound) this.code(bound, level);
      if (found.length > 0) return;
    }
    // Whatever it is, it is not written in the class: a method of Object's, or one under a computed name.
    if (isCalled || this.chain.some(({ module, node }) => hasComputedNames(module, node))) this.all = true;
  }
}

function membersOf({ module, node }: ClassInfo, name: string): ts.ClassElement[] {
  return node.members.filter((member) => isNamed(module, member, name));
}

/** Of members of instances; for a parameter property, the constructor. */
function isNamed({ ts }: Module, member: ts.ClassElement, name: string): boolean {
  if (ts.isConstructorDeclaration(member)) {
    return member.parameters.some((parameter) => ts.isParameterPropertyDeclaration(parameter, member) && parameter.name.getText() === name);
  }
  if (!member.name || hasModifier(ts, member, ts.SyntaxKind.StaticKeyword)) return false;
  return "text" in member.name && member.name.text === name;
}

/** Other than `[Symbol.iterator]`. */
function hasComputedNames({ ts }: Module, node: ts.ClassLikeDeclaration): boolean {
  return node.members.some(
    ({ name }) =>
      name &&
      ts.isComputedPropertyName(name) &&
      !/^Symbol\.\w+$/.test(name.expression.getText()) &&
      !ts.isStringLiteralLike(name.expression),
  );
}

function isCallee(ts: Module["ts"], access: ts.Node): boolean {
  const outer = wrapped(ts, access);
  return (ts.isCallExpression(outer.parent) || ts.isTaggedTemplateExpression(outer.parent)) && calleeOf(ts, outer.parent) === outer;
}

function calleeOf(ts: Module["ts"], node: ts.CallExpression | ts.TaggedTemplateExpression): ts.Node {
  return ts.isCallExpression(node) ? node.expression : node.tag;
}
