/** Where a project runs esbuild: by its command line, and by build scripts. */
import * as fs from "node:fs";
import * as path from "node:path";
import { isFile, readText } from "./files";
import type { ScriptCall } from "./scripts";

export interface EsbuildBuilds {
  /** Scripts that call the program `esbuild`, which can't take plugins. */
  calls: ScriptCall[];
  /** Files that import esbuild. */
  files: EsbuildFile[];
}

export interface EsbuildFile {
  file: string;
  text: string;
  /** Whether it imports the plugin. */
  hasPlugin: boolean;
}

const IMPORTS = /(?:from\s*|import\s*\(?\s*|require\s*\(\s*)["']esbuild["']/;
const USES = /\.\s*(?:build|buildSync|context)\s*\(|\b(?:build|buildSync|context)\s*\(/;
const PLUGIN = /(?:from\s*|import\s*\(?\s*|require\s*\(\s*)["']makeparallel\/esbuild["']/;
/** Names that build scripts have, for those that no script of package.json names. */
const LIKELY = /^(?:esbuild|build|bundle)[\w.-]*\.[cm]?[jt]s$/;
const FOLDERS = ["", "scripts", "build", "tools", "tasks", "script"];

export function findEsbuildBuilds(folder: string, calls: readonly ScriptCall[]): EsbuildBuilds {
  const candidates = new Set(calls.flatMap(({ file }) => (file === undefined ? [] : [withExtension(file)])));
  for (const name of FOLDERS) {
    const at = path.join(folder, name);
    for (const entry of list(at)) if (LIKELY.test(entry)) candidates.add(path.join(at, entry));
  }
  const files = [...candidates].flatMap((file): EsbuildFile[] => {
    const text = isFile(file) && !file.includes(`${path.sep}node_modules${path.sep}`) ? readText(file) : undefined;
    if (text === undefined || !IMPORTS.test(text) || !USES.test(text)) return [];
    return [{ file, text, hasPlugin: PLUGIN.test(text) }];
  });
  const outputs = calls.filter(
    ({ program, args }) => program === "esbuild" && !args.some((arg) => arg === "--version" || arg === "--help"),
  );
  return { calls: outputs, files: files.sort((a, b) => (a.file < b.file ? -1 : 1)) };
}

function withExtension(file: string): string {
  return isFile(file) ? file : ([".js", ".mjs", ".cjs", ".ts"].map((extension) => file + extension).find(isFile) ?? file);
}

function list(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch {
    return [];
  }
}
