/**
 * Packages of the workspace that an ES module imports.
 *
 * Takes a specifier and the file that has it. Gives the file of a linked package that Node would import; undefined for packages that are installed, which stay
 * outside, and where `require.resolve` says the same. That goes by the conditions of CommonJS, by which a package may give another build.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { type PathConditions, resolveExports } from "resolve-pkg-maps";

const NAME = /^(?:@[^/]+\/)?[^/]+/;

export function importedFromWorkspace(specifier: string, fromFile: string): string | undefined {
  const name = NAME.exec(specifier)?.[0];
  const root = name === undefined ? undefined : linkedPackage(name, path.dirname(fromFile));
  if (name === undefined || root === undefined) return undefined;
  try {
    const { exports } = JSON.parse(fs.readFileSync(path.join(root, "package.json"), "utf8")) as { exports?: PathConditions };
    if (exports === undefined) return undefined;
    const [target] = resolveExports(exports, specifier.slice(name.length + 1), conditions());
    return target === undefined ? undefined : path.join(root, target);
  } catch {
    return undefined;
  }
}

/** The folder that a link in the nearest `node_modules` leads to. */
function linkedPackage(name: string, from: string): string | undefined {
  for (let folder = from; ; folder = path.dirname(folder)) {
    const installed = path.join(folder, "node_modules", name);
    if (fs.existsSync(installed)) {
      const root = fs.realpathSync(installed);
      return /[\\/]node_modules[\\/]/.test(root) ? undefined : root;
    }
    if (path.dirname(folder) === folder) return undefined;
  }
}

/** By which this process imports. */
function conditions(): string[] {
  const given = [...process.execArgv, process.env.NODE_OPTIONS ?? ""].join(" ").matchAll(/(?:^|\s)(?:--conditions|-C)[=\s]\s*(\S+)/g);
  return ["node", "import", "module-sync", "node-addons", ...[...given].map(([, condition]) => condition)];
}
