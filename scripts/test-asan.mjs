/**
 * Runs the storms of tests/storms, and the crate's own stress test, with AddressSanitizer watching over the addon.
 *
 *   node scripts/test-asan.mjs [ms of each storm, default 15000] [seed]
 *
 * Needs Linux on x86-64 or arm64, a nightly toolchain (`rustup toolchain install nightly`; rust-src is not needed) and a C compiler. Node itself is the
 * ordinary one: its allocations go through the sanitizer too, but only the addon's own accesses are checked.
 *
 * The sanitizer's runtime comes with the toolchain as a static library, for executables. Node is none that could be linked anew, so a shared library is
 * made of it, without the one object that only executables may have, and preloaded.
 *
 * First it is shown that it would notice: two faults are put into a copy of the addon, and each of them has to be reported.
 */
import fs from "node:fs";
import path from "node:path";
import { spawnSync } from "node:child_process";
import { binOf, root, run } from "./lib/project.mjs";

const storms = process.argv[2] ?? "15000";
const seed = process.argv[3] ?? "1";
const triple = `${{ x64: "x86_64", arm64: "aarch64" }[process.arch]}-unknown-linux-gnu`;
const targetFolder = path.join(root, "target/asan");
const work = path.join(root, ".tmp/asan");
const reports = path.join(work, "reports");

/** What is put into the copy: text of a file in runtime-native/src, and what it becomes. */
const faults = [
  {
    name: "a settled task is handed over without a reference of its own",
    file: "outbox.rs",
    find: "let raw = Arc::into_raw(task).cast_mut();",
    replace: "let raw = Arc::as_ptr(&task).cast_mut();",
  },
  {
    name: "a worker's flags are lent to JavaScript without a reference of their own",
    file: "binding/mod.rs",
    find: "let flags = Arc::into_raw(Arc::clone(&worker.flags));",
    replace: "let flags = Arc::as_ptr(&worker.flags);",
  },
];

const cargo = (folder, ...args) =>
  run("cargo", ["+nightly", ...args, "--quiet", "--locked", "--profile", "checked", "-p", "makeparallel_native", "--target", triple], {
    cwd: folder,
    env: { CARGO_TARGET_DIR: targetFolder, RUSTFLAGS: "-Zsanitizer=address -Cforce-frame-pointers=yes" },
  });

/** The sanitizer as a shared library. */
function makeRuntime() {
  const sysroot = spawnSync("rustc", ["+nightly", "--print", "sysroot"], { encoding: "utf8" }).stdout.trim();
  const folder = path.join(sysroot, "lib/rustlib", triple, "lib");
  const archive = fs.existsSync(folder) && fs.readdirSync(folder).find((name) => /_rt\.asan\.a$/.test(name));
  if (!archive) throw new Error("There is no nightly toolchain with AddressSanitizer: rustup toolchain install nightly.");
  const copy = path.join(work, "asan.a");
  const library = path.join(work, "libasan-preload.so");
  fs.copyFileSync(path.join(folder, archive), copy);
  const members = spawnSync("ar", ["t", copy], { encoding: "utf8" }).stdout.split("\n");
  const executableOnly = members.filter((name) => name.includes("preinit"));
  if (executableOnly.length > 0) run("ar", ["d", copy, ...executableOnly]);
  run("cc", ["-shared", "-o", library, "-Wl,--whole-archive", copy, "-Wl,--no-whole-archive", "-lpthread", "-ldl", "-lm", "-lrt"]);
  return library;
}

/**
 * A copy of the built package with an addon that is built from a copy of the crate, with or without a fault. Always the same copy: cargo would take an
 * addon from elsewhere for up to date.
 */
function makePackage(fault) {
  const copy = path.join(work, "crate");
  fs.rmSync(copy, { recursive: true, force: true });
  fs.mkdirSync(copy);
  for (const part of ["Cargo.toml", "Cargo.lock", "runtime-native"])
    fs.cpSync(path.join(root, part), path.join(copy, part), { recursive: true });
  if (fault) {
    const place = path.join(copy, "runtime-native/src", fault.file);
    const text = fs.readFileSync(place, "utf8");
    if (!text.includes(fault.find)) throw new Error(`This fault's text is not in ${fault.file} any more: ${fault.name}`);
    fs.writeFileSync(place, text.replace(fault.find, fault.replace));
  }
  const dist = path.join(work, "dist");
  fs.rmSync(dist, { recursive: true, force: true });
  cargo(copy, "build", "--lib");
  fs.cpSync(path.join(root, "dist/runtime-ts"), path.join(dist, "runtime-ts"), { recursive: true });
  fs.mkdirSync(path.join(dist, "native"));
  const [addon] = fs.readdirSync(path.join(root, "dist/native"));
  fs.copyFileSync(path.join(targetFolder, triple, "checked/libmakeparallel_native.so"), path.join(dist, "native", addon));
  return path.join(dist, "runtime-ts/src");
}

/** Runs the storms; the status, and what was reported. */
function storm(runtime, preload, milliseconds, stdio) {
  fs.rmSync(reports, { recursive: true, force: true });
  fs.mkdirSync(reports, { recursive: true });
  const { status } = spawnSync(process.execPath, [binOf("jest"), "tests/storms", "--runInBand"], {
    cwd: root,
    stdio,
    env: {
      ...process.env,
      TEST_RUNTIME: runtime,
      TEST_PRELOAD: preload,
      TEST_REPORTS: reports,
      TEST_STORM_MS: milliseconds,
      TEST_STORM_SEED: seed,
      // Leaks: Node leaves much to the end of the process. Mismatches of allocation and release: C++ operators are not the sanitizer's here.
      ASAN_OPTIONS: `log_path=${reports}/asan:detect_leaks=0:alloc_dealloc_mismatch=0:quarantine_size_mb=64`,
    },
  });
  const found = fs.readdirSync(reports).map((name) => fs.readFileSync(path.join(reports, name), "utf8"));
  return { status, found };
}

fs.mkdirSync(work, { recursive: true });
run(process.execPath, ["scripts/build.mjs"]);
const preload = makeRuntime();

for (const fault of faults) {
  const { found } = storm(makePackage(fault), preload, "500", "ignore");
  const summary = found.map((report) => /^SUMMARY: .*$/m.exec(report)?.[0]).find(Boolean);
  console.log(`planted: ${fault.name}\n  ${summary ?? "NOT NOTICED"}`);
  if (!summary) process.exit(1);
}

console.log("\n━━ storms");
const { status, found } = storm(makePackage(), preload, storms, "inherit");
for (const report of found) console.error(report);
if (status !== 0 || found.length > 0) process.exit(1);

console.log("\n━━ the crate's own stress test");
run(
  "cargo",
  ["+nightly", "test", "--quiet", "--locked", "--profile", "checked", "-p", "makeparallel_native", "--lib", "--target", triple, "stress"],
  {
    env: {
      CARGO_TARGET_DIR: targetFolder,
      RUSTFLAGS: "-Zsanitizer=address -Cforce-frame-pointers=yes",
      STRESS_SECONDS: String(Math.ceil(Number(storms) / 1000)),
      STRESS_SEED: seed,
    },
  },
);
console.log("\nNothing was found.");
