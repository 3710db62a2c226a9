/**
 * Makes esbuild's `keepNames` free where it is not needed.
 *
 * With `keepNames` esbuild wraps each named closure as `const f = __name((x) => …, "f")`, which defines a property whenever the closure is made: in
 * a task's inner loop that costs more than the closure, and profiles, which go by the syntax, show it without a name. Yet only renamed functions need
 * it. Takes: a chunk's text as esbuild printed it. Gives: edits that unwrap every closure which gets the same name from the syntax, and a `__name`
 * that does nothing when the name is already right.
 */
import type { TypeScript } from "../core";
import type { TextEdit } from "./mapped-text";

const HELPER = `var __name = (target, value) => __defProp(target, "name", { value, configurable: true });`;
const CHEAP_HELPER = `var __name = (target, value) => target.name === value ? target : __defProp(target, "name", { value, configurable: true });`;

export function cheapNames(ts: TypeScript, text: string): TextEdit[] {
  const edits: TextEdit[] = [];
  const helper = text.indexOf(HELPER);
  if (helper >= 0) edits.push({ start: helper, end: helper + HELPER.length, text: CHEAP_HELPER });
  if (!text.includes("/* @__PURE__ */ __name(")) return edits;

  const file = ts.createSourceFile(
    "chunk.mjs",
    text,
    { languageVersion: ts.ScriptTarget.ESNext, jsDocParsingMode: ts.JSDocParsingMode?.ParseNone },
    false,
    ts.ScriptKind.JS,
  );
  const visit = (node: import("typescript").Node, givenName: string | undefined): void => {
    if (givenName !== undefined && ts.isCallExpression(node) && isNameCall(ts, node, givenName)) {
      const [target, name] = node.arguments;
      const start = node.getFullStart() + leadingSpace(text, node.getFullStart());
      edits.push({ start, end: target.getStart(file), text: "" }, { start: target.end, end: node.end, text: "" });
      visit(target, undefined);
      void name;
      return;
    }
    ts.forEachChild(node, (child) => visit(child, nameGivenTo(ts, node, child)));
  };
  visit(file, undefined);
  return edits;
}

/** The name that `child`, an anonymous function, would get from standing where it stands. */
function nameGivenTo(ts: TypeScript, parent: import("typescript").Node, child: import("typescript").Node): string | undefined {
  if ((ts.isVariableDeclaration(parent) || ts.isPropertyDeclaration(parent)) && parent.initializer === child) {
    return ts.isIdentifier(parent.name) ? parent.name.text : undefined;
  }
  if (ts.isPropertyAssignment(parent) && parent.initializer === child) {
    // `{ "__proto__": … }` is no property.
    const { name } = parent;
    return (ts.isIdentifier(name) || ts.isStringLiteral(name)) && name.text !== "__proto__" ? name.text : undefined;
  }
  if (ts.isBinaryExpression(parent) && parent.right === child && parent.operatorToken.kind === ts.SyntaxKind.EqualsToken) {
    return ts.isIdentifier(parent.left) ? parent.left.text : undefined;
  }
  return undefined;
}

function isNameCall(ts: TypeScript, call: import("typescript").CallExpression, name: string): boolean {
  if (!ts.isIdentifier(call.expression) || call.expression.text !== "__name" || call.arguments.length !== 2) return false;
  const [target, value] = call.arguments;
  if (!ts.isStringLiteral(value) || value.text !== name) return false;
  // A parenthesis or anything else around it would take the name away.
  return ts.isArrowFunction(target) || ((ts.isFunctionExpression(target) || ts.isClassExpression(target)) && target.name === undefined);
}

function leadingSpace(text: string, at: number): number {
  let space = 0;
  while (/\s/.test(text[at + space] ?? "")) space++;
  return space;
}
