/**
 * Which modules import each other in a circle.
 *
 * Takes modules. Says whether one is in a circle of imports that are there at run time. In a circle it matters who is imported first, so nobody may change that.
 * Each module is looked at once, however many are asked about. Valid as long as no module changes.
 */
import { components } from "./components";
import type { Module } from "./module";
import type { Modules } from "./resolve";

export class ImportCircles {
  private readonly inCircle = new Map<Module, boolean>();

  constructor(private readonly modules: Modules) {}

  has(module: Module): boolean {
    if (!this.inCircle.has(module)) {
      // What is known already leads only to what is known.
      for (const component of components([module], (from) => this.next(from).filter((other) => !this.inCircle.has(other)))) {
        for (const member of component) this.inCircle.set(member, component.length > 1);
      }
    }
    return this.inCircle.get(module) as boolean;
  }

  private next(module: Module): Module[] {
    return module.importsAtRunTime.flatMap(({ specifier, kind }) => this.modules.follow(module, specifier, kind) ?? []);
  }
}
