/**
 * Projects whose TypeScript has no compiler API (7.0 and later): `tsc` can't run transformers there, so esbuild writes the JavaScript, file by file as `tsc`
 * does, and `tsc` goes on to check types and to write declarations.
 */
import * as path from "node:path";
import { replace } from "../edit/json";
import { isFile, shown } from "../project/files";
import type { Project } from "../project/inspect";
import { folderOption, isOn, optionOf, type TsConfig } from "../project/tsconfig";
import type { Draft, Plan } from "./plan";
import { outputCalls } from "./scripts-step";

const FILE = "esbuild.mjs";

export function planWithoutApi(plan: Plan, project: Project, draft: Draft): void {
  const { folder, json } = project.package;
  const [build, ...others] = project.compiler.builds;
  if (!build) return;
  if (others.length > 0 || project.nest) {
    plan.problems.push(
      "TypeScript 7 has no compiler API, and this project has several builds: set each up with esbuild and makeparallel/esbuild (see the documentation of TypeScript 7).",
    );
    return;
  }
  const { config } = build;
  const calls = outputCalls(project);
  const flagged = calls.filter(({ call }) => call.args.some((arg) => /^--(?:outDir|module|target|rootDir)$/i.test(arg)));
  if (isFile(path.join(folder, FILE)) || flagged.length > 0) {
    plan.todos.push({
      title: "TypeScript 7 has no compiler API: let esbuild write the JavaScript",
      lines: [
        `With a build script like this, in place of \`tsc\`:`,
        "",
        ...scriptFor(config, folder, json.type === "module").map((line) => `    ${line}`),
      ],
    });
    return;
  }
  plan.files.push({
    file: path.join(folder, FILE),
    what: [`new: builds the files of ${shown(config.file, folder)} with esbuild and the plugin`],
    before: undefined,
    after: `${scriptFor(config, folder, json.type === "module").join("\n")}\n`,
  });
  const checks = isOn(config, "declaration") || isOn(config, "composite") ? "--emitDeclarationOnly" : "--noEmit";
  for (const { call, watch } of calls) {
    const { start } = call.word;
    // The call's own end: where the next command of the script begins.
    const end = start + (/\s*(?:&&|\|\||[;|&"']|$)/.exec(call.text.slice(start)) as RegExpExecArray).index;
    const more = watch ? ` ${checks}` : ` ${checks} && node ${FILE}`;
    const text = call.text.slice(0, end) + more + call.text.slice(end);
    draft.edit(`scripts.${call.script}: ${call.text} → ${text}`, (before) =>
      replace(before, ["scripts", call.script], JSON.stringify(text)),
    );
    if (watch) plan.notes.push(`scripts.${call.script} no longer writes JavaScript; \`node ${FILE} --watch\` beside it does.`);
  }
  if (calls.length === 0)
    plan.todos.push({ title: "No script builds this project", lines: [`Build with \`node ${FILE}\`, for instance as scripts.build.`] });
}

function scriptFor(config: TsConfig, folder: string, isModule: boolean): string[] {
  const relative = (place: string | undefined, otherwise: string): string => (place === undefined ? otherwise : shown(place, folder));
  const source = relative(folderOption(config, "rootDir"), "src");
  const output = relative(folderOption(config, "outDir"), "dist");
  const setting = optionOf(config, "module")?.value;
  const module = typeof setting === "string" ? setting.toLowerCase() : "";
  const format = module === "commonjs" || (!/^(?:es|preserve)/.test(module) && !isModule) ? "cjs" : "esm";
  const target = optionOf(config, "target")?.value;
  return [
    'import { readdirSync } from "node:fs";',
    'import * as esbuild from "esbuild";',
    'import makeparallel from "makeparallel/esbuild";',
    "",
    `const sources = readdirSync(${JSON.stringify(source)}, { recursive: true, encoding: "utf8" });`,
    "",
    "const options = {",
    `  entryPoints: sources.filter((file) => /(?<!\\.d)\\.[cm]?tsx?$/.test(file)).map((file) => ${JSON.stringify(`${source}/`)} + file),`,
    `  outbase: ${JSON.stringify(source)},`,
    `  outdir: ${JSON.stringify(output)},`,
    '  platform: "node",',
    `  format: "${format}",`,
    ...(typeof target === "string" && /^es\d+$/i.test(target) ? [`  target: ${JSON.stringify(target.toLowerCase())},`] : []),
    `  sourcemap: ${isOn(config, "sourceMap")},`,
    `  tsconfig: ${JSON.stringify(shown(config.file, folder))},`,
    '  logLevel: "info",',
    "  plugins: [makeparallel()],",
    "};",
    "",
    'if (process.argv.includes("--watch")) await (await esbuild.context(options)).watch();',
    "else await esbuild.build(options);",
  ];
}
