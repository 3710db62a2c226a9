/**
 * Modules that may change what another one declares, or extend it: those that import it, or a module that passes its names on.
 *
 * Takes a module. Gives the modules of the program, as far as the host knows them, whose text looks so. Others are not even parsed.
 */
import type * as ts from "typescript";
import type { TypeScript } from "../core";
import type { Binding } from "./bindings";
import type { Module } from "./module";
import type { Modules } from "./resolve";
import { isObject } from "./set-up-calls";
import { isContainer, MUTATING, unwrap } from "./syntax";

/** With and without `from`: what was imported may be exported by a statement of its own. */
const PASSES_ON = /\bexport\s*(?:(?:type\s*)?[*{]|default\s+[\w$]+\s*;?\s*$)/m;

const DERIVES = /\b(?:class|interface)\b[^{;]*\b(?:extends|implements)\b/;

/** What a text looks like, whatever is looked for. */
interface Look {
  readonly text: string;
  readonly passesOn: boolean;
  readonly derives: boolean;
}

/** By file: one is looked at for every module that it imports. */
const looksOf = new WeakMap<Modules, Map<string, Look>>();

function lookOf(looks: Map<string, Look>, file: string, text: string): Look {
  let look = looks.get(file);
  if (look?.text !== text) looks.set(file, (look = { text, passesOn: PASSES_ON.test(text), derives: DERIVES.test(text) }));
  return look;
}

/** What a module's exports are called elsewhere: the names of the export that barrels give (`export { Base as Foundation } from "./base"`). */
type Aliases = ReadonlyMap<string, ReadonlySet<string>>;

/** Tells of a text whether it looks like one that is looked for. Made anew when another name of an export becomes known. */
type Search = (aliases: Aliases) => (look: Look) => boolean;

/** Modules that import the given one, or a module that passes its names on, and whose text looks as if it changed one of its objects. */
export function possibleChangersOf(modules: Modules, module: Module): Module[] {
  if (modules.importersFor === "classes") return [];
  const objects = objectsOf(module);
  return objects.length === 0
    ? []
    : importersThat(modules, module, (aliases) => {
        const changes = changesOf(module, objects, aliases);
        return ({ text }) => changes.test(text);
      });
}

/** The same, whose text looks as if a class or interface in it extended or implemented something of it. */
export function possibleDeriversOf(modules: Modules, module: Module): Module[] {
  const names = [...module.exports.keys()].filter((name) => /^(?:[\w$]+|export=)$/.test(name));
  if (names.length === 0) return [];
  return importersThat(modules, module, (aliases) => {
    const mention = mentionOf(names.flatMap((name) => called(name, aliases)));
    return ({ text, derives }) => derives && mention.test(text);
  });
}

/** A default export may have any name. */
function mentionOf(names: readonly string[]): RegExp {
  return names.some(isDefault) ? /./ : new RegExp(`(?<![\\w$])${anyOf(names)}(?![\\w$])`);
}

function isDefault(name: string): boolean {
  return name === "default" || name === "export=";
}

function called(name: string, aliases: Aliases): string[] {
  return [name, ...(aliases.get(name) ?? [])];
}

function anyOf(names: readonly string[]): string {
  return `(?:${names.join("|").replace(/\$/g, "\\$")})`;
}

function importersThat(modules: Modules, module: Module, search: Search): Module[] {
  const found = new Set<Module>();
  const seen = new Set<Module>([module]);
  const queue = [module];
  /** By the name that the module itself exports. */
  const aliases = new Map<string, Set<string>>();
  let matches = search(aliases);
  let looks = looksOf.get(modules);
  if (!looks) looksOf.set(modules, (looks = new Map()));
  for (let current = queue.pop(); current; current = queue.pop()) {
    for (const file of modules.importersOf(current.file)) {
      const text = modules.textOf(file);
      if (text === undefined) continue;
      const look = lookOf(looks, file, text);
      const isMatch = matches(look);
      if (!isMatch && !look.passesOn) continue;
      const other = modules.get(file);
      if (!other || other.opaque || other === module) continue;
      if (isMatch) found.add(other);
      if (seen.has(other)) continue;
      const passed = passedOn(modules, other, current);
      if (!passed) continue;
      for (const [name, as] of passed) {
        const own = [...aliases].find(([, names]) => names.has(name))?.[0] ?? name;
        aliases.set(own, new Set([...(aliases.get(own) ?? []), as]));
      }
      if (passed.length > 0) matches = search(aliases);
      seen.add(other);
      queue.push(other);
    }
  }
  return [...found];
}

/** `.a`, `["b"]`, once or more. */
const ACCESS = String.raw`(?:\s*\??\.\s*[\w$#]+|\s*\[[^\]\n]*\])+`;
const OPERATOR = String.raw`\s*(?:(?:\*\*|&&|\|\||\?\?|<<|>>>?|[-+*/%&|^])?=(?![=>])|\+\+|--)`;

function objectsOf(module: Module): { name: string; binding: Binding }[] {
  return [...module.exports].flatMap(([name, record]) =>
    record.kind === "local" && isObject(module, record.binding) ? [{ name, binding: record.binding }] : [],
  );
}

/**
 * What a text looks like that changes one of the module's objects: `config["level"] = 2`, `table.set(…)`, `registry.add(…)`, `import { table as t }`. Functions are not
 * looked for.
 */
function changesOf({ ts }: Module, objects: readonly { name: string; binding: Binding }[], aliases: Aliases): RegExp {
  const names: string[] = [];
  const calls: string[] = [];
  for (const { name, binding } of objects) {
    const all = called(name, aliases);
    if (all.some(isDefault)) return /./;
    names.push(...all);
    const declaration = binding.declarations[0];
    if (isContainer(ts, declaration)) calls.push(`${anyOf(all)}${String.raw`\s*\??\.\s*(?:${[...MUTATING].join("|")})\b`}`);
    else if (binding.kind === "class" || isMade(ts, declaration)) calls.push(`${anyOf(all)}${ACCESS}${String.raw`\s*\(`}`);
  }
  const any = anyOf(names);
  const uses = [`${any}(?:${ACCESS}${OPERATOR}|${String.raw`\s+as\b`})`, ...calls];
  return new RegExp(
    `(?<![\\w$])(?:${uses.join("|")})|${String.raw`\b(?:delete\s+|Object\.(?:assign|define\w+|setPrototypeOf)\(\s*)`}(?:[\\w$]+\\.)?${any}(?![\\w$])`,
  );
}

function isMade(ts: TypeScript, declaration: ts.Node | undefined): boolean {
  const { initializer } = (declaration ?? {}) as Partial<ts.VariableDeclaration>;
  return initializer !== undefined && ts.isNewExpression(unwrap(ts, initializer));
}

/** Names of `to` that the module exports under other names; undefined when it passes none on. */
function passedOn(modules: Modules, from: Module, to: Module): [name: string, as: string][] | undefined {
  const fileNames = namesOfFile(to.file);
  const leadsThere = (specifier: string, kind?: "import" | "require"): boolean =>
    fileNames.includes(lastName(specifier)) && modules.follow(from, specifier, kind) === to;
  const passed: [string, string][] = [];
  let passes = from.stars.some((specifier) => leadsThere(specifier));
  for (const [as, record] of from.exports) {
    const imported = record.kind === "local" ? from.imports.get(record.binding) : undefined;
    const source = record.kind === "local" ? imported : record;
    if (!source || !leadsThere(source.specifier, imported?.kind)) continue;
    passes = true;
    if (source.kind !== "namespace" && source.name !== "*" && source.name !== as) passed.push([source.name, as]);
  }
  return passes ? passed : undefined;
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
