/**
 * Everything that is checked besides the tests: formatting, lints, generated files, and the package as others would get it. All steps run, then the
 * failed ones are named.
 */
import fs from "node:fs";
import path from "node:path";
import { binOf, hasCargo, root, run, runNode, sayNoCargo } from "./lib/project.mjs";

const failed = [];

function step(name, action) {
  console.log(`\n— ${name}`);
  const status = action();
  if (status !== 0) failed.push(name);
}

const node = (...args) => runNode(args, { allowFailure: true });

step("package-lock.json is complete", () => node("scripts/complete-lock.mjs", "--check"));
step("prettier", () => node(binOf("prettier"), "--check", "--log-level", "warn", "."));
step("eslint", () => node(binOf("eslint"), "--max-warnings", "0", "."));

if (hasCargo()) {
  step("cargo fmt", () => run("cargo", ["fmt", "--all", "--check"], { allowFailure: true }));
  step("cargo clippy", () =>
    run("cargo", ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"], { allowFailure: true }),
  );
} else {
  sayNoCargo("rustfmt, clippy and the check of the generated typings");
}

if (fs.existsSync(path.join(root, "scripts/generate-diagnostics.mjs"))) {
  step("generated diagnostics are up to date", () => node("scripts/generate-diagnostics.mjs", "--check"));
}

step("build", () => node("scripts/build.mjs"));
if (hasCargo()) step("generated native typings are up to date", () => node("scripts/build-native.mjs", "--check"));
step("publint", () => node(binOf("publint"), "--strict"));
step("are the types wrong", () => node(binOf("@arethetypeswrong/cli", "attw"), "--pack", "."));

if (failed.length > 0) {
  console.error(`\nFailed: ${failed.join(", ")}.`);
  process.exit(1);
}
console.log("\nAll checks passed.");
