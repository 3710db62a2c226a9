/**
 * The compiler API that goes into the package: for projects whose own `typescript` has none (7.0 and later).
 *
 * A dependency would bring programs named `tsc` and `tsserver` into such a project, beside its own of the same names, and 20 MB of type checker and
 * libraries that the transformer does not use. This is one minified file.
 */
import { buildSync } from "esbuild";
import fs from "node:fs";
import path from "node:path";
import { require, root } from "./project.mjs";

const folder = path.join(root, "dist/vendor");

/** Writes it unless it is there. */
export function vendorTypeScript() {
  const manifest = require.resolve("typescript/package.json");
  const { version } = require(manifest);
  const file = path.join(folder, "typescript.js");
  const banner = `/* TypeScript ${version}, (c) Microsoft Corporation, Apache-2.0: see typescript-LICENSE.txt. Minified. */`;
  if (fs.existsSync(file) && fs.readFileSync(file, "utf8").startsWith(banner)) return;
  buildSync({
    entryPoints: [path.join(path.dirname(manifest), "lib/typescript.js")],
    outfile: file,
    banner: { js: banner },
    bundle: false,
    platform: "node",
    target: "node20",
    minify: true,
    keepNames: false,
    charset: "ascii",
    legalComments: "none",
    logLevel: "warning",
  });
  for (const name of ["LICENSE", "ThirdPartyNoticeText"])
    fs.copyFileSync(path.join(path.dirname(manifest), `${name}.txt`), path.join(folder, `typescript-${name}.txt`));
}
