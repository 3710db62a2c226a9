/**
 * Runs all tests: the crate's (where cargo is on the PATH), then jest's. Arguments go to jest. The last line counts jest's: "N passed, N failed".
 *
 * jest tests both backends; without cargo, and without a binary from an earlier build, the native half is left out, and says so.
 */
import fs from "node:fs";
import path from "node:path";
import { binOf, hasCargo, root, run, runNode, sayNoCargo } from "./lib/project.mjs";

const jestArguments = process.argv.slice(2);

runNode(["scripts/build.mjs"]);

let rust = 0;
if (hasCargo()) {
  console.log("\n━━ cargo test");
  rust = run("cargo", ["test", "--workspace", "--quiet"], { allowFailure: true });
} else {
  sayNoCargo("the crate's own tests");
}

console.log("\n━━ jest");
const results = path.join(root, ".tmp/jest-results.json");
fs.rmSync(results, { force: true });
const jest = runNode([binOf("jest"), "--json", "--outputFile", results, ...jestArguments], { allowFailure: true });

if (rust !== 0) console.error("\nThe crate's own tests failed (cargo test, above).");
if (fs.existsSync(results)) {
  const { numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites } = JSON.parse(fs.readFileSync(results, "utf8"));
  if (numRuntimeErrorTestSuites > 0) console.log(`\n${numRuntimeErrorTestSuites} test files could not be run.`);
  console.log(`\njest: ${numPassedTests} passed, ${numFailedTests} failed${numPendingTests > 0 ? `, ${numPendingTests} skipped` : ""}`);
}
process.exit(rust || jest);
