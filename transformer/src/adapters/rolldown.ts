/** `makeparallel/rolldown`: the plugin for Rolldown. */
import type { UnpluginInstance } from "unplugin" with { "resolution-mode": "import" };
import { plugins, type UnpluginOptions } from "./unplugin";

export type { UnpluginOptions } from "./unplugin";

/** @returns the plugin; see docs/adapters.md */
export const makeparallel: UnpluginInstance<UnpluginOptions | undefined, false>["rolldown"] = plugins.rolldown;

export default makeparallel;
