/**
 * Writes one slice module.
 *
 * Takes a group of units, its imports and its exports. Gives the module's text: the units at their original positions, then imports, exports and what stubs
 * need.
 */
import type * as ts from "typescript";
import type { Edit, SliceModule, TypeScript } from "../core";
import type { Hoisted } from "../analyze/captures";
import type { Binding } from "../analyze/bindings";
import { DEFAULT_NAME, EXPORT_EQUALS_NAME, localName, type Module, type Unit } from "../analyze/module";
import { type MethodSite, methodsOf, type TagSite, type TaskSite } from "../analyze/sites";
import { removedRanges } from "../analyze/captures";
import { contains, isFunctionLike, modifier } from "../analyze/syntax";
import { BLANK_HELPER, classEdits, classExport, insertion, methodsInSlice, taskExport } from "./classes";
import { METADATA_HELPER, metadataEdit, TYPE_HELPER_TEXT } from "./decorator-metadata";
import type { Group } from "./groups";
import { hashOf } from "./ids";
import { renamed, sliceSpecifier } from "./module-names";
import { type PlanInput, SELF_NAME, type SliceImport } from "./plan";
import { constantEdits, loadEdits, memberEdits, placeEdits, rename, renameEdits } from "./rewrites";
import { type MovedPart, SliceText, textOfRange } from "./slice-text";
import {
  INTERNAL_IMPORT,
  markingInSlice,
  namePosition,
  type NameOf,
  preamble,
  rangeOf,
  remove,
  siteEdits,
  Slots,
  sortEdits,
} from "./stubs";

export function renderGroup(
  input: PlanInput,
  group: Group,
  imports: readonly SliceImport[],
  exported: ReadonlyMap<string, string>,
  outsideImport: (unit: Unit) => { text: string },
): SliceModule {
  return new SliceWriter(input, group).write(imports, exported, outsideImport);
}

class SliceWriter {
  private readonly module: Module;
  private readonly slots = new Slots();
  private readonly edits: Edit[] = [];
  /** Those that put a stub in the place of a site. */
  private readonly stubEdits = new Map<TaskSite, readonly Edit[]>();
  private readonly variables: string[] = [];

  constructor(
    private readonly input: PlanInput,
    private readonly group: Group,
  ) {
    this.module = (group.units[0] as Unit).module;
  }

  write(
    imports: readonly SliceImport[],
    exported: ReadonlyMap<string, string>,
    outsideImport: (unit: Unit) => { text: string },
  ): SliceModule {
    const { module, group } = this;
    const units = group.units.filter((unit) => unit.kind !== "import" && unit.kind !== "reexport");
    this.collectEdits(units);
    const text = new SliceText(module.text, this.edits);
    if (module.jsxPragmas !== "") text.generated(`${module.jsxPragmas} `);
    for (const { text: line, inPlace } of imports) if (inPlace) text.generated(`${line} `);
    const pieces = units.flatMap((unit) =>
      unit.kind === "task" ? [{ unit, node: unit.nodes[0] as ts.Node }] : unit.nodes.map((node) => ({ unit, node })),
    );
    pieces.sort((a, b) => a.node.pos - b.node.pos);
    let list: ts.Node | undefined;
    for (const { unit, node } of pieces) {
      if (list && node.parent !== list) text.generated(";");
      if (unit.kind === "task") this.task(text, unit);
      else if (module.ts.isVariableDeclaration(node)) {
        if (node.parent === list) text.generated(",");
        else this.keyword(text, node.parent as ts.VariableDeclarationList);
        text.keep(node.getStart(), node.end);
      } else this.piece(text, node, unit);
      list = module.ts.isVariableDeclaration(node) && unit.kind !== "task" ? node.parent : undefined;
    }
    if (list) text.generated(";");

    const tail: string[] = imports.filter((line) => !line.inPlace).map((line) => line.text);
    // Imports that this module only has so that others can take them from here.
    for (const unit of group.units) {
      const [binding] = unit.bindings;
      if (unit.kind === "import" && binding && exported.has(localName(binding))) {
        const line = outsideImport(unit).text;
        if (!imports.some((other) => other.text === line)) tail.push(line);
      } else if (unit.kind === "reexport" && unit.reexport) tail.push(reexportLine(unit.reexport));
    }
    const names = [...exported].filter(([name]) => !name.startsWith("__mp_from_")).map(([name, local]) => renamed(local, name));
    if (pieces.some(({ node }) => isNamelessClass(module.ts, node) && isDecorated(module, node)))
      tail.push(`import { default as ${DEFAULT_NAME} } from ${sliceSpecifier(group.id)};`);
    if (names.length > 0) tail.push(`export { ${names.sort().join(", ")} };`);
    if (this.variables.length > 0) tail.push(`var ${this.variables.join(", ")};`);
    const draft = text.build(tail.join("\n"), module.file);
    const usesStubs = /\b__mp_m\(\)/.test(draft);
    if (usesStubs) tail.push(preamble("__filename", this.input.manifestKey, this.slots.all));
    if (/\b__mp_blank\(/.test(draft)) tail.push(BLANK_HELPER);
    if (/@__mp_metadata\(/.test(draft)) tail.push(METADATA_HELPER);
    if (/\b__mp_type\(/.test(draft)) tail.push(TYPE_HELPER_TEXT);
    if (usesStubs || /\b__mp\./.test(draft)) tail.unshift(INTERNAL_IMPORT);
    const wholeImports = imports.filter((line) => line.isWhole).map((line) => line.text);
    return {
      id: group.id,
      file: module.file,
      contents: text.build(tail.join("\n"), module.file),
      loader: module.loader,
      ...(wholeImports.length > 0 && { wholeImports }),
      ...(pieces.some(({ node }) => decoratesClasses(module, node)) && { decoratesClasses: true }),
    };
  }

  private collectEdits(units: readonly Unit[]): void {
    const { module, input } = this;
    const parts = units.flatMap((unit) => unit.nodes);
    const within = (node: ts.Node): boolean => parts.some((part) => contains(part, node));
    const tasks = units.filter((unit) => unit.kind === "task");
    const own = new Set(tasks.map((unit) => unit.site));
    const inside = input.sitesOf(module).filter((site) => !own.has(site) && !site.invalid && within(siteNode(site)));
    const removed = inside.filter((site) => site.kind !== "method").flatMap(removedRanges);
    const shown = inside.filter((site) => !removed.some((range) => contains(range, siteNode(site))));
    const { edits } = this;

    edits.push(...placeEdits(module).filter((edit) => parts.some((part) => part.pos <= edit.start && edit.end <= part.end)));
    edits.push(...constantEdits(module, within));
    edits.push(...memberEdits(input.graph, units));
    edits.push(...loadEdits(input.graph, module, within));
    const renames = new Map(tasks.flatMap((unit) => [...(input.hoisted(unit.site as TaskSite) as Hoisted).renames]));
    const nameOf = (binding: { name: string }): string => renames.get(binding as never) ?? binding.name;
    for (const site of shown) {
      if (site.kind === "method") continue;
      const stub = [...siteEdits(site, input.hoisted(site), this.slots, nameOf), ...this.marking(site, nameOf)];
      this.stubEdits.set(site, stub);
      edits.push(...stub);
    }
    for (const unit of tasks) this.taskEdits(unit, removed);

    for (const info of input.classes) {
      if (info.module !== module || !within(info.node)) continue;
      edits.push(...classEdits(module, info));
      if (info.binding === info.root) continue;
      const name = classExport(info.id);
      edits.push(insertion(info.node.end - 1, "members", `; static { ${name} = this; } `));
      this.variables.push(name);
    }
    const methods = new Map<ts.ClassLikeDeclaration, MethodSite[]>();
    for (const site of methodsOf(shown)) methods.set(site.owner, [...(methods.get(site.owner) ?? []), site]);
    for (const [owner, sites] of methods) {
      const textOf = (node: ts.Node): string => textOfRange(module.text, edits, node.getStart(), node.end);
      edits.push(...methodsInSlice(module, owner, sites, this.slots, textOf, input.standardDecorators === "typescript"));
      for (const site of sites) this.variables.push(taskExport(site.id));
    }
    const inClass = input.sitesOf(module).filter((site) => !site.invalid && within(siteNode(site)) && input.hoisted(site)?.privateOwner);
    for (const site of inClass) this.taskInClass(site, input.hoisted(site) as Hoisted);
    for (const part of parts) this.declarationEdits(part);
    edits.push(...module.metadata(within).map((element) => metadataEdit(element, nameOf)));
    sortEdits(edits);
  }

  /** Without `export`, and with a name where the module's default has none. */
  private declarationEdits(node: ts.Node): void {
    const { ts } = this.module;
    if (
      !ts.isFunctionDeclaration(node) &&
      !ts.isClassDeclaration(node) &&
      !ts.isEnumDeclaration(node) &&
      !ts.isModuleDeclaration(node) &&
      !ts.isImportEqualsDeclaration(node)
    )
      return;
    for (const kind of [ts.SyntaxKind.ExportKeyword, ts.SyntaxKind.DefaultKeyword]) {
      const keyword = modifier(ts, node, kind);
      if (keyword) this.edits.push(remove(keyword));
    }
    if (ts.isFunctionDeclaration(node) && !node.name)
      this.edits.push(insertion(namePosition(this.module, node), "name", ` ${DEFAULT_NAME}`));
  }

  /** References in a task's code that mean something else by their name alone. */
  private taskEdits(unit: Unit, removed: readonly ts.Node[]): void {
    const { module, edits } = this;
    const site = unit.site as TaskSite;
    const hoisted = this.input.hoisted(site) as Hoisted;
    const shown = (node: ts.Node): boolean => !removed.some((range) => contains(range, node));
    const shownEdits = (list: Edit[]): Edit[] =>
      list.filter((edit) => !removed.some((range) => range.pos <= edit.start && edit.end <= range.end));
    edits.push(...shownEdits(renameEdits(module, hoisted.parts, hoisted.renames)));
    edits.push(...shownEdits(renameEdits(module, hoisted.parts, hoisted.qualified)));
    if (site.kind !== "tag") return;
    for (const reference of hoisted.references) {
      if (reference.binding?.declarations.includes(site.fn) && shown(reference.node)) edits.push(rename(module, reference.node, SELF_NAME));
    }
  }

  private keyword(text: SliceText, list: ts.VariableDeclarationList): void {
    text.keep(list.getStart(), (list.declarations[0] as ts.Node).pos).generated(" ");
  }

  private piece(text: SliceText, node: ts.Node, unit: Unit): void {
    const { ts } = this.module;
    if (ts.isExportAssignment(node)) {
      const name = node.isExportEquals ? EXPORT_EQUALS_NAME : DEFAULT_NAME;
      text.generated(`const ${name} = { default: `).keep(node.expression.getStart(), node.expression.end).generated(" }.default;");
      return;
    }
    if (isNamelessClass(ts, node) && isDecorated(this.module, node)) {
      // Legacy decorators stand in declarations only, so that the class takes its name as in the program. What refers to it imports it from here.
      text.generated("export default ").keep(node.getStart(), node.end).generated(";");
      return;
    }
    if (isNamelessClass(ts, node) && unit.kind === "declaration") {
      text.generated(`const ${DEFAULT_NAME} = { default: `).keep(node.getStart(), node.end).generated(" }.default;");
      return;
    }
    text.keep(node.getStart(), node.end);
    if (!/[;}]$/.test(this.module.text.slice(node.getStart(), node.end))) text.generated(";");
    // Its `name` stays what the program's is. It can't be made by an expression that would give it: it is hoisted.
    if (ts.isFunctionDeclaration(node) && !node.name && node.body && unit.kind === "declaration")
      text.generated(` Object.defineProperty(${DEFAULT_NAME}, "name", { value: "default" });`);
  }

  private task(text: SliceText, unit: Unit): void {
    const { ts } = this.module;
    const site = unit.site as TaskSite;
    const hoisted = this.input.hoisted(site) as Hoisted;
    const { fn } = hoisted;
    const name = taskExport(site.id);
    if (!isFactory(hoisted) && ts.isFunctionDeclaration(fn)) {
      if (!fn.name) this.addName(fn, name);
      text.keep(fn.getStart(), fn.end);
      return;
    }
    text.parts([`const ${name} = `, ...this.taskParts(site, hoisted), ";"]);
  }

  /** The task's function as an expression, alone or in a factory that binds what it captures. */
  private taskParts(site: TaskSite, hoisted: Hoisted): (string | MovedPart)[] {
    const { ts } = this.module;
    const { fn, parts, captures, capturesThis, renames } = hoisted;
    if (!isFactory(hoisted)) return ts.isFunctionDeclaration(fn) ? ["(", rangeOf(fn), ")"] : this.named(site, fn);
    const parameters = captures.map(({ binding }) => renames.get(binding) ?? binding.name);
    const open = capturesThis ? `(${["__mp_this", ...parameters].join(", ")}) { return (function () {` : `(${parameters.join(", ")}) {`;
    const written: (string | MovedPart)[] = [`function ${open} let __mp_result; `];
    for (const part of parts) {
      if (part === fn && !ts.isFunctionDeclaration(fn)) written.push("__mp_result = ", ...this.named(site, fn), "; ");
      else if (ts.isVariableDeclaration(part)) written.push("const ", rangeOf(part), "; ");
      else {
        written.push(rangeOf(part), " ");
        if (part === fn)
          written.push(
            `__mp_result = ${renames.get(this.module.scopes.declared.get(fn) as Binding) ?? (fn as ts.FunctionDeclaration).name?.text}; `,
          );
      }
    }
    written.push(capturesThis ? "return __mp_result; }).call(__mp_this); }" : "return __mp_result; }");
    return written;
  }

  /** A task whose code uses the class's private names: a copy of it stands in a static block of the class, as the task's function. */
  private taskInClass(site: TaskSite, hoisted: Hoisted): void {
    const { module, edits } = this;
    const nested = this.input
      .sitesOf(module)
      .filter((other) => other !== site && other.kind !== "method" && hoisted.parts.some((part) => contains(part, siteNode(other))));
    const removed = nested.flatMap(removedRanges);
    const shown = (node: ts.Node): boolean => !removed.some((range) => contains(range, node));
    const nameOf = (binding: Binding): string => hoisted.renames.get(binding) ?? binding.name;
    const stubs = nested
      .filter((other) => shown(siteNode(other)))
      .flatMap((other) => [...siteEdits(other, this.input.hoisted(other), this.slots, nameOf), ...this.marking(other, nameOf)]);
    const names = [...renameEdits(module, hoisted.parts, hoisted.renames), ...renameEdits(module, hoisted.parts, hoisted.qualified)];
    const visible = names.filter((edit) => !removed.some((range) => range.pos <= edit.start && edit.end <= range.end));
    // The copy is the function itself.
    const itself = this.stubEdits.get(site) ?? [];
    const own = [...edits.filter((edit) => !itself.includes(edit)), ...stubs, ...visible];
    const inside = sortEdits(own).filter((edit) => edit.start !== edit.end || stubs.includes(edit));
    const parts = this.taskParts(site, hoisted).map((part) => (typeof part === "string" ? part : { ...part, edits: inside }));
    const name = taskExport(site.id);
    const position = (hoisted.privateOwner as ts.ClassLikeDeclaration).end - 1;
    edits.push({ start: position, end: position, kind: "members", parts: [`; static { ${name} = `, ...parts, "; } "] });
    this.variables.push(name);
  }

  private marking(site: TaskSite, nameOf: NameOf): Edit[] {
    const name = ({ fn }: TagSite): string => (fn.name ? nameOf(this.module.scopes.declared.get(fn) as Binding) : DEFAULT_NAME);
    return markingInSlice(site, name);
  }

  private addName(fn: ts.FunctionDeclaration, name: string): void {
    const edit = this.edits.find(
      (candidate) =>
        candidate.start === candidate.end &&
        candidate.parts[0] === ` ${DEFAULT_NAME}` &&
        fn.pos <= candidate.start &&
        candidate.end <= fn.end,
    );
    if (edit) edit.parts[0] = ` ${name}`;
  }

  /** An anonymous function takes its name from what it is assigned to: here, the name that the program gives it. */
  private named(site: TaskSite, fn: ts.Node): (string | MovedPart)[] {
    const { ts } = this.module;
    const anonymous = isFunctionLike(ts, fn) && (ts.isArrowFunction(fn) || (ts.isFunctionExpression(fn) && !fn.name));
    if (!anonymous) return [rangeOf(fn)];
    const key = JSON.stringify(site.name === "(anonymous)" ? "" : site.name);
    return [`{ ${key}: `, rangeOf(fn), ` }[${key}]`];
  }
}

function isFactory({ captures, capturesThis, parts }: Hoisted): boolean {
  return captures.length > 0 || capturesThis || parts.length > 1;
}

function isNamelessClass(ts: TypeScript, node: ts.Node): node is ts.ClassDeclaration {
  return ts.isClassDeclaration(node) && !node.name;
}

function decoratesClasses({ ts, text }: Module, node: ts.Node): boolean {
  if (!text.slice(node.pos, node.end).includes("@")) return false;
  const visit = (inner: ts.Node): boolean =>
    (ts.isClassLike(inner) && ts.getDecorators(inner) !== undefined) ||
    (ts.forEachChild(inner, (child) => visit(child) || undefined) ?? false);
  return visit(node);
}

/** Those of task methods do not count: they are gone in a slice. */
function isDecorated({ ts, sites }: Module, node: ts.ClassDeclaration): boolean {
  const has = (part: ts.Node): boolean => ts.canHaveDecorators(part) && ts.getDecorators(part) !== undefined;
  const inMember = (member: ts.ClassElement): boolean => has(member) || ((member as ts.MethodDeclaration).parameters ?? []).some(has);
  return (
    has(node) || node.members.some((member) => !sites.some((site) => site.kind === "method" && site.fn === member) && inMember(member))
  );
}

function siteNode(site: TaskSite): ts.Node {
  return site.kind === "wrapper" ? site.call : site.fn;
}

function reexportLine({ specifier, name }: { specifier: string; name: string }): string {
  const local = `__mp_from_${hashOf(`${specifier}\0${name}`)}`;
  return name === "*"
    ? `export * as ${local} from ${JSON.stringify(specifier)};`
    : `export { ${renamed(name, local)} } from ${JSON.stringify(specifier)};`;
}
