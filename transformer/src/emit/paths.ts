/** Paths that go into outputs: relative, with `/`, so that they are the same on every machine and system. */
import * as path from "node:path";

/** `file` as seen from `folder`; `.` for the folder itself. */
export function portableRelative(folder: string, file: string): string {
  const relative = path.relative(folder, file);
  return relative === "" ? "." : toSlashes(relative);
}

export function toSlashes(file: string): string {
  return path.sep === "\\" ? file.replace(/\\/g, "/") : file;
}

/** A readable, safe file name part for a task's or class's name. */
export function fileNamePart(name: string): string {
  const safe = name.replace(/[^A-Za-z0-9_.$-]+/g, "_").replace(/^[._]+|[._]+$/g, "");
  return safe.slice(0, 60) || "anonymous";
}
