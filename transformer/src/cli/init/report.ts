/** A plan as text. */
import { shown } from "../project/files";
import { commandLine } from "../project/package-manager";
import type { Output } from "../output";
import type { Plan } from "./plan";

export function printFound(out: Output, plan: Plan): void {
  const width = Math.max(...plan.found.map(([label]) => label.length));
  for (const [label, value] of plan.found) out.line(`  ${out.paint("dim", label.padEnd(width))}  ${value}`);
}

/** @param installs whether commands will be run, or only named */
export function printChanges(out: Output, plan: Plan, folder: string, installs: boolean): void {
  const commands = [...plan.installs, ...plan.afterwards];
  if (plan.files.length + commands.length === 0) return;
  out.line();
  out.line(out.paint("bold", "Changes"));
  for (const command of plan.installs) out.line(`  ${out.paint("cyan", installs ? "run" : "to run by yourself:")} ${commandLine(command)}`);
  for (const { file, what } of plan.files) {
    out.line(`  ${out.paint("cyan", shown(file, folder))}`);
    for (const text of what) out.line(`    ${text}`);
  }
  for (const command of plan.afterwards)
    out.line(`  ${out.paint("cyan", installs ? "run" : "to run by yourself:")} ${commandLine(command)}`);
}

export function printRest(out: Output, plan: Plan): void {
  if (plan.todos.length > 0) {
    out.line();
    out.line(out.paint("bold", "To do by hand"));
    for (const { title, lines } of plan.todos) {
      out.line(`  ${out.paint("yellow", "•")} ${title}`);
      for (const line of lines) out.line(line === "" ? "" : `    ${line}`);
    }
  }
  if (plan.notes.length > 0) {
    out.line();
    out.line(out.paint("bold", "Notes"));
    for (const note of plan.notes) {
      const [first, ...rest] = note.split("\n");
      out.line(`  ${out.paint("dim", "•")} ${first}`);
      for (const line of rest) out.line(`    ${line}`);
    }
  }
  if (plan.problems.length > 0) {
    out.line();
    out.line(out.paint("bold", "Not done"));
    for (const problem of plan.problems) out.line(`  ${out.paint("red", "✗")} ${problem}`);
  }
}
