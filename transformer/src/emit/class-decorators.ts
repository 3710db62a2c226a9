/**
 * Classes with standard (TC39) decorators of their own, where TypeScript compiles the program.
 *
 * esbuild's lowering differs there: it evaluates static fields and blocks before the class's decorators, and inside the class its name stays the class that
 * was written when a decorator gives another. Takes: a slice module. Gives: the module as TypeScript compiles it, so that it means what the program means.
 */
import type * as ts from "typescript";
import type { SliceModule, TypeScript } from "../core";
import { composed, type RawMap, takeMap, withMap, withTextBefore } from "./inline-maps";
import type { BundleOptions } from "./options";

/** `import x = require("y")`, which the slicer writes into the first line: esbuild alone keeps it as it is. */
const IMPORT_EQUALS = /\bimport [\w$]+ = require\("[^"\n]*"\);/g;

/**
 * @param source the module's file relative to the root, with `/`
 */
export async function withClassDecorators(
  ts: () => TypeScript,
  module: SliceModule,
  source: string,
  options: BundleOptions,
): Promise<SliceModule> {
  if (module.decoratesClasses !== true || options.standardDecorators !== "typescript") return module;
  const compiler = ts();
  const { text, map } = takeMap(module.contents);
  const imports = text.match(IMPORT_EQUALS) ?? [];
  const { outputText, sourceMapText } = compiler.transpileModule(
    text.replace(IMPORT_EQUALS, (found) => " ".repeat(found.length)),
    {
      fileName: module.loader.endsWith("x") ? "slice.tsx" : "slice.ts",
      compilerOptions: {
        target: compiler.ScriptTarget.ES2022,
        module: compiler.ModuleKind.ESNext,
        jsx: compiler.JsxEmit.Preserve,
        verbatimModuleSyntax: true,
        useDefineForClassFields: fieldsAreDefined(options),
        sourceMap: true,
      } satisfies ts.CompilerOptions,
    },
  );
  const written = { ...(JSON.parse(sourceMapText as string) as RawMap), sources: [source] };
  const code = outputText.replace(/\n\/\/# sourceMappingURL=\S*\s*$/, "\n");
  const contents = withMap(code, composed(written, map));
  return { ...module, contents: imports.length === 0 ? contents : await withTextBefore(contents, imports.join(" "), source) };
}

function fieldsAreDefined({ host: { tsconfigRaw } }: BundleOptions): boolean | undefined {
  return typeof tsconfigRaw === "object" ? tsconfigRaw.compilerOptions?.useDefineForClassFields : undefined;
}
