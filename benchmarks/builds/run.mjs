/**
 * `npm run bench:build [-- options]`: what the plugins cost a build, on a project of 1,494 files.
 *
 * Each build runs in a fresh process. With and without the plugin take turns, in an order that is drawn anew each round; reported are medians of the wall
 * time, the CPU time (of all threads, and of esbuild's process), and the median of the rounds' ratios.
 *
 * --rounds n     default 9
 * --marks a,b    how many functions are marked in the builds that have marks; default 100
 * --only a,b     of unmarked, marked, watch
 * --hosts a,b    of tspc, esbuild
 * --quick        one round: shows that everything runs
 */
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { benchmarkFolder, resultFolder } from "../lib/folders.mjs";
import { machine } from "../lib/machine.mjs";
import { median } from "../lib/statistics.mjs";
import { makeProject } from "./project.mjs";
import { markdown } from "./report.mjs";
import { watchEsbuild, watchTspc } from "./watch.mjs";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string" },
    marks: { type: "string", default: "100" },
    only: { type: "string" },
    hosts: { type: "string", default: "tspc,esbuild" },
    quick: { type: "boolean", default: false },
  },
});
const rounds = options.rounds === undefined ? (options.quick ? 1 : 9) : Number(options.rounds);
const parts = options.only?.split(",") ?? ["unmarked", "marked", "watch"];
const preload = path.join(benchmarkFolder, "builds", "preload.cjs");

const allHosts = {
  tspc: {
    aim: 1.03,
    arguments: (variant) => ["node_modules/ts-patch/bin/tspc.js", "-p", `tsconfig.${variant}.json`],
  },
  esbuild: {
    aim: 1.05,
    arguments: (variant) => [path.join(benchmarkFolder, "builds", "esbuild-build.mjs"), variant],
  },
};

const hosts = Object.fromEntries(options.hosts.split(",").map((name) => [name, allHosts[name]]));
const about = { ...machine(), date: new Date().toISOString(), rounds, quick: options.quick };
const project = makeProject("project");
about.files = project.files;
const report = { about, unmarked: [], marked: [], watch: [] };

if (parts.includes("unmarked")) {
  for (const [name, host] of Object.entries(hosts))
    report.unmarked.push({ name, aim: host.aim, ...(await compare(name, host, ["plain", "ours"])) });
}
for (const count of parts.includes("marked") ? options.marks.split(",").map(Number) : []) {
  project.mark(count);
  for (const [name, host] of Object.entries(hosts)) report.marked.push({ name, count, ...(await compare(name, host, ["plain", "ours"])) });
}
if (parts.includes("watch")) {
  project.mark(100);
  if (hosts.esbuild) report.watch.push({ name: "esbuild", ...(await watchEsbuild(project, rounds)) });
  if (hosts.tspc) report.watch.push({ name: "tspc", ...(await watchTspc(project, rounds)) });
}

const text = markdown(report);
console.log(`\n${text}`);
fs.mkdirSync(resultFolder, { recursive: true });
const full = parts.length === 3 && Object.keys(hosts).length === 2 && !options.quick;
const name = full ? "builds" : "partial.builds";
fs.writeFileSync(path.join(resultFolder, `${name}.md`), text);
fs.writeFileSync(path.join(resultFolder, `${name}.json`), `${JSON.stringify(report, null, 2)}\n`);
console.log(`Written to benchmarks/results/${name}.md and ${name}.json.`);

/** Builds in turns; the first round only fills the caches of the file system. */
async function compare(name, host, variants) {
  const runs = Object.fromEntries(variants.map((variant) => [variant, []]));
  for (let round = 0; round <= rounds; round++) {
    const order = Math.random() < 0.5 ? variants : [...variants].reverse();
    for (const variant of order) {
      if (process.stdout.isTTY) process.stdout.write(`\r\x1b[K${name}, ${variant}, round ${round}/${rounds}`);
      const run = await build(host.arguments(variant));
      if (round > 0) runs[variant].push(run);
    }
  }
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");
  const [plain, ours] = variants.map((variant) => ({
    wall: median(runs[variant].map(({ wall }) => wall)),
    cpu: median(runs[variant].map(({ cpu }) => cpu)),
    fastest: Math.min(...runs[variant].map(({ wall }) => wall)),
  }));
  const ratio = (key) => median(runs.ours.map((run, index) => run[key] / runs.plain[index][key]));
  const summary = { plain, ours, wallRatio: ratio("wall"), cpuRatio: ratio("cpu"), fastestRatio: ours.fastest / plain.fastest };
  console.log(
    `${name.padEnd(8)} ${plain.wall.toFixed(0)} → ${ours.wall.toFixed(0)} ms, ${summary.wallRatio.toFixed(3)}x; CPU ${plain.cpu.toFixed(0)} → ${ours.cpu.toFixed(0)} ms, ${summary.cpuRatio.toFixed(3)}x`,
  );
  return summary;
}

/** One build in a process of its own. */
function build(args) {
  const child = spawn(process.execPath, ["--require", preload, ...args], { cwd: project.root, stdio: ["ignore", "pipe", "pipe", "pipe"] });
  let output = "";
  let answer = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (output += chunk));
  child.stdio[3].on("data", (chunk) => (answer += chunk));
  return new Promise((resolve, reject) => {
    child.on("close", (status) => {
      if (status === 0) resolve(JSON.parse(answer));
      else reject(new Error(`${args.join(" ")} ended with ${status}\n${output.slice(0, 4000)}`));
    });
  });
}
