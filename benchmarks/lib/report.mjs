import { markdownTable, number } from "./table.mjs";

/** The report as Markdown: a summary by scenario, then each scenario with all libraries in all their settings, best first. */
export function markdown(about, versions, scenarios) {
  const summary = scenarios.map(({ title, unit, results, aim }) => [
    title,
    unit,
    number(bestOf(results, (result) => result.variant === "native" && result.library === "makeparallel")?.value),
    number(bestOf(results, (result) => result.variant === "typescript" && result.library === "makeparallel")?.value),
    describe(bestOf(results, (result) => result.library !== "makeparallel")),
    aim.note ? `${aim.shown}; ${aim.note}` : aim.shown,
    aim.text,
    aim.met === undefined ? "" : aim.met ? "met" : "MISSED",
  ]);
  return `${[
    "# Benchmarks",
    "",
    `${about.cpu}, ${about.cores} cores, ${about.memory}, ${about.system}. Node ${about.node}. ${about.date.slice(0, 10)}.`,
    `Medians over ${about.rounds} round${about.rounds === 1 ? "" : "s"}, each measurement in a fresh process, two workers a pool, order shuffled with seed ${about.seed}. Load average at the start: ${about.load}.`,
    ...(about.quick ? ["", "**A quick run: it shows that everything runs, its figures are rough.**"] : []),
    "",
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", "),
    "",
    markdownTable(["scenario", "unit", "native", "typescript", "best other", "native against it", "aim", ""], summary),
    ...scenarios.flatMap(({ id, title, unit, results }) => [
      "",
      `## ${title} (\`${id}\`)`,
      "",
      markdownTable(
        ["library", "setting", "form", unit],
        results.map(({ library, variant, form, value, failures }) => [
          library,
          variant,
          form,
          number(value) + (failures.length > 0 ? ` (${failures.length} of ${about.rounds} runs failed: ${failures[0]})` : ""),
        ]),
      ),
    ]),
  ].join("\n")}\n`;
}

/** What the README quotes: a row a scenario, with the machine. */
export function readmeSection(about, scenarios) {
  const rows = scenarios.map(({ title, unit, results }) => [
    `${title} (${unit})`,
    number(bestOf(results, (result) => result.variant === "native" && result.library === "makeparallel")?.value),
    number(bestOf(results, (result) => result.variant === "typescript" && result.library === "makeparallel")?.value),
    describe(bestOf(results, (result) => result.library !== "makeparallel")),
  ]);
  return [
    markdownTable(["", "native", "TypeScript backend", "best of the others (in its best setting)"], rows),
    "",
    `${about.cpu}, ${about.cores} cores, Node ${about.node}, two workers a pool, medians over ${about.rounds} round${about.rounds === 1 ? "" : "s"}, ${about.date.slice(0, 10)}.`,
  ].join("\n");
}

/** Results are sorted, best first. */
function bestOf(results, filter) {
  return results.find((result) => result.value !== undefined && filter(result));
}

function describe(result) {
  if (result === undefined) return "–";
  return `${number(result.value)} (${[result.library, result.variant, result.form].filter(Boolean).join(", ")})`;
}
