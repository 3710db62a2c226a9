/**
 * Applies the core's edits to a file's text, for hosts that take text.
 *
 * Takes: the text and edits in its coordinates. Gives: new text and a map that is exact to the character.
 */
import type { default as MagicString, SourceMap } from "magic-string" with { "resolution-mode": "import" };
import type { Edit, EditPart } from "../core";

type MagicStringClass = typeof MagicString;

export async function editText(text: string, file: string, edits: readonly Edit[]): Promise<{ text: string; map: SourceMap }> {
  // An ES module.
  const { default: Text } = await import("magic-string");
  return edited(Text, text, file, edits);
}

/** The same for hosts that can't wait: Node 20.19 and later load an ES module by `require` as well. */
export function editTextSync(text: string, file: string, edits: readonly Edit[]): { text: string; map: SourceMap } {
  const { default: Text } = require("magic-string") as { default: MagicStringClass };
  return edited(Text, text, file, edits);
}

function edited(Text: MagicStringClass, text: string, file: string, edits: readonly Edit[]): { text: string; map: SourceMap } {
  const output = apply(Text, text, edits);
  return { text: output.toString(), map: output.generateMap({ source: file, hires: true, includeContent: true }) };
}

function apply(Text: MagicStringClass, text: string, edits: readonly Edit[]): MagicString {
  const output = new Text(text);
  let removedTo = 0;
  for (const edit of edits) {
    if (edit.kind === "remove") removedTo = remove(output, text, edit, removedTo);
    else if (edit.start === edit.end) output.appendRight(edit.start, edit.parts.map((part) => textOf(Text, part, text, edits)).join(""));
    else replace(Text, output, text, edit, edits);
  }
  return output;
}

/** What a replacement keeps stays where it is, so that other edits and the map apply to it; the text around it changes. */
function replace(Text: MagicStringClass, output: MagicString, text: string, edit: Edit, edits: readonly Edit[]): void {
  let at = edit.start;
  let pending = "";
  for (const part of edit.parts) {
    if (typeof part === "string") {
      pending += part;
    } else if (part.start >= at && part.end <= edit.end) {
      fill(output, at, part.start, pending, false);
      pending = "";
      at = part.end;
    } else {
      pending += textOf(Text, part, text, edits);
    }
  }
  fill(output, at, edit.end, pending, true);
}

function fill(output: MagicString, start: number, end: number, text: string, closing: boolean): void {
  if (start < end) output.update(start, end, text);
  else if (text === "") return;
  // An inner edit that ends at the same place comes later, but its text goes first.
  else if (closing) output.prependLeft(start, text);
  else output.appendRight(start, text);
}

/** Text of a part that moves from elsewhere, with the edits inside it. */
function textOf(Text: MagicStringClass, part: EditPart, text: string, edits: readonly Edit[]): string {
  if (typeof part === "string") return part;
  const inside = edits.filter((edit) => edit.start >= part.start && edit.end <= part.end);
  if (inside.length === 0) return text.slice(part.start, part.end);
  const shift = (position: number): number => position - part.start;
  const shifted = inside.map((edit) => ({
    ...edit,
    start: shift(edit.start),
    end: shift(edit.end),
    parts: edit.parts.map((inner) => (typeof inner === "string" ? inner : { start: shift(inner.start), end: shift(inner.end) })),
  }));
  return apply(Text, text.slice(part.start, part.end), shifted).toString();
}

/**
 * An element of a list goes with one comma.
 *
 * @param removedTo where the last removal ended
 * @returns where this one ends
 */
function remove(output: MagicString, text: string, edit: Edit, removedTo: number): number {
  let { start, end } = edit;
  const next = afterTrivia(text, end);
  if (text[next] === ",") {
    end = next + 1;
  } else if (text[next] === "}" && isListElement(text.slice(start, end))) {
    const comma = text.slice(removedTo, start).search(/,\s*$/);
    if (comma >= 0) start = removedTo + comma;
  }
  output.update(start, end, "");
  return end;
}

/** `a`, `a as b`, `type a`: not a decorator and not a whole declaration, which may stand before `}` as well. */
function isListElement(text: string): boolean {
  return /^[\p{ID_Start}$_"']/u.test(text) && !/^import\b(?!\s+as\b)/.test(text) && !text.endsWith(";");
}

function afterTrivia(text: string, at: number): number {
  const match = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
  match.lastIndex = at;
  match.exec(text);
  return match.lastIndex;
}
