/**
 * Everything that is checked besides the tests: formatting, lints, generated files, and the package as others would get it. All steps run, two at a
 * time where neither needs what the other writes; then the failed ones are named.
 */
import fs from "node:fs";
import path from "node:path";
import { binOf, hasCargo, root, runBeside, sayNoCargo } from "./lib/project.mjs";

const failed = [];

async function step(name, command, args) {
  const { output, problem } = await runBeside(command, args);
  console.log(`\n— ${name}\n${output}${problem}`.trimEnd());
  if (problem !== "") failed.push(name);
}

const node = (name, ...args) => step(name, process.execPath, args);

async function sources() {
  await node("package-lock.json is complete", "scripts/complete-lock.mjs", "--check");
  await node("prettier", binOf("prettier"), "--check", "--log-level", "warn", ".");
  await node("eslint", binOf("eslint"), "--max-warnings", "0", ".");
}

async function whatIsBuilt() {
  if (hasCargo()) {
    await step("cargo fmt", "cargo", ["fmt", "--all", "--check"]);
    await step("cargo clippy", "cargo", ["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]);
  } else {
    sayNoCargo("rustfmt, clippy and the check of the generated typings");
  }
  if (fs.existsSync(path.join(root, "scripts/generate-diagnostics.mjs")))
    await node("generated diagnostics are up to date", "scripts/generate-diagnostics.mjs", "--check");
  if (hasCargo()) await node("generated native typings are up to date", "scripts/build-native.mjs", "--check");
  await node("publint", binOf("publint"), "--strict");
  await node("are the types wrong", binOf("@arethetypeswrong/cli", "attw"), "--pack", ".");
}

// The types that eslint reads are among what it writes.
await node("build", "scripts/build.mjs");
await Promise.all([sources(), whatIsBuilt()]);
if (failed.length > 0) {
  console.error(`\nFailed: ${failed.join(", ")}.`);
  process.exit(1);
}
console.log("\nAll checks passed.");
