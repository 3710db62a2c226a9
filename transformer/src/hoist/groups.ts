/**
 * Groups units into slice modules.
 *
 * Takes roots (tasks and classes) and the graph. Gives groups: units of one file that the same roots reach, so that loading a task evaluates exactly what it
 * names. A binding and the code that assigns it share a group, and so does code that sees what it is before (`snapshots.ts`). Where groups of several files would
 * import each other in a circle, they are cut finer, down to units that really need each other, so that no circle remains that the program does not have itself.
 */
import { components } from "../analyze/components";
import type { Graph } from "../analyze/graph";
import type { Unit } from "../analyze/module";
import { hashOf } from "./ids";
import { snapshotsIn } from "./snapshots";

export interface Root {
  /** `task:<id>`, `class:<id>`, or `import:<path>` for what `import()` loads. */
  readonly key: string;
  readonly unit: Unit;
}

export interface Group {
  readonly id: string;
  readonly units: Unit[];
}

export interface Grouping {
  readonly groups: Map<Unit, Group>;
  /** Groups that import each other, as their files do in the program. */
  readonly circles: readonly (readonly Group[])[];
}

export function groupUnits(graph: Graph, given: readonly Root[]): Grouping {
  const { reachedBy, roots } = reachAll(graph, given);
  const clusters = new Clusters([...reachedBy.keys()]);
  for (const unit of reachedBy.keys()) {
    for (const other of graph.assigns(unit)) if (reachedBy.has(other)) clusters.join(unit, other);
  }
  for (const [before, change] of snapshotsIn(graph, new Set(reachedBy.keys()))) clusters.join(before, change);
  propagate(graph, clusters, reachedBy);

  const rootNames = roots.map((root) => root.key);
  const keys = new Map<Unit, string>();
  const keyOf = (unit: Unit): string => {
    if (unit.kind === "task") return `${unit.module.path}#${(unit.site as { id: string }).id}`;
    const set = [...(reachedBy.get(unit) as Set<number>)].sort((a, b) => a - b).map((index) => rootNames[index]);
    return `${unit.module.path}#${hashOf(set.join("\0"))}`;
  };
  for (const unit of reachedBy.keys()) keys.set(unit, keyOf(unit));
  const circles = cutCircles(graph, clusters, keys);

  const groups = new Map<string, Group>();
  const byUnit = new Map<Unit, Group>();
  for (const [unit, key] of keys) {
    let group = groups.get(key);
    if (!group) {
      const at = key.indexOf("#");
      group = { id: `${key.slice(0, at)}#${hashOf(key.slice(at + 1))}`, units: [] };
      groups.set(key, group);
    }
    group.units.push(unit);
    byUnit.set(unit, group);
  }
  const groupsOf = (units: readonly Unit[]): Group[] => [...new Set(units.map((unit) => byUnit.get(unit) as Group))];
  return { groups: byUnit, circles: circles.map(groupsOf).filter((circle) => circle.length > 1) };
}

/** What each root reaches, and what is loaded by `import()` there: each such module is one more root, since it runs later. */
function reachAll(graph: Graph, given: readonly Root[]): { reachedBy: Map<Unit, Set<number>>; roots: Root[] } {
  const reachedBy = new Map<Unit, Set<number>>();
  const roots = [...given];
  const known = new Set(given.map(({ unit }) => unit));
  for (const [index, root] of roots.entries()) {
    for (const unit of graph.reach(root.unit)) {
      const set = reachedBy.get(unit);
      if (set) {
        set.add(index);
        continue;
      }
      reachedBy.set(unit, new Set([index]));
      for (const { given: namespace } of graph.loadsOf(unit)) {
        const whole = graph.unitOfAll(namespace.module);
        if (!known.has(whole)) roots.push({ key: `import:${whole.module.path}`, unit: whole });
        known.add(whole);
      }
    }
  }
  return { reachedBy, roots };
}

/** Union-find over units that must share a module. */
class Clusters {
  private readonly parent = new Map<Unit, Unit>();

  constructor(units: readonly Unit[]) {
    for (const unit of units) this.parent.set(unit, unit);
  }

  find(unit: Unit): Unit {
    let root = unit;
    while (this.parent.get(root) !== root) root = this.parent.get(root) as Unit;
    this.parent.set(unit, root);
    return root;
  }

  join(a: Unit, b: Unit): void {
    this.parent.set(this.find(a), this.find(b));
  }

  get members(): Map<Unit, Unit[]> {
    const members = new Map<Unit, Unit[]>();
    for (const unit of this.parent.keys()) {
      const root = this.find(unit);
      const list = members.get(root);
      if (list) list.push(unit);
      else members.set(root, [unit]);
    }
    return members;
  }
}

/** Members of a cluster are reached by the same roots, and what they need is reached by all of these too. */
function propagate(graph: Graph, clusters: Clusters, reachedBy: Map<Unit, Set<number>>): void {
  const members = clusters.members;
  const queue: { unit: Unit; set: Set<number> }[] = [];
  for (const list of members.values()) {
    if (list.length < 2) continue;
    const union = new Set(list.flatMap((unit) => [...(reachedBy.get(unit) as Set<number>)]));
    for (const unit of list) queue.push({ unit, set: union });
  }
  for (let next = queue.pop(); next; next = queue.pop()) {
    const own = reachedBy.get(next.unit) as Set<number>;
    const before = own.size;
    for (const root of next.set) own.add(root);
    if (own.size === before) continue;
    for (const needed of graph.successors(next.unit)) queue.push({ unit: needed, set: own });
    for (const sibling of members.get(clusters.find(next.unit)) as Unit[]) queue.push({ unit: sibling, set: own });
  }
}

/**
 * Splits groups that import each other in a circle across files into the circles of their units.
 * @returns the circles that are left
 */
function cutCircles(graph: Graph, clusters: Clusters, keys: Map<Unit, string>): Unit[][] {
  const left: Unit[][] = [];
  const byKey = new Map<string, Unit[]>();
  for (const [unit, key] of keys) {
    const list = byKey.get(key);
    if (list) list.push(unit);
    else byKey.set(key, [unit]);
  }
  const next = (key: string): string[] => {
    const found = new Set<string>();
    for (const unit of byKey.get(key) as Unit[]) for (const needed of graph.successors(unit)) found.add(keys.get(needed) as string);
    found.delete(key);
    return [...found];
  };
  const circles = components([...byKey.keys()], next).filter((component) => component.length > 1);
  for (const circle of circles) {
    const units = circle.flatMap((key) => byKey.get(key) as Unit[]);
    const inCircle = new Set(units);
    const roots = [...new Set(units.map((unit) => clusters.find(unit)))];
    const members = clusters.members;
    const nextUnit = (root: Unit): Unit[] => {
      const found = new Set<Unit>();
      for (const unit of members.get(root) as Unit[]) {
        for (const needed of graph.successors(unit)) if (inCircle.has(needed)) found.add(clusters.find(needed));
      }
      found.delete(root);
      return [...found];
    };
    for (const component of components(roots, nextUnit)) {
      const parts = component.flatMap((root) => members.get(root) as Unit[]);
      left.push(parts);
      for (const unit of parts) {
        const first = parts
          .filter((other) => other.module === unit.module)
          .map((other) => other.key)
          .sort()[0] as string;
        if (unit.kind !== "task") keys.set(unit, `${keys.get(unit) as string}@${first}`);
      }
    }
  }
  return left;
}
