/** `makeparallel/webpack`: the plugin for webpack. */
import type { UnpluginInstance } from "unplugin" with { "resolution-mode": "import" };
import { plugins, type UnpluginOptions } from "./unplugin";

export type { UnpluginOptions } from "./unplugin";

/** @returns the plugin; see docs/adapters.md */
export const makeparallel: UnpluginInstance<UnpluginOptions | undefined, false>["webpack"] = plugins.webpack;

export default makeparallel;
