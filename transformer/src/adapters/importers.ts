/**
 * Which files of a program may import a given one.
 *
 * Takes the program's files. Gives those in which an import names the last part of a file's path; whether it leads there is for the core to see, which reads only
 * these. Made at the first question: a program without tasks asks none.
 */
import * as path from "node:path";
import { specifiersIn } from "./project-files";

/** What `.`, `..` and `./` stand for. */
const FOLDER = "";

export class Importers {
  #byName: Map<string, string[]> | undefined;

  /** @param files absolute paths and texts */
  constructor(private readonly files: () => Iterable<{ file: string; text: string }>) {}

  of(file: string): readonly string[] {
    this.#byName ??= this.#index();
    const name = nameOf(file);
    const names = name === "index" ? [name, path.basename(path.dirname(file)), FOLDER] : [name];
    return [...new Set(names.flatMap((each) => this.#byName?.get(each) ?? []))].filter((other) => other !== file).sort();
  }

  #index(): Map<string, string[]> {
    const byName = new Map<string, string[]>();
    for (const { file, text } of this.files()) {
      for (const name of new Set([...specifiersIn(text)].map(nameOf))) {
        const known = byName.get(name);
        if (known) known.push(file);
        else byName.set(name, [file]);
      }
    }
    return byName;
  }
}

/** `./lib/table.js`, `@app/table` and `/project/src/lib/table.ts`: `table`. */
function nameOf(specifier: string): string {
  const last = specifier.slice(specifier.lastIndexOf("/") + 1);
  return /^\.*$/.test(last) ? FOLDER : last.replace(/\.[cm]?[jt]sx?$/, "");
}
