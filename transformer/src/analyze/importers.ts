/**
 * Modules that may change what another one declares: those that import it, or a module that passes its names on.
 *
 * Takes a module. Gives the modules of the program, as far as the host knows them, whose text has one of its names where it could be changed. Others are not even parsed.
 */
import type { Module } from "./module";
import type { Modules } from "./resolve";

const PASSES_ON = /\bexport\s*(?:\*|\{[^}]*\}\s*from\b)/;

export function possibleChangersOf(modules: Modules, module: Module): Module[] {
  const found = new Set<Module>();
  const seen = new Set<Module>([module]);
  const queue = [module];
  const mayChange = namesOf(module);
  for (let current = queue.pop(); current; current = queue.pop()) {
    for (const file of modules.importersOf(current.file)) {
      const text = modules.textOf(file);
      if (text === undefined || !(PASSES_ON.test(text) || mayChange?.test(text))) continue;
      const other = modules.get(file);
      if (!other || other.opaque || other === module) continue;
      if (mayChange?.test(text)) found.add(other);
      if (seen.has(other) || !passesOn(modules, other, current)) continue;
      seen.add(other);
      queue.push(other);
    }
  }
  return [...found];
}

/** A text that changes one of the module's exports: `table.set(…)`, `config["level"] = 2`, `import { table as t }`. A default export may have any name. */
function namesOf(module: Module): RegExp | undefined {
  const names: string[] = [];
  for (const [name, record] of module.exports) {
    if (record.kind !== "local" || !record.binding.value) continue;
    if (name === "default" || name === "export=") return /./;
    names.push(name.replace(/\$/g, "\\$"));
  }
  return names.length === 0 ? undefined : new RegExp(`(?<![\\w$])(?:${names.join("|")})\\s*(?:[.[=!?)]|as\\b)`);
}

function passesOn(modules: Modules, from: Module, to: Module): boolean {
  const specifiers = new Set(from.stars);
  for (const record of from.exports.values()) if (record.kind !== "local") specifiers.add(record.specifier);
  return [...specifiers].some((specifier) => modules.follow(from, specifier) === to);
}
