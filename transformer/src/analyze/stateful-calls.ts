/**
 * Functions that give something else at each call, and code of the top level that calls them: `const READ = bit(); const WRITE = bit();`.
 *
 * Takes units. Gives the stateful things that a unit calls while it is evaluated, by itself or through functions of the project: what a function gave that keeps a
 * variable for itself and assigns it (`const random = generator(42)`), an iterator of a generator, an object whose methods assign to `this`. A slice that has only some of
 * these calls gives them other values than the program has.
 *
 * Not looked at here: variables of the module that a function assigns, and instances of classes, about which there are warnings anyway.
 */
import type * as ts from "typescript";
import type { Binding } from "./bindings";
import { changeOfThis } from "./capture-rules";
import type { Module, Unit } from "./module";
import { remembered } from "./remembered";
import type { Modules, Target } from "./resolve";
import {
  accessedName,
  contains,
  forEachThis,
  functionsAmong,
  isAccess,
  isFunctionLike,
  mayRunWith,
  unwrap,
  useOf,
  wrapped,
} from "./syntax";

/** By the unit of what is called: the name in the evaluated unit that leads to the call. */
export type StatefulCalls = ReadonlyMap<Unit, ts.Node>;

type Declared = Target & { kind: "declared" };

export class StatefulThings {
  private readonly ofModules = new Map<Module, readonly { unit: Unit; calls: StatefulCalls }[]>();
  private readonly stateful = new Map<Binding, "always" | "methods" | undefined>();

  constructor(private readonly modules: Modules) {}

  /** The units of a module that make such calls, as they are evaluated. */
  inOrder(module: Module): readonly { unit: Unit; calls: StatefulCalls }[] {
    return remembered(this.ofModules, module, () => {
      const positionOf = ({ nodes }: Unit): number => nodes[0]?.pos ?? 0;
      return module.units
        .map((unit) => ({ unit, calls: this.callsOf(unit) }))
        .filter(({ calls }) => calls.size > 0)
        .sort((a, b) => positionOf(a.unit) - positionOf(b.unit));
    });
  }

  private callsOf(unit: Unit): StatefulCalls {
    const found = new Map<Unit, ts.Node>();
    if (unit.kind !== "declaration" && unit.kind !== "effect") return found;
    const seen = new Set<ts.Node>();
    for (const node of unit.nodes) if (!isFunctionLike(unit.module.ts, node)) this.collect(unit.module, node, undefined, found, seen);
    return found;
  }

  /** @param from the name in the unit that has led here */
  private collect(module: Module, part: ts.Node, from: ts.Node | undefined, found: Map<Unit, ts.Node>, seen: Set<ts.Node>): void {
    if (seen.has(part)) return;
    seen.add(part);
    const { ts } = module;
    for (const { node, binding } of module.references(part)) {
      if (!binding || binding.ambient || binding.scope.kind !== "module" || !mayRunWith(ts, node, part)) continue;
      const call = callOf(module, node);
      if (!call) continue;
      const target = this.modules.targetOf(module, binding, node);
      if (target?.kind !== "declared") continue;
      const unit = target.module.unitOf.get(target.binding);
      if (unit && this.isStateful(target, call.method)) {
        if (!found.has(unit)) found.set(unit, from ?? node);
      } else if (call.method === undefined) {
        for (const body of bodiesOf(target)) this.collect(target.module, body, from ?? node, found, seen);
      }
    }
  }

  private isStateful(target: Declared, method: string | undefined): boolean {
    const how = remembered(this.stateful, target.binding, () => this.howStateful(target));
    if (how === "always") return true;
    return how === "methods" && method !== undefined && assignsThis(target, method);
  }

  private howStateful({ module, binding }: Declared): "always" | "methods" | undefined {
    const { ts } = module;
    const [declaration] = binding.declarations;
    if (binding.kind !== "const" || !declaration || !ts.isVariableDeclaration(declaration) || !declaration.initializer) return undefined;
    const value = unwrap(ts, declaration.initializer);
    if (ts.isObjectLiteralExpression(value)) return "methods";
    if (!ts.isCallExpression(value)) return undefined;
    const callee = unwrap(ts, value.expression);
    if (isFunctionLike(ts, callee)) return keepsState(module, callee) ? "always" : undefined;
    const named = ts.isIdentifier(callee) ? module.scopes.byNode.get(callee)?.binding : undefined;
    const made = named?.scope.kind === "module" ? this.modules.target(module, named) : undefined;
    if (made?.kind !== "declared") return undefined;
    return functionsOf(made).some((fn) => keepsState(made.module, fn)) ? "always" : undefined;
  }
}

/** What is called where a name stands: the named thing, or a method of it. A function that a call is given counts as called. */
function callOf({ ts }: Module, name: ts.Node): { method?: string } | undefined {
  const node = wrapped(ts, name);
  const { parent } = node;
  if (ts.isCallExpression(parent)) return {};
  if (!isAccess(ts, parent) || parent.expression !== node) return undefined;
  const access = wrapped(ts, parent);
  if (!ts.isCallExpression(access.parent)) return undefined;
  const method = accessedName(ts, parent);
  return method === undefined ? undefined : { method };
}

function functionsOf({ module: { ts }, binding }: Declared): ts.SignatureDeclaration[] {
  return functionsAmong(ts, binding.declarations);
}

function bodiesOf(target: Declared): ts.Node[] {
  return functionsOf(target).flatMap((fn) => ("body" in fn && fn.body ? [fn.body as ts.Node] : []));
}

/** Whether a function is a generator, or has a function in it that assigns one of its variables: not if need be (`known ??= make()`), which gives the same each time. */
function keepsState(module: Module, fn: ts.SignatureDeclaration): boolean {
  const { ts, scopes } = module;
  if ((fn as ts.FunctionExpression).asteriskToken) return true;
  const isWithin = (node: ts.Node): boolean => {
    for (let current = node; current !== fn; current = current.parent) if (isFunctionLike(ts, current)) return true;
    return false;
  };
  return scopes.references.some(({ node, binding, erased }) => {
    if (erased || !binding || !contains(fn, node) || useOf(ts, node) !== "write" || !isWithin(node)) return false;
    const [declaration] = binding.declarations;
    if (!declaration || !contains(fn, declaration) || declaration === fn || isWithin(declaration)) return false;
    const assignment = wrapped(ts, node).parent;
    return !(ts.isBinaryExpression(assignment) && /^(?:\?\?|\|\|)=$/.test(assignment.operatorToken.getText()));
  });
}

function assignsThis({ module, binding }: Declared, method: string): boolean {
  const { ts } = module;
  const declaration = binding.declarations[0] as ts.VariableDeclaration;
  const literal = declaration.initializer && unwrap(ts, declaration.initializer);
  if (!literal || !ts.isObjectLiteralExpression(literal)) return false;
  return literal.properties.some((member) => {
    if (member.name?.getText() !== method) return false;
    const fn = ts.isPropertyAssignment(member) ? unwrap(ts, member.initializer) : member;
    let assigns = false;
    if (isFunctionLike(ts, fn) && !ts.isArrowFunction(fn))
      forEachThis(ts, fn, (self) => (assigns ||= changeOfThis(module, self, literal) !== undefined));
    return assigns;
  });
}
