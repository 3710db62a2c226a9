/** What the build makes of the runtime and of the esbuild plugin: one file each, which takes Node's modules as they are. */
import fs from "node:fs";
import path from "node:path";

const dist = path.resolve(__dirname, "../../dist");
const bundles = fs
  .readdirSync(dist, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".bundle.js"))
  .sort();

/** Its default export is changed, which a namespace object would not let. */
const COPIED = new Set(["node:timers"]);

it("there is one for programs, one for each kind of worker, and the plugin", () => {
  expect(bundles.map((file) => path.basename(file, ".bundle.js"))).toEqual(["native-worker", "runtime", "typescript-worker", "esbuild"]);
});

it.each(bundles)("%s copies no module of Node's, getter by getter, which every worker would keep in memory", (file) => {
  const text = fs.readFileSync(path.join(dist, file), "utf8");
  const required = [...text.matchAll(/[=,;(]\s*([\w$]*)\(?require\("(node:[\w/]+)"\)/g)];
  expect(required.length).toBeGreaterThan(2);
  const copied = required.filter(([, helper]) => helper !== "").map(([, , module]) => module!);
  expect(copied.filter((module) => !COPIED.has(module))).toEqual([]);
});

it.each(["index", "stub"])("%s.js names the workers' files, for tools that copy what a program needs", (entry) => {
  const folder = path.join(dist, "runtime-ts/src");
  const text = fs.readFileSync(path.join(folder, `${entry}.js`), "utf8");
  const named = [...text.matchAll(/__dirname \+ "\/([\w.-]+)"/g)].map(([, file]) => file);
  expect(named).toEqual(["native-worker.bundle.js", "typescript-worker.bundle.js"]);
});
