/**
 * Which files of a program may import a given one.
 *
 * Takes the program's files. Gives those in which an import names the last part of a file's path, or the package that the file is in; whether it leads there is for
 * the core to see, which reads only these. Made at the first question: a program without tasks asks none.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { lastName, namesOfFile } from "../analyze/importers";
import { packageRoot, specifiersIn } from "./project-files";

export class Importers {
  #byName: Map<string, string[]> | undefined;
  readonly #packages = new Map<string, string>();

  /** @param files absolute paths and texts */
  constructor(private readonly files: () => Iterable<{ file: string; text: string }>) {}

  of(file: string): readonly string[] {
    this.#byName ??= this.#index();
    return [...new Set([...namesOfFile(file), this.#packageOf(file)].flatMap((each) => this.#byName?.get(each) ?? []))]
      .filter((other) => other !== file)
      .sort();
  }

  #index(): Map<string, string[]> {
    const byName = new Map<string, string[]>();
    for (const { file, text } of this.files()) {
      // `@shapes` and `#shapes` may be aliases.
      for (const name of new Set([...specifiersIn(text)].map((specifier) => lastName(specifier).replace(/^[@~#]/, "")))) {
        const known = byName.get(name);
        if (known) known.push(file);
        else byName.set(name, [file]);
      }
    }
    return byName;
  }

  /** Last part of the name of the package that a file is in: another one of the workspace imports it by that. */
  #packageOf(file: string): string {
    const folder = path.dirname(file);
    let name = this.#packages.get(folder);
    if (name === undefined) this.#packages.set(folder, (name = lastName(packageName(folder))));
    return name;
  }
}

function packageName(folder: string): string {
  try {
    const { name } = JSON.parse(fs.readFileSync(path.join(packageRoot(folder), "package.json"), "utf8")) as { name?: unknown };
    return typeof name === "string" ? name : "";
  } catch {
    return "";
  }
}
