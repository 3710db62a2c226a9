/**
 * CommonJS modules of packages that are no strict code, in chunks, which are.
 *
 * Takes a chunk's script, in which esbuild has wrapped each CommonJS module (`var require_x = __commonJS({ "x.js"(exports, module) { … } })`), and which of
 * the modules are sloppy. Gives the script with their wrappers in front, outside of the function that is strict: implicit globals, `arguments.callee` and
 * the global object as `this` work there as in the host's CommonJS bundle. Names of the chunk that they use are reached through an object of getters.
 *
 * Not handled: what esbuild refuses in ES modules (`with`, a variable named `let`), and chunks with top-level await.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import type * as esbuild from "esbuild";
import type * as ts from "typescript";
import { referencesWithin } from "../analyze/bindings";
import { buildScopes } from "../analyze/scopes";
import { useOf } from "../analyze/syntax";
import type { TypeScript } from "../core";
import { editMapped, type Segment, type TextEdit } from "./mapped-text";

const NONE: ReadonlySet<string> = new Set();

/** CommonJS modules of a bundle without `"use strict"` anywhere, by their names in esbuild's metafile. */
export function sloppyInputs(metafile: esbuild.Metafile, root: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const [name, { format }] of Object.entries(metafile.inputs)) {
    if (format !== "cjs" || /^[A-Za-z-]{2,}:/.test(name)) continue;
    try {
      if (!/["']use strict["']/.test(fs.readFileSync(path.resolve(root, name), "utf8"))) found.add(name);
    } catch {
      // Made by a plugin: strict, as everything else.
    }
  }
  return found.size > 0 ? found : NONE;
}

/**
 * Gives chunks with sloppy modules, and those that import them, names of their own: another build into the same folder may have the same modules as strict code,
 * and esbuild names outputs by what it printed, which is the same then.
 * @returns the files by their names, and what the metafile says of them
 */
export function withSloppyNames(
  files: readonly esbuild.OutputFile[],
  outputs: esbuild.Metafile["outputs"],
  sloppy: ReadonlySet<string>,
): { files: Map<string, NamedFile>; outputs: esbuild.Metafile["outputs"] } {
  const renamed = new Set<string>();
  for (let before = -1; before !== renamed.size;) {
    before = renamed.size;
    for (const [name, { inputs, imports }] of Object.entries(outputs)) {
      if (Object.keys(inputs).some((input) => sloppy.has(input)) || imports.some((each) => renamed.has(each.path))) renamed.add(name);
    }
  }
  const hashes = new Map<string, string>();
  for (const name of renamed) {
    const hash = HASH.exec(name)?.[1];
    if (hash !== undefined) hashes.set(hash, createHash("sha256").update(hash).digest("hex").slice(0, hash.length).toUpperCase());
  }
  const pattern = new RegExp(`-(${[...hashes.keys()].join("|")})(?=\\.cjs\\b)`, "g");
  const replaced = (text: string): string => (hashes.size > 0 ? text.replace(pattern, (_, hash: string) => `-${hashes.get(hash)}`) : text);
  return {
    files: new Map(
      files.map((file) => [
        replaced(path.basename(file.path)),
        {
          contents: file.contents,
          get text() {
            return replaced(file.text);
          },
        },
      ]),
    ),
    outputs: hashes.size > 0 ? (JSON.parse(replaced(JSON.stringify(outputs))) as esbuild.Metafile["outputs"]) : outputs,
  };
}

/** Of an output's name, as esbuild makes it. */
const HASH = /-([A-Z0-9]{8})\.cjs$/;

type NamedFile = Pick<esbuild.OutputFile, "contents" | "text">;

interface SloppyModule {
  statement: ts.Statement;
  method: ts.MethodDeclaration;
  /** All before the argument. */
  head: string;
}

/** Of this chunk, or of one that it shares it with. */
const HELPER = /^(?:__commonJS|\(0, [\w$]+\.__commonJS\))$/;

/** @returns undefined when there is nothing to take out */
export function takeOutSloppy(
  compiler: () => TypeScript,
  code: string,
  mappings: readonly Segment[][],
  { sloppy, keepsDirectives }: { sloppy: ReadonlySet<string>; keepsDirectives: boolean },
): { code: string; mappings: Segment[][] } | undefined {
  if (sloppy.size === 0) return undefined;
  const ts = compiler();
  const source = ts.createSourceFile("chunk.js", code, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
  const modules = source.statements.flatMap((statement) => sloppyModule(ts, statement, sloppy) ?? []);
  if (modules.length === 0) return undefined;

  const scopes = buildScopes(ts, source);
  const names = new Set<string>();
  const edits: TextEdit[] = [];
  const kept = modules.filter(({ method }) => {
    const outer = referencesWithin(scopes, method.getStart(source), method.end).filter(({ binding }) => binding?.scope === scopes.module);
    if (outer.some(({ node }) => useOf(ts, node) === "write")) return false;
    const [first] = method.body?.statements ?? [];
    // Its source has none. (`alwaysStrict`, which `strict` implies, of the project's tsconfig)
    if (
      !keepsDirectives &&
      first &&
      ts.isExpressionStatement(first) &&
      ts.isStringLiteral(first.expression) &&
      first.expression.text === "use strict"
    )
      edits.push({ start: first.getStart(source), end: first.end, text: "" });
    for (const { node, name } of outer) {
      names.add(name);
      const isShorthand = ts.isShorthandPropertyAssignment(node.parent);
      edits.push({ start: node.getStart(source), end: node.getStart(source), text: isShorthand ? `${name}: __mp_in.` : "__mp_in." });
    }
    return true;
  });
  if (kept.length === 0) return undefined;

  const edited = editMapped(code, mappings, edits);
  const lines = edited.text.split("\n");
  const lineOf = (offset: number): number => source.getLineAndCharacterOfPosition(offset).line;
  const front = new Lines();
  const rest = new Lines();
  let next = 0;
  const copy = (to: Lines, until: number): void => {
    for (; next < until; next++) to.add(lines[next] as string, edited.mappings[next]);
  };
  front.add("var __mp_in;");
  kept.forEach(({ statement, method, head }, index) => {
    copy(rest, lineOf(statement.getStart(source)));
    next = lineOf(method.getStart(source));
    front.add(`var __mp_x${index} = {`);
    copy(front, lineOf(method.end) + 1);
    front.add("};");
    rest.add(`${head}(__mp_x${index});`);
    next = lineOf(statement.end) + 1;
  });
  copy(rest, lines.length);
  front.add(`(function () { "use strict";`);
  front.add(
    `__mp_in = { ${[...names]
      .sort()
      .map((name) => `get ${name}() { return ${name}; }`)
      .join(", ")} };`,
  );
  rest.add("}).call(this);");
  return { code: [...front.text, ...rest.text].join("\n"), mappings: [...front.mappings, ...rest.mappings] };
}

class Lines {
  readonly text: string[] = [];
  readonly mappings: Segment[][] = [];

  add(line: string, mappings: Segment[] = []): void {
    this.text.push(line);
    this.mappings.push(mappings);
  }
}

/** The wrapper of a sloppy module, in the form that esbuild gives it: the statement, the method and its end have lines of their own. */
function sloppyModule(ts: TypeScript, statement: ts.Statement, sloppy: ReadonlySet<string>): SloppyModule | undefined {
  if (!ts.isVariableStatement(statement) || statement.declarationList.declarations.length !== 1) return undefined;
  const { name, initializer } = statement.declarationList.declarations[0] as ts.VariableDeclaration;
  if (!ts.isIdentifier(name) || !initializer || !ts.isCallExpression(initializer)) return undefined;
  const [literal] = initializer.arguments;
  const helper = initializer.expression.getText();
  if (!HELPER.test(helper) || !literal || !ts.isObjectLiteralExpression(literal)) return undefined;
  const [method] = literal.properties;
  if (literal.properties.length !== 1 || !method || !ts.isMethodDeclaration(method) || !ts.isStringLiteral(method.name)) return undefined;
  return sloppy.has(method.name.text) ? { statement, method, head: `var ${name.text} = ${helper}` } : undefined;
}
