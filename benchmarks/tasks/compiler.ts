/** A module that carries a compiler with it: 10 MB of JavaScript once bundled. */
import * as ts from "typescript";

export function transpile(source: string): string {
  return ts.transpileModule(source, { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext } }).outputText;
}
