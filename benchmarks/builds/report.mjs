import { markdownTable } from "../lib/table.mjs";

/** The report as Markdown. */
export function markdown({ about, unmarked, marked, watch }) {
  const row = ({ plain, ours, wallRatio, cpuRatio, fastestRatio }) => [
    ms(plain.wall),
    ms(ours.wall),
    times(wallRatio),
    times(fastestRatio),
    ms(plain.cpu),
    ms(ours.cpu),
    times(cpuRatio),
  ];
  const header = ["without, ms", "with, ms", "ratio", "of the fastest", "CPU without, ms", "CPU with, ms", "CPU ratio"];
  const lines = [
    "# Builds",
    "",
    `${about.cpu}, ${about.cores} cores, ${about.memory}, ${about.system}. Node ${about.node}. ${about.date.slice(0, 10)}.`,
    `The project is the sources of viem, ${about.files} files, types unchecked. Medians over ${about.rounds} round${about.rounds === 1 ? "" : "s"}; the ratio is that of two builds of one round, the median of them. Load average at the start: ${about.load}.`,
    ...(about.quick ? ["", "**A quick run: it shows that everything runs, its figures are rough.**"] : []),
  ];
  if (unmarked.length > 0)
    lines.push(
      "",
      "## Without marks",
      "",
      markdownTable(
        ["", ...header, "aim", ""],
        unmarked.map((result) => [
          result.name,
          ...row(result),
          `≤ ${times(result.aim)}`,
          result.wallRatio <= result.aim ? "met" : "MISSED",
        ]),
      ),
    );
  if (marked.length > 0)
    lines.push(
      "",
      "## With marked functions",
      "",
      "Without the plugin they are plain calls of `parallel`, which the program would refuse.",
      "",
      markdownTable(
        ["", "marked", ...header],
        marked.map((result) => [result.name, String(result.count), ...row(result)]),
      ),
    );
  if (watch.length > 0)
    lines.push(
      "",
      "## Watch mode, 100 marked functions, one of them edited",
      "",
      markdownTable(
        ["", "first build, ms", "build after the edit, ms", "chunks made anew", "of"],
        watch.map(({ name, first, edit, made, chunks }) => [name, ms(first), ms(edit), String(made), String(chunks)]),
      ),
    );
  return `${lines.join("\n")}\n`;
}

const ms = (value) => value.toFixed(0);
const times = (value) => `${value.toFixed(3)}x`;
