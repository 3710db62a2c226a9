/** `makeparallel/rspack`: the plugin for Rspack. */
import type { WebpackPlugin, UnpluginOptions } from "./plugin-types";
import { plugins } from "./unplugin";

export type { WebpackPlugin, UnpluginOptions } from "./plugin-types";

/**
 * Makes the plugin for Rspack; see docs/adapters.md.
 * @param options what goes into the chunks, and whose settings hold there
 * @returns the plugin, for the configuration's `plugins`
 */
export const makeparallel = (options?: UnpluginOptions): WebpackPlugin => plugins.rspack(options) as WebpackPlugin;

export default makeparallel;
