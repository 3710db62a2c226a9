/**
 * The graph of units: what each needs, and what a task reaches.
 *
 * Takes units and sites. Gives, per unit, the module-level names that its text uses and what they stand for; and the set of units that a root reaches.
 */
import type * as ts from "typescript";
import type { Binding, Reference } from "./bindings";
import type { Hoisted } from "./captures";
import { removedRanges } from "./captures";
import { changingCallsIn, type ForeignChange, foreignChangesIn } from "./foreign-changes";
import { possibleChangersOf } from "./importers";
import { type BareImport, type Module, type Unit } from "./module";
import { remembered } from "./remembered";
import type { Modules, Namespace, Target } from "./resolve";
import { keepsSideEffects, type TaskSite } from "./sites";
import { accessedName, contains, isAccess, useOf, wrapped } from "./syntax";

/** A name that a unit's text uses. */
export interface Dependency {
  /** The module's own binding: its name is the name in the text. */
  readonly binding: Binding;
  readonly target: Target;
  /** Namespaces: the members that are used, or all of them. */
  readonly members?: Set<string> | "all";
  readonly reference: Reference;
}

export interface GraphHost {
  readonly modules: Modules;
  /** Makes sure that the module's sites have been found. */
  sites(module: Module): readonly TaskSite[];
  hoisted(site: TaskSite): Hoisted | undefined;
}

/** A call of `import()`. */
export interface Load {
  readonly specifier: ts.StringLiteralLike;
  readonly given: Namespace;
}

const NONE: ReadonlySet<Unit> = new Set();
const NO_MODULES: ReadonlySet<Module> = new Set();

export class Graph {
  private readonly cache = new Map<Unit, Dependency[]>();
  private readonly taskUnits = new Map<TaskSite, Unit>();
  private readonly foreign = new Map<Module, ForeignChange[]>();
  private readonly changed = new Map<Module, ReadonlyMap<Binding, ForeignChange[]>>();
  /** By root: statements of the modules that its slice has code of which change other modules' things that it has, too. */
  private readonly setUpBy = new Map<Unit, Set<Unit>>();
  private readonly whole = new Map<Module, ReadonlySet<Module>>();
  private readonly wholeUnits = new Map<Module, Unit>();

  constructor(private readonly host: GraphHost) {}

  /** The unit that holds a site's own function. For methods, and for code that uses the class's private names, it is the class. Undefined when a wrapper names a function. */
  unitOf(site: TaskSite): Unit | undefined {
    if (site.kind === "method") return this.unitAround(site.module, site.owner);
    const hoisted = this.host.hoisted(site);
    if (!hoisted) return undefined;
    if (hoisted.privateOwner) return this.unitAround(site.module, hoisted.privateOwner);
    let unit = this.taskUnits.get(site);
    if (!unit) {
      unit = { key: `${site.id}`, module: site.module, kind: "task", nodes: [...hoisted.parts], bindings: [], together: new Set(), site };
      this.taskUnits.set(site, unit);
    }
    return unit;
  }

  /** The unit of the module whose source holds a node. */
  unitAround(module: Module, node: ts.Node): Unit | undefined {
    return module.units.find((unit) => unit.nodes.some((part) => contains(part, node)));
  }

  dependencies(unit: Unit): Dependency[] {
    let found = this.cache.get(unit);
    if (!found) {
      found = this.compute(unit);
      this.cache.set(unit, found);
    }
    return found;
  }

  private compute(unit: Unit): Dependency[] {
    const { module } = unit;
    if (unit.kind === "import" || unit.kind === "reexport") return [];
    const byBinding = new Map<Binding, { target: Target; members: Set<string> | "all" | undefined; reference: Reference }>();
    for (const reference of this.references(unit)) {
      const binding = reference.binding as Binding;
      const known = byBinding.get(binding);
      const target = known?.target ?? this.host.modules.target(module, binding);
      if (!target) continue;
      const member = target.kind === "namespace" ? memberOf(module, reference.node) : undefined;
      if (!known) {
        const members = target.kind !== "namespace" ? undefined : member === undefined ? ("all" as const) : new Set([member]);
        byBinding.set(binding, { target, members, reference });
      } else if (known.members instanceof Set) {
        if (member === undefined) known.members = "all";
        else known.members.add(member);
      }
    }
    return [...byBinding].map(([binding, rest]) => ({ binding, ...rest }));
  }

  /** Emitted references to the module's top level in the text that a unit has in a slice. */
  references(unit: Unit): Reference[] {
    const { module } = unit;
    if (unit.kind === "task") {
      const hoisted = this.host.hoisted(unit.site as TaskSite) as Hoisted;
      const namespaces = [...hoisted.namespaces].map((binding) => binding.references[0] ?? pseudoReference(binding));
      return [...hoisted.references, ...namespaces];
    }
    return unit.nodes.flatMap((node) => {
      const removed = this.removedIn(module, node);
      return module.references(node).filter((reference) => {
        const { binding } = reference;
        if (!binding || binding.ambient || binding.scope.kind !== "module" || unit.bindings.includes(binding)) return false;
        return !removed.some((range) => contains(range, reference.node));
      });
    });
  }

  /** What of a node in the source is not in slices that have it. */
  private removedIn(module: Module, node: ts.Node): ts.Node[] {
    const inside = this.host.sites(module).filter((site) => !site.invalid && contains(node, site.kind === "wrapper" ? site.call : site.fn));
    return inside.flatMap((site) => removedInSlice(module, site, this.host.hoisted(site)));
  }

  /** Modules of the project that a unit's code loads by `import()` as slices, and where. */
  loadsOf(unit: Unit): Load[] {
    return this.inCodeOf(unit, unit.module.loaded).flatMap((specifier) => this.loadAt(unit.module, specifier) ?? []);
  }

  /** Modules of the project that a unit's code gets by `require()`: each with copies of its own of all that it imports. */
  requiresOf(unit: Unit): { specifier: ts.StringLiteralLike; copied: ReadonlySet<Module> }[] {
    return this.inCodeOf(unit, unit.module.required).flatMap((specifier) => {
      const other = this.host.modules.follow(unit.module, specifier.text, "require");
      return other ? { specifier, copied: this.allRunBy(other) } : [];
    });
  }

  /** Those of the nodes that are in the text that a unit has in a slice. */
  private inCodeOf<Node extends ts.Node>(unit: Unit, nodes: readonly Node[]): Node[] {
    const { module, kind } = unit;
    if (kind === "import" || kind === "reexport" || nodes.length === 0) return [];
    return unit.nodes.flatMap((part) => {
      const removed = kind === "task" ? [] : this.removedIn(module, part);
      return nodes.filter((node) => contains(part, node) && !removed.some((range) => contains(range, node)));
    });
  }

  /** What `import()` gives there, if slices can. */
  loadAt(module: Module, specifier: ts.StringLiteralLike): Load | undefined {
    const other = this.host.modules.follow(module, specifier.text);
    if (!other || other.exports.has("export=")) return undefined;
    const given: Namespace = { kind: "namespace", module: other };
    return { specifier, given: other.format === "cjs" && module.hasOwnImport ? { ...given, isCommonJs: true } : given };
  }

  /** Stands for all that runs when a module is loaded: what it imports, and itself. */
  unitOfAll(module: Module): Unit {
    return remembered(this.wholeUnits, module, () => {
      const together = new Set([...this.allRunBy(module)].flatMap(unitsRunIn));
      return { key: `${module.path}#whole`, module, kind: "import", nodes: [], bindings: [], together };
    });
  }

  /** Units that a dependency needs. Through a namespace these are many. */
  unitsOf(dependency: Dependency): Unit[] {
    return this.unitsOfTarget(dependency.target, dependency.members);
  }

  unitsOfTarget(target: Target, members: Set<string> | "all" | undefined, seen = new Set<Module>()): Unit[] {
    if (target.kind === "external") return [target.unit];
    if (target.kind === "member") return this.unitsOfTarget(target.whole, undefined, seen);
    if (target.kind === "declared") {
      const unit = target.module.unitOf.get(target.binding);
      return unit ? [unit] : [];
    }
    // What Node gives of a CommonJS module leads to that module itself.
    if (!target.isCommonJs) {
      if (seen.has(target.module)) return [];
      seen.add(target.module);
    }
    const { modules } = this.host;
    const names = members === "all" || members === undefined ? modules.namesIn(target).names : members;
    return [...names].flatMap((name) => {
      const member = modules.member(target, name);
      return member ? this.unitsOfTarget(member, "all", seen) : [];
    });
  }

  /** What the module does to things that other modules of the project declare. */
  foreignChanges(module: Module): readonly ForeignChange[] {
    return remembered(this.foreign, module, () => foreignChangesIn(this.host.modules, module));
  }

  /** What other modules of the program do to what this one declares, by what is changed. */
  changesTo(module: Module): ReadonlyMap<Binding, readonly ForeignChange[]> {
    return remembered(this.changed, module, () => {
      const { modules } = this.host;
      const found = new Map<Binding, ForeignChange[]>();
      for (const other of possibleChangersOf(modules, module)) {
        for (const change of [...this.foreignChanges(other), ...changingCallsIn(modules, other)]) {
          if (change.target.kind === "declared" && change.target.module === module)
            remembered(found, change.target.binding, (): ForeignChange[] => []).push(change);
        }
      }
      return found;
    });
  }

  /** Everything that a root reaches, itself included. */
  reach(root: Unit): Set<Unit> {
    const reached = new Set<Unit>([root]);
    const queue = [root];
    const enter = (unit: Unit): void => {
      if (reached.has(unit)) return;
      reached.add(unit);
      queue.push(unit);
    };
    while (queue.length > 0) {
      for (let unit = queue.pop(); unit; unit = queue.pop()) this.successors(unit).forEach(enter);
      const effects = this.effectsIn(reached);
      this.setUpBy.set(root, new Set(effects));
      effects.forEach(enter);
    }
    return reached;
  }

  /** What code loads by `import()` that a root reaches, but for what is there anyway. */
  reachLater(reached: ReadonlySet<Unit>): Set<Unit> {
    const later = new Set<Unit>();
    const enter = (unit: Unit): void => {
      for (const { given } of this.loadsOf(unit))
        for (const other of this.reach(this.unitOfAll(given.module))) if (!reached.has(other)) later.add(other);
    };
    reached.forEach(enter);
    // Grows meanwhile.
    later.forEach(enter);
    return later;
  }

  /** Statements that change what a slice has from other modules, of the modules that it has code of. */
  private effectsIn(reached: ReadonlySet<Unit>): Unit[] {
    const modules = new Set<Module>();
    const packages = new Set<string>();
    for (const unit of reached) {
      if (unit.kind === "import" || unit.kind === "reexport") packages.add(specifierOf(unit));
      else modules.add(unit.module);
    }
    return [...modules].flatMap((module) =>
      this.foreignChanges(module).flatMap(({ effect, target, isOfInstances }) => {
        const changed = target.kind === "declared" ? target.module.unitOf.get(target.binding) : target.unit;
        // Instances arrive without being named.
        const isThere =
          changed && (reached.has(changed) || isOfInstances || (target.kind === "external" && packages.has(specifierOf(changed))));
        return effect && isThere ? [effect] : [];
      }),
    );
  }

  /** Statements that run before a root, since they change what its slice has from other modules. */
  effectsBefore(root: Unit): ReadonlySet<Unit> {
    return this.setUpBy.get(root) ?? NONE;
  }

  /** Bare imports that run before a unit's code, by their author's wish. */
  bareImportsBefore(unit: Unit): readonly BareImport[] {
    const { module } = unit;
    if (module.bareImports.length === 0 || unit.kind === "import" || unit.kind === "reexport") return [];
    const areKept = this.host.sites(module).some((site) => keepsSideEffects(site) && this.unitOf(site) === unit);
    return module.bareImports.filter(({ included }) => included || areKept);
  }

  /** The modules of the project that a bare import runs, all of what is in them: the one that it names, and what that imports. */
  modulesRunBy(from: Module, specifier: string): ReadonlySet<Module> {
    const first = this.host.modules.follow(from, specifier);
    return first ? this.allRunBy(first) : NO_MODULES;
  }

  private allRunBy(first: Module): ReadonlySet<Module> {
    const { modules } = this.host;
    return remembered(this.whole, first, () => {
      const run = new Set([first]);
      for (const module of run) {
        for (const { specifier, kind } of module.importsAtRunTime) {
          const other = modules.follow(module, specifier, kind);
          if (other) run.add(other);
        }
      }
      return run;
    });
  }

  /** Units that must be there when this one is. */
  successors(unit: Unit): Set<Unit> {
    const next = new Set<Unit>([...this.setUpOf(unit), ...this.effectsBefore(unit)]);
    for (const { specifier } of this.bareImportsBefore(unit)) {
      for (const module of this.modulesRunBy(unit.module, specifier)) for (const run of unitsRunIn(module)) next.add(run);
    }
    if (unit.kind !== "import" && unit.kind !== "reexport") for (const effect of unit.module.included) next.add(effect);
    for (const dependency of this.dependencies(unit)) for (const needed of this.unitsOf(dependency)) next.add(needed);
    next.delete(unit);
    return next;
  }

  /** Units that initialise this one's bindings or are initialised along with them, statements that set up the package of an import among them. */
  setUpOf(unit: Unit): Unit[] {
    const { module } = unit;
    const specifier = module.specifierOf(unit);
    if (specifier === undefined || this.host.modules.follow(module, specifier)) return [...unit.together];
    return [...unit.together, ...(module.importsChanged.get(specifier) ?? [])];
  }

  /** Units of the module whose bindings this unit's code assigns: they must share a module with it, because imports can't be assigned. */
  assigns(unit: Unit): Unit[] {
    const { ts, unitOf } = unit.module;
    const found = new Set<Unit>();
    for (const reference of this.references(unit)) {
      const other = reference.binding && unitOf.get(reference.binding);
      if (other && other !== unit && useOf(ts, reference.node) === "write") found.add(other);
    }
    return [...found];
  }
}

/** What runs when a module is loaded as a whole. */
export function unitsRunIn({ units, otherStatements }: Module): Unit[] {
  return [...units.filter(({ kind }) => kind !== "import"), ...otherStatements];
}

/** What a package is called in an import, which means the same in every file of the project; of what is no package: its own key. */
function specifierOf(unit: Unit): string {
  const specifier = unit.reexport?.specifier ?? unit.module.specifierOf(unit);
  return specifier === undefined || specifier.startsWith(".") ? unit.key : specifier;
}

/** What of a site is not in a slice that has the code around it. Methods stay (under another name); only their decorators go. */
function removedInSlice(module: Module, site: TaskSite, hoisted: Hoisted | undefined): ts.Node[] {
  const { ts } = module;
  // Its code stays in the class, if in another place.
  if (hoisted?.privateOwner) return site.kind === "wrapper" ? [site.mark] : [];
  if (site.kind === "wrapper") return [...removedRanges(site), site.mark];
  if (site.kind === "tag") return removedRanges(site);
  const decorators = ts.getDecorators(site.fn) ?? [];
  if (!site.options) return [...decorators];
  return [
    ...decorators.filter((decorator) => decorator !== site.decorator),
    site.mark === site.decorator ? calleeOf(module, site.decorator) : site.mark,
  ];
}

function calleeOf(module: Module, decorator: ts.Decorator): ts.Node {
  const { expression } = decorator;
  return module.ts.isCallExpression(expression) ? expression.expression : expression;
}

/** `m.x` → `x`, when nothing else is done with the namespace there. */
function memberOf(module: Module, node: ts.Node): string | undefined {
  const { ts } = module;
  const { parent } = node;
  if (ts.isQualifiedName(parent) && parent.left === node) return parent.right.text;
  const outer = wrapped(ts, node);
  return isAccess(ts, outer.parent) && outer.parent.expression === outer ? accessedName(ts, outer.parent) : undefined;
}

function pseudoReference(binding: Binding): Reference {
  const node = ((binding.declarations[0] as ts.NamedDeclaration).name ?? binding.declarations[0]) as ts.Identifier;
  return { node, name: binding.name, scope: binding.scope, space: "value", erased: false, binding };
}
