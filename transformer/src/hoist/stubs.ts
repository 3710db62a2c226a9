/**
 * What replaces a task site: the calls of ARCHITECTURE.md's stub contract.
 *
 * Takes a site and its captures. Gives node-aligned edits, the same ones for the program and for slices that have the code around the site. A method in a
 * slice is treated in class-slice.ts instead, because there its body stays.
 */
import type * as ts from "typescript";
import type { Edit, EditPart } from "../core";
import type { Hoisted } from "../analyze/captures";
import type { Binding } from "../analyze/bindings";
import type { MethodSite, TagSite, TaskSite, WrapperSite } from "../analyze/sites";
import { functionOf, usesClass } from "../analyze/sites";
import { type FunctionLike, isThisParameter, lengthOf, modifier } from "../analyze/syntax";
import { DEFAULT_NAME, type Module } from "../analyze/module";

export const FLAG_ASYNC = 1;
export const FLAG_GENERATOR = 2;
export const FLAG_RECEIVER = 4;

/** Names of the variables that a module's stubs need. */
export class Slots {
  private readonly names = new Map<TaskSite, string>();

  of(site: TaskSite): string {
    let name = this.names.get(site);
    if (!name) {
      name = `__mp_t${this.names.size}`;
      this.names.set(site, name);
    }
    return name;
  }

  get all(): string[] {
    return [...this.names.values()];
  }
}

/** Declares what stubs use. Everything is hoisted, so that functions that are called before this module has run work. */
export function preamble(location: string, manifestKey: string, slots: readonly string[]): string {
  return (
    `var ${["__mp_module", ...slots].join(", ")};\n` +
    `function __mp_m() { return __mp_module || (__mp_module = __mp.module(${location}, ${JSON.stringify(manifestKey)})); }`
  );
}

export const INTERNAL_IMPORT = `import * as __mp from "makeparallel/internal";`;

/** How a captured binding is written where the stub stands. */
export type NameOf = (binding: Binding) => string;

export function siteEdits(site: TaskSite, hoisted: Hoisted | undefined, slots: Slots, nameOf: NameOf = (binding) => binding.name): Edit[] {
  if (site.kind === "wrapper") return wrapperEdits(site, hoisted, nameOf);
  return site.kind === "tag" ? tagEdits(site, hoisted, slots, nameOf) : methodEdits(site, slots);
}

function meta(site: TaskSite, hoisted: Hoisted | undefined): string {
  const fn = functionOf(site);
  const { ts } = site.module;
  let flags = 0;
  if (fn && modifier(ts, fn, ts.SyntaxKind.AsyncKeyword)) flags |= FLAG_ASYNC;
  if (fn && isGenerator(fn)) flags |= FLAG_GENERATOR;
  if (site.kind === "method" && !site.isStatic) flags |= FLAG_RECEIVER;
  const names = usesClass(site) ? ["this"] : captureNames(hoisted);
  const fields = [`name: ${JSON.stringify(site.name)}`, `length: ${fn ? lengthOf(ts, fn) : 0}`, `flags: ${flags}`];
  if (names.length > 0) fields.push(`captures: ${JSON.stringify(names)}`);
  if (site.fields)
    fields.push(`fields: { ${site.fields.map(({ of, names }) => `${JSON.stringify(of)}: ${JSON.stringify(names)}`).join(", ")} }`);
  return `{ ${fields.join(", ")} }`;
}

export function isGenerator(fn: FunctionLike): boolean {
  return (fn as ts.FunctionExpression).asteriskToken !== undefined;
}

/** Names of the values that travel, in their order. */
export function captureNames(hoisted: Hoisted | undefined): string[] {
  if (!hoisted) return [];
  const names = hoisted.captures.map((capture) => capture.binding.name);
  return hoisted.capturesThis ? ["this", ...names] : names;
}

/** `[a, b]`, as read where the site stands. */
function captureValues(hoisted: Hoisted | undefined, nameOf: NameOf): string | undefined {
  if (!hoisted || captureNames(hoisted).length === 0) return undefined;
  const values = hoisted.captures.map((capture) => nameOf(capture.binding));
  return `[${(hoisted.capturesThis ? ["this", ...values] : values).join(", ")}]`;
}

function wrapperEdits(site: WrapperSite, hoisted: Hoisted | undefined, nameOf: NameOf): Edit[] {
  const values = captureValues(hoisted, nameOf);
  const thunk = values ? `() => ${values}` : "void 0";
  const callee = `__mp_m().wrapper(${JSON.stringify(site.id)}, ${meta(site, hoisted)})`;
  if (!site.options) return [replace(site.call, "expression", [`${callee}(void 0, ${thunk})`])];
  return [replace(site.call.expression, "expression", [callee]), replace(site.argument, "expression", [thunk])];
}

function taskExpression(site: TagSite | MethodSite, hoisted: Hoisted | undefined, slot: string, options: EditPart[]): EditPart[] {
  const lazily = options.length > 0 ? [", () => (", ...options, ")"] : [];
  return [`(${slot} || (${slot} = __mp_m().task(${JSON.stringify(site.id)}, ${meta(site, hoisted)}`, ...lazily, ")))"];
}

function tagEdits(site: TagSite, hoisted: Hoisted | undefined, slots: Slots, nameOf: NameOf): Edit[] {
  const call = `.call(void 0, ${captureValues(hoisted, nameOf) ?? "void 0"}, arguments); }`;
  const body = ["{ return ", ...taskExpression(site, hoisted, slots.of(site), []), call];
  return [...signatureEdits(site.module, site.fn, captureNames(hoisted)), replace(site.fn.body as ts.Block, "block", body)];
}

/** Where the name of a function declaration would stand that has none. */
export function namePosition({ ts }: Module, fn: ts.FunctionDeclaration): number {
  const keyword = fn.getChildren().find((child) => child.kind === ts.SyntaxKind.FunctionKeyword) as ts.Node;
  return fn.asteriskToken?.end ?? keyword.end;
}

/**
 * Makes a tagged function's stub known as a parallel function, so that it can be an argument.
 * @param name what it is called there
 */
export function markingCall(name: string): string {
  return name === DEFAULT_NAME ? `__mp_m().tagged(${name}, "default");` : `__mp_m().tagged(${name});`;
}

/** In a slice: right after the function, which may come without the code around it. */
export function markingInSlice(site: TaskSite, nameOf: (site: TagSite) => string): Edit[] {
  return site.kind === "tag"
    ? [{ start: site.fn.end, end: site.fn.end, kind: "statements", parts: [` ${markingCall(nameOf(site))}`] }]
    : [];
}

/** In the program: at the start of the block around the function, if that is not the module itself. */
export function markingInBlock(site: TagSite): Edit[] {
  const { ts } = site.module;
  const { parent, name } = site.fn;
  if (!name || !(ts.isBlock(parent) || ts.isModuleBlock(parent))) return [];
  let position = parent.getStart() + 1;
  for (const statement of parent.statements) {
    if (!ts.isExpressionStatement(statement) || !ts.isStringLiteral(statement.expression)) break;
    position = statement.end;
  }
  return [{ start: position, end: position, kind: "statements", parts: [` ${markingCall(name.text)}`] }];
}

/**
 * The class in a static block of its own. With `experimentalDecorators` and a target below ES2022, TypeScript has `void 0` in the place of `this` there, of a class that it
 * decorates, and the name still means the class as it was written.
 */
export function classItself({ ts }: Module, owner: ts.ClassLikeDeclaration): string {
  if (!ts.isClassDeclaration(owner)) return "this";
  const isDecorated = (node: ts.Node): boolean => ts.canHaveDecorators(node) && ts.getDecorators(node) !== undefined;
  const parameters = owner.members.flatMap((member) => (ts.isConstructorDeclaration(member) ? [...member.parameters] : []));
  return [owner, ...parameters].some(isDecorated) ? `(this ?? ${owner.name?.text ?? DEFAULT_NAME})` : "this";
}

/** The same for a class's methods, but for those that other decorators may have wrapped, and those that nothing outside can get at. */
export function markingInClass(owner: ts.ClassLikeDeclaration, sites: readonly MethodSite[]): Edit[] {
  const itself = sites[0] ? classItself(sites[0].module, owner) : "this";
  const calls = sites.flatMap((site) => {
    const { ts } = site.module;
    const { name } = site.fn;
    if ((ts.getDecorators(site.fn) ?? []).length > 1 || !(ts.isIdentifier(name) || ts.isStringLiteral(name))) return [];
    return [markingCall(`${itself}${site.isStatic ? "" : ".prototype"}[${JSON.stringify(name.text)}]`)];
  });
  if (calls.length === 0) return [];
  return [{ start: owner.end - 1, end: owner.end - 1, kind: "members", parts: [`; static { ${calls.join(" ")} } `] }];
}

function methodEdits(site: MethodSite, slots: Slots): Edit[] {
  const { fn, options } = site;
  const moved: EditPart[] = options ? [rangeOf(options)] : [];
  const body = [
    "{ return ",
    ...taskExpression(site, undefined, slots.of(site), moved),
    `.call(this, ${receiverClass(site)}, arguments); }`,
  ];
  return [remove(site.decorator), ...signatureEdits(site.module, fn), replace(fn.body as ts.Block, "block", body)];
}

/** A member of an object literal that is the method's stub, for slices. */
export function stubMember(site: MethodSite, slots: Slots, options: string | undefined, name: string): string {
  const parameters = stubParameters(site.module, site.fn);
  const expression = taskExpression(site, undefined, slots.of(site), options === undefined ? [] : [options]).join("");
  const receiver = site.isStatic ? "void 0" : "this";
  return `${name}(${parameters}) { return ${expression}.call(${receiver}, ${receiverClass(site)}, arguments); }`;
}

/** What a method's stub sends as captured values: for static methods that need it, the class that it was called on. */
function receiverClass(site: MethodSite): string {
  return usesClass(site) ? "[__mp_m().classOf(this)]" : "void 0";
}

function stubParameters(module: Module, fn: ts.MethodDeclaration): string {
  const { ts } = module;
  return fn.parameters
    .filter((parameter) => !isThisParameter(ts, parameter))
    .map((parameter, index) => {
      const name = ts.isIdentifier(parameter.name) ? parameter.name.text : `__mp_p${index}`;
      return `${parameter.dotDotDotToken ? "..." : ""}${name}${parameter.initializer ? " = void 0" : ""}`;
    })
    .join(", ");
}

/**
 * The stub is no `async` function and no generator; its parameters only have to give it its `length`.
 * @param read names that its body reads of the functions around it
 */
function signatureEdits(module: Module, fn: ts.FunctionDeclaration | ts.MethodDeclaration, read: readonly string[] = []): Edit[] {
  const { ts } = module;
  const edits: Edit[] = [];
  const async = modifier(ts, fn, ts.SyntaxKind.AsyncKeyword);
  if (async) edits.push(remove(async));
  if (fn.asteriskToken) edits.push(remove(fn.asteriskToken));
  fn.parameters.forEach((parameter, index) => {
    if (!ts.isIdentifier(parameter.name) || read.includes(parameter.name.text)) {
      const text = `${parameter.dotDotDotToken ? "..." : ""}__mp_p${index}${parameter.initializer ? " = void 0" : ""}`;
      edits.push(replace(parameter, "parameters", [text]));
    } else if (parameter.initializer) edits.push(replace(parameter.initializer, "expression", ["void 0"]));
  });
  return edits;
}

export function replace(node: ts.Node, kind: Edit["kind"], parts: EditPart[]): Edit {
  return { start: node.getStart(), end: node.end, kind, parts };
}

export function remove(node: ts.Node): Edit {
  return replace(node, "remove", []);
}

export function rangeOf(node: ts.Node): { start: number; end: number } {
  return { start: node.getStart(), end: node.end };
}

/** Outer edits before those inside them; insertions at one place in the order in which they were made. */
export function sortEdits(edits: Edit[]): Edit[] {
  const isInsertion = (edit: Edit): boolean => edit.start === edit.end;
  // Of two for one node, the one that keeps the node goes around the other.
  const isAround = (edit: Edit): boolean =>
    edit.parts.some((part) => typeof part !== "string" && part.start === edit.start && part.end === edit.end);
  return edits.sort(
    (a, b) =>
      a.start - b.start || Number(isInsertion(b)) - Number(isInsertion(a)) || b.end - a.end || Number(isAround(b)) - Number(isAround(a)),
  );
}
