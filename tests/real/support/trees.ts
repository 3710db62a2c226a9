/** Large source trees that npm packages ship, and the settings that they compile with. */
import * as fs from "node:fs";
import * as path from "node:path";
import ts from "typescript";

export interface Tree {
  name: string;
  /** Folder of the sources. */
  folder: string;
  type: "module" | "commonjs";
  options: ts.CompilerOptions;
  /** Files of it that are left out, by their path from the folder. */
  skip: RegExp;
}

const SHARED: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts", "lib.esnext.disposable.d.ts"],
  types: ["node"],
  strict: true,
  skipLibCheck: true,
  noCheck: true,
};

const NODE: ts.CompilerOptions = { ...SHARED, module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext };

export function treesIn(packages: string): Tree[] {
  return [
    {
      name: "rxjs",
      folder: path.join(packages, "rxjs/src"),
      type: "commonjs",
      options: {
        ...SHARED,
        module: ts.ModuleKind.CommonJS,
        moduleResolution: ts.ModuleResolutionKind.Node10,
        ignoreDeprecations: "5.0",
        esModuleInterop: true,
      },
      skip: /^Rx\.global/,
    },
    { name: "zod", folder: path.join(packages, "zod/src"), type: "module", options: NODE, skip: /(^|\/)(tests|benchmarks)\// },
    {
      name: "effect",
      folder: path.join(packages, "effect/src"),
      type: "module",
      options: { ...NODE, rewriteRelativeImportExtensions: true },
      skip: /^$/,
    },
    { name: "viem", folder: path.join(packages, "viem"), type: "module", options: NODE, skip: /^(_|node_modules|.*\/node_modules)/ },
    {
      name: "ox",
      folder: path.join(packages, "ox"),
      type: "module",
      options: NODE,
      skip: /^(_|node_modules|.*\/node_modules|.*_test|.*\.test)/,
    },
  ].filter(({ folder }) => fs.existsSync(folder)) as Tree[];
}

/** The sources of a tree by their path from its folder, with `/`. */
export function readTree(tree: Tree): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of fs.readdirSync(tree.folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !/\.[cm]?tsx?$/.test(entry.name) || /\.d\.[cm]?ts$/.test(entry.name)) continue;
    const file = path.join(entry.parentPath ?? entry.path, entry.name);
    const relative = path.relative(tree.folder, file).split(path.sep).join("/");
    if (!tree.skip.test(relative)) files.set(relative, fs.readFileSync(file, "utf8"));
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}
