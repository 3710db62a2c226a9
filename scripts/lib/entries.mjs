/**
 * The package's entry points, read from `exports` of package.json.
 *
 * The CommonJS build is the only implementation, so that a process has one instance of it whether it is imported or required. What the `import`
 * condition names is a generated module that re-exports it, and a `.d.mts` that says the same to TypeScript.
 */
import fs from "node:fs";
import path from "node:path";
import { root, require } from "./project.mjs";
import { BUNDLE_ENDING } from "./runtime-bundles.mjs";

/** `{ subpath, cjs, cjsTypes, esm, types }` of each entry that is code; paths absolute. */
export function entries() {
  const { exports } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8"));
  return Object.entries(exports)
    .filter(([, target]) => typeof target === "object")
    .map(([subpath, target]) => ({
      subpath,
      cjs: path.resolve(root, target.require.default),
      cjsTypes: path.resolve(root, target.require.types),
      esm: path.resolve(root, target.import.default),
      types: path.resolve(root, target.import.types),
    }));
}

/**
 * Writes the ES module and the typings of an entry. Unchanged files keep their time.
 * @throws whatever loading its CommonJS file throws
 */
export function writeWrapper(entry) {
  const exported = require(entry.cjs);
  const names = Object.keys(exported).filter((name) => name !== "default" && name !== "__esModule");
  const hasDefault = Object.hasOwn(exported, "default");

  const cjs = specifier(entry.esm, entry.cjs);
  // Node takes 4 ms for the first CommonJS module behind an `import`, to know what it exports. Bundlers follow the `import`, but nobody bundles a plugin of theirs.
  const code = entry.cjs.endsWith(BUNDLE_ENDING)
    ? ['import { createRequire } from "node:module";', `const cjs = createRequire(import.meta.url)(${cjs});`]
    : [`import cjs from ${cjs};`];
  if (names.length > 0) code.push(`export const { ${names.sort().join(", ")} } = cjs;`);
  if (hasDefault) code.push("export default cjs.default;");

  const from = specifier(entry.types, entry.cjsTypes.replace(/\.d\.ts$/, ".js"));
  const types = [`export * from ${from};`];
  if (hasDefault) {
    // `export *` leaves the default out, and what a default import of a CommonJS module means differs among the module resolutions; `require` does not.
    types.push(`import cjs = require(${from});`, "declare const _default: typeof cjs.default;", "export default _default;");
  }
  write(entry.esm, code);
  write(entry.types, types);
}

function specifier(fromFile, toFile) {
  const relative = path.relative(path.dirname(fromFile), toFile).split(path.sep).join("/");
  return JSON.stringify(relative.startsWith(".") ? relative : `./${relative}`);
}

function write(file, lines) {
  const text = `${lines.join("\n")}\n`;
  if (fs.existsSync(file) && fs.readFileSync(file, "utf8") === text) return;
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, text);
}
