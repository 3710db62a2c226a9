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
  const builder = typeof named === "string" ? named : (named?.type ?? (options["webpack"] === true ? "webpack" : "tsc"));
  const flagged = own.flatMap(({ args }) => args).find((_arg, index, all) => all[index - 1] === "-p" || all[index - 1] === "--path");
  const configured = flagged ?? (typeof options["tsConfigPath"] === "string" ? options["tsConfigPath"] : undefined);
  const standard = isFile(path.join(folder, "tsconfig.build.json")) ? "tsconfig.build.json" : "tsconfig.json";
  return { calls: own, builder, config: path.resolve(folder, configured ?? standard) };
}
