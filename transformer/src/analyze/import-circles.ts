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
import type { Modules } from "./resolve";
import { mayRunWith } from "./syntax";

type Circle = ReadonlySet<Module>;

export class ImportCircles {
  private readonly circles = new Map<Module, Circle | undefined>();
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
    return remembered(this.delicate, circle, () => [...circle].some((module) => this.needsWhileEvaluated(module, circle)));
  }

  /** Whether code of the module that runs with it may come to something of the others. Calls are followed through the module's own declarations. */
  private needsWhileEvaluated(module: Module, circle: Circle): boolean {
    const { ts } = module;
    const seen = new Set<Binding>();
    const leadsThere = (binding: Binding | undefined): boolean => {
      if (!binding || binding.ambient || binding.scope.kind !== "module" || seen.has(binding)) return false;
      seen.add(binding);
      const record = module.imports.get(binding);
      if (!record) return binding.declarations.some((node) => module.references(node).some((reference) => leadsThere(reference.binding)));
      const other = this.modules.follow(module, record.specifier, record.kind);
      return other !== undefined && circle.has(other);
    };
    return module.source.statements.some(
      (statement) =>
        !ts.isExportDeclaration(statement) &&
        module.references(statement).some(({ node, binding }) => mayRunWith(ts, node, statement) && leadsThere(binding)),
    );
  }

  private next(module: Module): Module[] {
    return module.importsAtRunTime.flatMap(({ specifier, kind }) => this.modules.follow(module, specifier, kind) ?? []);
  }
}
