import fs from "node:fs";
import path from "node:path";

export interface Found {
  documents: string[];
  sources: string[];
  /** Bytes of all of them. */
  bytes: number;
}

/** Finds the Markdown and TypeScript files of a folder of packages, biggest first, so that no big one is left for the end. */
export function findFiles(folder: string): Found {
  const documents: { file: string; bytes: number }[] = [];
  const sources: { file: string; bytes: number }[] = [];
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const list = /\.(?:md|markdown)$/i.test(entry.name) ? documents : /\.[cm]?tsx?$/.test(entry.name) ? sources : undefined;
    if (list === undefined) continue;
    const file = path.join(entry.parentPath, entry.name);
    list.push({ file, bytes: fs.statSync(file).size });
  }
  const bytes = [...documents, ...sources].reduce((sum, found) => sum + found.bytes, 0);
  return { documents: names(documents), sources: names(sources), bytes };
}

function names(found: { file: string; bytes: number }[]): string[] {
  return found.sort((a, b) => b.bytes - a.bytes || (a.file < b.file ? -1 : 1)).map(({ file }) => file);
}
