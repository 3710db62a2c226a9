/**
 * Rewrites classes whose instances travel.
 *
 * Takes a class declaration or expression. Gives edits that register it, that let it be constructed without running its own code while it is revived
 * (only needed for what nothing but the constructor can install: private state, functions that fields hold), and, in slices, that put stubs in the place of its
 * task methods.
 */
import type * as ts from "typescript";
import type { Binding } from "../analyze/bindings";
import type { Edit, EditPart } from "../core";
import { boundInConstructor, isFunctionField } from "../analyze/function-fields";
import type { Module } from "../analyze/module";
import { type MethodSite, usesClass } from "../analyze/sites";
import { forEachThis, hasModifier, unwrap, wrapped } from "../analyze/syntax";
import { hashOf } from "./ids";
import { classItself, rangeOf, remove, replace, type Slots, stubMember } from "./stubs";

/** One value of an instance that lies outside of its string-keyed properties. */
interface State {
  /** How it is reached from the instance: `.#x`, `[kState]`. */
  readonly path: readonly EditPart[];
  /** Where the path is no text: what it is called. */
  readonly name?: string;
  /** Of an auto-accessor: its key. A subclass may have another accessor of that name, so that the path alone could lead to that one. */
  readonly key?: EditPart;
  /** What is kept for the instance in a weak collection, which `path` names. */
  readonly kept?: "WeakMap" | "WeakSet";
}

/**
 * Private fields, auto-accessors, fields named by a constant, which is often a symbol, and what the class keeps for its instances in a weak collection:
 * structured clone knows none of them.
 */
function privateState(module: Module, node: ts.ClassLikeDeclaration): State[] {
  return [...fieldState(module, node), ...keptState(module, node)];
}

/** Whether instances are constructed while they are revived: they have private state, or fields with functions. */
export function isConstructed(module: Module, node: ts.ClassLikeDeclaration): boolean {
  const { ts } = module;
  return (
    node.members.some((member) => isFunctionField(ts, member)) ||
    boundInConstructor(ts, node).size > 0 ||
    privateState(module, node).length > 0
  );
}

/** `secrets.set(this, …)` and `known.add(this)` where an instance is made, of a `WeakMap` or `WeakSet` of the same file. */
function keptState(module: Module, node: ts.ClassLikeDeclaration): State[] {
  const { ts } = module;
  const found = new Map<Binding, State>();
  for (const member of node.members) {
    const isField = ts.isPropertyDeclaration(member) && !hasModifier(ts, member, ts.SyntaxKind.StaticKeyword);
    if (!isField && !ts.isConstructorDeclaration(member)) continue;
    forEachThis(ts, member, (self) => {
      const argument = wrapped(ts, self);
      const { parent: call } = argument;
      if (!ts.isCallExpression(call) || call.arguments[0] !== argument || !ts.isPropertyAccessExpression(call.expression)) return;
      const holder = unwrap(ts, call.expression.expression);
      const binding = module.scopes.byNode.get(holder)?.binding;
      const declaration = binding?.declarations[0];
      if (!binding || !declaration || !ts.isVariableDeclaration(declaration)) return;
      const { type, initializer } = declaration;
      const made = initializer && unwrap(ts, initializer);
      const what = made && ts.isNewExpression(made) ? made.expression.getText() : type?.getText().replace(/<.*/s, "");
      const kept = what === "WeakMap" || what === "WeakSet" ? what : undefined;
      if (kept && call.expression.name.text === (kept === "WeakMap" ? "set" : "add"))
        found.set(binding, {
          path: [rangeOf(holder)],
          name: `${KEPT}${kept === "WeakMap" ? "what" : "that"} \`${binding.name}\` has ${kept === "WeakMap" ? "for it" : "it"})`,
          kept,
        });
    });
  }
  return [...found.values()];
}

/** How the name of what is kept elsewhere begins: it is no field, so that it always travels. */
const KEPT = " (";

function fieldState(module: Module, node: ts.ClassLikeDeclaration): State[] {
  const { ts } = module;
  return node.members.flatMap((member): State[] => {
    if (!ts.isPropertyDeclaration(member) || hasModifier(ts, member, ts.SyntaxKind.StaticKeyword)) return [];
    if (hasModifier(ts, member, ts.SyntaxKind.AbstractKeyword)) return [];
    const { name } = member;
    if (ts.isPrivateIdentifier(name)) return [{ path: [`.${name.text}`] }];
    const isAccessor = hasModifier(ts, member, ts.SyntaxKind.AccessorKeyword);
    if (ts.isComputedPropertyName(name)) {
      if (!isConstantName(module, name.expression)) return [];
      const key = rangeOf(name.expression);
      return [{ path: ["[", key, "]"], name: name.getText(), ...(isAccessor && { key }) }];
    }
    if (!isAccessor) return [];
    if (ts.isIdentifier(name)) return [{ path: [`.${name.text}`], key: JSON.stringify(name.text) }];
    return [{ path: [`[${name.getText()}]`], key: name.getText() }];
  });
}

/** `kState`, `Symbol.iterator`, `keys.state`: can be read again after the class is defined. */
function isConstantName(module: Module, expression: ts.Expression): boolean {
  const { ts } = module;
  return ts.isIdentifier(expression) || (ts.isPropertyAccessExpression(expression) && isConstantName(module, expression.expression));
}

export interface ClassRewrite {
  readonly node: ts.ClassLikeDeclaration;
  readonly id: string;
  /** Constructed while it is revived: it is so itself, or a class that it extends or that extends it. */
  readonly guarded: boolean;
}

/** The prototype that has the class's own accessors. */
const PROTOTYPE = "__mp_prototype";

function accessorsOf(state: readonly State[]): EditPart[] {
  // Where the author's constants are named as well, they keep their meaning.
  const [o, v] = state.some(({ name }) => name !== undefined) ? ["__mp_o", "__mp_v"] : ["o", "v"];
  const read = ({ path, key, kept }: State): EditPart[] => {
    if (kept !== undefined) return [...path, kept === "WeakMap" ? `.get(${o})` : `.has(${o}) || void 0`];
    return key === undefined ? [o, ...path] : [`Reflect.get(${PROTOTYPE}, `, key, `, ${o})`];
  };
  const write = ({ path, key, kept }: State, value: string): EditPart[] => {
    if (kept !== undefined) return [...path, kept === "WeakMap" ? `.set(${o}, ${value});` : `.add(${o});`];
    return key === undefined ? [o, ...path, ` = ${value};`] : [`Reflect.set(${PROTOTYPE}, `, key, `, ${value}, ${o});`];
  };
  const values = state.flatMap((one, index): EditPart[] => [index > 0 ? ", " : "", ...read(one)]);
  const sets = state.flatMap((one, index): EditPart[] => [
    index > 0 ? " " : "",
    // A field that has not been set, and that no initialiser defines, stays absent.
    one.name === undefined ? "" : `if (${v}[${index}] !== void 0) `,
    ...write(one, `${v}[${index}]`),
  ]);
  const names = JSON.stringify(state.map(({ path, name }) => name ?? path.join("")));
  return [`{ get(${o}) { return [`, ...values, `]; }, set(${o}, ${v}) { `, ...sets, ` }, names: ${names} }`];
}

/** The statement or static block that registers the class, and its guards. */
export function classEdits(module: Module, { node, id, guarded }: ClassRewrite): Edit[] {
  const { ts } = module;
  const state = privateState(module, node);
  const constructed = isConstructed(module, node);
  const edits = guarded ? guardEdits(module, node) : [];
  const key = JSON.stringify(id);
  const name = ts.isClassDeclaration(node) && (ts.isSourceFile(node.parent) || ts.isModuleBlock(node.parent)) ? node.name?.text : undefined;
  const isDecorated = (ts.getDecorators(node) ?? []).length > 0;
  const hasStatement = name !== undefined && (isDecorated || (!constructed && ts.isSourceFile(node.parent)));
  if (hasStatement) edits.push(insertion(node.end, "statements", `\n__mp_m().class(${name}, ${key});`));
  if (hasStatement && !constructed) return edits;
  // In a static block `this` is what decorators have made of the class, or is not yet, by who compiles it.
  const parent = isDecorated ? parentOf(module, node) : undefined;
  const accessors = constructed ? [", ", ...accessorsOf(state)] : parent === undefined ? [] : [", void 0"];
  const rest = parent === undefined ? [] : [`, ${parent}`];
  const itself = classItself(module, node);
  const prototype = state.some((one) => one.key !== undefined) ? `const ${PROTOTYPE} = ${itself}.prototype; ` : "";
  edits.push(insertion(node.end - 1, "members", `; static { ${prototype}__mp_m().class(${itself}, ${key}`, ...accessors, ...rest, "); } "));
  return edits;
}

/** What a class extends, where naming it again does nothing: `null` is nothing. */
function parentOf(module: Module, node: ts.ClassLikeDeclaration): string | undefined {
  const { ts } = module;
  const heritage = node.heritageClauses?.find(({ token }) => token === ts.SyntaxKind.ExtendsKeyword)?.types[0]?.expression;
  if (!heritage) return "null";
  return isConstantName(module, heritage) ? heritage.getText() : undefined;
}

export function insertion(position: number, kind: "statements" | "members" | "name", ...parts: EditPart[]): Edit {
  return { start: position, end: position, kind, parts };
}

const ACTIVE = "__mp.revival.active";

function guardEdits(module: Module, node: ts.ClassLikeDeclaration): Edit[] {
  const { ts } = module;
  const edits: Edit[] = [];
  for (const member of node.members) {
    if (ts.isPropertyDeclaration(member) && !hasModifier(ts, member, ts.SyntaxKind.StaticKeyword)) {
      if (member.initializer && !isFunctionField(ts, member)) edits.push(guarded(member.initializer, "void 0"));
      for (const { expression } of ts.getDecorators(member) ?? [])
        edits.push(replace(expression, "expression", ["__mp.spared(", rangeOf(expression), ")"]));
    }
    if (ts.isConstructorDeclaration(member) && member.body) edits.push(...constructorGuard(module, node, member, member.body));
  }
  return edits;
}

/**
 * While it is revived, the constructor leaves right after its fields exist. Until then it evaluates nothing of the user's: no default, no argument of
 * `super`, no statement before it. The call of `super` itself must stay the one at the constructor's top level, because that is where TypeScript puts
 * fields when it compiles for older targets.
 */
function constructorGuard(module: Module, node: ts.ClassLikeDeclaration, constructor: ts.ConstructorDeclaration, body: ts.Block): Edit[] {
  const { ts } = module;
  const edits = constructor.parameters.flatMap((parameter) => parameterGuard(module, parameter));
  const atStart = (text: string): Edit => insertion(body.getStart() + 1, "statements", text);
  const bound = [...boundInConstructor(ts, node)].map(([name, method]) => `this.${name} = this.${method.name.getText()}.bind(this); `);
  const leave = bound.length === 0 ? "return;" : `{ ${bound.join("")}return; }`;
  const isDerived = node.heritageClauses?.some((clause) => clause.token === ts.SyntaxKind.ExtendsKeyword) ?? false;
  if (!isDerived) return [...edits, atStart(` if (${ACTIVE}) ${leave}`)];
  const index = body.statements.findIndex((statement) => superCall(module, statement) !== undefined);
  const statement = body.statements[index];
  const call = statement && superCall(module, statement);
  const before = call && body.statements.slice(0, index).map((earlier) => statementGuard(module, earlier));
  // A call inside `try` or `if`, or after one: right when the target has fields of its own, where TypeScript places nothing.
  if (!call || !before || before.includes(undefined)) return [...edits, atStart(` if (${ACTIVE}) { super(); ${leave} }`)];
  edits.push(...before.flatMap((guards) => guards ?? []));
  if (call.arguments.length > 0) {
    const parts = call.arguments.flatMap((argument, position) => [position > 0 ? ", " : "", rangeOf(argument)]);
    edits.push(replace(call, "expression", [`super(...(${ACTIVE} ? [] : [`, ...parts, "]))"]));
  }
  edits.push(insertion(statement.end, "statements", `; if (${ACTIVE}) ${leave}`));
  return edits;
}

function superCall(module: Module, statement: ts.Statement): ts.CallExpression | undefined {
  const { ts } = module;
  if (!ts.isExpressionStatement(statement) || !ts.isCallExpression(statement.expression)) return undefined;
  return statement.expression.expression.kind === ts.SyntaxKind.SuperKeyword ? statement.expression : undefined;
}

function parameterGuard(module: Module, parameter: ts.ParameterDeclaration): Edit[] {
  const { ts } = module;
  const { name, initializer, dotDotDotToken } = parameter;
  if (dotDotDotToken) return [];
  const value = ts.isIdentifier(name) ? "void 0" : BLANK;
  if (initializer) return [guarded(initializer, value)];
  if (ts.isIdentifier(name)) return [];
  return [replace(parameter, "parameters", [...patternParts(module, name), ` = ${ACTIVE} ? ${BLANK} : void 0`])];
}

/** A destructuring pattern as text, but for the expressions in it, which move as they are. */
function patternParts(module: Module, pattern: ts.BindingPattern): EditPart[] {
  const { ts } = module;
  const expressions: ts.Expression[] = [];
  const collect = (node: ts.BindingPattern): void => {
    for (const element of node.elements) {
      if (!ts.isBindingElement(element)) continue;
      if (element.propertyName && ts.isComputedPropertyName(element.propertyName)) expressions.push(element.propertyName.expression);
      if (!ts.isIdentifier(element.name)) collect(element.name);
      if (element.initializer) expressions.push(element.initializer);
    }
  };
  collect(pattern);
  const parts: EditPart[] = [];
  let cursor = pattern.getStart();
  for (const expression of expressions) {
    parts.push(module.text.slice(cursor, expression.getStart()), rangeOf(expression));
    cursor = expression.end;
  }
  return [...parts, module.text.slice(cursor, pattern.end)];
}

/** Evaluates the expression only while nothing is revived. */
function guarded(expression: ts.Expression, otherwise: string): Edit {
  return replace(expression, "expression", [`${ACTIVE} ? ${otherwise} : (`, rangeOf(expression), ")"]);
}

/** Edits that keep a statement before `super` from running the user's code; undefined for kinds that have no single place to do it. */
function statementGuard(module: Module, statement: ts.Statement): Edit[] | undefined {
  const { ts } = module;
  if (ts.isVariableStatement(statement)) return listGuard(module, statement.declarationList);
  if (ts.isFunctionDeclaration(statement) || ts.isEmptyStatement(statement)) return [];
  if (ts.isExpressionStatement(statement)) return ts.isStringLiteral(statement.expression) ? [] : [guarded(statement.expression, "void 0")];
  if (ts.isIfStatement(statement)) return statement.elseStatement ? undefined : [guarded(statement.expression, "false")];
  if (ts.isWhileStatement(statement)) return [guarded(statement.expression, "false")];
  if (ts.isForOfStatement(statement)) return statement.awaitModifier ? undefined : [guarded(statement.expression, "[]")];
  if (ts.isForInStatement(statement)) return [guarded(statement.expression, "{}")];
  if (!ts.isForStatement(statement) || !statement.condition) return undefined;
  const { initializer } = statement;
  const start = !initializer
    ? []
    : ts.isVariableDeclarationList(initializer)
      ? listGuard(module, initializer)
      : [guarded(initializer, "void 0")];
  return [...start, guarded(statement.condition, "false")];
}

function listGuard(module: Module, list: ts.VariableDeclarationList): Edit[] {
  return list.declarations.flatMap(({ name, initializer }) =>
    initializer ? [guarded(initializer, module.ts.isIdentifier(name) ? "void 0" : BLANK)] : [],
  );
}

/** A value that any pattern can take apart. Declared by {@link BLANK_HELPER} where it is used. */
const BLANK = "__mp_blank()";

/** Stands in for what a revived object's constructor would take apart. */
export const BLANK_HELPER =
  "function __mp_blank() { return new Proxy({}, { get: (_, key) => key === Symbol.iterator ? function* () { for (let i = 0; i < 32; i++) yield __mp_blank(); } : " +
  'typeof key === "symbol" ? void 0 : __mp_blank() }); }';

/** Name of the variable that holds a class that is no export of its own, because it is in a namespace. */
export function classExport(id: string): string {
  return `class_${hashOf(id)}`;
}

/** Name of the variable that holds a task's function in its slice, and its export. */
export function taskExport(id: string): string {
  return `task_${hashOf(id)}`;
}

/**
 * A class in a slice: its task methods keep their bodies where they stand; once the class exists, the bodies are taken out as the tasks' functions and
 * stubs take their place, so that `this.other()` and `super.other()` dispatch.
 * @param textOf the text of the options expression, as it has to stand in the slice
 * @param isStandard whether decorators are applied in the order of the standard: those of the class before its static blocks
 */
export function methodsInSlice(
  module: Module,
  node: ts.ClassLikeDeclaration,
  sites: readonly MethodSite[],
  slots: Slots,
  textOf: (node: ts.Node) => string,
  isStandard: boolean,
): Edit[] {
  const { ts } = module;
  const edits: Edit[] = [];
  const statements: string[] = [];
  const members: string[] = [];
  const isDecorated = isStandard && (ts.getDecorators(node) ?? []).length > 0;
  for (const site of sites) {
    const takes = isDecorated && !ts.isPrivateIdentifier(site.fn.name);
    for (const decorator of ts.getDecorators(site.fn) ?? []) if (!takes || decorator !== site.decorator) edits.push(remove(decorator));
    const options = site.options && textOf(site.options);
    const { name } = site.fn;
    const home = site.isStatic ? "this" : "this.prototype";
    const variable = taskExport(site.id);
    const taskOf = (method: string): string =>
      usesClass(site) ? `__mp.onClass(this, ${method})` : site.isStatic ? `${method}.bind(this)` : method;
    const take = (key: string): string => `${variable} = ${taskOf(`${home}${key}`)};`;
    if (ts.isPrivateIdentifier(name)) {
      const hidden = `__mp_private_${name.text.slice(1)}`;
      edits.push(replace(name, "expression", [hidden]));
      members.push(`${site.isStatic ? "static " : ""}${stubMember(site, slots, options, name.text)}`);
      statements.push(take(`.${hidden}`));
      continue;
    }
    const written =
      ts.isIdentifier(name) || ts.isStringLiteralLike(name) || ts.isNumericLiteral(name)
        ? JSON.stringify(name.text)
        : textOf((name as ts.ComputedPropertyName).expression);
    const stub = `__mp_m().tagged({ ${stubMember(site, slots, options, name.getText())} }[${written}])`;
    if (takes) {
      // Before the class's own decorators, which may seal it or give another.
      edits.push(replace(site.decorator, "expression", [`@__mp.taken((method) => (${variable} = method), ${stub})`]));
      if (taskOf(variable) !== variable) statements.push(`${variable} = ${taskOf(variable)};`);
      continue;
    }
    statements.push(
      take(`[${written}]`),
      `Object.defineProperty(${home}, ${written}, { value: ${stub}, writable: true, configurable: true });`,
    );
  }
  edits.push(insertion(node.end - 1, "members", `; ${members.join(" ")} static { ${statements.join(" ")} } `));
  return edits;
}
