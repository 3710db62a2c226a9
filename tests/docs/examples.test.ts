/**
 * The examples of the documentation are programs: built by tspc with all type checks, run on the native and the TypeScript backend, and what they print is
 * what the comments behind their `console.log` lines say. Pages that have such examples are listed here.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { makeWorkspace, tspc, withNodeTypes, type Workspace } from "../adapters/support/workspace";
import { threaded } from "../support/backends";
import { ROOT } from "../support/chunks";
import { runNode } from "../support/children";

const PAGES = ["reference", "observability"];

interface Example {
  name: string;
  code: string;
  prints: string[];
}

const examples: Example[] = PAGES.flatMap((page) => {
  const text = fs.readFileSync(path.join(ROOT, "docs", `${page}.md`), "utf8");
  const blocks = [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map((match) => match[1]!);
  return blocks.map((code, at) => ({
    name: `${page}-${at + 1}`,
    code,
    prints: [...code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]!),
  }));
});

let workspace: Workspace;
beforeAll(async () => {
  workspace = withNodeTypes(
    makeWorkspace("documentation", {
      "package.json": { name: "documentation", version: "1.0.0", type: "module" },
      "tsconfig.json": {
        compilerOptions: {
          target: "ES2022",
          module: "NodeNext",
          lib: ["ES2023", "ESNext.Disposable"],
          types: ["node"],
          strict: true,
          skipLibCheck: true,
          rootDir: "src",
          outDir: "dist",
          plugins: [{ transform: "makeparallel/transformer" }],
        },
        include: ["src"],
      },
      ...Object.fromEntries(examples.map(({ name, code }) => [`src/${name}.ts`, code])),
    }),
  );
  const built = await tspc(workspace);
  expect(`${built.stdout}${built.stderr}`.trim()).toBe("");
}, 60_000);

test("there are examples, and they print", () => {
  expect(examples.length).toBeGreaterThan(5);
  expect(examples.filter(({ prints }) => prints.length === 0)).toEqual([]);
});

const cases = threaded.flatMap((backend) => examples.map((example) => ({ ...example, backend })));
test.each(cases)("$name ($backend)", async ({ name, backend, prints }) => {
  const run = await runNode(workspace.file(`dist/${name}.js`), [], {
    env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "2" },
  });
  expect({ code: run.code, hung: run.hung, stderr: run.stderr }).toEqual({ code: 0, hung: false, stderr: "" });
  expect(run.stdout.trimEnd().split("\n")).toEqual(prints);
});
