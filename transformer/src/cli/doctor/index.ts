/** `npx makeparallel doctor`: says what is wrong with a project's setup and with what it has built. */
import type * as esbuild from "esbuild";
import { nativeAvailable } from "../../../../runtime-ts/src/pool/native";
import type { CommandContext } from "../main";
import { inspectProject, NoProjectError, type Project } from "../project/inspect";
import { commandLine } from "../project/package-manager";
import { showVersion } from "../project/versions";
import { type Finding, FINDINGS, type Severity } from "./catalogue";
import { checkOutput } from "./output-checks";
import { checkSetup } from "./setup-checks";

const ORDER: Severity[] = ["error", "warning", "note"];
const STYLE = { error: "red", warning: "yellow", note: "cyan" } as const;

/** @returns the exit code: 1 when there is an error */
export async function doctor(context: CommandContext, options: { json: boolean }): Promise<number> {
  const { out } = context;
  let project: Project | undefined;
  let findings: Finding[];
  try {
    project = await inspectProject({ cwd: context.cwd, node: process.versions.node, self: context.self });
    const setup = [...checkSetup(project), ...checkBundler(project), ...checkNative()];
    findings = [...setup, ...checkOutput(project, setup.length > 0)];
  } catch (error) {
    if (!(error instanceof NoProjectError)) throw error;
    findings = [
      {
        code: "MP4002",
        message: error.message.replace(" Nothing was changed.", ""),
        fix: "Run this in the folder of a project whose package.json is valid.",
      },
    ];
  }
  const sorted = ORDER.flatMap((severity) => findings.filter(({ code }) => FINDINGS[code].severity === severity));
  const errors = findings.filter(({ code }) => FINDINGS[code].severity === "error").length;
  if (options.json) {
    out.line(
      JSON.stringify(
        sorted.map(({ code, message, fix }) => ({ code, severity: FINDINGS[code].severity, message, fix })),
        null,
        2,
      ),
    );
    return errors > 0 ? 1 : 0;
  }
  if (project) {
    const { json, folder } = project.package;
    const versions = [
      `Node ${showVersion(project.node)}`,
      ...[project.typescript, project.tsPatch, project.makeparallel].flatMap(({ name, version }) =>
        version ? [`${name} ${showVersion(version)}`] : [],
      ),
    ];
    out.line(`${out.paint("bold", "makeparallel doctor")}: ${json.name ?? "a project without a name"} in ${folder}`);
    out.line(`  ${out.paint("dim", versions.join(", "))}`);
  }
  for (const { code, message, fix } of sorted) {
    const { severity } = FINDINGS[code];
    out.line();
    out.line(`${out.paint(STYLE[severity], `${severity} ${code}`)}: ${FINDINGS[code].title}`);
    out.prose(message, "  ");
    out.prose(`Fix: ${fix}`, "  ");
  }
  out.line();
  if (sorted.length === 0) out.line(`${out.paint("green", "✓")} Nothing is wrong.`);
  else {
    const counts = ORDER.map((severity) => [severity, findings.filter(({ code }) => FINDINGS[code].severity === severity).length] as const);
    const text = counts.filter(([, count]) => count > 0).map(([severity, count]) => `${count} ${severity}${count === 1 ? "" : "s"}`);
    out.line(`${text.join(", ")}. More on each: npx makeparallel explain ${sorted[0]?.code}`);
  }
  return errors > 0 ? 1 : 0;
}

/** What bundles the chunks is the esbuild that this package finds. */
function checkBundler({ manager }: Project): Finding[] {
  try {
    (require("esbuild") as typeof esbuild).transformSync("");
    return [];
  } catch (error) {
    return [
      {
        code: "MP4027",
        message: `esbuild, which bundles the chunks, does not run: ${(error as Error).message.split("\n")[0]}`,
        fix: `Run \`${commandLine(manager.install())}\` with optional dependencies (without --omit=optional or --no-optional).`,
      },
    ];
  }
}

function checkNative(): Finding[] {
  const found = nativeAvailable();
  if ("path" in found) return [];
  return [
    {
      code: "MP4021",
      message: `The native backend can't be used here: ${found.reason}.`,
      fix: "Install makeparallel again on this platform. Until then the TypeScript backend does the work.",
    },
  ];
}
