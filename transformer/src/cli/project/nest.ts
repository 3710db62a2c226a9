/** NestJS projects, which `nest build` compiles with the project's own `typescript` and tsconfig. */
import * as path from "node:path";
import { parse } from "jsonc-parser";
import { isFile, readText } from "./files";
import type { ScriptCall } from "./scripts";

export interface NestBuild {
  calls: ScriptCall[];
  /** `tsc` is the one that runs transformers. */
  builder: string;
  /** The tsconfig file that it builds. */
  config: string;
}

/** @returns undefined when no script runs `nest build` or `nest start` */
export function findNest(folder: string, calls: readonly ScriptCall[]): NestBuild | undefined {
  const own = calls.filter(({ program, args }) => program === "nest" && (args[0] === "build" || args[0] === "start"));
  if (own.length === 0) return undefined;
  const options =
    ((parse(readText(path.join(folder, "nest-cli.json")) ?? "{}") as { compilerOptions?: Record<string, unknown> } | undefined) ?? {})
      .compilerOptions ?? {};
  const named = options["builder"] as string | { type?: string } | undefined;
  const configuredBuilder = typeof named === "string" ? named : (named?.type ?? (options["webpack"] === true ? "webpack" : "tsc"));
  const args = own.flatMap((call) => call.args);
  const builder = valueOf(args, "-b", "--builder") ?? (args.includes("--webpack") ? "webpack" : configuredBuilder);
  const flagged = valueOf(args, "-p", "--path");
  const configured = flagged ?? (typeof options["tsConfigPath"] === "string" ? options["tsConfigPath"] : undefined);
  const standard = isFile(path.join(folder, "tsconfig.build.json")) ? "tsconfig.build.json" : "tsconfig.json";
  return { calls: own, builder, config: path.resolve(folder, configured ?? standard) };
}

/** What a flag is followed by: `-b swc`, `--builder=swc`. */
function valueOf(args: readonly string[], short: string, long: string): string | undefined {
  const after = args.find((_arg, index) => args[index - 1] === short || args[index - 1] === long);
  return after ?? args.find((arg) => arg.startsWith(`${long}=`))?.slice(long.length + 1);
}

/** What is to be done about a builder that runs no transformers. */
export function adviceOnBuilder({ builder }: NestBuild): { message: string; fix: string } {
  return {
    message: `\`nest build\` uses the builder "${builder}" here, which does not run transformers.`,
    fix:
      builder === "webpack"
        ? 'Set "builder": "tsc" in nest-cli.json, or add makeparallel/webpack to the plugins of webpack.config.js (docs/adapters.md).'
        : 'Set "builder": "tsc" in nest-cli.json (or leave the flag out).',
  };
}
