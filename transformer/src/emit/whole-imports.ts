/**
 * `import * as f from "f"` without `esModuleInterop`: it is `require("f")` itself, which may be a function, and esbuild would always make a namespace object of
 * it.
 *
 * Takes a slice module. Gives the module with `import f = require("f")` in its place, at the start: esbuild runs that where it stands, while the code above the
 * slice's imports relies on their being hoisted.
 */
import type { SliceModule } from "../core";
import { withTextBefore } from "./inline-maps";

/**
 * @param source the module's file relative to the root, with `/`
 */
export async function withoutInterop(module: SliceModule, source: string): Promise<SliceModule> {
  let { contents } = module;
  const requires: string[] = [];
  for (const statement of module.wholeImports ?? []) {
    // The imports come after all code, which may hold such a line in a template.
    const at = contents.lastIndexOf(statement);
    const parts = /^import \* as (\S+) from (".*");$/.exec(statement);
    if (at < 0 || !parts) continue;
    contents = contents.slice(0, at) + contents.slice(at + statement.length);
    requires.push(`import ${parts[1]} = require(${parts[2]});`);
  }
  return requires.length === 0 ? module : { ...module, contents: await withTextBefore(contents, requires.join(" "), source) };
}
