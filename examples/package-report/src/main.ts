/**
 * Usage: main.js [--patterns] [--picture] [--report] [--packages <folder>] [--save <file.json>]
 *
 * Without one of the first three it does all of them. `--packages` is the folder of packages to report on, else the one that this program's own packages are in.
 */
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { mandelbrot } from "./mandelbrot.js";
import { classMethods } from "./patterns/class-methods.js";
import { faultTolerance } from "./patterns/fault-tolerance.js";
import { fourFibonaccis } from "./patterns/fibonacci.js";
import { mapReduce } from "./patterns/map-reduce.js";
import { objectArgument } from "./patterns/object-argument.js";
import { polling } from "./patterns/polling.js";
import { quickStart } from "./patterns/quick-start.js";
import { report } from "./report/run.js";
import { table } from "./terminal.js";

const { values: options } = parseArgs({
  options: {
    patterns: { type: "boolean" },
    picture: { type: "boolean" },
    report: { type: "boolean" },
    packages: { type: "string" },
    save: { type: "string" },
  },
});
const all = !options.patterns && !options.picture && !options.report;
const packages = options.packages ?? path.resolve(createRequire(import.meta.url).resolve("typescript/package.json"), "../..");

if (all || options.patterns) {
  const text = fs.readFileSync(path.join(packages, "typescript/ThirdPartyNoticeText.txt"), "utf8");
  const patterns: [name: string, run: () => Promise<string>][] = [
    ["quick start", quickStart],
    ["map-reduce", () => mapReduce(text)],
    ["polling", polling],
    ["fault tolerance", faultTolerance],
    ["class methods", classMethods],
    ["an object with methods", objectArgument],
    ["fibonacci(50,000) × 4", fourFibonaccis],
  ];
  for (const [name, run] of patterns) console.log(`${name.padEnd(24)}${await run()}`);
}

if (all || options.picture) {
  const file = path.join(path.dirname(fileURLToPath(import.meta.url)), "mandelbrot.png");
  console.log(`${"mandelbrot".padEnd(24)}${await mandelbrot(file)}`);
}

if (all || options.report) {
  const outcome = await report(packages);
  const { totals } = outcome;
  const count = (n: number) => n.toLocaleString("en");
  console.log(
    `\n${count(outcome.documents)} Markdown and ${count(outcome.sources)} TypeScript files, ${outcome.megabytes.toFixed(1)} MB: ` +
      `${count(totals.headings)} headings, ${count(totals.lines)} lines, ${count(totals.tokens)} tokens, ${count(totals.interfaces)} interfaces.`,
  );
  console.log(
    table([
      ["serial", "parallel", "speed-up", "cores", "backend", "results"],
      [
        `${outcome.serial.toFixed(2)} s`,
        `${outcome.parallel.toFixed(2)} s`,
        `${(outcome.serial / outcome.parallel).toFixed(2)}x`,
        `${outcome.threads}`,
        outcome.backend,
        outcome.equal ? "equal" : "DIFFERENT",
      ],
    ]),
  );
  if (options.save !== undefined) fs.writeFileSync(options.save, `${JSON.stringify(outcome, null, 2)}\n`);
  if (!outcome.equal) process.exitCode = 1;
}
