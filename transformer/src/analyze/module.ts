/**
 * One project module, cut into units.
 *
 * Takes a file's text. Gives its bindings, its imports and exports, and its units: the smallest parts of the top level that a slice can take or leave (a
 * declaration, one declarator of a list, one import specifier, or a statement that assigns to a binding). It does not follow imports.
 */
import * as path from "node:path";
import type * as ts from "typescript";
import type { Constant, FileFormat, TypeScript } from "../core";
import { type AliasedChange, aliasedChanges } from "./aliases";
import { type Binding, referencesWithin, type Reference, type ScopeTree } from "./bindings";
import type { DecoratedElement } from "./decorator-metadata";
import { remembered } from "./remembered";
import { buildScopes } from "./scopes";
import { methodCallOn, setUpCall, type SetUpCall, takesPartInCall } from "./set-up-calls";
import type { TaskSite } from "./sites";
import {
  changedGlobal,
  commentsBefore,
  contains,
  hasModifier,
  isAccess,
  isContainer,
  isFrozen,
  namesIn,
  rootOfAccess,
  runsAtTopLevel,
  runsWith,
  subjectOf,
  useOf,
} from "./syntax";

export interface ImportRecord {
  specifier: string;
  /** What is imported: a name, `default`, `*` for the namespace, `=` for `import x = require()`. */
  name: string;
  /** `ImportClause` (its default name), `NamespaceImport`, `ImportSpecifier` or `ImportEqualsDeclaration`. */
  node: ts.Node;
  kind: "import" | "require";
}

export interface BareImport {
  readonly specifier: string;
  readonly node: ts.ImportDeclaration;
  /** Its author says that it comes along. */
  readonly included: boolean;
}

export type Imported = Pick<ImportRecord, "specifier" | "kind">;

export type ExportRecord = (
  { kind: "local"; binding: Binding } | { kind: "from"; specifier: string; name: string } | { kind: "namespace"; specifier: string }
) & {
  /** `export type { X }`: as a type only, whatever it is where it is declared. */
  readonly isTypeOnly?: true;
};

export interface Unit {
  readonly key: string;
  readonly module: Module;
  /**
   * `import`: one name of an import that stays an import. `effect`: a statement that declares nothing. `reexport`: a name of another package, exported
   * again by this module.
   */
  readonly kind: "declaration" | "import" | "effect" | "reexport" | "task";
  /** What of the source it keeps. */
  readonly nodes: ts.Node[];
  readonly bindings: Binding[];
  /** Units of this module that initialise these bindings, or are initialised along with them. */
  readonly together: Set<Unit>;
  /** `reexport`: what is exported again. */
  readonly reexport?: { specifier: string; name: string };
  /** `task`: whose function it holds. */
  readonly site?: TaskSite;
}

/** Names that a default export without a name, and `export =`, have in slices. */
export const DEFAULT_NAME = "__mp_default";
export const EXPORT_EQUALS_NAME = "__mp_export";

/** The pragma above a statement that stands in a loop or a block of the top level. */
const INCLUDE = /\/[/*].*@parallel-include\b/;

/** Name of a binding in slice modules. */
export function localName(binding: Binding): string {
  return binding.name === "default" ? DEFAULT_NAME : binding.name === "export=" ? EXPORT_EQUALS_NAME : binding.name;
}

export class Module {
  readonly source: ts.SourceFile;
  readonly scopes: ScopeTree;
  /** Path from the root, with `/`. */
  readonly path: string;
  readonly imports = new Map<Binding, ImportRecord>();
  readonly exports = new Map<string, ExportRecord>();
  /** Specifiers of `export * from`. */
  readonly stars: string[] = [];
  /** Specifiers of `export type * from`. */
  readonly typeStars: string[] = [];
  /** Specifiers and nodes of `import "x"`. */
  readonly bareImports: BareImport[] = [];
  /** Statements that every slice with code of this module has, because their author says so and they are about no name in particular: `enableMapSet()`. */
  readonly included: Unit[] = [];
  readonly units: Unit[] = [];
  /** Statements that are in no unit: only slices that run the module as a whole have them. */
  readonly otherStatements: Unit[] = [];
  readonly unitOf = new Map<Binding, Unit>();
  /** Statements that change what an import stands for (`Settings.zone = "utc"`), by the specifier: they set up all that comes from there. */
  readonly importsChanged = new Map<string, Set<Unit>>();
  /** Statements, and parts of those that declare something, that come along because their author says so. */
  readonly includedByPragma = new Set<Unit>();
  /** Calls at the top level that may set a binding up, and do not come along with it. */
  readonly callsLeftOut: SetUpCall[] = [];
  /** Statements of the top level that change a global of the language. */
  readonly globalChanges: { node: ts.Node; units: readonly Unit[] }[] = [];
  /** CommonJS JavaScript: can't be cut, imports of it stay as they are. */
  readonly opaque: boolean;
  /** Task sites, once found. */
  sites: TaskSite[] = [];
  /** What `emitDecoratorMetadata` tells of its declarations; absent where nothing does. */
  decorated?: () => readonly DecoratedElement[];
  /** As in `Host.moduleFormat`. */
  format: FileFormat["module"] | undefined;
  /** As in `Host.hasOwnImport`. */
  hasOwnImport = false;
  /** Set where the host has them. */
  constantAt: ((start: number, end: number) => Constant | undefined) | undefined;
  private readonly constants = new Map<ts.Node, Constant | undefined>();
  private readonly reexports = new Map<string, Unit>();

  constructor(
    readonly ts: TypeScript,
    readonly file: string,
    readonly text: string,
    root: string,
    /** `name@version` in the package.json at the root. */
    readonly packageName: string,
    jsxFactories?: readonly string[],
  ) {
    this.path = path.relative(root, file).split(path.sep).join("/");
    // After a byte order mark TypeScript knows no shebang: it becomes a comment of the same length.
    this.source = ts.createSourceFile(file, text.replace(/^\ufeff#!/, " //"), ts.ScriptTarget.Latest, true, scriptKind(ts, file));
    this.scopes = buildScopes(ts, this.source, jsxFactories);
    this.opaque =
      /\.c?jsx?$/.test(file) && !this.source.statements.some((s) => isModuleSyntax(ts, s)) && /\b(module|exports|require)\b/.test(text);
    for (const statement of this.source.statements) this.addStatement(statement);
    for (const statement of this.source.statements) this.attach(statement);
  }

  /** Comments that say how JSX is compiled: `@jsx h`. */
  get jsxPragmas(): string {
    if (!/sx$/i.test(this.file) && !/\.[cm]?js$/i.test(this.file)) return "";
    return (this.ts.getLeadingCommentRanges(this.text, 0) ?? [])
      .map(({ pos, end }) => this.text.slice(pos, end))
      .filter((comment) => comment.startsWith("/*") && /@jsx/.test(comment))
      .map((comment) => comment.replace(/\s*\n\s*\*?\s*/g, " "))
      .join(" ");
  }

  get loader(): "ts" | "tsx" | "js" | "jsx" {
    if (/\.tsx$/i.test(this.file)) return "tsx";
    // JavaScript files may hold JSX, which esbuild's loader for `.js` refuses.
    return /\.[cm]?jsx?$/i.test(this.file) ? "jsx" : "ts";
  }

  /** Every module that its static imports and re-exports name, type-only ones and bare ones too, in the order of the source. */
  get staticImports(): Imported[] {
    return this.importsOf(this.imports.values(), true);
  }

  /** As {@link staticImports}, without those whose names only stand in types. */
  get importsAtRunTime(): Imported[] {
    const named = [...this.imports].flatMap(([{ references }, record]) => (references.some((use) => !use.erased) ? record : []));
    return this.importsOf(named, false);
  }

  private importsOf(named: Iterable<ImportRecord>, types: boolean): Imported[] {
    const found = new Map<string, Imported>();
    const add = (specifier: string, kind: ImportRecord["kind"] = "import"): void =>
      void found.set(`${kind} ${specifier}`, { specifier, kind });
    for (const { specifier, kind } of named) add(specifier, kind);
    for (const { specifier } of this.bareImports) add(specifier);
    for (const record of this.exports.values()) if (record.kind !== "local" && (types || !record.isTypeOnly)) add(record.specifier);
    for (const specifier of types ? [...this.stars, ...this.typeStars] : this.stars) add(specifier);
    const place = ({ specifier }: Imported): number => this.placesOfImports.get(specifier) ?? -1;
    return [...found.values()].sort((a, b) => place(a) - place(b));
  }

  private places: ReadonlyMap<string | undefined, number> | undefined;

  /** By specifier, the first statement that names it. */
  private get placesOfImports(): ReadonlyMap<string | undefined, number> {
    return (this.places ??= new Map(
      this.source.statements.map((statement, at) => [specifierIn(this.ts, statement), at] as const).reverse(),
    ));
  }

  /** What the compiler writes in the place of the access that begins with a name, if that is a constant. */
  constantOf({ node, name, binding, erased }: Reference): Constant | undefined {
    const { constantAt } = this;
    if (!constantAt || erased || !isAccess(this.ts, node.parent) || node.parent.expression !== node) return undefined;
    const isFromElsewhere = binding && !binding.ambient ? this.imports.has(binding) : !(name in globalThis);
    return isFromElsewhere ? remembered(this.constants, node, () => constantAt(node.getStart(this.source), node.end)) : undefined;
  }

  /** The names of modules that `import()` loads, where they are written out. */
  get loaded(): readonly ts.StringLiteralLike[] {
    return (this.loads ??= /\bimport\s*\(/.test(this.text)
      ? namesGiven(this.ts, this.source, ({ kind }) => kind === this.ts.SyntaxKind.ImportKeyword)
      : []);
  }

  private loads: readonly ts.StringLiteralLike[] | undefined;

  /** The same of `require()`, but for `import x = require()`. */
  get required(): readonly ts.StringLiteralLike[] {
    const isOfNode = (callee: ts.Node): boolean => {
      const binding = this.scopes.byNode.get(callee)?.binding;
      return callee.getText(this.source) === "require" && (!binding || binding.ambient);
    };
    return (this.requires ??= /\brequire\s*\(/.test(this.text) ? namesGiven(this.ts, this.source, isOfNode) : []);
  }

  private requires: readonly ts.StringLiteralLike[] | undefined;

  /** References in a node's range that are emitted, in source order. */
  references(node: ts.Node): Reference[] {
    const plain = referencesWithin(this.scopes, node.getStart(this.source), node.end).filter(
      (reference) => !reference.erased && !this.constantOf(reference),
    );
    const inMetadata = this.metadata((element) => contains(node, element)).flatMap(({ references }) => references);
    return inMetadata.length === 0 ? plain : [...plain, ...inMetadata].sort((a, b) => a.node.end - b.node.end);
  }

  /** Decorated elements that keep their decorators in slices. Those of task methods go: the stub is made from the mark. */
  metadata(isMeant: (node: ts.Node) => boolean): readonly DecoratedElement[] {
    const elements = this.decorated?.().filter(({ node }) => isMeant(node)) ?? [];
    return elements.filter(({ node }) => !this.sites.some((site) => site.kind === "method" && site.fn === node));
  }

  /** The unit that re-exports `name` of a module outside the project. */
  reexport(specifier: string, name: string): Unit {
    const key = `${specifier}\0${name}`;
    let unit = this.reexports.get(key);
    if (!unit) {
      unit = { ...this.unit("reexport", [], []), reexport: { specifier, name } } as Unit;
      this.reexports.set(key, unit);
    }
    return unit;
  }

  unit(kind: Unit["kind"], nodes: ts.Node[], bindings: Binding[]): Unit {
    const count = this.units.length + this.reexports.size + this.otherStatements.length;
    return { key: `${this.path}#${count}`, module: this, kind, nodes, bindings, together: new Set() };
  }

  private add(kind: Unit["kind"], nodes: ts.Node[], bindings: Binding[]): Unit {
    for (const binding of bindings) {
      const existing = this.unitOf.get(binding);
      if (existing) {
        existing.nodes.push(...nodes);
        return existing;
      }
    }
    const unit = this.unit(kind, nodes, bindings);
    this.units.push(unit);
    for (const binding of bindings) this.unitOf.set(binding, unit);
    return unit;
  }

  private declaredBy(node: ts.Node): Binding | undefined {
    return this.scopes.declared.get(node);
  }

  private addStatement(statement: ts.Statement): void {
    const { ts } = this;
    if (hasModifier(ts, statement, ts.SyntaxKind.DeclareKeyword)) return this.exportNames(statement);
    if (ts.isVariableStatement(statement)) {
      for (const declaration of statement.declarationList.declarations) {
        const bindings = namesIn(ts, declaration.name).map((node) => this.declaredBy(node.parent) as Binding);
        this.add("declaration", [declaration], bindings);
      }
      return this.exportNames(statement);
    }
    if (
      ts.isFunctionDeclaration(statement) ||
      ts.isClassDeclaration(statement) ||
      ts.isEnumDeclaration(statement) ||
      ts.isModuleDeclaration(statement)
    ) {
      const binding = this.declaredBy(statement);
      if (binding?.value) this.add("declaration", [statement], [binding]);
      return this.exportNames(statement);
    }
    if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) return this.exportNames(statement);
    if (ts.isImportDeclaration(statement)) return this.addImport(statement);
    if (ts.isImportEqualsDeclaration(statement)) {
      const binding = this.declaredBy(statement) as Binding;
      const { moduleReference } = statement;
      if (ts.isExternalModuleReference(moduleReference)) {
        if (ts.isStringLiteralLike(moduleReference.expression)) {
          this.imports.set(binding, { specifier: moduleReference.expression.text, name: "=", node: statement, kind: "require" });
          this.add("import", [statement], [binding]);
        }
      } else this.add("declaration", [statement], [binding]);
      return this.exportNames(statement);
    }
    if (ts.isExportDeclaration(statement)) return this.addExport(statement);
    if (ts.isExportAssignment(statement)) {
      const name = statement.isExportEquals ? "export=" : "default";
      const named = ts.isIdentifier(statement.expression) ? this.scopes.module.bindings.get(statement.expression.text) : undefined;
      // `export default level` exports what it is there: a later change is not seen.
      const changes = named?.references.filter(
        ({ node, erased }) => !erased && useOf(ts, node) === "write" && (node.pos > statement.pos || !runsAtTopLevel(ts, node)),
      );
      if (named && (statement.isExportEquals || changes?.length === 0)) {
        this.exports.set(name, { kind: "local", binding: named });
        return;
      }
      const binding: Binding = {
        name,
        kind: "const",
        scope: this.scopes.module,
        declarations: [statement],
        value: true,
        type: false,
        ambient: false,
        exported: false,
        references: [],
      };
      this.add("declaration", [statement], [binding]);
      this.exports.set(name, { kind: "local", binding });
      return;
    }
    if (ts.isExpressionStatement(statement)) return;
    // `try { var parser = require("x"); } catch {}`, `for (var i = 0; …)`
    const variables = [...this.scopes.module.bindings.values()].filter(
      ({ kind, declarations }) => kind === "var" && declarations.some((declaration) => contains(statement, declaration)),
    );
    if (variables.length > 0) this.add("declaration", [statement], variables);
  }

  private exportNames(statement: ts.Statement): void {
    const { ts } = this;
    if (!hasModifier(ts, statement, ts.SyntaxKind.ExportKeyword)) return;
    if (ts.isVariableStatement(statement)) {
      for (const declaration of statement.declarationList.declarations) {
        for (const name of namesIn(ts, declaration.name)) {
          this.exports.set(name.text, { kind: "local", binding: this.declaredBy(name.parent) as Binding });
        }
      }
      return;
    }
    const binding = this.declaredBy(statement);
    if (binding)
      this.exports.set(hasModifier(ts, statement, ts.SyntaxKind.DefaultKeyword) ? "default" : binding.name, { kind: "local", binding });
  }

  private addImport(statement: ts.ImportDeclaration): void {
    const { ts } = this;
    if (!ts.isStringLiteralLike(statement.moduleSpecifier)) return;
    const specifier = statement.moduleSpecifier.text;
    const clause = statement.importClause;
    if (!clause) {
      const included = this.hasPragma(statement, "include");
      this.bareImports.push({ specifier, node: statement, included });
      return;
    }
    const record = (node: ts.Node, name: string): void => {
      const binding = this.declaredBy(node) as Binding;
      // `import type { Field }` beside `const Field`: as a value the name is the module's own.
      if (binding.kind !== "import" && binding.value) return;
      this.imports.set(binding, { specifier, name, node, kind: "import" });
      if (binding.value) this.add("import", [node], [binding]);
    };
    if (clause.name) record(clause, "default");
    if (!clause.namedBindings) return;
    if (ts.isNamespaceImport(clause.namedBindings)) return record(clause.namedBindings, "*");
    for (const element of clause.namedBindings.elements) record(element, (element.propertyName ?? element.name).text);
  }

  private addExport(statement: ts.ExportDeclaration): void {
    const { ts } = this;
    const specifier =
      statement.moduleSpecifier && ts.isStringLiteralLike(statement.moduleSpecifier) ? statement.moduleSpecifier.text : undefined;
    const clause = statement.exportClause;
    if (!clause) {
      if (specifier !== undefined) (statement.isTypeOnly ? this.typeStars : this.stars).push(specifier);
      return;
    }
    const typeOnly = statement.isTypeOnly && ({ isTypeOnly: true } as const);
    if (ts.isNamespaceExport(clause)) {
      if (specifier !== undefined) this.exports.set(clause.name.text, { kind: "namespace", specifier, ...typeOnly });
      return;
    }
    for (const element of clause.elements) {
      const name = (element.propertyName ?? element.name).text;
      const only = typeOnly || (element.isTypeOnly && ({ isTypeOnly: true } as const));
      if (specifier !== undefined) this.exports.set(element.name.text, { kind: "from", specifier, name, ...only });
      else {
        const binding = this.scopes.module.bindings.get(name);
        if (binding) this.exports.set(element.name.text, { kind: "local", binding, ...only });
      }
    }
  }

  /** Ties a statement to the bindings that it assigns to when it runs. */
  private attach(statement: ts.Statement): void {
    const { ts } = this;
    if (this.opaque || ts.isFunctionDeclaration(statement) || ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement))
      return;
    if (hasModifier(ts, statement, ts.SyntaxKind.DeclareKeyword)) return;
    const own = this.units.filter((unit) => unit.nodes.some((node) => node === statement || node.parent?.parent === statement));
    const declares = own.length > 0;
    const pragma = this.hasPragma(statement, "include") || INCLUDE.test(statement.getText(this.source));
    const assigned = new Map<Unit, { binding: Binding | undefined; node: ts.Node }>();
    const called: Omit<SetUpCall, "units">[] = [];
    const inCalls = new Map<Unit, Reference>();
    let isAboutName = false;
    const globals: ts.Node[] = [];
    for (const reference of this.references(statement)) {
      const { binding } = reference;
      if (!binding || binding.ambient) {
        const changed = changedGlobal(ts, reference.node);
        if (changed && runsWith(ts, changed, statement)) globals.push(changed);
      }
      const unit = binding && this.unitOf.get(binding);
      if (!unit || !runsWith(ts, reference.node, statement)) continue;
      // A namespace can't be assigned to; where TypeScript's CommonJS lets it pass, it is another module's object that changes. Its members' members can.
      const isNamespace = this.imports.get(binding)?.name === "*";
      const subject = isNamespace ? subjectOf(ts, reference.node) : reference.node;
      const use = subject && useOf(ts, subject);
      if (use === undefined || (use === "write" && subject !== reference.node)) continue;
      const fills = use === "call" && isContainer(ts, binding.declarations[0]);
      const call = setUpCall(ts, reference.node);
      isAboutName ||= use === "write" || use === "mutate" || fills || (!isNamespace && methodCallOn(ts, reference.node) !== undefined);
      if ((pragma && (!declares || call)) || use === "write" || use === "mutate" || fills || isFrozen(ts, reference.node))
        for (const changed of use === "mutate" ? [unit, ...this.partOf(binding)] : [unit]) assigned.set(changed, reference);
      else if (call) called.push({ binding, ...call });
      else if (pragma && takesPartInCall(ts, reference.node)) inCalls.set(unit, reference);
    }
    for (const change of aliasedChanges(ts, this.scopes, statement)) {
      const unit = this.unitOf.get(change.binding);
      if (unit && pragma) assigned.set(unit, change);
      else if (unit && !called.some((call) => tellsOf(call, change))) called.push({ ...change, isKept: false, argument: undefined });
    }
    // A call whose result alone seems to matter, of which its author says that it does more: `const first = nextId()`.
    if (declares && pragma && assigned.size === 0) for (const [unit, reference] of inCalls) assigned.set(unit, reference);
    if (declares) {
      if (pragma) for (const unit of own) this.includedByPragma.add(unit);
      this.callsLeftOut.push(...called.map((call) => ({ ...call, units: own })));
      this.globalChanges.push(...globals.map((node) => ({ node, units: own })));
      for (const [unit, { node }] of assigned) {
        for (const declaring of own) {
          if (declaring !== unit && declaring.nodes.some((part) => part.pos <= node.pos && node.end <= part.end)) this.tie(unit, declaring);
        }
      }
      return;
    }
    const effect = this.unit("effect", [statement], []);
    this.callsLeftOut.push(...called.map((call) => ({ ...call, units: [effect] })));
    this.globalChanges.push(...globals.map((node) => ({ node, units: [effect] })));
    if (assigned.size === 0 && !pragma) {
      if (runsByItself(ts, statement)) this.otherStatements.push(effect);
      return;
    }
    this.units.push(effect);
    if (pragma) this.includedByPragma.add(effect);
    if (pragma && !isAboutName) this.included.push(effect);
    for (const [unit, { binding }] of assigned) {
      this.tie(unit, effect);
      const specifier = binding && this.imports.get(binding)?.specifier;
      if (specifier === undefined) continue;
      const known = this.importsChanged.get(specifier);
      if (known) known.add(effect);
      else this.importsChanged.set(specifier, new Set([effect]));
    }
  }

  /** What a constant is a part of, which changes with it: `const proto = Shape.prototype`, `const { deep } = settings`. */
  private partOf(binding: Binding, seen = new Set<Binding>()): Unit[] {
    const { ts } = this;
    let declaration = binding.kind === "const" ? binding.declarations[0] : undefined;
    while (declaration && ts.isBindingElement(declaration)) {
      // What is left of an object is a copy.
      if (declaration.dotDotDotToken) return [];
      declaration = declaration.parent.parent;
    }
    if (!declaration || !ts.isVariableDeclaration(declaration) || !declaration.initializer) return [];
    const whole = this.scopes.byNode.get(rootOfAccess(ts, declaration.initializer))?.binding;
    const unit = whole && this.unitOf.get(whole);
    if (!whole || unit?.kind !== "declaration" || seen.has(whole)) return [];
    seen.add(whole);
    return [unit, ...this.partOf(whole, seen)];
  }

  /** The specifier of an import that stays one. */
  specifierOf(unit: Unit): string | undefined {
    return unit.kind === "import" ? this.imports.get(unit.bindings[0] as Binding)?.specifier : undefined;
  }

  private tie(unit: Unit, effect: Unit): void {
    unit.together.add(effect);
    effect.together.add(unit);
  }

  /** Whether `// @parallel-<word>` stands above the statement. */
  hasPragma(node: ts.Node, word: string): boolean {
    return commentsBefore(this.ts, this.text, node).some((comment) => new RegExp(`@parallel-${word}\\b`).test(comment.text));
  }
}

/** What calls are given as the name of a module. */
function namesGiven(ts: TypeScript, source: ts.SourceFile, isMeant: (callee: ts.Node) => boolean): ts.StringLiteralLike[] {
  const found: ts.StringLiteralLike[] = [];
  const visit = (node: ts.Node): void => {
    const specifier = ts.isCallExpression(node) && isMeant(node.expression) ? node.arguments[0] : undefined;
    if (specifier && ts.isStringLiteralLike(specifier)) found.push(specifier);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Whether a statement that declares nothing for slices does something all the same. */
function runsByItself(ts: TypeScript, statement: ts.Statement): boolean {
  return !(
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isModuleDeclaration(statement) ||
    ts.isImportEqualsDeclaration(statement) ||
    ts.isExportAssignment(statement)
  );
}

function isModuleSyntax(ts: TypeScript, statement: ts.Statement): boolean {
  return (
    ts.isImportDeclaration(statement) ||
    ts.isExportDeclaration(statement) ||
    ts.isExportAssignment(statement) ||
    hasModifier(ts, statement, ts.SyntaxKind.ExportKeyword)
  );
}

/** Whether one word about the call is enough: `list.forEach((each) => each.parts.push(1))`, `getConfig().level = 2`. */
function tellsOf({ binding, node, argument }: Omit<SetUpCall, "units">, change: AliasedChange): boolean {
  const isInside = contains(change.node, node);
  return (argument === "function" && isInside) || (binding === change.binding && (isInside || contains(node, change.node)));
}

function specifierIn(ts: TypeScript, statement: ts.Statement): string | undefined {
  const { moduleReference } = statement as Partial<ts.ImportEqualsDeclaration>;
  const { moduleSpecifier } = statement as Partial<ts.ImportDeclaration>;
  const written = moduleReference && ts.isExternalModuleReference(moduleReference) ? moduleReference.expression : moduleSpecifier;
  return written && ts.isStringLiteralLike(written) ? written.text : undefined;
}

function scriptKind(ts: TypeScript, file: string): ts.ScriptKind {
  if (/\.tsx$/i.test(file)) return ts.ScriptKind.TSX;
  // JavaScript may hold JSX whatever its extension.
  if (/\.[cm]?jsx?$/i.test(file)) return ts.ScriptKind.JSX;
  return ts.ScriptKind.TS;
}
