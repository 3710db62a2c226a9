/**
 * Runs the crate's own stress test under ThreadSanitizer.
 *
 *   node scripts/test-threads.mjs [seconds, default 30] [seed]
 *
 * Needs Linux and a nightly toolchain; rust-src is not needed. The standard library is not instrumented: what that makes look like a race is listed, each
 * with its reason, in lib/tsan-suppressions.txt. The crate, its atomics, parking_lot and crossbeam are.
 *
 * First it is shown that it would notice: an ordering is weakened in a copy of the crate, and the race has to be reported.
 */
import fs from "node:fs";
import path from "node:path";
import { spawnSync } from "node:child_process";
import { root } from "./lib/project.mjs";

const seconds = process.argv[2] ?? "30";
const seed = process.argv[3] ?? "1";
const triple = `${{ x64: "x86_64", arm64: "aarch64" }[process.arch]}-unknown-linux-gnu`;
const copy = path.join(root, ".tmp/threads");

const fault = {
  name: "publishing an outcome does not release it",
  file: "state.rs",
  find: `Phase::Settled as u64 | ((settlement as u64) << SETTLEMENT_SHIFT),
            Ordering::AcqRel,`,
  replace: `Phase::Settled as u64 | ((settlement as u64) << SETTLEMENT_SHIFT),
            Ordering::Relaxed,`,
};

/** Runs the stress test of a fresh copy of the crate; always in the same place, so that cargo sees what has changed. */
function stress(planted, stressSeconds, stdio) {
  fs.rmSync(copy, { recursive: true, force: true });
  fs.mkdirSync(copy, { recursive: true });
  for (const part of ["Cargo.toml", "Cargo.lock", "runtime-native"])
    fs.cpSync(path.join(root, part), path.join(copy, part), { recursive: true });
  if (planted) {
    const place = path.join(copy, "runtime-native/src", planted.file);
    const text = fs.readFileSync(place, "utf8");
    if (!text.includes(planted.find)) throw new Error(`This fault's text is not in ${planted.file} any more: ${planted.name}`);
    fs.writeFileSync(place, text.replace(planted.find, planted.replace));
  }
  const crate = ["--quiet", "--locked", "--profile", "checked", "-p", "makeparallel_native", "--lib", "--target", triple];
  return spawnSync("cargo", ["+nightly", "test", ...crate, "stress"], {
    cwd: copy,
    stdio,
    encoding: "utf8",
    maxBuffer: 1 << 28,
    env: {
      ...process.env,
      CARGO_TARGET_DIR: path.join(root, "target/tsan"),
      RUSTFLAGS: "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer",
      TSAN_OPTIONS: `suppressions=${path.join(root, "scripts/lib/tsan-suppressions.txt")}:history_size=4`,
      STRESS_SECONDS: stressSeconds,
      STRESS_SEED: seed,
    },
  });
}

const { stdout, stderr, error } = stress(fault, "5", "pipe");
if (error) throw error;
const summary = /^SUMMARY: ThreadSanitizer.*$/m.exec(stderr + stdout)?.[0];
console.log(`planted: ${fault.name}\n  ${summary ?? `NOT NOTICED\n${stdout}${stderr}`}`);
if (!summary) process.exit(1);

console.log("\n━━ the stress test");
process.exit(stress(undefined, seconds, "inherit").status ?? 1);
