/** A project's package.json. */
import * as path from "node:path";
import { parse, type ParseError, printParseErrorCode } from "jsonc-parser";
import { foldersUp, isFile, readText } from "./files";

export interface PackageJson {
  name?: string;
  version?: string;
  private?: boolean;
  type?: string;
  packageManager?: string;
  workspaces?: string[] | { packages?: string[] };
  scripts?: Record<string, string>;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  jest?: unknown;
}

export interface PackageFile {
  file: string;
  folder: string;
  text: string;
  json: PackageJson;
}

export type DependencyKind = "dependencies" | "devDependencies" | "peerDependencies" | "optionalDependencies";

/**
 * The package.json that a folder belongs to.
 * @returns undefined when there is none here or above; a text when there is one that can't be read
 */
export function findPackage(folder: string): PackageFile | string | undefined {
  for (const at of foldersUp(folder)) {
    const file = path.join(at, "package.json");
    if (isFile(file)) return readPackage(file);
  }
  return undefined;
}

/** @returns the package, or what is wrong with its file */
export function readPackage(file: string): PackageFile | string {
  const text = readText(file);
  if (text === undefined) return `${file} can't be read`;
  const errors: ParseError[] = [];
  const json = parse(text.replace(/^\uFEFF/, ""), errors, { disallowComments: true }) as unknown;
  const [error] = errors;
  if (error) return `${file} is not valid JSON: ${printParseErrorCode(error.error)} in line ${lineOf(text, error.offset)}`;
  if (typeof json !== "object" || json === null || Array.isArray(json)) return `${file} holds no object`;
  return { file, folder: path.dirname(file), text, json: clean(json) };
}

/** Line of an offset, from 1. */
export function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

/** Range that a package names for a dependency, and where. */
export function declared(json: PackageJson, name: string): { kind: DependencyKind; range: string } | undefined {
  for (const kind of ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"] as const) {
    const range = json[kind]?.[name];
    if (range !== undefined) return { kind, range };
  }
  return undefined;
}

/** Leaves out what has another shape than npm says, so that nobody after this has to ask. */
function clean(json: object): PackageJson {
  const result: Record<string, unknown> = { ...json };
  for (const key of ["scripts", "dependencies", "devDependencies", "peerDependencies", "optionalDependencies"]) {
    const value = result[key];
    if (typeof value !== "object" || value === null) delete result[key];
    else result[key] = Object.fromEntries(Object.entries(value).filter(([, text]) => typeof text === "string"));
  }
  return result;
}
