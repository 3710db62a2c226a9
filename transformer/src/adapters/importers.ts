/**
 * Which files of a program may import a given one.
 *
 * Takes the program's files. Gives those in which an import names the last part of a file's path; whether it leads there is for the core to see, which reads only
 * these. Made at the first question: a program without tasks asks none.
 */
import { lastName, namesOfFile } from "../analyze/importers";
import { specifiersIn } from "./project-files";

export class Importers {
  #byName: Map<string, string[]> | undefined;

  /** @param files absolute paths and texts */
  constructor(private readonly files: () => Iterable<{ file: string; text: string }>) {}

  of(file: string): readonly string[] {
    this.#byName ??= this.#index();
    return [...new Set(namesOfFile(file).flatMap((each) => this.#byName?.get(each) ?? []))].filter((other) => other !== file).sort();
  }

  #index(): Map<string, string[]> {
    const byName = new Map<string, string[]>();
    for (const { file, text } of this.files()) {
      for (const name of new Set([...specifiersIn(text)].map(lastName))) {
        const known = byName.get(name);
        if (known) known.push(file);
        else byName.set(name, [file]);
      }
    }
    return byName;
  }
}
