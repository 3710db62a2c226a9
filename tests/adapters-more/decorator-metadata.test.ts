/** `emitDecoratorMetadata` in hosts that compile one file at a time and know no types: a container in a task finds the same classes as in the program. */
import * as fs from "node:fs";
import * as path from "node:path";
import type { Workspace } from "../adapters/support/workspace";
import { runNode } from "../support/children";
import { ROOT } from "../support/chunks";
import { makeApp, node, script } from "./support/app";
import { pack } from "./support/hosts";

const REFLECT = fs.readFileSync(path.join(ROOT, "fixtures/exec/decorator-metadata-is-in-tasks-too/reflect.ts"), "utf8");

const SERVICE = `// @parallel-include
import "./reflect";
import { EventEmitter } from "node:events";
import type { Abortable } from "node:events";
import { parallel } from "makeparallel";
import { Clock, Zone } from "./clock";
import type { Shape } from "./clock";

const { getMetadata } = Reflect as unknown as { getMetadata(key: string, target: object): object[] | undefined };
type Factory = new (...args: unknown[]) => unknown;
function injectable(): ClassDecorator {
  return () => undefined;
}

@injectable()
export class Service {
  constructor(readonly clock: Clock, readonly events: EventEmitter, readonly options: Abortable, readonly shape: Shape, readonly zone: Zone, readonly at: Date) {}
}

export function types(type: object): string[] {
  return (getMetadata("design:paramtypes", type) as Function[]).map((found) => found.name);
}
function resolve(type: object): unknown {
  return new (type as Factory)(...(getMetadata("design:paramtypes", type) ?? []).map((needed) => (needed === Object ? {} : needed === String ? "" : resolve(needed))));
}
export const inTask = parallel(() => [types(Service), (resolve(Service) as Service).clock.now()]);
`;
const CLOCK = `export class Clock {
  now(): number { return 7; }
}
export interface Shape { sides: number }
export enum Zone { Utc = "utc" }
`;
const EXPECTED = [["Clock", "EventEmitter", "Object", "Object", "String", "Date"], 7];

function app(name: string): Workspace {
  const compilerOptions = {
    target: "ES2022",
    module: "CommonJS",
    moduleResolution: "node10",
    strict: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    esModuleInterop: true,
    skipLibCheck: true,
    types: ["node", "jest"],
  };
  return makeApp(
    `metadata-${name}`,
    {
      "tsconfig.json": { compilerOptions, include: ["src"] },
      "src/main.ts": `import { inTask } from "./service";\nvoid inTask().then((found) => console.log(JSON.stringify(found)));\n`,
      "src/service.ts": SERVICE,
      "src/clock.ts": CLOCK,
      "src/reflect.ts": REFLECT,
      "src/a.test.ts": `import { inTask } from "./service";\ntest("x", async () => expect(await inTask()).toEqual(${JSON.stringify(EXPECTED)}));\n`,
    },
    "commonjs",
  );
}

test.each(["webpack", "rspack"])("%s", async (host) => {
  const workspace = app(host);
  await script(workspace, "build.mjs", pack, host, "development", "cjs");
  const ended = await node(workspace, "out/main.cjs", "typescript");
  expect(ended.stderr).toBe("");
  expect(JSON.parse(ended.stdout)).toEqual(EXPECTED);
});

test.each([
  ["the preset", `preset: "makeparallel"`],
  [
    "ts-jest",
    `transform: { "\\.ts$": ["ts-jest", { isolatedModules: true, astTransformers: { before: [require.resolve("makeparallel/transformer")] } }] }`,
  ],
])("jest with %s", async (name, config) => {
  const workspace = app(`jest-${name.replace(/\W+/g, "-")}`);
  workspace.write("jest.config.cjs", `module.exports = { watchman: false, cacheDirectory: "<rootDir>/jest-cache", ${config} };\n`);
  const ended = await runNode(workspace.file("node_modules/jest/bin/jest.js"), ["-i", "-c", "jest.config.cjs"], {
    cwd: workspace.root,
    limit: 60_000,
    env: { MAKEPARALLEL_BACKEND: "typescript", MAKEPARALLEL_THREADS: "1", NO_COLOR: "1" },
  });
  expect({ code: ended.code, output: ended.code === 0 ? "" : ended.stderr + ended.stdout }).toEqual({ code: 0, output: "" });
});
