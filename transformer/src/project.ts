/**
 * The core's entry: analyses files and plans the slices of a build. See core.ts for the contract with the adapters.
 */
import type * as ts from "typescript";
import { Captures, type Hoisted } from "./analyze/captures";
import { type ClassInfo, pathFrom } from "./analyze/class-info";
import { memberAccess } from "./hoist/module-names";
import { ClassNames } from "./analyze/class-names";
import { ClassFinder } from "./analyze/classes";
import { Derivations } from "./analyze/derivations";
import { Graph } from "./analyze/graph";
import { ImportCircles } from "./analyze/import-circles";
import { instanceFields } from "./analyze/instance-fields";
import { Isolation, type Reach } from "./analyze/isolation";
import { mayContainMark } from "./analyze/marks";
import type { Module, Unit } from "./analyze/module";
import { remembered } from "./analyze/remembered";
import { Modules } from "./analyze/resolve";
import { checkSite } from "./analyze/signature";
import { findSites, functionOf, keepsSideEffects, type TaskSite, usesClass } from "./analyze/sites";
import { modifier, parameterNames, writtenAccess } from "./analyze/syntax";
import type { Diagnostic, FileFormat, FileResult, Host, SlicePlan, TaskRecord } from "./core";
import { Reporter } from "./diagnostics/report";
import { planSlices } from "./hoist/plan";
import { type ClassImport, programEdits } from "./hoist/program";
import { captureNames, isGenerator } from "./hoist/stubs";

/** What is known of a module's marks from the module itself. */
interface Local {
  readonly sites: TaskSite[];
  readonly captures: Captures;
  readonly report: Reporter;
  travelling?: Travelling;
}

/** What a module's tasks reach, and the classes that can travel with them. */
interface Travelling {
  readonly reaches: readonly Reach[];
  readonly reached: ReadonlySet<Unit>;
  readonly classes: readonly ClassInfo[];
}

interface Analysis {
  readonly result: FileResult;
  readonly format: FileFormat;
  readonly classes: ClassInfo[];
  readonly tasks: { site: TaskSite; record: TaskRecord }[];
  /** The modules that it was made from. */
  readonly sources: Module[];
  /** Classes of other modules that must register themselves there. */
  readonly asks: ClassInfo[];
  /** Classes of this file that others asked to register, when it was made. */
  readonly asked: string;
  /** State of all modules when it was made. */
  readonly version: number;
}

export class Project {
  private readonly modules: Modules;
  private locals = new WeakMap<Module, Local>();
  private readonly analyses = new Map<string, Analysis>();
  /** Which classes a file is asked to register: by that file, and by the file that asks. */
  private readonly askers = new Map<string, Map<string, ClassInfo[]>>();
  private graph: Graph;
  private derivations: Derivations;
  private classNames: ClassNames;
  private circles: ImportCircles;
  private graphVersion = -1;

  constructor(private readonly host: Host) {
    this.modules = new Modules(host);
    this.graph = this.freshGraph();
    this.derivations = new Derivations(this.modules);
    this.classNames = new ClassNames(this.modules);
    this.circles = new ImportCircles(this.modules);
  }

  /** Cheap test: could this text contain a mark? */
  static mayContainTask(text: string): boolean {
    return mayContainMark(text);
  }

  /**
   * Tasks, edits and diagnostics of one file. Cached by its text and by the modules that it depends on.
   * @param file absolute path
   * @param format how the emitted file refers to itself
   * @param _sourceFile the host's own tree of it. Not needed: positions are the same in the core's own
   */
  analyze(file: string, text: string, format: FileFormat, _sourceFile?: ts.SourceFile): FileResult {
    const asked = this.askedOf(file);
    if (!Project.mayContainTask(text) && asked.length === 0) {
      this.forget(file);
      return emptyResult();
    }
    const module = this.modules.set(file, text);
    this.modules.settle();
    const key = asked.map((info) => `${info.id}${info.guarded ? "!" : ""}`).join("\0");
    const known = this.analyses.get(file);
    const isCurrent =
      known !== undefined &&
      known.format.module === format.module &&
      known.format.manifestKey === format.manifestKey &&
      known.asked === key &&
      known.sources.every((source) => this.modules.isCurrent(source)) &&
      known.version === this.modules.version;
    if (isCurrent) return known.result;
    const analysis = this.analyzeModule(module, format, asked, key);
    this.keep(file, analysis);
    return analysis.result;
  }

  /**
   * The slices of all tasks of the given files (those analyzed and with tasks), or of all.
   * @param format.manifestKey as given to `analyze`
   */
  slice(format: { manifestKey: string }, files?: Iterable<string>): SlicePlan {
    const wanted = files && new Set(files);
    this.refresh();
    const analyses = [...this.analyses]
      .filter(([file]) => !wanted || wanted.has(file))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, analysis]) => analysis);
    const classes = new Map<string, ClassInfo>();
    for (const analysis of analyses) {
      for (const info of analysis.classes) {
        const known = classes.get(info.id);
        if (!known || known.module !== info.module) classes.set(info.id, info);
        else {
          known.guarded ||= info.guarded;
          if (!info.widened) known.widened = false;
        }
      }
    }
    return planSlices({
      graph: this.currentGraph(),
      modules: this.modules,
      tasks: analyses.flatMap((analysis) => analysis.tasks),
      classes: [...classes.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
      hoisted: (site) => this.hoisted(site),
      sitesOf: (module) => {
        // Stubs in slices, also of a file that the host has not given to `analyze`, say which fields travel.
        this.travelling(module);
        return this.local(module).sites;
      },
      manifestKey: format.manifestKey,
      standardDecorators: this.host.standardDecorators,
    });
  }

  /** Forgets what it knows of a file: it may have changed, come or gone. */
  invalidate(file: string): void {
    this.modules.invalidate(file);
  }

  /** Analyses again what a change elsewhere may have touched, and forgets files that are gone. */
  private refresh(): void {
    for (const [file, analysis] of [...this.analyses]) {
      const module = this.modules.get(file);
      if (module) this.analyze(file, module.text, analysis.format);
      else this.forget(file);
    }
  }

  /** Classes that a marked file elsewhere needs and that only this file can register. */
  private askedOf(file: string): ClassInfo[] {
    const asked = new Map<string, ClassInfo>();
    for (const infos of this.askers.get(file)?.values() ?? []) {
      for (const info of infos) {
        const before = asked.get(info.id);
        asked.set(info.id, before?.guarded ? before : info);
      }
    }
    return [...asked.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  private keep(file: string, analysis: Analysis): void {
    this.forget(file);
    this.analyses.set(file, analysis);
    for (const info of analysis.asks) {
      const askers = remembered(this.askers, info.module.file, () => new Map<string, ClassInfo[]>());
      remembered(askers, file, () => []).push(info);
    }
  }

  private forget(file: string): void {
    for (const { module } of this.analyses.get(file)?.asks ?? []) this.askers.get(module.file)?.delete(file);
    this.analyses.delete(file);
  }

  private local(module: Module): Local {
    let local = this.locals.get(module);
    if (!local) {
      const report = new Reporter();
      const captures = new Captures(module, report);
      local = { sites: [], captures, report };
      this.locals.set(module, local);
      if (Project.mayContainTask(module.text)) {
        local.sites.push(...findSites(module, report));
        module.sites = local.sites;
        for (const site of local.sites) checkSite(this.modules, site, report);
        for (const site of local.sites) if (!site.invalid || site.kind !== "wrapper") captures.of(site);
      }
    }
    return local;
  }

  /** Found out once for a module: what its stubs say is the same wherever they stand. */
  private travelling(module: Module): Travelling {
    const graph = this.currentGraph();
    const local = this.local(module);
    if (local.travelling) return local.travelling;
    const sites = local.sites.filter((site) => !site.invalid);
    const finder = new ClassFinder(this.modules, this.derivations, this.classNames);
    const reaches: Reach[] = [];
    const reached = new Set<Unit>();
    const later = new Set<Unit>();
    for (const site of sites) {
      const unit = graph.unitOf(site);
      if (!unit) continue;
      const units = graph.reach(unit);
      for (const other of units) reached.add(other);
      const loaded = graph.reachLater(units);
      for (const other of loaded) later.add(other);
      const reach: Reach = { site, hoisted: this.hoisted(site), units: new Set([...units, ...loaded]) };
      reaches.push(reach);
      finder.ofTask(site, reach.hoisted);
    }
    if (sites.length > 0) {
      finder.ofModule(module);
      finder.ofUnits(reached);
      finder.widen(module, later);
      for (const unit of later) reached.add(unit);
    }
    const classes = finder.finish();
    for (const site of sites) site.fields = instanceFields(this.modules, site, this.hoisted(site), classes);
    return (local.travelling = { reaches, reached, classes });
  }

  private hoisted(site: TaskSite): Hoisted | undefined {
    return this.local(site.module).captures.of(site);
  }

  private freshGraph(): Graph {
    return new Graph({ modules: this.modules, sites: (module) => this.local(module).sites, hoisted: (site) => this.hoisted(site) });
  }

  private currentGraph(): Graph {
    if (this.graphVersion !== this.modules.version) {
      // What was found out about a module's own marks may hang on modules that it imports.
      this.locals = new WeakMap();
      this.graph = this.freshGraph();
      this.derivations = new Derivations(this.modules);
      this.classNames = new ClassNames(this.modules);
      this.circles = new ImportCircles(this.modules);
      this.graphVersion = this.modules.version;
    }
    return this.graph;
  }

  private analyzeModule(module: Module, format: FileFormat, asked: readonly ClassInfo[], key: string): Analysis {
    const graph = this.currentGraph();
    const local = this.local(module);
    const report = new Reporter();
    const isolation = new Isolation(graph, this.modules, report);
    for (const site of local.sites) isolation.checkOwnCode(site, this.hoisted(site));
    const sites = local.sites.filter((site) => !site.invalid);
    const { reaches, reached, classes: found } = this.travelling(module);
    // Copies: whether they are guarded or widened is set when it is known who else asks for them.
    const classes = found.map((info) => ({ ...info }));
    for (const reach of reaches) isolation.check(reach);
    if (sites.length > 0) {
      const areKept = sites.every(keepsSideEffects);
      const fileOf = (from: Module, specifier: string): string => this.modules.follow(from, specifier, "import")?.file ?? specifier;
      // A task has code of its own file always, so that what is kept there has run before code of others.
      const kept = new Set<string>();
      for (const { specifier, included } of module.bareImports) {
        if (!included && !areKept) continue;
        kept.add(fileOf(module, specifier));
        for (const run of graph.modulesRunBy(module, specifier)) for (const each of run.bareImports) kept.add(fileOf(run, each.specifier));
      }
      for (const other of new Set([module, ...[...reached].map((unit) => unit.module)])) {
        const { bareImports, globalChanges } = other;
        for (const { specifier, node, included } of bareImports) {
          if (!included && (kept.size === 0 || !kept.has(fileOf(other, specifier)))) report.add("MP3001", node, { specifier });
        }
        for (const { node, units } of globalChanges) {
          if (!units.some((unit) => reached.has(unit))) report.add("MP3002", node, { target: writtenAccess(module.ts, node) });
        }
      }
    }
    const own = new Map(classes.filter((info) => info.module === module).map((info) => [info.id, info]));
    for (const info of asked) {
      const current = own.get(info.id) ?? this.inModule(info, module);
      if (!current) continue;
      current.guarded ||= info.guarded;
      own.set(current.id, current);
    }
    const { classImports, asks } = this.registerOthers(module, classes);
    const sources = this.sourcesOf(module, reached, classes, sites);
    const diagnostics = merge(local.report, report);
    return {
      format,
      classes,
      asks,
      asked: key,
      version: this.modules.version,
      sources: [...new Set([...sources, ...isolation.consulted])],
      tasks: sites.map((site) => ({ site, record: this.record(site) })),
      result: {
        tasks: sites.map((site) => this.record(site)),
        edits: programEdits(
          module,
          format,
          sites,
          (site) => this.hoisted(site),
          [...own.values()],
          classImports,
          (record) => {
            const other = this.modules.follow(module, record.specifier, record.kind);
            return other !== undefined && this.circles.matterFor(other);
          },
        ),
        diagnostics,
        dependencies: sources.filter((source) => source !== module).map((source) => source.file),
        consulted: [...isolation.consulted].map((source) => source.file).sort(),
        instrument: [...new Set(asks.map((info) => info.module.file))].sort(),
      },
    };
  }

  /** The class as the module has it now. */
  private inModule(info: ClassInfo, module: Module): ClassInfo | undefined {
    if (info.module === module) return info;
    const finder = new ClassFinder(this.modules, this.derivations, this.classNames);
    finder.ofModule(module);
    return finder.found.get(info.id);
  }

  /** Sees to it that classes of other modules are registered in the program: from here where they can be imported, else by their own modules. */
  private registerOthers(module: Module, classes: readonly ClassInfo[]): { classImports: ClassImport[]; asks: ClassInfo[] } {
    const classImports: ClassImport[] = [];
    const asks: ClassInfo[] = [];
    for (const info of classes) {
      if (info.module === module) continue;
      if (info.widened) {
        asks.push(info);
        continue;
      }
      const found = this.importOf(module, info);
      if (found && this.disturbsCircle(module, found.specifier)) {
        asks.push(info);
        continue;
      }
      const isMarked = Project.mayContainTask(info.module.text) && this.local(info.module).sites.length > 0;
      const selfRegistering = !found || isMarked || info.guarded || this.classNames.isConstructed(info);
      if (selfRegistering) asks.push(info);
      if (found) classImports.push({ specifier: found.specifier, access: selfRegistering ? undefined : found.access, id: info.id });
    }
    return { classImports, asks };
  }

  /**
   * Whether an import that the program does not have (the module names what comes from there in types only) could make a circle or enter one in another place,
   * where modules run before those that they build on: "Class extends value undefined". The class registers itself then, if the program loads it.
   */
  private disturbsCircle(module: Module, specifier: string): boolean {
    const { modules } = this;
    const other = modules.follow(module, specifier);
    if (!other) return false;
    const isLoaded = [...module.imports].some(
      ([binding, record]) =>
        binding.references.some(({ erased }) => !erased) && modules.follow(module, record.specifier, record.kind) === other,
    );
    return !isLoaded && (this.derivations.reaches(other, module) || this.circles.matterFor(other));
  }

  /** How the module can import a class: as one of its imports has it, or by a relative path. */
  private importOf(module: Module, info: ClassInfo): { specifier: string; access: string } | undefined {
    const { modules } = this;
    let written = "";
    for (const record of module.imports.values()) {
      const other = modules.follow(module, record.specifier, record.kind);
      if (!other) continue;
      if (record.specifier.startsWith(".")) written = record.specifier;
      const access = accessTo(modules, module, other, info);
      if (access !== undefined) return { specifier: record.specifier, access };
    }
    const specifier = modules.relativeSpecifier(module, info.module, written);
    const access = accessTo(modules, module, info.module, info);
    return access !== undefined && specifier !== undefined ? { specifier, access } : undefined;
  }

  private sourcesOf(module: Module, reached: Iterable<Unit>, classes: readonly ClassInfo[], sites: readonly TaskSite[]): Module[] {
    const sources = new Set<Module>([module]);
    for (const unit of reached) sources.add(unit.module);
    for (const info of classes) sources.add(info.module);
    for (const { fields } of sites) for (const { modules } of fields ?? []) for (const source of modules) sources.add(source);
    // Modules that only pass names on decide what is reached, too.
    for (const source of [...sources]) for (const passed of this.modules.followedFrom(source)) sources.add(passed);
    return [...sources];
  }

  private record(site: TaskSite): TaskRecord {
    const { module } = site;
    const { ts } = module;
    const fn = functionOf(site);
    const hoisted = this.hoisted(site);
    const place = site.kind === "wrapper" ? site.fn : (site.fn.name ?? functionKeyword(module, site.fn));
    const { line, character } = module.source.getLineAndCharacterOfPosition(place.getStart());
    return {
      id: site.id,
      name: site.name,
      file: module.path,
      line: line + 1,
      column: character + 1,
      parameters: fn ? parameterNames(ts, fn) : [],
      captures: usesClass(site) ? ["this"] : captureNames(hoisted),
      factory:
        usesClass(site) || (hoisted !== undefined && (hoisted.captures.length > 0 || hoisted.capturesThis || hoisted.parts.length > 1)),
      receiver: site.kind === "method" && !site.isStatic,
      async: fn !== undefined && modifier(ts, fn, ts.SyntaxKind.AsyncKeyword) !== undefined,
      generator: fn !== undefined && isGenerator(fn),
    };
  }
}

function functionKeyword(module: Module, fn: ts.Node): ts.Node {
  return fn.getChildren().find((child) => child.kind === module.ts.SyntaxKind.FunctionKeyword) ?? fn;
}

/** The class as a member of the other module's namespace, as the module gets it: `.Shapes.Square`. */
function accessTo(modules: Modules, module: Module, other: Module, info: ClassInfo): string | undefined {
  for (const name of modules.exportNames(other).names) {
    const target = modules.exported(other, name);
    if (target?.kind !== "declared" || target.module !== info.module || target.binding !== info.root) continue;
    const given = modules.given(module, other, name);
    const isItself = given?.kind === "declared" && given.binding === info.root;
    return pathFrom(info, (isItself ? "" : ".default") + memberAccess(name));
  }
  return undefined;
}

function merge(...reports: Reporter[]): Diagnostic[] {
  const all = new Reporter();
  for (const report of reports) all.diagnostics.push(...report.diagnostics);
  return all.sorted();
}

function emptyResult(): FileResult {
  return { tasks: [], edits: [], diagnostics: [], dependencies: [], consulted: [], instrument: [] };
}
