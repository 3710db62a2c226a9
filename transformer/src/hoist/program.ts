/**
 * Edits of the program's own file.
 *
 * Takes a module, its valid sites and the classes that register there. Gives the edits that put stubs in, register classes, and drop the imports that only
 * hoisted code used.
 */
import type * as ts from "typescript";
import type { Edit, FileFormat } from "../core";
import type { ClassInfo } from "../analyze/class-info";
import { type Hoisted, removedRanges } from "../analyze/captures";
import { DEFAULT_NAME, type ImportRecord, type Module } from "../analyze/module";
import type { TaskSite } from "../analyze/sites";
import { contains } from "../analyze/syntax";
import { BLANK_HELPER, classEdits, insertion } from "./classes";
import {
  INTERNAL_IMPORT,
  markingCall,
  markingInBlock,
  markingInClass,
  namePosition,
  preamble,
  remove,
  siteEdits,
  Slots,
  sortEdits,
} from "./stubs";
import { methodsOf, PACKAGE } from "../analyze/sites";

/** A class of another module that this file registers. */
export interface ClassImport {
  specifier: string;
  /** As a member of what the module exports: `.Shapes.Square`. Undefined when the module registers it itself and only has to be loaded. */
  access: string | undefined;
  id: string;
}

export function programEdits(
  module: Module,
  format: FileFormat,
  sites: readonly TaskSite[],
  hoisted: (site: TaskSite) => Hoisted | undefined,
  classes: readonly ClassInfo[],
  classImports: readonly ClassImport[],
  hasToLoad: (record: ImportRecord) => boolean,
): Edit[] {
  const slots = new Slots();
  const removed = sites.flatMap((site) =>
    site.kind === "method" ? [site.fn.body as ts.Node, ...parameterRanges(site)] : removedRanges(site),
  );
  const isRemoved = (node: ts.Node): boolean => removed.some((range) => contains(range, node));
  const shown = sites.filter((site) => !isRemoved(site.kind === "wrapper" ? site.call : site.fn));
  const edits: Edit[] = [];
  for (const site of shown) edits.push(...siteEdits(site, hoisted(site), slots));
  for (const site of shown) {
    if (site.kind !== "tag") continue;
    edits.push(...markingInBlock(site));
    if (!site.fn.name) edits.push(insertion(namePosition(module, site.fn), "name", ` ${DEFAULT_NAME}`));
  }
  const owners = new Set(shown.flatMap((site) => (site.kind === "method" ? [site.owner] : [])));
  for (const owner of owners)
    edits.push(
      ...markingInClass(
        owner,
        methodsOf(shown).filter((site) => site.owner === owner),
      ),
    );
  for (const info of classes) edits.push(...classEdits(module, info));
  const gone = [...removed, ...shown.flatMap(markRanges), ...shown.flatMap(parameterRanges)];
  edits.push(...importEdits(module, gone, hasToLoad));
  const uses = (pattern: RegExp): boolean =>
    edits.some((edit) => edit.parts.some((part) => typeof part === "string" && pattern.test(part)));
  if (!uses(/\b__mp(?:_m\(|\.)/) && classImports.length === 0) return sortEdits(edits);
  const stays = (specifier: string): boolean =>
    [...module.imports].some(
      ([binding, record]) =>
        record.specifier === specifier && binding.references.some((use) => !use.erased && !gone.some((range) => contains(range, use.node))),
    );
  const needed = classImports.filter(({ specifier, access }) => access !== undefined || !stays(specifier));
  edits.push(insertion(headPosition(module), "statements", `${INTERNAL_IMPORT} `));
  const location = format.location ?? (format.module === "esm" ? "import.meta.url" : "__filename");
  // Before the program's own statements: a call of `main()` among them may already send instances or functions. After its imports, whose order stays.
  const marks = shown.flatMap((site) =>
    site.kind === "tag" && site.fn.parent === module.source ? [markingCall(site.fn.name?.text ?? DEFAULT_NAME)] : [],
  );
  const early = [...registrations(needed), ...marks];
  if (early.length > 0) edits.push(insertion(afterImports(module, edits), "statements", `\n${early.join("\n")}\n`));
  // Once more after esbuild's `keepNames`, which names functions where they stand.
  const names = marks.includes(markingCall(DEFAULT_NAME)) ? [markingCall(DEFAULT_NAME)] : [];
  const tail = [preamble(location, format.manifestKey, slots.all), ...(uses(/\b__mp_blank\(/) ? [BLANK_HELPER] : []), ...names];
  edits.push(insertion(module.text.length, "statements", `\n${tail.join("\n")}\n`));
  return sortEdits(edits);
}

/** End of the last import that stays, with names or without, or the head of the file. */
function afterImports(module: Module, edits: readonly Edit[]): number {
  const { ts } = module;
  const isRemoved = (statement: ts.Statement): boolean =>
    edits.some((edit) => edit.kind === "remove" && edit.end === statement.end && edit.start <= statement.getStart(module.source)) &&
    !edits.some((edit) => edit.start === edit.end && edit.start === statement.end);
  const imports = module.source.statements.filter(
    (statement) => (ts.isImportDeclaration(statement) || ts.isImportEqualsDeclaration(statement)) && !isRemoved(statement),
  );
  return imports.at(-1)?.end ?? headPosition(module);
}

function registrations(classImports: readonly ClassImport[]): string[] {
  const namespaces = new Map<string, string>();
  const lines: string[] = [];
  const calls: string[] = [];
  for (const { specifier, access, id } of classImports) {
    if (access === undefined) {
      lines.push(`import ${JSON.stringify(specifier)};`);
      continue;
    }
    let namespace = namespaces.get(specifier);
    if (!namespace) {
      namespace = `__mp_k${namespaces.size}`;
      namespaces.set(specifier, namespace);
      lines.push(`import * as ${namespace} from ${JSON.stringify(specifier)};`);
    }
    // A thunk, because in a circle of imports the class may not exist yet.
    calls.push(`__mp_m().class(() => ${namespace}${access}, ${JSON.stringify(id)});`);
  }
  return [...new Set(lines), ...calls];
}

/** The mark itself goes as well: it no longer needs the import of `parallel`. */
function markRanges(site: TaskSite): ts.Node[] {
  const { ts } = site.module;
  if (site.kind === "tag") return [];
  if (site.kind === "wrapper") return [site.mark];
  const { expression } = site.decorator;
  return [ts.isCallExpression(expression) ? expression.expression : expression];
}

/** Defaults and patterns of a stub's parameters are gone. */
function parameterRanges(site: TaskSite): ts.Node[] {
  if (site.kind === "wrapper") return [];
  const { ts } = site.module;
  return site.fn.parameters.flatMap((parameter): ts.Node[] => {
    if (!ts.isIdentifier(parameter.name)) return [parameter];
    return parameter.initializer ? [parameter.initializer] : [];
  });
}

/**
 * Imports whose every use is in code that left. Imports that were unused before are the host's business. One that a bare import follows stays without its names: what that
 * runs may rest on it, as add-ons of a package do that find it in a global.
 * @param hasToLoad whether the program still imports what the import leads to, without names
 */
function importEdits(module: Module, removed: readonly ts.Node[], hasToLoad: (record: ImportRecord) => boolean): Edit[] {
  const { ts } = module;
  const gone = new Set<ts.Node>();
  const records = new Map<ts.Node, ImportRecord>();
  for (const [binding, record] of module.imports) {
    const uses = binding.references.filter((reference) => !reference.erased);
    const isGone = uses.length > 0 && uses.every((use) => removed.some((range) => contains(range, use.node)));
    if (isGone && !binding.references.some((use) => use.erased && isInMetadata(module, use.node))) gone.add(record.node);
    records.set(record.node, record);
  }
  const edits: Edit[] = [];
  const take = (statement: ts.Statement, name: ts.Node): void => {
    edits.push(remove(statement));
    const record = records.get(name) as ImportRecord;
    const isAwaited = record.specifier !== PACKAGE && module.bareImports.some(({ node }) => node.pos > statement.pos);
    // Data runs nothing that could matter, and Node would not load JSON without its attributes.
    const isData = /\.json$/.test(record.specifier) || (ts.isImportDeclaration(statement) && statement.attributes !== undefined);
    if ((isAwaited && !isData) || hasToLoad(record))
      edits.push(insertion(statement.end, "statements", ` import ${JSON.stringify(record.specifier)};`));
  };
  for (const statement of module.source.statements) {
    if (ts.isImportEqualsDeclaration(statement) && gone.has(statement)) take(statement, statement);
    if (!ts.isImportDeclaration(statement) || !statement.importClause) continue;
    const { importClause } = statement;
    const { namedBindings } = importClause;
    const names: ts.Node[] = importClause.name ? [importClause] : [];
    if (namedBindings) names.push(...(ts.isNamespaceImport(namedBindings) ? [namedBindings] : namedBindings.elements));
    const going = names.filter((node) => gone.has(node));
    if (going.length === 0) continue;
    if (going.length === names.length) take(statement, going[0] as ts.Node);
    else for (const node of going) edits.push(remove(node === importClause ? (importClause.name as ts.Node) : node));
  }
  return edits;
}

/** Whether a type is written where `emitDecoratorMetadata` would emit it as a value: in a class with decorators other than the mark. */
function isInMetadata(module: Module, node: ts.Node): boolean {
  const { ts } = module;
  const marks = new Set<ts.Node>(module.sites.flatMap((site) => (site.kind === "method" ? [site.decorator] : [])));
  const isDecorated = (owner: ts.Node): boolean =>
    ts.canHaveDecorators(owner) && (ts.getDecorators(owner) ?? []).some((decorator) => !marks.has(decorator));
  for (let current = node; !ts.isSourceFile(current); current = current.parent) {
    if (!ts.isClassLike(current)) continue;
    const parameters = current.members.flatMap((member) =>
      ts.isConstructorDeclaration(member) || ts.isMethodDeclaration(member) ? [...member.parameters] : [],
    );
    if ([current, ...current.members, ...parameters].some(isDecorated)) return true;
  }
  return false;
}

/** Its whole line; a byte order mark may stand before it. */
const SHEBANG = /^\ufeff?#!.*(?:\r?\n|$)/;

/** The start of the file, after a shebang or the prologue directives. */
function headPosition(module: Module): number {
  const { ts } = module;
  let position = SHEBANG.exec(module.text)?.[0].length ?? 0;
  for (const statement of module.source.statements) {
    if (!ts.isExpressionStatement(statement) || !ts.isStringLiteral(statement.expression)) break;
    position = statement.end;
  }
  return position;
}
