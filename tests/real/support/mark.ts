/**
 * Marks every function of a source file, as no person would: a stress for the transformer.
 *
 * Takes a file's text. Gives the functions that can carry a mark, and the text with some of them marked: declarations by a tag, methods by the decorator,
 * expressions by the wrapper. Declarations and methods become `async`, because callers of a task get a promise; types are not expected to fit afterwards.
 */
import ts from "typescript";

export type Markable = ts.FunctionDeclaration | ts.MethodDeclaration | ts.ArrowFunction | ts.FunctionExpression;

interface Insertion {
  at: number;
  /** Among insertions at one place, lower comes first. */
  order: number;
  text: string;
}

/** Functions of a file that can carry a mark, in source order; a function's place in the list is its number. */
export function markable(source: ts.SourceFile): Markable[] {
  const found: Markable[] = [];
  const visit = (node: ts.Node): void => {
    if (isMarkable(node)) found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function isMarkable(node: ts.Node): node is Markable {
  if (ts.isArrowFunction(node) || ts.isFunctionExpression(node)) return true;
  if (ts.isFunctionDeclaration(node)) return node.body !== undefined && !overloads(node).some(isPredicate);
  return ts.isMethodDeclaration(node) && node.body !== undefined && ts.isClassLike(node.parent) && !overloads(node).some(isPredicate);
}

function isPredicate(node: ts.SignatureDeclaration): boolean {
  return node.type !== undefined && (ts.isTypePredicateNode(node.type) || node.type.kind === ts.SyntaxKind.ThisType);
}

/** The declaration and the signatures above it. */
function overloads(node: ts.FunctionDeclaration | ts.MethodDeclaration): (ts.FunctionDeclaration | ts.MethodDeclaration)[] {
  const siblings: readonly ts.Node[] = ts.isMethodDeclaration(node)
    ? (node.parent as ts.ClassLikeDeclaration).members
    : ((node.parent as ts.SourceFile | ts.Block).statements ?? [node]);
  return siblings.filter(
    (other): other is ts.FunctionDeclaration | ts.MethodDeclaration =>
      other.kind === node.kind && (other as ts.NamedDeclaration).name?.getText() === node.name?.getText(),
  );
}

/**
 * @param keep which functions, by number, are marked
 * @param ambient text put at the start of the file, on its first line
 */
export function markFile(file: string, text: string, keep: (index: number) => boolean): { text: string; marked: number } {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const insertions: Insertion[] = [];
  let marked = 0;
  markable(source).forEach((node, index) => {
    if (!keep(index)) return;
    marked++;
    if (ts.isArrowFunction(node) || ts.isFunctionExpression(node)) {
      insertions.push({ at: node.getStart(), order: 2, text: "__par(" }, { at: node.end, order: 0, text: ")" });
      return;
    }
    const tag = ts.isFunctionDeclaration(node) ? "/** @parallel */ " : "@__par ";
    insertions.push({ at: node.getStart(), order: 1, text: tag });
    for (const each of overloads(node)) promiseType(each, each === node, insertions);
  });
  if (marked === 0) return { text, marked };
  return {
    text: insert(text, [...insertions, { at: afterShebang(text), order: 0, text: `import { parallel as __par } from "makeparallel"; ` }]),
    marked,
  };
}

/** Makes the declaration `async`, and what its type says it returns a promise. */
function promiseType(node: ts.FunctionDeclaration | ts.MethodDeclaration, hasBody: boolean, insertions: Insertion[]): void {
  const isAsync = node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword) ?? false;
  if (node.asteriskToken !== undefined || isAsync) return;
  if (hasBody) {
    const keyword = node.getChildren().find(({ kind }) => kind === ts.SyntaxKind.FunctionKeyword) ?? node.name;
    insertions.push({ at: keyword!.getStart(), order: 3, text: "async " });
  }
  if (node.type) insertions.push({ at: node.type.getStart(), order: 4, text: "Promise<" }, { at: node.type.end, order: 4, text: ">" });
}

/**
 * Notes which functions run: each begins with `globalThis.__ran?.(file, number)`.
 */
export function probeFile(file: string, text: string): string {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const insertions: Insertion[] = [];
  markable(source).forEach((node, index) => {
    const probe = `globalThis.__ran?.(${JSON.stringify(file)}, ${index})`;
    const body = node.body as ts.ConciseBody;
    if (ts.isBlock(body)) insertions.push({ at: body.getStart() + 1, order: 2, text: `${probe};` });
    else insertions.push({ at: body.getStart(), order: 1, text: `(${probe}, ` }, { at: body.end, order: 0, text: ")" });
  });
  return insert(text, insertions);
}

function afterShebang(text: string): number {
  return /^#!.*\n?/.exec(text)?.[0].length ?? 0;
}

function insert(text: string, insertions: readonly Insertion[]): string {
  let output = "";
  let cursor = 0;
  for (const insertion of [...insertions].sort((a, b) => a.at - b.at || a.order - b.order)) {
    output += text.slice(cursor, insertion.at) + insertion.text;
    cursor = insertion.at;
  }
  return output + text.slice(cursor);
}
