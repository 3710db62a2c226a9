/** esbuild's command line as a build script with the plugin. */

const SIMPLE = new Set([
  "platform",
  "format",
  "target",
  "outdir",
  "outfile",
  "outbase",
  "packages",
  "tsconfig",
  "sourcemap",
  "charset",
  "jsx",
  "log-level",
  "legal-comments",
  "tree-shaking",
  "source-root",
  "asset-names",
  "chunk-names",
  "entry-names",
  "main-fields",
  "conditions",
  "resolve-extensions",
  "log-limit",
  "public-path",
  "metafile",
]);
const SWITCHES = new Set([
  "bundle",
  "minify",
  "minify-whitespace",
  "minify-identifiers",
  "minify-syntax",
  "keep-names",
  "splitting",
  "sourcemap",
  "allow-overwrite",
  "preserve-symlinks",
  "tree-shaking",
]);
const LISTS = new Set(["main-fields", "conditions", "resolve-extensions", "target"]);
const MAPS = new Set(["define", "alias", "loader", "banner", "footer", "out-extension"]);

/** @returns the script's lines, or undefined when the command has a flag that is not known here */
export function buildScript(args: readonly string[]): string[] | undefined {
  const entries: string[] = [];
  const options = new Map<string, unknown>();
  let watch = false;
  for (const arg of args) {
    if (!arg.startsWith("-")) {
      entries.push(arg);
      continue;
    }
    const [, name, key, value] = /^--([\w-]+)(?::([^=]+))?(?:=(.*))?$/s.exec(arg) ?? [];
    if (name === undefined) return undefined;
    const option = name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    if (name === "watch" && value === undefined) watch = true;
    else if (name === "external" && key !== undefined)
      options.set("external", [...((options.get("external") as string[] | undefined) ?? []), key]);
    else if (MAPS.has(name) && key !== undefined && value !== undefined)
      options.set(option, { ...(options.get(option) as object | undefined), [key]: value });
    else if (key !== undefined) return undefined;
    else if (SWITCHES.has(name) && (value === undefined || value === "true" || value === "false")) options.set(option, value !== "false");
    else if (SIMPLE.has(name) && value !== undefined)
      options.set(option, LISTS.has(name) && value.includes(",") ? value.split(",") : value);
    else return undefined;
  }
  if (entries.length === 0) return undefined;
  // Parallel functions run on Node.
  if (options.get("platform") === undefined && options.get("format") === undefined) options.set("platform", "node");
  const fields = [["entryPoints", entries] as const, ...options].map(([name, value]) => `  ${name}: ${literal(value)},`);
  return [
    'import * as esbuild from "esbuild";',
    'import makeparallel from "makeparallel/esbuild";',
    "",
    watch ? "const context = await esbuild.context({" : "await esbuild.build({",
    ...fields,
    ...(options.has("logLevel") ? [] : ['  logLevel: "info",']),
    "  plugins: [makeparallel()],",
    "});",
    ...(watch ? ["await context.watch();"] : []),
  ];
}

function literal(value: unknown): string {
  return JSON.stringify(value, null, 1)
    .replace(/\s*\n\s*/g, " ")
    .replace(/^\[ /, "[")
    .replace(/ \]$/, "]");
}
