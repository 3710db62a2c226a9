/**
 * Code that nobody wrote for this: the sources that happen to be installed, and the project's own. Unmarked they stay as they are; with every function
 * marked, nothing throws, what is emitted parses, slices link, and no name is lost in a file without errors.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import ts from "typescript";
import { applyEdits, bundle, hostOf, lostNames, Project, syntaxErrors } from "./support";

const ROOT = path.resolve(__dirname, "../..");
const FORMAT = { module: "esm", manifestKey: "k" } as const;

function walk(folder: string, found: string[] = []): string[] {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) walk(file, found);
    else if (/\.[cm]?tsx?$/.test(entry.name)) found.push(file);
  }
  return found;
}

// These are compiled, and loaded, by tests/real/source-trees.test.ts.
const elsewhere = /node_modules[\\/](rxjs|zod|@noble)[\\/]/;
const installed = walk(path.join(ROOT, "node_modules")).filter((file) => !elsewhere.test(file));
const isDeclaration = (file: string): boolean => /\.d\.[cm]?ts$/.test(file);
const sources = [
  ...installed.filter((file) => !isDeclaration(file)),
  ...walk(path.join(ROOT, "transformer/src")),
  ...walk(path.join(ROOT, "runtime-ts/src")),
];

/** The file with every function literal wrapped and every function declaration tagged and made `async`. */
function markEverything(file: string, text: string): string {
  const insertions: { at: number; text: string; order: number }[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionDeclaration(node) && node.body) {
      insertions.push({ at: node.getStart(), text: "/** @parallel */ ", order: 1 });
      const keyword = node.getChildren().find((child) => child.kind === ts.SyntaxKind.FunctionKeyword);
      const isAsync = node.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.AsyncKeyword);
      if (keyword && !isAsync && !node.asteriskToken) insertions.push({ at: keyword.getStart(), text: "async ", order: 3 });
    }
    if ((ts.isArrowFunction(node) || ts.isFunctionExpression(node)) && !ts.isCallExpression(node.parent)) {
      insertions.push({ at: node.getStart(), text: "__par(", order: 2 }, { at: node.end, text: ")", order: 0 });
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  insertions.sort((a, b) => a.at - b.at || a.order - b.order);
  let output = `import { parallel as __par } from "makeparallel";`;
  let cursor = 0;
  for (const insertion of insertions) {
    output += text.slice(cursor, insertion.at) + insertion.text;
    cursor = insertion.at;
  }
  return output + text.slice(cursor);
}

test("unmarked files stay as they are", () => {
  const host = hostOf(ROOT);
  const project = new Project(host);
  const sample = [...sources, ...installed.filter((file, index) => isDeclaration(file) && index % 20 === 0)];
  for (const file of sample) expect(project.analyze(file, `${host.read(file)}\n// parallel`, FORMAT).edits).toEqual([]);
  expect(project.slice(FORMAT).modules.size).toBe(0);
});

test("everything marked", async () => {
  const texts = new Map(sources.map((file) => [file, markEverything(file, fs.readFileSync(file, "utf8"))]));
  const host = hostOf(ROOT, texts);
  const project = new Project(host);
  const faulty = new Set<string>();
  let tasks = 0;
  for (const [file, text] of texts) {
    const result = project.analyze(file, text, FORMAT);
    tasks += result.tasks.length;
    for (const diagnostic of result.diagnostics) if (diagnostic.severity === "error") faulty.add(diagnostic.at.file);
    if (syntaxErrors(file, text).length === 0)
      expect({ file, errors: syntaxErrors(file, applyEdits(text, result.edits)) }).toEqual({ file, errors: [] });
  }
  expect(tasks).toBeGreaterThan(700);
  const plan = project.slice(FORMAT);
  for (const module of plan.modules.values()) {
    expect({ id: module.id, errors: syntaxErrors(`slice.${module.loader}`, module.contents) }).toEqual({ id: module.id, errors: [] });
  }
  const sound = { ...plan, modules: new Map([...plan.modules].filter(([, module]) => !faulty.has(module.file))) };
  // In scripts these are functions' own, in files that have variables of these names elsewhere too.
  const nodes = /: (require|module|exports)$/;
  expect(lostNames(sound, (file) => host.read(file) as string).filter((lost) => !nodes.test(lost))).toEqual([]);
  // `import * as f` of a function is right without `esModuleInterop`, and the emitter rewrites it then (withoutInterop); here nothing does.
  expect((await bundle(plan, { logOverride: { "call-import-namespace": "silent" } })).size).toBeGreaterThan(700);
}, 240_000);
