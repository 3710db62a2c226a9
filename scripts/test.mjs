/**
 * Runs all tests: the crate's (where cargo is on the PATH), then jest's, whose summary comes last. Arguments go to jest.
 *
 * Both backends are tested by jest either way; without cargo and without a binary from an earlier build the native half is left out, and says so.
 */
import fs from "node:fs";
import path from "node:path";
import { binOf, hasCargo, root, run, runNode, sayNoCargo } from "./lib/project.mjs";

const jestArguments = process.argv.slice(2);

let rust = 0;
if (!fs.existsSync(path.join(root, "Cargo.toml"))) {
  console.log("No Cargo workspace: the crate's tests skipped.");
} else if (hasCargo()) {
  rust = run("cargo", ["test", "--workspace", "--quiet"], { allowFailure: true });
} else {
  sayNoCargo("the crate's own tests");
}
const jest = runNode([binOf("jest"), ...jestArguments], { allowFailure: true });
if (rust !== 0) console.error("\nThe crate's own tests failed (cargo test, above).");
process.exit(rust || jest);
