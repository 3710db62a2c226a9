/**
 * What `error.stack` of a task says: the TypeScript lines in the task, then the TypeScript line that called it, and so on through nested tasks.
 *
 * Places are found by the comments at the ends of the fixture's lines.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { threaded } from "../support/backends";
import { ROOT } from "../support/chunks";
import { esbuildBuild, esbuildErrors, makeWorkspace, type Workspace } from "../adapters/support/workspace";
import { buildAll, type Results, runAll, writePackage } from "../hosts/support/solution";

const FIXTURE = path.join(ROOT, "fixtures", "projects-hosts", "stacks");
const files = Object.fromEntries(fs.readdirSync(FIXTURE).map((name) => [name, fs.readFileSync(path.join(FIXTURE, name), "utf8")]));

/** `file:line` by comment. */
const places = new Map<string, string>();
for (const [name, text] of Object.entries(files)) {
  text.split("\n").forEach((line, index) => {
    const comment = / \/\/ (.*)$/.exec(line)?.[1];
    if (comment !== undefined) places.set(comment, `${name}:${index + 1}`);
  });
}

/** What each stack has to show, of the program's own files, in this order. `|` stands for the line that says which task was called. */
const EXPECTED: Record<string, string[]> = {
  wrapped: ["in fail", "in wrapped", "|wrapped", "push wrapped"],
  tagged: ["in fail", "in failLater", "in tagged", "|tagged", "push tagged"],
  method: ["in fail", "in #check", "in method", "|Service.method", "push method"],
  create: ["in create", "|Service.create", "push create"],
  stream: ["in fail", "in stream", "|stream", "push stream"],
  caused: ["in caused", "|caused", "push caused"],
  outer: ["in fail", "in wrapped", "|wrapped", "middle pushes wrapped", "|middle", "outer pushes middle", "|outer", "push outer"],
  captured: ["in fail", "in captured", "|(anonymous)", "push captured"],
};

/** The same of a stack: project frames by comment (or `file:line`), and callers. Frames of helpers of the test itself are left out. */
function shown(stack: string): string[] {
  // The callbacks stand in the line of the call that gets them.
  return framesOf(stack).filter((place, index, all) => place !== all[index - 1]);
}

function framesOf(stack: string): string[] {
  const names = new Map([...places].map(([comment, place]) => [place, comment]));
  return stack.split("\n").flatMap((line) => {
    const called = /^ {4}--- (.*) was called here ---$/.exec(line)?.[1];
    if (called !== undefined) return [`|${called}`];
    const frame = /[\\/]src[\\/](\w+\.ts):(\d+):\d+\)?$/.exec(line);
    if (!frame) return /^\s+at .*(?:parallel-chunks|[\\/](?:dist|out)[\\/])/.test(line) && !/[\\/]runtime-ts[\\/]/.test(line) ? [line] : [];
    const place = `${frame[1]}:${frame[2]}`;
    if (names.has(place)) return [names.get(place)!];
    // `stackOf`, which runs the callbacks, and `all`, which calls it.
    const text = files[frame[1]]!.split("\n")[Number(frame[2]) - 1]!;
    return /await run\(\)|all\(\)|stackOf\(async/.test(text) ? [] : [place];
  });
}

type Stacks = Record<string, { stack: string; cause?: string; isRefused: boolean }>;

const ways = ["tspc, CommonJS", "tspc, ES modules", "esbuild, CommonJS", "esbuild, ES modules", "esbuild, minified"] as const;

async function bundle(workspace: Workspace, format: string, extension: string, more = ""): Promise<void> {
  const built = await esbuildBuild(
    workspace,
    `{ entryPoints: ["tspc-es-modules/src/main.ts"], bundle: true, platform: "node", format: "${format}", target: "node20", sourcemap: true, logLevel: "silent", outfile: "out/${extension}", ${more} }`,
  );
  if (built.code !== 0) throw new Error(esbuildErrors(built));
}

describe("stacks of errors in tasks", () => {
  let printed: Results;

  beforeAll(async () => {
    const workspace = makeWorkspace("debugging-stacks", { "package.json": { name: "stacks", private: true } });
    const sources = Object.fromEntries(Object.entries(files).map(([name, text]) => [`src/${name}`, text]));
    writePackage(workspace, ways[0], { sourceMap: true }, sources);
    writePackage(workspace, ways[1], { sourceMap: true }, sources, "module");
    await buildAll(workspace, ways.slice(0, 2));
    await bundle(workspace, "cjs", "cjs/main.cjs");
    await bundle(workspace, "esm", "esm/main.mjs");
    await bundle(workspace, "esm", "minified/main.mjs", "minify: true");
    printed = await runAll(workspace, {
      [ways[0]]: "tspc-commonjs/dist/main.js",
      [ways[1]]: "tspc-es-modules/dist/main.js",
      [ways[2]]: "out/cjs/main.cjs",
      [ways[3]]: "out/esm/main.mjs",
      [ways[4]]: "out/minified/main.mjs",
    });
  }, 240_000);

  test.each(ways.flatMap((way) => threaded.map((backend) => [way, backend] as const)))("%s (%s)", (way, backend) => {
    const stacks = printed[way]?.[backend] as Stacks;
    const found = Object.fromEntries(Object.entries(stacks).map(([name, { stack }]) => [name, shown(stack)]));
    expect(found).toEqual(EXPECTED);
    expect(shown(stacks["caused"]?.cause ?? "")).toEqual(expect.arrayContaining(["in fail", "cause"]));
    expect(stacks["caused"]?.isRefused && stacks["create"]?.isRefused).toBe(true);
  });
});
