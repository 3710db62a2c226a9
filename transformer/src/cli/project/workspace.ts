/** Monorepos: the workspace that a package is a part of. */
import * as path from "node:path";
import { foldersUp, isFile, readText } from "./files";
import { type PackageFile, readPackage } from "./package-json";

export interface Workspace {
  /** Folder of the package.json (or pnpm-workspace.yaml) that names the workspace's packages. */
  root: string;
  package: PackageFile | undefined;
}

/** The nearest workspace root at the package's folder or above it; undefined when it stands alone. */
export function findWorkspace(folder: string): Workspace | undefined {
  for (const at of foldersUp(folder)) {
    const read = isFile(path.join(at, "package.json")) ? readPackage(path.join(at, "package.json")) : undefined;
    const found = typeof read === "object" ? read : undefined;
    const lists = found?.json.workspaces !== undefined || readText(path.join(at, "pnpm-workspace.yaml")) !== undefined;
    if (lists) return { root: at, package: found };
    // Nothing above the repository's root belongs to it. In a worktree or a submodule `.git` is a file, which names the folder.
    if (isFile(path.join(at, ".git", "HEAD")) || readText(path.join(at, ".git"))?.startsWith("gitdir:")) return undefined;
  }
  return undefined;
}
