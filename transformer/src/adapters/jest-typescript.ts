/**
 * What ts-jest takes from `makeparallel/transformer` in `astTransformers`: name, version and factory.
 *
 * ts-jest compiles one file at a time and writes none, so that its program has no output folder to put chunks into: they go into the cache folder, as with
 * makeparallel/jest.
 */
import * as path from "node:path";
import type * as ts from "typescript";
import type { TypeScript } from "../core";
import { isNodeModule, packageRoot, projectSources } from "./project-files";
import { decoratorMetadataIn, readTsconfig, settingsFor } from "./tsconfig-settings";
import { applyEdits } from "./typescript-edits";
import { UnbuiltProject } from "./unbuilt-project";
import { UnbuiltResolver } from "./unbuilt-resolve";
import { packageVersion } from "./version";

/** Part of ts-jest's cache keys. */
export const name = "makeparallel";

/** Part of ts-jest's cache keys. */
export const version = packageVersion();

/** What is used of ts-jest's compiler instance. */
interface TsJestCompiler {
  configSet: { compilerModule: TypeScript; rootDir?: string; cwd?: string };
}

interface FactoryOptions {
  packages?: "external" | "bundle";
  external?: string[];
}

const projects = new Map<string, UnbuiltProject>();

/**
 * Called by ts-jest.
 * @param compiler ts-jest's own, which has its settings
 * @param options what goes into the chunks
 * @returns the transformer that ts-jest runs before the compiler's own
 */
export function factory({ configSet }: TsJestCompiler, options: FactoryOptions = {}): ts.TransformerFactory<ts.SourceFile> {
  const { compilerModule: ts } = configSet;
  const rootDir = configSet.rootDir ?? configSet.cwd ?? process.cwd();
  return (context) => {
    const { module = ts.ModuleKind.CommonJS, esModuleInterop = true } = context.getCompilerOptions();
    const isEsm = module >= ts.ModuleKind.ES2015 && module <= ts.ModuleKind.ESNext;
    const key = JSON.stringify([rootDir, isEsm, options]);
    let project = projects.get(key);
    if (!project) {
      project = new UnbuiltProject({
        root: packageRoot(rootDir),
        resolver: new UnbuiltResolver((specifier, fromFile) =>
          specifier.startsWith(".") ? [] : (readTsconfig(fromFile)?.paths(specifier) ?? []),
        ),
        sources: () => projectSources(rootDir),
        format: (file) =>
          isEsm ? { module: "esm", nodeInterop: isNodeModule(file) } : { module: "cjs", dynamicImport: "cjs", interop: esModuleInterop },
        settings: settingsFor(readTsconfig(path.join(rootDir, "index.ts"))),
        decoratorMetadata: decoratorMetadataIn(context.getCompilerOptions()),
        ...(!context.getCompilerOptions().experimentalDecorators && { standardDecorators: "typescript" }),
        packages: options.packages ?? "external",
        external: options.external ?? [],
      });
      projects.set(key, project);
    }
    const known = project;
    return (file) => {
      known.refresh();
      const found = known.file(path.resolve(file.fileName), file.text);
      if (found?.warnings !== undefined) process.stderr.write(`${found.warnings}\n`);
      return found ? applyEdits(ts, context, file, found.edits) : file;
    };
  };
}
