/** Which files a project has, and what Node makes of them, for hosts that don't say. */
import * as fs from "node:fs";
import * as path from "node:path";
import { entryAt } from "./file-entry";

const SOURCE = /\.[cm]?[jt]sx?$/;
const DECLARATION = /\.d\.[cm]?ts$/;

/** What a build wrote, and what no project keeps its sources in. */
const LEFT_OUT = new Set(["node_modules", "coverage", "parallel-chunks", "bower_components"]);

/**
 * The source files below a folder, sorted. Folders of packages, of builds (`outDir` of a tsconfig file there, `dist`, `build`, `out`) and hidden ones are
 * left out; so are files that have been transformed before.
 *
 * @param ignore paths that match are left out as well
 */
export function projectSources(folder: string, ignore: (file: string) => boolean = () => false): string[] {
  const found: string[] = [];
  const visit = (at: string): void => {
    let entries: fs.Dirent[];
    try {
      entries = fs.readdirSync(at, { withFileTypes: true });
    } catch {
      return;
    }
    const names = new Set(entries.map(({ name }) => name));
    for (const entry of entries) {
      const { name } = entry;
      const file = path.join(at, name);
      if (name.startsWith(".") || LEFT_OUT.has(name) || ignore(file)) continue;
      if (entry.isDirectory()) {
        const isOutput = (name === "dist" || name === "build" || name === "out") && names.has("package.json");
        if (!isOutput) visit(file);
      } else if (entry.isFile() && SOURCE.test(name) && !DECLARATION.test(name)) {
        found.push(file);
      }
    }
  };
  visit(folder);
  return found.sort();
}

/** The nearest folder with a package.json, upward. */
export function packageRoot(start: string): string {
  for (let folder = path.resolve(start); ; folder = path.dirname(folder)) {
    if (fs.existsSync(path.join(folder, "package.json"))) return folder;
    if (folder === path.dirname(folder)) return path.resolve(start);
  }
}

/** The nearest of the named files, upward from a folder. */
export function findUp(folder: string, names: readonly string[]): string | undefined {
  for (;;) {
    const found = names.map((name) => path.join(folder, name)).find((file) => fs.existsSync(file));
    if (found !== undefined || folder === path.dirname(folder)) return found;
    folder = path.dirname(folder);
  }
}

const OWN = path.resolve(__dirname, "../../..") + path.sep;

/** Whether a file is this package's own code, which a link may have put outside of `node_modules`. */
export function isOwnCode(file: string): boolean {
  return file.startsWith(OWN);
}

/** Whether Node takes the file for an ES module by its name and its package, whatever is in it. */
export function isNodeModule(file: string): boolean {
  if (/\.m[jt]sx?$/.test(file)) return true;
  if (/\.c[jt]sx?$/.test(file)) return false;
  const manifest = findUp(path.dirname(file), ["package.json"]);
  if (manifest === undefined) return false;
  try {
    return (JSON.parse(fs.readFileSync(manifest, "utf8")) as { type?: string }).type === "module";
  } catch {
    return false;
  }
}

const EXTENSIONS = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json"];

/**
 * The file that a path in an import means: a `.js` may stand for the `.ts` that it will be made from, an extension or `index` may be left out.
 *
 * @param path absolute
 */
export function probeSource(file: string): string | undefined {
  const js = /\.([cm]?)js(x?)$/.exec(file);
  const base = js ? file.slice(0, js.index) : file;
  // As TypeScript has it, the source goes before what an earlier build may have put beside it.
  const sources = js ? (js[1] === "" ? [`${base}.ts`, `${base}.tsx`] : [`${base}.${js[1]}ts`]) : [];
  const candidates = [
    ...sources,
    file,
    ...EXTENSIONS.map((extension) => file + extension),
    ...EXTENSIONS.map((extension) => path.join(file, `index${extension}`)),
  ];
  return candidates.find((candidate) => entryAt(candidate)?.isFile());
}

/** Every string in a text that may be an import's; too many does no harm. */
export function specifiersIn(text: string): Set<string> {
  const found = new Set<string>();
  for (const match of text.matchAll(/(?:\bfrom|\bimport|\brequire)\s*\(?\s*(?:"([^"\n]+)"|'([^'\n]+)')/g)) found.add(match[1] ?? match[2]);
  return found;
}
