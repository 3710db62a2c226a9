/** `makeparallel/vite`: the plugin for Vite. */
import type { UnpluginInstance } from "unplugin" with { "resolution-mode": "import" };
import { plugins, type UnpluginOptions } from "./unplugin";

export type { UnpluginOptions } from "./unplugin";

/** @returns the plugin; see docs/adapters.md */
export const makeparallel: UnpluginInstance<UnpluginOptions | undefined, false>["vite"] = plugins.vite;

export default makeparallel;
