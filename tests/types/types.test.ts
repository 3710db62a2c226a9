/**
 * The public types, by what they accept and reject: each file of cases/ is compiled by the compiler API.
 *
 * A line `// rejected: text` says that one of the lines below it, up to a blank one, has an error whose message contains the text; every other error fails
 * the test. Equalities are written with `Same`. A line `// options: {…}` adds compiler options.
 *
 * MAKEPARALLEL_TEST_TYPESCRIPT names the folder of another `typescript` package to compile with.
 */
import * as fs from "node:fs";
import { createRequire } from "node:module";
import * as path from "node:path";
import type * as TS from "typescript";
import { ROOT } from "../support/chunks";

const ts = createRequire(__filename)(process.env["MAKEPARALLEL_TEST_TYPESCRIPT"] ?? "typescript") as typeof TS;
const CASES = path.join(__dirname, "cases");

const OPTIONS = {
  target: "ES2022",
  lib: ["es2022", "esnext.disposable", "dom"],
  module: "ESNext",
  moduleResolution: "Bundler",
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noEmit: true,
  types: ["node"],
  typeRoots: [path.join(ROOT, "node_modules/@types")],
  paths: { makeparallel: [path.join(ROOT, "dist/runtime-ts/src/index.d.ts")] },
};

interface Outcome {
  /** Errors that no comment announced, and announcements that no error met. */
  wrong: string[];
  rejected: number;
}

/** @param options compiler options as tsconfig.json has them, on top of {@link OPTIONS} */
function compile(file: string, options: object): Outcome {
  const { options: parsed, errors } = ts.convertCompilerOptionsFromJson({ ...OPTIONS, ...options }, CASES);
  if (errors.length > 0) throw new Error(errors.map((error) => ts.flattenDiagnosticMessageText(error.messageText, "\n")).join("\n"));
  const program = ts.createProgram([file], parsed);
  const source = program.getSourceFile(file)!;
  const all = [
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...program.getSyntacticDiagnostics(source),
    ...program.getSemanticDiagnostics(source),
    ...(parsed.declaration ? program.getDeclarationDiagnostics(source) : []),
  ];
  const lines = source.text.split("\n");
  const announced = lines.flatMap((line, index) => {
    const expected = /^\s*\/\/ rejected: (.*)$/.exec(line)?.[1];
    return expected === undefined ? [] : [{ expected, line: index + 1, met: false }];
  });
  const wrong: string[] = [];
  const seen = new Set<string>();
  for (const { start, messageText, file: at } of all) {
    const message = ts.flattenDiagnosticMessageText(messageText, "\n");
    const line = at === source && start !== undefined ? source.getLineAndCharacterOfPosition(start).line : -1;
    if (seen.has(`${line}\0${message}`)) continue;
    seen.add(`${line}\0${message}`);
    // The comments above, with no blank line between.
    const entry = announced.findLast(
      (one) => one.line <= line && message.includes(one.expected) && !lines.slice(one.line, line).some((text) => text.trim() === ""),
    );
    if (entry) entry.met = true;
    else wrong.push(`line ${line + 1}: ${message}`);
  }
  for (const { line, expected, met } of announced) if (!met) wrong.push(`line ${line + 1}: is accepted, expected: ${expected}`);
  return { wrong, rejected: announced.length };
}

const [major = 0, minor = 0] = ts.version.split(".").map(Number);

/** Cases for this TypeScript: `// since: 5.5` names the first that has what a case is about. */
const cases = fs.readdirSync(CASES).filter((name) => {
  if (name.startsWith("_")) return false;
  const [, sinceMajor, sinceMinor] = /^\/\/ since: (\d+)\.(\d+)$/m.exec(fs.readFileSync(path.join(CASES, name), "utf8")) ?? [];
  return sinceMajor === undefined || major > Number(sinceMajor) || (major === Number(sinceMajor) && minor >= Number(sinceMinor));
});

test.each(cases)(`%s (TypeScript ${ts.version})`, (name) => {
  const file = path.join(CASES, name);
  const options = JSON.parse(/^\/\/ options: (.*)$/m.exec(fs.readFileSync(file, "utf8"))?.[1] ?? "{}") as object;
  expect(compile(file, options).wrong).toEqual([]);
});

test("the runner sees an error that is not announced, and an announcement without an error", () => {
  const file = path.join(ROOT, ".tmp", "types-self-test.ts");
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, 'export const a: number = "text";\n\n// rejected: anything\nexport const b = 1;\n');
  try {
    expect(compile(file, {})).toEqual({
      wrong: ["line 1: Type 'string' is not assignable to type 'number'.", "line 4: is accepted, expected: anything"],
      rejected: 1,
    });
  } finally {
    fs.rmSync(file);
  }
});
