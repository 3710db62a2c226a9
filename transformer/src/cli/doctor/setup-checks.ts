/** What can be wrong with versions and configuration, before anything is built. */
import * as path from "node:path";
import { findTypeScript } from "../../adapters/find-typescript";
import { readText, shown } from "../project/files";
import type { Project } from "../project/inspect";
import { copiesOf, usesPlugAndPlay } from "../project/installed";
import { adviceOnBuilder } from "../project/nest";
import { commandLine } from "../project/package-manager";
import { hasPlugin, isOn, pluginsOf, type TsConfig, TRANSFORM, withBases } from "../project/tsconfig";
import { isAtLeast, showVersion } from "../project/versions";
import { NODE, tsPatchFor, TYPESCRIPT, TYPESCRIPT_WITHOUT_API } from "../requirements";
import type { Finding } from "./catalogue";

const ENTRY = `"plugins": [{ "transform": "${TRANSFORM}" }]`;

export function checkSetup(found: Project): Finding[] {
  const project = withoutGuesses(found);
  return [
    ...checkRuntime(project),
    ...checkFiles(project),
    ...checkCompiler(project),
    ...checkConfigs(project),
    ...checkEsbuild(project),
    ...checkHosts(project),
  ];
}

/**
 * A tsconfig.json that no script compiles and that has no entry for the transformer is taken for a build, unless another tool that compiles is set up: then it is
 * for the editor and for type checks.
 */
function withoutGuesses(project: Project): Project {
  const { compiler, nest, runsUnbuilt } = project;
  if (!runsUnbuilt) return project;
  const builds = compiler.builds.filter(
    ({ config, calls }) => calls.length > 0 || config.file === nest?.config || pluginsOf(config).some(({ ours }) => ours !== undefined),
  );
  return { ...project, compiler: { ...compiler, builds } };
}

function checkRuntime({ node, makeparallel, manager, package: own }: Project): Finding[] {
  const findings: Finding[] = [];
  if (!isAtLeast(node, NODE)) {
    findings.push({
      code: "MP4001",
      message: `This is Node ${showVersion(node)}; makeparallel needs ${showVersion(NODE)} or later.`,
      fix: "Update Node.",
    });
  }
  if (!makeparallel.installed && !usesPlugAndPlay(own.folder)) {
    const command = makeparallel.declared ? manager.install() : manager.add(["makeparallel"], false);
    findings.push({
      code: "MP4003",
      message: makeparallel.declared
        ? `package.json names makeparallel ${makeparallel.declared.range}, but it is not installed.`
        : "makeparallel is not installed in this project.",
      fix: `Run \`${commandLine(command)}\`.`,
    });
  }
  if (makeparallel.declared?.kind === "devDependencies" && !makeparallel.declared.inRoot) {
    findings.push({
      code: "MP4004",
      message: "makeparallel is among the devDependencies, but the built program loads it.",
      fix: `Run \`${commandLine(manager.add(["makeparallel"], false))}\`.`,
    });
  }
  const copies = copiesOf(own.folder, "makeparallel");
  if (copies.length > 1) {
    findings.push({
      code: "MP4005",
      message: `${copies.length} copies of makeparallel are installed: ${copies.map((copy) => `${showVersion(copy.version)} in ${shown(copy.folder, own.folder)}`).join(", ")}.`,
      fix: "Align the versions that packages ask for, and remove the others (`npm dedupe` or its counterpart); linked packages must share one copy.",
    });
  }
  return findings;
}

function checkFiles({ compiler, package: own }: Project): Finding[] {
  return compiler.broken.map(({ file, reason }) => ({
    code: "MP4002",
    message: `${shown(file, own.folder)}: ${reason}.`,
    fix: "Mend the file.",
  }));
}

function checkCompiler(project: Project): Finding[] {
  const { typescript, tsPatch, manager, node, compiler, esbuild, package: own } = project;
  const usesEsbuild = esbuild.calls.length + esbuild.files.length > 0;
  const { version } = typescript;
  if (compiler.builds.length === 0) return usesEsbuild ? checkCompilerApi(project) : [];
  if (!version) {
    return [
      {
        code: "MP4006",
        message: "No typescript was found in this project.",
        fix: `Run \`${commandLine(manager.add(["typescript@~5.9.3"], true))}\`.`,
      },
    ];
  }
  if (!isAtLeast(version, TYPESCRIPT)) {
    return [
      {
        code: "MP4006",
        message: `TypeScript ${showVersion(version)} is installed; makeparallel needs ${showVersion(TYPESCRIPT)} or later.`,
        fix: "Update typescript.",
      },
    ];
  }
  if (version[0] >= TYPESCRIPT_WITHOUT_API) {
    // What only checks or declares may stay with it.
    return [
      {
        code: "MP4007",
        message: `TypeScript ${showVersion(version)} has no compiler API, and ${compiler.builds.map(({ config }) => shown(config.file, own.folder)).join(", ")} is built with it.`,
        fix: "Run `npx makeparallel init`, which sets a build by esbuild up.",
      },
      ...checkCompilerApi(project),
    ];
  }
  const need = tsPatchFor(version[0]);
  const install = commandLine(manager.add([`ts-patch@${need.range}`], true));
  if (!tsPatch.version) {
    if (tsPatch.declared) return [];
    return [
      {
        code: "MP4008",
        message: `ts-patch is not installed; TypeScript ${showVersion(version)} is patched by ts-patch ${need.major}.`,
        fix: `Run \`${install}\`.`,
      },
    ];
  }
  const findings: Finding[] = [];
  if (tsPatch.version[0] !== need.major || !isAtLeast(tsPatch.version, need.least)) {
    findings.push({
      code: "MP4009",
      message: `ts-patch ${showVersion(tsPatch.version)} is installed, and TypeScript ${showVersion(version)} needs ts-patch ${need.range.slice(1)} or later of its major version.`,
      fix: `Run \`${install}\`.`,
    });
  }
  if (!isAtLeast(node, need.node)) {
    findings.push({
      code: "MP4010",
      message: `TypeScript ${showVersion(version)} is patched by ts-patch ${need.major}, which needs Node ${showVersion(need.node)} or later; this is ${showVersion(node)}.`,
      fix: "Update Node, or install typescript@~5.9.3 and ts-patch@^3.3.0.",
    });
  }
  return findings;
}

/** The plugin for esbuild needs an API too, from wherever. */
function checkCompilerApi({ package: own }: Project): Finding[] {
  try {
    findTypeScript(own.folder);
    return [];
  } catch (error) {
    return [
      {
        code: "MP4006",
        message: (error as Error).message.split(" Install ")[0] as string,
        fix: "Install makeparallel again: its own copy of the compiler API is missing.",
      },
    ];
  }
}

function checkConfigs(project: Project): Finding[] {
  const findings: Finding[] = [];
  const { compiler, esbuild, nest, hosts, patched, package: own } = project;
  const { folder } = own;
  const major = project.typescript.version?.[0] ?? 5;
  if (
    compiler.builds.length === 0 &&
    esbuild.calls.length + esbuild.files.length === 0 &&
    compiler.broken.length === 0 &&
    !project.runsUnbuilt &&
    !hosts.some(({ isSupported }) => isSupported)
  ) {
    const [silent] = compiler.silent;
    findings.push({
      code: "MP4026",
      message: silent
        ? `${shown(silent.file, folder)} writes no JavaScript, and no other build was found.`
        : `No configuration in ${folder} writes JavaScript, and no build by esbuild was found.`,
      fix: silent
        ? "Remove noEmit (or emitDeclarationOnly) from the configuration that builds."
        : "Run `npx makeparallel init` in the package that has parallel functions.",
    });
  }
  for (const { file } of compiler.silent) {
    findings.push({
      code: "MP4023",
      message: `${shown(file, folder)} has the transformer, but writes no JavaScript (noEmit or emitDeclarationOnly).`,
      fix: "Nothing, if something else writes it; otherwise remove the option.",
    });
  }
  if (major >= TYPESCRIPT_WITHOUT_API) return findings;
  for (const { config, calls } of compiler.builds) {
    const name = shown(config.file, folder);
    findings.push(...checkPlugin(config, name));
    if (isOn(config, "isolatedModules")) {
      findings.push({
        code: "MP4024",
        message: `${name} sets isolatedModules.`,
        fix: "Nothing, as long as tspc compiles; tools that compile file by file do not run the transformer.",
      });
    }
    const plain = patched.now || patched.onInstall ? [] : calls.filter(({ call }) => call.program === "tsc");
    for (const script of new Set(plain.map(({ call }) => call.script))) {
      findings.push({
        code: "MP4013",
        message: `scripts.${script} builds ${name} with plain tsc: ${own.json.scripts?.[script]}`,
        fix: "Call `tspc` in its place; `npx makeparallel init` changes it.",
      });
    }
  }
  if (nest && compiler.builds.length > 0) {
    if (nest.builder !== "tsc") {
      findings.push({
        code: "MP4022",
        ...adviceOnBuilder(nest),
      });
    } else if (!patched.now) {
      findings.push({
        code: "MP4013",
        message: "`nest build` uses the project's typescript, and that is not patched.",
        fix: patched.onInstall
          ? "Run `npx ts-patch install`."
          : 'Add "prepare": "ts-patch install -s" to the scripts, and run it; `npx makeparallel init` does both.',
      });
    }
  }
  for (const { call, configs } of [...project.tsc, ...project.tspc].filter(({ purpose }) => purpose === "output")) {
    if (configs.length > 0) continue;
    findings.push({
      code: "MP4013",
      message: `scripts.${call.script} names files on the command line, so that tsconfig.json is not read: ${call.text}`,
      fix: "Let tsconfig.json name the files, and call `tspc` without file names.",
    });
  }
  return findings;
}

function checkPlugin(config: TsConfig, name: string): Finding[] {
  if (hasPlugin(config)) return [];
  const wrong = pluginsOf(config).find(({ ours }) => ours === "wrong");
  if (wrong)
    return [
      { code: "MP4012", message: `${name} names the transformer as "${wrong.transform}".`, fix: `Write { "transform": "${TRANSFORM}" }.` },
    ];
  const commented = withBases(config).find(({ text }) => text.includes(TRANSFORM));
  if (commented) {
    const isSame = commented.file === config.file;
    const place = isSame ? "it" : shown(commented.file, path.dirname(config.file));
    return [
      {
        code: "MP4011",
        message: `${name} does not run the transformer, although ${place} mentions it: the entry is commented out, or another list of plugins replaces it.`,
        fix: `Add ${ENTRY} to the compilerOptions in effect.`,
      },
    ];
  }
  return [
    {
      code: "MP4011",
      message: `${name} has no entry for the transformer.`,
      fix: `Add ${ENTRY} to its compilerOptions; \`npx makeparallel init\` does it.`,
    },
  ];
}

function checkEsbuild({ esbuild, package: own }: Project): Finding[] {
  const later = esbuild.files.filter(({ text }) => pluginBefore(text) !== undefined);
  const fix =
    'Put makeparallel() from "makeparallel/esbuild" first in its plugins; `npx makeparallel init` edits plain scripts and prints the lines for others.';
  return [
    ...esbuild.files
      .filter(({ hasPlugin: has }) => !has)
      .map(({ file }): Finding => ({
        code: "MP4014",
        message: `${shown(file, own.folder)} builds with esbuild, without the plugin.`,
        fix,
      })),
    ...later.map(({ file, text }): Finding => ({
      code: "MP4030",
      message: `${shown(file, own.folder)} has makeparallel() behind ${pluginBefore(text)} in its plugins: what that takes is not transformed.`,
      fix: "Put makeparallel() first.",
    })),
    ...esbuild.calls.map(({ script }): Finding => ({
      code: "MP4014",
      message: `scripts.${script} runs esbuild's command line, which can't load plugins.`,
      fix: "Use a build script; `npx makeparallel init` prints one with the same options.",
    })),
  ];
}

/** What stands before the plugin in the list that a build script has written out. */
function pluginBefore(text: string): string | undefined {
  const [, name = ""] =
    /(?:import\s+([\w$]+)|(?:const|let|var)\s+([\w$]+)\s*=\s*require)\s*(?:from\s*|\(\s*)["']makeparallel\/esbuild["']/
      .exec(text)
      ?.filter(Boolean) ?? [];
  const code = text.replace(/\/\*[^]*?\*\/|(?<!:)\/\/.*/g, "");
  const list = new RegExp(
    `\\bplugins\\s*:\\s*\\[([^\\]]*?)(?<![\\w$.])(?:${(name || "makeparallel").replace(/\$/g, "\\$&")}|makeparallel)\\s*\\(`,
  );
  const before = list.exec(code)?.[1]?.trim();
  return before ? before.replace(/\s*,$/, "") : undefined;
}

function checkHosts({ hosts, compiler, esbuild, package: own }: Project): Finding[] {
  const others = compiler.builds.length + esbuild.files.length > 0;
  const missing = hosts.filter(({ isSupported, isSetUp, kind, evidence }) => {
    // A tool that is only installed says nothing of what it is used for.
    if (!isSupported || isSetUp || evidence === "package.json") return false;
    // A bundler beside another build may be there for what has no tasks, and a script that is run once for anything.
    if (kind === "bundler") return !others;
    if (kind === "runner") return /^scripts\.(?:start|dev|serve|debug)\b/.test(evidence);
    return !testsOutput(path.join(own.folder, evidence));
  });
  return [
    ...hosts
      .filter(({ isSupported }) => !isSupported)
      .map(({ evidence, advice }): Finding => ({ code: "MP4022", message: `${evidence}: ${advice[0]}`, fix: advice.slice(1).join(" ") })),
    ...missing.map(({ name, kind, evidence, advice, also, create }): Finding => {
      const lines = advice
        .slice(1)
        .filter((line) => line !== also)
        .map((line) => line.trim());
      const rest = also === undefined ? "" : ` ${also}`;
      return kind === "runner"
        ? {
            code: "MP4031",
            message: `${evidence} runs TypeScript as it is by ${name}, which leaves marks as they are.`,
            fix: `Run it by \`${lines.join(" ")}\`.`,
          }
        : {
            code: "MP4031",
            message: `${evidence}: ${name} is used without ${/makeparallel\/\w+/.exec(advice[0] as string)?.[0]}.`,
            fix: (create ? `Create ${create.file} with: ${create.text}` : `Add to its configuration: ${lines.join(" and ")}`) + rest,
          };
    }),
  ];
}

/** Whether a test runner's configuration says that it runs what has been built. */
function testsOutput(file: string): boolean {
  return /\b(?:roots|rootDir|testMatch|testRegex|include|dir)["']?\s*:[^\n]*\b(?:dist|build|out|lib)\b/.test(readText(file) ?? "");
}
