/** `.d.ts` files: those of marked code are what plain `tsc` would write, to the byte, maps included. */
import * as fs from "node:fs";
import * as path from "node:path";
import { ROOT } from "../support/chunks";
import { typescriptIs } from "../support/typescript";
import { listFiles, makeWorkspace } from "../adapters/support/workspace";
import { buildAll, folderOf, writePackage } from "./support/solution";

const FIXTURE = path.join(ROOT, "fixtures", "projects-hosts", "options");
const program = Object.fromEntries(
  fs.readdirSync(FIXTURE).map((name) => [`src/${name}`, fs.readFileSync(path.join(FIXTURE, name), "utf8")]),
);

/** What isolatedDeclarations asks for: types at every export. */
const annotated = {
  "src/main.ts": `import { AsyncHandle, parallel, type ParallelFunction } from "makeparallel";

export const scale: ParallelFunction<[n: number, by?: number], number> = parallel((n: number, by: number = 2) => n * by);

/**
 * Kept.
 * @parallel
 */
export async function shout(text: string): Promise<string> {
  return text.toUpperCase();
}

/** @parallel */
export default function half(n: number): AsyncHandle<number> {
  return AsyncHandle.of(n / 2);
}

export class Engine {
  static #count: number = 0;
  constructor(private readonly step: number) {}
  /** Kept as well. */
  @parallel spin(rounds: number): AsyncHandle<number> {
    return AsyncHandle.of(rounds * this.step);
  }
  @parallel({ timeout: 1000 }) static async create(step: number): Promise<Engine> {
    return new Engine(step);
  }
  static get count(): number {
    return Engine.#count;
  }
}
`,
};

const variants: Record<string, { options: object; files: Record<string, string> }> = {
  declaration: { options: { declaration: true, declarationMap: true }, files: program },
  "declaration, legacy decorators": { options: { declaration: true, experimentalDecorators: true }, files: program },
  "declaration, removeComments": { options: { declaration: true, removeComments: true }, files: program },
  ...(typescriptIs(5, 5)
    ? { isolatedDeclarations: { options: { declaration: true, isolatedDeclarations: true, declarationMap: true }, files: annotated } }
    : {}),
};

describe("declarations", () => {
  const plain = (title: string): string => `${title}, plain`;
  const read = new Map<string, Record<string, string>>();

  beforeAll(async () => {
    const workspace = makeWorkspace("hosts-declarations", { "package.json": { name: "declarations", private: true } });
    const titles = Object.keys(variants);
    for (const title of titles) {
      const { options, files } = variants[title];
      writePackage(workspace, title, options, files);
      writePackage(workspace, plain(title), { ...options, plugins: [] }, files);
    }
    await buildAll(workspace, [...titles, ...titles.map(plain)]);
    for (const title of [...titles, ...titles.map(plain)]) {
      const folder = `${folderOf(title)}/dist`;
      const names = listFiles(workspace, folder).filter((file) => /\.d\.ts(\.map)?$/.test(file));
      read.set(title, Object.fromEntries(names.map((name) => [name, workspace.read(`${folder}/${name}`)])));
    }
  }, 240_000);

  test.each(Object.keys(variants))("%s", (title) => {
    expect(Object.keys(read.get(title)!)).not.toEqual([]);
    expect(read.get(title)).toEqual(read.get(plain(title)));
    expect(read.get(title)!["main.d.ts"]).not.toContain("__mp");
  });
});
