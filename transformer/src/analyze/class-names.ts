/**
 * Which classes and types the declarations of the project name: in heritage clauses, fields, constructor parameters, aliases.
 *
 * Takes bindings and type nodes. Gives the bindings that they name, and what else is asked about classes again and again. Each declaration is looked
 * through once, however many marked files reach it. Valid as long as no module changes.
 */
import type * as ts from "typescript";
import { isConstructed } from "../hoist/classes";
import { type Binding, referencesWithin } from "./bindings";
import { classesWithin, type ClassInfo, classInfo, classNode, targetOf } from "./class-info";
import type { Module, Unit } from "./module";
import { remembered } from "./remembered";
import type { Modules } from "./resolve";

export interface Named {
  readonly module: Module;
  readonly binding: Binding;
  /** `class`: a class, or what may hold classes (a namespace). `new`: stands after `new`. `type`: any other declaration. */
  readonly as: "class" | "new" | "type";
  /** It is what a class extends or implements: a value of it is not expected because of that. */
  readonly isBase?: boolean;
}

export class ClassNames {
  private readonly parts = new Map<Binding, readonly Named[]>();
  private readonly inner = new Map<Unit, readonly ClassInfo[]>();
  private readonly infos = new Map<Binding, ClassInfo | undefined>();
  private readonly bases = new Map<ts.ClassLikeDeclaration, ClassInfo | undefined>();
  private readonly constructed = new Map<ts.ClassLikeDeclaration, boolean>();

  constructor(private readonly modules: Modules) {}

  /** See `classInfo`. One object for all who ask: copy it before changing it. */
  infoOf(module: Module, binding: Binding): Readonly<ClassInfo> | undefined {
    return remembered(this.infos, binding, () => classInfo(module, binding));
  }

  /** See `classesWithin`. */
  within(module: Module, unit: Unit): readonly Readonly<ClassInfo>[] {
    return remembered(this.inner, unit, () => classesWithin(module, unit));
  }

  /** The class that this one extends, if it is the project's. */
  baseOf({ module, node }: ClassInfo): Readonly<ClassInfo> | undefined {
    return remembered(this.bases, node, () => {
      const heritage = node.heritageClauses?.find((clause) => clause.token === module.ts.SyntaxKind.ExtendsKeyword)?.types[0];
      const target = heritage && targetOf(this.modules, module, heritage.expression);
      return target && this.infoOf(target.module, target.binding);
    });
  }

  /** See `isConstructed`. */
  isConstructed({ module, node }: ClassInfo): boolean {
    return remembered(this.constructed, node, () => isConstructed(module, node));
  }

  /** What a class or type names of its own parts, each once. */
  partsOf(module: Module, binding: Binding): readonly Named[] {
    return remembered(this.parts, binding, () => {
      const { ts } = module;
      const named: Named[] = [];
      const type = (node: ts.Node | undefined): void => void (node && named.push(...this.inType(module, node)));
      const node = classNode(module, binding);
      for (const clause of node?.heritageClauses ?? [])
        named.push(...this.inType(module, clause).map((base) => ({ ...base, isBase: true })));
      for (const { constraint } of node?.typeParameters ?? []) type(constraint);
      for (const member of node?.members ?? []) {
        if (ts.isPropertyDeclaration(member)) {
          type(member.type);
          if (member.initializer) named.push(...this.inInitializer(module, member.initializer));
        } else if (ts.isConstructorDeclaration(member)) {
          for (const parameter of member.parameters) type(parameter.type);
        }
      }
      for (const declaration of binding.declarations) {
        if (ts.isTypeAliasDeclaration(declaration)) type(declaration.type);
        if (!ts.isInterfaceDeclaration(declaration)) continue;
        declaration.heritageClauses?.forEach(type);
        for (const member of declaration.members) if (ts.isPropertySignature(member)) type(member.type);
      }
      return unique(named);
    });
  }

  /** Names in a type, whatever it is built of. */
  inType(module: Module, node: ts.Node): Named[] {
    const { ts } = module;
    const named: Named[] = [];
    for (const reference of referencesWithin(module.scopes, node.getStart(), node.end)) {
      const { binding } = reference;
      if (binding?.scope.kind === "namespace") named.push({ module, binding, as: "class" });
      if (binding?.scope.kind !== "module") continue;
      const { parent } = reference.node;
      let target = this.modules.target(module, binding);
      if (target?.kind === "namespace" && (ts.isQualifiedName(parent) || ts.isPropertyAccessExpression(parent))) {
        target = this.modules.member(target, ts.isQualifiedName(parent) ? parent.right.text : parent.name.text);
      }
      if (target?.kind !== "declared") continue;
      const isClass = classNode(target.module, target.binding) !== undefined || target.binding.parts !== undefined;
      named.push({ module: target.module, binding: target.binding, as: isClass ? "class" : "type" });
    }
    if (node.getText().includes("import(")) this.importTypes(module, node, named);
    return named;
  }

  /** Classes after `new` in an initialiser. */
  inInitializer(module: Module, node: ts.Node): Named[] {
    const { ts } = module;
    const named: Named[] = [];
    for (const reference of referencesWithin(module.scopes, node.getStart(), node.end)) {
      if (reference.erased || !reference.binding || !ts.isNewExpression(reference.node.parent) || reference.binding.scope.kind !== "module")
        continue;
      const target = this.modules.target(module, reference.binding);
      if (target?.kind === "declared") named.push({ module: target.module, binding: target.binding, as: "new" });
    }
    return named;
  }

  /** `import("./shape").Shape` */
  private importTypes(module: Module, node: ts.Node, named: Named[]): void {
    const { ts } = module;
    const visit = (child: ts.Node): void => {
      if (
        ts.isImportTypeNode(child) &&
        ts.isLiteralTypeNode(child.argument) &&
        ts.isStringLiteral(child.argument.literal) &&
        child.qualifier
      ) {
        const other = this.modules.follow(module, child.argument.literal.text);
        const target = other && ts.isIdentifier(child.qualifier) ? this.modules.given(module, other, child.qualifier.text) : undefined;
        if (target?.kind === "declared") named.push({ module: target.module, binding: target.binding, as: "class" });
      }
      ts.forEachChild(child, visit);
    };
    visit(node);
  }
}

function unique(named: readonly Named[]): readonly Named[] {
  const seen = new Map<Binding, Set<string>>();
  return named.filter(({ binding, as, isBase }) => {
    const how = isBase ? `${as} base` : as;
    const known = seen.get(binding);
    if (!known) seen.set(binding, new Set([how]));
    else if (known.has(how)) return false;
    else known.add(how);
    return true;
  });
}
