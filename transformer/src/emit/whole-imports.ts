/**
 * `import * as x` where CommonJS that TypeScript has emitted gives something else than esbuild.
 *
 * Takes a slice module. Gives the module with other imports in the place of these:
 * - Without `esModuleInterop`, `import * as f from "f"` is `require("f")` itself, which may be a function, and esbuild would always make a namespace object of
 *   it. Put at the start: esbuild runs `import f = require("f")` where it stands, while the code above the slice's imports relies on their being hoisted.
 * - With it, `import * as list from "./list.json"` has all that the value has, the elements and the length of an array too; esbuild gives only `default` then.
 */
import type { SliceModule } from "../core";
import { withTextBefore } from "./inline-maps";

/** @param source the module's file relative to the root, with `/` */
export async function withoutInterop(module: SliceModule, source: string): Promise<SliceModule> {
  return replaced(module, source, (name, specifier) => ({ before: `import ${name} = require(${specifier});`, imported: "" }));
}

/** @param source as for {@link withoutInterop} */
export async function withWholeJson(module: SliceModule, source: string): Promise<SliceModule> {
  return replaced(module, source, (name, specifier) =>
    specifier.endsWith('.json"')
      ? {
          before: `var ${name} = ${NAMESPACE}(__mp_json_${name});`,
          imported: `import __mp_json_${name} from ${specifier};`,
          helper: NAMESPACE_TEXT,
        }
      : undefined,
  );
}

const NAMESPACE = "__mp_namespace";
/** As TypeScript's helper `__importStar`. */
const NAMESPACE_TEXT = `function ${NAMESPACE}(value) { const all = {}; if (value != null) for (const key of Object.getOwnPropertyNames(value)) if (key !== "default") all[key] = value[key]; all.default = value; return all; }`;

interface Replacement {
  /** Comes first of all in the module. */
  readonly before: string;
  /** Comes where the import stood. */
  readonly imported: string;
  /** What `before` calls. */
  readonly helper?: string;
}

async function replaced(
  module: SliceModule,
  source: string,
  replacement: (name: string, specifier: string) => Replacement | undefined,
): Promise<SliceModule> {
  let { contents } = module;
  const before: string[] = [];
  const helpers = new Set<string>();
  for (const statement of module.wholeImports ?? []) {
    // The imports come after all code, which may hold such a line in a template.
    const at = contents.lastIndexOf(statement);
    const parts = /^import \* as (\S+) from (".*");$/.exec(statement);
    const found = parts && at >= 0 ? replacement(parts[1] as string, parts[2] as string) : undefined;
    if (!found) continue;
    contents = contents.slice(0, at) + found.imported + contents.slice(at + statement.length);
    before.push(found.before);
    if (found.helper) helpers.add(found.helper);
  }
  if (before.length === 0) return module;
  // Functions are hoisted, so the helper may stand in the same line as its calls.
  return { ...module, contents: await withTextBefore(contents, [...before, ...helpers].join(" "), source) };
}
