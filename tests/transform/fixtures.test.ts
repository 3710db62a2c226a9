/**
 * What the transformer makes of source files, compared with stored results (fixtures/transform/<sentence>/). `UPDATE_FIXTURES=1` rewrites them: read them
 * before they are committed, they are the proof. A diagnostic that a fixture does not list in `diagnostics.txt` fails it.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { bundle, checkEdits, expectFile, FIXTURES, lostNames, readable, sourcesOf, syntaxErrors, transform, UPDATE } from "./support";
import { renderDiagnostics } from "../../dist/transformer/src/diagnostics/render";

const folder = path.join(FIXTURES, "transform");

describe.each(fs.readdirSync(folder).sort())("%s", (name) => {
  const root = path.join(folder, name);
  const read = (file: string): string => fs.readFileSync(file, "utf8");

  test.each(["esm", "cjs"] as const)("program and slices are as stored (%s)", async (format) => {
    const { results, plan } = transform(root, format);
    let ids = 0;
    for (const [file, result] of results) {
      const output = checkEdits(file, read(file), result.edits);
      ids += result.tasks.length;
      if (format === "cjs") {
        expect(output).not.toContain('import.meta.url, "fixture"');
        continue;
      }
      const base = path.basename(file).replace(/\.([cm]?[jt]sx?)$/, "");
      const target = path.join(path.dirname(file), base === "input" ? "output.ts" : `output.${base}.ts`);
      if (result.edits.length > 0) expectFile(target, output);
      else expect(fs.existsSync(target)).toBe(false);
    }
    expect(plan.entries).toHaveLength(ids);
    if (format === "cjs") return;

    const stored = path.join(root, "slices");
    if (UPDATE) fs.rmSync(stored, { recursive: true, force: true });
    const expected = new Set<string>();
    for (const module of plan.modules.values()) {
      expect(syntaxErrors(`slice.${module.loader}`, module.contents)).toEqual([]);
      const target = path.join(stored, sliceName(plan, module.id));
      expected.add(path.basename(target));
      expectFile(target, readable(module.contents));
    }
    if (!UPDATE) expect(fs.readdirSync(stored).sort()).toEqual([...expected].sort());
    expect(lostNames(plan, read)).toEqual([]);
    await bundle(plan);

    const diagnostics = [...results.values()].flatMap((result) => result.diagnostics);
    const text = renderDiagnostics(diagnostics, { root, read: (file) => read(file) });
    const listed = path.join(root, "diagnostics.txt");
    if (text === "") expect(fs.existsSync(listed)).toBe(false);
    else expectFile(listed, `${text}\n`);
  });

  test("a second run gives the same", () => {
    const first = transform(root);
    const second = transform(root);
    expect([...second.plan.modules.values()]).toEqual([...first.plan.modules.values()]);
    expect(sourcesOf(root).length).toBeGreaterThan(0);
  });
});

/** The tasks that a slice is the entry of, or its id. */
function sliceName(plan: { entries: { task: { id: string }; module: string }[] }, id: string): string {
  const tasks = plan.entries.filter((entry) => entry.module === id).map((entry) => entry.task.id.slice(entry.task.id.indexOf("#") + 1));
  const name = tasks.length > 0 ? `task ${tasks.join("+")}` : id;
  return `${name.replace(/[/#<>:"|?*]/g, "-")}.ts`;
}
