/** The tsconfig files of programs that run from their sources: the nearest above each file, with what it extends. */
import * as path from "node:path";
import { createPathsMatcher, getTsconfig, parseTsconfig, type TsConfigJsonResolved } from "get-tsconfig";
import type { DecoratorMetadataSettings } from "../core";
import type { HostBuildOptions } from "../emit/options";

export interface Tsconfig {
  file: string;
  folder: string;
  config: TsConfigJsonResolved;
  /** Absolute paths that a specifier may stand for by `paths` and `baseUrl`. */
  paths(specifier: string): string[];
}

const byFolder = new Map<string, Tsconfig | undefined>();
const byFile = new Map<string, Tsconfig>();

/** @param given a tsconfig file for all files. Default: the nearest `tsconfig.json` */
export function readTsconfig(file: string, given?: string): Tsconfig | undefined {
  if (given !== undefined) return read(given, () => parseTsconfig(given));
  const folder = path.dirname(file);
  if (byFolder.has(folder)) return byFolder.get(folder);
  const found = getTsconfig(folder);
  const tsconfig = found ? read(found.path, () => found.config) : undefined;
  byFolder.set(folder, tsconfig);
  return tsconfig;
}

function read(file: string, parse: () => TsConfigJsonResolved): Tsconfig {
  let tsconfig = byFile.get(file);
  if (!tsconfig) {
    const config = parse();
    const matcher = createPathsMatcher({ path: file, config });
    tsconfig = { file, folder: path.dirname(file), config, paths: (specifier) => matcher?.(specifier) ?? [] };
    byFile.set(file, tsconfig);
  }
  return tsconfig;
}

/** What esbuild reads of a tsconfig's settings. */
export function compilerOptionsFor(tsconfig: Tsconfig | undefined): object {
  const options = tsconfig?.config.compilerOptions ?? {};
  const { alwaysStrict, experimentalDecorators, importsNotUsedAsValues, jsx, jsxFactory, jsxFragmentFactory, jsxImportSource } =
    options as Record<string, unknown>;
  const { preserveValueImports, strict, target, useDefineForClassFields, verbatimModuleSyntax } = options as Record<string, unknown>;
  // esbuild gives syntax for the running Node; `target` only decides how class fields behave.
  return {
    alwaysStrict,
    experimentalDecorators,
    importsNotUsedAsValues,
    jsx,
    jsxFactory,
    jsxFragmentFactory,
    jsxImportSource,
    preserveValueImports,
    strict,
    target,
    useDefineForClassFields,
    verbatimModuleSyntax,
  };
}

/** Settings that change what the code of a chunk means. */
export function settingsFor(tsconfig: Tsconfig | undefined): HostBuildOptions {
  return {
    conditions: tsconfig?.config.compilerOptions?.customConditions,
    tsconfigRaw: { compilerOptions: compilerOptionsFor(tsconfig) },
  };
}

/** Where what compiles the program writes decorators' metadata, slices have it too. */
export function decoratorMetadataIn(
  options: { emitDecoratorMetadata?: boolean; experimentalDecorators?: boolean; strict?: boolean; strictNullChecks?: boolean } = {},
): DecoratorMetadataSettings | undefined {
  const { emitDecoratorMetadata, experimentalDecorators, strict = false, strictNullChecks = strict } = options;
  return emitDecoratorMetadata && experimentalDecorators ? { strictNullChecks } : undefined;
}
