/** `makeparallel/rolldown`: the plugin for Rolldown. */
import type { RollupPlugin, UnpluginOptions } from "./plugin-types";
import { plugins } from "./unplugin";

export type { RollupPlugin, UnpluginOptions } from "./plugin-types";

/**
 * Makes the plugin for Rolldown; see docs/adapters.md.
 * @param options what goes into the chunks, and whose settings hold there
 * @returns the plugin, for the build's `plugins`
 */
export const makeparallel = (options?: UnpluginOptions): RollupPlugin => plugins.rolldown(options) as RollupPlugin;

export default makeparallel;
