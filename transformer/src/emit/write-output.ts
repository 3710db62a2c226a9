/**
 * Writes a bundle into its folder.
 *
 * Takes: files and the manifest. Gives: the folder brought up to date with as few writes as possible (a write inside a watched tree starts another
 * build): equal files are left alone, chunks go first and the manifest last, so that a program that starts meanwhile finds either build whole, and
 * then what only the previous manifest of the same key listed is removed.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import type { Manifest } from "../../../runtime-ts/src/manifest";
import type { Bundle } from "./bundle";

/** Text of a manifest, the same for equal manifests. */
export function manifestText(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 1)}\n`;
}

/** The manifest that an earlier build left, if it left one. */
export function readManifestFile(folder: string, key: string): Partial<Manifest> | undefined {
  return readJson(path.join(folder, `${key}.json`));
}

/** @returns absolute paths of the files that were written */
export function writeBundle(folder: string, bundle: Pick<Bundle, "files" | "manifest">): string[] {
  const manifestFile = path.join(folder, `${bundle.manifest.key}.json`);
  const previous = readManifestFile(folder, bundle.manifest.key);
  if (bundle.files.size === 0 && Object.keys(bundle.manifest.tasks).length === 0 && previous === undefined) return [];

  fs.mkdirSync(folder, { recursive: true });
  const written: string[] = [];
  for (const [name, contents] of bundle.files) writeIfChanged(path.join(folder, name), contents, written);
  writeIfChanged(manifestFile, Buffer.from(manifestText(bundle.manifest)), written);
  if (previous) removeStale(folder, previous, bundle);
  return written;
}

function writeIfChanged(file: string, contents: Uint8Array, written: string[]): void {
  try {
    if (fs.statSync(file).size === contents.length && fs.readFileSync(file).equals(contents)) return;
  } catch {
    // Not there yet.
  }
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    fs.writeFileSync(temporary, contents);
    fs.renameSync(temporary, file);
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
  written.push(file);
}

export function removeStale(
  folder: string,
  previous: Partial<Manifest>,
  bundle: { files: ReadonlyMap<string, unknown>; manifest: Manifest },
): void {
  const stale = filesOf(previous).filter((name) => !bundle.files.has(name));
  if (stale.length === 0) return;
  const kept = new Set<string>();
  for (const name of fs.readdirSync(folder)) {
    if (!name.endsWith(".json") || name === `${bundle.manifest.key}.json`) continue;
    for (const listed of filesOf(readJson(path.join(folder, name)) ?? {})) kept.add(listed);
  }
  for (const name of stale) {
    if (!kept.has(name)) fs.rmSync(path.join(folder, name), { force: true });
  }
}

function filesOf(manifest: Partial<Manifest>): string[] {
  return Object.entries(manifest.chunks ?? {})
    .flatMap(([name, chunk]) => (chunk.map === undefined ? [name] : [name, chunk.map]))
    .filter((name) => path.basename(name) === name);
}

function readJson(file: string): Partial<Manifest> | undefined {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8")) as Partial<Manifest>;
  } catch {
    return undefined;
  }
}
