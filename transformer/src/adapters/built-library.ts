/**
 * A package whose parallel functions were built before, about to be put into a bundle: its stubs look for their chunks beside the file that they are in, and
 * its manifest stays in the package's own folder.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { packageRoot } from "./project-files";

const PACKAGE = /^.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/;

/**
 * @param specifier of an import
 * @param importer the file that has it, into which this build has put no stubs
 * @param root the folder of the package that is built, whose own output may well be bundled
 * @param setting what the host calls its list of modules that stay outside
 * @returns what to say if the file is the output of another package's build
 */
export function builtLibrary(
  specifier: string,
  importer: string,
  root: string,
  setting = "external",
): { text: string; fix: string } | undefined {
  if (specifier !== "makeparallel/internal" || !path.isAbsolute(importer)) return undefined;
  const installed = PACKAGE.exec(importer)?.[1]?.replace("\\", "/");
  const own = packageRoot(path.dirname(importer));
  if (installed === undefined && own === root) return undefined;
  const name = installed ?? nameIn(own);
  return {
    text: `${name} has parallel functions that were built already: in a bundle they do not find their chunks, which stay in the package's folder`,
    fix: `Leave the package outside of the bundle: add ${JSON.stringify(name)} to \`${setting}\`, and install it where the program runs. Or bundle its sources.`,
  };
}

function nameIn(folder: string): string {
  try {
    const { name } = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8")) as { name?: unknown };
    if (typeof name === "string") return name;
  } catch {
    // The folder will do.
  }
  return path.basename(folder);
}
