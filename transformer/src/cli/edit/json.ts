/**
 * Edits in JSON files that people have written: comments, order, indentation, line ends and trailing commas stay.
 *
 * Takes: a text and a change. Gives: the text with that change only. Every result is parsed again and compared with what it has to say; one that says
 * anything else is refused. jsonc-parser finds the places; its own `modify` is not used, because it puts a new property between the last one and the
 * comment behind it.
 */
import { isDeepStrictEqual } from "node:util";
import { createScanner, findNodeAtLocation, type Node, parse, type ParseError, parseTree, SyntaxKind } from "jsonc-parser";

/** An edit that would not say what it should; the file is better left as it is. */
export class UnsafeEditError extends Error {}

type Path = (string | number)[];

const LENIENT = { allowTrailingComma: true, allowEmptyContent: true, disallowComments: false };

/**
 * Puts a new last property into an object, or a new last element into an array.
 * @param at path of the object or array
 * @param key the property's name; undefined for an array
 * @param value as JSON in one line
 */
export function append(text: string, at: Path, key: string | undefined, value: string): string {
  const root = tree(text);
  const parent = at.length === 0 ? root : findNodeAtLocation(root, at);
  if (!parent || parent.type !== (key === undefined ? "array" : "object"))
    throw new UnsafeEditError(`there is no ${key === undefined ? "list" : "object"} ${at.join(".")}`);
  const item = key === undefined ? value : `${JSON.stringify(key)}: ${value}`;
  const result = insertLast(text, parent, item);
  return checked(text, result, (json) => {
    const target = at.reduce<unknown>((part, name) => (part as Record<string | number, unknown>)[name], json);
    const parsed = JSON.parse(value) as unknown;
    if (key === undefined) (target as unknown[]).push(parsed);
    else (target as Record<string, unknown>)[key] = parsed;
  });
}

/** Replaces a value that is there. @param value as JSON in one line */
export function replace(text: string, at: Path, value: string): string {
  const node = findNodeAtLocation(tree(text), at);
  if (!node) throw new UnsafeEditError(`there is no ${at.join(".")}`);
  const result = text.slice(0, node.offset) + value + text.slice(node.offset + node.length);
  return checked(text, result, (json) => {
    const parent = at.slice(0, -1).reduce<unknown>((part, name) => (part as Record<string | number, unknown>)[name], json);
    (parent as Record<string | number, unknown>)[at.at(-1) as string] = JSON.parse(value);
  });
}

function tree(text: string): Node {
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, LENIENT);
  if (errors.length > 0 || !root) throw new UnsafeEditError("it can't be parsed");
  return root;
}

function checked(before: string, after: string, change: (json: unknown) => void): string {
  const errors: ParseError[] = [];
  const expected = parse(before, [], LENIENT) as unknown;
  change(expected);
  const actual = parse(after, errors, LENIENT) as unknown;
  // Duplicate keys and the like: what is read is not what is written.
  if (errors.length > 0 || !isDeepStrictEqual(actual, expected))
    throw new UnsafeEditError("it could not be edited without changing something else");
  return after;
}

function insertLast(text: string, parent: Node, item: string): string {
  const children = parent.children ?? [];
  const last = children.at(-1);
  const close = parent.offset + parent.length - 1;
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  const unit = indentUnit(text);
  const inner = indentOf(text, parent.offset) + unit;
  if (!last) {
    const inside = text.slice(parent.offset + 1, close);
    // Comments in an object that is otherwise empty stay, above the new property.
    if (inside.trim() !== "")
      return splice(
        text,
        close - (/\s*$/.exec(inside) as RegExpExecArray)[0].length,
        close,
        `${eol}${inner}${item}${eol}${indentOf(text, parent.offset)}`,
      );
    if (inside.includes("\n") || parent.type === "object")
      return splice(text, parent.offset + 1, close, `${eol}${inner}${item}${eol}${indentOf(text, parent.offset)}`);
    return splice(text, parent.offset + 1, close, item);
  }
  const lastEnd = last.offset + last.length;
  const { commaEnd, lineEnd } = trailer(text, lastEnd, close);
  const onLines = text.slice(parent.offset, last.offset).includes("\n");
  if (!onLines) {
    const spaced =
      /^\s/.test(text.slice(children.length > 1 ? (children[0] as Node).offset + (children[0] as Node).length + 1 : parent.offset + 1)) ||
      parent.type === "array";
    return splice(text, commaEnd ?? lastEnd, commaEnd ?? lastEnd, `${commaEnd === undefined ? "," : ""}${spaced ? " " : ""}${item}`);
  }
  const withItem = splice(text, lineEnd, lineEnd, `${eol}${indentOf(text, last.offset)}${item}${commaEnd === undefined ? "" : ","}`);
  return commaEnd === undefined ? splice(withItem, lastEnd, lastEnd, ",") : withItem;
}

/** What follows the last item: a trailing comma, and comments that end on its line. */
function trailer(text: string, from: number, close: number): { commaEnd: number | undefined; lineEnd: number } {
  const scanner = createScanner(text, false);
  scanner.setPosition(from);
  let commaEnd: number | undefined;
  let lineEnd = from;
  for (;;) {
    const kind = scanner.scan();
    const start = scanner.getTokenOffset();
    const end = start + scanner.getTokenLength();
    if (start >= close) break;
    if (kind === SyntaxKind.CommaToken) lineEnd = commaEnd = end;
    else if (kind === SyntaxKind.LineCommentTrivia || (kind === SyntaxKind.BlockCommentTrivia && !text.slice(start, end).includes("\n")))
      lineEnd = end;
    else if (kind !== SyntaxKind.Trivia) {
      // A trailing comma may stand on a line of its own, after comments.
      if (kind !== SyntaxKind.LineBreakTrivia || commaEnd !== undefined || !commaFollows(text, end, close)) break;
    }
  }
  return { commaEnd, lineEnd };
}

function commaFollows(text: string, from: number, close: number): boolean {
  const scanner = createScanner(text, true);
  scanner.setPosition(from);
  return scanner.scan() === SyntaxKind.CommaToken && scanner.getTokenOffset() < close;
}

function indentOf(text: string, offset: number): string {
  const lineStart = text.lastIndexOf("\n", offset - 1) + 1;
  return (/^[ \t]*/.exec(text.slice(lineStart)) as RegExpExecArray)[0];
}

/** One level of indentation: that of the first indented line. */
function indentUnit(text: string): string {
  return /^([ \t]+)["\]}/[{]/m.exec(text)?.[1] ?? "  ";
}

function splice(text: string, start: number, end: number, insert: string): string {
  return text.slice(0, start) + insert + text.slice(end);
}
