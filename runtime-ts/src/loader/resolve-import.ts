/**
 * Where an `import` of a package leads, by Node's rules for ES modules ("Resolution and loading algorithm" in Node's documentation of ECMAScript
 * modules), synchronously and from any folder: `import.meta.resolve` only answers for the module that it stands in.
 *
 * Takes: a specifier and the folder that it is resolved from. Gives: a `node:`, `data:` or `file:` URL. Yarn's Plug'n'Play is asked where packages are. Not handled:
 * module hooks of the program.
 */
import * as fs from "node:fs";
import { builtinModules } from "node:module";
import * as path from "node:path";
import { pathToFileURL } from "node:url";

type Target = string | null | Target[] | { [condition: string]: Target };

interface PackageJson {
  name?: string;
  main?: string;
  type?: string;
  exports?: Target;
  imports?: Record<string, Target>;
}

/** As Node's own errors: `code` is `ERR_MODULE_NOT_FOUND` or `ERR_PACKAGE_PATH_NOT_EXPORTED`. */
export class ResolveError extends Error {
  constructor(
    message: string,
    readonly code: string,
  ) {
    super(message);
  }
}

const builtins = new Set(builtinModules);
let conditions: Set<string> | undefined;

/** @throws ResolveError */
export function resolveImport(specifier: string, folder: string): string {
  if (specifier.startsWith("node:") || builtins.has(specifier)) return specifier.startsWith("node:") ? specifier : `node:${specifier}`;
  if (/^(data|file):/.test(specifier)) return specifier;
  if (specifier.startsWith("./") || specifier.startsWith("../") || specifier.startsWith("/")) {
    return existing(new URL(specifier, `${pathToFileURL(folder).href}/`).href, specifier, folder);
  }
  if (path.isAbsolute(specifier)) return existing(pathToFileURL(specifier).href, specifier, folder);
  if (specifier.startsWith("#")) return resolveHash(specifier, folder);
  return resolvePackage(specifier, folder);
}

/** Whether its name, or its package.json, makes a file an ES module. */
export function isEsModule(file: string): boolean {
  return file.endsWith(".mjs") || (file.endsWith(".js") && findScope(path.dirname(file))?.json.type === "module");
}

function existing(url: string, specifier: string, folder: string): string {
  const parsed = new URL(url);
  let real: string;
  try {
    real = fs.realpathSync(parsed);
    if (fs.statSync(real).isDirectory()) throw new Error("a folder");
  } catch {
    throw new ResolveError(`Cannot find ${specifier} from ${folder}`, "ERR_MODULE_NOT_FOUND");
  }
  return pathToFileURL(real).href + parsed.search + parsed.hash;
}

function resolvePackage(specifier: string, folder: string): string {
  const parts = specifier.split("/");
  const name = specifier.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0];
  const subpath = `.${specifier.slice(name.length)}`;

  const scope = findScope(folder);
  if (scope?.json.name === name && scope.json.exports !== undefined)
    return resolveExports(scope.folder, scope.json.exports, subpath, specifier, folder);

  const found = plugAndPlayFolder(name, folder) ?? installedFolder(name, folder);
  if (found === undefined) throw new ResolveError(`Cannot find package '${name}' from ${folder}`, "ERR_MODULE_NOT_FOUND");
  const json = readPackage(found);
  if (json?.exports != null) return resolveExports(found, json.exports, subpath, specifier, folder);
  if (subpath !== ".") return existing(pathToFileURL(path.join(found, subpath)).href, specifier, folder);
  return legacyMain(found, json, specifier, folder);
}

function installedFolder(name: string, folder: string): string | undefined {
  for (let at = folder; ; at = path.dirname(at)) {
    const candidate = path.join(at, "node_modules", name);
    if (path.basename(at) !== "node_modules" && fs.existsSync(candidate)) return candidate;
    if (at === path.dirname(at)) return undefined;
  }
}

/** What Yarn's Plug'n'Play adds to Node's `module` where it is in use (https://yarnpkg.com/advanced/pnpapi). */
interface PlugAndPlay {
  resolveToUnqualified(request: string, issuer: string, options: { considerBuiltins: boolean }): string | null;
}

/** The folder of a package in a project that Plug'n'Play resolves; undefined in others. */
function plugAndPlayFolder(name: string, folder: string): string | undefined {
  if (process.versions["pnp"] === undefined) return undefined;
  // Required here: an import of the whole would be copied getter by getter, in every worker.
  const { findPnpApi } = require("node:module") as { findPnpApi?: (place: string) => PlugAndPlay | null };
  const interfaceOf = findPnpApi?.(`${folder}/`);
  if (interfaceOf == null) return undefined;
  try {
    return interfaceOf.resolveToUnqualified(name, `${folder}/`, { considerBuiltins: false }) ?? undefined;
  } catch (error) {
    throw new ResolveError((error as Error).message.split("\n", 1)[0]!, "ERR_MODULE_NOT_FOUND");
  }
}

function legacyMain(packageFolder: string, json: PackageJson | undefined, specifier: string, folder: string): string {
  const main = json?.main;
  const tries = main === undefined ? [] : ["", ".js", ".json", ".node", "/index.js", "/index.json", "/index.node"].map((end) => main + end);
  for (const file of [...tries, "index.js", "index.json", "index.node"]) {
    const full = path.join(packageFolder, file);
    if (fs.statSync(full, { throwIfNoEntry: false })?.isFile()) return existing(pathToFileURL(full).href, specifier, folder);
  }
  throw new ResolveError(`Package ${specifier} in ${packageFolder} has no main file`, "ERR_MODULE_NOT_FOUND");
}

function resolveHash(specifier: string, folder: string): string {
  const scope = findScope(folder);
  const match = scope?.json.imports && matchKey(scope.json.imports, specifier);
  const resolved = scope && match && resolveTarget(scope.folder, match.target, match.star, specifier, folder, true);
  if (!resolved)
    throw new ResolveError(`'${specifier}' is not among the imports of the package around ${folder}`, "ERR_PACKAGE_IMPORT_NOT_DEFINED");
  return resolved;
}

function resolveExports(packageFolder: string, exports: Target, subpath: string, specifier: string, folder: string): string {
  const map = isSubpathMap(exports) ? exports : { ".": exports };
  const match = matchKey(map, subpath);
  const resolved = match && resolveTarget(packageFolder, match.target, match.star, specifier, folder, false);
  if (!resolved) {
    throw new ResolveError(`'${subpath}' is not exported for import by the package in ${packageFolder}`, "ERR_PACKAGE_PATH_NOT_EXPORTED");
  }
  return resolved;
}

function isSubpathMap(exports: Target): exports is Record<string, Target> {
  return (
    typeof exports === "object" && exports !== null && !Array.isArray(exports) && Object.keys(exports).some((key) => key.startsWith("."))
  );
}

/** The entry for a key: itself, or the pattern (`./x/*`) with the longest fixed beginning. */
function matchKey(map: Record<string, Target>, key: string): { target: Target; star: string | undefined } | undefined {
  if (Object.hasOwn(map, key) && !key.includes("*")) return { target: map[key], star: undefined };
  let best: { pattern: string; star: string } | undefined;
  for (const pattern of Object.keys(map)) {
    const [head, tail, more] = pattern.split("*");
    if (tail === undefined || more !== undefined || !key.startsWith(head) || key === head) continue;
    if (key.length < pattern.length || !key.endsWith(tail)) continue;
    if (!best || head.length > best.pattern.indexOf("*")) best = { pattern, star: key.slice(head.length, key.length - tail.length) };
  }
  return best && { target: map[best.pattern], star: best.star };
}

function resolveTarget(
  packageFolder: string,
  target: Target,
  star: string | undefined,
  specifier: string,
  folder: string,
  internal: boolean,
): string | null | undefined {
  if (target === null) return null;
  if (typeof target === "string") {
    const filled = star === undefined ? target : target.replaceAll("*", star);
    if (filled.startsWith("./")) return existing(pathToFileURL(path.join(packageFolder, filled)).href, specifier, folder);
    return internal ? resolveImport(filled, packageFolder) : undefined;
  }
  if (Array.isArray(target)) {
    for (const option of target) {
      const resolved = resolveTarget(packageFolder, option, star, specifier, folder, internal);
      if (resolved !== undefined) return resolved;
    }
    return undefined;
  }
  for (const [condition, option] of Object.entries(target)) {
    if (condition !== "default" && !activeConditions().has(condition)) continue;
    const resolved = resolveTarget(packageFolder, option, star, specifier, folder, internal);
    if (resolved !== undefined) return resolved;
  }
  return undefined;
}

/** Node's own, and those of `--conditions`. */
function activeConditions(): Set<string> {
  if (conditions) return conditions;
  conditions = new Set(["node", "import", "module-sync", "node-addons"]);
  const flags = [...(process.env.NODE_OPTIONS ?? "").split(/\s+/), ...process.execArgv];
  flags.forEach((flag, index) => {
    const match = /^(?:-C|--conditions)(?:=(.*))?$/.exec(flag);
    if (match) conditions?.add(match[1] ?? flags[index + 1]);
  });
  return conditions;
}

function findScope(folder: string): { folder: string; json: PackageJson } | undefined {
  for (let at = folder; ; at = path.dirname(at)) {
    if (path.basename(at) === "node_modules") return undefined;
    const json = readPackage(at);
    if (json) return { folder: at, json };
    if (at === path.dirname(at)) return undefined;
  }
}

function readPackage(folder: string): PackageJson | undefined {
  let text: string;
  try {
    text = fs.readFileSync(path.join(folder, "package.json"), "utf8");
  } catch {
    return undefined;
  }
  return JSON.parse(text) as PackageJson;
}
