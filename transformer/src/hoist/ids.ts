/** Names and ids of tasks and classes: `path/from/root.ts#outer.inner`, the same on every machine. */
import { createHash } from "node:crypto";
import type * as ts from "typescript";
import type { Module } from "../analyze/module";
import type { TaskSite } from "../analyze/sites";
import { isFunctionLike } from "../analyze/syntax";

/** Gives each site its name and id. The second task of one name in a file is `name~2`. */
export function uniqueIds(module: Module, sites: readonly TaskSite[]): void {
  const taken = new Map<string, number>();
  for (const site of sites) {
    const names = pathOf(module, site.kind === "wrapper" ? site.call : site.fn);
    if (site.kind === "wrapper" && !isNamed(module, site.call)) names.push(ownName(module, site.fn) ?? "anonymous");
    const joined = names.join(".");
    const count = (taken.get(joined) ?? 0) + 1;
    taken.set(joined, count);
    site.id = `${module.path}#${joined}${count > 1 ? `~${count}` : ""}`;
    site.name = readableName(module, site, names);
  }
}

function readableName(module: Module, site: TaskSite, names: readonly string[]): string {
  const last = names[names.length - 1] as string;
  if (site.kind === "method") return names.slice(-2).join(".");
  if (site.kind === "wrapper" && !isNamed(module, site.call)) return ownName(module, site.fn) ?? "(anonymous)";
  return last;
}

/**
 * Where a task is looked up, its manifest is known; a class is looked up by what arrives, which may come from any package of the program. So its id begins
 * with the package's name and version: `name@1.2.3:src/file.ts#Class`.
 */
export function classId(module: Module, name: string): string {
  return `${module.packageName === "" ? "" : `${module.packageName}:`}${module.path}#${name}`;
}

/** A short, stable name part for what an id stands for, usable in identifiers. */
export function hashOf(id: string): string {
  return createHash("sha256").update(id).digest("hex").slice(0, 10);
}

function ownName(module: Module, fn: ts.Expression): string | undefined {
  const { ts } = module;
  if (ts.isFunctionExpression(fn)) return fn.name?.text;
  if (ts.isIdentifier(fn)) return fn.text;
  if (ts.isPropertyAccessExpression(fn)) return fn.name.text;
  return undefined;
}

/** Whether the expression is what a variable, property or field is initialised with, so that it has that name. */
function isNamed(module: Module, expression: ts.Expression): boolean {
  return nameFrom(module, expression) !== undefined;
}

function nameFrom(module: Module, expression: ts.Node): string | undefined {
  const { ts } = module;
  let node = expression;
  for (;;) {
    const { parent } = node;
    if (ts.isVariableDeclaration(parent)) return parent.initializer === node && ts.isIdentifier(parent.name) ? parent.name.text : undefined;
    if (ts.isPropertyAssignment(parent) || ts.isPropertyDeclaration(parent))
      return parent.initializer === node ? propertyText(module, parent.name) : undefined;
    if (ts.isExportAssignment(parent)) return "default";
    if (ts.isBinaryExpression(parent) && parent.operatorToken.kind === ts.SyntaxKind.EqualsToken && parent.right === node) {
      if (ts.isIdentifier(parent.left)) return parent.left.text;
      return ts.isPropertyAccessExpression(parent.left) ? parent.left.name.text : undefined;
    }
    // `parallel(fn).with(options)` and wrappings keep the name that they are given to.
    const through =
      ts.isParenthesizedExpression(parent) ||
      ts.isAsExpression(parent) ||
      ts.isSatisfiesExpression(parent) ||
      ts.isNonNullExpression(parent) ||
      (ts.isPropertyAccessExpression(parent) && parent.expression === node) ||
      (ts.isCallExpression(parent) && parent.expression === node);
    if (!through) return undefined;
    node = parent;
  }
}

/** Names from the outermost declaration inwards. */
function pathOf(module: Module, node: ts.Node): string[] {
  const { ts } = module;
  const names: string[] = [];
  const add = (name: string | undefined): void => {
    if (name !== undefined) names.unshift(name);
  };
  if (ts.isCallExpression(node)) add(nameFrom(module, node));
  for (let current: ts.Node = node; !ts.isSourceFile(current); current = current.parent) {
    if (ts.isFunctionDeclaration(current) || ts.isClassDeclaration(current)) add(current.name?.text ?? "default");
    else if (ts.isModuleDeclaration(current)) add(current.name.text);
    else if (ts.isConstructorDeclaration(current)) add("constructor");
    else if (ts.isMethodDeclaration(current) || ts.isAccessor(current)) add(propertyText(module, current.name));
    else if (isFunctionLike(ts, current) || ts.isClassExpression(current)) {
      add(nameFrom(module, current) ?? (current as ts.FunctionExpression).name?.text);
    } else if (ts.isObjectLiteralExpression(current) && names.length > 0) add(nameFrom(module, current));
  }
  return names;
}

function propertyText(module: Module, name: ts.PropertyName | ts.BindingName): string {
  const { ts } = module;
  if (ts.isIdentifier(name) || ts.isPrivateIdentifier(name) || ts.isStringLiteralLike(name) || ts.isNumericLiteral(name)) return name.text;
  const key = ts.isComputedPropertyName(name) ? name.expression : undefined;
  return key && ts.isStringLiteralLike(key) ? key.text : name.getText();
}
