/**
 * Follows names across the modules of the project.
 *
 * Takes bindings and export names. Gives what they stand for: a declaration of a project module, a whole project module (a namespace), or something that
 * stays an import because it comes from outside. Modules are parsed on demand and kept.
 */
import * as path from "node:path";
import type * as ts from "typescript";
import type { Host } from "../core";
import type { Binding } from "./bindings";
import { type ImportRecord, Module, type Unit } from "./module";
import { decoratedElements, type DecoratedElement } from "./decorator-metadata";
import { accessedName, subjectOf } from "./syntax";

export type Target =
  | { kind: "declared"; module: Module; binding: Binding }
  /** An import of a package or a data file, kept as it is in the module that has it. */
  | { kind: "external"; unit: Unit; binding: Binding | undefined }
  /** A property of what a CommonJS module is as a whole: `import { parse } from "./tool"` of `export = Tool`. */
  | { kind: "member"; whole: Thing; name: string }
  | Namespace;

/** What has a name of its own in slices. */
export type Thing = Extract<Target, { kind: "declared" | "external" }>;

/** The thing that a target is, or is a member of. */
export function thingOf(target: Exclude<Target, Namespace>): Thing {
  return target.kind === "member" ? target.whole : target;
}

export interface Namespace {
  readonly kind: "namespace";
  readonly module: Module;
  /** As Node gives a CommonJS module to an ES module: all that it exports is `default`. */
  readonly isCommonJs?: true;
}

const NONE: ReadonlySet<Module> = new Set();

const EXTENSION = /\.([cm]?)[jt]sx?$/;

export class Modules {
  private readonly parsed = new Map<string, Module | undefined>();
  /** Files that may have changed since they were parsed. */
  private readonly doubtful = new Set<string>();
  private readonly links = new Map<Module, Set<Module>>();
  private readonly decorated = new WeakMap<Module, { version: number; elements: readonly DecoratedElement[] }>();
  private ownName: string | undefined;
  /** Changes whenever a module that was seen does. */
  version = 0;

  constructor(private readonly host: Host) {}

  /** The module as last seen, read through the host if it was not. */
  get(file: string): Module | undefined {
    if (!this.parsed.has(file) || this.doubtful.delete(file)) {
      const text = this.host.read(file);
      if (text !== undefined) return this.set(file, text);
      if (this.parsed.get(file)) this.version++;
      this.parsed.set(file, undefined);
    }
    return this.parsed.get(file);
  }

  /** A file's text, without parsing it. */
  textOf(file: string): string | undefined {
    return this.host.read(file);
  }

  /** Files of the program that may import the given one, as far as the host knows. */
  importersOf(file: string): Iterable<string> {
    return this.host.importersOf?.(file) ?? [];
  }

  get importersFor(): Host["importersFor"] {
    return this.host.importersFor;
  }

  /** Takes the text that the host compiles now. */
  set(file: string, text: string): Module {
    this.doubtful.delete(file);
    const known = this.parsed.get(file);
    if (known && known.text === text) return known;
    if (this.parsed.has(file)) this.version++;
    const module = new Module(this.host.ts, file, text, this.host.root, this.packageName(), this.host.jsxFactories);
    if (this.host.decoratorMetadata && /@/.test(text)) module.decorated = () => this.decoratedIn(module);
    module.format = this.host.moduleFormat?.(file);
    module.hasOwnImport = this.host.hasOwnImport?.(file) === true;
    const { constantAt } = this.host;
    if (constantAt) module.constantAt = (start, end) => constantAt(file, start, end);
    this.parsed.set(file, module);
    return module;
  }

  /** What `emitDecoratorMetadata` tells of a module's declarations. It follows names, so that it holds until another module changes. */
  private decoratedIn(module: Module): readonly DecoratedElement[] {
    let known = this.decorated.get(module);
    if (known?.version !== this.version) {
      const { decoratorMetadata } = this.host;
      const elements = decoratorMetadata ? decoratedElements(this, module, decoratorMetadata) : [];
      known = { version: this.version, elements };
      this.decorated.set(module, known);
    }
    return known.elements;
  }

  /** Looks at all files again that may have changed: one may change what a slice has without being part of it. */
  settle(): void {
    for (const file of [...this.doubtful]) this.get(file);
  }

  /** Whether this is still what the file holds. */
  isCurrent(module: Module): boolean {
    return this.get(module.file) === module;
  }

  private packageName(): string {
    if (this.ownName === undefined) {
      try {
        const text = this.host.read(path.join(this.host.root, "package.json")) ?? "{}";
        const { name, version } = JSON.parse(text) as { name?: unknown; version?: unknown };
        // Two versions of a package meet in one process as well.
        this.ownName = typeof name !== "string" ? "" : typeof version === "string" ? `${name}@${version}` : name;
      } catch {
        this.ownName = "";
      }
    }
    return this.ownName;
  }

  invalidate(file: string): void {
    if (this.parsed.get(file)) this.doubtful.add(file);
    else {
      // It was not there: names may lead to it now that led elsewhere.
      this.parsed.delete(file);
      this.version++;
    }
  }

  /** The project module that a specifier leads to, if it can be cut into units. */
  follow(from: Module, specifier: string, kind: "import" | "require" = "import"): Module | undefined {
    const resolution = this.host.resolve(specifier, from.file, kind);
    if (resolution?.kind !== "project" || /\.d\.[cm]?ts$/.test(resolution.file)) return undefined;
    const module = this.get(resolution.file);
    if (!module) return undefined;
    const links = this.links.get(from);
    if (links) links.add(module);
    else this.links.set(from, new Set([module]));
    return module.opaque ? undefined : module;
  }

  /** How one module can import another by a relative path, with an extension like that of a specifier it has; undefined when that leads elsewhere. */
  relativeSpecifier(from: Module, to: Module, like: string): string | undefined {
    const written = EXTENSION.exec(like)?.[0] ?? "";
    const extension = path.extname(to.file);
    const style = written === "" ? "" : written.includes("t") ? extension : extension.replace(EXTENSION, ".$1js");
    const relative = path.relative(path.dirname(from.file), to.file).split(path.sep).join("/");
    const specifier = (relative.startsWith(".") ? relative : `./${relative}`).replace(EXTENSION, style);
    return this.follow(from, specifier) === to ? specifier : undefined;
  }

  /** Modules that were looked into for names of this one. */
  followedFrom(module: Module): ReadonlySet<Module> {
    return this.links.get(module) ?? NONE;
  }

  /** What a binding of a module's top level stands for. Undefined when an import leads to a name that the other module does not export. */
  target(module: Module, binding: Binding): Target | undefined {
    const record = module.imports.get(binding);
    if (!record) return { kind: "declared", module, binding };
    return this.imported(module, binding, record);
  }

  /** The same of one place where the name stands: the member, where it is a namespace of the project and one of its members is named there. */
  targetOf(module: Module, binding: Binding, node: ts.Node): Target | undefined {
    const target = this.target(module, binding);
    if (target?.kind !== "namespace") return target;
    const access = subjectOf(module.ts, node);
    const member = access && accessedName(module.ts, access);
    return member === undefined ? target : this.member(target, member);
  }

  private imported(module: Module, binding: Binding, record: ImportRecord): Target | undefined {
    const other = this.follow(module, record.specifier, record.kind);
    if (!other) {
      const unit = module.unitOf.get(binding);
      return unit && { kind: "external", unit, binding };
    }
    return record.name === "=" ? this.whole(other) : this.given(module, other, record.name);
  }

  /** What one module gets from another by `import` or `export … from`: an export, or all of them as a namespace (`*`). */
  given(to: Module, from: Module, name: string, seen?: Set<string>): Target | undefined {
    const isCommonJs = to.format === "esm" && from.format === "cjs";
    if (name === "*") return isCommonJs ? { kind: "namespace", module: from, isCommonJs } : this.whole(from);
    return isCommonJs && name === "default" ? this.whole(from) : this.exported(from, name, seen);
  }

  /** What is exported under a name, as code sees it that has the namespace. */
  member({ module, isCommonJs }: Namespace, name: string): Target | undefined {
    return isCommonJs && name === "default" ? this.whole(module) : this.exported(module, name);
  }

  /** What `require` gives. */
  private whole(module: Module): Target {
    return (module.exports.has("export=") ? this.exported(module, "export=") : undefined) ?? { kind: "namespace", module };
  }

  /** What a module exports under a name. */
  exported(module: Module, name: string, seen = new Set<string>()): Target | undefined {
    const key = `${module.file}\0${name}`;
    if (seen.has(key)) return undefined;
    seen.add(key);
    const record = module.exports.get(name);
    if (record) {
      if (record.kind === "local") return this.target(module, record.binding);
      const other = this.follow(module, record.specifier);
      const from = record.kind === "namespace" ? "*" : record.name;
      return other
        ? this.given(module, other, from, seen)
        : { kind: "external", unit: module.reexport(record.specifier, from), binding: undefined };
    }
    if (module.exports.has("export=")) {
      const whole = this.exported(module, "export=", seen);
      return !whole || name === "default" ? whole : this.memberOf(whole, name);
    }
    if (name === "default") return undefined;
    let outside: string | undefined;
    for (const specifier of [...module.stars, ...module.typeStars]) {
      const other = this.follow(module, specifier);
      if (!other) outside ??= specifier;
      else {
        const found = this.exported(other, name, seen);
        if (found) return found;
      }
    }
    return outside === undefined ? undefined : { kind: "external", unit: module.reexport(outside, name), binding: undefined };
  }

  private memberOf(whole: Target, name: string): Target | undefined {
    if (whole.kind === "namespace") return this.member(whole, name);
    return whole.kind === "member" ? undefined : { kind: "member", whole, name };
  }

  /** Names of a namespace, as {@link exportNames}. */
  namesIn({ module, isCommonJs }: Namespace): ReturnType<Modules["exportNames"]> {
    const found = this.exportNames(module);
    if (isCommonJs) found.names.add("default");
    return found;
  }

  /** Names that a module exports as values, or may, its `export *` included, but for what packages export through it. */
  exportNames(module: Module, seen = new Set<Module>()): { names: Set<string>; outside: { module: Module; specifier: string }[] } {
    const names = new Set<string>();
    const outside: { module: Module; specifier: string }[] = [];
    if (seen.has(module)) return { names, outside };
    seen.add(module);
    for (const [name, record] of module.exports) if (name !== "export=" && !record.isTypeOnly) names.add(name);
    for (const specifier of module.stars) {
      const other = this.follow(module, specifier);
      if (!other) outside.push({ module, specifier });
      else {
        const inner = this.exportNames(other, seen);
        for (const name of inner.names) if (name !== "default") names.add(name);
        outside.push(...inner.outside);
      }
    }
    return { names, outside };
  }
}
