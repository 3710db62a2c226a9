/**
 * Builds everything into dist/:
 *
 * 1. TypeScript to CommonJS (incremental, so that a second build takes a second or two); beside it the native backend, where cargo is on the PATH
 * 2. the runtime into one file for programs and one for each worker entry, the esbuild plugin as well, and the compiler API for projects that have none
 * 3. the ES module wrappers of the entry points
 *
 * A type error fails the build, but after the other steps have run: they do not depend on it.
 */
import fs from "node:fs";
import path from "node:path";
import { entries, writeWrapper } from "./lib/entries.mjs";
import { bundlePlugin } from "./lib/plugin-bundle.mjs";
import { binOf, root, runBeside } from "./lib/project.mjs";
import { vendorTypeScript } from "./lib/vendored-typescript.mjs";
import { bundleRuntime } from "./lib/runtime-bundles.mjs";

const projects = ["runtime-ts", "transformer"];

prune();
const steps = [
  ...projects.map((project) => [
    binOf("typescript", "tsc"),
    "-p",
    project,
    "--incremental",
    "--tsBuildInfoFile",
    `dist/.buildinfo/${project}.tsbuildinfo`,
  ]),
  ["scripts/build-native.mjs"],
];
let status = 0;
await Promise.all(
  steps.map(async (step) => {
    const { output, problem } = await runBeside(process.execPath, step);
    process.stdout.write(output);
    if (problem !== "") status = 1;
  }),
);

bundleRuntime();
bundlePlugin();
vendorTypeScript();

for (const entry of entries()) {
  try {
    writeWrapper(entry);
  } catch (error) {
    console.error(`The entry point ${entry.subpath} of package.json does not load: ${error.message.split("\n")[0]}`);
    status ||= 1;
  }
}

process.exit(status);

/** Removes what an earlier build wrote for sources that are gone; the compiler leaves it lying and `npm pack` would ship it. */
function prune() {
  for (const project of projects) {
    const output = path.join(root, "dist", project, "src");
    if (!fs.existsSync(output)) {
      // The compiler's notes would keep it from writing the files again.
      fs.rmSync(path.join(root, `dist/.buildinfo/${project}.tsbuildinfo`), { force: true });
      continue;
    }
    for (const name of fs.readdirSync(output, { recursive: true })) {
      const match = /^(.*?)(?<!\.bundle)\.(?:d\.ts|js|js\.map)$/.exec(name);
      if (match && !fs.existsSync(path.join(root, project, "src", `${match[1]}.ts`))) fs.rmSync(path.join(output, name));
    }
  }
}
