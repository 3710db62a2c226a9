/**
 * Assembles a slice module's text from parts of its original file.
 *
 * Takes mapped ranges, edits inside them and generated text, in output order. Gives text in which every mapped range stands at its original line and column
 * (blanks fill the rest), so that it needs no source map. Where generated text is too long for its place, the text ends with an inline map.
 */
import type { Edit } from "../core";

/** A range that moves with edits of its own. */
export interface MovedPart {
  start: number;
  end: number;
  edits?: readonly Edit[];
}

/** `from`: the original's position. `at`: generated text that stands for what is there. */
type Piece = { text: string; from: number } | { text: string; from: undefined; at?: number };

export class SliceText {
  private readonly pieces: Piece[] = [];

  /**
   * @param text the original file
   * @param edits apply wherever they lie inside a kept range; sorted, outer before inner
   */
  constructor(
    private readonly text: string,
    private readonly edits: readonly Edit[],
  ) {}

  generated(text: string): this {
    if (text !== "") this.pieces.push({ text, from: undefined });
    return this;
  }

  /** Keeps `[start, end)` of the original, with the edits in it applied. */
  keep(start: number, end: number, edits: readonly Edit[] = this.edits): this {
    const inside = edits.filter((edit) => edit.start >= start && edit.end <= end);
    let cursor = start;
    for (const edit of inside) {
      if (edit.start < cursor) continue; // inside a range that an outer edit has already placed or removed
      this.original(cursor, edit.start);
      edit.parts.forEach((part, index) => {
        if (typeof part !== "string") this.keep(part.start, part.end, (part as MovedPart).edits ?? edits.filter((other) => other !== edit));
        else this.pieces.push({ text: part, from: undefined, at: index === 0 && edit.start < edit.end ? edit.start : undefined });
      });
      cursor = edit.end;
    }
    return this.original(cursor, end);
  }

  /** Writes generated text and moved ranges. */
  parts(parts: readonly (string | MovedPart)[]): this {
    for (const part of parts) {
      if (typeof part === "string") this.generated(part);
      else this.keep(part.start, part.end, part.edits);
    }
    return this;
  }

  private original(start: number, end: number): this {
    if (start < end) this.pieces.push({ text: this.text.slice(start, end), from: start });
    return this;
  }

  /**
   * @param tail appended after everything, without positions
   * @param source what the map names, if one is needed
   */
  build(tail: string, source: string): string {
    const lineStarts = lineStartsOf(this.text);
    const output = new Output();
    let exact = true;
    for (const piece of this.pieces) {
      if (piece.from === undefined) {
        if (piece.at !== undefined) {
          const line = lineAt(lineStarts, piece.at);
          output.mark(line, piece.at - (lineStarts[line] as number));
        }
        output.write(piece.text);
        continue;
      }
      // Leading blanks of a range need no place of their own.
      const lead = /^\s*/.exec(piece.text)?.[0].length ?? 0;
      const from = piece.from + lead;
      const text = piece.text.slice(lead);
      if (text === "") {
        // A line's end may be what ends a statement: what comes next may be generated, and would otherwise follow on the same line.
        if (lead > 0) output.write(piece.text.includes("\n") ? "\n" : " ");
        continue;
      }
      const line = lineAt(lineStarts, from);
      const column = from - (lineStarts[line] as number);
      const needsBlank = lead > 0 && output.line === line && output.column >= column;
      const joins = !piece.text.slice(0, lead).includes("\n") && mustShareLine(output.text, text);
      if (output.line < line && !joins) output.write("\n".repeat(line - output.line));
      if (output.line === line && output.column < column) output.write(" ".repeat(column - output.column));
      else if (needsBlank || (joins && lead > 0)) output.write(" ");
      if (output.line !== line || output.column !== column) {
        // A lone bracket has no place that anyone would ask for.
        if (!/^[\s)}\];,]*$/.test(text)) exact = false;
      }
      output.mapped(text, line, column);
    }
    const end = tail === "" ? "" : `\n${tail}`;
    const contents = `${output.text}${end}\n`;
    if (exact) return contents;
    const map = { version: 3, sources: [source], names: [], mappings: output.mappings() };
    const encoded = Buffer.from(JSON.stringify(map)).toString("base64");
    return `${contents}//# sourceMappingURL=data:application/json;base64,${encoded}\n`;
  }
}

/** Whether a line's end between the two would change what they mean: what stands here in one line in the source stands below a task that was replaced by less. */
function mustShareLine(before: string, after: string): boolean {
  return /^(?:(?:as|satisfies)\b|=>|\+\+|--|!(?!=))/.test(after) || /\b(?:return|throw|yield|async)[ \t]*$/.test(before.slice(-12));
}

class Output {
  text = "";
  line = 0;
  column = 0;
  private readonly segments: number[][][] = [[]];

  write(text: string): void {
    this.text += text;
    const last = text.lastIndexOf("\n");
    if (last < 0) {
      this.column += text.length;
      return;
    }
    for (let index = text.indexOf("\n"); index >= 0; index = text.indexOf("\n", index + 1)) {
      this.line++;
      this.segments.push([]);
    }
    this.column = text.length - last - 1;
  }

  /** What is written next stands for this place. */
  mark(line: number, column: number): void {
    (this.segments[this.line] as number[][]).push([this.column, line, column]);
  }

  /** Writes a piece of the original that starts at `line` and `column`, with a mapping for each word in it. */
  mapped(text: string, line: number, column: number): void {
    const words = /\n|[\p{ID_Continue}$]+|[^\s\p{ID_Continue}$]/gu;
    let sourceLine = line;
    let sourceColumn = column;
    let done = 0;
    for (let match = words.exec(text); match; match = words.exec(text)) {
      const before = text.slice(done, match.index);
      this.write(before);
      sourceColumn += before.length;
      if (match[0] === "\n") {
        this.write("\n");
        sourceLine++;
        sourceColumn = 0;
      } else {
        (this.segments[this.line] as number[][]).push([this.column, sourceLine, sourceColumn]);
        this.write(match[0]);
        sourceColumn += match[0].length;
      }
      done = match.index + match[0].length;
    }
    this.write(text.slice(done));
  }

  mappings(): string {
    let sourceLine = 0;
    let sourceColumn = 0;
    return this.segments
      .map((segments) => {
        let column = 0;
        return segments
          .map((segment) => {
            const [toColumn, line, fromColumn] = segment as [number, number, number];
            const encoded = vlq(toColumn - column) + vlq(0) + vlq(line - sourceLine) + vlq(fromColumn - sourceColumn);
            column = toColumn;
            sourceLine = line;
            sourceColumn = fromColumn;
            return encoded;
          })
          .join(",");
      })
      .join(";");
  }
}

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Base64 VLQ, as source maps use it. */
function vlq(value: number): string {
  let rest = value < 0 ? (-value << 1) | 1 : value << 1;
  let text = "";
  do {
    let digit = rest & 31;
    rest >>>= 5;
    if (rest > 0) digit |= 32;
    text += DIGITS[digit];
  } while (rest > 0);
  return text;
}

function lineStartsOf(text: string): number[] {
  const starts = [0];
  for (let index = text.indexOf("\n"); index >= 0; index = text.indexOf("\n", index + 1)) starts.push(index + 1);
  return starts;
}

function lineAt(starts: readonly number[], position: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((starts[middle] as number) <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Applies edits to the text: what a host that works on text does with the program's own file, and what tests look at. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  return textOfRange(text, edits, 0, text.length);
}

/** `[start, end)` with the edits that lie in it applied. */
export function textOfRange(text: string, edits: readonly Edit[], start: number, end: number): string {
  let output = "";
  let cursor = start;
  for (const edit of edits.filter((candidate) => candidate.start >= start && candidate.end <= end)) {
    if (edit.start < cursor) continue;
    output += text.slice(cursor, edit.start);
    const others = edits.filter((other) => other !== edit);
    for (const part of edit.parts) output += typeof part === "string" ? part : textOfRange(text, others, part.start, part.end);
    cursor = edit.end;
    // A name that leaves an import takes its comma along.
    if (edit.kind === "remove" && isInList(text, edit)) cursor += (/^\s*,/.exec(text.slice(cursor, end)) ?? [""])[0].length;
  }
  return output + text.slice(cursor, end);
}

function isInList(text: string, edit: Edit): boolean {
  return /[{,]\s*$|\bimport\s+$/.test(text.slice(Math.max(0, edit.start - 200), edit.start)) && /^\s*[,}]/.test(text.slice(edit.end));
}
