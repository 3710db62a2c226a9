/**
 * Classes with standard (TC39) decorators of their own, where TypeScript compiles the program.
 *
 * esbuild's lowering differs there: it evaluates static fields and blocks before the class's decorators, and inside the class its name stays the class that
 * was written when a decorator gives another. Takes: a slice module. Gives: the module as TypeScript compiles it, so that it means what the program means.
 */
import type * as ts from "typescript";
import type { SliceModule, TypeScript } from "../core";
import { INLINE_MAP } from "./computed-imports";
import type { BundleOptions } from "./options";

const remapping = require("@jridgewell/remapping") as (map: unknown, load: () => unknown) => { toString(): string };

/** `import x = require("y")`, which the slicer writes into the first line: esbuild alone keeps it as it is. */
const IMPORT_EQUALS = /\bimport [\w$]+ = require\("[^"\n]*"\);/g;

/**
 * @param source the module's file relative to the root, with `/`
 */
export function withClassDecorators(ts: () => TypeScript, module: SliceModule, source: string, options: BundleOptions): SliceModule {
  if (module.decoratesClasses !== true || options.standardDecorators !== "typescript") return module;
  const compiler = ts();
  const inline = INLINE_MAP.exec(module.contents);
  const text = inline ? module.contents.slice(0, inline.index) : module.contents;
  const imports = text.match(IMPORT_EQUALS) ?? [];
  const isJsx = module.loader.endsWith("x");
  const { outputText, sourceMapText } = compiler.transpileModule(
    text.replace(IMPORT_EQUALS, (found) => " ".repeat(found.length)),
    {
      fileName: isJsx ? "slice.tsx" : "slice.ts",
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
  const written = JSON.parse(sourceMapText as string) as { sources: string[] };
  written.sources = [source];
  const inner: unknown = inline && JSON.parse(Buffer.from(inline[1], "base64").toString("utf8"));
  let isFirst = true;
  const map = remapping(written, () => {
    // The slice's own map names the same source; it has no map beneath it.
    const found = isFirst ? inner : null;
    isFirst = false;
    return found;
  });
  const code = outputText.replace(/\n\/\/# sourceMappingURL=\S*\s*$/, "\n");
  const encoded = Buffer.from(map.toString()).toString("base64");
  return { ...module, contents: `${imports.join(" ")}${code}\n//# sourceMappingURL=data:application/json;base64,${encoded}\n` };
}

function fieldsAreDefined({ host: { tsconfigRaw } }: BundleOptions): boolean | undefined {
  return typeof tsconfigRaw === "object" ? tsconfigRaw.compilerOptions?.useDefineForClassFields : undefined;
}
