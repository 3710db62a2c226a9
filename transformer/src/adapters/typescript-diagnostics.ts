/** The core's (and esbuild's) diagnostics as TypeScript's own. */
import * as path from "node:path";
import type * as esbuild from "esbuild";
import type * as ts from "typescript";
import type { Diagnostic, Position, TypeScript } from "../core";
import { fromBundler } from "../emit/messages";

/** TypeScript prints `TS` and a number before each message; ours stand apart from its own, and the text has the real code. */
const CODE_BASE = 990_000;

export function toTypeScript(ts: TypeScript, program: ts.Program, diagnostic: Diagnostic): ts.Diagnostic {
  const { Error, Warning, Message } = ts.DiagnosticCategory;
  const category = diagnostic.severity === "error" ? Error : diagnostic.severity === "warning" ? Warning : Message;
  const code = CODE_BASE + Number(/\d+$/.exec(diagnostic.code)?.[0] ?? 0);
  const end = /[.!?]$/.test(diagnostic.message) ? "" : ".";
  const text = `${diagnostic.code}: ${diagnostic.message}${diagnostic.fix === "" ? "" : `${end} ${diagnostic.fix}`}`;
  return {
    ...place(program, diagnostic.at),
    category,
    code,
    messageText: text,
    relatedInformation: diagnostic.related.map(({ at, message }) => ({
      ...place(program, at),
      category: Message,
      code,
      messageText: message,
    })),
    source: "makeparallel",
  };
}

function place(program: ts.Program, at: Position): Pick<ts.Diagnostic, "file" | "start" | "length"> {
  const file = program.getSourceFile(at.file);
  // Without a file, a position would make the printer fail.
  return file
    ? { file, start: Math.min(at.start, file.text.length), length: at.length }
    : { file: undefined, start: undefined, length: undefined };
}

/** What esbuild found wrong with a chunk. */
export function fromEsbuild(
  ts: TypeScript,
  program: ts.Program,
  root: string,
  message: esbuild.Message,
  category: ts.DiagnosticCategory,
): ts.Diagnostic {
  const { location } = message;
  const file = location ? program.getSourceFile(path.resolve(root, location.file)) : undefined;
  const known = file && location && location.line <= file.getLineStarts().length;
  const start = known ? ts.getPositionOfLineAndCharacter(file, location.line - 1, 0) + location.column : undefined;
  return {
    file: known ? file : undefined,
    start,
    length: known ? Math.max(location.length, 1) : undefined,
    category,
    code: CODE_BASE,
    messageText: `${fromBundler(message.text, category === ts.DiagnosticCategory.Error)}${known || !location ? "" : ` (${location.file}:${location.line})`}`,
    source: "makeparallel",
  };
}
