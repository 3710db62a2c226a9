/**
 * Applies the core's edits to a TypeScript tree.
 *
 * Takes: a parsed file and edits in its coordinates. Gives: an updated tree for the rest of TypeScript's pipeline. Replacement text is parsed and made
 * synthetic; nodes that a replacement keeps ("holes") are the original ones, so the checker still knows them (import elision, decorator metadata,
 * const enums, JSX). Everything that no edit touches stays the very same node.
 */
import type * as ts from "typescript";
import { DEFAULT_NAME } from "../analyze/module";
import type { Edit, TypeScript } from "../core";

export function applyEdits(ts: TypeScript, context: ts.TransformationContext, file: ts.SourceFile, edits: readonly Edit[]): ts.SourceFile {
  return edits.length === 0 ? file : new TreeEditor(ts, context, file, edits).run();
}

class TreeEditor {
  readonly #replacements = new Map<string, Edit[]>();
  /** Positions at which something changes, ascending. */
  readonly #places: number[];
  readonly #before = new Map<ts.Node, Edit[]>();
  readonly #after = new Map<ts.Node, Edit[]>();
  /** Insertions into lists that are empty, by the node that has the list. */
  readonly #into = new Map<ts.Node, Edit[]>();
  /** Names of function declarations that have none. */
  readonly #names = new Map<ts.Node, string>();
  readonly #used = new Set<Edit>();
  #nodesByRange: Map<string, ts.Node[]> | undefined;

  constructor(
    private readonly ts: TypeScript,
    private readonly context: ts.TransformationContext,
    private readonly file: ts.SourceFile,
    edits: readonly Edit[],
  ) {
    for (const edit of edits) {
      if (edit.kind === "name") this.#name(edit);
      else if (edit.start === edit.end) this.#anchor(edit);
      else add(this.#replacements, rangeKey(edit.start, edit.end), edit);
    }
    const anchors = [...this.#before.keys(), ...this.#after.keys(), ...this.#into.keys()].map((node) => node.getStart(file));
    this.#places = [...edits.map((edit) => edit.start), ...anchors].sort((a, b) => a - b);
  }

  run(): ts.SourceFile {
    const { ts, file } = this;
    const statements: ts.Statement[] = this.#parseInto(file);
    for (const statement of file.statements) push(statements, this.#visit(statement));
    const unused = [...this.#replacements.values()].flat().filter((edit) => !this.#used.has(edit));
    if (unused.length > 0) {
      const places = unused.map((edit) => `${edit.kind} at ${edit.start}..${edit.end}`).join(", ");
      throw new Error(`makeparallel: no node of ${file.fileName} fits the replacement of ${places}`);
    }
    return this.context.factory.updateSourceFile(file, ts.setTextRange(this.context.factory.createNodeArray(statements), file.statements));
  }

  /** Finds the list that an insertion belongs to, and the element that it goes before or after. */
  #anchor(edit: Edit): void {
    const { ts, file } = this;
    let owner: ts.Node = file;
    let list = listOf(ts, file) as ts.NodeArray<ts.Node>;
    const descend = (node: ts.Node): void => {
      const own = listOf(ts, node);
      const isOwner =
        edit.kind === "members" ? ts.isClassLike(node) && node.end - 1 === edit.start : own !== undefined && !ts.isClassLike(node);
      if (own && isOwner) {
        owner = node;
        list = own;
      }
      ts.forEachChild(node, (child) => {
        if (child.getStart(file) < edit.start && edit.start < child.end) descend(child);
      });
    };
    descend(file);
    const isPrologue = (node: ts.Node): boolean => owner === file && ts.isExpressionStatement(node) && ts.isStringLiteral(node.expression);
    const next = list.find((element) => element.getStart(file) >= edit.start && !isPrologue(element));
    if (next) add(this.#before, next, edit);
    else if (list.length > 0) add(this.#after, list[list.length - 1], edit);
    else add(this.#into, owner, edit);
  }

  #name(edit: Edit): void {
    const { ts, file } = this;
    const find = (node: ts.Node): void => {
      if (node.getStart(file) >= edit.start || node.end <= edit.start) return;
      if (ts.isFunctionDeclaration(node) && !node.name) this.#names.set(node, String(edit.parts[0]).trim());
      else ts.forEachChild(node, find);
    };
    find(file);
  }

  readonly #visit = (node: ts.Node): ts.VisitResult<ts.Node | undefined> => {
    const before = this.#before.get(node);
    const after = this.#after.get(node);
    if (!before && !after) return this.#replaceOrDescend(node);
    const result: ts.Node[] = [];
    for (const edit of before ?? []) result.push(...this.#parse(edit));
    push(result, this.#replaceOrDescend(node));
    for (const edit of after ?? []) result.push(...this.#parse(edit));
    return result;
  };

  #replaceOrDescend(node: ts.Node): ts.VisitResult<ts.Node | undefined> {
    const { ts, file } = this;
    const candidates = this.#replacements.get(rangeKey(node.getStart(file), node.end));
    const edit = candidates?.find((candidate) => !this.#used.has(candidate) && fits(ts, candidate.kind, node));
    if (edit) {
      this.#used.add(edit);
      if (edit.kind === "remove") return undefined;
      const nodes = this.#parse(edit);
      if (nodes.length === 1) return this.#standIn(nodes[0], node);
      if (nodes.length > 0) nodes[0] = this.#standIn(nodes[0], node);
      return nodes;
    }
    if (!this.#touches(node)) return node;
    const visited = ts.visitEachChild(node, this.#visit, this.context, undefined, this.#visit);
    if (visited && visited !== node && ts.isImportDeclaration(visited)) return elideUnused(ts, this.context, visited);
    const name = this.#names.get(node);
    if (name !== undefined && visited && ts.isFunctionDeclaration(visited)) return this.#named(visited, node, name);
    const filled = this.#into.has(node) && visited ? this.#fillEmptyList(visited, this.#parseInto(node)) : visited;
    return filled && filled !== node && ts.isClassDeclaration(filled) && !filled.name ? this.#withName(filled, node) : filled;
  }

  /** For targets without static blocks TypeScript compiles a nameless class that has one to what is no JavaScript: it gets a name, and keeps `default` as its `name`. */
  #withName(node: ts.ClassDeclaration, replaced: ts.Node): ts.ClassDeclaration {
    const { ts } = this;
    const { factory } = this.context;
    if ((this.context.getCompilerOptions().target ?? ts.ScriptTarget.ES5) >= ts.ScriptTarget.ES2022) return node;
    const naming = `static { Object.defineProperty(this ?? ${DEFAULT_NAME}, "name", { value: "default" }); }`;
    const block = this.#parse({ kind: "members", start: 0, end: 0, parts: [naming] }) as ts.ClassElement[];
    const { modifiers, typeParameters, heritageClauses, members } = node;
    const name = factory.createIdentifier(DEFAULT_NAME);
    return ts.setTextRange(
      factory.createClassDeclaration(modifiers, name, typeParameters, heritageClauses, [...block, ...members]),
      replaced,
    );
  }

  /** A new node: the CommonJS emit goes by the name of an updated one's original. */
  #named(fn: ts.FunctionDeclaration, replaced: ts.Node, name: string): ts.FunctionDeclaration {
    const { factory } = this.context;
    const { modifiers, asteriskToken, typeParameters, parameters, type, body } = fn;
    const identifier = factory.createIdentifier(name);
    const named = factory.createFunctionDeclaration(modifiers, asteriskToken, identifier, typeParameters, parameters, type, body);
    return this.ts.setTextRange(named, replaced);
  }

  /** True when something changes within the node. */
  #touches(node: ts.Node): boolean {
    const places = this.#places;
    let low = 0;
    let high = places.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (places[middle] < node.pos) low = middle + 1;
      else high = middle;
    }
    return low < places.length && places[low] <= node.end;
  }

  /** Source maps, comments and the checker see the replacement where the replaced node stood. */
  #standIn(replacement: ts.Node, replaced: ts.Node): ts.Node {
    const { ts } = this;
    if (replacement.pos >= 0) return replacement;
    ts.setTextRange(replacement, replaced);
    ts.setSourceMapRange(replacement, { pos: replaced.getStart(this.file), end: replaced.end, source: undefined });
    if (ts.isStatement(replacement) || ts.isClassElement(replacement)) ts.setOriginalNode(replacement, replaced);
    return replacement;
  }

  #fillEmptyList(node: ts.Node, nodes: ts.Node[]): ts.Node {
    const { ts } = this;
    const { factory } = this.context;
    if (ts.isBlock(node)) return factory.updateBlock(node, nodes as ts.Statement[]);
    if (ts.isModuleBlock(node)) return factory.updateModuleBlock(node, nodes as ts.Statement[]);
    if (ts.isClassDeclaration(node)) {
      return factory.updateClassDeclaration(
        node,
        node.modifiers,
        node.name,
        node.typeParameters,
        node.heritageClauses,
        nodes as ts.ClassElement[],
      );
    }
    if (ts.isClassExpression(node)) {
      return factory.updateClassExpression(
        node,
        node.modifiers,
        node.name,
        node.typeParameters,
        node.heritageClauses,
        nodes as ts.ClassElement[],
      );
    }
    throw new Error(`makeparallel: nothing can be inserted into a ${ts.SyntaxKind[node.kind]}`);
  }

  #parseInto(owner: ts.Node): ts.Statement[] {
    return (this.#into.get(owner) ?? []).flatMap((edit) => this.#parse(edit)) as ts.Statement[];
  }

  // Replacement text

  #parse(edit: Edit): ts.Node[] {
    const { ts } = this;
    const holes: { start: number; end: number }[] = [];
    const text = edit.parts
      .map((part) => {
        if (typeof part === "string") return part;
        holes.push(part);
        return `${HOLE}${holes.length - 1}`;
      })
      .join("");
    const { parsed, nodes } = parseAs(ts, edit.kind, text, this.file);
    const problems = (parsed as unknown as { parseDiagnostics?: readonly ts.Diagnostic[] }).parseDiagnostics;
    if (problems && problems.length > 0) {
      throw new Error(
        `makeparallel: the replacement ${JSON.stringify(text)} does not parse: ${ts.flattenDiagnosticMessageText(problems[0].messageText, " ")}`,
      );
    }
    for (const node of nodes) {
      makeSynthetic(ts, node);
      if (edit.start < edit.end) this.#locate(node, edit);
    }
    if (holes.length === 0) return nodes;
    const result: ts.Node[] = [];
    const fill = (node: ts.Node): ts.VisitResult<ts.Node | undefined> => {
      const hole = holeIn(ts, node);
      const original = hole && this.#original(holes[hole.index], hole.role);
      return original ? this.#visit(original) : ts.visitEachChild(node, fill, this.context, undefined, fill);
    };
    for (const node of nodes) push(result, fill(node));
    return result;
  }

  /** Frames of a stub show the place of what it replaces. */
  #locate(node: ts.Node, edit: Edit): void {
    const { ts } = this;
    if (ts.isStatement(node) || ts.isCallExpression(node)) ts.setSourceMapRange(node, { pos: edit.start, end: edit.start });
    ts.forEachChild(node, (child) => this.#locate(child, edit));
  }

  /** The original node of a hole; outermost first, as an expression is inside its statement. */
  #original(range: { start: number; end: number }, role: "statement" | "member" | "parameter" | "expression"): ts.Node | undefined {
    const { ts } = this;
    const candidates = this.#byRange().get(rangeKey(range.start, range.end)) ?? [];
    const test = {
      statement: ts.isStatement,
      member: ts.isClassElement,
      parameter: ts.isParameter,
      expression: (node: ts.Node) => ts.isExpression(node) || ts.isBlock(node) || ts.isIdentifier(node),
    }[role];
    const found = candidates.find(test);
    if (found || role !== "expression") return found;
    throw new Error(`makeparallel: no expression of ${this.file.fileName} is at ${range.start}..${range.end}`);
  }

  #byRange(): Map<string, ts.Node[]> {
    if (this.#nodesByRange) return this.#nodesByRange;
    const map = new Map<string, ts.Node[]>();
    const walk = (node: ts.Node): void => {
      add(map, rangeKey(node.getStart(this.file), node.end), node);
      this.ts.forEachChild(node, walk);
    };
    walk(this.file);
    this.#nodesByRange = map;
    return map;
  }
}

/**
 * Drops what an import has only for its types. TypeScript itself leaves import declarations that a transformer has changed as they are.
 */
function elideUnused(
  ts: TypeScript,
  context: ts.TransformationContext,
  declaration: ts.ImportDeclaration,
): ts.ImportDeclaration | undefined {
  const clause = declaration.importClause;
  if (!clause) return declaration;
  if (clause.isTypeOnly) return undefined;
  const { factory } = context;
  const { verbatimModuleSyntax } = context.getCompilerOptions();
  // Not public, but what TypeScript's own transformer asks at this point.
  const resolver = (
    context as unknown as { getEmitResolver(): { isReferencedAliasDeclaration(node: ts.Node): boolean } }
  ).getEmitResolver();
  const isUsed = (node: ts.Node): boolean =>
    verbatimModuleSyntax === true || (node.flags & ts.NodeFlags.JavaScriptFile) !== 0 || resolver.isReferencedAliasDeclaration(node);

  const name = clause.name && isUsed(clause) ? clause.name : undefined;
  let bindings = clause.namedBindings;
  if (bindings && ts.isNamespaceImport(bindings)) {
    if (!isUsed(bindings)) bindings = undefined;
  } else if (bindings) {
    const elements = bindings.elements.filter((element) => !element.isTypeOnly && isUsed(element));
    bindings = elements.length > 0 ? factory.updateNamedImports(bindings, elements) : undefined;
  }
  if (!name && !bindings) return undefined;
  const updated = factory.updateImportClause(clause, false, name, bindings);
  return factory.updateImportDeclaration(declaration, declaration.modifiers, updated, declaration.moduleSpecifier, declaration.attributes);
}

const HOLE = "__mp_hole_";

function fits(ts: TypeScript, kind: Edit["kind"], node: ts.Node): boolean {
  switch (kind) {
    case "remove":
      return true;
    case "name":
      return false;
    case "expression":
      return ts.isExpression(node);
    case "statements":
      return ts.isStatement(node);
    case "block":
      return ts.isBlock(node);
    case "parameters":
      return ts.isParameter(node);
    case "members":
      return ts.isClassElement(node) || ts.isObjectLiteralElement(node);
  }
}

function parseAs(ts: TypeScript, kind: Edit["kind"], text: string, file: ts.SourceFile): { parsed: ts.SourceFile; nodes: ts.Node[] } {
  const wrap = {
    expression: ["(", "\n)"],
    statements: ["", ""],
    block: ["async function* f() ", ""],
    parameters: ["async function* f(", "\n) {}"],
    members: ["class C {", "\n}"],
    name: ["", ""],
    remove: ["", ""],
  }[kind];
  const scriptKind = /\.[jt]sx$/.test(file.fileName) ? ts.ScriptKind.TSX : ts.ScriptKind.TS;
  const parsed = ts.createSourceFile("replacement.ts", wrap[0] + text + wrap[1], ts.ScriptTarget.ESNext, false, scriptKind);
  const [first] = parsed.statements;
  switch (kind) {
    case "expression":
      return { parsed, nodes: [((first as ts.ExpressionStatement).expression as ts.ParenthesizedExpression).expression] };
    case "block":
      return { parsed, nodes: [(first as ts.FunctionDeclaration).body as ts.Block] };
    case "parameters":
      return { parsed, nodes: [...(first as ts.FunctionDeclaration).parameters] };
    case "members":
      return { parsed, nodes: [...(first as ts.ClassDeclaration).members] };
    default:
      return { parsed, nodes: [...parsed.statements] };
  }
}

/**
 * As if made by the node factory. Without the flag TypeScript takes a node for one that the checker has bound, and asks it about it.
 */
function makeSynthetic(ts: TypeScript, node: ts.Node): void {
  const mutable = node as { -readonly [K in keyof ts.Node]: ts.Node[K] } & { pos: number; end: number; jsDoc?: unknown };
  mutable.flags |= ts.NodeFlags.Synthesized;
  mutable.pos = -1;
  mutable.end = -1;
  delete mutable.jsDoc;
  ts.forEachChild(
    node,
    (child) => makeSynthetic(ts, child),
    (children) => {
      (children as unknown as { pos: number; end: number }).pos = -1;
      (children as unknown as { pos: number; end: number }).end = -1;
      for (const child of children) makeSynthetic(ts, child);
      return undefined;
    },
  );
}

function holeIn(ts: TypeScript, node: ts.Node): { index: number; role: "statement" | "member" | "parameter" | "expression" } | undefined {
  if (ts.isExpressionStatement(node)) return hole(ts, node.expression, "statement");
  if (ts.isPropertyDeclaration(node) && !node.initializer) return hole(ts, node.name, "member");
  if (ts.isParameter(node) && !node.initializer) return hole(ts, node.name, "parameter");
  return hole(ts, node, "expression");
}

function hole<Role>(ts: TypeScript, node: ts.Node, role: Role): { index: number; role: Role } | undefined {
  return ts.isIdentifier(node) && node.text.startsWith(HOLE) ? { index: Number(node.text.slice(HOLE.length)), role } : undefined;
}

function listOf(ts: TypeScript, node: ts.Node): ts.NodeArray<ts.Node> | undefined {
  if (ts.isSourceFile(node) || ts.isBlock(node) || ts.isModuleBlock(node) || ts.isCaseClause(node) || ts.isDefaultClause(node))
    return node.statements;
  return ts.isClassLike(node) ? node.members : undefined;
}

function rangeKey(start: number, end: number): string {
  return `${start}:${end}`;
}

function add<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

function push(into: ts.Node[], result: ts.VisitResult<ts.Node | undefined>): void {
  if (result === undefined) return;
  if (Array.isArray(result)) into.push(...(result as ts.Node[]));
  else into.push(result as ts.Node);
}
