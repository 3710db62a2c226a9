/**
 * What webpack and Rspack replace in the program's code, as esbuild's `define`, so that it is replaced in chunks as well.
 *
 * Takes: the plugins of the configuration and `optimization.nodeEnv`. Gives: the definitions whose values are literals or names. Does not see those that a
 * plugin of somebody else's makes, nor other expressions: esbuild replaces by no such thing.
 */

interface Settings {
  plugins?: unknown;
  optimization?: { nodeEnv?: string | false };
}

const NAME = /^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)*$/;

export function definitionsOf({ plugins, optimization }: Settings): Record<string, string> {
  const all: Record<string, string> = {};
  const { nodeEnv } = optimization ?? {};
  if (typeof nodeEnv === "string") all["process.env.NODE_ENV"] = JSON.stringify(nodeEnv);
  for (const plugin of Array.isArray(plugins) ? (plugins as unknown[]) : []) {
    if (typeof plugin !== "object" || plugin === null) continue;
    const kind = plugin.constructor.name;
    // Rspack's keeps what it was made with.
    const { definitions, _args, keys, defaultValues } = plugin as Record<string, unknown>;
    if (kind === "DefinePlugin") addAll(all, "", definitions ?? (_args as unknown[] | undefined)?.[0]);
    if (kind !== "EnvironmentPlugin" || !Array.isArray(keys)) continue;
    for (const key of keys as string[]) {
      const value = process.env[key] ?? (defaultValues as Record<string, unknown> | undefined)?.[key];
      add(all, `process.env.${key}`, value === undefined ? "undefined" : JSON.stringify(value));
    }
  }
  return all;
}

function addAll(all: Record<string, string>, prefix: string, definitions: unknown): void {
  if (typeof definitions !== "object" || definitions === null) return;
  for (const [key, value] of Object.entries(definitions)) add(all, prefix + key, value);
}

function add(all: Record<string, string>, name: string, value: unknown): void {
  if (!NAME.test(name)) return;
  if (typeof value === "object" && value !== null) {
    if (Object.getPrototypeOf(value) === Object.prototype) addAll(all, `${name}.`, value);
    return;
  }
  if (typeof value === "function" || typeof value === "symbol" || typeof value === "bigint") return;
  const code = literal(String(value).trim());
  if (code !== undefined) all[name] = code;
}

/** Code that esbuild can put in the place of a name. */
function literal(code: string): string | undefined {
  if (NAME.test(code)) return code;
  if (/^'[^'"\\\n]*'$/.test(code)) return `"${code.slice(1, -1)}"`;
  try {
    JSON.parse(code);
    return code;
  } catch {
    return undefined;
  }
}
