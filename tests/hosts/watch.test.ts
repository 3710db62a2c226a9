/** `tspc -w`: tasks and what they use come, change and go; errors are shown as long as they are there; nothing that is written starts another build. */
import * as fs from "node:fs";
import { runNode } from "../support/children";
import { COMPILER_OPTIONS, listFiles, makeWorkspace, type Workspace } from "../adapters/support/workspace";
import { watch, type Watching } from "./support/watch";

const LIMIT = 300_000;

const main = `import { parallel } from "makeparallel";
import { factor } from "./factor.js";
export const scale = parallel((n: number) => n * factor());
void scale(2).then((value) => console.log(value));
`;
const factor = "export const factor = (): number => 10;\n";
const broken = (name: string): string => `
export function count${name}(): unknown {
  let total = 0;
  return parallel((n: number) => { total += n; return total; });
}
`;

function project(name: string, compilerOptions: object = {}): Workspace {
  return makeWorkspace(`hosts-watch-${name}`, {
    "package.json": { name: "watched", version: "1.0.0" },
    "tsconfig.json": { compilerOptions: { ...COMPILER_OPTIONS, ...compilerOptions }, include: ["src"] },
    "src/main.ts": main,
    "src/factor.ts": factor,
  });
}

async function run(workspace: Workspace, file = "dist/main.js"): Promise<string> {
  const env = { MAKEPARALLEL_BACKEND: "typescript", MAKEPARALLEL_THREADS: "1" };
  const ended = await runNode(workspace.file(file), [], { env, limit: 60_000 });
  return ended.stdout.trim() + ended.stderr;
}

/** Names of the tasks that have a chunk. */
const tasks = (workspace: Workspace): string[] =>
  listFiles(workspace, "dist/parallel-chunks").flatMap((file) => /^(?!shared)(\w+)-\w+\.cjs$/.exec(file)?.[1] ?? []);

let compiler: Watching;

/** Waits until programs print this, and the compiler has ended what it had begun. Several writes may be seen one after the other. */
async function prints(workspace: Workspace, expected: Record<string, string>): Promise<void> {
  for (;;) {
    const builds = compiler.count();
    const printed = await Promise.all(Object.keys(expected).map((file) => run(workspace, file)));
    if (Object.values(expected).every((text, i) => printed[i] === text)) return compiler.settles();
    await compiler.rests(builds + 1);
  }
}

afterEach(() => compiler.stop());

test.each([
  ["-w", []],
  ["-w --incremental", ["--incremental"]],
])(
  "%s: tasks and dependencies that are added, changed and removed",
  async (title, args) => {
    const workspace = project(`edits${args.length}`, { declaration: true });
    compiler = watch(workspace, ...args);
    await compiler.rests(1);
    expect(await run(workspace)).toBe("20");

    // A new dependency, and a new file with a task of its own.
    workspace.write("src/extra.ts", "export const extra = (): number => 1;\n");
    workspace.write(
      "src/other.ts",
      main.replace("scale =", "triple =").replace("scale(2)", "triple(2)").replace("factor()", "factor() * 3"),
    );
    workspace.write("src/factor.ts", `import { extra } from "./extra.js";\nexport const factor = (): number => 10 + extra();\n`);
    await compiler.rests(2);
    await prints(workspace, { "dist/main.js": "22", "dist/other.js": "66" });
    expect(tasks(workspace)).toEqual(["scale", "triple"]);

    // A change in what only the chunks hold.
    let builds = compiler.count();
    workspace.write("src/extra.ts", "export const extra = (): number => 2;\n");
    await compiler.rests(builds + 1);
    expect(await run(workspace)).toBe("24");
    expect(await run(workspace, "dist/other.js")).toBe("72");

    // The dependency goes, in the edit that makes it needless; then both files. TypeScript leaves the output of files that are gone, and emits nothing when
    // nothing else has changed; what is in the manifest goes with the next emit.
    builds = compiler.count();
    workspace.write("src/factor.ts", factor);
    await compiler.rests(builds + 1);
    fs.rmSync(workspace.file("src/extra.ts"));
    fs.rmSync(workspace.file("src/other.ts"));
    workspace.write("src/factor.ts", factor.replace("10", "12"));
    await prints(workspace, { "dist/main.js": "24" });
    expect(tasks(workspace)).toEqual(["scale"]);
    workspace.write("src/factor.ts", factor);
    await prints(workspace, { "dist/main.js": "20" });

    // Two errors in files that depend on each other; each ends with the edit of its own file.
    builds = compiler.count();
    workspace.write("src/factor.ts", `import { parallel } from "makeparallel";\n${factor}${broken("A")}`);
    expect(await compiler.rests(builds + 1)).toMatch(/src\/factor\.ts\(6,.*MP1005/);
    workspace.write("src/main.ts", `${main}${broken("B")}`);
    expect((await compiler.rests(builds + 2)).match(/MP1005/g)).toHaveLength(2);
    workspace.write("src/factor.ts", factor);
    const left = await compiler.rests(builds + 3);
    expect(left).toContain("Found 1 error.");
    expect(left).toMatch(/src\/main\.ts\(8,.*MP1005/);
    workspace.write("src/main.ts", main);
    expect(await compiler.rests(builds + 4)).toContain("Found 0 errors.");
    expect(await run(workspace)).toBe("20");

    // One build for one edit, to the last: a write of ours into a watched folder would have started more.
    expect(compiler.count()).toBe(builds + 4);
  },
  LIMIT,
);

test(
  "-w --noEmit, with transformProgram: diagnostics come and go, nothing is written",
  async () => {
    const workspace = project("no-emit", { noEmit: true, plugins: [{ transform: "makeparallel/transformer", transformProgram: true }] });
    compiler = watch(workspace);
    expect(await compiler.rests(1)).toContain("Found 0 errors.");
    workspace.write("src/main.ts", `${main}${broken("A")}`);
    expect(await compiler.rests(2)).toMatch(/src\/main\.ts\(8,.*MP1005[^]*Found 1 error\./);
    workspace.write("src/factor.ts", factor.replace("10", "11"));
    expect(await compiler.rests(3)).toContain("Found 1 error.");
    workspace.write("src/main.ts", main);
    expect(await compiler.rests(4)).toContain("Found 0 errors.");
    expect(listFiles(workspace, ".").filter((file) => /^(dist|src)\/.*(?<!\.ts)$|tsbuildinfo/.test(file))).toEqual([]);
  },
  LIMIT,
);
