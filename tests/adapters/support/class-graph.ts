/**
 * Random programs of classes and interfaces, each in a file of its own, that extend and implement each other directly or through barrels. A task's file names
 * one of them; the program gives it instances of all that derive from that one, of which the task's file knows nothing.
 */
import { Random } from "../../stress/program/random";

interface Declared {
  name: string;
  isInterface: boolean;
  /** Where it comes from: a file, and the name that this exports it under. */
  source: Source;
  methods: string[];
  bases: Declared[];
}

interface Source {
  file: string;
  exported: string;
}

/** How a task gets an instance, and how it comes to it. */
const SHAPES = [
  { type: (name: string) => name, value: (one: string) => one, list: "[given]" },
  { type: (name: string) => `${name}[]`, value: (one: string) => `[${one}]`, list: "given" },
  { type: (name: string) => `Map<string, ${name}>`, value: (one: string) => `new Map([["one", ${one}]])`, list: "[...given.values()]" },
  { type: (name: string) => `{ deep: { one: ${name} } }`, value: (one: string) => `{ deep: { one: ${one} } }`, list: "[given.deep.one]" },
];

/**
 * @param seed the same one gives the same program
 * @returns its files by their names. `main.ts` prints how many instances it has sent, and for each that did not arrive as it is in the program what came of it
 */
export function classGraph(seed: number): Record<string, string> {
  return new ClassGraph(seed).files();
}

class ClassGraph {
  private readonly random: Random;
  private readonly written: Record<string, string> = {};
  private readonly declared: Declared[] = [];
  private barrels = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  files(): Record<string, string> {
    const count = this.random.int(4, 9);
    for (let i = 0; i < count; i++) this.declare(i, i > 0 && this.random.chance(0.25));
    const expected = this.random.pick(this.declared);
    const shape = this.random.pick(SHAPES);
    const { line, name } = this.importOf(expected);
    this.written["task.ts"] = [
      `import { parallel } from "makeparallel";`,
      line,
      `export const task = parallel((given: ${shape.type(name)}) => (${shape.list}).map((one) => [one.constructor.name, one.${this.random.pick(expected.methods)}()]));`,
    ].join("\n");
    const instances = this.declared.filter((one) => !one.isInterface && isA(one, expected));
    this.written["main.ts"] = [
      `import { task } from "./task.js";`,
      ...instances.map(({ name: local, source }) => importLine(source, local)),
      `const given = [${instances.map((one) => shape.value(`new ${one.name}()`)).join(", ")}];`,
      `const look = async (one: (typeof given)[number]): Promise<void> => {`,
      `  const here = JSON.stringify(task.local(one));`,
      `  const there = await task(one).then((list) => JSON.stringify(list), String);`,
      `  if (here !== there) console.log(here, there);`,
      `};`,
      `void Promise.all(given.map(look)).then(() => console.log(given.length));`,
    ].join("\n");
    return this.written;
  }

  private declare(index: number, isInterface: boolean): void {
    const name = `${isInterface ? "Interface" : "Class"}${index}`;
    const bases: Declared[] = [];
    const imports: string[] = [];
    const derive = (from: boolean, likely: number): string | undefined => {
      const candidates = this.declared.filter((other) => other.isInterface === from);
      if (candidates.length === 0 || !this.random.chance(likely)) return undefined;
      const base = this.random.pick(candidates);
      bases.push(base);
      const { line, name: local } = this.importOf(base);
      imports.push(line);
      return local;
    };
    const extended = derive(isInterface, 0.75);
    const implemented = isInterface ? undefined : derive(true, 0.6);
    const own = `method${index}`;
    const heritage = (extended ? ` extends ${extended}` : "") + (implemented ? ` implements ${implemented}` : "");
    const methods = [...new Set([own, ...bases.flatMap((base) => base.methods)])];
    const source: Source = { file: `file${index}`, exported: name };
    const text = isInterface
      ? [`export interface ${name}${heritage} {`, `  ${own}(): string;`, "}"]
      : this.classText(name, heritage, own, bases, source);
    this.written[`${source.file}.ts`] = [...imports, ...text].join("\n");
    this.declared.push({ name, isInterface, source, methods, bases });
  }

  /** @param source where it comes from; how it is exported is decided here */
  private classText(name: string, heritage: string, own: string, bases: readonly Declared[], source: Source): string[] {
    const promised = bases.filter(({ isInterface }) => isInterface).flatMap(({ methods }) => methods);
    const isPrivate = this.random.chance(0.4);
    const body = [...new Set([own, ...promised])].map(
      (method) => `  ${method}(): string { return "${name}"${isPrivate ? " + this.#own" : ""}; }`,
    );
    if (isPrivate) body.unshift("  readonly #own = 1;");
    const style = this.random.int(0, 2);
    if (style === 0) source.exported = "default";
    if (style === 1) source.exported = `Renamed${name}`;
    const keywords = style === 0 ? "export default " : style === 1 ? "" : "export ";
    return [`${keywords}class ${name}${heritage} {`, ...body, "}", ...(style === 1 ? [`export { ${name} as ${source.exported} };`] : [])];
  }

  /** Directly, or through barrels that pass it on in one way or another. */
  private importOf({ name, source }: Declared): { line: string; name: string } {
    let { file, exported } = source;
    while (this.random.chance(0.35)) {
      const barrel = `barrel${this.barrels++}`;
      const renamed = `${name}Of${barrel}`;
      const passing = [
        [`export { ${exported} as ${renamed} } from "./${file}.js";`],
        [importLine({ file, exported }, renamed), `export { ${renamed} };`],
        [`export { ${exported} as default } from "./${file}.js";`],
        ...(exported === "default" ? [] : [[`export * from "./${file}.js";`]]),
      ];
      const chosen = this.random.int(0, passing.length - 1);
      this.written[`${barrel}.ts`] = passing[chosen]!.join("\n");
      file = barrel;
      exported = [renamed, renamed, "default", exported][chosen]!;
    }
    if (exported !== "default" && this.random.chance(0.2)) {
      const namespace = `all${name}${this.barrels}`;
      return { line: `import * as ${namespace} from "./${file}.js";`, name: `${namespace}.${exported}` };
    }
    const local = `Imported${name}`;
    return { line: importLine({ file, exported }, local), name: local };
  }
}

function importLine({ file, exported }: Source, local: string): string {
  return exported === "default" ? `import ${local} from "./${file}.js";` : `import { ${exported} as ${local} } from "./${file}.js";`;
}

function isA(one: Declared, other: Declared): boolean {
  return one === other || one.bases.some((base) => isA(base, other));
}
