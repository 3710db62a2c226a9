/** Watch mode: one task of many is edited again and again; how long until its build is done, and how many chunks are made anew. */
import { fork, spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { benchmarkFolder } from "../lib/folders.mjs";
import { median } from "../lib/statistics.mjs";
import { taskText } from "./project.mjs";

/** @returns `{ first, edit, made, chunks }`: ms of the first build and of one after an edit, chunks that an edit makes anew, and all there are */
export async function watchEsbuild(project, rounds) {
  const child = fork(path.join(benchmarkFolder, "builds", "esbuild-watch.mjs"), ["ours"], { cwd: project.root });
  const rebuild = () =>
    new Promise((resolve, reject) => {
      child.once("message", resolve);
      child.once("exit", () => reject(new Error("the watching build has ended")));
      child.send("rebuild");
    });
  try {
    return await edits(project, rounds, rebuild, "dist/ours-bundle");
  } finally {
    child.disconnect();
  }
}

export async function watchTspc(project, rounds) {
  const args = ["node_modules/ts-patch/bin/tspc.js", "-p", "tsconfig.ours.json", "-w", "--preserveWatchOutput"];
  const child = spawn(process.execPath, args, { cwd: project.root, stdio: ["ignore", "pipe", "inherit"] });
  let done = 0;
  let told = () => {};
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
    for (let at = output.indexOf("Watching for file changes"); at >= 0; at = output.indexOf("Watching for file changes")) {
      output = output.slice(at + 1);
      done++;
      told();
    }
  });
  let builds = 0;
  const rebuild = async () => {
    const start = performance.now();
    builds++;
    while (done < builds) await new Promise((resolve) => (told = resolve));
    return performance.now() - start;
  };
  try {
    return await edits(project, rounds, rebuild, "dist/ours");
  } finally {
    child.kill();
  }
}

/** No two edits give a file the same text: nothing would be built. */
let edited = 0;

async function edits(project, rounds, rebuild, outFolder) {
  const folder = path.join(project.root, outFolder, "parallel-chunks");
  fs.rmSync(path.join(project.root, outFolder), { recursive: true, force: true });
  const first = await rebuild();
  const times = [];
  let made = 0;
  for (let round = 1; round <= rounds; round++) {
    const before = chunksIn(folder);
    const task = project.tasks[(round * 7) % project.tasks.length];
    project.write(`src/${task.module}`, taskText(task, ++edited));
    times.push(await rebuild());
    const after = chunksIn(folder);
    made = Math.max(made, [...after].filter(([name, time]) => before.get(name) !== time).length);
  }
  return { first, edit: median(times), made, chunks: chunksIn(folder).size };
}

/** Chunks by name, with when each was written. */
function chunksIn(folder) {
  const names = fs.readdirSync(folder).filter((name) => name.endsWith(".cjs"));
  return new Map(names.map((name) => [name, fs.statSync(path.join(folder, name)).mtimeMs]));
}
