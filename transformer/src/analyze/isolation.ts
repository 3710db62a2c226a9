/**
 * Checks that a task keeps to itself: what runs in another thread has its own copy of everything.
 *
 * Takes a site and what it reaches. Reports writes that would be lost (errors in the task's own code, warnings in what it calls), reads of what changes
 * elsewhere, and top-level calls that do not come along.
 */
import type * as ts from "typescript";
import type { TypeScript } from "../core";
import type { Reporter } from "../diagnostics/report";
import { assignsBySetter, changeOfThis, sharedThing } from "./capture-rules";
import type { Hoisted } from "./captures";
import type { ForeignChange } from "./foreign-changes";
import { functionsIn } from "./function-fields";
import type { Graph } from "./graph";
import type { Module, Unit } from "./module";
import { assignedNamespaceVariables, namespaceMembersUsed, type NamespaceVariable } from "./namespace-variables";
import { remembered } from "./remembered";
import type { Modules, Target } from "./resolve";
import type { Binding, Reference } from "./bindings";
import { changedByResult, changesForCertain, isHarmless, maySetUp, packageName, setUpCall, type SetUpCall } from "./set-up-calls";
import type { MethodSite, TaskSite } from "./sites";
import { StatefulThings } from "./stateful-calls";
import { assignedStaticFields, isReached, membersUsed, namesUsed, type NamesUsed, type StaticField } from "./static-fields";
import {
  accessedName,
  contains,
  forEachThis,
  hasModifier,
  isAccess,
  isContainer,
  runsAtTopLevel,
  subjectOf,
  unwrap,
  useOf,
  wrapped,
  writtenAccess,
} from "./syntax";

export interface Reach {
  readonly site: TaskSite;
  readonly hoisted: Hoisted | undefined;
  readonly units: Set<Unit>;
}

interface Slice {
  modules: ReadonlySet<Module>;
  changes: ReadonlyMap<Binding, readonly ForeignChange[]>;
}

export class Isolation {
  /** Modules outside of slices that warnings come from. */
  readonly consulted = new Set<Module>();
  private readonly reported = new Set<unknown>();
  private readonly slices = new Map<ReadonlySet<Unit>, Slice>();
  private readonly staticFields = new Map<Binding, StaticField[]>();
  private readonly namespaceVariables = new Map<Binding, NamespaceVariable[]>();
  private readonly names = new Map<ts.Node, NamesUsed>();
  private readonly stateful: StatefulThings;

  constructor(
    private readonly graph: Graph,
    private readonly modules: Modules,
    private readonly report: Reporter,
  ) {
    this.stateful = new StatefulThings(modules);
  }

  /** Assignments to the module's bindings in the task's own code. Call it for every site before `check`, which only reads on. */
  checkOwnCode(site: TaskSite, hoisted: Hoisted | undefined): void {
    const { module } = site;
    const method = site.kind === "method" ? [...site.fn.parameters, site.fn.body as ts.Block] : [site.fn];
    for (const part of hoisted?.parts ?? method) {
      for (const reference of module.references(part)) {
        const { binding } = reference;
        if (!binding || binding.ambient || binding.scope.kind !== "module") continue;
        const use = useOf(module.ts, reference.node);
        if (use === "read") continue;
        const target = this.modules.target(module, binding);
        if (target?.kind !== "declared" || (target.binding.kind === "function" && use !== "write")) continue;
        if (use === "call" && !isContainer(module.ts, target.binding.declarations[0])) continue;
        site.invalid = true;
        this.reported.add(target.binding);
        this.report.add(
          use === "write" ? "MP1010" : "MP1011",
          reference.node,
          { task: site.name, name: binding.name },
          declarationOf(target.binding),
        );
      }
    }
    if (site.kind === "method") this.checkThis(site);
  }

  /** Everything that the task reaches. */
  check({ site, units }: Reach): void {
    for (const unit of units) {
      for (const dependency of this.graph.dependencies(unit)) {
        if (dependency.target.kind === "declared") this.checkBinding(site, unit, units, dependency.target, dependency.reference);
      }
      for (const reference of this.graph.references(unit)) {
        const binding = reference.binding as Binding;
        this.checkImport(site, unit, binding, reference);
        if (unit.kind !== "task" && unit.bindings.includes(binding))
          this.checkBinding(site, unit, units, { kind: "declared", module: unit.module, binding }, reference);
      }
    }
    this.checkRequires(site, units);
    this.checkStaticFields(site, units);
    this.checkNamespaceVariables(site, units);
    for (const module of new Set([...units].map((unit) => unit.module))) {
      this.checkCalls(site, module, units);
      this.checkStatefulCalls(site, module, units);
    }
  }

  /** Files of the project that `require()` gives beside the slices, where both have code of a module. */
  private checkRequires(site: TaskSite, units: ReadonlySet<Unit>): void {
    for (const unit of units) {
      for (const { specifier, copied } of this.graph.requiresOf(unit)) {
        const both = [...this.sliceOf(site, units).modules].find((module) => copied.has(module));
        if (!both || this.reported.has(specifier)) continue;
        this.reported.add(specifier);
        this.report.add("MP2009", specifier.parent, { task: readerOf(site, unit), specifier: specifier.text, file: both.path });
      }
    }
  }

  /** Names that the module they are imported from does not have. */
  private checkImport(site: TaskSite, { module, ...unit }: Unit, binding: Binding, reference: Reference): void {
    const record = module.imports.get(binding);
    if (!record || this.reported.has(binding) || this.modules.target(module, binding)) return;
    if (!this.modules.follow(module, record.specifier, record.kind)) return;
    this.reported.add(binding);
    const isDefault = record.name === "default";
    this.report.add(
      "MP1019",
      reference.node,
      { task: readerOf(site, unit), name: isDefault ? binding.name : record.name, specifier: record.specifier },
      [{ node: record.node, message: `\`${binding.name}\` is imported here${isDefault ? ", as the default export" : ""}` }],
    );
  }

  private checkBinding(site: TaskSite, unit: Unit, units: Set<Unit>, target: Target & { kind: "declared" }, reference: Reference): void {
    const { binding, module } = target;
    if (this.reported.has(binding)) return;
    const isVariable = binding.kind === "let" || binding.kind === "var";
    const canHaveMembers = binding.kind === "class" || binding.kind === "function" || binding.kind === "namespace";
    if (!isVariable && binding.kind !== "const" && !canHaveMembers) return;
    const isFilled = isContainer(module.ts, binding.declarations[0]);
    const late = (kind: "write" | "mutate"): Reference[] =>
      binding.references.filter((other) => {
        if (other.erased) return false;
        const use = useOf(module.ts, other.node);
        const isChange = use === kind || (kind === "mutate" && use === "call" && (isFilled || this.changesInstance(target, other.node)));
        return isChange && !runsAtTopLevel(module.ts, other.node);
      });
    const inSlice = (other: Reference): boolean => isIn(units, other.node);
    const reader = readerOf(site, unit);
    const what = sharedThing(module, binding);
    if (what !== undefined) {
      this.reported.add(binding);
      this.report.add("MP2008", reference.node, { task: reader, name: binding.name, what }, declarationOf(binding));
      return;
    }
    if (isVariable) {
      const writes = late("write");
      const helper = writes.find((write) => inSlice(write) && !isInAnyTask(module, write.node));
      if (helper) {
        this.reported.add(binding);
        this.report.add("MP2004", helper.node, { task: `\`${site.name}\``, name: binding.name }, declarationOf(binding));
        return;
      }
      if (writes.length > 0) {
        this.reported.add(binding);
        this.report.add("MP2002", reference.node, { task: reader, name: binding.name }, [
          { node: (writes[0] as Reference).node, message: `\`${binding.name}\` is assigned here` },
          ...declarationOf(binding),
        ]);
        return;
      }
    }
    const slice = this.sliceOf(site, units);
    const near = slice.changes.get(binding) ?? [];
    const far = (this.graph.changesTo(module).get(binding) ?? []).filter((change) => !slice.modules.has(change.module));
    const changed = late("mutate");
    const changes = [
      ...changed.filter((change) => !inSlice(change)),
      ...near.filter(({ node, effect }) => (effect ? !units.has(effect) : !runsAtTopLevel(module.ts, node))),
      ...far,
    ].filter(({ node }) => !assignsBySetter(module.ts, binding.declarations[0], memberOf(module.ts, node, binding.name)));
    const changesItself = changed.some(inSlice) || near.some(({ node }) => isIn(units, node));
    if (changes.length > 0 && !changesItself) {
      this.reported.add(binding);
      for (const change of far) this.consulted.add(change.module);
      this.report.add("MP2005", reference.node, { task: reader, name: binding.name }, [
        { node: (changes[0] as { node: ts.Node }).node, message: `\`${binding.name}\` is changed here` },
        ...declarationOf(binding),
      ]);
    }
  }

  /** Whether a method is called there on an instance of a class of the project, and assigns to it: `registry.add(rule)`. */
  private changesInstance(target: Target & { kind: "declared" }, name: ts.Node): boolean {
    const { module, binding } = target;
    const { ts } = module;
    const call = setUpCall(ts, name as ts.Identifier);
    if (binding.kind === "class" || !call || call.argument !== undefined) return false;
    const callee = unwrap(ts, call.node.expression);
    if (!isAccess(ts, callee) || unwrap(ts, callee.expression) !== name) return false;
    return changesForCertain(this.modules, module, { ...call, binding, units: [] }, target);
  }

  /** Static fields that code of the slice assigns when it is called, as it might a variable of the module. */
  private checkStaticFields(site: TaskSite, units: ReadonlySet<Unit>): void {
    for (const { module, bindings } of units) {
      const { ts } = module;
      for (const binding of bindings) {
        // That the class is changed elsewhere has been said of it whole.
        if (this.reported.has(binding)) continue;
        for (const field of remembered(this.staticFields, binding, () => assignedStaticFields(module, binding))) {
          const { declaration, owner, accesses, writes, name } = field;
          const helper = writes.find((write) => isIn(units, write) && !isInAnyTask(module, write));
          if (!helper || this.reported.has(declaration)) continue;
          const members = membersUsed(ts, field, this.namesUsedAround([owner], units), site.fn);
          if (!accesses.some((access) => isIn(units, access) && isReached(field, access, members))) continue;
          this.reported.add(declaration);
          this.reportHelper(site, helper, `${binding.name}.${name}`, declaration.name);
        }
      }
    }
  }

  /** Variables of namespaces that code of the slice assigns when it is called: the program's calls of that code change none of the workers' copies. */
  private checkNamespaceVariables(site: TaskSite, units: ReadonlySet<Unit>): void {
    for (const { module, bindings } of units) {
      for (const namespace of bindings) {
        if (namespace.kind !== "namespace" || this.reported.has(namespace)) continue;
        const variables = remembered(this.namespaceVariables, namespace, () => assignedNamespaceVariables(module, namespace));
        if (variables.length === 0) continue;
        const used = namespaceMembersUsed(module, namespace, this.namesUsedAround(namespace.declarations, units), site.fn);
        for (const { binding, path, writes } of variables) {
          const helper = writes.find((write) => !isInAnyTask(module, write));
          if (!helper || !used.has(binding) || this.reported.has(binding)) continue;
          this.reported.add(binding);
          this.reportHelper(site, helper, path, (binding.declarations[0] as ts.NamedDeclaration).name as ts.Node);
        }
      }
    }
  }

  /** @param path of what the helper assigns, which is a member of something */
  private reportHelper(site: TaskSite, helper: ts.Node, path: string, declared: ts.Node): void {
    this.report.add("MP2004", helper, { task: `\`${site.name}\``, name: path }, [
      { node: declared, message: `\`${path}\` is declared here` },
    ]);
  }

  /** What a slice's code uses outside of a class, or of all parts of a namespace. */
  private namesUsedAround(owners: readonly ts.Node[], units: ReadonlySet<Unit>): NamesUsed {
    const source = owners[0]?.getSourceFile();
    const used: NamesUsed = { members: new Set(), made: new Set() };
    for (const { module, nodes } of units) {
      for (const node of nodes) {
        if (module.source === source && owners.some((owner) => contains(node, owner))) continue;
        const { members, made } = remembered(this.names, node, () => namesUsed(module.ts, node));
        for (const name of members) used.members.add(name);
        for (const name of made) used.made.add(name);
      }
    }
    return used;
  }

  /** The modules of a slice, and what they do to what others of the project declare, by what is changed. */
  private sliceOf(site: TaskSite, units: ReadonlySet<Unit>): Slice {
    return remembered(this.slices, units, () => {
      const modules = new Set([site.module, ...[...units].map((unit) => unit.module)]);
      const changes = new Map<Binding, ForeignChange[]>();
      for (const module of modules) {
        for (const change of this.graph.foreignChanges(module))
          if (change.target.kind === "declared") remembered(changes, change.target.binding, (): ForeignChange[] => []).push(change);
      }
      return { modules, changes };
    });
  }

  private checkCalls(site: TaskSite, module: Module, units: Set<Unit>): void {
    for (const call of module.callsLeftOut) {
      if (this.reported.has(call.node)) continue;
      const target = this.modules.targetOf(module, call.binding, call.name);
      if (call.isKept && !(target && changesForCertain(this.modules, module, call, target))) continue;
      const unit =
        target?.kind === "declared" ? target.module.unitOf.get(target.binding) : target?.kind === "external" ? target.unit : undefined;
      if (!target || !unit || call.units.some((own) => units.has(own)) || isTaskBinding(target)) continue;
      if (call.argument === undefined && isHarmless(this.modules, module, call, target)) continue;
      const isUsed = units.has(unit) && (call.argument === undefined || maySetUp(this.modules, module, call, target));
      const name = isUsed
        ? usedName(module, call, target)
        : (this.givenName(module, call, target, units) ?? packageName(module, call, target, units));
      if (name === undefined) continue;
      this.reported.add(call.node);
      this.report.add("MP2003", call.node, {
        call: shorten((isAccess(module.ts, call.node) ? call.node : call.node.expression).getText()),
        name,
        task: `\`${site.name}\``,
      });
    }
  }

  /** Of what a slice has, and a call's statement changes through what the call gives. */
  private givenName(module: Module, call: SetUpCall, target: Target, units: ReadonlySet<Unit>): string | undefined {
    const things = changedByResult(this.modules, module, call, target);
    return things.find((thing) => units.has(thing.module.unitOf.get(thing.binding) as Unit))?.binding.name;
  }

  /** Calls that are left out, of something that gives another value each time, before one that comes along. */
  private checkStatefulCalls(site: TaskSite, module: Module, units: ReadonlySet<Unit>): void {
    const before = new Map<Unit, ts.Node>();
    for (const { unit, calls } of this.stateful.inOrder(module)) {
      const isThere = units.has(unit);
      for (const [called, node] of calls) {
        if (!units.has(called)) continue;
        const left = before.get(called);
        if (!isThere) {
          if (!left) before.set(called, node);
          continue;
        }
        if (!left || this.reported.has(left)) continue;
        this.reported.add(left);
        const [binding] = called.bindings;
        const values = { call: shorten(calleeAround(module.ts, left).getText()), name: binding?.name ?? "", task: `\`${site.name}\`` };
        this.report.add("MP2003", left, values, [{ node, message: `it gives something else here when that call is left out` }]);
      }
    }
  }

  /** Writes to the instance, in the method and in the methods, and functions of fields, that it calls on `this`. */
  private checkThis(site: MethodSite): void {
    const { module, owner } = site;
    const { ts } = module;
    const seen = new Set<ts.Node>();
    const queue: { method: ts.Node; call: ts.Node | undefined }[] = [{ method: site.fn, call: undefined }];
    for (let next = queue.shift(); next; next = queue.shift()) {
      const { method, call } = next;
      if (seen.has(method)) continue;
      seen.add(method);
      forEachThis(ts, method, (node) => {
        const change = changeOfThis(module, node, owner);
        if (change) {
          if (!change.deep) site.invalid = true;
          const related = call ? [{ node: call, message: `\`${site.name}\` calls it here` }] : [];
          this.report.add(change.deep ? "MP2006" : "MP1012", change.access, { task: site.name, name: change.name }, related);
        }
        const access = wrapped(ts, node).parent;
        if (!ts.isPropertyAccessExpression(access)) return;
        const name = access.name.text;
        if (ts.isCallExpression(access.parent) && access.parent.expression === access) {
          const isTask = (member: ts.ClassElement): boolean => module.sites.some((other) => other.kind === "method" && other.fn === member);
          const members = owner.members.filter(
            (member) =>
              member.name?.getText() === name && hasModifier(ts, member, ts.SyntaxKind.StaticKeyword) === site.isStatic && !isTask(member),
          );
          for (const member of members) {
            const called = ts.isPropertyDeclaration(member) ? functionsIn(ts, member) : ts.isMethodDeclaration(member) ? [member] : [];
            queue.push(...called.map((method) => ({ method, call: call ?? access })));
          }
        }
      });
    }
    const visit = (node: ts.Node): void => {
      if (ts.isWithStatement(node)) this.fail(site, node, "a `with` statement");
      if (
        ts.isCallExpression(node) &&
        ts.isIdentifier(node.expression) &&
        node.expression.text === "eval" &&
        !module.scopes.byNode.get(node.expression)?.binding
      ) {
        this.fail(site, node.expression, "a direct `eval`");
      }
      ts.forEachChild(node, visit);
    };
    visit(site.fn);
  }

  private fail(site: TaskSite, node: ts.Node, what: string): void {
    site.invalid = true;
    this.report.add("MP1015", node, { task: site.name, what });
  }
}

/** Whether a slice holds the node. */
function isIn(units: ReadonlySet<Unit>, node: ts.Node): boolean {
  const source = node.getSourceFile();
  return [...units].some((unit) => unit.module.source === source && unit.nodes.some((part) => contains(part, node)));
}

/** Who uses something, in words. */
function readerOf(site: TaskSite, { kind, bindings }: Pick<Unit, "kind" | "bindings">): string {
  const [binding] = bindings;
  return kind === "task" || !binding ? `\`${site.name}\`` : `\`${binding.name}\`, which \`${site.name}\` uses,`;
}

function isInAnyTask(module: Module, node: ts.Node): boolean {
  return module.sites.some((site) => contains(site.fn, node));
}

/** What a call is about, as the source has it: `state.table`, where `state` is a namespace. */
function usedName({ ts }: Module, { binding, name }: SetUpCall, target: Target): string {
  const isNamespace = binding.declarations.some((declaration) => ts.isNamespaceImport(declaration));
  const member = isNamespace && target.kind === "declared" ? subjectOf(ts, name) : undefined;
  return member ? writtenAccess(ts, member) : binding.name;
}

/** The place where a binding is named: the node itself, or the member where it is a namespace. */
function memberOf(ts: TypeScript, node: ts.Node, name: string): ts.Node {
  const member = subjectOf(ts, node);
  return ts.isIdentifier(node) && node.text !== name && member && accessedName(ts, member) === name ? member : node;
}

/** `f.with(…)` at the top level: a call on a parallel function is none that sets something up. */
function isTaskBinding(target: Target): boolean {
  if (target.kind !== "declared") return false;
  const { module, binding } = target;
  return module.sites.some((site) => {
    if (site.kind === "tag") return binding.declarations.includes(site.fn);
    return (
      site.kind === "wrapper" &&
      binding.declarations.some((declaration) => contains(declaration, site.call) && module.ts.isVariableDeclaration(declaration))
    );
  });
}

function declarationOf(binding: Binding): { node: ts.Node; message: string }[] {
  const declaration = binding.declarations[0];
  return declaration
    ? [{ node: (declaration as ts.NamedDeclaration).name ?? declaration, message: `\`${binding.name}\` is declared here` }]
    : [];
}

/** What is called where a name stands. */
function calleeAround(ts: TypeScript, name: ts.Node): ts.Node {
  const node = wrapped(ts, name);
  return isAccess(ts, node.parent) && node.parent.expression === node ? node.parent : node;
}

function shorten(text: string): string {
  const line = text.replace(/\s+/g, " ");
  return line.length > 50 ? `${line.slice(0, 49)}…` : line;
}
