/**
 * Builds the native backend and puts it where the package looks for it: dist/native/makeparallel.<platform>-<arch>[-<libc>].node.
 *
 * Without cargo on the PATH it says so in one line and succeeds: everything then runs on the TypeScript backend.
 *
 * --types writes runtime-native/index.d.ts anew; --check fails when it is not up to date.
 */
import fs from "node:fs";
import path from "node:path";
import { hasCargo, require, root, run, sayNoCargo } from "./lib/project.mjs";

const crate = path.join(root, "runtime-native");
const typings = path.join(crate, "index.d.ts");

/** `linux-x64-gnu`, `darwin-arm64`, … as runtime-ts/src/pool/native-binding.ts has it. */
function target() {
  const libc = process.platform === "linux" ? (process.report.getReport().header.glibcVersionRuntime ? "-gnu" : "-musl") : "";
  return `${process.platform}-${process.arch}${libc}`;
}

function targetFolder() {
  return path.resolve(root, process.env.CARGO_TARGET_DIR ?? "target");
}

function build() {
  run("cargo", ["build", "--release", "--quiet", "--locked", "-p", "makeparallel_native"]);
  const prefix = process.platform === "win32" ? "" : "lib";
  const suffix = { win32: ".dll", darwin: ".dylib" }[process.platform] ?? ".so";
  const built = path.join(targetFolder(), "release", `${prefix}makeparallel_native${suffix}`);
  const folder = path.join(root, "dist/native");
  const file = path.join(folder, `makeparallel.${target()}.node`);
  fs.mkdirSync(folder, { recursive: true });
  if (fs.existsSync(file) && fs.readFileSync(file).equals(fs.readFileSync(built))) return;
  // Renamed into place: a process that has the old file loaded keeps its own.
  const fresh = `${file}.${process.pid}.tmp`;
  fs.copyFileSync(built, fresh);
  fs.renameSync(fresh, file);
}

/** The typings as the crate's macros describe them: they write them while it compiles, so it is compiled anew. */
async function generateTypings() {
  const folder = path.join(targetFolder(), "typings");
  const typeDefDir = path.join(folder, "definitions");
  fs.rmSync(typeDefDir, { recursive: true, force: true });
  fs.mkdirSync(typeDefDir, { recursive: true });
  const options = { env: { NAPI_TYPE_DEF_TMP_FOLDER: typeDefDir } };
  run("cargo", ["clean", "--quiet", "-p", "makeparallel_native", "--target-dir", folder], options);
  run("cargo", ["check", "--quiet", "--locked", "-p", "makeparallel_native", "--target-dir", folder], options);
  const { generateTypeDef } = require("@napi-rs/cli");
  const { dts } = await generateTypeDef({ typeDefDir, cwd: crate, dtsHeaderFile: "ports.d.ts" });
  return dts;
}

if (!hasCargo()) {
  sayNoCargo("the native backend");
} else if (process.argv.includes("--types")) {
  fs.writeFileSync(typings, await generateTypings());
} else if (process.argv.includes("--check")) {
  if (fs.readFileSync(typings, "utf8") !== (await generateTypings())) {
    console.error("runtime-native/index.d.ts is not up to date: run `node scripts/build-native.mjs --types` and commit it.");
    process.exit(1);
  }
} else {
  build();
}
