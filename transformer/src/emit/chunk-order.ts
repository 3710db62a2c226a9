/**
 * In which order a chunk's imports are loaded.
 *
 * Takes what esbuild says of a build with splitting. Gives, for each output, the other outputs that it imports, and what it imports from outside, in the order in
 * which the modules would run by the rules of ES modules. esbuild's own order is that of names, what is outside last: code that another module sets up (`import
 * "reflect-metadata"` before a class with decorators) would run before it or after it by chance. https://github.com/evanw/esbuild/issues/399
 *
 * An output runs as a whole, when the first module in it has to. Who imports a module is in every entry's reach in which its importer is, so outputs never wait
 * for each other in a circle.
 */
import type { Metafile } from "esbuild";

export class ChunkOrder {
  private readonly outputOf = new Map<string, string>();
  private readonly imports = new Map<string, readonly string[]>();

  constructor(private readonly metafile: Metafile) {
    for (const [name, { inputs, entryPoint }] of Object.entries(metafile.outputs)) {
      for (const input of Object.keys(inputs)) this.outputOf.set(input, name);
      if (entryPoint !== undefined) this.outputOf.set(entryPoint, name);
    }
  }

  /**
   * @param output its name in the metafile
   * @returns names of other outputs, as far as modules in them decide (those that are missing may come in any order), and specifiers of what is outside
   */
  of(output: string): string[] {
    const ordered = new Set<string>();
    const seen = new Set([output]);
    const add = (current: string): void => {
      if (seen.has(current)) return;
      seen.add(current);
      // What another output imports from outside is its own business.
      for (const imported of this.importsOf(current)) if (imported in this.metafile.outputs) add(imported);
      ordered.add(current);
    };
    for (const imported of this.importsOf(output)) {
      if (imported in this.metafile.outputs) add(imported);
      else ordered.add(imported);
    }
    return [...ordered];
  }

  /** What the modules of an output import from other outputs and from outside, in the order of these imports. */
  private importsOf(output: string): readonly string[] {
    const known = this.imports.get(output);
    if (known) return known;
    const found = new Set<string>();
    const visited = new Set<string>();
    const visit = (input: string): void => {
      if (visited.has(input)) return;
      visited.add(input);
      for (const { path, kind, external } of this.metafile.inputs[input]?.imports ?? []) {
        if (kind === "dynamic-import" || kind === "require-resolve") continue;
        if (external) {
          if (kind === "import-statement") found.add(path);
          continue;
        }
        const other = this.outputOf.get(path);
        // What is in no output may lead to others all the same.
        if (other === undefined || other === output) visit(path);
        else found.add(other);
      }
    };
    const { entryPoint, inputs } = this.metafile.outputs[output] as Metafile["outputs"][string];
    if (entryPoint !== undefined) visit(entryPoint);
    for (const input of Object.keys(inputs)) visit(input);
    const imports = [...found];
    this.imports.set(output, imports);
    return imports;
  }
}
