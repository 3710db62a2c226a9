/**
 * Explores the models of the scheduler (runtime-native/src/models) with loom.
 *
 *   node scripts/test-loom.mjs [name of a test, or a part of it]
 *   node scripts/test-loom.mjs --mutations [part of a name]    puts faults into a copy, one at a time, and fails unless the models find each of them
 */
import fs from "node:fs";
import path from "node:path";
import { spawnSync } from "node:child_process";
import { hasCargo, root, sayNoCargo } from "./lib/project.mjs";
import { mutations } from "./lib/loom-mutations.mjs";

/** Runs models in the workspace at `folder`. A copy has a target folder of its own: cargo would take one's build for the other's. */
function explore(folder, targetFolder, filter, stdio) {
  return spawnSync(
    "cargo",
    ["test", "--quiet", "--locked", "--profile", "checked", "--lib", "-p", "makeparallel_native", `models::${filter}`],
    {
      cwd: folder,
      stdio,
      encoding: "utf8",
      env: {
        ...process.env,
        RUSTFLAGS: `${process.env.RUSTFLAGS ?? ""} --cfg loom`,
        CARGO_TARGET_DIR: path.join(root, targetFolder),
        RUST_BACKTRACE: "0",
      },
    },
  );
}

function exploreMutations(filter) {
  const copy = path.join(root, ".tmp/mutations");
  fs.rmSync(copy, { recursive: true, force: true });
  fs.mkdirSync(copy, { recursive: true });
  for (const name of ["Cargo.toml", "Cargo.lock", "runtime-native"])
    fs.cpSync(path.join(root, name), path.join(copy, name), { recursive: true });
  const missed = [];
  for (const { name, file, find, replace, model } of mutations.filter((mutation) => mutation.name.includes(filter))) {
    const place = path.join(copy, "runtime-native/src", file);
    const original = fs.readFileSync(place, "utf8");
    const parts = original.split(find);
    let verdict = "does not apply: its text is not in the file once";
    if (parts.length === 2) {
      fs.writeFileSync(place, parts.join(replace));
      const { status, stdout, stderr } = explore(copy, "target/loom-mutations", model, "pipe");
      if (!/running \d/.test(stdout)) verdict = `does not compile\n${stderr}`;
      else if (/running 0 tests/.test(stdout)) verdict = `its model is not there: ${model}`;
      else if (status === 0) verdict = "MISSED";
      else verdict = undefined;
      fs.writeFileSync(place, original);
    }
    console.log(`${verdict === undefined ? "found  " : "FAILED "} ${name}${verdict === undefined ? "" : `: ${verdict}`}`);
    if (verdict !== undefined) missed.push(name);
  }
  if (missed.length > 0) console.error(`\n${missed.length} of the faults were not found.`);
  return missed.length === 0 ? 0 : 1;
}

const [first, second] = process.argv.slice(2);
if (!hasCargo()) {
  sayNoCargo("the models of the scheduler");
} else if (first === "--mutations") {
  process.exit(exploreMutations(second ?? ""));
} else {
  process.exit(explore(root, "target/loom", first ?? "", "inherit").status ?? 1);
}
