/**
 * Binding: which declaration each identifier means.
 *
 * Takes one parsed file (with parents set). Gives the tree of scopes, every binding in it with its declarations and references, and all references in
 * source order. Names are resolved as the language does it: hoisting, parameter and body scopes, labels, type and value meanings, merged declarations.
 * It does not look into other files and knows no types. `with` and direct `eval` are refused elsewhere.
 */
import type * as ts from "typescript";
import type { TypeScript } from "../core";
import { type Binding, type BindingKind, lookup, type Reference, type Scope, type ScopeKind, type ScopeTree, type Space } from "./bindings";

/** @param jsxFactories names that JSX calls where the file itself names none; see {@link Host.jsxFactories} */
export function buildScopes(ts: TypeScript, file: ts.SourceFile, jsxFactories: readonly string[] = DEFAULT_JSX_FACTORIES): ScopeTree {
  return new ScopeBuilder(ts, file, jsxFactories).build();
}

const DEFAULT_JSX_FACTORIES = ["React", "h"];

class ScopeBuilder {
  private readonly references: Reference[] = [];
  private readonly byNode = new Map<ts.Node, Reference>();
  private readonly names = new Set<string>();
  private readonly declared = new Map<ts.Node, Binding>();
  private readonly module: Scope;
  private readonly jsxFactories: readonly string[];
  private scope: Scope;
  private ambient = 0;

  constructor(
    private readonly ts: TypeScript,
    private readonly file: ts.SourceFile,
    jsxFactories: readonly string[],
  ) {
    const named = [...file.text.matchAll(/@jsx(?:Frag)?\s+([\w$]+)/g)].map((match) => match[1] as string);
    // A file may name one of the two and leave the other to the settings.
    this.jsxFactories = [...new Set([...named, ...jsxFactories])];
    this.module = { kind: "module", node: file, parent: undefined, bindings: new Map() };
    this.scope = this.module;
  }

  build(): ScopeTree {
    this.file.statements.forEach((statement) => this.visit(statement));
    for (const reference of this.references) {
      reference.binding = lookup(reference.scope, reference.name, reference.space);
      reference.binding?.references.push(reference);
    }
    this.references.sort((a, b) => a.node.end - b.node.end);
    return { module: this.module, references: this.references, byNode: this.byNode, names: this.names, declared: this.declared };
  }

  // ── scopes and declarations ────────────────────────────────────────────────

  private within(kind: ScopeKind, node: ts.Node, run: (scope: Scope) => void): Scope {
    const outer = this.scope;
    const scope: Scope = { kind, node, parent: outer, bindings: new Map() };
    this.scope = scope;
    run(scope);
    this.scope = outer;
    return scope;
  }

  private declare(
    scope: Scope,
    name: string,
    kind: BindingKind,
    declaration: ts.Node,
    meaning: { value?: boolean; type?: boolean },
  ): Binding {
    this.names.add(name);
    let binding = scope.bindings.get(name);
    if (!binding) {
      binding = {
        name,
        kind,
        scope,
        declarations: [],
        value: false,
        type: false,
        ambient: this.ambient > 0,
        exported: false,
        references: [],
      };
      scope.bindings.set(name, binding);
    } else if (meaning.value && (!binding.value || (kind !== "import" && (binding.kind === "namespace" || binding.kind === "import")))) {
      // A namespace gives way to what it is merged with, an import to what the module declares: then it means a type only.
      binding.kind = kind;
    }
    binding.value ||= meaning.value ?? false;
    binding.type ||= meaning.type ?? false;
    if (this.ambient === 0 && meaning.value) binding.ambient = false;
    binding.declarations.push(declaration);
    this.declared.set(declaration, binding);
    return binding;
  }

  private varScope(name: string): Scope {
    let scope = this.scope;
    while (scope.kind === "block" || scope.kind === "class" || scope.kind === "type") scope = scope.parent as Scope;
    // `function f(a) { var a; }` declares one variable.
    if (scope.kind === "body" && scope.parent?.kind === "function" && scope.parent.bindings.get(name)?.kind === "parameter")
      return scope.parent;
    return scope;
  }

  private declareName(name: ts.BindingName, kind: BindingKind, declaration: ts.Node): void {
    const { ts } = this;
    if (ts.isIdentifier(name)) {
      const scope = kind === "var" ? this.varScope(name.text) : this.scope;
      this.declare(scope, name.text, kind, declaration, { value: true });
      return;
    }
    for (const element of name.elements) {
      if (!ts.isBindingElement(element)) continue;
      if (element.propertyName && ts.isComputedPropertyName(element.propertyName)) this.visit(element.propertyName.expression);
      this.declareName(element.name, kind, element);
      if (element.initializer) this.visit(element.initializer);
    }
  }

  private reference(node: ts.Identifier, space: Space, erased: boolean, name = node.text): void {
    this.names.add(name);
    const reference: Reference = { node, name, scope: this.scope, space, erased: erased || this.ambient > 0, binding: undefined };
    this.references.push(reference);
    if (!this.byNode.has(node)) this.byNode.set(node, reference);
  }

  private rootReference(name: ts.Node, space: Space, erased: boolean): void {
    const { ts } = this;
    let root = name;
    while (ts.isQualifiedName(root) || ts.isPropertyAccessExpression(root)) root = ts.isQualifiedName(root) ? root.left : root.expression;
    if (ts.isIdentifier(root)) {
      // In `A.B` the root is a namespace: it may be an import of either meaning.
      this.reference(root, root === name ? space : "both", erased);
    } else if (!erased) this.visit(root);
  }

  private modifiers(node: ts.Node): void {
    const { ts } = this;
    if (!ts.canHaveDecorators(node)) return;
    for (const decorator of ts.getDecorators(node) ?? []) this.visit(decorator.expression);
  }

  private hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
    return this.ts.canHaveModifiers(node) && (this.ts.getModifiers(node)?.some((modifier) => modifier.kind === kind) ?? false);
  }

  private each(nodes: readonly ts.Node[] | undefined): void {
    nodes?.forEach((node) => this.visit(node));
  }

  // ── nodes ──────────────────────────────────────────────────────────────────

  private visit = (node: ts.Node): void => {
    const { ts } = this;
    if (ts.canHaveModifiers(node) && this.hasModifier(node, ts.SyntaxKind.DeclareKeyword)) {
      this.ambient++;
      this.visitNode(node);
      this.ambient--;
    } else this.visitNode(node);
  };

  private visitNode(node: ts.Node): void {
    const { ts } = this;
    const { SyntaxKind } = ts;
    if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return this.visitType(node);
    switch (node.kind) {
      case SyntaxKind.Identifier:
        return this.reference(node as ts.Identifier, "value", false);
      case SyntaxKind.PropertyAccessExpression:
        return this.visit((node as ts.PropertyAccessExpression).expression);
      case SyntaxKind.PropertyAssignment: {
        const { name, initializer } = node as ts.PropertyAssignment;
        this.propertyName(name);
        return this.visit(initializer);
      }
      case SyntaxKind.ShorthandPropertyAssignment: {
        const { name, objectAssignmentInitializer } = node as ts.ShorthandPropertyAssignment;
        this.reference(name, "value", false);
        if (objectAssignmentInitializer) this.visit(objectAssignmentInitializer);
        return;
      }
      case SyntaxKind.MetaProperty:
      case SyntaxKind.BreakStatement:
      case SyntaxKind.ContinueStatement:
        return;
      case SyntaxKind.LabeledStatement:
        return this.visit((node as ts.LabeledStatement).statement);
      case SyntaxKind.VariableDeclarationList: {
        const list = node as ts.VariableDeclarationList;
        const kind = list.flags & ts.NodeFlags.BlockScoped ? (list.flags & ts.NodeFlags.Let ? "let" : "const") : "var";
        for (const declaration of list.declarations) {
          this.declareName(declaration.name, kind, declaration);
          if (declaration.type) this.visit(declaration.type);
          if (declaration.initializer) this.visit(declaration.initializer);
        }
        return;
      }
      case SyntaxKind.FunctionDeclaration: {
        const { name } = node as ts.FunctionDeclaration;
        if (name) this.declare(this.scope, name.text, "function", node, { value: true });
        else if (this.hasModifier(node, SyntaxKind.DefaultKeyword)) this.declare(this.scope, "default", "function", node, { value: true });
        return this.functionLike(node as ts.FunctionDeclaration);
      }
      case SyntaxKind.FunctionExpression: {
        const { name } = node as ts.FunctionExpression;
        if (!name) return this.functionLike(node as ts.FunctionExpression);
        this.within("block", node, (scope) => {
          this.declare(scope, name.text, "function", node, { value: true });
          this.functionLike(node as ts.FunctionExpression);
        });
        return;
      }
      case SyntaxKind.ArrowFunction:
        return this.functionLike(node as ts.ArrowFunction);
      case SyntaxKind.MethodDeclaration:
      case SyntaxKind.GetAccessor:
      case SyntaxKind.SetAccessor:
      case SyntaxKind.Constructor: {
        const method = node as ts.MethodDeclaration;
        this.modifiers(method);
        if (method.name) this.propertyName(method.name);
        return this.functionLike(method);
      }
      case SyntaxKind.PropertyDeclaration: {
        const property = node as ts.PropertyDeclaration;
        this.modifiers(property);
        this.propertyName(property.name);
        if (property.type) this.visit(property.type);
        if (property.initializer) this.within("body", property, () => this.visit(property.initializer as ts.Expression));
        return;
      }
      case SyntaxKind.ClassStaticBlockDeclaration:
        this.within("body", node, () => this.each((node as ts.ClassStaticBlockDeclaration).body.statements));
        return;
      case SyntaxKind.ClassDeclaration:
      case SyntaxKind.ClassExpression:
        return this.classLike(node as ts.ClassLikeDeclaration);
      case SyntaxKind.Block:
      case SyntaxKind.ForStatement:
      case SyntaxKind.ForInStatement:
      case SyntaxKind.ForOfStatement:
      case SyntaxKind.CaseBlock:
        this.within("block", node, () => ts.forEachChild(node, this.visit));
        return;
      case SyntaxKind.CatchClause:
        this.within("block", node, () => {
          const { variableDeclaration, block } = node as ts.CatchClause;
          if (variableDeclaration) this.declareName(variableDeclaration.name, "catch", variableDeclaration);
          this.visit(block);
        });
        return;
      case SyntaxKind.EnumDeclaration:
        return this.enumeration(node as ts.EnumDeclaration);
      case SyntaxKind.ModuleDeclaration:
        return this.namespace(node as ts.ModuleDeclaration);
      case SyntaxKind.InterfaceDeclaration:
      case SyntaxKind.TypeAliasDeclaration: {
        const declaration = node as ts.InterfaceDeclaration | ts.TypeAliasDeclaration;
        this.declare(this.scope, declaration.name.text, "type", node, { type: true });
        this.within("type", node, () => {
          this.typeParameters(declaration.typeParameters);
          if (ts.isTypeAliasDeclaration(declaration)) return this.visit(declaration.type);
          declaration.heritageClauses?.forEach((clause) => clause.types.forEach((type) => this.heritageType(type)));
          declaration.members.forEach((member) => this.visitType(member));
        });
        return;
      }
      case SyntaxKind.ImportDeclaration:
        return this.importDeclaration(node as ts.ImportDeclaration);
      case SyntaxKind.ImportEqualsDeclaration: {
        const declaration = node as ts.ImportEqualsDeclaration;
        this.declare(this.scope, declaration.name.text, "import", node, { value: !declaration.isTypeOnly, type: true });
        if (!ts.isExternalModuleReference(declaration.moduleReference)) {
          this.rootReference(declaration.moduleReference, "both", declaration.isTypeOnly);
        }
        return;
      }
      case SyntaxKind.ExportDeclaration: {
        const { exportClause, moduleSpecifier, isTypeOnly } = node as ts.ExportDeclaration;
        if (moduleSpecifier || !exportClause || !ts.isNamedExports(exportClause)) return;
        for (const element of exportClause.elements) {
          const local = element.propertyName ?? element.name;
          if (ts.isIdentifier(local)) this.reference(local, "both", isTypeOnly || element.isTypeOnly);
        }
        return;
      }
      case SyntaxKind.ExportAssignment: {
        const { expression } = node as ts.ExportAssignment;
        return ts.isIdentifier(expression) ? this.reference(expression, "both", false) : this.visit(expression);
      }
      case SyntaxKind.ExpressionWithTypeArguments: {
        const { expression, typeArguments } = node as ts.ExpressionWithTypeArguments;
        this.visit(expression);
        return this.each(typeArguments);
      }
      case SyntaxKind.JsxOpeningElement:
      case SyntaxKind.JsxSelfClosingElement: {
        const element = node as ts.JsxOpeningLikeElement;
        this.jsxTag(element.tagName);
        this.each(element.typeArguments);
        return this.visit(element.attributes);
      }
      case SyntaxKind.JsxOpeningFragment:
        return this.jsxFactory(node);
      case SyntaxKind.JsxClosingElement:
        return this.jsxTag((node as ts.JsxClosingElement).tagName);
      case SyntaxKind.JsxAttribute: {
        const { initializer } = node as ts.JsxAttribute;
        if (initializer) this.visit(initializer);
        return;
      }
      case SyntaxKind.Decorator:
        return; // visited with what they decorate
      default:
        ts.forEachChild(node, this.visit);
    }
  }

  private propertyName(name: ts.Node): void {
    if (this.ts.isComputedPropertyName(name)) this.visit(name.expression);
  }

  private jsxTag(tag: ts.JsxTagNameExpression): void {
    const { ts } = this;
    let root: ts.Node = tag;
    while (ts.isPropertyAccessExpression(root)) root = root.expression;
    this.jsxFactory(root);
    if (ts.isIdentifier(root) && (root !== tag || !/^[a-z]/.test(root.text))) this.reference(root, "value", false);
  }

  /** The classic runtime calls a factory, which the code does not spell out: a tag uses whatever of these names is declared where it stands. */
  private jsxFactory(node: ts.Node): void {
    for (const name of this.jsxFactories) {
      const reference = { name, scope: this.scope, space: "value", erased: this.ambient > 0, binding: undefined } as const;
      this.references.push({ ...reference, node: node as ts.Identifier });
    }
  }

  private functionLike(node: ts.FunctionLikeDeclaration): void {
    const { ts } = this;
    this.within("function", node, () => {
      this.typeParameters(node.typeParameters);
      for (const parameter of node.parameters) {
        this.modifiers(parameter);
        this.declareName(parameter.name, "parameter", parameter);
        if (parameter.type) this.visit(parameter.type);
        if (parameter.initializer) this.visit(parameter.initializer);
      }
      if (node.type) this.visit(node.type);
      const { body } = node;
      if (!body) return;
      if (ts.isBlock(body)) this.within("body", body, () => this.each(body.statements));
      else this.visit(body);
    });
  }

  private classLike(node: ts.ClassLikeDeclaration): void {
    const { ts } = this;
    this.modifiers(node);
    const isDeclaration = ts.isClassDeclaration(node);
    if (isDeclaration && (node.name || this.hasModifier(node, ts.SyntaxKind.DefaultKeyword))) {
      this.declare(this.scope, node.name?.text ?? "default", "class", node, { value: true, type: true });
    }
    this.within("class", node, (scope) => {
      if (!isDeclaration && node.name) this.declare(scope, node.name.text, "class", node, { value: true, type: true });
      this.typeParameters(node.typeParameters);
      for (const clause of node.heritageClauses ?? []) {
        const erased = clause.token === ts.SyntaxKind.ImplementsKeyword;
        for (const type of clause.types) {
          if (erased) this.heritageType(type);
          else this.visit(type);
        }
      }
      node.members.forEach(this.visit);
    });
  }

  private enumeration(node: ts.EnumDeclaration): void {
    const { ts } = this;
    const binding = this.declare(this.scope, node.name.text, "enum", node, { value: true, type: true });
    const scope = this.within("enum", node, (inner) => {
      for (const member of node.members) {
        if (ts.isIdentifier(member.name) || ts.isStringLiteral(member.name)) {
          this.declare(inner, member.name.text, "enumMember", member, { value: true, type: true }).exported = true;
        }
      }
      for (const member of node.members) if (member.initializer) this.visit(member.initializer);
    });
    scope.owner = binding;
    (binding.parts ??= []).push(scope);
  }

  private namespace(node: ts.ModuleDeclaration): void {
    const { ts } = this;
    if (!ts.isIdentifier(node.name) || node.flags & ts.NodeFlags.GlobalAugmentation) return; // declare module "x", declare global
    const value = isInstantiated(ts, node);
    const binding = this.declare(this.scope, node.name.text, "namespace", node, { value, type: true });
    const { body } = node;
    if (!body) return;
    const scope = this.within("namespace", node, (inner) => {
      if (ts.isModuleBlock(body)) body.statements.forEach(this.visit);
      else this.visit(body as ts.Node);
      for (const candidate of inner.bindings.values()) {
        candidate.exported = candidate.declarations.some((declaration) => !ts.isModuleBlock(body) || isExported(ts, declaration));
      }
    });
    scope.owner = binding;
    (binding.parts ??= []).push(scope);
  }

  private importDeclaration(node: ts.ImportDeclaration): void {
    const { ts } = this;
    const clause = node.importClause;
    if (!clause) return;
    const typeOnly = clause.isTypeOnly;
    const add = (name: ts.Identifier, declaration: ts.Node, erased: boolean): void => {
      this.declare(this.module, name.text, "import", declaration, { value: !erased, type: true });
    };
    if (clause.name) add(clause.name, clause, typeOnly);
    const bindings = clause.namedBindings;
    if (!bindings) return;
    if (ts.isNamespaceImport(bindings)) return add(bindings.name, bindings, typeOnly);
    for (const element of bindings.elements) add(element.name, element, typeOnly || element.isTypeOnly);
  }

  // ── types ──────────────────────────────────────────────────────────────────

  private typeParameters(parameters: readonly ts.TypeParameterDeclaration[] | undefined): void {
    for (const parameter of parameters ?? []) {
      this.declare(this.scope, parameter.name.text, "type", parameter, { type: true });
      if (parameter.constraint) this.visit(parameter.constraint);
      if (parameter.default) this.visit(parameter.default);
    }
  }

  private heritageType(type: ts.ExpressionWithTypeArguments): void {
    this.rootReference(type.expression, "type", true);
    this.each(type.typeArguments);
  }

  private visitType = (node: ts.Node): void => {
    const { ts } = this;
    switch (node.kind) {
      case ts.SyntaxKind.TypeReference: {
        const { typeName, typeArguments } = node as ts.TypeReferenceNode;
        this.rootReference(typeName, "type", true);
        typeArguments?.forEach(this.visitType);
        return;
      }
      case ts.SyntaxKind.TypeQuery: {
        const { exprName, typeArguments } = node as ts.TypeQueryNode;
        if (!ts.isImportTypeNode(exprName)) this.rootReference(exprName, "value", true);
        typeArguments?.forEach(this.visitType);
        return;
      }
      case ts.SyntaxKind.ExpressionWithTypeArguments:
        return this.heritageType(node as ts.ExpressionWithTypeArguments);
      case ts.SyntaxKind.TypeParameter:
        return this.typeParameters([node as ts.TypeParameterDeclaration]);
      case ts.SyntaxKind.MappedType:
      case ts.SyntaxKind.ConditionalType:
      case ts.SyntaxKind.FunctionType:
      case ts.SyntaxKind.ConstructorType:
      case ts.SyntaxKind.CallSignature:
      case ts.SyntaxKind.ConstructSignature:
      case ts.SyntaxKind.MethodSignature:
        this.within("type", node, () => ts.forEachChild(node, this.visitType));
        return;
      case ts.SyntaxKind.ImportType:
        (node as ts.ImportTypeNode).typeArguments?.forEach(this.visitType);
        return;
      case ts.SyntaxKind.ComputedPropertyName: {
        const { expression } = node as ts.ComputedPropertyName;
        return this.rootReference(expression, "value", true);
      }
      case ts.SyntaxKind.Identifier: // names of parameters, members, predicates
        return;
      default:
        ts.forEachChild(node, this.visitType);
    }
  };
}

/** Whether a namespace has anything that exists at run time. */
export function isInstantiated(ts: TypeScript, node: ts.ModuleDeclaration): boolean {
  const { body } = node;
  if (!body) return false;
  if (!ts.isModuleBlock(body)) return ts.isModuleDeclaration(body) && isInstantiated(ts, body);
  return body.statements.some((statement) => {
    if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) return false;
    if (ts.isModuleDeclaration(statement)) return isInstantiated(ts, statement);
    return !(
      ts.canHaveModifiers(statement) && ts.getModifiers(statement)?.some((modifier) => modifier.kind === ts.SyntaxKind.DeclareKeyword)
    );
  });
}

function isExported(ts: TypeScript, declaration: ts.Node): boolean {
  let node = declaration;
  while (ts.isBindingElement(node) || ts.isObjectBindingPattern(node) || ts.isArrayBindingPattern(node)) node = node.parent;
  if (ts.isVariableDeclaration(node)) node = node.parent.parent;
  return ts.canHaveModifiers(node) && (ts.getModifiers(node)?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword) ?? false);
}
