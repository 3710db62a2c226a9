/**
 * Which modules import each other in a circle.
 *
 * Takes modules. Says whether one is in a circle of imports that are there at run time, or leads to one whose code needs the circle while it is evaluated. There it
 * matters who is imported first, so nobody may change that. Each module is looked at once, however many are asked about. Valid as long as no module changes.
 */
import type { Binding } from "./bindings";
import { components } from "./components";
import type { Module } from "./module";
import { remembered } from "./remembered";
import { type Modules, thingOf } from "./resolve";
import { mayRunWith } from "./syntax";

type Circle = ReadonlySet<Module>;

export class ImportCircles {
  private readonly circles = new Map<Module, Circle | undefined>();
  private readonly imported = new Map<Module, readonly Module[]>();
  private readonly needs = new Map<Module, ReadonlySet<Module>>();
  private readonly delicate = new Map<Circle, boolean>();
  private readonly leading = new Map<Module, boolean>();

  constructor(private readonly modules: Modules) {}

  /** Whether it is of consequence who imports the module first. */
  matterFor(module: Module): boolean {
    return this.circleOf(module) !== undefined || this.leadsInto(module);
  }

  /** Whether loading the module enters a circle in which the order is of consequence. */
  private leadsInto(module: Module): boolean {
    const reached = new Set([module]);
    for (const each of reached) {
      const known = this.leading.get(each);
      if (known === false) continue;
      const circle = this.circleOf(each);
      if (known === true || (circle && this.isDelicate(circle))) {
        this.leading.set(module, true);
        return true;
      }
      for (const next of this.next(each)) reached.add(next);
    }
    for (const each of reached) this.leading.set(each, false);
    return false;
  }

  private circleOf(module: Module): Circle | undefined {
    if (!this.circles.has(module)) {
      // What is known already leads only to what is known.
      for (const component of components([module], (from) => this.next(from).filter((other) => !this.circles.has(other)))) {
        const circle = component.length > 1 ? new Set(component) : undefined;
        for (const member of component) this.circles.set(member, circle);
      }
    }
    return this.circles.get(module);
  }

  private isDelicate(circle: Circle): boolean {
    return remembered(this.delicate, circle, () => [...circle].some((module) => this.needsWhileEvaluated(module, circle).size > 0));
  }

  /** Modules of its circle that the module's code may come to when it runs with it. Calls are followed through the module's own declarations. */
  private needsWhileEvaluated(module: Module, circle: Circle): ReadonlySet<Module> {
    return remembered(this.needs, module, () => {
      const { ts } = module;
      const seen = new Set<Binding>();
      const needed = new Set<Module>();
      const follow = (binding: Binding | undefined): void => {
        if (!binding || binding.ambient || binding.scope.kind !== "module" || seen.has(binding)) return;
        seen.add(binding);
        const record = module.imports.get(binding);
        if (!record) {
          for (const node of binding.declarations) module.references(node).forEach((reference) => follow(reference.binding));
          return;
        }
        const other = this.modules.follow(module, record.specifier, record.kind);
        if (!other || !circle.has(other)) return;
        const target = this.modules.target(module, binding);
        const thing = target && (target.kind === "namespace" ? target : thingOf(target));
        needed.add(thing && thing.kind !== "external" && circle.has(thing.module) ? thing.module : other);
      };
      for (const statement of module.source.statements) {
        if (ts.isExportDeclaration(statement)) continue;
        for (const { node, binding } of module.references(statement)) if (mayRunWith(ts, node, statement)) follow(binding);
      }
      return needed;
    });
  }

  private next(module: Module): readonly Module[] {
    return remembered(this.imported, module, () =>
      module.importsAtRunTime.flatMap(({ specifier, kind }) => this.modules.follow(module, specifier, kind) ?? []),
    );
  }
}
