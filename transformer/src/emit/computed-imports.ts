/**
 * `import(name)` and `require(name)` with a computed name, which no bundler can follow.
 *
 * Takes: a slice module. Gives: the module with such calls handed to the loader together with the source file that they stand in, because the name is
 * resolved against that file's emitted counterpart, not against the chunk.
 */
import type * as ts from "typescript";
import type { SliceModule, TypeScript } from "../core";
import { composed, takeMap, withMap } from "./inline-maps";

const MAY_COMPUTE = /\b(?:import|require(?:\s*\.\s*resolve)?)\s*\(\s*(?!["'][^"'\n]*["']\s*[,)])/;

/**
 * @param source the module's file relative to the root, with `/`
 */
export async function withComputedImports(ts: () => TypeScript, module: SliceModule, source: string): Promise<SliceModule> {
  const { text, map } = takeMap(module.contents);
  // The slicer's map names its source by an absolute path, which would get into the hashes of chunk names.
  if (map) {
    map.sources = [source];
    delete map.sourcesContent;
  }
  const edits = MAY_COMPUTE.test(text) ? findCalls(ts(), { ...module, contents: text }) : [];
  if (edits.length === 0) return map ? { ...module, contents: withMap(text, map) } : module;
  const { default: MagicString } = await import("magic-string");
  const output = new MagicString(text);
  for (const { name, callee, end, hasOptions } of edits) {
    output.update(callee.start, callee.end, `__mp_chunk.${name}`);
    if (!hasOptions) output.appendLeft(end, `, ${JSON.stringify(source)}`);
  }
  return { ...module, contents: withMap(output.toString(), composed({ ...output.generateMap({ source, hires: "boundary" }) }, map)) };
}

interface ComputedCall {
  name: "import" | "require" | "resolve";
  callee: { start: number; end: number };
  /** Where the first argument ends. */
  end: number;
  hasOptions: boolean;
}

function findCalls(ts: TypeScript, module: SliceModule): ComputedCall[] {
  const kinds = { ts: ts.ScriptKind.TS, tsx: ts.ScriptKind.TSX, js: ts.ScriptKind.JS, jsx: ts.ScriptKind.JSX };
  const file = ts.createSourceFile("slice.ts", module.contents, ts.ScriptTarget.ESNext, false, kinds[module.loader]);
  const calls: ComputedCall[] = [];
  let ownRequire = false;
  const visit = (node: ts.Node): void => {
    const { name: declared } = node as Partial<ts.NamedDeclaration>;
    if (declared && ts.isIdentifier(declared) && declared.text === "require" && !ts.isPropertyAccessExpression(node)) ownRequire = true;
    if (ts.isCallExpression(node) && node.arguments.length > 0 && !ts.isStringLiteralLike(node.arguments[0])) {
      const name = calleeName(ts, node.expression);
      if (name) {
        const callee = { start: node.expression.getStart(file), end: node.expression.end };
        calls.push({ name, callee, end: node.arguments[0].end, hasOptions: node.arguments.length > 1 });
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return ownRequire ? calls.filter((call) => call.name === "import") : calls;
}

function calleeName(ts: TypeScript, callee: ts.Expression): ComputedCall["name"] | undefined {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return "import";
  if (ts.isIdentifier(callee)) return callee.text === "require" ? "require" : undefined;
  const isResolve =
    ts.isPropertyAccessExpression(callee) &&
    callee.name.text === "resolve" &&
    ts.isIdentifier(callee.expression) &&
    callee.expression.text === "require";
  return isResolve ? "resolve" : undefined;
}
