/** `require` of sources: the handlers of file extensions, and the places of what a specifier means. */
import * as nodeModule from "node:module";
import * as path from "node:path";
import { isBareSpecifier } from "../emit/externals";
import { compilerFor, isForeign, isTypeScript, TYPESCRIPT_EXTENSIONS } from "./register-compile";
import type { Report } from "./register-watch";

interface CommonJsModule {
  filename?: string;
  _compile(code: string, file: string, format?: string): unknown;
}

type Handler = (module: CommonJsModule, file: string) => void;

interface ModuleInternals {
  _extensions: Record<string, Handler>;
  _resolveFilename(request: string, parent: CommonJsModule | undefined, ...rest: unknown[]): string;
}

export function installRequire(entry: string | undefined, report: Report | undefined): void {
  const compiler = compilerFor(entry, report);
  const internals = nodeModule as unknown as ModuleInternals & { default?: ModuleInternals; Module?: ModuleInternals };
  const Module = internals.Module ?? internals.default ?? internals;
  const plain = Module._extensions[".js"];

  const handler: Handler = (module, file) => {
    if (isForeign(file)) {
      if (isTypeScript(file)) throw new Error(`makeparallel/register does not compile packages, and ${file} is TypeScript.`);
      return plain(module, file);
    }
    if (!compiler.isOurs(file)) return plain(module, file);
    const { code, format } = compiler.compile(file);
    // With the third argument, Node loads an ES module for `require`, where it can.
    module._compile(code, file, format);
  };
  for (const extension of [...TYPESCRIPT_EXTENSIONS, ".js", ".cjs", ".jsx"]) Module._extensions[extension] = handler;

  const resolveFilename = Module._resolveFilename;
  Module._resolveFilename = function (this: unknown, request, parent, ...rest) {
    const from = parent?.filename;
    if (from !== undefined && path.isAbsolute(from) && !isForeign(from)) {
      const found = compiler.find(request, from);
      // By `paths` of the tsconfig file, what Node would not find.
      if (found !== undefined && (isTypeScript(found) || isBareSpecifier(request))) return found;
    }
    return resolveFilename.call(this, request, parent, ...rest);
  };
}
