/**
 * Makes docs/diagnostics.md from the catalogues of the transformer and of the command line tool.
 *
 * node scripts/generate-diagnostics-page.mjs           writes it
 * node scripts/generate-diagnostics-page.mjs --check   fails if it would change
 */
import fs from "node:fs";
import path from "node:path";
import * as esbuild from "esbuild";
import prettier from "prettier";
import { root } from "./lib/project.mjs";

const target = path.join(root, "docs/diagnostics.md");
// Straight from the sources, so that the page never waits for a build.
const { outputFiles } = esbuild.buildSync({
  entryPoints: [path.join(root, "transformer/src/cli/documentation.ts")],
  bundle: true,
  write: false,
  format: "esm",
  platform: "node",
});
const { page } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
const text = await prettier.format(page(), { ...(await prettier.resolveConfig(target)), filepath: target });

const current = fs.existsSync(target) ? fs.readFileSync(target, "utf8") : "";
if (process.argv.includes("--check")) {
  if (current !== text) {
    console.error("docs/diagnostics.md is out of date: run node scripts/generate-diagnostics-page.mjs.");
    process.exit(1);
  }
} else if (current !== text) {
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.writeFileSync(target, text);
}
