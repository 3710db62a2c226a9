/** The project's modules as a bundler's plugin sees them: its own resolution, and the text that plugins before this one made of a file. */
import * as path from "node:path";
import type * as esbuild from "esbuild";
import { EsbuildModules } from "./esbuild-modules";
import type { HostFacts } from "./unplugin-host";

export class UnpluginModules extends EsbuildModules {
  readonly #given = new Map<string, string>();

  constructor(
    host: HostFacts,
    private readonly textChanged: (file: string) => void,
  ) {
    super(asBuild(host), textChanged);
  }

  override read(file: string): string | undefined {
    return this.#given.get(file) ?? super.read(file);
  }

  /**
   * Takes the text that the host hands over.
   * @returns true when it differs from what was known
   */
  give(file: string, text: string): boolean {
    if (this.read(file) === text) return false;
    if (super.read(file) === text) this.#given.delete(file);
    else this.#given.set(file, text);
    this.textChanged(file);
    return true;
  }
}

/** What the modules ask of esbuild, answered by another host. */
function asBuild(host: HostFacts): esbuild.PluginBuild {
  const resolve = async (specifier: string, options: esbuild.ResolveOptions): Promise<Partial<esbuild.ResolveResult>> => {
    const kind = options.kind === "require-call" ? "require" : "import";
    const found = await host.resolve(specifier, options.importer ?? path.join(host.cwd, "index.js"), kind);
    const external = found === undefined || found.external === true;
    return { errors: [], warnings: [], external, namespace: "file", path: external ? specifier : found.file };
  };
  return { resolve } as unknown as esbuild.PluginBuild;
}
