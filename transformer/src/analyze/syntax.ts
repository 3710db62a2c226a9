/** Small questions about syntax that several passes ask. None of them needs binding. */
import type * as ts from "typescript";
import type { TypeScript } from "../core";

export type FunctionLike =
  | ts.FunctionDeclaration
  | ts.FunctionExpression
  | ts.ArrowFunction
  | ts.MethodDeclaration
  | ts.ConstructorDeclaration
  | ts.AccessorDeclaration;

export function isFunctionLike(ts: TypeScript, node: ts.Node): node is FunctionLike {
  return (
    ts.isFunctionDeclaration(node) ||
    ts.isFunctionExpression(node) ||
    ts.isArrowFunction(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isConstructorDeclaration(node) ||
    ts.isGetAccessorDeclaration(node) ||
    ts.isSetAccessorDeclaration(node)
  );
}

export function hasModifier(ts: TypeScript, node: ts.Node, kind: ts.SyntaxKind): boolean {
  return modifier(ts, node, kind) !== undefined;
}

export function modifier(ts: TypeScript, node: ts.Node, kind: ts.SyntaxKind): ts.Modifier | undefined {
  return ts.canHaveModifiers(node) ? ts.getModifiers(node)?.find((candidate) => candidate.kind === kind) : undefined;
}

/** Without parentheses, `as`, `satisfies`, `!` and `<T>` around it. */
export function unwrap(ts: TypeScript, node: ts.Expression): ts.Expression {
  while (isWrapper(ts, node)) node = (node as ts.ParenthesizedExpression).expression;
  return node;
}

/** The outermost expression that is this one with parentheses, `as`, `satisfies`, `!` or `<T>` around it. */
export function wrapped(ts: TypeScript, node: ts.Node): ts.Node {
  while (isWrapper(ts, node.parent) && (node.parent as ts.ParenthesizedExpression).expression === node) node = node.parent;
  return node;
}

function isWrapper(ts: TypeScript, node: ts.Node): boolean {
  return (
    ts.isParenthesizedExpression(node) ||
    ts.isAsExpression(node) ||
    ts.isSatisfiesExpression(node) ||
    ts.isNonNullExpression(node) ||
    ts.isTypeAssertionExpression(node)
  );
}

export function contains(outer: ts.Node, inner: ts.Node): boolean {
  return outer.pos <= inner.pos && inner.end <= outer.end;
}

export type AccessExpression = ts.PropertyAccessExpression | ts.ElementAccessExpression;

export function isAccess(ts: TypeScript, node: ts.Node): node is AccessExpression {
  return ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node);
}

/** The name that an access reads, if it is written out: `a.b`, `a["b"]`. */
export function accessedName(ts: TypeScript, node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) return node.name.text;
  if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression)) return node.argumentExpression.text;
  return undefined;
}

/** The text of an access without casts and parentheses. */
export function writtenAccess(ts: TypeScript, node: ts.Node): string {
  const access = unwrap(ts, node as ts.Expression);
  if (ts.isPropertyAccessExpression(access)) return `${writtenAccess(ts, access.expression)}.${access.name.text}`;
  if (ts.isElementAccessExpression(access)) return `${writtenAccess(ts, access.expression)}[${access.argumentExpression.getText()}]`;
  return access.getText();
}

/** `a.b[0].c` → `a`. */
export function rootOfAccess(ts: TypeScript, node: ts.Expression): ts.Expression {
  let root = unwrap(ts, node);
  while (isAccess(ts, root)) root = unwrap(ts, root.expression);
  return root;
}

export type Use = "read" | "write" | "mutate" | "call";

/** Methods that change the object that they are called on, of arrays, typed arrays, maps, sets and dates. Other classes have these names for other things. */
export const MUTATING: ReadonlySet<string> = new Set([
  "push",
  "pop",
  "shift",
  "unshift",
  "splice",
  "sort",
  "reverse",
  "fill",
  "copyWithin",
  "set",
  "add",
  "delete",
  "clear",
  "setTime",
  "setDate",
  "setMonth",
  "setFullYear",
  "setHours",
  "setMinutes",
  "setSeconds",
  "setMilliseconds",
]);

const MUTATING_STATICS = new Set(["assign", "defineProperty", "defineProperties", "deleteProperty", "set", "setPrototypeOf"]);

/** The names that a declaration declares, those of a pattern among them. */
export function namesIn(ts: TypeScript, name: ts.BindingName): ts.Identifier[] {
  if (ts.isIdentifier(name)) return [name];
  return name.elements.flatMap((element) => (ts.isBindingElement(element) ? namesIn(ts, element.name) : []));
}

/**
 * What is done to the variable (or `this`) that `node` names.
 * @returns `write` when the variable itself is assigned, `mutate` when a member of it is, `call` when a method is called that changes its object if that is
 *   a container of the language's own (see {@link isContainer})
 */
export function useOf(ts: TypeScript, node: ts.Node): Use {
  let current = wrapped(ts, node);
  if (isAssignmentTarget(ts, current)) return "write";
  current = chosen(ts, current);
  if (isChangedByStatic(ts, current)) return "mutate";
  while (isAccess(ts, current.parent) && current.parent.expression === current) {
    const access = current.parent;
    current = wrapped(ts, access);
    if (isAssignmentTarget(ts, current)) return "mutate";
    const { parent } = current;
    if (ts.isDeleteExpression(parent)) return "mutate";
    if (ts.isCallExpression(parent) && parent.expression === current && MUTATING.has(accessedName(ts, access) ?? "")) return "call";
    current = chosen(ts, current);
    if (isChangedByStatic(ts, current)) return "mutate";
  }
  return "read";
}

/** Operators that may give their left, and their right side. */
const LEFT = /^(?:\|\||\?\?)$/;
const RIGHT = /^(?:\|\||\?\?|&&|,)$/;

/** The outermost expression whose value may be this one's: `a` in `(n > 0 ? a : b).push(n)`, `(a ?? b).x = 1`. */
export function chosen(ts: TypeScript, node: ts.Node): ts.Node {
  for (let current = wrapped(ts, node); ; current = wrapped(ts, current.parent)) {
    const { parent } = current;
    const goesOn = ts.isConditionalExpression(parent)
      ? parent.condition !== current
      : ts.isBinaryExpression(parent) && (parent.right === current ? RIGHT : LEFT).test(parent.operatorToken.getText());
    if (!goesOn) return current;
  }
}

/** `Object.assign(x, …)`, `Reflect.set(x, …)`. */
export function isChangedByStatic(ts: TypeScript, node: ts.Node): boolean {
  const { parent } = node;
  if (!ts.isCallExpression(parent) || parent.arguments[0] !== node) return false;
  const { expression } = parent;
  return (
    ts.isPropertyAccessExpression(expression) &&
    ts.isIdentifier(expression.expression) &&
    (expression.expression.text === "Object" || expression.expression.text === "Reflect") &&
    MUTATING_STATICS.has(expression.name.text)
  );
}

/** `a` in `(a.b)[0].c` → all of it. */
function outermostAccess(ts: TypeScript, node: ts.Node): ts.Node {
  let current = wrapped(ts, node);
  while (isAccess(ts, current.parent) && current.parent.expression === current) current = wrapped(ts, current.parent);
  return current;
}

/** Whether the variable that `node` names, or a member of it, is frozen there. It stays what it is, but what the code may do with it changes. */
export function isFrozen(ts: TypeScript, node: ts.Node): boolean {
  const access = outermostAccess(ts, node);
  const { parent } = access;
  return ts.isCallExpression(parent) && parent.arguments[0] === access && FREEZING.test(parent.expression.getText());
}

const GLOBALS =
  /^(globalThis|global|console|Array|ArrayBuffer|BigInt|Boolean|Date|Error|Function|Intl|JSON|Map|Math|Number|Object|Promise|RegExp|Set|String|Symbol|URL|Iterator)$/;

/**
 * What of a global of the language is changed, if `name` is the global in `globalThis.level = 1`, `BigInt.prototype.toJSON = …`,
 * `Object.defineProperty(Array.prototype, "last", …)`.
 */
export function changedGlobal(ts: TypeScript, name: ts.Identifier): ts.Node | undefined {
  if (!GLOBALS.test(name.text) || useOf(ts, name) !== "mutate") return undefined;
  return outermostAccess(ts, name);
}

const FREEZING = /^(Object\.(freeze|seal|preventExtensions)|Reflect\.preventExtensions)$/;

/** Whether the expression is assigned to: `=`, `+=`, `++`, `for (x of …)`, or a place in a destructuring pattern. */
export function isAssignmentTarget(ts: TypeScript, node: ts.Node): boolean {
  const { parent } = node;
  if (ts.isBinaryExpression(parent)) {
    const operator = parent.operatorToken.kind;
    return parent.left === node && operator >= ts.SyntaxKind.FirstAssignment && operator <= ts.SyntaxKind.LastAssignment;
  }
  if (ts.isPrefixUnaryExpression(parent) || ts.isPostfixUnaryExpression(parent)) {
    return parent.operator === ts.SyntaxKind.PlusPlusToken || parent.operator === ts.SyntaxKind.MinusMinusToken;
  }
  if (ts.isForInStatement(parent) || ts.isForOfStatement(parent)) return parent.initializer === node;
  if (ts.isArrayLiteralExpression(parent) || ts.isObjectLiteralExpression(parent)) return isPattern(ts, parent);
  if (ts.isSpreadElement(parent) || ts.isSpreadAssignment(parent)) return isPattern(ts, parent.parent);
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node && isPattern(ts, parent.parent);
  if (ts.isShorthandPropertyAssignment(parent)) return parent.name === node && isPattern(ts, parent.parent);
  return false;
}

function isPattern(ts: TypeScript, literal: ts.Node): boolean {
  const outer = wrapped(ts, literal);
  // `[[a] = [0]] = b`: a pattern with a default is the left side of an `=` itself.
  return isAssignmentTarget(ts, outer);
}

const CONTAINERS = /^(?:Array|ReadonlyArray|Map|Set|WeakMap|WeakSet|Date|URLSearchParams|(?:Big)?(?:Int|Uint|Float)\d+(?:Clamped)?Array)$/;

/** Whether a variable, parameter or field is declared as one of the language's own containers, by its type or its initialiser, or as the rest of an array. */
export function isContainer(ts: TypeScript, declaration: ts.Node | undefined): boolean {
  if (!declaration) return false;
  if (ts.isParameter(declaration) && declaration.dotDotDotToken) return true;
  if (ts.isBindingElement(declaration) && declaration.dotDotDotToken) return ts.isArrayBindingPattern(declaration.parent);
  const { type, initializer } = declaration as ts.VariableDeclaration;
  if (type) return isContainerType(ts, type);
  if (!initializer) return false;
  const value = unwrap(ts, initializer);
  if (ts.isArrayLiteralExpression(value)) return true;
  if (ts.isNewExpression(value)) return CONTAINERS.test(value.expression.getText());
  if (!ts.isCallExpression(value)) return false;
  const callee = value.expression.getText();
  return callee === "Array" || callee === "Array.from" || callee === "Array.of";
}

function isContainerType(ts: TypeScript, type: ts.TypeNode): boolean {
  if (ts.isArrayTypeNode(type) || ts.isTupleTypeNode(type)) return true;
  if (ts.isUnionTypeNode(type)) return type.types.some((part) => isContainerType(ts, part));
  return ts.isTypeReferenceNode(type) && CONTAINERS.test(type.typeName.getText());
}

/** Array methods that call their function argument before they return. */
export const CALLS_AT_ONCE: ReadonlySet<string> = new Set([
  "forEach",
  "map",
  "filter",
  "reduce",
  "reduceRight",
  "some",
  "every",
  "find",
  "findIndex",
  "findLast",
  "findLastIndex",
  "flatMap",
  "sort",
  "toSorted",
  "from",
  "replace",
  "replaceAll",
]);

/** Whether a function literal is called where it stands: `(() => …)()`, `list.forEach(() => …)`, `new Promise(() => …)`. */
export function isCalledAtOnce(ts: TypeScript, fn: ts.Node): boolean {
  if (!ts.isArrowFunction(fn) && !ts.isFunctionExpression(fn)) return false;
  let outer = wrapped(ts, fn);
  if (isAccess(ts, outer.parent) && outer.parent.expression === outer && /^(call|apply)$/.test(accessedName(ts, outer.parent) ?? ""))
    outer = outer.parent;
  const { parent } = outer;
  if (ts.isCallExpression(parent)) {
    if (parent.expression === outer) return true;
    return isAccess(ts, parent.expression) && CALLS_AT_ONCE.has(accessedName(ts, parent.expression) ?? "");
  }
  return ts.isNewExpression(parent) && ts.isIdentifier(parent.expression) && parent.expression.text === "Promise";
}

/** Whether code at `node` runs when the top-level statement `statement` does (rather than when a function in it is called). */
export function runsWith(ts: TypeScript, node: ts.Node, statement: ts.Node): boolean {
  for (let current = node; ; current = current.parent) {
    if (delays(ts, current, node)) return false;
    if (current === statement) return true;
  }
}

/** Whether code at `node` may run when the part of a top-level statement does that it stands in: at once, or since a function that holds it is given to a call. */
export function mayRunWith(ts: TypeScript, node: ts.Node, part: ts.Node): boolean {
  let isDelayed = false;
  for (let current = node; ; current = current.parent) {
    if (delays(ts, current, node)) isDelayed = true;
    else if (isCalling(ts, current)) isDelayed = false;
    if (current === part) return !isDelayed;
  }
}

function isCalling(ts: TypeScript, node: ts.Node): boolean {
  return ts.isCallExpression(node) || ts.isNewExpression(node) || ts.isTaggedTemplateExpression(node) || ts.isDecorator(node);
}

/** The functions among what declarations declare: `function f() {}`, `const f = () => …`. */
export function functionsAmong(ts: TypeScript, declarations: readonly ts.Node[]): ts.SignatureDeclaration[] {
  return declarations.flatMap((declaration) => {
    const value = ts.isVariableDeclaration(declaration) && declaration.initializer ? unwrap(ts, declaration.initializer) : declaration;
    return isFunctionLike(ts, value) ? [value] : [];
  });
}

/** What a function returns, but for functions in it. */
export function returnedIn(ts: TypeScript, fn: ts.SignatureDeclaration): ts.Expression[] {
  const { body } = fn as ts.FunctionLikeDeclaration;
  if (!body) return [];
  if (!ts.isBlock(body)) return [body];
  const found: ts.Expression[] = [];
  const visit = (node: ts.Node): void => {
    if (isFunctionLike(ts, node)) return;
    if (ts.isReturnStatement(node) && node.expression) found.push(node.expression);
    ts.forEachChild(node, visit);
  };
  visit(body);
  return found;
}

/** Properties of `import.meta` that are the module's place. */
export const PLACE_PROPERTIES = ["url", "filename", "dirname"] as const;

/** `import.meta`. */
export function isImportMeta(ts: TypeScript, node: ts.Node): node is ts.MetaProperty {
  return ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword;
}

/** Every `this` of a function's own: not those of functions and classes in it. */
export function forEachThis(ts: TypeScript, fn: ts.Node, found: (node: ts.Node) => void): void {
  const visit = (node: ts.Node): void => {
    if (node.kind === ts.SyntaxKind.ThisKeyword && !ts.isTypeNode(node.parent)) found(node);
    if (ts.isClassLike(node) || (isFunctionLike(ts, node) && !ts.isArrowFunction(node))) return;
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(fn, visit);
}

/** Whether code at `node` runs when the module does. */
export function runsAtTopLevel(ts: TypeScript, node: ts.Node): boolean {
  let statement = node;
  while (!ts.isSourceFile(statement.parent)) statement = statement.parent;
  return runsWith(ts, node, statement);
}

/** What an access through a namespace import is about: `state.config` in `state.config.level = 1`. */
export function subjectOf(ts: TypeScript, namespace: ts.Node): ts.Node | undefined {
  const name = wrapped(ts, namespace);
  return isAccess(ts, name.parent) && name.parent.expression === name ? name.parent : undefined;
}

/** Whether `owner` keeps code at `node` for later: a function's parameters and body, an instance field's initialiser. */
function delays(ts: TypeScript, owner: ts.Node, node: ts.Node): boolean {
  if (isFunctionLike(ts, owner)) {
    const inside =
      (owner.body !== undefined && contains(owner.body, node)) || owner.parameters.some((parameter) => contains(parameter, node));
    return inside && !isCalledAtOnce(ts, owner) && !(ts.isConstructorDeclaration(owner) && isMadeAtOnce(ts, owner.parent));
  }
  if (!ts.isPropertyDeclaration(owner) || hasModifier(ts, owner, ts.SyntaxKind.StaticKeyword)) return false;
  return owner.initializer !== undefined && contains(owner.initializer, node) && !isMadeAtOnce(ts, owner.parent);
}

/** `new (class { … })()`. */
function isMadeAtOnce(ts: TypeScript, owner: ts.ClassLikeDeclaration): boolean {
  const { parent } = wrapped(ts, owner);
  return ts.isClassExpression(owner) && ts.isNewExpression(parent) && unwrap(ts, parent.expression) === owner;
}

/** The comments right before a node, from the text, because a host may have parsed without documentation comments. */
export function commentsBefore(ts: TypeScript, text: string, node: ts.Node): { text: string; pos: number; end: number }[] {
  return (ts.getLeadingCommentRanges(text, node.pos) ?? []).map(({ pos, end }) => ({ text: text.slice(pos, end), pos, end }));
}

/** `length` of the function: parameters before the first with a default or a rest parameter. */
export function lengthOf(ts: TypeScript, fn: FunctionLike): number {
  const parameters = fn.parameters.filter((parameter) => !isThisParameter(ts, parameter));
  const end = parameters.findIndex((parameter) => parameter.initializer || parameter.dotDotDotToken);
  return end < 0 ? parameters.length : end;
}

export function isThisParameter(ts: TypeScript, parameter: ts.ParameterDeclaration): boolean {
  return ts.isIdentifier(parameter.name) && parameter.name.text === "this";
}

/** Parameter names as written, destructured ones as `{…}` and `[…]`. */
export function parameterNames(ts: TypeScript, fn: FunctionLike): string[] {
  return fn.parameters
    .filter((parameter) => !isThisParameter(ts, parameter))
    .map(({ name, dotDotDotToken }) => {
      const written = ts.isIdentifier(name) ? name.text : ts.isObjectBindingPattern(name) ? "{…}" : "[…]";
      return dotDotDotToken ? `...${written}` : written;
    });
}
