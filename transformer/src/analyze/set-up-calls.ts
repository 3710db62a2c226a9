/**
 * Calls at the top level that may set something up, made for what they do rather than for what they give.
 *
 * Takes a name in a statement. Gives the call that may change what the name stands for: of a method of it (`ajv.addKeyword(…)`), or of a function that it is
 * given to (`addFormats(ajv)`), or of the package that it comes from (`setAutoFreeze(false)`). What a package's function does is not known; a function of the
 * project is looked into.
 */
import { isBuiltin } from "node:module";
import type * as ts from "typescript";
import type { TypeScript } from "../core";
import type { Binding } from "./bindings";
import { changeOfThis, functionOf, isAsyncStorage } from "./capture-rules";
import type { Module, Unit } from "./module";
import type { Modules, Target } from "./resolve";
import {
  type AccessExpression,
  accessedName,
  chosen,
  forEachThis,
  functionsAmong,
  hasModifier,
  isAccess,
  isAssignmentTarget,
  isCalledAtOnce,
  isContainer,
  isFunctionLike,
  MUTATING,
  namesIn,
  returnedIn,
  rootOfAccess,
  unwrap,
  useOf,
  wrapped,
} from "./syntax";

type Declared = Target & { kind: "declared" };

/** A call that stays out of slices, or an assignment through another name (see aliases.ts). */
export interface SetUpCall {
  /** What it may change. */
  readonly binding: Binding;
  readonly node: ts.CallExpression | ts.NewExpression | AccessExpression;
  /** Where the binding stands in it. */
  readonly name: ts.Identifier;
  /** Somebody looks at what it gives. It may change something all the same: `const off = bus.on(…)`, `const count = fill(table)`. */
  readonly isKept: boolean;
  /** Which argument the name is; undefined when a method of it is called, `function` when it is called itself. */
  readonly argument: number | "function" | undefined;
  /** What holds the call, if a slice can have it all the same. */
  readonly units: readonly Unit[];
}

export function setUpCall(ts: TypeScript, name: ts.Identifier): Omit<SetUpCall, "binding" | "units"> | undefined {
  const method = methodCallOn(ts, name);
  if (method) return { name, node: method, argument: undefined, isKept: !isDiscarded(ts, method) };
  const argument = wrapped(ts, name);
  const { parent } = argument;
  if (!ts.isCallExpression(parent) && !ts.isNewExpression(parent)) return undefined;
  const isKept = !isDiscarded(ts, parent);
  if (parent.expression === argument) return isKept ? undefined : { name, node: parent, argument: "function", isKept };
  const index = parent.arguments?.indexOf(argument as ts.Expression) ?? -1;
  return index === -1 ? undefined : { name, node: parent, argument: index, isKept };
}

/** Whether a name is what is called, or an argument, or what a method is called on. */
export function takesPartInCall(ts: TypeScript, name: ts.Node): boolean {
  return ts.isCallExpression(wrapped(ts, name).parent) || methodCallOn(ts, name) !== undefined;
}

/** The call when `name` is what a method is called on: `name.x.y(…)`, at the left of a chain of calls. */
export function methodCallOn(ts: TypeScript, name: ts.Node): ts.CallExpression | undefined {
  let node = chosen(ts, name);
  while (isAccess(ts, node.parent) && node.parent.expression === node) {
    node = wrapped(ts, node.parent);
    if (ts.isCallExpression(node.parent) && node.parent.expression === node) return node.parent;
    node = chosen(ts, node);
  }
  return undefined;
}

const PASSING: ReadonlySet<string | undefined> = new Set(["&&", "||", "??", ","]);

/**
 * Whether nobody looks at what the call gives: then it was made for what it does. `x.set(…)`, `x.set(…).set(…)`, `await x.load()`, `ready && x.set(…)`,
 * `list.forEach((item) => x.add(item))`, `await Promise.all([x.load(), y.load()])`.
 */
function isDiscarded(ts: TypeScript, call: ts.Expression): boolean {
  let node: ts.Node = call;
  for (;;) {
    const { parent } = node;
    // `Settings.get().zone = "utc"`
    if (ts.isExpressionStatement(parent) || (node !== call && isAssignmentTarget(ts, node))) return true;
    if (ts.isArrowFunction(parent) && parent.body === node && isCalledAtOnce(ts, parent)) {
      const outer = wrapped(ts, parent);
      node = ts.isCallExpression(outer.parent) ? outer.parent : outer;
      continue;
    }
    const goesOn =
      ts.isParenthesizedExpression(parent) ||
      ts.isNonNullExpression(parent) ||
      ts.isAwaitExpression(parent) ||
      ts.isVoidExpression(parent) ||
      (ts.isBinaryExpression(parent) && PASSING.has(ts.tokenToString(parent.operatorToken.kind))) ||
      ((ts.isPropertyAccessExpression(parent) || ts.isElementAccessExpression(parent) || ts.isCallExpression(parent)) &&
        parent.expression === node) ||
      (ts.isArrayLiteralExpression(parent) && isAwaitingAll(ts, parent.parent)) ||
      isAwaitingAll(ts, parent) ||
      (ts.isConditionalExpression(parent) && parent.condition !== node);
    if (!goesOn) return false;
    node = parent;
  }
}

function isAwaitingAll(ts: TypeScript, node: ts.Node): boolean {
  return ts.isCallExpression(node) && /^Promise\.(all|allSettled)$/.test(node.expression.getText());
}

/** Whether the call may change what its argument stands for. */
export function maySetUp(modules: Modules, module: Module, call: SetUpCall, target: Target): boolean {
  if (target.kind === "namespace") return false;
  if (target.kind === "declared" && !isObject(target.module, target.binding)) return false;
  return typeof call.argument === "number" && changesArgument(modules, module, call.node, call.argument, call.isKept, new Set());
}

/**
 * Whether a call changes what it is about for certain: a method's a container of the language, or an instance of a class of the project that assigns to `this`;
 * a function of the project what it is given.
 */
export function changesForCertain(modules: Modules, module: Module, call: SetUpCall, target: Target): boolean {
  const { name, node, argument } = call;
  if (argument !== undefined) return maySetUp(modules, module, { ...call, isKept: true }, target);
  if (target.kind !== "declared") return false;
  const { ts } = target.module;
  if (isContainer(ts, target.binding.declarations[0])) return useOf(ts, name) === "call";
  const made = classOf(modules, target);
  if (!made) return false;
  const method = accessedName(ts, unwrap(ts, node.expression));
  let changes = false;
  for (const member of made.owner.members) {
    if (!ts.isMethodDeclaration(member) || !member.body || member.name.getText() !== method) continue;
    if (hasModifier(ts, member, ts.SyntaxKind.StaticKeyword) !== made.isClass) continue;
    forEachThis(ts, member, (place) => (changes ||= changeOfThis(made.module, place, made.owner) !== undefined));
  }
  return changes;
}

/** The class that a binding is, or that `const x = new X()` makes an instance of. */
function classOf(
  modules: Modules,
  { module, binding }: Declared,
): { module: Module; owner: ts.ClassLikeDeclaration; isClass: boolean } | undefined {
  const { ts } = module;
  const declaration = binding.declarations[0];
  if (declaration && ts.isClassDeclaration(declaration)) return { module, owner: declaration, isClass: true };
  if (!declaration || !ts.isVariableDeclaration(declaration) || !declaration.initializer) return undefined;
  const value = unwrap(ts, declaration.initializer);
  if (!ts.isNewExpression(value)) return undefined;
  const made = unwrap(ts, value.expression);
  if (ts.isClassExpression(made)) return { module, owner: made, isClass: false };
  const named = module.scopes.byNode.get(made)?.binding;
  const target = named && named.scope.kind === "module" ? modules.targetOf(module, named, made) : undefined;
  const owner = target?.kind === "declared" ? target.binding.declarations[0] : undefined;
  return target?.kind === "declared" && owner && ts.isClassDeclaration(owner)
    ? { module: target.module, owner, isClass: false }
    : undefined;
}

/** Classes, and variables that hold neither a function nor a primitive value, as far as the initialiser tells. */
export function isObject({ ts }: Module, binding: Binding): boolean {
  if (binding.kind === "class") return true;
  if (binding.kind !== "const" && binding.kind !== "let" && binding.kind !== "var") return false;
  const initializer = (binding.declarations[0] as ts.VariableDeclaration | undefined)?.initializer;
  const value = initializer && unwrap(ts, initializer);
  return !value || !(isFunctionLike(ts, value) || ts.isLiteralExpression(value) || ts.isTemplateExpression(value));
}

/** @param isKept somebody looks at what the call gives: then a function that nothing is known of is taken to be made for that */
function changesArgument(
  modules: Modules,
  module: Module,
  { expression }: { readonly expression: ts.Expression },
  index: number,
  isKept: boolean,
  seen: Set<ts.Node>,
): boolean {
  const { ts } = module;
  const callee = unwrap(ts, expression);
  const root = ts.isPropertyAccessExpression(callee) ? unwrap(ts, callee.expression) : callee;
  const binding = module.scopes.byNode.get(root)?.binding;
  if (!binding || binding.ambient) return false;
  if (binding.scope.kind !== "module") return root === callee && bodyChanges(modules, module, binding, index, seen);
  const target = modules.target(module, binding);
  if (root !== callee) {
    // `lib.f(x)` is f's call when `lib` is the module. Of other objects it is a method's, which changes the object rather than what it is given.
    // So it is where types ask for `lib.default(x)`, of a CommonJS package that Node gives whole.
    const name = (callee as ts.PropertyAccessExpression).name.text;
    if (target?.kind !== "namespace" && module.imports.get(binding)?.name !== "*" && name !== "default") return false;
    if (target?.kind === "external") return !isKept && isUnknown(target);
    const member = target?.kind === "namespace" ? modules.member(target, name) : undefined;
    return member !== undefined && targetChanges(modules, member, index, isKept, seen);
  }
  return target !== undefined && targetChanges(modules, target, index, isKept, seen);
}

function targetChanges(modules: Modules, target: Target, index: number, isKept: boolean, seen: Set<ts.Node>): boolean {
  if (target.kind === "external") return !isKept && isUnknown(target);
  if (target.kind !== "declared") return false;
  const { module, binding } = target;
  return (
    bodyChanges(modules, module, binding, index, seen) ||
    otherNamesOf(module, binding, seen).some((expression) => changesArgument(modules, module, { expression }, index, isKept, seen))
  );
}

/** What a `const` is another name for: `f as unknown as F`, `f.default ?? f`, as ES modules do with the default export of a CommonJS package. */
function otherNamesOf({ ts }: Module, { kind, declarations }: Binding, seen: Set<ts.Node>): ts.Expression[] {
  const [declaration] = declarations;
  if (kind !== "const" || !declaration || !ts.isVariableDeclaration(declaration) || !declaration.initializer || seen.has(declaration))
    return [];
  seen.add(declaration);
  const value = unwrap(ts, declaration.initializer);
  const isChoice = ts.isBinaryExpression(value) && ["??", "||"].includes(ts.tokenToString(value.operatorToken.kind) ?? "");
  return isChoice ? [value.left, value.right].map((side) => unwrap(ts, side)) : [value];
}

/** Things of the project that a statement changes through what a function of the project gives: `getStore().set(…)`, `config().level = 3`. */
export function changedByResult(modules: Modules, { ts }: Module, { argument, node }: SetUpCall, target: Target): Declared[] {
  if (argument !== "function" || target.kind !== "declared") return [];
  const use = useOf(ts, node);
  if (use === "read" && methodCallOn(ts, node) === undefined) return [];
  return givenBy(modules, target, new Set()).filter(
    ({ module, binding }) => isObject(module, binding) && (use !== "read" || !isContainer(module.ts, binding.declarations[0])),
  );
}

/** What of the top level a function returns, or a part of which. */
function givenBy(modules: Modules, { module, binding }: Declared, seen: Set<Binding>): Declared[] {
  const { ts } = module;
  if (seen.has(binding)) return [];
  seen.add(binding);
  const given = (expression: ts.Expression): Declared[] => {
    const value = unwrap(ts, expression);
    if (ts.isConditionalExpression(value)) return [...given(value.whenTrue), ...given(value.whenFalse)];
    if (ts.isBinaryExpression(value)) return [...given(value.left), ...given(value.right)];
    const isCall = ts.isCallExpression(value);
    const root = isCall ? unwrap(ts, value.expression) : rootOfAccess(ts, value);
    const named = module.scopes.byNode.get(root)?.binding;
    const target = named && named.scope.kind === "module" && !named.ambient ? modules.target(module, named) : undefined;
    if (target?.kind !== "declared") return [];
    return isCall ? givenBy(modules, target, seen) : [target];
  };
  return functionsOf(module, binding).flatMap((fn) => returnedIn(ts, fn).flatMap(given));
}

/** The functions that a binding is, of a class its constructors. */
function functionsOf(module: Module, binding: Binding): ts.SignatureDeclaration[] {
  const { ts } = module;
  const [declaration] = binding.declarations;
  const value =
    declaration && ts.isVariableDeclaration(declaration) && declaration.initializer ? unwrap(ts, declaration.initializer) : declaration;
  if (value && ts.isClassLike(value)) return value.members.filter((member) => ts.isConstructorDeclaration(member));
  return functionsAmong(ts, functionOf(module, binding) ?? []);
}

/** Functions of Node and of makeparallel leave their arguments as they are. */
function isUnknown({ unit }: Target & { kind: "external" }): boolean {
  const specifier = unit.reexport?.specifier ?? unit.module.specifierOf(unit);
  return specifier !== undefined && isPackage(specifier);
}

function isPackage(specifier: string): boolean {
  return !isBuiltin(specifier) && !/^makeparallel(\/|$)/.test(specifier);
}

/** Methods of Node's own modules that are about more than their call: `dns.setServers(…)`. What others do is outside of the modules: `fs.mkdirSync(…)`. */
const SETTERS = /^(?:set|enable|disable|add|register|sync|use)/;

/**
 * Whether a method's call sets nothing up, as one of Node's own modules that has none of these names, or of an `AsyncLocalStorage`; or as one that only looks at a container of the language:
 * `table.forEach((value, key) => inverse.set(value, key))`.
 */
export function isHarmless(modules: Modules, module: Module, { name, node }: SetUpCall, target: Target): boolean {
  if (target.kind === "declared" && isAsyncStorage(target.module, target.binding)) return true;
  if (target.kind === "declared" && isContainer(target.module.ts, target.binding.declarations[0]))
    return module.ts.isCallExpression(node) && onlyLooks(modules, module, name, node);
  if (target.kind !== "external" || isUnknown(target)) return false;
  return !SETTERS.test(accessedName(module.ts, unwrap(module.ts, node.expression)) ?? "");
}

/** Whether a container's method changes neither the container nor what is in it, given what its functions do. */
function onlyLooks(modules: Modules, module: Module, name: ts.Identifier, call: ts.CallExpression): boolean {
  const { ts } = module;
  const callee = unwrap(ts, call.expression);
  if (!isAccess(ts, callee) || unwrap(ts, callee.expression) !== name || MUTATING.has(accessedName(ts, callee) ?? "")) return false;
  // `table.get("a").n = 1`, `table.get("a").start()`
  if (useOf(ts, call) !== "read" || methodCallOn(ts, call)) return false;
  return call.arguments.every((argument) => {
    const fn = unwrap(ts, argument);
    if (!isFunctionLike(ts, fn)) return ts.isLiteralExpression(fn);
    return fn.parameters.every((parameter) =>
      namesIn(ts, parameter.name).every((each) => {
        const own = module.scopes.declared.get(each.parent);
        return own !== undefined && !isChanged(modules, module, own, new Set());
      }),
    );
  });
}

/** The name of a package that a slice has, when the call is one of a function or method of that package: it may set up the whole. */
export function packageName(module: Module, call: SetUpCall, target: Target, units: ReadonlySet<Unit>): string | undefined {
  if (typeof call.argument === "number" || target.kind !== "external") return undefined;
  const specifier = module.specifierOf(target.unit);
  if (specifier === undefined || !isPackage(specifier)) return undefined;
  for (const unit of units) {
    if (unit !== target.unit && unit.module === module && module.specifierOf(unit) === specifier) return unit.bindings[0]?.name;
  }
  return undefined;
}

/** Whether a function of the project changes what its parameter stands for. */
function bodyChanges(modules: Modules, module: Module, binding: Binding, index: number, seen: Set<ts.Node>): boolean {
  if (module.sites.some((site) => binding.declarations.includes(site.fn))) return false;
  for (const fn of functionsOf(module, binding)) {
    if (seen.has(fn)) continue;
    seen.add(fn);
    const parameter = fn.parameters[index];
    const own = parameter && !parameter.dotDotDotToken ? module.scopes.declared.get(parameter) : undefined;
    if (own && isChanged(modules, module, own, seen)) return true;
  }
  return false;
}

/** Whether the code of a function changes what one of its parameters stands for. */
function isChanged(modules: Modules, module: Module, parameter: Binding, seen: Set<ts.Node>): boolean {
  const { ts } = module;
  return parameter.references.some(({ node: name, erased }) => {
    if (erased) return false;
    const use = useOf(ts, name);
    if (use === "mutate" || use === "call") return true;
    const call = setUpCall(ts, name);
    if (!call || call.argument === "function") return false;
    if (call.argument === undefined) return !call.isKept;
    return changesArgument(modules, module, call.node, call.argument, call.isKept, seen);
  });
}
