/** docs/faults.md and the tests of faults say the same. */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { ROOT } from "../support/chunks";
import { type FaultGroup, isCall } from "../support/faults";
import { atTheCall } from "./rows/at-the-call";
import { handles } from "./rows/handles";
import { inATask } from "./rows/in-a-task";
import { starting } from "./rows/starting";

const groups: readonly FaultGroup[] = [inATask, atTheCall, starting, handles];

/** Rows of the tables under a heading, as cells without their padding. */
function rowsUnder(heading: string): string[][] {
  const text = readFileSync(path.join(ROOT, "docs", "faults.md"), "utf8");
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`docs/faults.md has no section "${heading}".`);
  return section
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    )
    .filter(([first]) => first !== "fault" && !/^:?-+:?$/.test(first!));
}

const code = (text: string | undefined): string => (text === undefined ? "" : `\`${text}\``);

describe.each(groups.map((group) => [group.title, group] as const))("%s", (title, group) => {
  const documented = rowsUnder(title);

  test("has the rows that are tested, and no others", () => {
    expect(documented.map(([name]) => name).sort()).toEqual(Object.keys(group.rows).sort());
  });

  test.each(Object.entries(group.rows))("%s", (name, fault) => {
    const row = documented.find(([first]) => first === name)!;
    if (isCall(fault)) {
      const error = fault.error === "the value" ? fault.error : code(fault.error);
      const message = fault.message.replaceAll("{f}", "f");
      expect(row).toEqual([name, error, code(fault.code), message, fault.worker, fault.retried ? "repeated" : ""]);
    } else {
      for (const word of fault.outcome ?? []) expect(row[1]).toContain(word);
    }
  });
});

test("what the document says of processes are names of tests", () => {
  const folder = path.join(ROOT, "tests", "lifecycle");
  const tests = readdirSync(folder)
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => readFileSync(path.join(folder, name), "utf8"))
    .join("\n");
  for (const [name] of rowsUnder("Processes")) expect(tests).toContain(JSON.stringify(name));
});
