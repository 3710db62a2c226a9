/** Compiles a folder with `tsc`'s API, with and without the plugin. */
import * as fs from "node:fs";
import * as path from "node:path";
import ts from "typescript";
import transformer, { type PluginConfig } from "../../../dist/transformer/src/adapters/typescript";

export interface Compiled {
  /** By path. */
  outputs: Map<string, string>;
  /** Errors of the plugin. */
  errors: ts.Diagnostic[];
  program: ts.Program;
}

/**
 * @param plugin undefined: plain `tsc`
 */
export function compile(files: readonly string[], options: ts.CompilerOptions, plugin: PluginConfig | undefined, write = false): Compiled {
  const host = ts.createCompilerHost(options);
  const program = ts.createProgram({ rootNames: [...files], options, host });
  const outputs = new Map<string, string>();
  const errors: ts.Diagnostic[] = [];
  const before = plugin && [transformer(program, plugin, { ts, addDiagnostic: (diagnostic) => void errors.push(diagnostic) })];
  program.emit(
    undefined,
    (file, text) => {
      outputs.set(path.resolve(file), text);
      if (!write) return;
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, text);
    },
    undefined,
    false,
    before && { before },
  );
  return { outputs, errors, program };
}
