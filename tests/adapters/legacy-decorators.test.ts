/** `experimentalDecorators`, with metadata and with other decorators on the same class, as NestJS and the like have them. */
import { runNode } from "../support/children";
import { esbuildBuild, esbuildErrors, makeWorkspace, tspc, type Workspace } from "./support/workspace";

const source = `import { parallel } from "makeparallel";
import { log, note, registered, Dependency } from "./decorators.js";
import Nameless from "./nameless.js";

@registered("service")
class Service {
  base = 10;
  #extra = 0;
  constructor(readonly dependency: Dependency) {}
  @parallel async add(n: number): Promise<number> {
    return this.base + n + this.dependency.extra() + this.#extra;
  }
  @note("total") @parallel({ timeout: 20_000 }) async total(@note("list") list: number[]): Promise<number> {
    return list.reduce((sum, n) => sum + n, this.base);
  }
  @note("plain") plain(n: number): number {
    return n;
  }
  @parallel static async half(n: number): Promise<number> {
    return n / 2;
  }
}

async function main(): Promise<void> {
  const service = new Service(new Dependency(3));
  console.log(JSON.stringify([await service.add(1), await service.total([1, 2]), service.plain(5), await Service.half(8), log, await new Nameless().n()]));
}
void main();
`;
const decorators = `export const log: string[] = [];
export class Dependency {
  constructor(private readonly n: number) {}
  extra(): number { return this.n; }
}
export function registered(name: string) {
  return (target: Function): void => { log.push(name + ":" + target.name); };
}
export function note(text: string) {
  return (_target: object, key: string | symbol, _at?: unknown): void => { log.push(text + ":" + String(key)); };
}
`;
const nameless = `import { parallel } from "makeparallel";
const kept = <C>(target: C): void => void target;
@kept
export default class {
  #n = 7;
  @parallel async n(): Promise<number> {
    return this.#n;
  }
}
`;
const config = {
  compilerOptions: {
    target: "ES2022",
    module: "Node16",
    types: ["node"],
    skipLibCheck: true,
    strict: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    rootDir: "src",
    outDir: "dist",
    plugins: [{ transform: "makeparallel/transformer" }],
  },
  include: ["src"],
};
const expected = [14, 13, 5, 4, ["total:total", "list:total", "plain:plain", "service:Service"], 7];

function project(name: string, target = "ES2022"): Workspace {
  return makeWorkspace(`legacy-${name}`, {
    "package.json": { name: "project", version: "1.0.0" },
    "tsconfig.json": { ...config, compilerOptions: { ...config.compilerOptions, target } },
    "src/main.ts": `declare namespace Reflect { function metadata(key: string, value: unknown): (target: object, key?: string | symbol) => void }\n${source}`,
    "src/decorators.ts": decorators,
    "src/nameless.ts": nameless,
  });
}

async function run(workspace: Workspace): Promise<unknown> {
  const ended = await runNode(workspace.file("dist/main.js"), [], {
    env: { MAKEPARALLEL_BACKEND: "typescript", MAKEPARALLEL_THREADS: "1" },
  });
  if (ended.code !== 0) throw new Error(ended.stderr);
  const value = JSON.parse(ended.stdout) as [...unknown[], string[]];
  // The order of parameter and method decorators is the compiler's affair.
  return value.map((part) => (Array.isArray(part) ? [...part].sort() : part));
}

const sorted = expected.map((part) => (Array.isArray(part) ? [...part].sort() : part));

// Below ES2022 TypeScript has `void 0` for the `this` of static blocks in classes that it decorates.
test.each(["ES2022", "ES2021"])("tspc, %s", async (target) => {
  const workspace = project(`tspc-${target}`, target);
  const built = await tspc(workspace);
  expect(built.stdout).toBe("");
  expect(await run(workspace)).toEqual(sorted);
  expect(workspace.read("dist/main.js")).toContain('"design:paramtypes"');
});

test("esbuild", async () => {
  const workspace = project("esbuild");
  const built = await esbuildBuild(
    workspace,
    `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outdir: "dist", keepNames: true }`,
  );
  expect(esbuildErrors(built)).toBe("");
  expect(await run(workspace)).toEqual(sorted);
});
