/**
 * What the declarations of the bundler plugins say: their options, and what a bundler asks of a plugin's type.
 *
 * The types are our own and not unplugin's or the bundlers', so that a project checks without `skipLibCheck` and without the other bundlers installed.
 */

/** Options of the plugins for Vite, Rollup, Rolldown, webpack and Rspack. */
export interface UnpluginOptions {
  /** Whether packages go into the chunks. Default: each as the host's own resolution has it, bundled or external. */
  packages?: "external" | "bundle";
  /** More patterns, as esbuild's `external`, for packages that stay outside the chunks. */
  external?: string[];
  /** tsconfig file whose settings hold in the chunks. Default: the nearest `tsconfig.json` above the first entry. */
  tsconfig?: string;
}

/** A plugin for `plugins` of Vite, Rollup or Rolldown. Its hooks are the bundler's business. */
export interface RollupPlugin {
  /** `makeparallel`. */
  readonly name: string;
}

/** A plugin for `plugins` of webpack or Rspack. */
export interface WebpackPlugin {
  /** Called by the bundler. */
  apply(compiler: object): void;
}
