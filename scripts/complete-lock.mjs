/**
 * Completes package-lock.json: every platform package that an installed package names among its optional dependencies gets its entry.
 *
 * npm leaves entries out whose packages the registry in use could not serve, or that a `node_modules` from another platform did not hold, and
 * `npm ci` then refuses the whole file ("Missing: … from lock file"), on every platform. What an entry has to say follows from the package's name, and
 * npm downloads it only where it fits. With `--check` nothing is written; the exit status says whether something is missing.
 */
import fs from "node:fs";
import path from "node:path";
import { root } from "./lib/project.mjs";

const file = path.join(root, "package-lock.json");
const lock = JSON.parse(fs.readFileSync(file, "utf8"));
const added = [];

for (const [location, { optionalDependencies, dev }] of Object.entries(lock.packages)) {
  if (location === "") continue;
  for (const [name, version] of Object.entries(optionalDependencies ?? {})) {
    const platform = platformOf(name);
    if (platform === undefined || !/^\d/.test(version) || isLocked(location, name)) continue;
    lock.packages[`node_modules/${name}`] = { version, ...platform, ...(dev ? { dev } : {}), optional: true };
    added.push(`${name}@${version}`);
  }
}

if (added.length > 0 && process.argv.includes("--check")) {
  console.error(`package-lock.json lacks ${added.join(", ")}: run node scripts/complete-lock.mjs.`);
  process.exit(1);
}
if (added.length > 0) {
  const { "": own, ...others } = lock.packages;
  lock.packages = { "": own, ...Object.fromEntries(Object.entries(others).sort(([a], [b]) => (a < b ? -1 : 1))) };
  fs.writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`package-lock.json: ${added.length} platform packages added.`);
}

/** Whether the package at `location` finds `name`, in its own node_modules or in one above. */
function isLocked(location, name) {
  for (let at = location; at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf("node_modules/") - 1))) {
    if (lock.packages[`${at}/node_modules/${name}`]) return true;
  }
  return lock.packages[`node_modules/${name}`] !== undefined;
}

/** `@scope/name-linux-x64-gnu` → `{ cpu: ["x64"], os: ["linux"], libc: ["glibc"] }`; undefined for a name that is no platform package. */
function platformOf(name) {
  const match =
    /-(?<os>android|darwin|freebsd|linux|openbsd|openharmony|win32)-(?<cpu>arm64|armv7|arm|ia32|loong64|ppc64|riscv64|s390x|x64)(?:-(?<abi>\w+))?$/.exec(
      name,
    )?.groups ?? (/-wasm32-wasi$/.test(name) ? { cpu: "wasm32" } : undefined);
  if (match === undefined) return undefined;
  const { os, cpu, abi } = match;
  const libc = abi?.startsWith("musl") || abi === "musl" ? "musl" : os === "linux" && abi?.startsWith("gnu") ? "glibc" : undefined;
  return { cpu: [cpu === "armv7" ? "arm" : cpu], ...(os ? { os: [os] } : {}), ...(libc ? { libc: [libc] } : {}) };
}
