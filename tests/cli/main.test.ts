/** The command line itself, and `explain`. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { runNode } from "../support/children";
import { ROOT } from "../support/chunks";
import { run } from "../../dist/transformer/src/cli/main";
import { explanations } from "../../dist/transformer/src/cli/documentation";

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

async function tool(args: string[], { env = {}, isTTY = false } = {}): Promise<Result> {
  let stdout = "";
  let stderr = "";
  const code = await run(args, {
    stdout: { write: (text: string) => (stdout += text), isTTY },
    stderr: { write: (text: string) => (stderr += text), isTTY },
    cwd: ROOT,
    env,
  });
  return { code, stdout, stderr };
}

test("the version is the package's", async () => {
  const { version } = JSON.parse(fs.readFileSync(path.join(ROOT, "package.json"), "utf8")) as { version: string };
  for (const flag of ["--version", "-v"]) expect(await tool([flag])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
});

test("a reader that has had enough, as `head`, is no error", async () => {
  const child = spawn(process.execPath, [path.join(ROOT, "dist/transformer/src/cli/main.js"), "explain"], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.destroy();
  let stderr = "";
  child.stderr.on("data", (data) => (stderr += String(data)));
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

test("help is printed where it is asked for", async () => {
  for (const args of [["--help"], ["-h"], ["help"]])
    expect(await tool(args)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Usage: makeparallel <command>/), stderr: "" });
  for (const args of [
    ["init", "--help"],
    ["help", "init"],
  ])
    expect(await tool(args)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Usage: makeparallel init .*--dry-run/) });
});

test.each([[["frobnicate"]], [[]], [["init", "--force"]], [["init", "here"]], [["doctor", "--dry-run"]]])(
  "%j is not understood: help on stderr, exit code 2",
  async (args) => {
    expect(await tool(args)).toMatchObject({ code: 2, stdout: "", stderr: expect.stringMatching(/^✗ .*\n\nUsage: makeparallel/) });
  },
);

test("the program ends with the exit code", async () => {
  const main = path.join(ROOT, "dist/transformer/src/cli/main.js");
  expect(await runNode(main, ["nothing"])).toMatchObject({ code: 2 });
  expect(await runNode(main, ["explain", "MP1001"])).toMatchObject({ code: 0, stderr: "" });
  expect(fs.readFileSync(main, "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
});

const ESCAPE = /\u001b\[/;

test("colours are for terminals, unless NO_COLOR says no or FORCE_COLOR says yes", async () => {
  const args = ["explain", "MP1001"];
  expect((await tool(args)).stdout).not.toMatch(ESCAPE);
  expect((await tool(args, { isTTY: true })).stdout).toMatch(ESCAPE);
  expect((await tool(args, { isTTY: true, env: { NO_COLOR: "1" } })).stdout).not.toMatch(ESCAPE);
  expect((await tool(args, { isTTY: true, env: { TERM: "dumb" } })).stdout).not.toMatch(ESCAPE);
  expect((await tool(args, { env: { FORCE_COLOR: "1" } })).stdout).toMatch(ESCAPE);
});

describe("explain", () => {
  const all = explanations();

  test("has every code of the transformer and of doctor", () => {
    expect(all.map(({ code }) => code)).toEqual([...new Set(all.map(({ code }) => code))].sort());
    for (const group of ["MP1", "MP2", "MP3", "MP4"]) expect(all.some(({ code }) => code.startsWith(group))).toBe(true);
  });

  test.each(all.map(({ code }) => code))("%s: title, reason, fix", async (code) => {
    const entry = all.find((one) => one.code === code)!;
    const { code: exitCode, stdout } = await tool(["explain", code]);
    const flat = stdout.replace(/\s+/g, " ");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${entry.severity} ${code}: `));
    for (const part of [entry.title, entry.message ?? "", entry.why, entry.fix, entry.example ?? ""])
      expect(flat).toContain(part.replace(/\s+/g, " ").trim());
  });

  test("takes a code in the forms in which hosts print it", async () => {
    const { stdout } = await tool(["explain", "MP1003"]);
    for (const form of ["mp1003", "1003", "TS991003"]) expect((await tool(["explain", form])).stdout).toBe(stdout);
  });

  test("lists close codes for one that is not there", async () => {
    const { code, stdout, stderr } = await tool(["explain", "MP1303"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/There is no code MP1303\.\nClose ones:\n( {2}MP1\d03 .*\n)/);
    expect(stderr).toContain("MP1003");
    expect(await tool(["explain", "banana"])).toMatchObject({ code: 1, stderr: expect.stringContaining("lists all") });
  });

  test("without a code lists them all", async () => {
    const { code, stdout } = await tool(["explain"]);
    expect(code).toBe(0);
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.slice(0, 6)),
    ).toEqual(all.map((entry) => entry.code));
  });

  test("the documentation page is up to date", async () => {
    expect(await runNode(path.join(ROOT, "scripts/generate-diagnostics-page.mjs"), ["--check"])).toMatchObject({ code: 0, stderr: "" });
  });
});
