/** Puts the plugin into builds by esbuild: edits the build script when that is plainly safe, and prints the lines otherwise. */
import type { TypeScript } from "../../core";
import { addPlugin, importOf } from "../edit/esbuild-script";
import { shown } from "../project/files";
import type { Project } from "../project/inspect";
import { buildScript } from "./esbuild-command";
import type { Plan } from "./plan";

/** @param ts a compiler API, when one was found */
export function planEsbuild(plan: Plan, project: Project, ts: TypeScript | undefined): void {
  const { folder } = project.package;
  for (const { file, text, hasPlugin } of project.esbuild.files) {
    if (hasPlugin) continue;
    const name = shown(file, folder);
    const edit = ts ? addPlugin(ts, file, text) : { reason: "there is no compiler API to read it with" };
    if ("text" in edit) {
      const line = importOf(text).replaceAll('"', text.includes('"') ? '"' : "'");
      plan.files.push({
        file,
        what: [`+ ${line}`, `+ makeparallel() first in plugins${edit.calls > 1 ? ` of ${edit.calls} builds` : ""}`],
        before: text,
        after: edit.text,
      });
    } else {
      plan.todos.push({
        title: `${name} builds with esbuild; it was left as it is, because ${edit.reason}`,
        lines: [
          "Add at its top:",
          `    ${importOf(text)}`,
          "and to the options of each build for Node, first in the list:",
          "    plugins: [makeparallel()],",
        ],
      });
    }
  }
  for (const call of project.esbuild.calls) {
    const script = buildScript(call.args);
    const lines = script
      ? [
          "Save this as esbuild.mjs:",
          "",
          ...script.map((line) => `    ${line}`),
          "",
          `and let scripts.${call.script} run \`node esbuild.mjs\` in place of \`esbuild …\`.`,
        ]
      : [
          "Write a build script that calls esbuild.build() with the same options and",
          "    plugins: [makeparallel()],",
          'where makeparallel is the default export of "makeparallel/esbuild".',
        ];
    plan.todos.push({ title: `scripts.${call.script} runs esbuild's command line, which can't load plugins`, lines });
  }
}
