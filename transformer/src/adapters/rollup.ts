/** `makeparallel/rollup`: the plugin for Rollup. */
import type { RollupPlugin, UnpluginOptions } from "./plugin-types";
import { plugins } from "./unplugin";

export type { RollupPlugin, UnpluginOptions } from "./plugin-types";

/**
 * Makes the plugin for Rollup; see docs/adapters.md.
 * @param options what goes into the chunks, and whose settings hold there
 * @returns the plugin, for the build's `plugins`
 */
export const makeparallel = (options?: UnpluginOptions): RollupPlugin => plugins.rollup(options) as RollupPlugin;

export default makeparallel;
