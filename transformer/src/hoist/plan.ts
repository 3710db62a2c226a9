/**
 * The slices of a build.
 *
 * Takes the tasks and classes of all analyzed files. Gives virtual modules, one a group of units (see groups.ts), linked by imports between them, and says
 * which of them exports each task and class.
 */
import type { SliceModule, SlicePlan, TaskRecord } from "../core";
import type { Binding } from "../analyze/bindings";
import { type Graph, unitsRunIn } from "../analyze/graph";
import { type BareImport, localName, type Module, type Unit } from "../analyze/module";
import { type Modules, type Namespace, type Target, type Thing, thingOf } from "../analyze/resolve";
import type { TaskSite } from "../analyze/sites";
import type { ClassInfo } from "../analyze/class-info";
import type { Hoisted } from "../analyze/captures";
import { classExport, taskExport } from "./classes";
import { Circles } from "./circles";
import { type Group, groupUnits, type Root } from "./groups";
import { hashOf } from "./ids";
import { exportName, idOfLoaded, renamed, sliceSpecifier } from "./module-names";
import { renderGroup } from "./render-slice";

export interface PlanInput {
  readonly graph: Graph;
  readonly modules: Modules;
  readonly tasks: readonly { site: TaskSite; record: TaskRecord }[];
  readonly classes: readonly ClassInfo[];
  readonly hoisted: (site: TaskSite) => Hoisted | undefined;
  readonly sitesOf: (module: Module) => readonly TaskSite[];
  readonly manifestKey: string;
  /** As in {@link Host}. */
  readonly standardDecorators?: "typescript";
}

/** One import of a slice module, from another slice module or from outside. */
export interface SliceImport {
  /** Sorts imports as the program has them. */
  readonly order: number;
  readonly text: string;
  /** `import x = require()`: runs where it stands, so it has to come first. */
  readonly inPlace: boolean;
  /** `import * as x from "y"`, of a module from outside. */
  readonly isWhole?: boolean;
  /** What of the slices it imports from. */
  readonly from?: Group | Facade;
}

/** A module for `import * as`. */
interface Facade {
  readonly module: SliceModule;
  readonly imported: (Group | Facade)[];
}

export function planSlices(input: PlanInput): SlicePlan {
  return new Planner(input).plan();
}

class Planner {
  private readonly exports = new Map<Group, Map<string, string>>();
  private readonly facades = new Map<string, Facade>();
  /** Slice modules that hold one bare import, by id. */
  private readonly effects = new Map<string, SliceModule>();
  private groups = new Map<Unit, Group>();
  /** Slice modules that run a module of the project as a whole, by id. */
  private readonly whole = new Map<string, SliceModule>();
  private circles: Circles;

  constructor(private readonly input: PlanInput) {
    this.circles = new Circles([], input.graph, input.modules);
  }

  plan(): SlicePlan {
    const { graph, tasks, classes } = this.input;
    const roots: Root[] = [];
    const plan: SlicePlan = { modules: new Map(), entries: [], classes: new Map(), effects: [], diagnostics: [] };
    for (const { site } of tasks) {
      const unit = graph.unitOf(site);
      if (!unit) continue;
      roots.push({ key: `task:${site.id}`, unit });
    }
    for (const info of classes) {
      const unit = info.module.unitOf.get(info.root);
      if (unit) roots.push({ key: `class:${info.id}`, unit });
    }
    const { groups, circles } = groupUnits(graph, roots);
    this.groups = groups;
    this.circles = new Circles(circles, graph, this.input.modules);

    for (const { site, record } of tasks) {
      const unit = graph.unitOf(site);
      const group = unit && this.groups.get(unit);
      if (!group) continue;
      const name = taskExport(site.id);
      this.demand(group, name, this.taskLocal(site, name));
      plan.entries.push({ task: record, module: group.id, export: name, before: this.circles.ways([group]) });
    }
    for (const info of classes) {
      const unit = info.module.unitOf.get(info.root);
      const group = unit && this.groups.get(unit);
      if (!group) continue;
      const name = info.binding === info.root ? localName(info.binding) : classExport(info.id);
      this.demand(group, name, name);
      const before = this.circles.ways([group]);
      plan.classes.set(info.id, { module: group.id, export: name, before, ...(info.widened && { optional: true as const }) });
    }

    const all = new Set(this.groups.values());
    const imports = new Map<Group, SliceImport[]>();
    for (const group of all)
      if (group.units.some((unit) => unit.kind !== "import" && unit.kind !== "reexport")) imports.set(group, this.importsOf(group));
    for (const group of all) {
      const exported = this.exports.get(group);
      const own = imports.get(group);
      if (!own && !exported) continue;
      const module = renderGroup(this.input, group, this.withWays(group, own ?? []), exported ?? new Map(), outsideImport);
      plan.modules.set(module.id, module);
    }
    for (const { module, imported } of this.facades.values()) {
      const lines = this.circles.ways(this.groupsBehind(imported)).map((id) => `import ${sliceSpecifier(id)};\n`);
      plan.modules.set(module.id, { ...module, contents: lines.join("") + module.contents });
    }
    for (const gate of this.circles.gates()) plan.modules.set(gate.id, gate);
    for (const [id, module] of [...this.whole, ...this.effects]) plan.modules.set(id, module);
    plan.effects = [...this.effects.keys()].sort();
    return plan;
  }

  /** The imports of a group, and before them those that let circles run in their order. */
  private withWays(group: Group, imports: readonly SliceImport[]): SliceImport[] {
    const imported = this.groupsBehind(imports.flatMap(({ from }) => from ?? []));
    const ways = this.circles.first(group, imported).map((id) => ({ order: -1, inPlace: false, text: `import ${sliceSpecifier(id)};` }));
    // What is imported for its effect alone comes before the circles that the module imports later.
    const later = imports.findIndex(({ from }) => from !== undefined);
    const split = later < 0 ? imports.length : later;
    return [...imports.slice(0, split), ...ways, ...imports.slice(split)];
  }

  /** Groups, and those that facades lead to. */
  private groupsBehind(sources: readonly (Group | Facade)[]): Set<Group> {
    const found = new Set<Group>();
    const seen = new Set(sources);
    for (const source of seen) {
      if ("units" in source) found.add(source);
      else source.imported.forEach((each) => seen.add(each));
    }
    return found;
  }

  /** What the task's function is called in its slice module. */
  private taskLocal(site: TaskSite, name: string): string {
    const hoisted = this.input.hoisted(site);
    const own = site.kind === "tag" && hoisted && hoisted.captures.length === 0 && !hoisted.capturesThis && hoisted.parts.length === 1;
    return own ? (site.fn.name?.text ?? name) : name;
  }

  private demand(group: Group, exported: string, local: string): void {
    const known = this.exports.get(group);
    if (known) known.set(exported, local);
    else this.exports.set(group, new Map([[exported, local]]));
  }

  private importsOf(group: Group): SliceImport[] {
    const { graph } = this.input;
    const imports = new Map<string, SliceImport>();
    const members = membersInAll(graph, group);
    for (const unit of group.units) {
      for (const dependency of graph.dependencies(unit)) {
        const { binding, target } = dependency;
        const isSelf = unit.site?.kind === "tag" && binding.declarations.includes(unit.site.fn);
        const local = isSelf ? SELF_NAME : binding.name;
        const added = this.link(group, local, binding.declarations[0]?.pos ?? 0, target, members.get(binding));
        if (added) imports.set(local, added);
      }
      for (const { given } of graph.loadsOf(unit)) this.load(given);
      for (const effect of this.effectsWith(unit)) {
        const other = this.groups.get(effect);
        if (!other || other === group) continue;
        const text = `import ${sliceSpecifier(other.id)};`;
        imports.set(`\0${other.id}`, { order: effect.nodes[0]?.pos ?? 0, inPlace: false, text, from: other });
      }
    }
    const { module } = group.units[0] as Unit;
    for (const bare of new Set(group.units.flatMap((unit) => graph.bareImportsBefore(unit)))) {
      const other = this.input.modules.follow(module, bare.specifier);
      const effect = other ? this.runWhole(other) : this.effectOnly(module, bare);
      this.effects.set(effect.id, effect);
      imports.set(`\0${bare.specifier}`, { order: bare.node.pos, inPlace: false, text: `import ${sliceSpecifier(effect.id)};` });
    }
    return [...imports.values()].sort((a, b) => a.order - b.order || (a.text < b.text ? -1 : 1));
  }

  /**
   * The slice module of a bare import: one of its own, so that it can run before what others share. What the file imports of the same package before it comes first, because
   * add-ons find their package in a global.
   */
  private effectOnly(module: Module, { specifier, node: { pos, end } }: BareImport): SliceModule {
    const { path, file, text, loader } = module;
    const id = `${path}#${hashOf(`import ${specifier}`)}`;
    const before = [...module.imports].flatMap(([{ references }, record]) =>
      record.node.pos < pos && packageIn(record.specifier) === packageIn(specifier) && references.some((use) => !use.erased)
        ? `import ${JSON.stringify(record.specifier)}; `
        : [],
    );
    const contents = `${text.slice(0, pos).replace(/[^\r\n]/g, " ")}${[...new Set(before)].join("")}${text.slice(pos, end)}\n`;
    return { id, file, contents, loader };
  }

  /** Makes the slice module that `import()` gives: it runs all of the module, as the program does. */
  private load(given: Namespace): void {
    const id = idOfLoaded(given);
    if (this.facades.has(id)) return;
    const facade = this.facade(given, "all");
    const contents = `import ${sliceSpecifier(this.runWhole(given.module).id)};\n${facade.module.contents}`;
    this.facades.set(id, { module: { ...facade.module, id, contents }, imported: facade.imported });
  }

  /** The slice module that runs a module after what it imports, as the program does, from the same slices that have the names of these modules. */
  private runWhole(module: Module): SliceModule {
    const id = `${module.path}#${hashOf("whole")}`;
    const known = this.whole.get(id);
    if (known) return known;
    const whole: SliceModule = { id, file: module.file, contents: "", loader: "js" };
    this.whole.set(id, whole);
    const before = module.importsAtRunTime.flatMap(({ specifier, kind }) => {
      const other = this.input.modules.follow(module, specifier, kind);
      if (other) return this.runWhole(other).id;
      const bare = module.bareImports.find((each) => each.specifier === specifier);
      if (!bare) return [];
      const effect = this.effectOnly(module, bare);
      this.effects.set(effect.id, effect);
      return effect.id;
    });
    const own = unitsRunIn(module).sort((a, b) => (a.nodes[0]?.pos ?? 0) - (b.nodes[0]?.pos ?? 0));
    const groups = new Set(own.flatMap((unit) => this.groups.get(unit) ?? []));
    const ids = [...before, ...this.circles.ways(groups), ...[...groups].map((group) => group.id)];
    whole.contents = ids.map((each) => `import ${sliceSpecifier(each)};\n`).join("");
    return whole;
  }

  /** Statements that have to run before a unit's code and that nothing in it names: by their author's wish, or since they set up what it imports. */
  private effectsWith(unit: Unit): Unit[] {
    const imported = this.input.graph.dependencies(unit).flatMap((dependency) => this.input.graph.unitsOf(dependency));
    const setUp = imported.flatMap((needed) => (needed.kind === "import" ? this.input.graph.setUpOf(needed) : []));
    if (unit.kind === "import" || unit.kind === "reexport") return [];
    return [...unit.module.included, ...setUp, ...this.input.graph.effectsBefore(unit)];
  }

  /** Makes `local` mean the target in a module of the group. */
  private link(
    group: Group,
    local: string,
    order: number,
    target: Target,
    members: Set<string> | "all" | undefined,
  ): SliceImport | undefined {
    const module = (group.units[0] as Unit).module;
    if (target.kind === "external" && target.unit.kind === "import" && target.unit.module === module)
      return { order, ...outsideImport(target.unit) };
    if (target.kind === "namespace") {
      const facade = this.facade(target, members ?? "all");
      return { order, inPlace: false, text: `import * as ${local} from ${sliceSpecifier(facade.module.id)};`, from: facade };
    }
    if (target.kind === "declared" && localName(target.binding) === local && this.groupOf(target) === group) return undefined;
    // What is exported as a whole has the name of its member here: see memberEdits.
    const exported = this.exported(thingOf(target));
    if (!exported) return undefined;
    // Other parts of the same file come after what the file imports.
    const same = target.kind === "declared" && target.module === module;
    return {
      order: same ? order + module.text.length : order,
      inPlace: false,
      text: `import { ${renamed(exported.name, local)} } from ${sliceSpecifier(exported.group.id)};`,
      from: exported.group,
    };
  }

  /** The group that exports a target, and the name; the export is noted. */
  private exported(target: Thing): { group: Group; name: string } | undefined {
    const unit = unitOf(target);
    const group = unit && this.groups.get(unit);
    if (!unit || !group) return undefined;
    const name = target.binding ? localName(target.binding) : `__mp_from_${hashOf(`${unit.reexport?.specifier}\0${unit.reexport?.name}`)}`;
    this.demand(group, name, name);
    return { group, name };
  }

  private groupOf(target: Thing): Group | undefined {
    const unit = unitOf(target);
    return unit && this.groups.get(unit);
  }

  /** A module that has the given exports of a project module, for `import * as`. */
  private facade(namespace: Namespace, members: Set<string> | "all"): Facade {
    const { modules } = this.input;
    const { module, isCommonJs } = namespace;
    const all = members === "all";
    const exportable = modules.namesIn(namespace);
    const names = [...(all ? exportable.names : members)].sort();
    const id = `${module.path}#${isCommonJs ? "cjs-" : ""}${all ? "all" : hashOf(names.join("\0"))}`;
    const known = this.facades.get(id);
    if (known) return known;
    const lines: string[] = [];
    const facade: Facade = { module: { id, file: module.file, contents: "", loader: "js" }, imported: [] };
    this.facades.set(id, facade);
    for (const name of names) {
      const target = modules.member(namespace, name);
      if (!target) continue;
      if (target.kind === "namespace") {
        const inner = this.facade(target, "all");
        facade.imported.push(inner);
        lines.push(`export * as ${exportName(name)} from ${sliceSpecifier(inner.module.id)};`);
        continue;
      }
      const exported = this.exported(thingOf(target));
      if (!exported) continue;
      facade.imported.push(exported.group);
      if (target.kind === "member") {
        const whole = `__mp_whole_${lines.length}`;
        lines.push(
          `import { ${renamed(exported.name, whole)} } from ${sliceSpecifier(exported.group.id)};`,
          `const ${whole}_member = ${whole}[${JSON.stringify(target.name)}];`,
          `export { ${renamed(`${whole}_member`, name)} };`,
        );
        continue;
      }
      lines.push(`export { ${renamed(exported.name, name)} } from ${sliceSpecifier(exported.group.id)};`);
    }
    if (all) {
      for (const outside of exportable.outside)
        if (outside.module === module) lines.push(`export * from ${JSON.stringify(outside.specifier)};`);
    }
    facade.module.contents = `${lines.join("\n")}\n`;
    return facade;
  }
}

/** What the units of a group together use of each namespace: one import serves them all. */
function membersInAll(graph: Graph, group: Group): Map<Binding, Set<string> | "all"> {
  const found = new Map<Binding, Set<string> | "all">();
  for (const { binding, members } of group.units.flatMap((unit) => graph.dependencies(unit))) {
    if (!members) continue;
    const known = found.get(binding);
    if (known === "all" || members === "all") found.set(binding, "all");
    else found.set(binding, new Set([...(known ?? []), ...members]));
  }
  return found;
}

function unitOf(target: Thing): Unit | undefined {
  return target.kind === "external" ? target.unit : target.module.unitOf.get(target.binding);
}

/** What a tagged function's own name, used for anything but a call, is in its slice: the stub. */
export const SELF_NAME = "__mp_self";

/** The import statement of one name from outside the project, as the module has it. */
function outsideImport(unit: Unit): { text: string; inPlace: boolean; isWhole?: boolean } {
  const { module } = unit;
  const binding = unit.bindings[0];
  if (!binding) return { text: "", inPlace: false };
  const record = module.imports.get(binding);
  if (!record) return { text: "", inPlace: false };
  const { ts } = module;
  const from = JSON.stringify(record.specifier);
  if (record.name === "=") return { text: `import ${binding.name} = require(${from});`, inPlace: true };
  let declaration = record.node;
  while (!ts.isImportDeclaration(declaration)) declaration = declaration.parent;
  const attributes = declaration.attributes ? ` ${declaration.attributes.getText()}` : "";
  const name = binding.name;
  let clause = `{ ${renamed(record.name, name)} }`;
  if (record.name === "*") clause = `* as ${name}`;
  else if (record.name === "default" && ts.isImportClause(record.node)) clause = name;
  return { text: `import ${clause} from ${from}${attributes};`, inPlace: false, isWhole: record.name === "*" && attributes === "" };
}

/** The package that a specifier names, or the path that it is. */
function packageIn(specifier: string): string {
  return /^(?:@[^/]+\/)?[^./][^/]*/.exec(specifier)?.[0] ?? specifier;
}
