/** Collects diagnostics: fills the catalogue's texts in, and leaves out what a comment silences. */
import type * as ts from "typescript";
import type { Diagnostic, Position } from "../core";
import { CATALOGUE, type DiagnosticCode, type DiagnosticParameters } from "./catalogue.generated";

export interface Related {
  node: ts.Node;
  message: string;
}

export class Reporter {
  readonly diagnostics: Diagnostic[] = [];
  private readonly seen = new Set<string>();

  /**
   * @param at where it is; the node's file is the one that the diagnostic names
   * @param start when the node's own start is not it
   */
  add<Code extends DiagnosticCode>(
    code: Code,
    at: ts.Node,
    values: DiagnosticParameters[Code],
    related: Related[] = [],
    start?: number,
  ): void {
    const entry = CATALOGUE[code];
    const position = positionOf(at);
    if (start !== undefined) position.start = start;
    const message = fill(entry.message, values);
    const key = `${code}\0${position.file}\0${position.start}\0${message}`;
    if (this.seen.has(key)) return;
    this.seen.add(key);
    const places = [{ node: at, start: position.start }, ...related.map(({ node }) => ({ node, start: node.getStart() }))];
    if (entry.severity !== "error" && places.some((place) => isSilenced(place.node.getSourceFile(), place.start, code))) return;
    this.diagnostics.push({
      code,
      severity: entry.severity,
      message,
      at: position,
      related: related.map(({ node, message: text }) => ({ at: positionOf(node), message: text })),
      fix: fill(entry.fix, values),
    });
  }

  hasErrors(): boolean {
    return this.diagnostics.some((diagnostic) => diagnostic.severity === "error");
  }

  /** By file, place and code. */
  sorted(): Diagnostic[] {
    return [...this.diagnostics].sort(
      (a, b) => (a.at.file < b.at.file ? -1 : a.at.file > b.at.file ? 1 : 0) || a.at.start - b.at.start || (a.code < b.code ? -1 : 1),
    );
  }
}

function positionOf(node: ts.Node): Position {
  const file = node.getSourceFile();
  const start = node.getStart(file);
  return { file: file.fileName, start, length: node.end - start };
}

function fill(template: string, values: object): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = (values as Record<string, unknown>)[name];
    return value === undefined ? whole : String(value);
  });
}

/** `// @parallel-ignore MP2001 MP2002` on the line of the place or of a related one, or alone on the line before it. */
function isSilenced(source: ts.SourceFile, position: number, code: string): boolean {
  const starts = source.getLineStarts();
  const { line } = source.getLineAndCharacterOfPosition(position);
  const textOf = (index: number): string => source.text.slice(starts[index] as number, starts[index + 1] ?? source.text.length);
  const silences = (text: string): boolean => {
    const match = /@parallel-ignore\b([^\n]*)/.exec(text);
    return match !== null && (match[1] as string).includes(code);
  };
  if (silences(textOf(line))) return true;
  return line > 0 && /^\s*(\/\/|\/\*)/.test(textOf(line - 1)) && silences(textOf(line - 1));
}
