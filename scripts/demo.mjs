/**
 * `npm run demo`: builds makeparallel, then treats examples/package-report as its users would. The project is built by `tspc` and by esbuild, each build runs
 * whole, and the report runs once more on each on the TypeScript backend. At the end, one table.
 */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { binOf, root, run, runNode } from "./lib/project.mjs";

runNode(["scripts/build.mjs"]);

const project = path.join(root, "examples/package-report");
const build = path.join(project, "build");

// Its dependency on makeparallel is a link to this repository, as `npm link` makes it; the other packages are found in the folders above.
const link = path.join(project, "node_modules/makeparallel");
fs.mkdirSync(path.dirname(link), { recursive: true });
fs.rmSync(link, { recursive: true, force: true });
fs.symlinkSync(root, link, "junction");

fs.rmSync(build, { recursive: true, force: true });
const builds = [
  { name: "tspc", args: [binOf("ts-patch", "tspc")] },
  { name: "esbuild", args: ["esbuild.mjs"] },
];
for (const { name, args } of builds) {
  heading(`build with ${name}`);
  runNode(args, { cwd: project });
}

const rows = [];
for (const { name } of builds) {
  heading(`run what ${name} built`);
  rows.push({ name, ...runMain(name, [], {}) });
}
for (const { name } of builds) {
  if (rows[0].backend === "typescript") break;
  heading(`run the report that ${name} built on the TypeScript backend`);
  rows.push({ name, ...runMain(name, ["--report"], { MAKEPARALLEL_BACKEND: "typescript" }) });
}

heading(`${os.cpus()[0]?.model ?? process.arch}, ${os.availableParallelism()} cores, Node ${process.version}`);
console.log("build    backend      serial  parallel  speed-up  cores  results");
for (const row of rows) {
  const cells = [
    row.name.padEnd(7),
    row.backend.padEnd(10),
    `${row.serial.toFixed(2)} s`.padStart(8),
    `${row.parallel.toFixed(2)} s`.padStart(8),
    `${(row.serial / row.parallel).toFixed(2)}x`.padStart(8),
    `${row.threads}`.padStart(5),
    row.equal ? "equal" : "DIFFERENT",
  ];
  console.log(cells.join("  "));
}
console.log(`\nPictures: ${builds.map(({ name }) => path.relative(root, path.join(build, name, "mandelbrot.png"))).join(", ")}`);

function runMain(name, args, env) {
  const save = path.join(build, `${name}-report.json`);
  const packages = path.join(root, "node_modules");
  run(process.execPath, ["--enable-source-maps", path.join(build, name, "main.js"), ...args, "--packages", packages, "--save", save], {
    cwd: os.tmpdir(),
    env,
  });
  return JSON.parse(fs.readFileSync(save, "utf8"));
}

function heading(text) {
  console.log(`\n━━ ${text}\n`);
}
