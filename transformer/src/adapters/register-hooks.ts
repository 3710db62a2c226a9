/**
 * Node's module hooks for sources.
 *
 * Takes: specifiers and URLs as Node asks. Gives: the source that a specifier means, and JavaScript for it. CommonJS is left to `require` (register-require.ts),
 * so that one file is one module whoever asks for it; an ES module that imports it gets a module with its names.
 */
import { fileURLToPath, pathToFileURL } from "node:url";
import { isBareSpecifier } from "../emit/externals";
import { compilerFor, isForeign, isTypeScript } from "./register-compile";
import type { Report } from "./register-watch";

interface ResolveContext {
  parentURL?: string;
  conditions?: string[];
}

type Next = (...args: unknown[]) => unknown;

/** `resolve` and `load` as `registerHooks` takes them; what `next` gives may be a promise in the hooks thread, and is passed on. */
export function hooks(
  entry: string | undefined,
  report: Report | undefined,
): {
  resolve(specifier: string, context: object, next: Next): unknown;
  load(url: string, context: object, next: Next): unknown;
} {
  const compiler = compilerFor(entry, report);
  const entries = new Set<string>();
  return {
    resolve(specifier, context, next) {
      const { parentURL } = context as ResolveContext;
      const file = sourceOf(specifier, parentURL);
      if (file === undefined) return next(specifier, context);
      const url = pathToFileURL(file.path).href + file.suffix;
      if (!compiler.isOurs(file.path)) return next(url, context);
      if (parentURL === undefined) entries.add(url);
      return { url, format: compiler.format(file.path), shortCircuit: true };
    },
    load(url, context, next) {
      const file = url.startsWith("file:") ? fileURLToPath(url) : undefined;
      if (file === undefined || isForeign(file) || !compiler.isOurs(file)) return next(url, context);
      const format = compiler.format(file);
      if (format === "module") return { format, source: compiler.compile(file).code, shortCircuit: true };
      if (entries.has(url)) return { format: "commonjs", source: null, shortCircuit: true };
      return { format: "module", source: wrapper(file, compiler.exportNames(file)), shortCircuit: true };
    },
  };

  /** The source that a specifier means, if it is for this program's sources to say. */
  function sourceOf(specifier: string, parentURL: string | undefined): { path: string; suffix: string } | undefined {
    const suffix = /[?#].*$/.exec(specifier)?.[0] ?? "";
    const plain = specifier.slice(0, specifier.length - suffix.length);
    if (parentURL === undefined) {
      const file = plain.startsWith("file:") ? fileURLToPath(plain) : undefined;
      return file !== undefined && isTypeScript(file) ? { path: file, suffix } : undefined;
    }
    if (!parentURL.startsWith("file:")) return undefined;
    const parent = fileURLToPath(parentURL);
    if (isForeign(parent)) return undefined;
    const found = compiler.find(plain.startsWith("file:") ? fileURLToPath(plain) : plain, parent);
    // By `paths` of the tsconfig file, what Node would not find.
    return found !== undefined && (compiler.isOurs(found) || isBareSpecifier(plain)) ? { path: found, suffix } : undefined;
  }
}

/** A CommonJS module as Node shows it to ES modules: `default` is `module.exports`, and each name that it is seen to export. */
function wrapper(file: string, names: readonly string[]): string {
  const lines = [
    `import { createRequire } from "node:module";`,
    `const value = createRequire(import.meta.url)(${JSON.stringify(file)});`,
    "export default value;",
  ];
  names
    .filter((name) => name !== "default")
    .forEach((name, index) =>
      lines.push(`const name${index} = value[${JSON.stringify(name)}];`, `export { name${index} as ${JSON.stringify(name)} };`),
    );
  return lines.join("\n");
}
