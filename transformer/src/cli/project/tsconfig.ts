/**
 * tsconfig files: reading them with what they extend.
 *
 * The compiler itself is not asked, because it may not be installed, or be a version without an API. Options are looked up as it does: those of a later
 * `extends` entry win over an earlier one's, a file's own win over both, and an array is replaced as a whole.
 */
import * as path from "node:path";
import { parse, type ParseError, printParseErrorCode } from "jsonc-parser";
import { foldersUp, isFile, readText } from "./files";
import { lineOf } from "./package-json";

export interface TsConfig {
  file: string;
  text: string;
  json: {
    extends?: string | string[];
    compilerOptions?: Record<string, unknown>;
    files?: unknown;
    include?: unknown;
    references?: unknown;
  };
  /** What it extends, in the order in which they are applied. */
  bases: TsConfig[];
}

/** Why a tsconfig file can't be used. */
export class TsConfigError extends Error {
  constructor(
    readonly file: string,
    readonly reason: string,
  ) {
    super(`${file}: ${reason}`);
  }
}

/** @throws TsConfigError when the file, or one that it extends, is missing or not valid */
export function readTsConfig(file: string, above: readonly string[] = []): TsConfig {
  if (above.includes(file)) throw new TsConfigError(file, "it extends itself");
  const text = readText(file);
  if (text === undefined)
    throw new TsConfigError(file, above.length === 0 ? "it does not exist" : `it does not exist, and ${above.at(-1)} extends it`);
  const errors: ParseError[] = [];
  const json = parse(text.replace(/^\uFEFF/, ""), errors, { allowTrailingComma: true, allowEmptyContent: true }) as
    TsConfig["json"] | undefined;
  const [error] = errors;
  if (error)
    throw new TsConfigError(file, `it can't be parsed (${printParseErrorCode(error.error)} in line ${lineOf(text, error.offset)})`);
  if (json !== undefined && (typeof json !== "object" || json === null || Array.isArray(json)))
    throw new TsConfigError(file, "it holds no object");
  const config: TsConfig = { file, text, json: json ?? {}, bases: [] };
  const names = config.json.extends;
  for (const name of typeof names === "string" ? [names] : Array.isArray(names) ? names : []) {
    const base = resolveBase(String(name), path.dirname(file));
    if (base === undefined) throw new TsConfigError(file, `it extends ${JSON.stringify(name)}, which is not there`);
    config.bases.push(readTsConfig(base, [...above, file]));
  }
  return config;
}

function resolveBase(name: string, folder: string): string | undefined {
  const complete = (place: string): string | undefined =>
    [place, `${place}.json`, path.join(place, "tsconfig.json")].find((candidate) => isFile(candidate));
  if (/^\.{1,2}(?:[\\/]|$)/.test(name) || path.isAbsolute(name)) return complete(path.resolve(folder, name));
  for (const at of foldersUp(folder)) {
    const found = complete(path.join(at, "node_modules", name));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** An option's value in effect, and the file that sets it. */
export function optionOf(config: TsConfig, name: string): { value: unknown; from: TsConfig } | undefined {
  const own = config.json.compilerOptions;
  if (own && Object.hasOwn(own, name)) return own[name] === null ? undefined : { value: own[name], from: config };
  for (const base of [...config.bases].reverse()) {
    const found = optionOf(base, name);
    if (found) return found;
  }
  return undefined;
}

export function isOn(config: TsConfig, name: string): boolean {
  return optionOf(config, name)?.value === true;
}

/** Absolute path of an option that names a folder, relative to the file that sets it. */
export function folderOption(config: TsConfig, name: string): string | undefined {
  const option = optionOf(config, name);
  if (typeof option?.value !== "string") return undefined;
  const value = option.value.replace(/^\$\{configDir\}/, path.dirname(config.file));
  return path.resolve(path.dirname(option.from.file), value);
}

/** The file and all that it extends, the file first. */
export function withBases(config: TsConfig): TsConfig[] {
  return [config, ...[...config.bases].reverse().flatMap(withBases)];
}

/** Absolute paths of the configurations that it references. */
export function referencesOf(config: TsConfig): string[] {
  const { references } = config.json;
  if (!Array.isArray(references)) return [];
  return references.flatMap((entry: unknown) => {
    const target = (entry as { path?: unknown } | null)?.path;
    if (typeof target !== "string") return [];
    const place = path.resolve(path.dirname(config.file), target);
    return [isFile(place) ? place : path.join(place, "tsconfig.json")];
  });
}

/** Whether it has no files of its own and only names other projects. */
export function isSolution(config: TsConfig): boolean {
  const { files, include } = config.json;
  return Array.isArray(files) && files.length === 0 && include === undefined && referencesOf(config).length > 0;
}

/** One entry of `plugins`, with how it refers to this package, if it does. */
export interface PluginEntry {
  transform: string;
  ours: "right" | "wrong" | undefined;
}

export const TRANSFORM = "makeparallel/transformer";

/** Entries of the `plugins` in effect that are transformers. */
export function pluginsOf(config: TsConfig): PluginEntry[] {
  const value = optionOf(config, "plugins")?.value;
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown) => {
    const transform = (entry as { transform?: unknown } | null)?.transform;
    if (typeof transform !== "string") return [];
    const isOurs = /(?:^|[\\/])makeparallel(?:$|[\\/])/.test(transform);
    // A path to the package's own file is what somebody who works on makeparallel has.
    const isRight = transform === TRANSFORM || /makeparallel[\\/]dist[\\/].*adapters[\\/]typescript(?:\.js)?$/.test(transform);
    return [{ transform, ours: isOurs ? (isRight ? ("right" as const) : ("wrong" as const)) : undefined }];
  });
}

export function hasPlugin(config: TsConfig): boolean {
  return pluginsOf(config).some((plugin) => plugin.ours === "right");
}
