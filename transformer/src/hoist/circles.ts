/**
 * Slice modules that import each other in a circle.
 *
 * Which module of a circle runs first depends, in a program, on where it is entered: `class B extends A` finds no `A` if B's module comes first. A task enters
 * anywhere, so its circles have an order of their own, in which what code needs while it is evaluated comes first.
 *
 * Takes the groups of a circle. Gives their order, and the imports that make it hold in any bundle. Each group of a circle imports the one before it first, and whoever
 * imports from a circle imports its last group before: so all of them have been entered when the first runs.
 *
 * In a chunk that tasks share, esbuild goes by no entry's imports, but begins with the module that is nearest to an entry, and of those with the one that it has
 * finished first. What is nearest is what any module names something of, though the imports lead there by another way. Therefore whoever imports from a circle
 * also imports its gate, a module that holds nothing but an import of the last group: the last one imports the gate first, so it is finished before all of them.
 */
import type { SliceModule } from "../core";
import { components } from "../analyze/components";
import { needsOf } from "../analyze/evaluation";
import type { Graph } from "../analyze/graph";
import type { Unit } from "../analyze/module";
import type { Modules } from "../analyze/resolve";
import type { Group } from "./groups";
import { hashOf } from "./ids";
import { sliceSpecifier } from "./module-names";

export interface Circle {
  readonly order: readonly Group[];
  /** The slice module that is nothing but the way in. */
  readonly gate: string;
  /** The imports with which everything outside begins that imports from the circle. */
  readonly way: readonly [last: string, gate: string];
}

export class Circles {
  private readonly circleOf = new Map<Group, Circle>();

  constructor(circles: readonly (readonly Group[])[], graph: Graph, modules: Modules) {
    for (const groups of circles) {
      const order = inOrder(groups, graph, modules);
      if (!order) continue;
      const { id } = order[order.length - 1] as Group;
      const gate = `${id.slice(0, id.lastIndexOf("#"))}#${hashOf(`gate ${id}`)}`;
      for (const group of order) this.circleOf.set(group, { order, gate, way: [id, gate] });
    }
  }

  /**
   * Slice modules that a group imports before all others, in that order.
   * @param imported groups that it imports from
   */
  first(group: Group, imported: Iterable<Group>): string[] {
    const own = this.circleOf.get(group);
    const before = own?.order[own.order.indexOf(group) - 1];
    return [...(own ? [own.gate] : []), ...(before ? [before.id] : []), ...this.ways(imported, own)];
  }

  /** The imports with which something begins that imports from the given groups. */
  ways(imported: Iterable<Group>, own?: Circle): string[] {
    const circles = new Map([...imported].flatMap((group) => this.circleOf.get(group) ?? []).map((circle) => [circle.gate, circle]));
    return [...circles.values()]
      .filter(({ gate }) => gate !== own?.gate)
      .sort((a, b) => (a.gate < b.gate ? -1 : 1))
      .flatMap(({ way }) => way);
  }

  /** The gates of all circles. */
  *gates(): Iterable<SliceModule> {
    const written = new Set<string>();
    for (const { gate, order } of this.circleOf.values()) {
      if (written.has(gate)) continue;
      written.add(gate);
      const last = order[order.length - 1] as Group;
      const { file } = (last.units[0] as Unit).module;
      yield { id: gate, file, contents: `import ${sliceSpecifier(last.id)};\n`, loader: "js" };
    }
  }
}

/**
 * The groups as they have to run; undefined where the order is no matter, as among functions. Where what code may need through calls makes a circle again, only
 * what it needs for certain counts.
 */
function inOrder(circle: readonly Group[], graph: Graph, modules: Modules): Group[] | undefined {
  const groupOf = new Map<Unit, Group>();
  for (const group of circle) for (const unit of group.units) groupOf.set(unit, group);
  const certain = new Map<Group, Set<Group>>();
  const any = new Map<Group, Set<Group>>();
  for (const group of circle) {
    const groupsOf = (units: Iterable<Unit>): Group[] => [...units].flatMap((unit) => groupOf.get(unit) ?? []);
    const needs = group.units.map((unit) => needsOf(graph, modules, unit));
    certain.set(group, new Set(needs.flatMap((need) => groupsOf(need.certain))));
    any.set(group, new Set(needs.flatMap((need) => groupsOf([...need.certain, ...need.perhaps]))));
  }
  if (circle.every((group) => [...(any.get(group) as Set<Group>)].every((other) => other === group))) return undefined;
  const sorted = [...circle].sort((a, b) => (a.id < b.id ? -1 : 1));
  return components(sorted, (group) => [...(any.get(group) as Set<Group>)]).flatMap((part) => {
    const inside = new Set(part);
    const next = (group: Group): Group[] => [...(certain.get(group) as Set<Group>)].filter((other) => inside.has(other));
    return components(
      sorted.filter((group) => inside.has(group)),
      next,
    ).flat();
  });
}
