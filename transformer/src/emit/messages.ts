/**
 * esbuild's messages about slices, in terms of the sources.
 *
 * A slice has the source's text at the source's places, except for the imports, which the slicer writes anew: those are looked up by their text.
 */
import * as fs from "node:fs";
import type * as esbuild from "esbuild";
import { portableRelative } from "./paths";
import { SLICE_PREFIX } from "../hoist/module-names";

/** Says what a message of esbuild's is about, where it does not come through esbuild itself. */
export function fromBundler(text: string, isError: boolean): string {
  return isError ? `The chunks could not be bundled: ${text}` : `While the chunks were bundled: ${text}`;
}

/** Changes the message's locations, which become relative to the root. */
export function locateInSource(message: esbuild.Message, fileOfSource: (source: string) => string | undefined, root: string): void {
  for (const holder of [message, ...message.notes]) {
    const file = holder.location && fileOfSource(holder.location.file);
    if (holder.location && file) holder.location = located(holder.location, file, root);
  }
}

/** Says what can be done, in the text itself: notes are shown by few. */
export function addWayOut(message: esbuild.Message): void {
  const way = strictPackage(message) ?? madeByPlugin(message);
  if (way !== undefined) message.text += `. ${way}`;
}

/** Packages that esbuild can't take into an ES module, which chunks are before they become scripts, can stay outside. */
function strictPackage({ text, location }: esbuild.Message): string | undefined {
  const name = /(?:^|[\\/])node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)[\\/](?!.*[\\/]node_modules[\\/])/.exec(location?.file ?? "")?.[1];
  if (name === undefined || !/strict mode/.test(text)) return undefined;
  return `Tasks can have the package from outside of their chunks: makeparallel({ external: [${JSON.stringify(name.replace("\\", "/"))}] }), and install it where the program runs.`;
}

/** Modules that are no files (`$env/static/private`, `virtual:config`) are known to the plugin of the program's build that makes them. */
function madeByPlugin({ text }: esbuild.Message): string | undefined {
  return /^Could not resolve "[^./]/.test(text)
    ? "If another plugin makes it: chunks have files and packages only, so use it outside of the task, and pass what the task needs as an argument."
    : undefined;
}

/**
 * Whether a message is about a name that the slicer has written into an import of another slice. Not so when it is about `namespace.name`, which is the
 * source's own.
 */
export function isImportOfSlice({ location }: esbuild.Message): boolean {
  if (!location) return false;
  const before = bytes(location.lineText, 0, location.column);
  const after = location.lineText.slice(before.length);
  return /\bimport\s*\{[^}]*$/.test(before) && /^[^}]*\}\s*from\s*"([^"]*)"/.exec(after)?.[1].startsWith(SLICE_PREFIX) === true;
}

function located(location: esbuild.Location, file: string, root: string): esbuild.Location {
  const found = { ...location, file: portableRelative(root, file) };
  let text: string;
  try {
    text = fs.readFileSync(file, "utf8");
  } catch {
    return found;
  }
  const snippet = bytes(location.lineText, location.column, location.length);
  const lines = text.split("\n");
  if (bytes(lines[location.line - 1] ?? "", location.column, location.length) === snippet) return found;
  const line = lines.findIndex((candidate) => candidate.includes(snippet));
  if (line < 0) return { ...found, line: 1, column: 0, length: 0, lineText: lines[0] };
  return { ...found, line: line + 1, column: Buffer.byteLength(lines[line].slice(0, lines[line].indexOf(snippet))), lineText: lines[line] };
}

/** esbuild counts columns and lengths in bytes. */
function bytes(text: string, start: number, length: number): string {
  return Buffer.from(text)
    .subarray(start, start + length)
    .toString("utf8");
}
