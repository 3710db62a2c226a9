/**
 * `makeparallel/jest`: the transform for jest.
 *
 * Takes: a source file as jest asks for it. Gives: JavaScript with stubs, and a source map; the chunks are in the cache folder when it returns. TypeScript is
 * compiled by TypeScript itself, one file at a time, with the nearest tsconfig's settings, and `jest.mock` calls go before the imports, as ts-jest and
 * babel-jest have it; or another transform does that work (`with`) on the text with stubs in it.
 */
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import * as path from "node:path";
import { findTypeScript } from "./find-typescript";
import { compileForJest } from "./jest-compile";
import { type JestConfig, jestMappings } from "./jest-mappings";
import { isNodeModule, isOwnCode, packageRoot, projectSources } from "./project-files";
import { editTextSync } from "./text-edits";
import { decoratorMetadataIn, readTsconfig, settingsFor, type Tsconfig } from "./tsconfig-settings";
import { type UnbuiltFile, UnbuiltProject } from "./unbuilt-project";
import { UnbuiltResolver } from "./unbuilt-resolve";
import { packageVersion } from "./version";

/** Options beside the transform's name in jest's configuration. */
export interface JestTransformOptions {
  /** Another transform that compiles what this one has put stubs into: its name or path, alone or with its options. Default: TypeScript. */
  with?: string | [string, object];
  /** tsconfig file, relative to `rootDir`. Default: the nearest one above each file. */
  tsconfig?: string;
  /** `bundle`: packages go into the chunks. Default `external`: workers import them from where they are installed. */
  packages?: "external" | "bundle";
  /** With `packages: "bundle"`: what stays outside all the same (esbuild's patterns). */
  external?: string[];
}

// The package's typings for `require` do not parse.
const remapping = require("@jridgewell/remapping") as (map: unknown, load: (source: string) => unknown) => object;

/** What is used of jest's `TransformOptions`. */
interface TransformOptions {
  config: JestConfig;
  configString?: string;
  instrument?: boolean;
  supportsStaticESM: boolean;
  supportsDynamicImport?: boolean;
  transformerConfig?: unknown;
}

interface Transformed {
  code: string;
  map?: unknown;
}

interface InnerTransformer {
  process?(text: string, file: string, options: TransformOptions): string | Transformed;
  getCacheKey?(text: string, file: string, options: TransformOptions): string;
  canInstrument?: boolean;
}

/** One for each package and kind of module; they are asked by one test file after the other. */
const projects = new Map<string, UnbuiltProject>();

class JestTransformer {
  readonly canInstrument = false;
  /** jest makes a transformer for each test file that it starts: files may have changed since the last. */
  readonly #fresh = new Set<UnbuiltProject>();
  #inner: InnerTransformer | undefined;

  constructor(private readonly options: JestTransformOptions) {}

  process(source: string, file: string, options: TransformOptions): Transformed {
    // Where it is linked, jest takes it for the project's.
    if (isOwnCode(file)) return { code: source };
    const found = this.#find(source, file, options);
    if (found?.warnings !== undefined) process.stderr.write(`${found.warnings}\n`);
    const edited = found && found.edits.length > 0 ? editTextSync(source, file, found.edits) : undefined;
    const text = edited?.text ?? source;
    const result = this.options.with === undefined ? this.#compile(text, file, options) : this.#delegate(text, file, options);
    if (!edited || result.map === undefined || result.map === null) return result;
    let isOuter = true;
    const map = remapping(result.map, () => {
      if (!isOuter) return null;
      isOuter = false;
      return edited.map;
    });
    return { code: result.code, map };
  }

  getCacheKey(source: string, file: string, options: TransformOptions): string {
    const found = this.#find(source, file, options);
    const { config } = options;
    const hash = createHash("sha256");
    const add = (value: unknown): void => void hash.update(JSON.stringify(value) ?? "").update("\0");
    const relative = path.relative(config.rootDir, file);
    add([
      packageVersion(),
      process.version,
      relative,
      source,
      options.configString,
      options.supportsStaticESM,
      options.instrument === true,
    ]);
    add([this.options, findTypeScript(config.rootDir).version, this.#tsconfig(file, config)?.config]);
    // They name the manifest, whose name is a hash of all slices.
    add(found?.edits);
    if (this.options.with !== undefined) {
      add(this.#other(config).getCacheKey?.(source, file, this.#innerOptions(options)));
    }
    return hash.digest("hex").slice(0, 32);
  }

  #find(source: string, file: string, options: TransformOptions): UnbuiltFile | undefined {
    const project = this.#project(options);
    if (!this.#fresh.has(project)) {
      this.#fresh.add(project);
      project.refresh();
    }
    return project.file(file, source);
  }

  #project({ config, supportsStaticESM }: TransformOptions): UnbuiltProject {
    const key = JSON.stringify([config.rootDir, supportsStaticESM, this.options, config.moduleNameMapper?.map(String)]);
    let project = projects.get(key);
    if (project) return project;
    const { options } = this;
    const root = packageRoot(config.rootDir);
    const ignored = config.modulePathIgnorePatterns?.map((pattern) => new RegExp(pattern)) ?? [];
    const tsconfig = this.#tsconfig(path.join(config.rootDir, "index.ts"), config);
    project = new UnbuiltProject({
      root,
      resolver: new UnbuiltResolver(jestMappings(config, (file) => this.#tsconfig(file, config))),
      sources: () => projectSources(config.rootDir, (file) => ignored.some((pattern) => pattern.test(file))),
      format: (file) => {
        if (supportsStaticESM) return { module: "esm", nodeInterop: isNodeModule(file) };
        return {
          module: "cjs",
          dynamicImport: "cjs",
          interop: this.#tsconfig(file, config)?.config.compilerOptions?.esModuleInterop ?? true,
        };
      },
      settings: settingsFor(tsconfig),
      decoratorMetadata: decoratorMetadataIn(tsconfig?.config.compilerOptions),
      ...(options.with === undefined && !tsconfig?.config.compilerOptions?.experimentalDecorators && { standardDecorators: "typescript" }),
      packages: options.packages ?? "external",
      external: options.external ?? [],
    });
    projects.set(key, project);
    return project;
  }

  #tsconfig(file: string, config: JestConfig): Tsconfig | undefined {
    const { tsconfig } = this.options;
    return readTsconfig(file, tsconfig === undefined ? undefined : path.resolve(config.rootDir, tsconfig));
  }

  #compile(text: string, file: string, options: TransformOptions): Transformed {
    const ts = findTypeScript(options.config.rootDir);
    return compileForJest(ts, text, file, { tsconfig: this.#tsconfig(file, options.config), isEsm: options.supportsStaticESM });
  }

  #delegate(text: string, file: string, options: TransformOptions): Transformed {
    const inner = this.#other(options.config);
    const result = inner.process?.(text, file, this.#innerOptions(options));
    if (result === undefined) throw new Error(`makeparallel/jest: the transform ${this.#innerName()} has no synchronous \`process\`.`);
    if (typeof result === "string") return { code: result };
    return { code: result.code, map: result.map ?? inlineMap(result.code) };
  }

  #innerOptions(options: TransformOptions): TransformOptions {
    const { with: other } = this.options;
    return { ...options, transformerConfig: Array.isArray(other) ? other[1] : {} };
  }

  #innerName(): string {
    const { with: other } = this.options;
    return (Array.isArray(other) ? other[0] : other) as string;
  }

  #other(config: JestConfig): InnerTransformer {
    if (this.#inner) return this.#inner;
    const name = this.#innerName();
    const loaded = createRequire(path.join(config.rootDir, "package.json"))(name) as { default?: unknown };
    const module = (loaded.default ?? loaded) as InnerTransformer & { createTransformer?(options: object): InnerTransformer };
    const { with: other } = this.options;
    this.#inner = module.createTransformer ? module.createTransformer(Array.isArray(other) ? other[1] : {}) : module;
    return this.#inner;
  }
}

/** The map at the end of a compiled text, which jest would take if there were no other. */
function inlineMap(code: string): unknown {
  const match = /\/\/# sourceMappingURL=data:application\/json[^,]*;base64,([A-Za-z0-9+/=]+)\s*$/.exec(code);
  return match ? JSON.parse(Buffer.from(match[1], "base64").toString("utf8")) : undefined;
}

/**
 * Called by jest.
 * @param options those beside the transform's name
 * @returns the transform
 */
export function createTransformer(options: JestTransformOptions = {}): object {
  const transformer = new JestTransformer(options ?? {});
  return {
    canInstrument: transformer.canInstrument,
    process: transformer.process.bind(transformer),
    getCacheKey: transformer.getCacheKey.bind(transformer),
  };
}

/** What jest loads. */
export default { createTransformer };
