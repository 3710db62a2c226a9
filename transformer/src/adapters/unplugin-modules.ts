/** The project's modules as a bundler's plugin sees them: its own resolution, and the text that plugins before this one made of a file. */
import * as path from "node:path";
import type * as esbuild from "esbuild";
import { EsbuildModules } from "./esbuild-modules";
import type { HostFacts } from "./unplugin-host";

export class UnpluginModules extends EsbuildModules {
  /** What the host handed over where that is not what the disk has, with what the disk had then: when that changes, the host is going to hand it over again. */
  readonly #given = new Map<string, { text: string; disk: string | undefined }>();
  /** What the host handed over of files that nobody has asked for yet. */
  readonly #noted = new Map<string, string>();

  constructor(
    host: HostFacts,
    private readonly textChanged: (file: string) => void,
  ) {
    super(asBuild(host), textChanged);
  }

  override read(file: string): string | undefined {
    const disk = super.read(file);
    const noted = this.#noted.get(file);
    if (noted !== undefined) {
      this.#noted.delete(file);
      if (noted !== disk) this.#given.set(file, { text: noted, disk });
    }
    const given = this.#given.get(file);
    if (given === undefined) return disk;
    if (given.disk === disk) return given.text;
    this.#given.delete(file);
    this.textChanged(file);
    return disk;
  }

  /**
   * Takes the text that the host hands over.
   * @returns true when it differs from what was known
   */
  give(file: string, text: string): boolean {
    if (this.read(file) === text) return false;
    const disk = super.read(file);
    if (disk === text) this.#given.delete(file);
    else this.#given.set(file, { text, disk });
    this.textChanged(file);
    return true;
  }

  /**
   * The same for a file about which nothing is to be done, but which a task may use. It costs nothing unless the file is in a slice.
   * @returns true when it differs from what was known
   */
  note(file: string, text: string): boolean {
    if (this.isKnown(file)) return this.give(file, text);
    this.#noted.set(file, text);
    return false;
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
