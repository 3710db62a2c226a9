/**
 * The plugins for Vite, Rollup, Rolldown, webpack and Rspack, made by unplugin of one factory.
 *
 * This file wires the hooks of Rollup, Rolldown and Vite, which are nearly the same; webpack's and Rspack's are in unplugin-webpack.ts. What is done about a
 * file and a build is in unplugin-build.ts.
 */
import type { UnpluginFactory, UnpluginInstance, UnpluginOptions as Hooks } from "unplugin" with { "resolution-mode": "import" };
import type { UnpluginOptions } from "./plugin-types";
import { rollupHooks } from "./unplugin-rollup";
import { viteHooks } from "./unplugin-vite";
import { webpackHooks } from "./unplugin-webpack";

export const NAME = "makeparallel";

/** Files whose text may matter; packages and virtual modules are left to the host. */
const SOURCES = { include: /\.[cm]?[jt]sx?$/, exclude: [/[\\/]node_modules[\\/]/, /\0/] };

const factory: UnpluginFactory<UnpluginOptions | undefined, false> = (options = {}, { framework }) => {
  const hooks =
    framework === "webpack" || framework === "rspack"
      ? webpackHooks(options)
      : framework === "vite"
        ? viteHooks(options)
        : rollupHooks(options, framework);
  const { transform, ...others } = hooks;
  return {
    name: NAME,
    // Later plugins turn TypeScript into JavaScript, and marks into something else.
    enforce: "pre",
    ...others,
    transform: { order: "pre", filter: { id: SOURCES }, handler: transform } as Hooks["transform"],
  };
};

// An ES module, which Node 20.19 and later load by `require` as well.
const { createUnplugin } = require("unplugin") as typeof import("unplugin", { with: { "resolution-mode": "import" } });

export const plugins: UnpluginInstance<UnpluginOptions | undefined, false> = createUnplugin(factory);
