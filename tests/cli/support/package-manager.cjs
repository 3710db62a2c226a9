/**
 * Stands in for npm, yarn, pnpm and bun: writes what it was asked to do into $PACKAGE_MANAGER_LOG, and does it with what is installed in this repository.
 *
 * node package-manager.cjs <name> <arguments…>
 */
const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

const ROOT = path.resolve(__dirname, "../../..");
const [name, ...args] = process.argv.slice(2);
fs.appendFileSync(process.env.PACKAGE_MANAGER_LOG, `${[name, ...args].join(" ")}\n`);
if (process.env.PACKAGE_MANAGER_FAILS) {
  console.error(`${name}: the registry can't be reached`);
  process.exit(7);
}

if (args.includes("ts-patch")) {
  const typescript = path.resolve("node_modules/typescript");
  if (fs.lstatSync(typescript).isSymbolicLink()) throw new Error("This would patch the repository's own TypeScript.");
  const tsPatch = path.join(ROOT, "node_modules/ts-patch/bin/ts-patch.js");
  const flags = args.slice(args.indexOf("ts-patch") + 1);
  process.exit(spawnSync(process.execPath, [tsPatch, ...flags, "--dir", process.cwd()], { stdio: "inherit" }).status ?? 1);
}

const dev = args.includes("-D");
const packages = args.slice(1).filter((arg) => !arg.startsWith("-"));
const text = fs.readFileSync("package.json", "utf8");
const json = JSON.parse(text);
for (const spec of packages) {
  const at = spec.lastIndexOf("@");
  const [package, range] = at > 0 ? [spec.slice(0, at), spec.slice(at + 1)] : [spec, "*"];
  const kind = dev ? "devDependencies" : "dependencies";
  json[kind] = Object.fromEntries(Object.entries({ ...json[kind], [package]: range }).sort(([a], [b]) => (a < b ? -1 : 1)));
  const link = path.resolve("node_modules", package);
  fs.mkdirSync(path.dirname(link), { recursive: true });
  fs.rmSync(link, { recursive: true, force: true });
  fs.symlinkSync(package === "makeparallel" ? ROOT : path.join(ROOT, "node_modules", package), link, "junction");
}
fs.writeFileSync("package.json", `${JSON.stringify(json, null, /^[ \t]+/m.exec(text)[0])}\n`);
// As pnpm does when it has left an install script out.
if (process.env.PACKAGE_MANAGER_COMPLAINS) process.exit(1);
