/**
 * Rewrites classes whose instances travel.
 *
 * Takes a class declaration or expression. Gives edits that register it, that let it be constructed without running its own code while it is revived
 * (only needed for private state, which nothing but the constructor can install), and, in slices, that put stubs in the place of its task methods.
 */
import type * as ts from "typescript";
import type { Edit } from "../core";
import type { Module } from "../analyze/module";
import type { MethodSite } from "../analyze/sites";
import { hasModifier } from "../analyze/syntax";
import { hashOf } from "./ids";
import { rangeOf, remove, replace, type Slots, stubMember } from "./stubs";

/** Private fields and auto-accessors of the instance, as `o.#x` and `o.x`. */
export function privateState(module: Module, node: ts.ClassLikeDeclaration): string[] {
  const { ts } = module;
  return node.members.flatMap((member) => {
    if (!ts.isPropertyDeclaration(member) || hasModifier(ts, member, ts.SyntaxKind.StaticKeyword)) return [];
    if (ts.isPrivateIdentifier(member.name)) return [member.name.text];
    const stored = hasModifier(ts, member, ts.SyntaxKind.AccessorKeyword) && ts.isIdentifier(member.name);
    return stored ? [(member.name as ts.Identifier).text] : [];
  });
}

export interface ClassRewrite {
  readonly node: ts.ClassLikeDeclaration;
  readonly id: string;
  /** Constructed while it is revived: it, or a class that it extends or that extends it, has private state. */
  readonly guarded: boolean;
}

function accessorsOf(state: readonly string[]): string {
  const values = state.map((name) => `o.${name}`).join(", ");
  const sets = state.map((name, index) => `o.${name} = v[${index}];`).join(" ");
  return `{ get(o) { return [${values}]; }, set(o, v) { ${sets} } }`;
}

/** The statement or static block that registers the class, and its guards. */
export function classEdits(module: Module, { node, id, guarded }: ClassRewrite): Edit[] {
  const { ts } = module;
  const state = privateState(module, node);
  const edits = guarded ? guardEdits(module, node) : [];
  if (state.length === 0 && ts.isClassDeclaration(node) && node.name && ts.isSourceFile(node.parent)) {
    edits.push(insertion(node.end, "statements", `\n__mp_m().class(${node.name.text}, ${JSON.stringify(id)});`));
  } else {
    const accessors = state.length > 0 ? `, ${accessorsOf(state)}` : "";
    edits.push(insertion(node.end - 1, "members", `; static { __mp_m().class(this, ${JSON.stringify(id)}${accessors}); } `));
  }
  return edits;
}

export function insertion(position: number, kind: "statements" | "members", text: string): Edit {
  return { start: position, end: position, kind, parts: [text] };
}

const ACTIVE = "__mp.revival.active";

function guardEdits(module: Module, node: ts.ClassLikeDeclaration): Edit[] {
  const { ts } = module;
  const edits: Edit[] = [];
  for (const member of node.members) {
    if (ts.isPropertyDeclaration(member) && member.initializer && !hasModifier(ts, member, ts.SyntaxKind.StaticKeyword)) {
      edits.push(replace(member.initializer, "expression", [`${ACTIVE} ? void 0 : (`, rangeOf(member.initializer), ")"]));
    }
    if (ts.isConstructorDeclaration(member) && member.body) edits.push(...constructorGuard(module, node, member.body));
  }
  return edits;
}

/** While it is revived, the constructor leaves right after its fields exist, and evaluates no argument of `super`. */
function constructorGuard(module: Module, node: ts.ClassLikeDeclaration, body: ts.Block): Edit[] {
  const { ts } = module;
  
  const isDerived = node.heritageClauses?.some((clause) => clause.token === ts.SyntaxKind.ExtendsKeyword) ?? false;
  if (!isDerived) return [insertion(body.getStart() + 1, "statements", ` if (${ACTIVE}) return;`)];
  const statement = body.statements.find(
    (candidate) =>
      ts.isExpressionStatement(candidate) && ts.isCallExpression(candidate.expression) && candidate.expression.expression.kind === ts.SyntaxKind.SuperKeyword,
  ) as ts.ExpressionStatement | undefined;
  if (!statement) return [insertion(body.getStart() + 1, "statements", ` if (${ACTIVE}) { super(); return; }`)];
  const edits = [insertion(statement.end, "statements", `; if (${ACTIVE}) return;`)];
  const call = statement.expression as ts.CallExpression;
  if (call.arguments.length > 0) {
    const parts = call.arguments.flatMap((argument, index) => [index > 0 ? ", " : "", rangeOf(argument)]);
    edits.push(replace(call, "expression", [`super(...(${ACTIVE} ? [] : [`, ...parts, "]))"]));
  }
  if (statement !== body.statements[0]) {
    // Statements before `super` run user code: while reviving, they must not.
    edits.push(insertion(body.getStart() + 1, "statements", ` if (${ACTIVE}) { super(); return; }`));
  }
  return edits;
}

/** Name of the variable that holds a task's function in its slice, and its export. */
export function taskExport(id: string): string {
  return `task_${hashOf(id)}`;
}

/**
 * A class in a slice: its task methods keep their bodies where they stand; once the class exists, the bodies are taken out as the tasks' functions and
 * stubs take their place, so that `this.other()` and `super.other()` dispatch.
 * @param textOf the text of the options expression, as it has to stand in the slice
 */
export function methodsInSlice(module: Module, node: ts.ClassLikeDeclaration, sites: readonly MethodSite[], slots: Slots, textOf: (node: ts.Node) => string): Edit[] {
  const { ts } = module;
  const edits: Edit[] = [];
  const statements: string[] = [];
  const members: string[] = [];
  for (const site of sites) {
    for (const decorator of ts.getDecorators(site.fn) ?? []) edits.push(remove(decorator));
    const options = site.options && textOf(site.options);
    const { name } = site.fn;
    const home = site.isStatic ? "this" : "this.prototype";
    const take = (key: string): string => `${taskExport(site.id)} = ${home}${key}${site.isStatic ? ".bind(this)" : ""};`;
    if (ts.isPrivateIdentifier(name)) {
      const hidden = `__mp_private_${name.text.slice(1)}`;
      edits.push(replace(name, "expression", [hidden]));
      members.push(`${site.isStatic ? "static " : ""}${stubMember(site, slots, options, name.text)}`);
      statements.push(take(`.${hidden}`));
      continue;
    }
    const written = ts.isIdentifier(name) || ts.isStringLiteralLike(name) || ts.isNumericLiteral(name) ? JSON.stringify(name.text) : textOf((name as ts.ComputedPropertyName).expression);
    const stub = stubMember(site, slots, options, name.getText());
    statements.push(
      take(`[${written}]`),
      `Object.defineProperty(${home}, ${written}, { value: { ${stub} }[${written}], writable: true, configurable: true });`,
    );
  }
  edits.push(insertion(node.end - 1, "members", `; ${members.join(" ")} static { ${statements.join(" ")} } `));
  return edits;
}
