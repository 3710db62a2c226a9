/** What can be wrong with what was built: marks that are left, and chunks that are missing, changed or old. */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { entryAt } from "../../adapters/file-entry";
import { findManifest, readManifest } from "../../../../runtime-ts/src/loader/manifest";
import { CHUNK_FOLDER, type Manifest } from "../../../../runtime-ts/src/manifest";
import { filesBelow, isFile, isFolder, readText, shown } from "../project/files";
import type { Project } from "../project/inspect";
import { folderOption } from "../project/tsconfig";
import type { Finding } from "./catalogue";
import { checkShipping, type Shipped } from "./shipping-checks";

/** Folders that builds write to, where no configuration says so. */
const USUAL_OUTPUT = ["dist", "build", "lib", "out", "output"];
const LISTED = 3;

/** @param elsewhere something else is reported, which may be the reason for marks that are left */
export function checkOutput(project: Project, elsewhere: boolean): Finding[] {
  const { folder } = project.package;
  const outputs = outputFolders(project);
  const files = [...new Set(outputs.flatMap((output) => [...filesBelow(output, /\.[cm]?js$/)]))].filter(
    (file) => !file.includes(`${path.sep}${CHUNK_FOLDER}${path.sep}`),
  );
  const findings: Finding[] = [];
  const untransformed: string[] = [];
  const manifests = new Set<string>();
  const shipped: Shipped[] = [];
  for (const file of files) {
    const text = readText(file) ?? "";
    const key = manifestKeyOf(text);
    if (key !== undefined) {
      try {
        const manifest = findManifest(file, key);
        manifests.add(manifest);
        shipped.push({ file, text, chunks: [manifest, ...chunksOf(manifest)] });
      } catch (error) {
        findings.push({
          code: "MP4016",
          message: `${shown(file, folder)}: ${shorten((error as Error).message, folder)}`,
          fix: "Build again, and keep parallel-chunks with the output.",
        });
      }
    } else if (hasMark(text)) untransformed.push(shown(file, folder));
  }
  if (untransformed.length > 0) {
    findings.push({
      code: "MP4015",
      message: `${list(untransformed)} ${untransformed.length === 1 ? "has" : "have"} marked functions that were not transformed.`,
      fix: elsewhere
        ? "Mend what else is reported here, then build again."
        : "Build again. If they stay, what wrote them is not the build that was checked here: give that the plugin of its tool (docs/adapters.md).",
    });
  }
  findings.push(...checkShipping(shipped, project.package));
  for (const output of outputs)
    for (const file of filesBelow(output, /\.json$/)) if (path.basename(path.dirname(file)) === CHUNK_FOLDER) manifests.add(file);
  for (const file of [...manifests].sort()) findings.push(...checkManifest(file, folder));
  if (manifests.size === 0 && untransformed.length === 0 && findings.length === 0) {
    findings.push({
      code: "MP4025",
      message: "No output with parallel functions was found.",
      fix: "Mark a function with parallel(), build, and run doctor again.",
    });
  }
  return findings;
}

function outputFolders({ compiler, package: own }: Project): string[] {
  const configured = compiler.builds.flatMap(({ config }) => folderOption(config, "outDir") ?? []);
  const usual = USUAL_OUTPUT.map((name) => path.join(own.folder, name));
  return [...new Set([...configured, ...usual])].filter((folder) => isFolder(folder) && folder !== own.folder);
}

/** Key of the manifest that a transformed file names: the second argument of `__mp.module(…)`, after which a watching build has one more. */
function manifestKeyOf(text: string): string | undefined {
  if (!text.includes("makeparallel/internal")) return undefined;
  return /\.module\)?\((?:[^()]|\([^()]*\))*?,\s*["']([^"']+)["'](?:\s*,\s*["'][^"']*["'])?\)/.exec(text)?.[1];
}

/** Whether a file of the output calls `parallel` from makeparallel, or has a function that is tagged with it. */
export function hasMark(text: string): boolean {
  if (!text.includes("parallel") || text.includes("makeparallel/internal")) return false;
  // In strings and comments the words may stand; a tag is a comment of its own.
  if (/\/\*\*(?:(?!\*\/)[\s\S])*?@parallel\b(?:(?!\*\/)[\s\S])*?\*\/\s*(?:export\s+)?(?:default\s+)?(?:async\s+)?function\b/.test(text))
    return true;
  const names: string[] = [];
  for (const [, list = ""] of text.matchAll(/import\s*(?:[\w$]+\s*,\s*)?\{([^}]*)\}\s*from\s*["']makeparallel["']/g)) {
    for (const one of list.split(",")) {
      const [, local] = /^\s*parallel(?:\s+as\s+([\w$]+))?\s*$/.exec(one) ?? [];
      if (/^\s*parallel\b/.test(one)) names.push(local ?? "parallel");
    }
  }
  for (const [, list = ""] of text.matchAll(/(?:const|let|var)\s*\{([^}]*)\}\s*=\s*require\(["']makeparallel["']\)/g)) {
    for (const one of list.split(",")) {
      const [, local] = /^\s*parallel(?:\s*:\s*([\w$]+))?\s*$/.exec(one) ?? [];
      if (/^\s*parallel\b/.test(one)) names.push(local ?? "parallel");
    }
  }
  for (const [, name] of text.matchAll(/(?:import\s*\*\s*as\s+([\w$]+)\s*from\s*["']makeparallel["'])/g)) names.push(`${name}.parallel`);
  for (const [, name] of text.matchAll(/([\w$]+)\s*=\s*(?:__importStar\()?(?:__toESM\()?require\(["']makeparallel["']\)/g))
    names.push(`${name}.parallel`);
  return names.some((name) => {
    const escaped = name.replace(/[$.]/g, "\\$&");
    // A call, `(0, makeparallel_1.parallel)(…)`, or an element of the list that emitted decorators stand in.
    return new RegExp(
      `(?<![\\w$.])${escaped}\\)?\\s*\\(|__decorate\\(\\[[^\\]]*(?<![\\w$.])${escaped}\\s*[,\\]]|=\\s*\\[[^\\]]*(?<![\\w$.])${escaped}\\s*[,\\]]|@${escaped}\\b`,
    ).test(text);
  });
}

function checkManifest(file: string, folder: string): Finding[] {
  let manifest: Manifest;
  try {
    manifest = readManifest(file);
  } catch (error) {
    return [{ code: "MP4017", message: shorten((error as Error).message, folder), fix: "Build again." }];
  }
  const findings: Finding[] = [];
  const chunks = path.dirname(file);
  const name = shown(file, folder);
  const missing: string[] = [];
  const changed: string[] = [];
  for (const [chunk, { sha256 }] of Object.entries(manifest.chunks)) {
    const place = path.join(chunks, chunk);
    if (!isFile(place)) missing.push(chunk);
    else if (createHash("sha256").update(fs.readFileSync(place)).digest("hex") !== sha256) changed.push(chunk);
  }
  if (missing.length > 0)
    findings.push({
      code: "MP4018",
      message: `${name} names ${list(missing)}, which ${missing.length === 1 ? "is" : "are"} not there.`,
      fix: "Build again.",
    });
  if (changed.length > 0) {
    findings.push({
      code: "MP4019",
      message: `${list(changed)} beside ${name} ${changed.length === 1 ? "is" : "are"} not what was built: the hash differs.`,
      fix: "Build again, and let no other tool rewrite parallel-chunks.",
    });
  }
  findings.push(...checkAge(manifest, file, folder));
  return findings;
}

function checkAge(manifest: Manifest, file: string, folder: string): Finding[] {
  // A clock's grain and copying tools blur times by this much, in ms.
  const GRAIN = 2;
  const built = newest([file, ...Object.keys(manifest.chunks).map((chunk) => path.join(path.dirname(file), chunk))]);
  const tasks = Object.values(manifest.tasks).map(({ source }) => source.file);
  const sources = [...new Set([...tasks, ...mappedSources(manifest, path.dirname(file), folder)])];
  const gone = sources.filter((source) => !isFile(path.join(folder, source)));
  // Sources that lie elsewhere (an output that was copied here alone) say nothing.
  if (gone.length === sources.length) return [];
  const newer = sources.filter((source) => (entryAt(path.join(folder, source))?.mtimeMs ?? 0) > built + GRAIN);
  const findings: Finding[] = [];
  if (newer.length > 0)
    findings.push({
      code: "MP4020",
      message: `${list(newer)} ${newer.length === 1 ? "is" : "are"} newer than ${shown(file, folder)}.`,
      fix: "Build again.",
    });
  if (gone.length > 0)
    findings.push({
      code: "MP4020",
      message: `${shown(file, folder)} has functions of ${list(gone)}, which ${gone.length === 1 ? "is" : "are"} gone.`,
      fix: "Build again.",
    });
  return findings;
}

/** The project's files that chunks have code of, as their maps name them: what a task calls may have changed as well. */
function mappedSources(manifest: Manifest, chunks: string, folder: string): string[] {
  return Object.keys(manifest.chunks).flatMap((chunk) => {
    const map = path.join(chunks, `${chunk}.map`);
    try {
      const { sources } = JSON.parse(readText(map) ?? "{}") as { sources?: string[] };
      return (sources ?? [])
        .map((source) => path.resolve(chunks, source))
        .filter((source) => isFile(source) && !source.includes(`${path.sep}node_modules${path.sep}`))
        .map((source) => path.relative(folder, source).split(path.sep).join("/"));
    } catch {
      return [];
    }
  });
}

function chunksOf(manifest: string): string[] {
  try {
    return Object.keys(readManifest(manifest).chunks).map((chunk) => path.join(path.dirname(manifest), chunk));
  } catch {
    return [];
  }
}

function newest(files: readonly string[]): number {
  return Math.max(...files.map((file) => entryAt(file)?.mtimeMs ?? 0));
}

function list(names: readonly string[]): string {
  const rest = names.length - LISTED;
  return names.slice(0, LISTED).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

function shorten(message: string, folder: string): string {
  return message.replaceAll(folder + path.sep, "");
}
