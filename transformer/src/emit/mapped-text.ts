/**
 * Small edits of generated text that keep its source map right.
 *
 * Takes: text, its decoded mappings, and non-overlapping edits within single lines whose replacement has no line break. Gives both, changed.
 */

/** `[column]` or `[column, source, line, sourceColumn]` or that with a name index; all from 0. */
export type Segment = [number] | [number, number, number, number] | [number, number, number, number, number];

export interface TextEdit {
  /** Offsets in the text. */
  start: number;
  end: number;
  text: string;
}

export function editMapped(
  text: string,
  mappings: readonly Segment[][],
  edits: readonly TextEdit[],
): { text: string; mappings: Segment[][] } {
  if (edits.length === 0) return { text, mappings: mappings as Segment[][] };
  const sorted = [...edits].sort((a, b) => a.start - b.start);
  const starts = lineStarts(text);
  const result = mappings.slice();
  let output = "";
  let at = 0;
  let line = 0;
  let next = 0;
  while (next < sorted.length) {
    while (line + 1 < starts.length && starts[line + 1] <= sorted[next].start) line++;
    const shifts: { from: number; to: number; by: number }[] = [];
    while (next < sorted.length && (line + 1 >= starts.length || sorted[next].start < starts[line + 1])) {
      const edit = sorted[next++];
      output += text.slice(at, edit.start) + edit.text;
      at = edit.end;
      shifts.push({ from: edit.start - starts[line], to: edit.end - starts[line], by: edit.text.length - (edit.end - edit.start) });
    }
    const segments = mappings[line];
    if (segments) result[line] = segments.map((segment) => shifted(segment, shifts));
  }
  return { text: output + text.slice(at), mappings: result };
}

function shifted(segment: Segment, shifts: readonly { from: number; to: number; by: number }[]): Segment {
  let by = 0;
  for (const shift of shifts) {
    if (segment[0] >= shift.to) by += shift.by;
    else if (segment[0] > shift.from) return [shift.from + by, ...segment.slice(1)] as Segment;
    else break;
  }
  return by === 0 ? segment : ([segment[0] + by, ...segment.slice(1)] as Segment);
}

export function lineStarts(text: string): number[] {
  const starts = [0];
  for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) starts.push(i + 1);
  return starts;
}
