/**
 * Finds task sites: wrapper calls, tagged functions, decorated methods.
 *
 * Takes a module and the bindings that mean `parallel`. Gives the sites in source order with their ids, and reports marks that can't be tasks for
 * what they are (not for what they use: see captures.ts and checks.ts).
 */
import type * as ts from "typescript";
import type { Reporter } from "../diagnostics/report";
import { uniqueIds } from "../hoist/ids";
import type { Binding } from "./bindings";
import type { InstanceFields } from "./instance-fields";
import type { ImportRecord, Module } from "./module";
import { accessedName, commentsBefore, type FunctionLike, hasModifier, isAccess, isFunctionLike, unwrap, wrapped } from "./syntax";

export const PACKAGE = "makeparallel";

interface SiteBase {
  readonly module: Module;
  /** What marks it: the callee, the declaration's name, the decorator. Diagnostics about the mark point here. */
  readonly mark: ts.Node;
  /** Readable name: `sumOfSquares`, `DataProcessor.process`. */
  name: string;
  id: string;
  /** Set by any pass that reports an error for it: no record, no edit. */
  invalid: boolean;
  /** Of the instance that is its `this`: what travels. Undefined: all. */
  fields?: readonly InstanceFields[];
  /** The function that a wrapper names, once found. */
  named?: FunctionLike;
}

/** `parallel(fn)`, `parallel(options, fn)`. */
export interface WrapperSite extends SiteBase {
  readonly kind: "wrapper";
  readonly call: ts.CallExpression;
  readonly options: ts.Expression | undefined;
  /** The function argument as written, and without parentheses and type assertions. */
  readonly argument: ts.Expression;
  readonly fn: ts.Expression;
}

/** `@parallel` in the documentation comment of a function declaration. */
export interface TagSite extends SiteBase {
  readonly kind: "tag";
  readonly fn: ts.FunctionDeclaration;
  readonly overloads: ts.FunctionDeclaration[];
}

/** `@parallel` on a method. */
export interface MethodSite extends SiteBase {
  readonly kind: "method";
  readonly fn: ts.MethodDeclaration;
  readonly decorator: ts.Decorator;
  readonly options: ts.Expression | undefined;
  readonly owner: ts.ClassLikeDeclaration;
  readonly isStatic: boolean;
}

export type TaskSite = WrapperSite | TagSite | MethodSite;

/** The function behind a site, where it can be seen: its own, or the one that a wrapper names. */
export function functionOf(site: TaskSite): FunctionLike | undefined {
  const { ts } = site.module;
  return isFunctionLike(ts, site.fn) ? site.fn : site.named;
}

/** A static method whose code says `this` or `super`: which class it was called on travels along. */
export function usesClass(site: TaskSite): boolean {
  if (site.kind !== "method" || !site.isStatic) return false;
  const { ts } = site.module;
  const uses = (node: ts.Node): boolean => {
    if (node.kind === ts.SyntaxKind.SuperKeyword || (node.kind === ts.SyntaxKind.ThisKeyword && !ts.isTypeNode(node.parent))) return true;
    if (isFunctionLike(ts, node) && !ts.isArrowFunction(node)) return false;
    // Computed names and base classes of a class inside still mean the method's own `this`.
    return ts.forEachChild(node, uses) ?? false;
  };
  return [...site.fn.parameters, site.fn.body as ts.Block].some((part) => uses(part));
}

/**
 * Whether its options say `sideEffects: true`: written at the mark, or in a constant of the module that the mark names. It is read here, when the program is
 * built, so anything that is only known at run time does not count.
 */
export function keepsSideEffects(site: TaskSite): boolean {
  if (site.kind === "tag" || !site.options) return false;
  const { ts, scopes } = site.module;
  let written = unwrap(ts, site.options);
  if (ts.isIdentifier(written)) {
    const declaration = scopes.byNode.get(written)?.binding?.declarations[0];
    if (declaration && ts.isVariableDeclaration(declaration) && declaration.initializer) written = unwrap(ts, declaration.initializer);
  }
  if (!ts.isObjectLiteralExpression(written)) return false;
  return written.properties.some(
    (property) =>
      ts.isPropertyAssignment(property) &&
      (ts.isIdentifier(property.name) || ts.isStringLiteral(property.name)) &&
      property.name.text === "sideEffects" &&
      unwrap(ts, property.initializer).kind === ts.SyntaxKind.TrueKeyword,
  );
}

export function methodsOf(sites: readonly TaskSite[]): MethodSite[] {
  return sites.filter((site): site is MethodSite => site.kind === "method");
}

export function findSites(module: Module, report: Reporter): TaskSite[] {
  const finder = new SiteFinder(module, report);
  const sites = finder.find();
  uniqueIds(module, sites);
  return sites;
}

class SiteFinder {
  private readonly sites: TaskSite[] = [];

  constructor(
    private readonly module: Module,
    private readonly report: Reporter,
  ) {}

  find(): TaskSite[] {
    for (const [binding, record] of this.module.imports) {
      if (record.specifier === PACKAGE) this.uses(binding, record);
    }
    if (/@parallel(?![\w-])/.test(this.module.text)) this.tags(this.module.source);
    return this.sites.sort((a, b) => a.mark.getStart() - b.mark.getStart());
  }

  private uses(binding: Binding, record: ImportRecord): void {
    const { ts } = this.module;
    const isNamespace = record.name === "*" || record.name === "=" || record.name === "default";
    if (!isNamespace && record.name !== "parallel") return;
    for (const reference of binding.references) {
      if (reference.erased) continue;
      let mark: ts.Expression = reference.node;
      if (isNamespace) {
        const outer = wrapped(ts, mark);
        const { parent } = outer;
        if (ts.isVariableDeclaration(parent) && parent.initializer === outer) this.taken(parent.name);
        if (!isAccess(ts, parent) || parent.expression !== outer || accessedName(ts, parent) !== "parallel") continue;
        mark = parent;
      }
      this.mark(mark);
    }
  }

  /** `const { parallel } = makeparallel` */
  private taken(pattern: ts.BindingName): void {
    const { ts } = this.module;
    if (!ts.isObjectBindingPattern(pattern)) return;
    for (const { propertyName, name } of pattern.elements) {
      const key = propertyName ?? name;
      if ("text" in key && key.text === "parallel") this.report.add("MP1002", key, { text: "parallel" });
    }
  }

  private mark(mark: ts.Expression): void {
    const { ts } = this.module;
    const outer = wrapped(ts, mark);
    const { parent } = outer;
    if (ts.isDecorator(parent)) return this.decorator(parent, undefined);
    if (ts.isCallExpression(parent) && parent.expression === outer) {
      if (ts.isDecorator(parent.parent)) return this.decorator(parent.parent, parent.arguments[0]);
      return this.wrapper(mark, parent);
    }
    if (ts.isExportSpecifier(parent) || ts.isExportAssignment(parent)) return;
    this.report.add("MP1002", mark, { text: mark.getText() });
  }

  private wrapper(mark: ts.Expression, call: ts.CallExpression): void {
    const { ts } = this.module;
    const { arguments: args } = call;
    if (args.length < 1 || args.length > 2 || args.some(ts.isSpreadElement)) {
      this.report.add("MP1003", call, { text: mark.getText() });
      return;
    }
    const argument = args[args.length - 1] as ts.Expression;
    this.sites.push({
      kind: "wrapper",
      module: this.module,
      mark,
      call,
      options: args.length > 1 ? args[0] : undefined,
      argument,
      fn: unwrap(ts, argument),
      name: "",
      id: "",
      invalid: false,
    });
  }

  private decorator(decorator: ts.Decorator, options: ts.Expression | undefined): void {
    const { ts } = this.module;
    const { parent } = decorator;
    if (!ts.isMethodDeclaration(parent) || !ts.isClassLike(parent.parent)) {
      this.report.add("MP1013", decorator, { what: describe(this.module, parent) });
      return;
    }
    if (!parent.body) return; // abstract, or an overload: TypeScript says so itself
    this.sites.push({
      kind: "method",
      module: this.module,
      mark: decorator,
      fn: parent,
      decorator,
      options,
      owner: parent.parent,
      isStatic: hasModifier(ts, parent, ts.SyntaxKind.StaticKeyword),
      name: "",
      id: "",
      invalid: false,
    });
  }

  private tags(node: ts.Node): void {
    const { ts } = this.module;
    ts.forEachChild(node, (child) => {
      if (ts.isFunctionDeclaration(child)) {
        if (child.body && !this.tag(child) && this.hasLooseTag(child)) this.withoutEffect(child);
      } else if (ts.isStatement(child) || ts.isClassElement(child) || ts.isPropertyAssignment(child) || isFunctionLike(ts, child)) {
        if (!ts.isBlock(child) && (this.isTagged(child) || this.hasLooseTag(child))) this.withoutEffect(child);
      }
      this.tags(child);
    });
  }

  private withoutEffect(node: ts.Node): void {
    this.report.add("MP2007", node, { what: describe(this.module, node) }, [], node.getStart());
  }

  /** A comment of nothing but the tag that is no documentation comment, or has the tag in capitals. */
  private hasLooseTag(node: ts.Node): boolean {
    return this.commentsAt(node).some(({ text }) => /^\/[/*]+\s*@parallel\s*(\*\/)?$/i.test(text));
  }

  private isTagged(node: ts.Node): boolean {
    return this.commentsAt(node).some(({ text }) => text.startsWith("/**") && /(?:^\/\*\*|\n)[ \t]*\*?[ \t]*@parallel(?![\w-])/.test(text));
  }

  /** The comments before a node, also one that stands between it and a bracket on its line. */
  private commentsAt(node: ts.Node): { text: string }[] {
    const { ts, text: source } = this.module;
    const onItsLine = (ts.getTrailingCommentRanges(source, node.pos) ?? []).filter(
      ({ end }) => !source.slice(end, node.getStart()).includes("\n"),
    );
    return [...commentsBefore(ts, source, node), ...onItsLine.map(({ pos, end }) => ({ text: source.slice(pos, end) }))];
  }

  private tag(fn: ts.FunctionDeclaration): boolean {
    const { ts } = this.module;
    const overloads = (this.module.scopes.declared.get(fn)?.declarations ?? []).filter(
      (declaration): declaration is ts.FunctionDeclaration => ts.isFunctionDeclaration(declaration) && declaration !== fn,
    );
    if (![fn, ...overloads].some((declaration) => this.isTagged(declaration))) return false;
    this.sites.push({ kind: "tag", module: this.module, mark: fn.name ?? fn, fn, overloads, name: "", id: "", invalid: false });
    return true;
  }
}

/** What a node is, in words, for a message. */
export function describe(module: Module, node: ts.Node): string {
  const { ts } = module;
  const name = (node as ts.NamedDeclaration).name;
  const written = name ? ` \`${name.getText()}\`` : "";
  if (ts.isConstructorDeclaration(node)) return "a constructor";
  if (ts.isAccessor(node)) return `the accessor${written}`;
  if (ts.isClassLike(node)) return `the class${written}`;
  if (ts.isPropertyDeclaration(node)) return `the field${written}`;
  if (ts.isParameter(node)) return `the parameter${written}`;
  if (ts.isMethodDeclaration(node)) return `the method${written}`;
  if (ts.isVariableStatement(node)) return `the variable \`${node.declarationList.declarations.map((d) => d.name.getText()).join(", ")}\``;
  if (ts.isPropertyAssignment(node)) return `the property${written}`;
  if (ts.isFunctionDeclaration(node)) return `the function${written}`;
  if (isFunctionLike(ts, node)) return "this function";
  return "this statement";
}
