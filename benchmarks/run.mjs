/**
 * `npm run bench [-- options]`: makeparallel and its peers, side by side.
 *
 * Each measurement runs in a fresh process, two workers a pool; in each round all libraries take their turn in an order that is shuffled anew, and what
 * is reported is the median over the rounds. Each library is tried in several settings, and its best one is what counts against us.
 *
 * --quick          one short round: shows that everything runs, its figures are rough
 * --only a,b       only these scenarios
 * --rounds n       default 5
 * --seed n         order of the measurements; default: drawn, and printed
 * --peers          without makeparallel
 */
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { buildPrograms } from "./lib/build.mjs";
import { benchmarkFolder, resultFolder } from "./lib/folders.mjs";
import { ours, peers } from "./lib/libraries.mjs";
import { machine, versions } from "./lib/machine.mjs";
import { markdown, readmeSection } from "./lib/report.mjs";
import { scenarios } from "./lib/scenarios.mjs";
import { median, randomNumbers, shuffled } from "./lib/statistics.mjs";

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    rounds: { type: "string" },
    seed: { type: "string" },
    peers: { type: "boolean", default: false },
  },
});
const seed = options.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(options.seed);
const rounds = options.rounds === undefined ? (options.quick ? 1 : 5) : Number(options.rounds);
const random = randomNumbers(seed);
const only = options.only?.split(",");
for (const id of only ?? []) {
  if (!scenarios.some((scenario) => scenario.id === id)) {
    console.error(`There is no scenario ${id}; there are ${scenarios.map((scenario) => scenario.id).join(", ")}.`);
    process.exit(2);
  }
}

const about = { ...machine(), date: new Date().toISOString(), seed, rounds, quick: options.quick };
console.log(`${about.cpu}, ${about.cores} cores, Node ${about.node}; seed ${seed}, ${rounds} rounds${options.quick ? ", quick" : ""}\n`);
await buildPrograms({ withOurs: !options.peers });

const report = [];
for (const scenario of scenarios.filter(({ id }) => only === undefined || only.includes(id))) {
  report.push(await runScenario(scenario));
}

const text = markdown(about, versions([ours, ...peers, "synckit"]), report);
console.log(`\n${text}`);
fs.mkdirSync(resultFolder, { recursive: true });
const name = options.quick || only || options.peers ? "partial" : "latest";
fs.writeFileSync(path.join(resultFolder, `${name}.md`), text);
fs.writeFileSync(path.join(resultFolder, `${name}.json`), `${JSON.stringify({ about, scenarios: report }, null, 2)}\n`);
if (name === "latest") updateReadme(readmeSection(about, report));
console.log(`Written to benchmarks/results/${name}.md and ${name}.json.`);
// A peer's failure is reported in the table; ours is a bug.
if (report.some(({ results }) => results.some((result) => result.library === ours && result.failures.length > 0))) process.exitCode = 1;

/** The README quotes nothing but full runs. */
function updateReadme(section) {
  const file = path.resolve(benchmarkFolder, "../README.md");
  const before = fs.readFileSync(file, "utf8");
  fs.writeFileSync(
    file,
    before.replace(/(<!-- benchmarks: [^>]*-->\n)[^]*?(<!-- \/benchmarks -->)/, (_, start, end) => `${start}\n${section}\n\n${end}`),
  );
}

async function runScenario(scenario) {
  scenario.prepare?.();
  const entries = [];
  for (const library of scenario.libraries) {
    if (options.peers && library === ours) continue;
    const { variants } = await import(`./adapters/${library}.mjs`);
    const forms = scenario.forms?.(library) ?? [{ form: "" }];
    for (const { label } of variants)
      for (const { form } of forms) entries.push({ library, variant: label, form, values: [], failures: [] });
  }
  for (let round = 1; round <= rounds; round++) {
    for (const entry of shuffled(entries, random)) {
      process.stdout.write(
        process.stdout.isTTY ? `\r\x1b[K${scenario.id}  round ${round}/${rounds}  ${entry.library}, ${entry.variant}` : "",
      );
      const outcome = await measure(scenario, entry);
      if (outcome.error === undefined) entry.values.push(outcome.value);
      else entry.failures.push(outcome.error);
    }
  }
  if (process.stdout.isTTY) process.stdout.write("\r\x1b[K");

  const medians = entries.map((entry) => ({ ...entry, value: entry.values.length > 0 ? median(entry.values) : undefined }));
  const results = scenario.derive?.(medians) ?? medians;
  results.sort((a, b) => (scenario.higherIsBetter ? -1 : 1) * ((a.value ?? Infinity) - (b.value ?? Infinity)));
  const { aim } = scenario;
  const value = aim.value(results);
  const summary = {
    text: aim.text,
    value,
    shown: value === undefined ? "not measured" : aim.show(value),
    met: value === undefined || aim.met === undefined ? undefined : aim.met(value),
    note: aim.note?.(results),
  };
  console.log(`${scenario.id.padEnd(14)} ${summary.shown}${summary.met === undefined ? "" : summary.met ? ", aim met" : ", aim MISSED"}`);
  for (const { failures, library, variant, form } of medians) {
    if (failures.length > 0)
      console.error(`  ${[library, variant, form].filter(Boolean).join(", ")}: ${failures.length} of ${rounds} failed, ${failures[0]}`);
  }
  return { id: scenario.id, title: scenario.title, unit: scenario.unit, results, aim: summary };
}

/** Runs one measurement in a child. A child that fails or takes more than a minute is a failure of that library, not the end of the run. */
function measure(scenario, { library, variant, form }) {
  const job = JSON.stringify({ scenario: scenario.id, library, variant, form, quick: options.quick });
  const child = spawn(process.execPath, [path.join(benchmarkFolder, "child.mjs"), job], { stdio: ["ignore", "ignore", "pipe", "pipe"] });
  let answer = "";
  let complaint = "";
  child.stdio[3].setEncoding("utf8").on("data", (text) => (answer += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (complaint += text));
  return new Promise((resolve) => {
    const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      if (status === 0 && answer !== "") return resolve(JSON.parse(answer));
      const reason = complaint.split("\n").find((line) => /^\w*Error\b/.test(line)) ?? "";
      resolve({
        error: `${signal === "SIGKILL" ? "no result within a minute" : `ended with ${signal ?? status}`} ${reason}`.trim().slice(0, 200),
      });
    });
  });
}
