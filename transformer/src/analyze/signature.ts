/**
 * Checks of what is marked: that a wrapper's argument is a function that can be seen, that a stub's result has the type that callers see, and that a
 * method's class can be in a slice.
 */
import type * as ts from "typescript";
import type { Reporter } from "../diagnostics/report";
import { isAtTopLevel } from "./capture-rules";
import type { Module } from "./module";
import type { Modules, Target } from "./resolve";
import type { Binding } from "./bindings";
import type { MethodSite, TagSite, TaskSite, WrapperSite } from "./sites";
import { accessedName, type FunctionLike, isAccess, isFunctionLike, modifier, rootOfAccess, unwrap } from "./syntax";

export function checkSite(modules: Modules, site: TaskSite, report: Reporter): void {
  if (site.kind === "wrapper") checkArgument(modules, site, report);
  else {
    if (site.kind === "method") checkOwner(site, report);
    if (!hasPromiseType(site)) {
      site.invalid = true;
      report.add("MP1014", site.kind === "tag" ? site.mark : site.fn.name, { task: site.name });
    }
  }
}

function checkArgument(modules: Modules, site: WrapperSite, report: Reporter): void {
  const { module, fn } = site;
  const { ts } = module;
  if (isFunctionLike(ts, fn)) return;
  const fail = (reason: string): void => {
    site.invalid = true;
    report.add("MP1001", site.argument, { reason });
  };
  const text = shorten(fn.getText());
  const root = rootOfAccess(ts, fn);
  if (!ts.isIdentifier(root)) return fail(`\`${text}\` is not a function that can be seen where it stands`);
  const binding = module.scopes.byNode.get(root)?.binding;
  if (!binding || binding.ambient) return; // a global: JSON.parse, structuredClone
  const isRoot = root === fn;
  if (isRoot && module.sites.some((other) => other !== site && declares(other, binding)))
    return fail(`\`${text}\` is a parallel function already`);
  if (binding.scope.kind !== "module") {
    if (isRoot) named(site, binding);
    if (site.named) return;
    if (binding.scope.kind === "namespace") return;
    return fail(
      binding.kind === "class" ? `\`${text}\` is a class` : `which function \`${text}\` is can only be known when the program runs`,
    );
  }
  const target = modules.target(module, binding);
  if (!isRoot) {
    site.named = memberFunction(modules, module, fn, target);
    return;
  }
  if (target?.kind !== "declared") return;
  if (target.binding.kind === "class") return fail(`\`${text}\` is a class`);
  named(site, target.binding);
  if (site.named) return;
  const value = initializerOf(ts, target.binding);
  if (value && (ts.isLiteralExpression(value) || ts.isObjectLiteralExpression(value) || ts.isArrayLiteralExpression(value))) {
    fail(`\`${text}\` is no function`);
  }
}

/** The function behind `namespace.f` and `table.f`, where it can be seen. */
function memberFunction(modules: Modules, module: Module, access: ts.Expression, target: Target | undefined): FunctionLike | undefined {
  const { ts } = module;
  if (!isAccess(ts, access) || !ts.isIdentifier(unwrap(ts, access.expression))) return undefined;
  const name = accessedName(ts, access);
  if (name === undefined || !target) return undefined;
  if (target.kind === "namespace") {
    const member = modules.member(target, name);
    return member?.kind === "declared" ? functionDeclaredBy(ts, member.binding) : undefined;
  }
  if (target.kind !== "declared") return undefined;
  const value = initializerOf(ts, target.binding);
  if (!value || !ts.isObjectLiteralExpression(value)) return undefined;
  for (const property of value.properties) {
    if (property.name?.getText() !== name) continue;
    if (ts.isMethodDeclaration(property)) return property;
    if (!ts.isPropertyAssignment(property)) continue;
    const fn = unwrap(ts, property.initializer);
    if (isFunctionLike(ts, fn)) return fn;
  }
  return undefined;
}

function functionDeclaredBy(ts: Module["ts"], binding: Binding): FunctionLike | undefined {
  const declared = binding.declarations.find(
    (node): node is ts.FunctionDeclaration => ts.isFunctionDeclaration(node) && node.body !== undefined,
  );
  if (declared) return declared;
  const value = initializerOf(ts, binding);
  return value && isFunctionLike(ts, value) ? value : undefined;
}

function initializerOf(ts: Module["ts"], binding: Binding): ts.Expression | undefined {
  const declaration = binding.declarations[0];
  if (declaration && ts.isVariableDeclaration(declaration) && declaration.initializer) return unwrap(ts, declaration.initializer);
  return declaration && ts.isExportAssignment(declaration) ? unwrap(ts, declaration.expression) : undefined;
}

function named(site: WrapperSite, binding: Binding): void {
  site.named = functionDeclaredBy(site.module.ts, binding);
}

/** Whether the binding is the parallel function that the site makes. */
function declares(site: TaskSite, binding: Binding): boolean {
  if (site.kind === "tag") return binding.declarations.includes(site.fn);
  if (site.kind === "method") return false;
  const declaration = binding.declarations[0];
  const { ts } = site.module;
  return (
    declaration !== undefined &&
    ts.isVariableDeclaration(declaration) &&
    declaration.initializer !== undefined &&
    unwrap(ts, declaration.initializer) === site.call
  );
}

function checkOwner(site: MethodSite, report: Reporter): void {
  const { module, owner, fn } = site;
  const { ts } = module;
  if (!isAtTopLevel(module, owner)) {
    site.invalid = true;
    report.add("MP1016", fn.name, { task: site.name });
    return;
  }
  if (!ts.isComputedPropertyName(fn.name)) return;
  const key = unwrap(ts, fn.name.expression);
  const wellKnown =
    ts.isStringLiteralLike(key) ||
    ts.isNumericLiteral(key) ||
    (ts.isPropertyAccessExpression(key) && ts.isIdentifier(key.expression) && key.expression.text === "Symbol");
  if (wellKnown) return;
  site.invalid = true;
  report.add("MP1017", fn.name, { task: site.name });
}

const PROMISES = /^(?:[\w$]+\.)*(?:Promise|PromiseLike|AsyncHandle|StreamHandle)$/;

/** The type that callers see is written down: `async`, a generator, a return type, or every `return` makes a handle or a promise. */
function hasPromiseType(site: TagSite | MethodSite): boolean {
  const { module, fn } = site;
  const { ts } = module;
  if (modifier(ts, fn, ts.SyntaxKind.AsyncKeyword) || fn.asteriskToken) return true;
  const types = [fn.type, ...(site.kind === "tag" ? site.overloads.map((overload) => overload.type) : [])].filter(
    (type) => type !== undefined,
  );
  if (types.length > 0) return types.every((type) => isPromiseType(module, type, 4));
  return returnsPromises(module, fn);
}

function isPromiseType(module: Module, type: ts.TypeNode, depth: number): boolean {
  const { ts } = module;
  if (ts.isParenthesizedTypeNode(type)) return isPromiseType(module, type.type, depth);
  if (ts.isUnionTypeNode(type)) return type.types.every((part) => isPromiseType(module, part, depth));
  if (!ts.isTypeReferenceNode(type)) return false;
  if (PROMISES.test(type.typeName.getText())) return true;
  if (!ts.isIdentifier(type.typeName) || depth === 0) return false;
  const binding = module.scopes.byNode.get(type.typeName)?.binding;
  if (!binding) return false;
  const record = module.imports.get(binding);
  // `import { AsyncHandle as Handle }`; an alias of another module may stand for one of them.
  if (record) return PROMISES.test(record.name) || record.specifier !== "makeparallel";
  return binding.declarations.some(
    (declaration) =>
      (ts.isTypeAliasDeclaration(declaration) && isPromiseType(module, declaration.type, depth - 1)) ||
      (ts.isInterfaceDeclaration(declaration) &&
        (declaration.heritageClauses ?? []).some((clause) => clause.types.some((base) => PROMISES.test(base.expression.getText())))),
  );
}

function returnsPromises(module: Module, fn: FunctionLike): boolean {
  const { ts } = module;
  let returns = 0;
  let all = true;
  const visit = (node: ts.Node): void => {
    if (isFunctionLike(ts, node) || ts.isClassLike(node)) return;
    if (ts.isReturnStatement(node)) {
      returns++;
      if (!node.expression || !makesPromise(module, unwrap(ts, node.expression))) all = false;
    }
    ts.forEachChild(node, visit);
  };
  if (fn.body) ts.forEachChild(fn.body, visit);
  return all && returns > 0;
}

function makesPromise(module: Module, value: ts.Expression): boolean {
  const { ts } = module;
  if (ts.isConditionalExpression(value))
    return makesPromise(module, unwrap(ts, value.whenTrue)) && makesPromise(module, unwrap(ts, value.whenFalse));
  if (ts.isNewExpression(value)) return PROMISES.test(value.expression.getText());
  return (
    ts.isCallExpression(value) && ts.isPropertyAccessExpression(value.expression) && PROMISES.test(value.expression.expression.getText())
  );
}

function shorten(text: string): string {
  const line = text.replace(/\s+/g, " ");
  return line.length > 40 ? `${line.slice(0, 39)}…` : line;
}
