/** Stacks from a task show the source's lines and columns: a slice has its code where the original file has it, or says so in a map. */
import * as fs from "node:fs";
import * as path from "node:path";
import { originalPositionFor, TraceMap } from "@jridgewell/trace-mapping";
import { FIXTURES, transform } from "./support";

const folder = path.join(FIXTURES, "transform");
const MAP = /\/\/# sourceMappingURL=data:application\/json;base64,(\S+)/;

function mapOf(contents: string): TraceMap | undefined {
  const encoded = MAP.exec(contents)?.[1];
  return encoded === undefined ? undefined : new TraceMap(Buffer.from(encoded, "base64").toString());
}

test.each(fs.readdirSync(folder).sort())("%s", (name) => {
  const { plan } = transform(path.join(folder, name));
  for (const { task, module } of plan.entries) {
    const slice = plan.modules.get(module);
    if (!slice) throw new Error(`no slice ${module}`);
    const source = fs.readFileSync(slice.file, "utf8").split("\n")[task.line - 1] ?? "";
    // The first word of the task's code: a parameter, a name or a keyword.
    const word = /[\w$]+|\S/.exec(source.slice(task.column - 1))?.[0] ?? "";
    const map = mapOf(slice.contents);
    const lines = slice.contents.replace(MAP, "").split("\n");
    if (!map) {
      expect(lines[task.line - 1]?.slice(task.column - 1)).toMatch(new RegExp(`^${word.replace(/[^\w]/g, "\\$&")}`));
      continue;
    }
    const places = lines.flatMap((line, index) =>
      [...line.matchAll(/[\w$]+|\S/g)].map((match) => ({ line: index + 1, column: match.index, text: match[0] })),
    );
    const back = places.map((place) => ({ place, original: originalPositionFor(map, place) }));
    const found = back.find(({ original }) => original.line === task.line && original.column === task.column - 1);
    expect(found).toBeDefined();
    if (!task.name.includes("#")) expect(found?.place.text).toBe(word);
  }
});

test("every word that a map places is that word in the source", () => {
  let checked = 0;
  for (const name of fs.readdirSync(folder)) {
    const { plan } = transform(path.join(folder, name));
    for (const slice of plan.modules.values()) {
      const map = mapOf(slice.contents);
      if (!map) continue;
      const source = fs.readFileSync(slice.file, "utf8").split("\n");
      slice.contents
        .replace(MAP, "")
        .split("\n")
        .forEach((line, index) => {
          for (const match of line.matchAll(/[\w$]{3,}/g)) {
            const original = originalPositionFor(map, { line: index + 1, column: match.index });
            if (original.line === null) continue;
            const text = source[original.line - 1]?.slice(original.column) ?? "";
            // Generated text has no place of its own and shows the last one before it.
            if (text.startsWith(match[0])) checked++;
          }
        });
    }
  }
  expect(checked).toBeGreaterThan(200);
});
