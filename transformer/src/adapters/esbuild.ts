/**
 * `makeparallel/esbuild`: the plugin for esbuild.
 *
 * Every question that esbuild asks a plugin is a message between two processes, and it asks by patterns that are fixed before the build begins. So a build
 * looks for marks first, in the bytes of the project's files, and then lets esbuild ask only about files that may change. A build without any
 * is left alone: what hoists is not even loaded. See esbuild-questions.ts.
 *
 * This file and what it imports are bundled into one (scripts/lib/plugin-bundle.mjs), since loading many takes longer than searching the project.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import type * as esbuild from "esbuild";
import { builtLibrary } from "./built-library";
import type { HostBuild } from "./esbuild-build";
import { Questions } from "./esbuild-questions";
import { EsbuildSettings } from "./esbuild-settings";

/** Options of the esbuild plugin. */
export interface EsbuildPluginOptions {
  /** Whether packages go into the chunks. Default: as the host build does with its own output. */
  packages?: "external" | "bundle";
  /** More patterns, as esbuild's `external`, for packages that stay outside the chunks. */
  external?: string[];
}

const NAME = "makeparallel";

/**
 * Makes the plugin for esbuild.
 * @param options what goes into the chunks
 * @returns the plugin; it should stand first in `plugins`, because esbuild asks only the first plugin that has an answer for a file's text
 */
export function makeparallel(options: EsbuildPluginOptions = {}): esbuild.Plugin {
  return { name: NAME, setup: (build) => setUp(build, options) };
}

export default makeparallel;

function setUp(build: esbuild.PluginBuild, options: EsbuildPluginOptions): void {
  const settings = new EsbuildSettings(build.initialOptions);
  const questions = new Questions(settings, isSingleBuild());
  let loaded: HostBuild | undefined;
  const host = (): HostBuild => {
    if (loaded) return loaded;
    // Builds without marks do without it.
    const { HostBuild: Host } = require("./esbuild-build") as typeof import("./esbuild-build");
    loaded = new Host(build, options, settings, questions);
    return loaded;
  };

  if (settings.bundlesFormat === "iife") {
    const text = 'Parallel functions run on Node: set `platform: "node"`, or `format: "esm"` or `"cjs"`.';
    build.onStart(() => ({ errors: [{ text }] }));
  }
  if (!questions.isQuiet) {
    // Tells which output a source went to.
    build.initialOptions.metafile = true;
    build.onStart(() => {
      loaded?.start();
      return questions.start();
    });
  }
  build.onResolve({ filter: /^makeparallel(\/|$)/ }, ({ path, importer, namespace }) => {
    const library = namespace === "file" && !loaded?.hasStubs(importer) ? builtLibrary(path, importer, settings.root) : undefined;
    if (library) return { errors: [{ text: library.text, notes: [{ text: library.fix }] }] };
    return { path, external: true };
  });
  for (const filter of questions.filters) {
    build.onLoad({ filter, namespace: "file" }, (args) => host().load(args));
  }
  build.onEnd(async (result) => {
    // Without tasks there is nothing to be written, unless an earlier build had some.
    if (!loaded && questions.isQuiet && !fs.existsSync(path.join(settings.chunkFolder, `${settings.key}.json`))) return questions.end();
    const outcome = await host().end(result);
    return questions.end() ?? outcome;
  });
}

/**
 * Whether the caller is `esbuild.build`, which builds once, and not `esbuild.context`, in whose later builds marks may stand in other files. esbuild does
 * not say, but it sets up the first of its plugins while the call is still on the stack. An answer of false only costs time.
 */
function isSingleBuild(): boolean {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 30;
  const { stack = "" } = new Error();
  Error.stackTraceLimit = limit;
  const frames = stack.split("\n").slice(1);
  const inEsbuild = frames.filter((frame) => /[\\/]esbuild[\\/]lib[\\/]main\.js/.test(frame));
  const called = inEsbuild.some((frame) => /\bbuildOrContextImpl\b/.test(frame));
  return called && inEsbuild.some((frame) => /\bObject\.build /.test(frame)) && !inEsbuild.some((frame) => /\.context /.test(frame));
}
