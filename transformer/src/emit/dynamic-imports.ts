/**
 * What `import()` in chunks is.
 *
 * Takes what esbuild says of a build. Gives, for each output, what of the loader stands for `import` there, by the specifier. Of a chunk that is a CommonJS module esbuild
 * gives nothing but `default`, while most bundles, and Node itself, give its names as well: the loader then makes the namespace, by the rules of the module that imports.
 */
import * as path from "node:path";
import type * as esbuild from "esbuild";
import { isNodeModule } from "../adapters/project-files";
import type { BundleOptions } from "./options";
import { formatOf } from "./slice-plugin";

type Output = esbuild.Metafile["outputs"][string];

/** What esbuild makes of an entry that is a CommonJS module. */
const WHOLE = /^export default require_[\w$]+\(\);$/m;

export class DynamicImports {
  /** By output: the CommonJS module that it is. */
  readonly #whole = new Map<string, string>();
  /** By output: the module with ES syntax that it is, which Node loads as CommonJS. */
  readonly #compiled = new Map<string, string>();

  constructor(
    private readonly metafile: esbuild.Metafile,
    outputs: Record<string, Output>,
    files: ReadonlyMap<string, { text: string }>,
    private readonly options: BundleOptions,
    private readonly fileOfSource: (source: string) => string | undefined,
  ) {
    if (options.givesWholeCommonJs) return;
    for (const [output, { entryPoint, exports }] of Object.entries(outputs)) {
      const isDefault = exports.length === 1 && exports[0] === "default";
      if (entryPoint !== undefined && isDefault && WHOLE.test(files.get(path.posix.basename(output))?.text ?? ""))
        this.#whole.set(output, entryPoint);
      else if (options.isLoadedByNode && entryPoint !== undefined && this.#isCompiledToCommonJs(entryPoint))
        this.#compiled.set(output, entryPoint);
    }
  }

  of(output: Output): Map<string, string> {
    const found = new Map<string, string>();
    for (const { kind, external, path: imported } of output.imports) {
      if (kind !== "dynamic-import") continue;
      const specifier = external ? imported : `./${path.posix.basename(imported)}`;
      found.set(specifier, external ? "__mp_chunk" : this.#ownerOf(output, imported));
    }
    return found;
  }

  #ownerOf(output: Output, imported: string): string {
    const whole = this.#whole.get(imported);
    if (whole !== undefined) return this.#isOfNode(output, whole) ? "__mp_chunk.node" : "__mp_chunk.interop";
    const compiled = this.#compiled.get(imported);
    return compiled !== undefined && this.#isOfNode(output, compiled) ? "__mp_chunk.compiled" : "__mp_chunk";
  }

  /** A slice is what the module that imports it gets, already. */
  #isCompiledToCommonJs(input: string): boolean {
    if (input.startsWith("makeparallel-slice:")) return false;
    return /\.[cm]?[jt]sx?$/.test(input) && !/(?:^|\/)node_modules\//.test(input) && !isNodeModule(path.resolve(this.options.root, input));
  }

  /** Whether the code in the output that imports the module is an ES module to Node. */
  #isOfNode({ inputs }: Output, module: string): boolean {
    const { metafile, options, fileOfSource } = this;
    if (options.isLoadedByNode) return true;
    return Object.keys(inputs).some((input) => {
      if (!metafile.inputs[input]?.imports.some(({ kind, path: imported }) => kind === "dynamic-import" && imported === module))
        return false;
      const file = path.resolve(options.root, input);
      if (!input.startsWith("makeparallel-slice:")) return isNodeModule(file);
      const format = formatOf(options, fileOfSource(input) ?? file);
      return format.nodeInterop ?? (format.dynamicImport ?? format.module) === "esm";
    });
  }
}
