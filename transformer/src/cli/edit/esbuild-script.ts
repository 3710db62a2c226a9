/**
 * Adds the plugin to a build script for esbuild, when that is plainly safe.
 *
 * Takes: the script's text and a compiler API. Gives: the edited text, or why it was left alone. Safe means: `build` or `context` is imported from esbuild
 * and called with an object written out in place, whose `plugins` is a list written out in place or missing, with no spread that could bring one along.
 */
import type * as ts from "typescript";
import type { TypeScript } from "../../core";

export type ScriptEdit = { text: string; calls: number } | { reason: string };

const NAME = "makeparallel";

export function addPlugin(ts: TypeScript, file: string, text: string): ScriptEdit {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  if (syntaxErrors(source)) return { reason: "it can't be parsed" };
  const imports = esbuildImport(ts, source);
  if (!imports) return { reason: "it does not import esbuild in a way that this tool knows" };
  if (declares(ts, source, NAME)) return { reason: `it has something else named ${NAME}` };

  const edits: { at: number; insert: string }[] = [];
  let reason: string | undefined;
  let calls = 0;
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && imports.isBuild(node.expression)) {
      calls++;
      const edit = editOf(ts, source, node.arguments[0]);
      if (typeof edit === "string") reason ??= edit;
      else if (edit) edits.push(edit);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  if (calls === 0) return { reason: "no call of esbuild's build() or context() was found" };
  if (reason !== undefined) return { reason };
  if (edits.length === 0) return { reason: "all its builds are for browsers" };

  edits.push({ at: imports.after, insert: importLine(text, imports) });
  edits.sort((a, b) => b.at - a.at);
  let result = text;
  for (const { at, insert } of edits) result = result.slice(0, at) + insert + result.slice(at);
  if (syntaxErrors(ts.createSourceFile(file, result, ts.ScriptTarget.Latest, true))) return { reason: "the edited text would not parse" };
  return { text: result, calls: edits.length - 1 };
}

/** The import to add, in the form that the file's own are in. */
export function importOf(text: string): string {
  const isModule = /^\s*import\s/m.test(text) || !/\brequire\s*\(/.test(text);
  return isModule ? `import ${NAME} from "makeparallel/esbuild";` : `const { ${NAME} } = require("makeparallel/esbuild");`;
}

function syntaxErrors(source: ts.SourceFile): boolean {
  return (source as unknown as { parseDiagnostics?: unknown[] }).parseDiagnostics?.length !== 0;
}

interface EsbuildImport {
  /** Offset after which the plugin's import goes. */
  after: number;
  statement: string;
  isBuild(callee: ts.Expression): boolean;
}

const BUILDERS = new Set(["build", "context"]);

function esbuildImport(ts: TypeScript, source: ts.SourceFile): EsbuildImport | undefined {
  const whole = new Set<string>();
  const named = new Set<string>();
  let own: ts.Statement | undefined;
  for (const statement of source.statements) {
    if (ts.isImportDeclaration(statement) && isText(ts, statement.moduleSpecifier, "esbuild") && statement.importClause) {
      own = statement;
      const { name, namedBindings } = statement.importClause;
      if (name) whole.add(name.text);
      if (namedBindings && ts.isNamespaceImport(namedBindings)) whole.add(namedBindings.name.text);
      else if (namedBindings)
        for (const one of namedBindings.elements) if (BUILDERS.has((one.propertyName ?? one.name).text)) named.add(one.name.text);
    } else if (ts.isVariableStatement(statement)) {
      for (const { name, initializer } of statement.declarationList.declarations) {
        if (!initializer || !isRequire(ts, initializer, "esbuild")) continue;
        own = statement;
        if (ts.isIdentifier(name)) whole.add(name.text);
        else if (ts.isObjectBindingPattern(name)) {
          for (const one of name.elements) {
            const original = one.propertyName ?? one.name;
            if (ts.isIdentifier(original) && ts.isIdentifier(one.name) && BUILDERS.has(original.text)) named.add(one.name.text);
          }
        }
      }
    }
  }
  if (!own) return undefined;
  return {
    after: own.end,
    statement: own.getText(source),
    isBuild: (callee) =>
      ts.isIdentifier(callee)
        ? named.has(callee.text)
        : ts.isPropertyAccessExpression(callee) &&
          ts.isIdentifier(callee.expression) &&
          whole.has(callee.expression.text) &&
          BUILDERS.has(callee.name.text),
  };
}

/** Text to insert, undefined when this build is none of Node's, or why it can't be edited. */
function editOf(
  ts: TypeScript,
  source: ts.SourceFile,
  options: ts.Expression | undefined,
): { at: number; insert: string } | string | undefined {
  if (!options || !ts.isObjectLiteralExpression(options)) return "the build's options are not written out in the call";
  const text = source.text;
  const property = (name: string): ts.ObjectLiteralElementLike | undefined =>
    options.properties.find(
      (one) => one.name !== undefined && (ts.isIdentifier(one.name) || ts.isStringLiteral(one.name)) && one.name.text === name,
    );
  const literal = (name: string): string | undefined => {
    const one = property(name);
    return one && ts.isPropertyAssignment(one) && ts.isStringLiteralLike(one.initializer) ? one.initializer.text : undefined;
  };
  const hasSpread = options.properties.some((one) => ts.isSpreadAssignment(one));
  const format = literal("format");
  if (!hasSpread && !property("format") && !property("platform")) return undefined;
  if (format === "iife" || (literal("platform") === "browser" && format === undefined)) return undefined;

  const plugins = property("plugins");
  if (!plugins) {
    if (hasSpread) return "its options come from elsewhere as well (`...`), and may bring plugins along";
    const last = options.properties.at(-1);
    if (!last) return undefined;
    const hasComma = options.properties.hasTrailingComma;
    const onLines = text.slice(options.getStart(source), last.getStart(source)).includes("\n");
    const lineStart = text.lastIndexOf("\n", last.getStart(source)) + 1;
    const indent = (/^[ \t]*/.exec(text.slice(lineStart)) as RegExpExecArray)[0];
    const separator = onLines ? `${eolOf(text)}${indent}` : " ";
    // The list's end takes a trailing comma in.
    const at = hasComma ? options.properties.end : last.end;
    return { at, insert: `${hasComma ? "" : ","}${separator}plugins: [${NAME}()]${hasComma ? "," : ""}` };
  }
  if (!ts.isPropertyAssignment(plugins) || !ts.isArrayLiteralExpression(plugins.initializer))
    return "its plugins are not a list written out in the call";
  const list = plugins.initializer;
  const [first] = list.elements;
  // First, because esbuild asks only the first plugin that has an answer for a file.
  if (!first) return { at: list.getStart(source) + 1, insert: `${NAME}()` };
  const before = text.slice(list.getStart(source) + 1, first.getStart(source));
  const lineBreak = /\r?\n[ \t]*$/.exec(before)?.[0];
  return { at: first.getStart(source), insert: `${NAME}(),${lineBreak ?? " "}` };
}

function importLine(text: string, { statement }: EsbuildImport): string {
  let line = importOf(statement);
  if (statement.includes("'") && !statement.includes('"')) line = line.replaceAll('"', "'");
  if (!statement.trimEnd().endsWith(";")) line = line.slice(0, -1);
  return `${eolOf(text)}${line}`;
}

function eolOf(text: string): string {
  return text.includes("\r\n") ? "\r\n" : "\n";
}

function isText(ts: TypeScript, node: ts.Node, text: string): boolean {
  return ts.isStringLiteralLike(node) && node.text === text;
}

function isRequire(ts: TypeScript, node: ts.Expression, name: string): boolean {
  return (
    ts.isCallExpression(node) &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === "require" &&
    node.arguments[0] !== undefined &&
    isText(ts, node.arguments[0], name)
  );
}

function declares(ts: TypeScript, source: ts.SourceFile, name: string): boolean {
  let found = false;
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && node.text === name) found = true;
    if (!found) ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}
