/** A task sees what its modules' top levels have made of what they declare, in the order of the source, though its slice has only some of it. */
import { runNode } from "../support/children";
import { moduleSetUp } from "./support/module-set-up";
import { makeWorkspace, tspc } from "./support/workspace";

/** Those from 15 on have failed: code that reads something before it is changed, and (28) a declaration that changes what the other module declares. */
const SEEDS = [1, 2, 15, 20, 21, 25, 28, 53];

const main = `${SEEDS.map((seed) => `import { compared as of${seed} } from "./${seed}/second.js";`).join("\n")}
const compare = async ([look, task]: (typeof of${SEEDS[0]})[number], seed: number): Promise<void> => {
  const [here, there] = [look(), await task().then((text) => text, String)];
  if (here !== there) console.log(seed, here, there);
};
const all = [${SEEDS.map((seed) => `...of${seed}.map((pair) => compare(pair, ${seed}))`).join(", ")}];
void Promise.all(all).then(() => console.log(all.length));
`;

test("random programs that set up what they declare", async () => {
  const programs = SEEDS.flatMap((seed) => Object.entries(moduleSetUp(seed)).map(([name, text]) => [`src/${seed}/${name}`, text] as const));
  const workspace = makeWorkspace("module-set-up", {
    "package.json": { name: "project", version: "1.0.0", type: "module" },
    "tsconfig.json": {
      compilerOptions: {
        target: "ES2022",
        module: "Node16",
        strict: true,
        skipLibCheck: true,
        types: ["node"],
        rootDir: "src",
        outDir: "dist",
        plugins: [{ transform: "makeparallel/transformer" }],
      },
      include: ["src"],
    },
    "src/main.ts": main,
    ...Object.fromEntries(programs),
  });
  const { code, stdout, stderr } = await tspc(workspace);
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: "", stderr: "" });
  const run = await runNode(workspace.file("dist/main.js"), [], { env: { MAKEPARALLEL_THREADS: "1" } });
  expect(run.stdout + run.stderr).toBe(`${SEEDS.length * 4}\n`);
});
