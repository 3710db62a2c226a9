/**
 * What is left of a plan when a part of it can't be bundled.
 *
 * Takes a plan and the slices that esbuild complained about. Gives the plan without those of its optional classes that need them: nobody names these classes
 * in a task, so a module of the host's that only exists there (`virtual:settings`, a style sheet) must not fail the build on their account.
 */
import type { SlicePlan } from "../core";

/**
 * @param failed ids of slices with errors; empty when the errors are elsewhere, and then every optional class goes
 * @returns undefined when there is nothing that could be left out
 */
export function withoutFailingClasses(plan: SlicePlan, failed: ReadonlySet<string>): SlicePlan | undefined {
  const optional = [...plan.classes].filter(([, entry]) => entry.optional);
  const implicated = optional.filter(([, entry]) => [...sliceClosure(plan, entry.module)].some((id) => failed.has(id)));
  const going = new Set((implicated.length > 0 ? implicated : optional).map(([id]) => id));
  if (going.size === 0) return undefined;
  const classes = new Map([...plan.classes].filter(([id]) => !going.has(id)));
  const needed = new Set([...plan.entries, ...classes.values()].flatMap(({ module }) => [...sliceClosure(plan, module)]));
  return { ...plan, classes, effects: plan.effects.filter((id) => needed.has(id)) };
}

/** A slice and all that it imports. */
function sliceClosure(plan: SlicePlan, id: string): Set<string> {
  const seen = new Set([id]);
  for (const next of seen) {
    for (const match of plan.modules.get(next)?.contents.matchAll(/"makeparallel-slice:((?:[^"\\]|\\.)*)"/g) ?? []) {
      seen.add(JSON.parse(`"${match[1] as string}"`) as string);
    }
  }
  return seen;
}
