/**
 * Names for what chunks import from outside.
 *
 * Takes: a specifier, the kind of import and the file that has it. Gives: a request key that the chunk passes to the loader's `require`, and the
 * manifest entry that says how the loader resolves it. Equal imports share one key; keys hold no absolute path.
 */
import * as path from "node:path";
import type { ManifestExternal } from "../../../runtime-ts/src/manifest";
import { portableRelative } from "./paths";

export class Externals {
  readonly #entries = new Map<string, ManifestExternal>();

  constructor(private readonly folder: string) {}

  /**
   * @param from absolute path of the folder that the specifier is resolved from at run time
   * @param lazy true when only a call (`import()`, `require()`) asks for it
   * @param interop see {@link ManifestExternal.interop}
   */
  add(specifier: string, from: string, kind: ManifestExternal["kind"], lazy: boolean, interop?: ManifestExternal["interop"]): string {
    const relative = portableRelative(this.folder, from);
    const request = `${lazy ? "lazy-" : ""}${kind}${interop ? `-${interop}` : ""}:${specifier}${isBuiltin(specifier) ? "" : `@${relative}`}`;
    if (!this.#entries.has(request)) {
      const entry: ManifestExternal = { request, specifier, from: isBuiltin(specifier) ? "." : relative, kind };
      if (lazy) entry.lazy = true;
      if (interop) entry.interop = interop;
      this.#entries.set(request, entry);
    }
    return request;
  }

  get(request: string): ManifestExternal | undefined {
    return this.#entries.get(request);
  }
}

const builtins = new Set(require("node:module").builtinModules as string[]);

export function isBuiltin(specifier: string): boolean {
  return specifier.startsWith("node:") || builtins.has(specifier);
}

/** A package by name (`lodash`, `@scope/name/file`) or by `imports` entry (`#name`), as opposed to a path. */
export function isBareSpecifier(specifier: string): boolean {
  return !specifier.startsWith(".") && !path.isAbsolute(specifier);
}

/** True when one of esbuild's `external` patterns (one `*` at most; a package name covers its subpaths) matches. */
export function matchesExternal(specifier: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const star = pattern.indexOf("*");
    if (star < 0) return specifier === pattern || (isBareSpecifier(pattern) && specifier.startsWith(`${pattern}/`));
    const head = pattern.slice(0, star);
    const tail = pattern.slice(star + 1);
    return specifier.length >= head.length + tail.length && specifier.startsWith(head) && specifier.endsWith(tail);
  });
}
