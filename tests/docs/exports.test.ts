/**
 * Everything that the package exports, values and types of all entry points, is named on the reference page, and its declaration says what it is. Read from
 * the built declarations, which is what users see.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import ts from "typescript";
import { ROOT } from "../support/chunks";

const manifest = JSON.parse(fs.readFileSync(path.join(ROOT, "package.json"), "utf8")) as {
  exports: Record<string, string | { require: { types: string } }>;
};
const entries = Object.entries(manifest.exports).flatMap(([subpath, entry]) =>
  typeof entry === "string" ? [] : [{ subpath, file: path.join(ROOT, entry.require.types) }],
);

const program = ts.createProgram(
  entries.map(({ file }) => file),
  {
    module: ts.ModuleKind.Node16,
    moduleResolution: ts.ModuleResolutionKind.Node16,
    types: [],
  },
);
const checker = program.getTypeChecker();

const exported = entries.flatMap(({ subpath, file }) => {
  // A file without exports is a script.
  const module = checker.getSymbolAtLocation(program.getSourceFile(file)!);
  return (module === undefined ? [] : checker.getExportsOfModule(module)).map((symbol) => ({
    name: symbol.name,
    label: `${subpath} ${symbol.name}`,
    symbol: symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol,
  }));
});

const documented = (symbol: ts.Symbol): boolean => symbol.getDocumentationComment(checker).length > 0;

/** What users see of a class or an interface. */
function membersOf({ members, exports }: ts.Symbol): ts.Symbol[] {
  return [...(members?.values() ?? []), ...(exports?.values() ?? [])].filter((member) => {
    const [declaration] = member.declarations ?? [];
    if (declaration === undefined || member.name === "prototype") return false;
    if (member.name.startsWith("__")) return false;
    if (ts.isTypeParameterDeclaration(declaration)) return false;
    if ((ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Private) !== 0) return false;
    return !member.getJsDocTags().some(({ name }) => name === "internal");
  });
}

test("there are exports of every entry point that has some", () => {
  expect(exported.length).toBeGreaterThan(80);
  expect(new Set(exported.map(({ label }) => label.split(" ")[0])).size).toBe(entries.length - 1);
});

test("the reference names each of them", () => {
  const page = fs.readFileSync(path.join(ROOT, "docs", "reference.md"), "utf8");
  const missing = exported.filter(({ name }) => name !== "default" && !new RegExp(`\\b${name}\\b`).test(page));
  expect(missing.map(({ label }) => label)).toEqual([]);
});

const main = exported.filter(({ label }) => !label.startsWith("./internal "));

test("each has a documentation comment, and so have its members", () => {
  const bare = main.flatMap(({ label, symbol }) => [
    ...(documented(symbol) ? [] : [label]),
    ...membersOf(symbol)
      .filter((member) => !documented(member))
      .map((member) => `${label}.${member.name}`),
  ]);
  // As Promise has them, and the protocols of iteration and disposal.
  expect(bare.filter((name) => !/\.(?:then|catch|finally)$/.test(name))).toEqual([]);
});

test("functions say what they take and give", () => {
  const bare = main.flatMap(({ label, symbol }) =>
    (symbol.declarations ?? []).filter(ts.isFunctionDeclaration).flatMap((declaration) => {
      const tags = symbol.getJsDocTags(checker);
      const named = tags.filter(({ name }) => name === "param").map(({ text }) => ts.displayPartsToString(text).split(/\s/)[0]);
      const given = /^(?:void|Promise<void>)$/.test(declaration.type!.getText()) || tags.some(({ name }) => name === "returns");
      return [
        ...declaration.parameters
          .map(({ name }) => (ts.isIdentifier(name) ? name.text : "compiler"))
          .filter((name) => !named.includes(name))
          .map((name) => `${label}: ${name}`),
        ...(given ? [] : [`${label}: result`]),
      ];
    }),
  );
  expect([...new Set(bare)]).toEqual(["./transformer default: host"]);
});
