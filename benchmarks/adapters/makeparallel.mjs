import path from "node:path";
import { pathToFileURL } from "node:url";
import { buildFolder } from "../lib/folders.mjs";

export const variants = [
  { label: "native", backend: "native" },
  { label: "typescript", backend: "typescript" },
];

export async function open({ threads, variant }) {
  const program = await import(pathToFileURL(path.join(buildFolder, "ours.mjs")));
  program.configure({ threads, backend: variant.backend });
  return {
    task: (name) => program.tasks[name],
    blocking: (name) => (argument) => program.tasks[name](argument).get(),
    move: (name) => program.tasks[name],
    program,
    close: () => program.shutdown({ cancelPending: true, timeout: 0 }),
  };
}
