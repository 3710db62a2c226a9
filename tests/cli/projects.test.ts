/**
 * `init` on projects as people have them: fixtures/projects-init. Each has the project as it was, the files that are expected to change (expected/), what
 * is printed (output.txt), and a check: its own build script is run, and then a program that calls a marked function.
 *
 * UPDATE_FIXTURES=1 writes expected/ and output.txt anew.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { fixtureProject, FIXTURES, removeProjects, type UserProject } from "./support/project";

interface Check {
  folder?: string;
  links?: Record<string, string>;
  nest?: boolean;
  script?: string;
  args?: string[];
  program?: string;
  stdout: string;
}

const names = fs.readdirSync(FIXTURES).filter((name) => fs.existsSync(path.join(FIXTURES, name, "check.json")));
const update = process.env["UPDATE_FIXTURES"] === "1";

afterAll(removeProjects);

describe.each(names)("%s", (name) => {
  const fixture = path.join(FIXTURES, name);
  const check = JSON.parse(fs.readFileSync(path.join(fixture, "check.json"), "utf8")) as Check;
  let project: UserProject;
  let original: Record<string, string>;

  beforeAll(() => {
    project = fixtureProject(name, { ...check, ownTypeScript: check.nest === true });
    original = project.files();
  });

  test("a dry run prints everything and changes nothing", async () => {
    const { code, stdout, stderr } = await project.makeparallel(["init", "--dry-run"]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expectText(path.join(fixture, "output.txt"), stdout.replaceAll(project.root, "<root>"));
    expect(project.files()).toEqual(original);
    expect(project.asked()).toEqual([]);
  });

  test("it changes exactly the expected files, and installs first", async () => {
    const { code, stdout, stderr } = await project.makeparallel(["init"]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    const printed = stdout.split("\n").filter((line) => !line.startsWith("$") && !/^✓|TypeScript v|\[[+!]\]/.test(line));
    const dry = fs.readFileSync(path.join(fixture, "output.txt"), "utf8").split("\n");
    const changes = (lines: string[]): string[] => lines.slice(lines.indexOf("Changes")).filter((line) => line.startsWith("  "));
    expect(changes(printed)).toEqual(changes(dry));
    const commands = dry.flatMap((line) => /^ {2}run (.*)$/.exec(line)?.[1] ?? []);
    expect(project.asked()).toEqual(commands);

    const changed = Object.fromEntries(Object.entries(project.files()).filter(([file, text]) => original[file] !== text));
    expect(Object.keys(original).filter((file) => !(file in project.files()))).toEqual([]);
    expectFiles(path.join(fixture, "expected"), changed);
  });

  test("a second run changes nothing", async () => {
    const before = project.files();
    const asked = project.asked();
    const { code, stdout } = await project.makeparallel(["init"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Nothing to change/m);
    expect(project.files()).toEqual(before);
    expect(project.asked()).toEqual(asked);
  });

  test("then it builds, and a marked function runs", async () => {
    const built = check.nest === true ? await nestBuild(project) : await project.script(check.script as string);
    expect(built).toMatchObject({ code: 0, stderr: "" });
    const ran = await project.node(check.program !== undefined ? ["-e", check.program] : (check.args as string[]));
    expect(ran).toMatchObject({ stdout: check.stdout, stderr: "", code: 0 });
  });

  test("doctor finds no error afterwards", async () => {
    const { stdout, code } = await project.makeparallel(["doctor", "--json"]);
    const findings = JSON.parse(stdout) as { code: string; severity: string }[];
    expect(
      findings.filter(({ severity, code: finding }) => severity === "error" || !["MP4022", "MP4024", "MP4021", "MP4031"].includes(finding)),
    ).toEqual([]);
    expect(code).toBe(0);
  });
});

/** What `nest build` does: the project's own `typescript` compiles tsconfig.build.json. */
function nestBuild(project: UserProject): ReturnType<UserProject["node"]> {
  project.write(
    "node_modules/.nest-build.cjs",
    `const ts = require(require.resolve("typescript", { paths: [process.cwd()] }));
const { options, fileNames, projectReferences } = ts.getParsedCommandLineOfConfigFile("tsconfig.build.json", undefined, ts.sys);
const program = ts.createProgram.call(ts, { rootNames: fileNames, projectReferences, options });
const { diagnostics } = program.emit(undefined, undefined, undefined, undefined, { before: [], after: [], afterDeclarations: [] });
const all = ts.getPreEmitDiagnostics(program).concat(diagnostics);
if (all.length > 0) console.error(ts.formatDiagnostics(all, { getCanonicalFileName: (name) => name, getCurrentDirectory: () => process.cwd(), getNewLine: () => "\\n" }));
process.exitCode = all.length > 0 ? 1 : 0;
`,
  );
  return project.node(["node_modules/.nest-build.cjs"]);
}

function expectText(file: string, text: string): void {
  if (update) fs.writeFileSync(file, text);
  expect(text).toBe(fs.readFileSync(file, "utf8"));
}

function expectFiles(folder: string, files: Record<string, string>): void {
  if (update) {
    fs.rmSync(folder, { recursive: true, force: true });
    for (const [name, text] of Object.entries(files)) {
      fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
      fs.writeFileSync(path.join(folder, name), text);
    }
  }
  const expected: Record<string, string> = {};
  for (const entry of fs.readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    expected[path.relative(folder, file).split(path.sep).join("/")] = fs.readFileSync(file, "utf8");
  }
  expect(files).toEqual(expected);
}
