/**
 * Puts the transformer into the tsconfig files of a project's builds.
 *
 * The entry goes where the compiler options of the build are: into the build's own file, or into one of the same package that it extends, when only that
 * has options. A base outside the package is never touched, because other packages share it; a list of plugins there is carried over, since a list in the
 * package replaces it.
 */
import * as path from "node:path";
import { append, replace, UnsafeEditError } from "../edit/json";
import { belongsTo, type CompilerBuild } from "../project/builds";
import { shown } from "../project/files";
import { hasPlugin, optionOf, pluginsOf, type TsConfig, TRANSFORM, withBases } from "../project/tsconfig";
import { Draft, type Plan } from "./plan";

const ENTRY = `{ "transform": "${TRANSFORM}" }`;
const AT = ["compilerOptions", "plugins"];

export function planTsConfigs(plan: Plan, folder: string, builds: readonly CompilerBuild[]): void {
  const drafts = new Map<string, Draft>();
  // Bases first, so that what extends them is seen to be covered.
  const ordered = [...builds].sort((a, b) => withBases(a.config).length - withBases(b.config).length);
  for (const { config } of ordered) {
    if (hasPlugin(config)) continue;
    const from = optionOf(config, "plugins")?.from;
    const chain = withBases(config);
    const nearest = from ? chain.slice(0, chain.indexOf(from) + 1) : chain;
    if (nearest.some(({ file }) => drafts.has(file))) continue;
    const target = targetOf(config, from, folder);
    const draft = new Draft(target.file, target.text);
    try {
      editConfig(draft, target, from);
      drafts.set(target.file, draft);
    } catch (error) {
      if (!(error instanceof UnsafeEditError)) throw error;
      plan.problems.push(
        `${shown(target.file, folder)} was left as it is: ${error.message}. Add to its compilerOptions: "plugins": [${ENTRY}]`,
      );
    }
  }
  for (const draft of drafts.values()) {
    const change = draft.change();
    if (change) plan.files.push(change);
  }
}

function targetOf(config: TsConfig, from: TsConfig | undefined, folder: string): TsConfig {
  const own = withBases(config).filter(({ file }) => belongsTo(file, folder) && !file.includes(`${path.sep}node_modules${path.sep}`));
  if (from && own.includes(from)) return from;
  return own.find(({ json }) => json.compilerOptions !== undefined) ?? config;
}

function editConfig(draft: Draft, target: TsConfig, from: TsConfig | undefined): void {
  if (from === target) {
    const plugins = target.json.compilerOptions?.["plugins"];
    if (!Array.isArray(plugins)) throw new UnsafeEditError("its plugins are not a list");
    const wrong = pluginsOf(target).find(({ ours }) => ours === "wrong");
    if (wrong) {
      const index = plugins.findIndex((entry: unknown) => (entry as { transform?: unknown } | null)?.transform === wrong.transform);
      draft.edit(`compilerOptions.plugins: "${wrong.transform}" → "${TRANSFORM}"`, (text) =>
        replace(text, [...AT, index, "transform"], JSON.stringify(TRANSFORM)),
      );
    } else draft.edit(`+ compilerOptions.plugins: ${ENTRY}`, (text) => append(text, AT, undefined, ENTRY));
    return;
  }
  const carried = from ? carriedOver(from, path.dirname(target.file)) : [];
  const list = `[${[...carried, ENTRY].join(", ")}]`;
  const what = `+ compilerOptions.plugins: ${list}${from ? ` (those of ${shown(from.file, path.dirname(target.file))}, which this list replaces, and the transformer)` : ""}`;
  draft.edit(what, (text) =>
    target.json.compilerOptions === undefined
      ? append(text.trim() === "" ? "{}\n" : text, [], "compilerOptions", `{ "plugins": ${list} }`)
      : append(text, ["compilerOptions"], "plugins", list),
  );
}

function carriedOver(from: TsConfig, folder: string): string[] {
  const plugins = from.json.compilerOptions?.["plugins"];
  if (!Array.isArray(plugins)) throw new UnsafeEditError(`the plugins of ${from.file} are not a list`);
  return plugins.map((entry: unknown) => {
    const moved = { ...(entry as Record<string, unknown>) };
    for (const key of ["transform", "name"]) {
      const value = moved[key];
      if (typeof value !== "string" || !/^\.{1,2}[\\/]/.test(value)) continue;
      const relative = shown(path.resolve(path.dirname(from.file), value), folder);
      moved[key] = relative.startsWith(".") ? relative : `./${relative}`;
    }
    return JSON.stringify(moved)
      .replace(/^\{(.+)\}$/s, "{ $1 }")
      .replaceAll('":', '": ')
      .replaceAll(',"', ', "');
  });
}
