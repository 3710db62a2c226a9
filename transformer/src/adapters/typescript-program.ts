/**
 * What the adapter needs to know of a TypeScript program: where its files go, what format they get, where imports lead.
 */
import * as path from "node:path";
import type * as ts from "typescript";
import { CHUNK_FOLDER } from "../../../runtime-ts/src/manifest";
import { isAccess } from "../analyze/syntax";
import type { Constant, Resolution, RuntimeType, TypeScript } from "../core";
import type { HostBuildOptions, SourceFormat } from "../emit/options";
import { resolutionKey } from "../emit/options";
import { packageRoot } from "./project-files";

/** The node with exactly this range. */
function nodeAt<N extends ts.Node>(
  ts: TypeScript,
  source: ts.SourceFile,
  start: number,
  end: number,
  is: (node: ts.Node) => node is N,
): N | undefined {
  const find = (node: ts.Node): N | undefined => {
    if (node.end < end || node.getStart(source) > start) return undefined;
    if (is(node) && node.getStart(source) === start && node.end === end) return node;
    return ts.forEachChild(node, find);
  };
  return find(source);
}

/** Whether only its types are there: in a file of declarations, or under `declare`. */
function isAmbient(ts: TypeScript, declaration: ts.Node): boolean {
  if (declaration.getSourceFile().isDeclarationFile) return true;
  for (let node = declaration; !ts.isSourceFile(node); node = node.parent) {
    if (ts.canHaveModifiers(node) && ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.DeclareKeyword)) return true;
  }
  return false;
}

export class ProgramFacts {
  readonly options: ts.CompilerOptions;
  /** Package root: ids are relative to it. */
  readonly root: string;
  /** tsconfig file relative to the root; `tsconfig.json` when the host gave none. */
  readonly configName: string;
  /** Folder of the manifest and the chunks. */
  readonly chunkFolder: string;
  /** Every answer that was given, for the bundler. */
  readonly resolutions = new Map<string, Resolution>();
  readonly #commonFolder: string;
  readonly #cache: ts.ModuleResolutionCache;

  constructor(
    private readonly ts: TypeScript,
    readonly program: ts.Program,
  ) {
    this.options = program.getCompilerOptions();
    const { configFilePath } = this.options as { configFilePath?: string };
    const start = configFilePath === undefined ? program.getCurrentDirectory() : path.dirname(configFilePath);
    this.root = packageRoot(start);
    this.configName = configFilePath === undefined ? "tsconfig.json" : path.relative(this.root, configFilePath).split(path.sep).join("/");
    this.#commonFolder = path.resolve((program as unknown as { getCommonSourceDirectory(): string }).getCommonSourceDirectory());
    this.chunkFolder = path.join(this.options.outDir ?? this.#commonFolder, CHUNK_FOLDER);
    this.#cache = ts.createModuleResolutionCache(program.getCurrentDirectory(), (name) => name, this.options);
  }

  /** The project's own modules, those of packages and typings left out. */
  sourceFiles(): ts.SourceFile[] {
    return this.program
      .getSourceFiles()
      .filter(
        (file) => !file.isDeclarationFile && !this.program.isSourceFileFromExternalLibrary(file) && /\.[cm]?[jt]sx?$/.test(file.fileName),
      );
  }

  resolve(specifier: string, fromFile: string, kind: "import" | "require"): Resolution | undefined {
    const key = resolutionKey(specifier, fromFile, kind);
    let known = this.resolutions.get(key);
    if (known === undefined) {
      known = this.#resolve(specifier, fromFile, kind);
      this.resolutions.set(key, known);
    }
    return known;
  }

  #resolve(specifier: string, fromFile: string, kind: "import" | "require"): Resolution {
    const { ts } = this;
    const mode = kind === "require" || this.format(fromFile).module === "cjs" ? ts.ModuleKind.CommonJS : ts.ModuleKind.ESNext;
    const found = ts.resolveModuleName(specifier, fromFile, this.options, ts.sys, this.#cache, undefined, mode).resolvedModule;
    // What TypeScript knows nothing of may still exist when the program runs.
    if (!found || found.isExternalLibraryImport) return { kind: "external" };
    if (found.extension === ".json") return { kind: "data", file: path.resolve(found.resolvedFileName) };
    const file = this.program.getSourceFile(found.resolvedFileName);
    return file && !file.isDeclarationFile ? { kind: "project", file: path.resolve(found.resolvedFileName) } : { kind: "external" };
  }

  /** What compiles TC39 decorators, if the program has any. */
  get standardDecorators(): "typescript" | undefined {
    return this.options.experimentalDecorators ? undefined : "typescript";
  }

  /** What the checker says of the type whose name stands at `[start, end)`, by the rules of TypeScript's own emit. */
  typeAt(fileName: string, start: number, end: number): RuntimeType | undefined {
    const { ts } = this;
    const source = this.program.getSourceFile(fileName);
    if (!source) return undefined;
    const name = nodeAt(ts, source, start, end, ts.isEntityName);
    return name && runtimeTypeOf(ts, this.program.getTypeChecker(), name);
  }

  /** Whether the compiler looks beyond a file for what it writes in it. */
  get writesConstants(): boolean {
    const { isolatedModules, verbatimModuleSyntax } = this.options;
    return isolatedModules !== true && verbatimModuleSyntax !== true;
  }

  /** As `Host.constantAt`. Enums in sources are left as they are: slices have them. */
  constantAt(fileName: string, start: number, end: number): Constant | undefined {
    const { ts } = this;
    const source = this.program.getSourceFile(fileName);
    let node: ts.Node | undefined = source && nodeAt(ts, source, start, end, ts.isIdentifier);
    if (!source || !node) return undefined;
    const checker = this.program.getTypeChecker();
    // Through namespaces: `library.Flags.A`.
    while (isAccess(ts, node.parent) && node.parent.expression === node) {
      let symbol = checker.getSymbolAtLocation(ts.isPropertyAccessExpression(node) ? node.name : node);
      if (symbol && symbol.flags & ts.SymbolFlags.Alias) symbol = checker.getAliasedSymbol(symbol);
      node = node.parent;
      if (!symbol) return undefined;
      if (symbol.flags & ts.SymbolFlags.ConstEnum) {
        if (!symbol.declarations?.every((declaration) => isAmbient(ts, declaration))) return undefined;
        const value = checker.getConstantValue(node as ts.PropertyAccessExpression | ts.ElementAccessExpression);
        const text = typeof value === "number" ? `(${value})` : value === undefined ? undefined : JSON.stringify(value);
        return text === undefined ? undefined : { start: node.getStart(source), end: node.end, text };
      }
      if (!(symbol.flags & ts.SymbolFlags.Namespace)) return undefined;
    }
    return undefined;
  }

  format(fileName: string): SourceFormat {
    const { ts, options } = this;
    const file = this.program.getSourceFile(fileName);
    const kind = file ? this.#moduleKind(file) : (options.module ?? ts.ModuleKind.CommonJS);
    const emitted = this.#emittedPath(fileName);
    // `preserve` leaves ES module syntax as it is, and with that what is put in beside it.
    if ((kind >= ts.ModuleKind.ES2015 && kind <= ts.ModuleKind.ESNext) || kind === ts.ModuleKind.Preserve)
      return { module: "esm", emitted };
    const keepsDynamicImport = options.module !== undefined && options.module >= ts.ModuleKind.Node16;
    const interop = options.esModuleInterop ?? keepsDynamicImport;
    return { module: "cjs", dynamicImport: keepsDynamicImport ? "esm" : "cjs", interop, emitted };
  }

  /** ES2015 … ESNext or CommonJS: what this file is emitted as. */
  #moduleKind(file: ts.SourceFile): ts.ModuleKind {
    const { ts, options } = this;
    const { program } = this;
    const ask = (program as { getEmitModuleFormatOfFile?(file: ts.SourceFile): ts.ModuleKind }).getEmitModuleFormatOfFile;
    if (ask) return ask.call(program, file);
    const kind = options.module ?? ((options.target ?? 0) >= ts.ScriptTarget.ES2015 ? ts.ModuleKind.ES2015 : ts.ModuleKind.CommonJS);
    return kind >= ts.ModuleKind.Node16 && kind <= ts.ModuleKind.NodeNext ? (file.impliedNodeFormat ?? ts.ModuleKind.CommonJS) : kind;
  }

  #emittedPath(fileName: string): string {
    const { options } = this;
    const file = path.resolve(fileName);
    const moved = options.outDir === undefined ? file : path.join(options.outDir, path.relative(this.#commonFolder, file));
    return moved.replace(
      /\.([cm]?)[jt]s(x?)$/,
      (_, kind: string, x: string) => `.${kind}js${x !== "" && options.jsx === this.ts.JsxEmit.Preserve ? "x" : ""}`,
    );
  }

  /** Settings that change what the code of a chunk means. */
  esbuildOptions(): HostBuildOptions {
    const { ts, options } = this;
    const jsx = { [ts.JsxEmit.React]: "react", [ts.JsxEmit.ReactJSX]: "react-jsx", [ts.JsxEmit.ReactJSXDev]: "react-jsxdev" } as const;
    return {
      conditions: options.customConditions,
      tsconfigRaw: {
        compilerOptions: {
          experimentalDecorators: options.experimentalDecorators,
          jsx: jsx[options.jsx as keyof typeof jsx],
          jsxFactory: options.jsxFactory,
          jsxFragmentFactory: options.jsxFragmentFactory,
          jsxImportSource: options.jsxImportSource,
          useDefineForClassFields: options.useDefineForClassFields ?? (options.target ?? 0) >= ts.ScriptTarget.ES2022,
        },
      },
    };
  }
}

function runtimeTypeOf(ts: TypeScript, checker: ts.TypeChecker, name: ts.EntityName): RuntimeType | undefined {
  const named = checker.getSymbolAtLocation(name);
  if (!named) return undefined;
  const symbol = named.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(named) : named;
  if (symbol.flags & ts.SymbolFlags.Value && checker.getTypeOfSymbolAtLocation(symbol, name).getConstructSignatures().length > 0)
    return "class";
  const type = checker.getDeclaredTypeOfSymbol(symbol);
  // What can't be resolved is `any`, by an error that TypeScript reports, or in a program that sees one file alone.
  if (type.flags & ts.TypeFlags.Any) return symbol.declarations ? "Object" : undefined;
  const { TypeFlags } = ts;
  const primitives: [RuntimeType, ts.TypeFlags][] = [
    ["undefined", TypeFlags.Void | TypeFlags.Undefined | TypeFlags.Null | TypeFlags.Never],
    ["Boolean", TypeFlags.BooleanLike],
    ["Number", TypeFlags.NumberLike],
    ["BigInt", TypeFlags.BigIntLike],
    ["String", TypeFlags.StringLike],
  ];
  const found = primitives.find(([, flags]) => isOfKind(type, flags));
  if (found) return found[0];
  if (checker.isTupleType(type) || checker.isArrayType(type)) return "Array";
  if (isOfKind(type, TypeFlags.ESSymbolLike)) return "Symbol";
  return type.flags & TypeFlags.Object && type.getCallSignatures().length > 0 ? "Function" : "Object";
}

/** Whether every value of the type is of the kind. */
function isOfKind(type: ts.Type, flags: ts.TypeFlags): boolean {
  if (type.flags & flags) return true;
  if (type.isUnion()) return type.types.every((part) => isOfKind(part, flags));
  if (type.isIntersection()) return type.types.some((part) => isOfKind(part, flags));
  const constraint = type.isTypeParameter() ? type.getConstraint() : undefined;
  return constraint !== undefined && isOfKind(constraint, flags);
}
