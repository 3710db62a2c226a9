/**
 * Bundles `makeparallel/esbuild` into one file.
 *
 * A build without marks loads nothing but this file, so that its loading is a good part of what it costs: ten small modules take three times as long. What hoists
 * stays outside, and is loaded when it is needed.
 */
import path from "node:path";
import { bundleForNode } from "./bundle.mjs";
import { root } from "./project.mjs";

/** The file is beside the module that the compiler makes of the entry, so what the source says of its own place (`__dirname`, `require`) holds. */
export function bundlePlugin() {
  bundleForNode(path.join(root, "dist/transformer/src/adapters/esbuild.bundle.js"), {
    entryPoints: [path.join(root, "transformer/src/adapters/esbuild.ts")],
    external: ["./esbuild-build"],
    minifySyntax: true,
    minifyWhitespace: true,
    // Says to tools that read the file, as esbuild's own code does not, that there is a default export. It is never run.
    footer: { js: "0&&(module.exports.default=0);" },
  });
}
