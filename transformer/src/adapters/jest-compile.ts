/** TypeScript (and JavaScript) to JavaScript for jest, one file at a time, with `jest.mock` and its like before everything else. */
import type * as ts from "typescript";
import type { TypeScript } from "../core";
import type { Tsconfig } from "./tsconfig-settings";

export interface JestCompileOptions {
  tsconfig: Tsconfig | undefined;
  isEsm: boolean;
}

/** Calls that have to come before the modules that they are about are loaded. */
const HOISTED = new Set(["mock", "unmock", "deepUnmock", "enableAutomock", "disableAutomock"]);

/** Settings that are about files and checks, not about one file's code. */
const LEFT_OUT = [
  "declaration",
  "declarationMap",
  "composite",
  "incremental",
  "outDir",
  "outFile",
  "rootDir",
  "noEmit",
  "emitDeclarationOnly",
  "tsBuildInfoFile",
  "plugins",
  "paths",
  "types",
  "lib",
  "inlineSourceMap",
  "sourceRoot",
  "mapRoot",
  "removeComments",
  "allowImportingTsExtensions",
  "verbatimModuleSyntax",
  "customConditions",
  "resolvePackageJsonExports",
  "resolvePackageJsonImports",
];

/** @throws Error that shows the file's syntax errors */
export function compileForJest(
  ts: TypeScript,
  text: string,
  file: string,
  { tsconfig, isEsm }: JestCompileOptions,
): { code: string; map: string | undefined } {
  const configured = { ...tsconfig?.config.compilerOptions } as Record<string, unknown>;
  const keepsImports = configured.verbatimModuleSyntax === true;
  for (const name of LEFT_OUT) delete configured[name];
  delete configured.module;
  delete configured.moduleResolution;
  const { options } = ts.convertCompilerOptionsFromJson({ target: "ES2022", ...configured }, tsconfig?.folder ?? process.cwd());
  const compilerOptions: ts.CompilerOptions = {
    ...options,
    esModuleInterop: options.esModuleInterop ?? true,
    jsx: options.jsx === ts.JsxEmit.Preserve ? ts.JsxEmit.ReactJSX : options.jsx,
    module: isEsm ? ts.ModuleKind.ESNext : ts.ModuleKind.CommonJS,
    allowJs: true,
    isolatedModules: true,
    sourceMap: true,
    inlineSources: true,
    // Unused imports stay, as they would in a build with this setting.
    ...(keepsImports && isEsm ? { verbatimModuleSyntax: true } : {}),
  };
  const result = ts.transpileModule(text, {
    compilerOptions,
    fileName: file,
    reportDiagnostics: true,
    transformers: { before: isEsm ? [] : [(context) => (source) => hoistJestCalls(ts, context, source)] },
  });
  const errors = (result.diagnostics ?? []).filter(
    (diagnostic) => diagnostic.category === ts.DiagnosticCategory.Error && diagnostic.file !== undefined,
  );
  if (errors.length > 0) {
    const host: ts.FormatDiagnosticsHost = {
      getCanonicalFileName: (name) => name,
      getCurrentDirectory: () => process.cwd(),
      getNewLine: () => "\n",
    };
    throw new SyntaxError(ts.formatDiagnosticsWithColorAndContext(errors, host));
  }
  return { code: result.outputText.replace(/\n\/\/# sourceMappingURL=\S*\s*$/, "\n"), map: result.sourceMapText };
}

/** Moves `jest.mock(…)` statements to the head of their block, in their order; TypeScript leaves imports where they stand, after them. */
function hoistJestCalls(ts: TypeScript, context: ts.TransformationContext, file: ts.SourceFile): ts.SourceFile {
  if (!/\bjest\b/.test(file.text)) return file;
  const isJest = (node: ts.Expression): boolean => {
    if (ts.isIdentifier(node)) return node.text === "jest";
    // Calls can be chained.
    return ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression) && isJest(node.expression.expression);
  };
  const isHoisted = (statement: ts.Statement): boolean => {
    if (!ts.isExpressionStatement(statement) || !ts.isCallExpression(statement.expression)) return false;
    const callee = statement.expression.expression;
    return ts.isPropertyAccessExpression(callee) && HOISTED.has(callee.name.text) && isJest(callee.expression);
  };
  const isGlobals = (statement: ts.Statement): boolean =>
    ts.isImportDeclaration(statement) &&
    ts.isStringLiteral(statement.moduleSpecifier) &&
    statement.moduleSpecifier.text === "@jest/globals";
  const sorted = (statements: ts.NodeArray<ts.Statement>): ts.NodeArray<ts.Statement> | undefined => {
    const hoisted = statements.filter(isHoisted);
    if (hoisted.length === 0) return undefined;
    const prologue = statements.filter((statement) => ts.isExpressionStatement(statement) && ts.isStringLiteral(statement.expression));
    const globals = statements.filter(isGlobals);
    const first = new Set<ts.Statement>([...prologue, ...globals, ...hoisted]);
    const all = [...prologue, ...globals, ...hoisted, ...statements.filter((statement) => !first.has(statement))];
    return ts.setTextRange(context.factory.createNodeArray(all), statements);
  };
  const visit = (node: ts.Node): ts.Node => {
    const visited = ts.visitEachChild(node, visit, context);
    const list = ts.isBlock(visited) ? sorted(visited.statements) : undefined;
    return list ? context.factory.updateBlock(visited as ts.Block, list) : visited;
  };
  const visited = ts.visitEachChild(file, visit, context);
  const list = sorted(visited.statements);
  return list ? context.factory.updateSourceFile(visited, list) : visited;
}
