/**
 * The stress command: `npm run stress -- --seed 42 --seconds 60 --backend native --threads 2`.
 *
 * Runs random rounds of tasks in a process of their own and checks every outcome (tests/stress/program). Without `--seed` it takes one at random, and says
 * which. The same seed gives the same rounds; how their tasks meet differs from run to run. When a round fails or hangs, it is run again with fewer and fewer
 * operations, and the smallest command that still fails is printed.
 */
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildStress } from "./build.mjs";

/** ms that the process may take to end by itself after its last round. */
const END_LIMIT = 30_000;

const HELP = `Runs random graphs of tasks and checks every outcome.

  --seed N        which rounds; default: at random
  --seconds N     how long for each backend; default 60
  --backend NAME  native, typescript, or both (default: those that are built)
  --threads N     workers of the pools; default: by the seed
  --from N        first round; default 0
  --rounds N      how many; default: until the time is over
  --repeat N      runs of each round; default 1
  --only IDS      operations of the round to keep, with commas between
  --limit MS      a round that takes longer hangs; default 60000
  --memory        tasks may also run out of memory (V8 sometimes takes the process along)
  --node FILE     another Node.js to run under
  --perturb P     threads stop at random, with this probability (0.01, say), around what they do to shared memory: for the TypeScript backend, all of
                  whose protocol is there
  --no-shrink     don't look for a smaller failure
`;

/**
 * @param {string} program
 * @param {string[]} args
 * @param {string} node
 * @returns {Promise<{ passed?: { rounds: number, tasks: number }, round?: number, operations?: number[], what?: string }>}
 */
function runOnce(program, args, node) {
  const child = spawn(node, [...flags, program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let errors = "";
  let passed;
  let failed;
  let round;
  let timer;
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
    const lines = output.split("\n");
    output = lines.pop();
    for (const line of lines) {
      let message;
      try {
        message = JSON.parse(line);
      } catch {
        errors += `${line}\n`;
        continue;
      }
      if (message.round !== undefined) round = message;
      if (message.failed !== undefined) failed = message.failed;
      if (message.passed !== undefined) {
        passed = message.passed;
        timer = setTimeout(() => {
          errors += "The process did not end by itself after the last round.\n";
          child.kill("SIGKILL");
        }, END_LIMIT);
      }
    }
  });
  child.stderr.setEncoding("utf8").on("data", (text) => (errors = (errors + text).slice(-20_000)));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (passed !== undefined && code === 0) return resolve({ passed });
      const what =
        failed !== undefined ? failed.problems.join("\n") : `${errors.trim()}\n(${signal ?? `exit code ${code}`})`.replace(/^\n/, "");
      resolve({ round: round?.round ?? 0, operations: round?.operations, what });
    });
  });
}

/** Flags of Node.js for the program; workers get them as well. */
let flags = [];

/** Removes operations as long as the rest still fails. */
async function shrink(program, args, failure, node, seconds) {
  const end = performance.now() + seconds * 1_000;
  let kept = failure.operations ?? [];
  let smallest = failure;
  const fails = async (only) => {
    const result = await runOnce(
      program,
      [...args, "--from", String(failure.round), "--rounds", "1", "--repeat", "10", "--seconds", "20", "--only", only.join(",")],
      node,
    );
    if (result.what !== undefined) smallest = result;
    return result.what !== undefined;
  };
  if (!(await fails(kept))) return { kept: undefined, smallest };
  for (let size = Math.ceil(kept.length / 2); size >= 1 && performance.now() < end; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < kept.length && kept.length > 1 && performance.now() < end;) {
      const fewer = kept.filter((_, i) => i < at || i >= at + size);
      if (fewer.length > 0 && (await fails(fewer))) kept = fewer;
      else at += size;
    }
  }
  return { kept, smallest };
}

/**
 * @param {Record<string, any>} values options as on the command line
 * @returns {Promise<number>} exit code
 */
export async function stress(values) {
  const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
  const native = fs.existsSync(path.join(root, "dist/native"));
  const backends =
    values.backend === undefined || values.backend === "both" ? [...(native ? ["native"] : []), "typescript"] : [values.backend];
  if (values.perturb !== undefined) {
    flags = ["--require", path.join(root, "tests/stress/perturb.cjs")];
    process.env.STRESS_PERTURB = values.perturb;
  }
  const seed = values.seed ?? String(Math.floor(Math.random() * 1e9));
  const node = values.node ?? process.execPath;
  const folder = path.join(root, ".tmp/stress", String(process.pid));
  const program = await buildStress(folder);
  let code = 0;
  for (const backend of backends) {
    const fixed = ["--seed", seed, "--backend", backend];
    for (const name of ["threads", "limit"]) if (values[name] !== undefined) fixed.push(`--${name}`, values[name]);
    if (values.memory) fixed.push("--memory");
    const chosen = ["--trace", "--seconds", values.seconds ?? "60"];
    for (const name of ["from", "rounds", "repeat", "only"]) if (values[name] !== undefined) chosen.push(`--${name}`, values[name]);
    const started = performance.now();
    const result = await runOnce(program, [...fixed, ...chosen], node);
    const took = Math.round((performance.now() - started) / 1_000);
    if (result.passed !== undefined) {
      console.log(
        `stress on the ${backend} backend, seed ${seed}: ${result.passed.rounds} rounds of ${result.passed.tasks} tasks in ${took} s, all as they may be.`,
      );
      continue;
    }
    code = 1;
    console.error(`stress on the ${backend} backend, seed ${seed}: round ${result.round} failed.\n${result.what}`);
    const perturbed = values.perturb === undefined ? "" : ` --perturb ${values.perturb}`;
    const command = (more) =>
      `npm run stress -- --seed ${seed} --backend ${backend} --from ${result.round} --rounds 1 --repeat 100${perturbed}${more}`;
    if (values.shrink === false || values.only !== undefined || result.operations === undefined) {
      console.error(`Again: ${command("")}`);
      continue;
    }
    const { kept, smallest } = await shrink(program, [...fixed, "--trace"], result, node, Number(values["shrink-seconds"] ?? 60));
    if (kept === undefined)
      console.error(
        `Run alone, the round did not fail again. All rounds: npm run stress -- --seed ${seed} --backend ${backend}${perturbed}`,
      );
    else console.error(`Smallest failure:\n${smallest.what}\nAgain: ${command(` --only ${kept.join(",")}`)}`);
  }
  fs.rmSync(folder, { recursive: true, force: true });
  return code;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    allowNegative: true,
    options: {
      ...Object.fromEntries(
        ["seed", "seconds", "backend", "threads", "from", "rounds", "repeat", "only", "limit", "node", "shrink-seconds", "perturb"].map(
          (name) => [name, { type: "string" }],
        ),
      ),
      memory: { type: "boolean" },
      shrink: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) console.log(HELP);
  else process.exitCode = await stress(values);
}
