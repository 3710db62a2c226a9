/**
 * What a chunk build needs besides the slices. Plain data (but for `resolve`), so that it can be posted to the thread that bundles for `tspc`.
 */
import type * as esbuild from "esbuild";
import type { Resolution } from "../core";

/** How the host compiles a project module, which decides what its imports of packages mean. */
export interface SourceFormat {
  /** `esm`: imports follow Node's ES module rules. `cjs`: they became `require` calls. */
  module: "esm" | "cjs";
  /** What `import()` became; differs from `module` where a CommonJS file keeps its native `import()`. Default: as `module`. */
  dynamicImport?: "esm" | "cjs";
  /** False: a `cjs` file compiled without `esModuleInterop`, where `import * as f from "f"` is `module.exports` itself. Default true. */
  interop?: boolean;
  /** True: a `cjs` file that is an ES module to Node, so that bundlers give it `module.exports` as the default import of CommonJS. Default false. */
  nodeInterop?: boolean;
  /** Absolute path of the emitted file, if the host writes one: packages are resolved from its folder at run time. */
  emitted?: string;
}

/** Whether `import()` in a file is Node's own, rather than made of `require`. */
export function hasOwnImport({ module, dynamicImport }: SourceFormat): boolean {
  return (dynamicImport ?? module) === "esm";
}

/** esbuild settings of the host that change what code means; passed on as they are. */
export type HostBuildOptions = Pick<
  esbuild.BuildOptions,
  | "alias"
  | "conditions"
  | "define"
  | "inject"
  | "jsx"
  | "jsxDev"
  | "jsxFactory"
  | "jsxFragment"
  | "jsxImportSource"
  | "jsxSideEffects"
  | "loader"
  | "mainFields"
  | "nodePaths"
  | "preserveSymlinks"
  | "pure"
  | "resolveExtensions"
  | "supported"
  | "target"
  | "tsconfig"
  | "tsconfigRaw"
>;

export interface BundleOptions {
  /** Absolute path of the package root; names in chunks and maps are relative to it, so the bytes are the same on every machine. */
  root: string;
  /** Absolute path of the folder that the manifest and the chunks go to. */
  folder: string;
  /** Manifest key. */
  key: string;
  /** Version of makeparallel, for the manifest. */
  version: string;
  /** By absolute path of each project module. Modules that are missing count as `defaultFormat`. */
  sources: ReadonlyMap<string, SourceFormat>;
  defaultFormat: SourceFormat;
  /** What the host answered when the core asked, by {@link resolutionKey}. */
  resolutions: ReadonlyMap<string, Resolution>;
  /** `external`: packages are resolved at run time. `bundle`: they go into the chunks, but for what `external` matches. */
  packages: "external" | "bundle";
  /** esbuild's `external` patterns (with `*`); only read when packages are bundled. */
  external: readonly string[];
  /** What becomes of `import("./module")` of a project module: left to the emitted program, or bundled whole. */
  dynamicProjectImports: "external" | "bundle";
  /** `import()` of a CommonJS module in the host's bundle gives nothing but `default`, as where esbuild splits code. */
  givesWholeCommonJs?: boolean;
  /** Node loads each project module by itself, so that `import()` of one that is CommonJS to Node gives all that it exports as `default`. */
  isLoadedByNode?: boolean;
  host: HostBuildOptions;
  /** The host's own bundle has these tsconfig settings for every file. Default: not for files of packages, to which esbuild applies what it is given here as well. */
  tsconfigIsForAll?: boolean;
  /** `typescript`: it compiles the program's TC39 decorators, and those of classes in slices then. Default: esbuild. */
  standardDecorators?: "typescript";
  /**
   * Asks the host's other plugins, where there are any. Undefined leaves the specifier to esbuild.
   * @param kind esbuild's import kind
   */
  resolve?: (specifier: string, importer: string, kind: esbuild.ImportKind) => Promise<esbuild.OnResolveResult | undefined>;
  /** Text of a project module that a chunk bundles whole, with its own marks replaced by stubs. */
  load?: (file: string) => Promise<esbuild.OnLoadResult | undefined>;
}

export function resolutionKey(specifier: string, fromFile: string, kind: "import" | "require"): string {
  return `${kind}\0${fromFile}\0${specifier}`;
}
