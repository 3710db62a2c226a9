/**
 * What `emitDecoratorMetadata` tells of a decorated declaration at run time: TypeScript writes `design:type`, `design:paramtypes` and `design:returntype`
 * into the program, and whatever compiles a slice afterwards sees one file without types, and could not.
 *
 * Takes a module. Gives its decorated elements with the value of each key, as text and references: the classes that are named there are needed, though
 * nothing but a type names them. The rules are those of TypeScript's own `typeSerializer`, with names followed by syntax; what syntax can't tell (a type of
 * a package, a conditional type behind an alias) is asked of the host's checker, and where there is none, of the value at run time.
 */
import type * as ts from "typescript";
import type { DecoratorMetadataSettings, RuntimeType, TypeScript } from "../core";
import type { Binding, Reference } from "./bindings";
import type { Module } from "./module";
import type { Modules, Target } from "./resolve";
import { hasModifier } from "./syntax";

/** Text, and the names in it that stand for something of the module. */
export type MetadataText = readonly (string | Reference)[];

export interface DecoratedElement {
  /** The class or the member that is decorated. */
  readonly node: ts.ClassDeclaration | ts.ClassElement;
  /** Where one more decorator is applied before all others, as TypeScript's own is. */
  readonly position: number;
  /** `design:type` and so on, in TypeScript's order. */
  readonly entries: readonly (readonly [key: string, value: MetadataText])[];
  readonly references: readonly Reference[];
}

/** Name of the helper that asks a value at run time whether it is a class. */
export const TYPE_HELPER = "__mp_type";

const NOTHING: MetadataText = ["void 0"];
const OBJECT: MetadataText = ["Object"];

export function decoratedElements(modules: Modules, module: Module, settings: DecoratorMetadataSettings): DecoratedElement[] {
  const { ts } = module;
  const found: DecoratedElement[] = [];
  const visit = (node: ts.Node): void => {
    // Legacy decorators stand in declarations only.
    if (ts.isClassDeclaration(node) && !hasModifier(ts, node, ts.SyntaxKind.DeclareKeyword)) {
      const writer = new ElementWriter(modules, module, settings, node);
      for (const element of [node, ...node.members]) {
        const written = writer.element(element);
        if (written) found.push(written);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(module.source);
  return found;
}

type Decorated = ts.ClassDeclaration | ts.MethodDeclaration | ts.PropertyDeclaration | ts.AccessorDeclaration;

class ElementWriter {
  private readonly ts: TypeScript;
  private readonly types: TypeNames;

  constructor(
    modules: Modules,
    private readonly module: Module,
    private readonly settings: DecoratorMetadataSettings,
    private readonly owner: ts.ClassDeclaration,
  ) {
    this.ts = module.ts;
    this.types = new TypeNames(modules, settings);
  }

  element(node: ts.ClassDeclaration | ts.ClassElement): DecoratedElement | undefined {
    const { ts } = this;
    if (!ts.isClassDeclaration(node) && !ts.isMethodDeclaration(node) && !ts.isPropertyDeclaration(node) && !ts.isAccessor(node))
      return undefined;
    if (ts.isMethodDeclaration(node) && !node.body) return undefined;
    const position = this.position(node);
    if (position === undefined) return undefined;
    const entries: [string, MetadataText][] = [];
    if (!ts.isClassDeclaration(node)) entries.push(["design:type", this.typeOf(node)]);
    const parameters = this.parameters(node);
    if (parameters) entries.push(["design:paramtypes", this.parameterTypes(parameters)]);
    if (ts.isMethodDeclaration(node)) entries.push(["design:returntype", this.returnType(node)]);
    if (entries.length === 0) return undefined;
    const references = entries.flatMap(([, value]) => value.filter((part) => typeof part !== "string"));
    return { node, position, entries, references };
  }

  /** Decorators are applied from the last to the first, those of parameters before them: TypeScript's own comes first of all. */
  private position(node: Decorated): number | undefined {
    const { ts } = this;
    const own = ts.getDecorators(node)?.at(-1);
    const callable = ts.isClassDeclaration(node) ? this.constructorOf(node) : ts.isMethodDeclaration(node) ? node : undefined;
    if (ts.isAccessor(node) && (!own || this.accessors(node).find((other) => ts.getDecorators(other)) !== node)) return undefined;
    const parameters = callable?.parameters ?? [];
    const last = parameters.at(-1);
    if (last && parameters.some((parameter) => ts.getDecorators(parameter))) return ts.getDecorators(last)?.at(-1)?.end ?? last.getStart();
    return own?.end;
  }

  private constructorOf(node: ts.ClassDeclaration): ts.ConstructorDeclaration | undefined {
    return node.members.find((member) => this.ts.isConstructorDeclaration(member) && member.body !== undefined) as
      ts.ConstructorDeclaration | undefined;
  }

  /** Getter and setter of one name, as they stand. */
  private accessors(node: ts.AccessorDeclaration): ts.AccessorDeclaration[] {
    const { ts } = this;
    const isStatic = hasModifier(ts, node, ts.SyntaxKind.StaticKeyword);
    return this.owner.members.filter(
      (member): member is ts.AccessorDeclaration =>
        ts.isAccessor(member) &&
        hasModifier(ts, member, ts.SyntaxKind.StaticKeyword) === isStatic &&
        member.name.getText() === node.name.getText(),
    );
  }

  private typeOf(node: Exclude<Decorated, ts.ClassDeclaration>): MetadataText {
    const { ts } = this;
    if (ts.isPropertyDeclaration(node)) return this.serialize(node.type);
    if (ts.isMethodDeclaration(node)) return ["Function"];
    const pair = this.accessors(node);
    const setter = pair.find((accessor) => ts.isSetAccessor(accessor));
    return this.serialize(setter?.parameters[0]?.type ?? pair.find((accessor) => ts.isGetAccessor(accessor))?.type);
  }

  private parameters(node: Decorated): readonly ts.ParameterDeclaration[] | undefined {
    const { ts } = this;
    if (ts.isPropertyDeclaration(node)) return undefined;
    if (ts.isClassDeclaration(node)) return this.constructorOf(node)?.parameters;
    if (ts.isGetAccessor(node)) return this.accessors(node).find((accessor) => ts.isSetAccessor(accessor))?.parameters ?? [];
    return node.parameters;
  }

  private parameterTypes(parameters: readonly ts.ParameterDeclaration[]): MetadataText {
    const { ts } = this;
    const types = parameters
      .filter(({ name }, index) => index > 0 || !ts.isIdentifier(name) || name.text !== "this")
      .map(({ type, dotDotDotToken }) => this.serialize(dotDotDotToken ? elementType(ts, type) : type));
    return ["[", ...types.flatMap((type, index) => (index > 0 ? [", ", ...type] : type)), "]"];
  }

  private returnType(node: ts.MethodDeclaration): MetadataText {
    if (node.type) return this.serialize(node.type);
    return hasModifier(this.ts, node, this.ts.SyntaxKind.AsyncKeyword) && !node.asteriskToken ? ["Promise"] : NOTHING;
  }

  private serialize(node: ts.TypeNode | undefined): MetadataText {
    const { ts } = this;
    const { SyntaxKind } = ts;
    if (!node) return OBJECT;
    switch (node.kind) {
      case SyntaxKind.VoidKeyword:
      case SyntaxKind.UndefinedKeyword:
      case SyntaxKind.NeverKeyword:
        return NOTHING;
      case SyntaxKind.ParenthesizedType:
        return this.serialize((node as ts.ParenthesizedTypeNode).type);
      case SyntaxKind.FunctionType:
      case SyntaxKind.ConstructorType:
        return ["Function"];
      case SyntaxKind.ArrayType:
      case SyntaxKind.TupleType:
        return ["Array"];
      case SyntaxKind.TypePredicate:
        return (node as ts.TypePredicateNode).assertsModifier ? NOTHING : ["Boolean"];
      case SyntaxKind.BooleanKeyword:
        return ["Boolean"];
      case SyntaxKind.TemplateLiteralType:
      case SyntaxKind.StringKeyword:
        return ["String"];
      case SyntaxKind.NumberKeyword:
        return ["Number"];
      case SyntaxKind.BigIntKeyword:
        return ["BigInt"];
      case SyntaxKind.SymbolKeyword:
        return ["Symbol"];
      case SyntaxKind.LiteralType: {
        const type = literalType(ts, (node as ts.LiteralTypeNode).literal);
        return type === "undefined" ? NOTHING : [type];
      }
      case SyntaxKind.TypeReference:
        return this.named(node as ts.TypeReferenceNode);
      case SyntaxKind.IntersectionType:
        return this.constituents((node as ts.IntersectionTypeNode).types, true);
      case SyntaxKind.UnionType:
        return this.constituents((node as ts.UnionTypeNode).types, false);
      case SyntaxKind.ConditionalType:
        return this.constituents([(node as ts.ConditionalTypeNode).trueType, (node as ts.ConditionalTypeNode).falseType], false);
      case SyntaxKind.TypeOperator:
        return (node as ts.TypeOperatorNode).operator === SyntaxKind.ReadonlyKeyword
          ? this.serialize((node as ts.TypeOperatorNode).type)
          : OBJECT;
      default:
        return OBJECT;
    }
  }

  /** One value for all of them, or `Object`. */
  private constituents(types: readonly ts.TypeNode[], isIntersection: boolean): MetadataText {
    const { ts } = this;
    let common: MetadataText | undefined;
    for (let type of types) {
      while (ts.isParenthesizedTypeNode(type)) type = type.type;
      if (type.kind === ts.SyntaxKind.NeverKeyword) {
        if (isIntersection) return NOTHING;
        continue;
      }
      if (type.kind === ts.SyntaxKind.UnknownKeyword) {
        if (!isIntersection) return OBJECT;
        continue;
      }
      if (type.kind === ts.SyntaxKind.AnyKeyword) return OBJECT;
      if (!this.settings.strictNullChecks && isNullish(ts, type)) continue;
      const value = this.serialize(type);
      const text = plainText(value);
      if (text === "Object" || (common && plainText(common) !== text)) return OBJECT;
      common = value;
    }
    return common ?? NOTHING;
  }

  private named(node: ts.TypeReferenceNode): MetadataText {
    const { module } = this;
    const name = node.typeName;
    const type = this.types.resolve(module, name);
    if (type === "undefined") return NOTHING;
    if (type !== "class" && type !== "unknown") return [type];
    const reference = module.scopes.byNode.get(rootOf(this.ts, name));
    if (!reference) return OBJECT;
    const isOwn = reference.binding !== undefined && !reference.binding.ambient;
    const path = this.module.text.slice(reference.node.end, name.end).replace(/\s+/g, "");
    const value: MetadataText = isOwn ? [{ ...reference, erased: false }, path] : [`${reference.name}${path}`];
    return type === "class" ? value : [`${TYPE_HELPER}(() => `, ...value, ")"];
  }
}

/** What types are at run time, by their names. */
class TypeNames {
  private readonly seen = new Set<ts.Node>();

  constructor(
    private readonly modules: Modules,
    private readonly settings: DecoratorMetadataSettings,
  ) {}

  /** @returns `unknown`: nobody here can tell; the value has to be asked when the program runs */
  resolve(module: Module, name: ts.EntityName): RuntimeType | "unknown" {
    const { ts } = module;
    const reference = module.scopes.byNode.get(rootOf(ts, name));
    const binding = reference?.binding;
    const asked = (): RuntimeType | "unknown" => this.settings.typeAt?.(module.file, name.getStart(), name.end) ?? "unknown";
    if (!binding || binding.ambient) return asked();
    const path: string[] = [];
    for (let part = name; ts.isQualifiedName(part); part = part.left) path.unshift(part.right.text);
    const found = this.follow(module, binding, path);
    const isTypeOnly = module.imports.has(binding) && !binding.value;
    const type = found === "outside" ? asked() : found;
    if (!isTypeOnly) return type;
    // The name is no value here: TypeScript knows of a class that it can be called, and no more.
    return type === "class" ? "Function" : type === "unknown" ? "Object" : type;
  }

  private followMember({ whole, name }: Target & { kind: "member" }, path: readonly string[]): RuntimeType | "outside" {
    return whole.kind === "external" ? "outside" : this.follow(whole.module, whole.binding, [name, ...path]);
  }

  private follow(module: Module, binding: Binding, path: readonly string[]): RuntimeType | "outside" {
    if (module.imports.has(binding)) {
      const target = this.modules.target(module, binding);
      // A name that leads nowhere has an error of its own.
      if (!target) return "Object";
      if (target.kind === "external") return "outside";
      if (target.kind === "declared") return this.follow(target.module, target.binding, path);
      if (target.kind === "member") return this.followMember(target, path);
      let namespace = target;
      for (const [index, name] of path.entries()) {
        const member = this.modules.member(namespace, name);
        if (!member) return "Object";
        if (member.kind === "external") return "outside";
        if (member.kind === "declared") return this.follow(member.module, member.binding, path.slice(index + 1));
        if (member.kind === "member") return this.followMember(member, path.slice(index + 1));
        namespace = member;
      }
      return "Object";
    }
    const [first, ...rest] = path;
    if (first === undefined) return this.declared(module, binding);
    for (const part of binding.parts ?? []) {
      const member = part.bindings.get(first);
      if (member) return this.follow(module, member, rest);
    }
    return "outside";
  }

  private declared(module: Module, binding: Binding): RuntimeType | "outside" {
    const { ts } = module;
    if (binding.declarations.some((declaration) => ts.isClassLike(declaration))) return binding.ambient ? "outside" : "class";
    const [declaration] = binding.declarations;
    if (!declaration) return "outside";
    if (binding.kind === "enum" || binding.kind === "enumMember") return enumType(ts, binding);
    const alias = binding.declarations.find((node) => ts.isTypeAliasDeclaration(node)) as ts.TypeAliasDeclaration | undefined;
    // `const Shape = …; type Shape = …`: it depends on what the value is.
    if (binding.value && (alias || binding.declarations.some((node) => ts.isInterfaceDeclaration(node)))) return "outside";
    if (alias) return this.aliased(module, alias.type);
    if (ts.isTypeParameterDeclaration(declaration)) return declaration.constraint ? this.aliased(module, declaration.constraint) : "Object";
    return binding.declarations.some((node) => ts.isInterfaceDeclaration(node)) ? "Object" : "outside";
  }

  /** What a type is that a name stands for: TypeScript looks at the type there, no longer at how it is written. */
  private aliased(module: Module, node: ts.TypeNode): RuntimeType | "outside" {
    const { ts } = module;
    const { SyntaxKind } = ts;
    if (this.seen.has(node)) return "Object";
    this.seen.add(node);
    try {
      switch (node.kind) {
        case SyntaxKind.ParenthesizedType:
          return this.aliased(module, (node as ts.ParenthesizedTypeNode).type);
        case SyntaxKind.VoidKeyword:
        case SyntaxKind.UndefinedKeyword:
        case SyntaxKind.NeverKeyword:
          return "undefined";
        case SyntaxKind.StringKeyword:
        case SyntaxKind.TemplateLiteralType:
          return "String";
        case SyntaxKind.NumberKeyword:
          return "Number";
        case SyntaxKind.BooleanKeyword:
          return "Boolean";
        case SyntaxKind.BigIntKeyword:
          return "BigInt";
        case SyntaxKind.SymbolKeyword:
          return "Symbol";
        case SyntaxKind.LiteralType:
          return literalType(ts, (node as ts.LiteralTypeNode).literal);
        case SyntaxKind.FunctionType:
          return "Function";
        case SyntaxKind.ArrayType:
        case SyntaxKind.TupleType:
          return "Array";
        case SyntaxKind.TypeLiteral:
          return (node as ts.TypeLiteralNode).members.some((member) => ts.isCallSignatureDeclaration(member)) ? "Function" : "Object";
        case SyntaxKind.AnyKeyword:
        case SyntaxKind.UnknownKeyword:
        case SyntaxKind.ObjectKeyword:
        case SyntaxKind.ConstructorType:
        case SyntaxKind.MappedType:
          return "Object";
        case SyntaxKind.UnionType:
          return this.union(module, (node as ts.UnionTypeNode).types);
        case SyntaxKind.IntersectionType: {
          const { types } = node as ts.IntersectionTypeNode;
          if (types.some((type) => type.kind === SyntaxKind.AnyKeyword)) return "Object";
          // `string & { readonly brand: "id" }` is a string.
          const kinds = types.map((type) => this.aliased(module, type));
          return kinds.includes("outside") ? "outside" : (kinds.find((kind) => PRIMITIVE.has(kind)) ?? "Object");
        }
        case SyntaxKind.TypeOperator: {
          const { operator, type } = node as ts.TypeOperatorNode;
          if (operator === SyntaxKind.ReadonlyKeyword) return this.aliased(module, type);
          return operator === SyntaxKind.UniqueKeyword ? "Symbol" : "outside";
        }
        case SyntaxKind.TypeReference: {
          const { typeName } = node as ts.TypeReferenceNode;
          if (ts.isIdentifier(typeName) && (typeName.text === "Array" || typeName.text === "ReadonlyArray")) {
            if (!module.scopes.byNode.get(typeName)?.binding) return "Array";
          }
          const kind = this.resolve(module, typeName);
          // The instances are objects.
          return kind === "class" ? "Object" : kind === "unknown" ? "outside" : kind;
        }
        default:
          return "outside";
      }
    } finally {
      this.seen.delete(node);
    }
  }

  private union(module: Module, types: readonly ts.TypeNode[]): RuntimeType | "outside" {
    const kinds = new Set<RuntimeType | "outside">();
    for (const type of types) {
      const kind = this.aliased(module, type);
      if (kind === "undefined" && (!this.settings.strictNullChecks || type.kind === module.ts.SyntaxKind.NeverKeyword)) continue;
      kinds.add(kind);
    }
    if (kinds.has("outside")) return "outside";
    const [only] = kinds;
    return kinds.size === 1 && only && (PRIMITIVE.has(only) || only === "undefined") ? only : "Object";
  }
}

const PRIMITIVE: ReadonlySet<RuntimeType | "outside"> = new Set<RuntimeType>(["String", "Number", "Boolean", "BigInt", "Symbol"]);

function rootOf(ts: TypeScript, name: ts.EntityName): ts.Identifier {
  let root = name;
  while (ts.isQualifiedName(root)) root = root.left;
  return root;
}

/** The same text means the same value, whatever the references in it are. */
function plainText(value: MetadataText): string {
  return value.map((part) => (typeof part === "string" ? part : part.name)).join("");
}

function isNullish(ts: TypeScript, type: ts.TypeNode): boolean {
  if (type.kind === ts.SyntaxKind.UndefinedKeyword) return true;
  return ts.isLiteralTypeNode(type) && type.literal.kind === ts.SyntaxKind.NullKeyword;
}

function literalType(ts: TypeScript, literal: ts.LiteralTypeNode["literal"]): RuntimeType {
  const { SyntaxKind } = ts;
  const value = ts.isPrefixUnaryExpression(literal) ? literal.operand : literal;
  if (value.kind === SyntaxKind.NumericLiteral) return "Number";
  if (value.kind === SyntaxKind.BigIntLiteral) return "BigInt";
  if (value.kind === SyntaxKind.TrueKeyword || value.kind === SyntaxKind.FalseKeyword) return "Boolean";
  return value.kind === SyntaxKind.NullKeyword ? "undefined" : "String";
}

/** What the values of an enum, or of one of its members, are, as far as they are all of one kind. */
function enumType(ts: TypeScript, binding: Binding): RuntimeType | "outside" {
  const kinds = new Set<RuntimeType | "outside">();
  for (const declaration of binding.declarations) {
    const members = ts.isEnumDeclaration(declaration) ? declaration.members : ts.isEnumMember(declaration) ? [declaration] : [];
    for (const { initializer } of members) {
      if (!initializer || ts.isNumericLiteral(initializer) || ts.isPrefixUnaryExpression(initializer)) kinds.add("Number");
      else if (ts.isStringLiteralLike(initializer) || ts.isTemplateExpression(initializer)) kinds.add("String");
      else if (ts.isBinaryExpression(initializer) && initializer.operatorToken.kind !== ts.SyntaxKind.PlusToken) kinds.add("Number");
      else kinds.add("outside");
    }
  }
  if (kinds.has("outside")) return "outside";
  const [only] = kinds;
  return kinds.size === 1 && only ? only : "Object";
}

/** `T` of `...rest: T[]`. */
function elementType(ts: TypeScript, type: ts.TypeNode | undefined): ts.TypeNode | undefined {
  if (type && ts.isArrayTypeNode(type)) return type.elementType;
  return type && ts.isTypeReferenceNode(type) && type.typeArguments?.length === 1 ? type.typeArguments[0] : undefined;
}
