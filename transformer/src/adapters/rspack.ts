/** `makeparallel/rspack`: the plugin for Rspack. */
import type { UnpluginInstance } from "unplugin" with { "resolution-mode": "import" };
import { plugins, type UnpluginOptions } from "./unplugin";

export type { UnpluginOptions } from "./unplugin";

/** @returns the plugin; see docs/adapters.md */
export const makeparallel: UnpluginInstance<UnpluginOptions | undefined, false>["rspack"] = plugins.rspack;

export default makeparallel;
