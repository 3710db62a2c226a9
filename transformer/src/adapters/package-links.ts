/** Packages in `node_modules`: those that are installed, and those of the workspace, which are linked. */
import * as fs from "node:fs";
import * as path from "node:path";
import { type PathConditions, resolveExports } from "resolve-pkg-maps";
import { isBareSpecifier } from "../emit/externals";

const IN_PACKAGE = /[\\/]node_modules[\\/]/;

const NAME = /^(?:@[^/]+\/)?[^/]+/;

/**
 * The file of a linked package that an ES module imports in Node; undefined where `require.resolve` says the same. That goes by the conditions of CommonJS, by which a
 * package may give another build.
 */
export function importedFromWorkspace(specifier: string, fromFile: string): string | undefined {
  const name = NAME.exec(specifier)?.[0];
  const root = name === undefined ? undefined : packageFolder(name, path.dirname(fromFile));
  if (name === undefined || root === undefined || IN_PACKAGE.test(root)) return undefined;
  try {
    const { exports } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8")) as { exports?: PathConditions };
    if (exports === undefined) return undefined;
    const [target] = resolveExports(exports, specifier.slice(name.length + 1), conditions());
    return target === undefined ? undefined : path.join(root, target);
  } catch {
    return undefined;
  }
}

/** Whether a specifier names a package that is installed, and no link to one of the workspace. */
export function isInstalled(specifier: string, fromFile: string): boolean {
  const name = isBareSpecifier(specifier) ? NAME.exec(specifier)?.[0] : undefined;
  const root = name === undefined ? undefined : packageFolder(name, path.dirname(fromFile));
  return root !== undefined && IN_PACKAGE.test(root);
}

/** The folder of the package that the nearest `node_modules` has, behind links. */
function packageFolder(name: string, from: string): string | undefined {
  for (let folder = from; ; folder = path.dirname(folder)) {
    const installed = path.join(folder, "node_modules", name);
    if (fs.existsSync(installed)) return fs.realpathSync(installed);
    if (path.dirname(folder) === folder) return undefined;
  }
}

/** By which this process imports. */
function conditions(): string[] {
  const given = [...process.execArgv, process.env.NODE_OPTIONS ?? ""].join(" ").matchAll(/(?:^|\s)(?:--conditions|-C)[=\s]\s*(\S+)/g);
  return ["node", "import", "module-sync", "node-addons", ...[...given].map(([, condition]) => condition)];
}
