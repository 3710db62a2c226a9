/**
 * Calls each function inline and as a task, on the same arguments, and compares.
 *
 * What cannot cross between threads is expected as the structured clone algorithm has it; values that hold functions have to be refused.
 */
import { writeSync } from "node:fs";
import { shutdown } from "makeparallel";
import { difference, show } from "./compare";
import { argumentsOf, type FunctionInfo, randomOf, revive } from "./generate";

export interface Subject {
  info: FunctionInfo;
  inline: (...values: never[]) => unknown;
  /** Takes the arguments as they are; for functions without callbacks. */
  direct: (...values: never[]) => Promise<unknown>;
  /** Takes the arguments in a list, in which callbacks are still to be made; for functions with callbacks. */
  listed?: (values: unknown[]) => Promise<unknown>;
}

export interface Report {
  seed: number;
  cases: number;
  threw: number;
  refused: number;
  unstable: number;
  differences: string[];
}

type Outcome = { value: unknown } | { error: unknown };

async function settle(run: () => unknown): Promise<Outcome> {
  try {
    return { value: await run() };
  } catch (error) {
    return { error };
  }
}

export async function runDifferential(subjects: readonly Subject[], seed: number, rounds: number, classesTravel: boolean): Promise<Report> {
  const report: Report = { seed, cases: 0, threw: 0, refused: 0, unstable: 0, differences: [] };
  for (let round = 0; round < rounds; round++) {
    await Promise.all(
      subjects.map(async ({ info, inline, direct, listed }, index) => {
        const caseSeed = (seed + round * 7919 + index * 104_729) >>> 0;
        if (process.env["DIFFERENTIAL_TRACE"]) writeSync(2, `${info.name} (case ${caseSeed})\n`);
        const make = (): unknown[] => argumentsOf(randomOf(caseSeed), info);
        const callInline = (): unknown => (inline as (...values: unknown[]) => unknown)(...revive(make()));
        const expected = await settle(callInline);
        const again = await settle(callInline);
        const wanted = sent(expected);
        if (differs(expected, again) !== undefined || wanted === "unreadable") {
          report.unstable++;
          return;
        }
        const values = make();
        const viaList = listed && hasCallback(values);
        const actual = await settle(() => (viaList ? listed(values) : (direct as (...values: unknown[]) => unknown)(...values)));
        report.cases++;
        if (wanted === undefined) {
          if ("error" in actual && (actual.error as { code?: string }).code?.includes("TRANSFER")) report.refused++;
          else report.differences.push(`${info.name} (case ${caseSeed}): a value that cannot be sent was not refused: ${show(actual)}`);
          return;
        }
        if ("error" in wanted) report.threw++;
        // Instances of the project's classes keep their class; what only looks like a built-in object becomes a plain one.
        const found = (classesTravel ? differs(expected, actual) : "") === undefined ? undefined : differs(wanted, actual);
        if (found !== undefined) report.differences.push(`${info.name} (case ${caseSeed}) ${values.map(show).join(", ")}: ${found}`);
      }),
    );
  }
  await shutdown();
  return report;
}

function hasCallback(values: readonly unknown[]): boolean {
  return revive(values).some((value, index) => value !== values[index]);
}

/** What arrives of an outcome; undefined when it cannot be sent. */
function sent(outcome: Outcome): Outcome | "unreadable" | undefined {
  if ("error" in outcome) return outcome;
  try {
    return { value: structuredClone(outcome.value) };
  } catch (error) {
    // A getter that throws is no matter of the clone.
    return error instanceof DOMException ? undefined : "unreadable";
  }
}

function differs(wanted: Outcome, actual: Outcome): string | undefined {
  if ("value" in wanted && "value" in actual) return difference(wanted.value, actual.value);
  if (!("error" in wanted) || !("error" in actual))
    return `${show(wanted)} ≠ ${show(actual)}; ${"error" in actual ? String((actual.error as Error).stack) : ""}`;
  const [a, b] = [wanted.error, actual.error];
  if (!(a instanceof Error) || !(b instanceof Error)) return difference(a, b, "thrown");
  if (a.name !== b.name || a.message !== b.message) return `thrown: ${show(a)} ≠ ${show(b)}`;
  const isPlatform = (globalThis as Record<string, unknown>)[a.constructor.name] === a.constructor;
  return isPlatform && a.constructor !== b.constructor ? `thrown: class ${a.constructor.name} ≠ ${b.constructor.name}` : undefined;
}
