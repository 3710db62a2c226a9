/** Packages that were published with their parallel functions built, in a program that has some of its own. */
import * as fs from "node:fs";
import { runNode } from "../support/children";
import { esbuildBuild, esbuildErrors, makeWorkspace, type Workspace } from "./support/workspace";

const library = (version: string): string => `import { parallel } from "makeparallel";
export class Sample {
  #weight = ${parseInt(version, 10)};
  constructor(readonly values: number[]) {}
  get weight() { return this.#weight; }
}
export class NoSample extends Error {}
export const make = parallel((n: number) => { if (n < 0) throw new NoSample("none"); return new Sample([n]); });
export const weigh = parallel((sample: Sample) => sample.values.length * sample.weight);
`;

/** Builds a version of the library, as its author does, and installs what the package has. */
async function install(app: Workspace, version: string, as: string): Promise<void> {
  const manifest = { name: "samples", version, main: "out/index.js" };
  const source = makeWorkspace(`library-${version}`, { "package.json": manifest, "src/index.ts": library(version) });
  const built = await esbuildBuild(
    source,
    `{ entryPoints: ["src/index.ts"], bundle: true, platform: "node", packages: "external", outdir: "out" }`,
  );
  if (built.code !== 0) throw new Error(esbuildErrors(built));
  fs.cpSync(source.file("out"), app.file(`node_modules/${as}/out`), { recursive: true });
  fs.cpSync(source.file("package.json"), app.file(`node_modules/${as}/package.json`));
}

test("two versions of a library have classes of their own; bundled, a library is an error that says what to do", async () => {
  const app = makeWorkspace("application", {
    "package.json": { name: "application", version: "1.0.0" },
    "src/samples.d.ts": "declare module 'samples';\ndeclare module 'samples-2';\n",
    "src/main.ts": `import { parallel } from "makeparallel";
import * as one from "samples";
import * as two from "samples-2";
const both = parallel(async (a: one.Sample, b: two.Sample) => [a instanceof one.Sample, b instanceof two.Sample, a.weight, b.weight, await one.weigh(a), await two.weigh(b)]);
async function main() {
  const results: unknown[] = [];
  for (const { make, Sample, NoSample } of [one, two]) {
    const sample = await make(1);
    results.push(sample instanceof Sample, sample.weight, await make(-1).catch((error: unknown) => error instanceof NoSample));
  }
  console.log(JSON.stringify([...results, ...await both(new one.Sample([1]), new two.Sample([1, 2]))]));
}
void main();
`,
  });
  await install(app, "1.4.0", "samples");
  await install(app, "2.0.0", "samples-2");
  const options = (external: string): string =>
    `{ entryPoints: ["src/main.ts"], bundle: true, platform: "node", outfile: "out/main.js", external: ${external} }`;
  const built = await esbuildBuild(app, options(`["samples", "samples-2"]`));
  expect(esbuildErrors(built)).toBe("");
  for (const backend of ["typescript", "inline"]) {
    const ended = await runNode(app.file("out/main.js"), [], { env: { MAKEPARALLEL_BACKEND: backend, MAKEPARALLEL_THREADS: "1" } });
    expect(ended.stdout + ended.stderr).toBe("[true,1,true,true,2,true,true,true,1,2,1,4]\n");
  }

  const bundled = await esbuildBuild(app, options(`["samples-2"]`));
  expect(bundled.code).toBe(1);
  const { errors } = JSON.parse(bundled.stdout) as { errors: { text: string; location: { file: string }; notes: { text: string }[] }[] };
  expect(errors.map(({ text, location, notes }) => [text, location.file, notes[0]?.text])).toEqual([
    [
      "samples has parallel functions that were built already: in a bundle they do not find their chunks, which stay in the package's folder",
      "node_modules/samples/out/index.js",
      'Leave the package outside of the bundle: add "samples" to `external`, and install it where the program runs. Or bundle its sources.',
    ],
  ]);
});
