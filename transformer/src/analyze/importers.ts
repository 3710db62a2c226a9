/**
 * Modules that may change what another one declares, or extend it: those that import it, or a module that passes its names on.
 *
 * Takes a module. Gives the modules of the program, as far as the host knows them, whose text looks so. Others are not even parsed.
 */
import type * as ts from "typescript";
import type { TypeScript } from "../core";
import type { Module } from "./module";
import type { Modules } from "./resolve";
import { isObject } from "./set-up-calls";
import { isContainer, MUTATING, unwrap } from "./syntax";

const PASSES_ON = /\bexport\s*(?:\*|\{[^}]*\}\s*from\b)/;

const DERIVES = /\bclass\b[^{;]*\b(?:extends|implements)\b/;

/** Modules that import the given one, or a module that passes its names on, and whose text looks as if it changed one of its objects. */
export function possibleChangersOf(modules: Modules, module: Module): Module[] {
  const mayChange = modules.importersFor === "classes" ? undefined : changesOf(module);
  return mayChange ? importersThat(modules, module, (text) => mayChange.test(text)) : [];
}

/** The same, whose text looks as if a class in it extended or implemented something of it. */
export function possibleDeriversOf(modules: Modules, module: Module): Module[] {
  const names = [...module.exports.keys()].filter((name) => /^[\w$]+$/.test(name));
  if (names.length === 0) return [];
  const mentions = names.includes("default") ? /./ : new RegExp(`(?<![\\w$])(?:${names.join("|").replace(/\$/g, "\\$")})(?![\\w$])`);
  return importersThat(modules, module, (text) => DERIVES.test(text) && mentions.test(text));
}

function importersThat(modules: Modules, module: Module, matches: (text: string) => boolean): Module[] {
  const found = new Set<Module>();
  const seen = new Set<Module>([module]);
  const queue = [module];
  for (let current = queue.pop(); current; current = queue.pop()) {
    for (const file of modules.importersOf(current.file)) {
      const text = modules.textOf(file);
      if (text === undefined) continue;
      const isMatch = matches(text);
      if (!isMatch && !PASSES_ON.test(text)) continue;
      const other = modules.get(file);
      if (!other || other.opaque || other === module) continue;
      if (isMatch) found.add(other);
      if (seen.has(other) || !passesOn(modules, other, current)) continue;
      seen.add(other);
      queue.push(other);
    }
  }
  return [...found];
}

/** `.a`, `["b"]`, once or more. */
const ACCESS = String.raw`(?:\s*\??\.\s*[\w$#]+|\s*\[[^\]\n]*\])+`;
const OPERATOR = String.raw`\s*(?:(?:\*\*|&&|\|\||\?\?|<<|>>>?|[-+*/%&|^])?=(?![=>])|\+\+|--)`;

/**
 * What a text looks like that changes one of the module's objects: `config["level"] = 2`, `table.set(…)`, `registry.add(…)`, `import { table as t }`. A default
 * export may have any name. None where it exports none: functions are not looked for.
 */
function changesOf(module: Module): RegExp | undefined {
  const { ts } = module;
  const objects: string[] = [];
  const called: string[] = [];
  for (const [name, record] of module.exports) {
    if (record.kind !== "local" || !isObject(module, record.binding)) continue;
    if (name === "default" || name === "export=") return /./;
    const text = name.replace(/\$/g, "\\$");
    objects.push(text);
    const declaration = record.binding.declarations[0];
    if (isContainer(ts, declaration)) called.push(`${text}${String.raw`\s*\??\.\s*(?:${[...MUTATING].join("|")})\b`}`);
    else if (record.binding.kind === "class" || isMade(ts, declaration)) called.push(`${text}${ACCESS}${String.raw`\s*\(`}`);
  }
  if (objects.length === 0) return undefined;
  const any = `(?:${objects.join("|")})`;
  const uses = [`${any}(?:${ACCESS}${OPERATOR}|${String.raw`\s+as\b`})`, ...called];
  return new RegExp(
    `(?<![\\w$])(?:${uses.join("|")})|${String.raw`\b(?:delete\s+|Object\.(?:assign|define\w+|setPrototypeOf)\(\s*)`}(?:[\\w$]+\\.)?${any}(?![\\w$])`,
  );
}

function isMade(ts: TypeScript, declaration: ts.Node | undefined): boolean {
  const { initializer } = (declaration ?? {}) as Partial<ts.VariableDeclaration>;
  return initializer !== undefined && ts.isNewExpression(unwrap(ts, initializer));
}

function passesOn(modules: Modules, from: Module, to: Module): boolean {
  const names = namesOfFile(to.file);
  const specifiers = new Set(from.stars);
  for (const record of from.exports.values()) if (record.kind !== "local") specifiers.add(record.specifier);
  return [...specifiers].some((specifier) => names.includes(lastName(specifier)) && modules.follow(from, specifier) === to);
}

/** What `.`, `..` and `./` end with. */
const FOLDER = "";

/** `./lib/table.js`, `@app/table` and `/project/src/lib/table.ts`: `table`. */
export function lastName(specifier: string): string {
  const last = specifier.slice(specifier.lastIndexOf("/") + 1);
  return /^\.*$/.test(last) ? FOLDER : last.replace(/\.[cm]?[jt]sx?$/, "");
}

/** What imports of a file may end with. */
export function namesOfFile(file: string): string[] {
  const slashed = file.replace(/\\/g, "/");
  const name = lastName(slashed);
  return name === "index" ? [name, lastName(slashed.slice(0, slashed.lastIndexOf("/"))), FOLDER] : [name];
}
