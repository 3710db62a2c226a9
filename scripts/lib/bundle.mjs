/**
 * Bundles TypeScript sources into one CommonJS file for Node, without what esbuild would copy of Node's modules.
 *
 * For each file with an `import * as fs from "node:fs"` esbuild makes an object that has a getter for every export of that module. That takes a program which imports
 * the package milliseconds, and each worker memory; the module itself does as well, since it has all that the copy has, but for the default export.
 */
import { buildSync } from "esbuild";
import fs from "node:fs";

/** A variable, and the helper's call that makes the copy; no source calls anything on what `require` gives. */
const COPY = /(?<![\w$])([\w$]+)\s*=\s*[\w$]+\(\s*(require\(\s*"node:[\w/]+"\s*\))(?:,\s*1)?\s*\)/g;

/**
 * @param file that is written
 * @param options of esbuild's
 */
export function bundleForNode(file, options) {
  const { outputFiles } = buildSync({
    outfile: file,
    bundle: true,
    platform: "node",
    format: "cjs",
    target: "node20",
    charset: "ascii",
    legalComments: "none",
    // Node shows the line of an error that nobody catches: that is not to be the whole runtime.
    lineLimit: 160,
    packages: "external",
    logLevel: "warning",
    write: false,
    ...options,
  });
  const { text } = outputFiles[0];
  fs.writeFileSync(
    file,
    text.replace(COPY, (copy, name, module) => (usesDefault(text, name) ? copy : `${name}=${module}`)),
  );
}

function usesDefault(text, name) {
  return new RegExp(`(?<![\\w$])${name.replaceAll("$", "\\$")}\\.default\\b`).test(text);
}
