/** `makeparallel/vite`: the plugin for Vite. */
import type { RollupPlugin, UnpluginOptions } from "./plugin-types";
import { plugins } from "./unplugin";

export type { RollupPlugin, UnpluginOptions } from "./plugin-types";

/**
 * Makes the plugin for Vite; see docs/adapters.md.
 * @param options what goes into the chunks, and whose settings hold there
 * @returns the plugin, for the configuration's `plugins`
 */
export const makeparallel = (options?: UnpluginOptions): RollupPlugin => plugins.vite(options) as RollupPlugin;

export default makeparallel;
