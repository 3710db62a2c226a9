/** Changes the scripts of package.json: builds by `tsc` become builds by `tspc`; NestJS gets a compiler that is patched after each install. */
import { append, replace } from "../edit/json";
import type { Project } from "../project/inspect";
import { adviceOnBuilder } from "../project/nest";
import type { ScriptCall } from "../project/scripts";
import type { TscCall } from "../project/tsc-call";
import type { Draft, Plan } from "./plan";

const PATCH = "ts-patch install -s";

/** The scripts whose `tsc` writes output through a configuration of this package. */
export function outputCalls(project: Project): TscCall[] {
  const used = new Set(project.compiler.builds.flatMap(({ calls }) => calls));
  return project.tsc.filter((call) => call.purpose === "output" && used.has(call));
}

export function planScripts(plan: Plan, project: Project, draft: Draft): void {
  const { patched, nest } = project;
  if (nest) planNest(plan, project, draft);
  else if (!patched.onInstall) replacePrograms(project, draft);
  for (const call of project.tsc) {
    const { script, text } = call.call;
    if (call.configs.length === 0 && call.purpose === "output") {
      plan.todos.push({
        title: `scripts.${script} compiles files that it names, so that tsconfig.json and its plugins are not read`,
        lines: [`    ${text}`, "Let tsconfig.json's `include` or `files` name them, and call `tspc` without file names."],
      });
    }
  }
  for (const { script, program } of project.calls) {
    if (program === "tsc-watch")
      plan.todos.push({ title: `scripts.${script} runs tsc-watch, which calls tsc`, lines: ["Use `tspc --watch` in its place."] });
  }
}

function replacePrograms(project: Project, draft: Draft): void {
  const scripts = new Map<string, { call: ScriptCall; places: { start: number; end: number; text: string }[] }>();
  for (const { call } of outputCalls(project)) {
    const entry = scripts.get(call.script) ?? { call, places: [] };
    entry.places.push({ start: call.word.start, end: call.word.end, text: withTspc(call.word.text) });
    scripts.set(call.script, entry);
  }
  for (const [name, { call, places }] of scripts) {
    let text = call.text;
    for (const { start, end, text: program } of places.sort((a, b) => b.start - a.start))
      text = text.slice(0, start) + program + text.slice(end);
    draft.edit(`scripts.${name}: ${call.text} → ${text}`, (json) => replace(json, ["scripts", name], JSON.stringify(text)));
  }
}

/** `tsc` → `tspc`; `./node_modules/typescript/bin/tsc` → `./node_modules/ts-patch/bin/tspc.js`. */
function withTspc(word: string): string {
  return word
    .replace(/typescript([\\/])(?:bin[\\/]tsc|lib[\\/]tsc(?:\.js)?)$/, "ts-patch$1bin$1tspc.js")
    .replace(/(^|[\\/])tsc(\.cmd)?$/, "$1tspc$2");
}

function planNest(plan: Plan, project: Project, draft: Draft): void {
  const { nest } = project;
  if (!nest) return;
  if (nest.builder !== "tsc") {
    const { message, fix } = adviceOnBuilder(nest);
    plan.problems.push(`${message} ${fix} Then run init again.`);
    return;
  }
  if (project.patched.onInstall) return;
  // Yarn 2 and later run no `prepare` after an installation.
  const name = project.manager.agent === "yarn@berry" ? "postinstall" : "prepare";
  const prepare = project.package.json.scripts?.[name];
  const text = prepare === undefined ? PATCH : `${PATCH} && ${prepare}`;
  // `nest build` and `nest start` load the package typescript themselves, so there is no name to change: the package itself is patched.
  draft.edit(prepare === undefined ? `+ scripts.${name}: ${text}` : `scripts.${name}: ${prepare} → ${text}`, (json) =>
    prepare === undefined ? appendScript(json, name, text) : replace(json, ["scripts", name], JSON.stringify(text)),
  );
  plan.afterwards.push(project.manager.execute(PATCH.split(" ")));
}

function appendScript(json: string, name: string, text: string): string {
  return append(json, ["scripts"], name, JSON.stringify(text));
}
