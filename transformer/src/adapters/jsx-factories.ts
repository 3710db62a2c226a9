/** What JSX calls by a host's settings, for the core: it has to know which imports the tags of a task stand for. */
import { parseTsconfig } from "get-tsconfig";
import type { HostBuildOptions } from "../emit/options";

interface JsxSettings {
  jsxFactory?: string;
  jsxFragmentFactory?: string;
  reactNamespace?: string;
}

/** First names of the factories in compiler options, and the usual ones. */
export function jsxFactoriesOf({ jsxFactory, jsxFragmentFactory, reactNamespace }: JsxSettings): string[] {
  const named = [jsxFactory, jsxFragmentFactory, reactNamespace].filter((name) => name !== undefined).map((name) => name.split(".")[0]);
  return [...new Set([...named, "React", "h"])];
}

/** The same of esbuild's settings, which may leave the answer to a tsconfig file. */
export function jsxFactoriesOfBuild({ jsxFactory, jsxFragment, tsconfig, tsconfigRaw }: HostBuildOptions): string[] {
  const fromFile = tsconfigRaw === undefined && tsconfig !== undefined ? optionsIn(tsconfig) : {};
  const raw = typeof tsconfigRaw === "string" ? (JSON.parse(tsconfigRaw) as { compilerOptions?: JsxSettings }) : tsconfigRaw;
  const options: JsxSettings = { ...fromFile, ...(raw?.compilerOptions as JsxSettings | undefined) };
  return jsxFactoriesOf({
    jsxFactory: jsxFactory ?? options.jsxFactory,
    jsxFragmentFactory: jsxFragment ?? options.jsxFragmentFactory,
  });
}

function optionsIn(file: string): JsxSettings {
  try {
    return (parseTsconfig(file).compilerOptions ?? {}) as JsxSettings;
  } catch {
    // The host says what is wrong with it.
    return {};
  }
}
