/**
 * Diagnostics as text, for hosts that have no printer of their own.
 *
 * Takes a diagnostic and the files' texts. Gives the code and message, the place with its lines of source, related places, and the way out.
 */
import * as path from "node:path";
import type { Diagnostic, Position } from "../core";

export interface RenderOptions {
  /** Paths are shown relative to it. */
  root: string;
  /** Text of a file, for the code frame; without it only the place is named. */
  read(file: string): string | undefined;
  /** With terminal colours. */
  color?: boolean;
}

/** Lines shown before the one that the diagnostic is about. */
const LINES_BEFORE = 2;
const TAB = "    ";

export function renderDiagnostic(diagnostic: Diagnostic, options: RenderOptions): string {
  const paint = painter(options.color ?? false);
  const { severity, code, message, at, related, fix } = diagnostic;
  const lines = [`${paint(severity, `${severity} ${code}`)}: ${message}`, ...frame(at, options, "-->", paint)];
  for (const place of related) lines.push(`  ${paint("dim", "note")}: ${place.message}`, ...frame(place.at, options, "-->", paint));
  if (fix !== "") lines.push(`  ${paint("dim", "fix")}: ${fix}`);
  return lines.join("\n");
}

export function renderDiagnostics(diagnostics: readonly Diagnostic[], options: RenderOptions): string {
  return diagnostics.map((diagnostic) => renderDiagnostic(diagnostic, options)).join("\n\n");
}

/** `file:line:column`, and the source with carets under the place. */
function frame(at: Position, options: RenderOptions, arrow: string, paint: Painter): string[] {
  const file = path.relative(options.root, at.file).split(path.sep).join("/");
  const text = options.read(at.file);
  if (text === undefined) return [`  ${arrow} ${file}`];
  const source = text.split("\n");
  const before = text.slice(0, at.start).split("\n");
  const line = before.length - 1;
  const column = (before[line] as string).length;
  const width = String(line + 1).length;
  const gutter = (label: string): string => paint("dim", `${label.padStart(width)} |`);
  const lines = [`${" ".repeat(width)} ${arrow} ${file}:${line + 1}:${column + 1}`];
  for (let index = Math.max(0, line - LINES_BEFORE); index <= line; index++) {
    lines.push(`${gutter(String(index + 1))} ${expand((source[index] as string).replace(/\r$/, ""))}`.trimEnd());
  }
  const text1 = (source[line] as string).replace(/\r$/, "");
  const length = Math.max(1, Math.min(at.length, text1.length - column));
  lines.push(`${gutter("")} ${" ".repeat(expand(text1.slice(0, column)).length)}${paint("caret", "^".repeat(length))}`);
  return lines;
}

function expand(text: string): string {
  return text.replace(/\t/g, TAB);
}

type Painter = (style: "error" | "warning" | "note" | "dim" | "caret", text: string) => string;

const STYLES = { error: "31;1", warning: "33;1", note: "36;1", dim: "2", caret: "31;1" } as const;

function painter(color: boolean): Painter {
  return color ? (style, text) => `\u001b[${STYLES[style]}m${text}\u001b[0m` : (_style, text) => text;
}
