/**
 * Tools beside `tsc` and esbuild that compile or run a project's TypeScript, and what can be said about each: the adapter that this version has, or the way
 * that works without one.
 */
import * as path from "node:path";
import { isFile, readText, shown } from "./files";
import { declared, type PackageFile } from "./package-json";
import type { ScriptCall } from "./scripts";

export interface Host {
  /** `Vite`, `Jest`, … */
  name: string;
  /** What showed that it is used: `vite.config.ts`, `scripts.dev`. */
  evidence: string;
  /** What to do. */
  advice: string[];
  /** Whether the program that it makes or runs has no working parallel functions unless the advice is followed. */
  isSupported: boolean;
  /** What showed that it is used names makeparallel already. */
  isSetUp: boolean;
  kind: "bundler" | "tests" | "runner";
  /** The part of the advice that is not about the configuration. */
  also: string | undefined;
  /** Where there is no configuration yet: the file that would hold it, and what to write into it. */
  create: { file: string; text: string } | undefined;
}

interface Known {
  name: string;
  /** Names of configuration files, without extension, or whole names. */
  files: string[];
  programs: string[];
  /** Subpath of this package that serves it. */
  subpath?: string;
  kind: "bundler" | "tests" | "runner";
  /** Added to the config, when there is an adapter. */
  use?: string[];
  /** What has to be done beside that. */
  also?: string;
}

const KNOWN: Known[] = [
  { name: "Vite", files: ["vite.config"], programs: ["vite", "vite-node"], subpath: "./vite", kind: "bundler" },
  { name: "webpack", files: ["webpack.config"], programs: ["webpack"], subpath: "./webpack", kind: "bundler" },
  { name: "Rspack", files: ["rspack.config"], programs: ["rspack"], subpath: "./rspack", kind: "bundler" },
  { name: "Rollup", files: ["rollup.config"], programs: ["rollup"], subpath: "./rollup", kind: "bundler" },
  { name: "Rolldown", files: ["rolldown.config"], programs: ["rolldown"], subpath: "./rolldown", kind: "bundler" },
  {
    name: "tsup",
    files: ["tsup.config"],
    programs: ["tsup"],
    subpath: "./esbuild",
    kind: "bundler",
    use: ['import makeparallel from "makeparallel/esbuild";', "esbuildPlugins: [makeparallel()]"],
  },
  { name: "tsdown", files: ["tsdown.config"], programs: ["tsdown"], subpath: "./rolldown", kind: "bundler" },
  {
    name: "Nuxt",
    files: ["nuxt.config"],
    programs: ["nuxt", "nuxi"],
    subpath: "./rollup",
    kind: "bundler",
    use: ['import makeparallel from "makeparallel/rollup";', "nitro: { rollupConfig: { plugins: [makeparallel()] } }"],
    also: "Server routes can call tasks; components, which are built for browsers too, can't.",
  },
  {
    name: "Nitro",
    files: ["nitro.config"],
    programs: ["nitropack", "nitro"],
    subpath: "./rollup",
    kind: "bundler",
    use: ['import makeparallel from "makeparallel/rollup";', "rollupConfig: { plugins: [makeparallel()] }"],
  },
  {
    name: "Astro",
    files: ["astro.config"],
    programs: ["astro"],
    subpath: "./vite",
    kind: "bundler",
    use: ['import makeparallel from "makeparallel/vite";', "vite: { plugins: [makeparallel()] }"],
  },
  {
    name: "electron-vite",
    files: ["electron.vite.config"],
    programs: ["electron-vite"],
    subpath: "./vite",
    kind: "bundler",
    use: ['import makeparallel from "makeparallel/vite";', "main: { plugins: [makeparallel()] }"],
  },
  { name: "swc", files: [".swcrc"], programs: ["swc"], kind: "bundler" },
  { name: "Babel", files: [], programs: ["babel"], kind: "bundler" },
  { name: "Parcel", files: [".parcelrc"], programs: ["parcel"], kind: "bundler" },
  {
    name: "Next.js",
    files: ["next.config"],
    programs: ["next"],
    subpath: "./webpack",
    kind: "bundler",
    use: ['import makeparallel from "makeparallel/webpack";', "webpack(config) { config.plugins.push(makeparallel()); return config; }"],
    also: "Call `next dev --webpack` and `next build --webpack`: Turbopack runs no plugins. docs/adapters.md says what to do there.",
  },
  { name: "Vitest", files: ["vitest.config"], programs: ["vitest"], subpath: "./vite", kind: "tests" },
  {
    name: "Jest",
    files: ["jest.config"],
    programs: ["jest"],
    subpath: "./jest",
    kind: "tests",
    use: ['"transform": { "\\\\.[cm]?tsx?$": "makeparallel/jest" }'],
  },
  { name: "tsx", files: [], programs: ["tsx"], subpath: "./register", kind: "runner", use: ["node --import makeparallel/register <file>"] },
  {
    name: "ts-node",
    files: [],
    programs: ["ts-node", "ts-node-esm", "ts-node-dev", "tsnd"],
    subpath: "./register",
    kind: "runner",
    use: ["node --import makeparallel/register <file>"],
  },
];

/** Where a script has `node` run TypeScript as it is. */
const BARE_NODE: Known = {
  name: "node",
  files: [],
  programs: [],
  subpath: "./register",
  kind: "runner",
  use: ["node --import makeparallel/register <file>"],
};

const EXTENSIONS = ["", ".js", ".cjs", ".mjs", ".ts", ".cts", ".mts", ".json"];

/** @param exported subpaths of the makeparallel that runs, as its package.json names them */
export function findHosts(project: PackageFile, calls: readonly ScriptCall[], exported: ReadonlySet<string>): Host[] {
  const hosts: Host[] = [];
  for (const known of [...KNOWN, BARE_NODE]) {
    const own = known.kind === "runner" ? calls.filter(({ text }) => !text.includes("makeparallel/register")) : calls;
    const evidence = evidenceOf(known, project, own);
    if (evidence === undefined) continue;
    const isSupported = known.subpath !== undefined && exported.has(known.subpath);
    hosts.push({
      name: known.name,
      evidence,
      isSupported,
      kind: known.kind,
      isSetUp: known.kind !== "runner" && isSupported && namesMakeparallel(evidence, project),
      also: isSupported ? known.also : undefined,
      advice: isSupported ? adapterAdvice(known, isCommonJs(evidence, project), watches(evidence, own)) : otherAdvice(known),
      create:
        isFile(path.join(project.folder, evidence)) || (known.name === "Jest" && project.json.jest !== undefined)
          ? undefined
          : newConfig(known),
    });
  }
  return hosts;
}

function evidenceOf(known: Known, project: PackageFile, calls: readonly ScriptCall[]): string | undefined {
  const named = known.files.length > 0 ? namedConfig(known, project, calls) : undefined;
  const config = named ?? configOf(known.files, project);
  if (config !== undefined) return config;
  if (known.name === "Jest" && project.json.jest !== undefined) return '"jest" in package.json';
  const call = calls.find(({ program, args }) =>
    known === BARE_NODE ? program === "node" && args.some((arg) => /\.[cm]?tsx?$/.test(arg)) : known.programs.includes(program),
  );
  // Without a configuration of its own Vitest reads Vite's.
  const shared = known.name === "Vitest" && (call || declared(project.json, "vitest")) ? configOf(["vite.config"], project) : undefined;
  if (shared !== undefined) return shared;
  if (call) return `scripts.${call.script}`;
  return known.kind === "tests" && known.programs.some((name) => declared(project.json, name)) ? "package.json" : undefined;
}

/** The configuration file that a script names: `webpack --config config/server.js`. */
function namedConfig({ programs }: Known, { folder }: PackageFile, calls: readonly ScriptCall[]): string | undefined {
  for (const { program, args } of calls) {
    if (!programs.includes(program)) continue;
    for (const [index, arg] of args.entries()) {
      const flag = /^(?:-c|--config)(?:=(.+))?$/.exec(arg);
      const file = flag && path.resolve(folder, flag[1] ?? args[index + 1] ?? "");
      if (file && isFile(file)) return shown(file, folder);
    }
  }
  return undefined;
}

function configOf(names: readonly string[], project: PackageFile): string | undefined {
  const files = names.flatMap((name) => EXTENSIONS.map((extension) => path.join(project.folder, name + extension)));
  const found = files.find(isFile);
  return found && shown(found, project.folder);
}

function namesMakeparallel(evidence: string, project: PackageFile): boolean {
  // Among the dependencies both stand in any case.
  if (evidence === "package.json") return false;
  const file = path.join(project.folder, evidence);
  const text = (isFile(file) ? textWithParts(file) : undefined) ?? JSON.stringify([project.json.scripts ?? {}, project.json.jest ?? {}]);
  return /["'\s]makeparallel\b/.test(text);
}

/** The text of a configuration, with that of the files beside it that it is made of. */
function textWithParts(file: string, seen = new Set<string>()): string {
  seen.add(file);
  const text = readText(file) ?? "";
  const parts = [...text.matchAll(/(?:from\s*|import\s*\(?\s*|require\s*\(\s*)["'](\.{1,2}\/[^"']+)["']/g)].map(([, specifier]) => {
    const part = path.resolve(path.dirname(file), specifier as string);
    return [...EXTENSIONS.map((extension) => part + extension), part.replace(/js$/, "ts")].find(isFile);
  });
  return [text, ...parts.map((part) => (part === undefined || seen.has(part) || seen.size > 20 ? "" : textWithParts(part, seen)))].join(
    "\n",
  );
}

/** Whether a configuration file is written with `require`. */
function isCommonJs(evidence: string, { folder }: PackageFile): boolean {
  const file = path.join(folder, evidence);
  return isFile(file) && /\bmodule\.exports\b/.test(readText(file) ?? "");
}

/** Whether a script starts what it runs anew after an edit. */
function watches(evidence: string, calls: readonly ScriptCall[]): boolean {
  return calls.some(
    ({ script, program, args }) =>
      evidence === `scripts.${script}` && [program, ...args].some((arg) => /^(?:watch|--watch|-w|ts-node-dev|tsnd)$/.test(arg)),
  );
}

function adapterAdvice(known: Known, isCommonJs: boolean, isWatching: boolean): string[] {
  const subpath = `makeparallel${(known.subpath as string).slice(1)}`;
  const lines = known.use ?? [`import makeparallel from "${subpath}";`, "plugins: [makeparallel()]"];
  const fitting = (line: string): string => {
    if (isWatching) return line.replace(/^node /, "node --watch ");
    return isCommonJs ? line.replace(/^import makeparallel from (.+);$/, "const { makeparallel } = require($1);") : line;
  };
  return [
    `${known.name} is served by ${subpath}. Add:`,
    ...lines.map((line) => `    ${fitting(line)}`),
    ...(known.also === undefined ? [] : [known.also]),
  ];
}

/** The least configuration. */
function newConfig({ name, files, subpath, use = [] }: Known): Host["create"] {
  const [file] = files;
  if (file === undefined || subpath === undefined) return undefined;
  if (name === "Jest") return { file: "jest.config.json", text: '{ "preset": "makeparallel" }' };
  // What is written without types or `require` can be read by every host, whatever the package's own format.
  const [load, plugins = "plugins: [makeparallel()]"] =
    use.length > 0 ? use : [`import makeparallel from "makeparallel${subpath.slice(1)}";`];
  return { file: `${file}.mjs`, text: `${load} export default { ${plugins} };` };
}

function otherAdvice({ name, kind }: Known): string[] {
  if (kind === "tests") {
    return [
      `This version has no adapter for ${name}: it compiles test files itself, and marks that it meets stay as they are (calls throw NotTransformedError).`,
      "Until then run the tests against the built output: build first, and let the tests import from the output folder.",
    ];
  }
  if (kind === "runner") {
    return [
      `This version has no adapter for ${name}, which runs sources as they are: calls of parallel functions throw NotTransformedError there.`,
      "In development run the built output: `tspc --watch` beside `node --watch <output>/main.js`.",
    ];
  }
  return [
    `This version has no adapter for ${name}.`,
    `Build the modules that hold parallel functions with tspc (makeparallel/transformer) or esbuild (makeparallel/esbuild), and let ${name} take the result as it is, with its folder parallel-chunks/ copied beside the output.`,
  ];
}

/** Subpaths that a package.json exports. */
export function exportedSubpaths(packageJson: string): Set<string> {
  try {
    return new Set(Object.keys((JSON.parse(readText(packageJson) ?? "{}") as { exports?: object }).exports ?? {}));
  } catch {
    return new Set();
  }
}
