/**
 * What can't be hoisted, and what is warned about: exact texts, per fixture in fixtures/errors/<code-and-case>/. `UPDATE_FIXTURES=1` rewrites them.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { renderDiagnostics } from "../../dist/transformer/src/diagnostics/render";
import { CATALOGUE } from "../../dist/transformer/src/diagnostics/catalogue.generated";
import { checkEdits, expectFile, FIXTURES, transform } from "./support";

const folder = path.join(FIXTURES, "errors");
const names = fs.readdirSync(folder).sort();

test.each(names)("%s", (name) => {
  const root = path.join(folder, name);
  const read = (file: string): string => fs.readFileSync(file, "utf8");
  const { results } = transform(root);
  const diagnostics = [...results.values()].flatMap((result) => result.diagnostics);
  for (const [file, result] of results) checkEdits(file, read(file), result.edits);
  expectFile(path.join(root, "expected.txt"), `${renderDiagnostics(diagnostics, { root, read })}\n`);
  const code = /^MP\d{4}/.exec(name)?.[0];
  expect(diagnostics.map((diagnostic) => diagnostic.code)).toContain(code);
});

test("every code has a fixture", () => {
  const missing = Object.keys(CATALOGUE).filter((code) => !names.some((name) => name.startsWith(code)));
  expect(missing).toEqual([]);
});
