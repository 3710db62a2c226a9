/** What is installed: packages as a project's own modules would find them, and copies of this one. */
import * as fs from "node:fs";
import * as path from "node:path";
import { foldersUp, isFile, isFolder, readText } from "./files";
import { parseVersion, type Version } from "./versions";

export interface Installed {
  /** Real path of the package's folder. */
  folder: string;
  version: Version;
}

/** The package that an import of `name` from the folder would find in a `node_modules`. */
export function findInstalled(folder: string, name: string): Installed | undefined {
  for (const at of foldersUp(folder)) {
    const found = path.join(at, "node_modules", name);
    const version = versionIn(found);
    if (version) return { folder: fs.realpathSync(found), version };
  }
  return undefined;
}

function versionIn(folder: string): Version | undefined {
  const text = readText(path.join(folder, "package.json"));
  if (text === undefined) return undefined;
  try {
    return parseVersion(String((JSON.parse(text) as { version?: unknown }).version));
  } catch {
    return undefined;
  }
}

/** Whether packages are resolved by Yarn's Plug'n'Play, so that there is nothing to find in folders. */
export function usesPlugAndPlay(folder: string): boolean {
  for (const at of foldersUp(folder)) if (isFile(path.join(at, ".pnp.cjs"))) return true;
  return false;
}

/** Whether ts-patch has rewritten this TypeScript in place (`ts-patch install`), so that `tsc` itself runs plugins. */
export function isPatched(typescript: Installed): boolean {
  const file = path.join(typescript.folder, "lib", "typescript.js");
  try {
    const handle = fs.openSync(file, "r");
    try {
      const head = Buffer.alloc(64);
      fs.readSync(handle, head, 0, head.length, 0);
      return head.toString("utf8").startsWith("/// tsp-module:");
    } finally {
      fs.closeSync(handle);
    }
  } catch {
    return false;
  }
}

/** All copies of a package that programs of this folder can load, their real paths; those of other packages' own `node_modules` included. */
export function copiesOf(folder: string, name: string): Installed[] {
  const found = new Map<string, Installed>();
  const add = (place: string): void => {
    const version = versionIn(place);
    if (!version) return;
    const real = fs.realpathSync(place);
    found.set(real, { folder: real, version });
  };
  for (const at of foldersUp(folder)) {
    const modules = path.join(at, "node_modules");
    if (!isFolder(modules)) continue;
    add(path.join(modules, name));
    for (const other of packageFolders(modules)) add(path.join(other, "node_modules", name));
    const store = path.join(modules, ".pnpm");
    // pnpm's store keeps copies that nothing uses any more: what counts is where a package's dependencies lead.
    for (const entry of listed(store)) {
      const place = path.join(store, entry, "node_modules", name);
      if (isLink(place)) add(place);
    }
  }
  return [...found.values()];
}

function isLink(place: string): boolean {
  try {
    return fs.lstatSync(place).isSymbolicLink();
  } catch {
    return false;
  }
}

function packageFolders(modules: string): string[] {
  return listed(modules).flatMap((name) => {
    if (name.startsWith(".")) return [];
    const folder = path.join(modules, name);
    return name.startsWith("@") ? listed(folder).map((inner) => path.join(folder, inner)) : [folder];
  });
}

function listed(folder: string): string[] {
  try {
    return fs.readdirSync(folder).sort();
  } catch {
    return [];
  }
}
