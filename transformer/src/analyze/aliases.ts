/**
 * What of the top level changes through another name: `for (const rule of rules) rule.on = true`, `Object.values(table).forEach((row) => { row.n = 1; })`,
 * `rules.get("a")!.on = true`, `let first = list[0]; first.n = 1`.
 *
 * Takes a statement. Gives the places where it changes an object, as it runs, and the names of the top level that lead to this object in a roundabout way. Slices have no
 * such change (one by the name itself they have), so that there is a warning. Not followed: what is kept in properties, and what functions of other modules give.
 */
import type * as ts from "typescript";
import type { TypeScript } from "../core";
import type { Binding, ScopeTree } from "./bindings";
import {
  type AccessExpression,
  accessedName,
  CALLS_AT_ONCE,
  functionsAmong,
  hasModifier,
  isAccess,
  isAssignmentTarget,
  isCalledAtOnce,
  isChangedByStatic,
  isFunctionLike,
  MUTATING,
  returnedIn,
  unwrap,
  wrapped,
} from "./syntax";

export interface AliasedChange {
  /** What is assigned, or the call that changes something. */
  readonly node: AccessExpression | ts.CallExpression;
  readonly binding: Binding;
  /** Where the binding is named. */
  readonly name: ts.Identifier;
}

/** A name of the top level that a value has something of. */
interface Origin {
  readonly binding: Binding;
  readonly name: ts.Identifier;
  /** What of the value is the named thing, or a part of it: the members on the way, undefined where any may be it. Empty: the value itself. */
  readonly way: readonly (string | undefined)[];
  /** The value is written as this name, or as members of it. */
  readonly isNamed: boolean;
}

export function aliasedChanges(ts: TypeScript, scopes: ScopeTree, statement: ts.Statement): AliasedChange[] {
  const found: AliasedChange[] = [];
  const visit = (node: ts.Node): void => {
    if (isFunctionLike(ts, node) && !isCalledAtOnce(ts, node)) return;
    if (ts.isPropertyDeclaration(node) && !hasModifier(ts, node, ts.SyntaxKind.StaticKeyword)) return;
    const object = changedBy(ts, node);
    if (object) {
      for (const { binding, name, way, isNamed } of new Origins(ts, scopes).of(object))
        if (way.length === 0 && !isNamed) found.push({ node: node as AliasedChange["node"], binding, name });
    }
    ts.forEachChild(node, visit);
  };
  visit(statement);
  return found;
}

/** The object that a node changes. */
function changedBy(ts: TypeScript, node: ts.Node): ts.Expression | undefined {
  if (isAccess(ts, node)) {
    const outer = wrapped(ts, node);
    return isAssignmentTarget(ts, outer) || ts.isDeleteExpression(outer.parent) ? node.expression : undefined;
  }
  if (!ts.isCallExpression(node)) return undefined;
  const [first] = node.arguments;
  if (first && isChangedByStatic(ts, first)) return first;
  const callee = unwrap(ts, node.expression);
  return isAccess(ts, callee) && MUTATING.has(accessedName(ts, callee) ?? "") ? callee.expression : undefined;
}

/** Methods of containers that give what is in them, or another container of that, or themselves. */
const ONE = /^(?:get|at|find|findLast|pop|shift)$/;
const SOME = /^(?:values|filter|slice|concat|flat|toSorted|toReversed|toSpliced|with)$/;
const ITSELF = /^(?:sort|reverse|fill|copyWithin|set|add)$/;

/** Names that are followed for one change. What leads further is not what somebody would see, and generated code may have chains of thousands. */
const LIMIT = 100;

class Origins {
  private readonly seen = new Set<Binding>();
  private followed = 0;

  constructor(
    private readonly ts: TypeScript,
    private readonly scopes: ScopeTree,
  ) {}

  of(expression: ts.Expression): Origin[] {
    const { ts } = this;
    const value = unwrap(ts, expression);
    if (ts.isIdentifier(value)) return this.ofName(value);
    if (isAccess(ts, value)) return member(this.of(value.expression), accessedName(ts, value));
    if (ts.isConditionalExpression(value)) return [...this.of(value.whenTrue), ...this.of(value.whenFalse)];
    if (ts.isBinaryExpression(value)) return [...this.of(value.left), ...this.of(value.right)];
    if (ts.isAwaitExpression(value)) return this.of(value.expression);
    if (ts.isArrayLiteralExpression(value))
      return value.elements.flatMap((element) =>
        within(ts.isSpreadElement(element) ? member(this.of(element.expression)) : this.of(element)),
      );
    if (ts.isObjectLiteralExpression(value)) return value.properties.flatMap((property) => this.ofProperty(property));
    return ts.isCallExpression(value) ? this.ofCall(value).map(unnamed) : [];
  }

  private ofProperty(property: ts.ObjectLiteralElementLike): Origin[] {
    const { ts } = this;
    if (ts.isSpreadAssignment(property)) return within(member(this.of(property.expression)));
    if (ts.isShorthandPropertyAssignment(property)) return within(this.ofName(property.name), property.name.text);
    if (!ts.isPropertyAssignment(property)) return [];
    return within(this.of(property.initializer), "text" in property.name ? property.name.text : undefined);
  }

  private ofName(name: ts.Identifier): Origin[] {
    const binding = this.scopes.byNode.get(name)?.binding;
    if (!binding || binding.ambient) return [];
    const own = binding.scope.kind === "module" ? [{ binding, name, way: [], isNamed: true }] : [];
    if (this.seen.has(binding) || ++this.followed > LIMIT) return own;
    this.seen.add(binding);
    const [declaration] = binding.declarations;
    const others = declaration && binding.declarations.length === 1 ? this.ofDeclaration(declaration) : [];
    this.seen.delete(binding);
    return [...own, ...others.map(unnamed)];
  }

  /** What a variable or a parameter gets. */
  private ofDeclaration(declaration: ts.Node): Origin[] {
    const { ts } = this;
    if (ts.isBindingElement(declaration)) {
      const whole = this.ofDeclaration(declaration.parent.parent);
      // What is left of an object or an array is a copy.
      if (declaration.dotDotDotToken) return within(member(whole));
      const key = declaration.propertyName ?? declaration.name;
      return member(whole, ts.isObjectBindingPattern(declaration.parent) && "text" in key ? key.text : undefined);
    }
    if (ts.isParameter(declaration)) return this.ofParameter(declaration);
    if (!ts.isVariableDeclaration(declaration)) return [];
    const statement = declaration.parent.parent;
    if (ts.isForOfStatement(statement)) return member(this.of(statement.expression));
    return declaration.initializer ? this.of(declaration.initializer) : [];
  }

  /** Of a function that is called where it stands. */
  private ofParameter(parameter: ts.ParameterDeclaration): Origin[] {
    const { ts } = this;
    const index = parameter.parent.parameters.indexOf(parameter);
    const fn = wrapped(ts, parameter.parent);
    const call = fn.parent;
    if (!ts.isCallExpression(call) || parameter.dotDotDotToken) return [];
    if (call.expression === fn) return call.arguments[index] ? this.of(call.arguments[index]) : [];
    const callee = unwrap(ts, call.expression);
    const method = isAccess(ts, callee) ? (accessedName(ts, callee) ?? "") : "";
    if (!isAccess(ts, callee) || !CALLS_AT_ONCE.has(method)) return [];
    if (method === "from") return index === 0 && call.arguments[0] ? member(this.of(call.arguments[0])) : [];
    const isReduction = method.startsWith("reduce");
    if (isReduction && index === 0) return call.arguments[1] ? this.of(call.arguments[1]) : [];
    if (index === (isReduction ? 1 : 0) || /ort(?:ed)?$/.test(method)) return member(this.of(callee.expression));
    return index === (isReduction ? 3 : 2) ? this.of(callee.expression) : [];
  }

  private ofCall(call: ts.CallExpression): Origin[] {
    const { ts } = this;
    const callee = unwrap(ts, call.expression);
    const [first] = call.arguments;
    if (!isAccess(ts, callee)) return this.givenBy(callee);
    const method = accessedName(ts, callee) ?? "";
    const owner = unwrap(ts, callee.expression);
    if (ts.isIdentifier(owner) && owner.text === "Object" && first) {
      if (method === "values") return within(member(this.of(first)));
      if (method === "entries") return within(within(member(this.of(first))));
      return /^(?:assign|freeze|seal|definePropert(?:y|ies))$/.test(method) ? this.of(first) : [];
    }
    if (ONE.test(method)) return member(this.of(owner));
    if (SOME.test(method)) return within(member(this.of(owner)));
    if (method === "entries") return within(within(member(this.of(owner))));
    return ITSELF.test(method) ? this.of(owner) : [];
  }

  /** What a function of the module returns. */
  private givenBy(callee: ts.Expression): Origin[] {
    const { ts } = this;
    if (isFunctionLike(ts, callee)) return returnedIn(ts, callee).flatMap((returned) => this.of(returned));
    const binding = ts.isIdentifier(callee) ? this.scopes.byNode.get(callee)?.binding : undefined;
    if (!binding || this.seen.has(binding) || ++this.followed > LIMIT) return [];
    this.seen.add(binding);
    const found = functionsAmong(ts, binding.declarations).flatMap((fn) => returnedIn(ts, fn).flatMap((returned) => this.of(returned)));
    this.seen.delete(binding);
    return found;
  }
}

/** Of a member of the value. */
function member(origins: readonly Origin[], name?: string): Origin[] {
  return origins.flatMap((origin) => {
    const [next, ...rest] = origin.way;
    if (origin.way.length === 0) return [origin];
    return next === undefined || name === undefined || next === name ? [{ ...origin, way: rest }] : [];
  });
}

/** Of a value that has it as a member. */
function within(origins: readonly Origin[], name?: string): Origin[] {
  return origins.map((origin) => ({ ...origin, way: [name, ...origin.way], isNamed: false }));
}

function unnamed(origin: Origin): Origin {
  return { ...origin, isNamed: false };
}
