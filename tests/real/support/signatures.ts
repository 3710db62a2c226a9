/**
 * What a module exports, as far as arguments can be made for it.
 *
 * Takes modules and a TypeScript program that knows them. Gives the exported functions with a description of each parameter's type that a generator can
 * follow (program/generate.ts).
 */
import ts from "typescript";
import type { FunctionInfo, Schema } from "../program/generate";

const DEPTH = 4;

/**
 * @param files by the name that their functions get as a prefix; the names of functions are `prefix.name`
 * @returns by module
 */
export function signaturesOf(files: readonly string[], options: ts.CompilerOptions): Map<string, FunctionInfo[]> {
  const program = ts.createProgram({ rootNames: [...files], options: { ...options, noEmit: true } });
  const checker = program.getTypeChecker();
  return new Map(
    files.map((file) => {
      const source = program.getSourceFile(file);
      const symbol = source && checker.getSymbolAtLocation(source);
      if (!symbol) throw new Error(`${file} is no module`);
      const found: FunctionInfo[] = [];
      for (const exported of checker.getExportsOfModule(symbol)) {
        const schema = signatures(checker, exported, source);
        if (schema.length > 0) found.push({ name: exported.name, signatures: schema });
      }
      return [file, found.sort((a, b) => (a.name < b.name ? -1 : 1))];
    }),
  );
}

function signatures(checker: ts.TypeChecker, symbol: ts.Symbol, at: ts.Node): Schema[][] {
  const target = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  if (!(target.flags & (ts.SymbolFlags.Function | ts.SymbolFlags.Variable)) || target.flags & ts.SymbolFlags.Class) return [];
  const type = checker.getTypeOfSymbolAtLocation(target, at);
  return type.getCallSignatures().map((signature) =>
    signature.getParameters().flatMap((parameter): Schema[] => {
      const declaration = parameter.valueDeclaration;
      const schema = describe(checker, checker.getTypeOfSymbolAtLocation(parameter, at), DEPTH);
      if (declaration && ts.isParameter(declaration)) {
        if (declaration.name.getText() === "this") return [];
        if (declaration.dotDotDotToken) return [{ kind: "rest", of: schema.kind === "array" ? schema.of : { kind: "any" } }];
        if (declaration.questionToken || declaration.initializer) return [{ kind: "optional", of: schema }];
      }
      return [schema];
    }),
  );
}

function describe(checker: ts.TypeChecker, type: ts.Type, depth: number): Schema {
  const { TypeFlags } = ts;
  const any: Schema = { kind: "any" };
  if (depth === 0) return any;
  const constraint = type.flags & TypeFlags.TypeParameter ? checker.getBaseConstraintOfType(type) : undefined;
  if (constraint && constraint !== type) return describe(checker, constraint, depth - 1);
  if (type.isStringLiteral() || type.isNumberLiteral()) return { kind: "literal", value: type.value };
  if (type.flags & TypeFlags.BooleanLike) return { kind: "boolean" };
  if (type.flags & TypeFlags.NumberLike) return { kind: "number" };
  if (type.flags & TypeFlags.StringLike) return { kind: "string" };
  if (type.flags & TypeFlags.BigIntLike) return { kind: "bigint" };
  if (type.flags & (TypeFlags.Undefined | TypeFlags.Void)) return { kind: "undefined" };
  if (type.flags & TypeFlags.Null) return { kind: "null" };
  if (type.isUnion()) return { kind: "union", of: type.types.slice(0, 30).map((part) => describe(checker, part, depth - 1)) };
  if (!(type.flags & (TypeFlags.Object | TypeFlags.Intersection))) return any;
  if (type.getCallSignatures().length > 0) return { kind: "function" };
  if (type.getConstructSignatures().length > 0) return any;
  const name = type.getSymbol()?.name ?? "";
  if (name === "Date" || name === "RegExp") return { kind: name === "Date" ? "date" : "regexp" };
  if (/^(Uint8|Uint16|Uint32|Int8|Int16|Int32|Float32|Float64)Array$/.test(name)) return { kind: "typed", name };
  if (name === "ArrayBuffer") return any;
  const [element] = checker.getTypeArguments(type as ts.TypeReference);
  if (checker.isTupleType(type)) {
    return { kind: "tuple", of: checker.getTypeArguments(type as ts.TypeReference).map((part) => describe(checker, part, depth - 1)) };
  }
  if (checker.isArrayType(type) || /^(Iterable|ArrayLike|IterableContainer|ReadonlyArray)$/.test(name))
    return { kind: "array", of: element ? describe(checker, element, depth - 1) : any };
  const properties = type.getProperties().slice(0, 12);
  if (properties.length === 0) return any;
  const members: Record<string, Schema> = {};
  for (const property of properties) {
    if (/^(__@|_?locale$)/.test(property.name)) continue;
    const schema = describe(checker, checker.getTypeOfSymbol(property), depth - 1);
    members[property.name] = property.flags & ts.SymbolFlags.Optional ? { kind: "optional", of: schema } : schema;
  }
  return { kind: "object", members };
}
