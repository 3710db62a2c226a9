/** Debuggers and profilers see tasks by their TypeScript: breakpoints, `debugger` statements, variables, names in CPU profiles. */
import * as fs from "node:fs";
import * as path from "node:path";
import { TraceMap, originalPositionFor } from "@jridgewell/trace-mapping";
import { threaded } from "../support/backends";
import { ROOT } from "../support/chunks";
import { runNode } from "../support/children";
import { esbuildBuild, esbuildErrors, makeWorkspace, type Workspace } from "../adapters/support/workspace";
import { buildAll, folderOf, writePackage } from "../hosts/support/solution";

const FIXTURE = path.join(ROOT, "fixtures", "projects-hosts", "debugging");
const DEBUGGER = path.join(__dirname, "support", "debugger.mjs");

/** Line of a fixture's file that ends with a comment. */
function lineOf(file: string, comment: string): number {
  const lines = fs.readFileSync(path.join(FIXTURE, file), "utf8").split("\n");
  return lines.findIndex((line) => line.endsWith(`// ${comment}`)) + 1;
}

interface Debugged {
  stops: { function: string; file: string; line: number; values: Record<string, unknown>; byBreakpoint: boolean }[];
  output: string;
  errors: string;
  code: number;
}

let workspace: Workspace;
const TITLE = "debugging";

beforeAll(async () => {
  workspace = makeWorkspace("debugging-inspector", { "package.json": { name: "debugged", private: true } });
  const sources = fs.readdirSync(FIXTURE).map((name) => [`src/${name}`, fs.readFileSync(path.join(FIXTURE, name), "utf8")]);
  writePackage(workspace, TITLE, { sourceMap: true }, Object.fromEntries(sources) as Record<string, string>);
  await buildAll(workspace, [TITLE]);
  const built = await esbuildBuild(
    workspace,
    `{ entryPoints: ["${folderOf(TITLE)}/src/main.ts"], bundle: true, platform: "node", minify: true, sourcemap: true, logLevel: "silent", outfile: "out/main.cjs" }`,
  );
  if (built.code !== 0) throw new Error(esbuildErrors(built));
}, 240_000);

const programs = { tspc: "debugging/dist/main.js", "esbuild, minified": "out/main.cjs" } as const;
type Program = keyof typeof programs;
const chunksOf = (program: Program): string => path.join(path.dirname(workspace.file(programs[program])), "parallel-chunks");
const cases = (Object.keys(programs) as Program[]).flatMap((program) => threaded.map((backend) => [program, backend] as const));

test.each(cases)(
  "breakpoints set by source and line stop in the worker, with its variables; a debugger statement stops too (%s, %s)",
  async (program, backend) => {
    const source = (name: string): string => workspace.file(`debugging/src/${name}`);
    const request = {
      program: workspace.file(programs[program]),
      chunks: chunksOf(program),
      breakpoints: [
        { file: source("weigh.ts"), line: lineOf("weigh.ts", "breakpoint") },
        { file: source("main.ts"), line: lineOf("main.ts", "breakpoint") },
      ],
      watch: ["word", "weight", "sum", "doubled"],
    };
    const ended = await runNode(DEBUGGER, [JSON.stringify(request), path.join(ROOT, "package.json")], {
      execArgv: ["--experimental-websocket", "--no-warnings"],
      env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "1" },
      limit: 100_000,
    });
    expect(ended.stderr).toBe("");
    const { stops, output, errors, code } = JSON.parse(ended.stdout) as Debugged;
    const missing = expect.stringContaining("is not defined") as unknown;
    expect({ output, errors, code }).toEqual({ output: "40 8\n", errors: "", code: 0 });
    const [main, weigh] = [lineOf("main.ts", "breakpoint"), lineOf("weigh.ts", "breakpoint")];
    expect(stops).toEqual([
      {
        function: "weigh",
        file: "weigh.ts",
        line: weigh,
        values: { word: "a", weight: 10, sum: missing, doubled: missing },
        byBreakpoint: true,
      },
      {
        function: "weigh",
        file: "weigh.ts",
        line: weigh,
        values: { word: "bcd", weight: 30, sum: missing, doubled: missing },
        byBreakpoint: true,
      },
      {
        function: "total",
        file: "main.ts",
        line: main,
        values: { word: missing, weight: missing, sum: 40, doubled: missing },
        byBreakpoint: true,
      },
      {
        function: "stopping",
        file: "main.ts",
        line: lineOf("main.ts", "debugger statement"),
        values: { word: missing, weight: missing, sum: missing, doubled: 8 },
        byBreakpoint: false,
      },
    ]);
  },
  120_000,
);

interface Profile {
  nodes: { callFrame: { functionName: string; url: string; lineNumber: number; columnNumber: number }; hitCount: number }[];
}

test.each(threaded)(
  "CPU profiles name the functions of tasks, at places that the chunks' maps lead back to TypeScript (%s)",
  async (backend) => {
    const folder = workspace.file(`profiles-${backend}`);
    const ended = await runNode(workspace.file(programs.tspc), ["profile"], {
      execArgv: ["--cpu-prof", `--cpu-prof-dir=${folder}`],
      env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "2" },
      limit: 100_000,
    });
    expect({ code: ended.code, stderr: ended.stderr }).toEqual({ code: 0, stderr: "" });
    const found = new Map<string, string>();
    for (const name of fs.readdirSync(folder)) {
      const { nodes } = JSON.parse(fs.readFileSync(path.join(folder, name), "utf8")) as Profile;
      for (const { callFrame } of nodes) {
        if (!callFrame.url.includes("parallel-chunks")) continue;
        const file = callFrame.url.replace(/^file:\/\//, "");
        const map = new TraceMap(fs.readFileSync(`${file}.map`, "utf8"));
        // A function's place in a profile is its parameter list.
        const place = originalPositionFor(map, { line: callFrame.lineNumber + 1, column: callFrame.columnNumber });
        if (place.source !== null) found.set(callFrame.functionName, `${path.basename(place.source)}:${place.line}`);
      }
    }
    const lineWith = (text: string): string =>
      `main.ts:${
        fs
          .readFileSync(path.join(FIXTURE, "main.ts"), "utf8")
          .split("\n")
          .findIndex((line) => line.includes(text)) + 1
      }`;
    expect(Object.fromEntries(found)).toMatchObject({
      burnAll: lineWith("const burnAll"),
      spin: lineWith("async spin("),
      burn: lineWith("function burn("),
    });
  },
  120_000,
);
