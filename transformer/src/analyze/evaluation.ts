/**
 * What a unit needs while it is evaluated, rather than when its functions are called later.
 *
 * Takes units. Gives the units that have to be evaluated before: for certain, where its own code names them (`class B extends A`, `const table = { a: A }`); or
 * perhaps, where a function that it calls does. Calls are followed by name only: of functions, of static methods, of constructors.
 */
import type * as ts from "typescript";
import type { Reference } from "./bindings";
import type { Graph } from "./graph";
import type { Module, Unit } from "./module";
import type { Modules, Target } from "./resolve";
import { accessedName, hasModifier, isAccess, isFunctionLike, runsWith, unwrap, wrapped } from "./syntax";

export interface Needs {
  readonly certain: ReadonlySet<Unit>;
  readonly perhaps: ReadonlySet<Unit>;
}

export function needsOf(graph: Graph, modules: Modules, unit: Unit): Needs {
  return new Evaluation(graph, modules).needs(unit);
}

class Evaluation {
  private readonly certain = new Set<Unit>();
  private readonly perhaps = new Set<Unit>();
  private readonly followed = new Set<ts.Node>();

  constructor(
    private readonly graph: Graph,
    private readonly modules: Modules,
  ) {}

  needs(unit: Unit): Needs {
    const { ts } = unit.module;
    for (const reference of this.graph.references(unit)) {
      const part = unit.nodes.find((node) => node.pos <= reference.node.pos && reference.node.end <= node.end);
      if (!part || !runsWith(ts, reference.node, part)) continue;
      const target = this.targetAt(unit.module, reference);
      if (!target || isHoisted(target)) this.note(target, this.perhaps);
      else this.note(target, this.certain);
      this.follow(unit.module, reference, target);
    }
    this.certain.delete(unit);
    this.perhaps.delete(unit);
    return { certain: this.certain, perhaps: this.perhaps };
  }

  private targetAt(module: Module, { binding, node }: Reference): Target | undefined {
    return binding && this.modules.targetOf(module, binding, node);
  }

  private note(target: Target | undefined, into: Set<Unit>): void {
    if (target) for (const unit of this.graph.unitsOfTarget(target, "all")) into.add(unit);
  }

  /** Goes on into what is called there. */
  private follow(module: Module, reference: Reference, target: Target | undefined): void {
    if (target?.kind !== "declared") return;
    const call = callAt(module, reference.node);
    if (!call) return;
    // Through a namespace, the member of the module is the target already.
    const isMember = reference.binding !== undefined && this.modules.target(module, reference.binding)?.kind === "namespace";
    const path = isMember ? call.path.slice(1) : call.path;
    for (const declaration of target.binding.declarations) {
      for (const part of partsRun(target.module, declaration, path)) this.run(target.module, part);
    }
  }

  private run(module: Module, part: ts.Node): void {
    if (this.followed.has(part)) return;
    this.followed.add(part);
    const { ts } = module;
    for (const reference of module.references(part)) {
      const { binding } = reference;
      if (!binding || binding.ambient || binding.scope.kind !== "module" || !runsWith(ts, reference.node, part)) continue;
      const target = this.targetAt(module, reference);
      this.note(target, this.perhaps);
      this.follow(module, reference, target);
    }
  }
}

/** Whether it is there before any code of its module has run. */
function isHoisted(target: Target): boolean {
  return target.kind === "declared" && target.binding.declarations.every((node) => target.module.ts.isFunctionDeclaration(node));
}

/** `a.b.c` in `a.b.c()`, `new a.b.c`, `a.b.c```, `@a.b.c`: the names after the first; undefined where nothing is called. */
function callAt({ ts }: Module, node: ts.Node): { path: (string | undefined)[] } | undefined {
  const path: (string | undefined)[] = [];
  let current = wrapped(ts, node);
  while (isAccess(ts, current.parent) && current.parent.expression === current) {
    path.push(accessedName(ts, current.parent));
    current = wrapped(ts, current.parent);
  }
  const { parent } = current;
  const isCalled =
    ((ts.isCallExpression(parent) || ts.isNewExpression(parent)) && parent.expression === current) ||
    (ts.isTaggedTemplateExpression(parent) && parent.tag === current) ||
    ts.isDecorator(parent);
  return isCalled ? { path } : undefined;
}

/** Code that runs when a declared thing, or the member of it that the path names, is called. */
function partsRun(module: Module, declaration: ts.Node, path: readonly (string | undefined)[]): ts.Node[] {
  const { ts } = module;
  if (ts.isFunctionDeclaration(declaration)) return path.length === 0 ? codeOf(declaration) : [];
  if (ts.isVariableDeclaration(declaration) && declaration.initializer) {
    const value = unwrap(ts, declaration.initializer);
    return path.length === 0 && isFunctionLike(ts, value) ? codeOf(value) : [];
  }
  if (!ts.isClassLike(declaration)) return [];
  const [name] = path;
  if (path.length > 0) {
    const method = declaration.members.filter(
      (member) => ts.isMethodDeclaration(member) && hasModifier(ts, member, ts.SyntaxKind.StaticKeyword) && member.name.getText() === name,
    );
    return method.flatMap((member) => codeOf(member as ts.MethodDeclaration));
  }
  return declaration.members.flatMap((member) => {
    if (ts.isConstructorDeclaration(member)) return codeOf(member);
    const isField = ts.isPropertyDeclaration(member) && !hasModifier(ts, member, ts.SyntaxKind.StaticKeyword);
    return isField && member.initializer ? [member.initializer] : [];
  });
}

function codeOf(fn: ts.FunctionLikeDeclaration): ts.Node[] {
  return [...fn.parameters.flatMap(({ initializer }) => initializer ?? []), ...(fn.body ? [fn.body] : [])];
}
