/**
 * Whether what was built arrives and loads where it runs: the format of its modules, and what packages, images and checkouts leave out.
 *
 * Takes: transformed files of the output and the files in `parallel-chunks/` that they need. Reads `files` of package.json and ignore files as far as their patterns go
 * (`*`, `**`, `?`, `{a,b}`, a leading `!`); files above or below that ignore more are not looked at.
 */
import * as path from "node:path";
import { foldersUp, readText, shown } from "../project/files";
import type { PackageFile } from "../project/package-json";
import type { Finding } from "./catalogue";

/** A transformed file, with its text, and a file of `parallel-chunks/` that it needs. */
export interface Shipped {
  file: string;
  text: string;
  chunks: readonly string[];
}

/** Patterns in a .dockerignore are relative to its folder, those of the others without a slash hold at every level. */
const IGNORE_FILES = [".gitignore", ".npmignore", ".dockerignore", ".gcloudignore", ".vercelignore"];

export function checkShipping(shipped: readonly Shipped[], own: PackageFile): Finding[] {
  return [...checkFormat(shipped, own.folder), ...checkLeftOut(shipped, own)];
}

function checkFormat(shipped: readonly Shipped[], folder: string): Finding[] {
  return shipped.flatMap(({ file, text }): Finding[] => {
    if (!file.endsWith(".js")) return [];
    const isModule = /^(?:import|export)\b/m.test(text);
    if (!isModule && !/\brequire\(\s*["']makeparallel\/internal["']\s*\)/.test(text)) return [];
    const nearest = packageOf(file);
    const says = nearest?.type;
    if (!nearest || (isModule ? says !== "commonjs" : says !== "module")) return [];
    const [is, fix] = isModule
      ? ["an ES module", 'Set "type": "module" there, or build CommonJS.']
      : ["CommonJS", 'Build ES modules ("module": "NodeNext" in tsconfig.json, `format: "esm"` in esbuild), or remove "type" there.'];
    const message = `${shown(file, folder)} is ${is}, and ${shown(nearest.file, folder)} says "type": "${says}".`;
    return [{ code: "MP4028", message, fix }];
  });
}

function packageOf(file: string): { file: string; type: unknown } | undefined {
  for (const folder of foldersUp(path.dirname(file))) {
    const candidate = path.join(folder, "package.json");
    const text = readText(candidate);
    if (text === undefined) continue;
    try {
      return { file: candidate, type: (JSON.parse(text) as { type?: unknown }).type };
    } catch {
      return undefined;
    }
  }
  return undefined;
}

function checkLeftOut(shipped: readonly Shipped[], { folder, json }: PackageFile): Finding[] {
  const findings: Finding[] = [];
  const found = (leavesOut: (name: string) => boolean): [program: string, chunk: string] | undefined => {
    for (const { file, chunks } of shipped) {
      const program = shown(file, folder);
      if (program.startsWith("..") || leavesOut(program)) continue;
      const chunk = chunks.map((one) => shown(one, folder)).find(leavesOut);
      if (chunk !== undefined) return [program, chunk];
    }
    return undefined;
  };
  const { files } = json as { files?: unknown };
  if (Array.isArray(files)) {
    const patterns = files.filter((pattern): pattern is string => typeof pattern === "string");
    const left = found((name) => !decides(patterns, name, true));
    if (left) {
      const chunks = path.posix.dirname(left[1]);
      findings.push({
        code: "MP4029",
        message: `"files" of package.json has ${left[0]}, but not ${left[1]}: the published package can't run its tasks.`,
        fix: `Add "${chunks}" to "files".`,
      });
    }
  }
  for (const name of IGNORE_FILES) {
    const patterns = (readText(path.join(folder, name)) ?? "").split(/\r?\n/).filter((line) => line.trim() !== "" && !line.startsWith("#"));
    const left = found((file) => decides(patterns, file, name === ".dockerignore"));
    if (!left) continue;
    findings.push({
      code: "MP4029",
      message: `${name} leaves ${left[1]} out, and takes ${left[0]}, which needs it.`,
      fix: `Change ${name} so that parallel-chunks goes where the rest of the output goes.`,
    });
  }
  return findings;
}

/** Whether the last of the patterns that match a path, or a folder above it, is not negated. */
function decides(patterns: readonly string[], name: string, rooted: boolean): boolean {
  let yes = false;
  for (const pattern of patterns) {
    const negated = pattern.startsWith("!");
    if (matches(pattern.slice(negated ? 1 : 0).trim(), name, rooted)) yes = !negated;
  }
  return yes;
}

function matches(pattern: string, name: string, rooted: boolean): boolean {
  const bare = pattern.replace(/^\.?\//, "").replace(/\/+$/, "");
  if (bare === "" || bare === ".") return true;
  const isRooted = rooted || /^\//.test(pattern) || bare.includes("/");
  const body = bare.replace(/\*\*\/|\*\*|\*|\?|\{[^{}]*\}|[^\w]/g, (part) => {
    if (part === "**/") return "(?:.*/)?";
    if (part === "**") return ".*";
    if (part === "*") return "[^/]*";
    if (part === "?") return "[^/]";
    if (part.length > 1) {
      const alternatives = part.slice(1, -1).split(",");
      return `(?:${alternatives.map((one) => one.replace(/[^\w]/g, "\\$&")).join("|")})`;
    }
    return `\\${part}`;
  });
  return new RegExp(`^${isRooted ? "" : "(?:.*/)?"}${body}(?:/.*)?$`).test(name);
}
