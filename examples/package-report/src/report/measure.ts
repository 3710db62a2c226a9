import fs from "node:fs";
import { parallel } from "makeparallel";
import ts from "typescript";

export interface SourceMeasure {
  file: string;
  lines: number;
  tokens: number;
  nodes: number;
  /** Deepest nesting of syntax nodes. */
  depth: number;
  /** Number of each kind of declaration: `InterfaceDeclaration`, … */
  declarations: Map<string, number>;
  syntaxErrors: number;
}

/** Scans and parses one TypeScript file. */
export const measureSource = parallel((file: string): SourceMeasure => {
  const text = fs.readFileSync(file, "utf8");
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, /* setParentNodes */ false);
  const declarations = new Map<string, number>();
  let nodes = 0;
  let depth = 0;
  visit(source, 1);
  return {
    file,
    lines: source.getLineStarts().length,
    tokens: countTokens(text),
    nodes,
    depth,
    declarations,
    syntaxErrors: parseDiagnostics(source),
  };

  function visit(node: ts.Node, level: number): void {
    nodes++;
    depth = Math.max(depth, level);
    if (isCounted(node)) declarations.set(ts.SyntaxKind[node.kind], (declarations.get(ts.SyntaxKind[node.kind]) ?? 0) + 1);
    ts.forEachChild(node, (child) => visit(child, level + 1));
  }
});

function countTokens(text: string): number {
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, /* skipTrivia */ true, ts.LanguageVariant.Standard, text);
  let tokens = 0;
  while (scanner.scan() !== ts.SyntaxKind.EndOfFileToken) tokens++;
  return tokens;
}

function isCounted(node: ts.Node): boolean {
  return (
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isEnumDeclaration(node) ||
    ts.isModuleDeclaration(node)
  );
}

function parseDiagnostics(source: ts.SourceFile): number {
  return ((source as { parseDiagnostics?: unknown[] }).parseDiagnostics ?? []).length;
}
